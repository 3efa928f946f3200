"""A giant next to small files, and a service that is killed while it reads one."""

import os
from pathlib import Path

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, orders, until

ROWS = 250_000


def giant(root: Root, rows: int = ROWS) -> None:
    """Older than all else, so that it is claimed first. Nearly all of its rows tell nothing new."""
    scans = "".join(f"G{number:06},In Transit\n" for number in range(rows))
    path = root.drop("giant.csv", f"Order ID,Status\n{scans}G000000,Delivered\n", folder="a")
    os.utime(path, (1, 1))


def closed(root: Root) -> list[str]:
    """The files whose drops are through."""
    return [d.summary["source_file"] for d in root.delivered() if d.summary["finished_at"]]


def test_small_files_of_other_couriers_are_not_stuck_behind_a_giant(
    root: Root, api: SandboxHandle
) -> None:
    giant(root)
    for number in range(5):
        root.drop(f"b{number}.csv", orders(2, prefix=f"B{number}"), folder="b")
        root.drop(f"r{number}.csv", orders(2, prefix=f"R{number}"))
    root.drop("after.csv", "Order ID,Status\nG000000,RTO Delivered\n", folder="a")
    service = root.start("run")
    until(lambda: len(closed(root)) >= 10, what="the small ones")
    assert "giant.csv" not in closed(root)
    assert "after.csv" not in closed(root), "its own courier's files keep behind it"
    until(lambda: len(closed(root)) == 12, what="the giant and what came behind it")
    assert service.end().code == 0
    assert root.of("giant").counts == {"accepted": 1, "ignored": ROWS}
    claimed = {d.summary["source_file"]: d.id for d in root.delivered()}
    assert claimed["giant.csv"] < claimed["b0.csv"], "it was claimed first"


def test_a_courier_s_file_is_not_stuck_behind_hundreds_of_another_s(
    root: Root, api: SandboxHandle
) -> None:
    """The older ones are claimed first, as the contract says, and do not have to be through."""
    for number in range(120):
        path = root.drop(f"a{number:03}.csv", orders(2, prefix=f"A{number}-"), folder="a")
        os.utime(path, (number + 1, number + 1))
    root.drop("b.csv", orders(2, prefix="B"), folder="b")
    service = root.start("run")
    until(lambda: any(root.outbox.glob("b/b__*.summary.json")), what="the youngest file")
    assert len(closed(root)) < 60
    until(lambda: len(list(root.outbox.glob("a/*.summary.json"))) == 120, what="all of them")
    until(lambda: len(closed(root)) == 121, what="their ends")
    assert service.end().code == 0
    claims = [d.summary["source_file"] for d in sorted(root.delivered(), key=lambda d: d.id)]
    assert claims == [*(f"a{number:03}.csv" for number in range(120)), "b.csv"]
    assert api.stats()["accepted"] == 242


def test_a_service_killed_again_and_again_while_it_reads_a_giant_does_not_refuse_it(
    root: Root, api: SandboxHandle
) -> None:
    giant(root, 100_000)
    for _ in range(4):
        service = root.start("run")
        until(lambda: list(root.path.glob("state/drops/*/rows-00.arrow")), what="its rows")
        service.kill()
        for rows in root.path.glob("state/drops/*/rows-00.arrow"):
            rows.unlink()
    (tries,) = root.path.glob("state/drops/*/tries")
    assert len(tries.read_bytes()) == 4
    assert root.once().code == 0
    assert root.of("giant").counts == {"accepted": 1, "ignored": 100_000}
    assert Path(root.files("archive")[0]).name == "giant.csv"


def test_a_service_that_dies_with_every_try_gives_the_file_up_in_the_end(root: Root) -> None:
    giant(root, 100_000)
    service = root.start("run")
    (tries,) = until(lambda: list(root.path.glob("state/drops/*/tries")), what="its first try")
    service.kill()
    tries.write_bytes(b"." * 10)
    ran = root.once()
    assert ran.code == 4
    assert root.of("giant").summary["refused"]["code"] == "PROCESSING_FAILED"
