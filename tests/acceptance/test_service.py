"""The service: files that come while it runs, and what is asked of it meanwhile."""

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, Running, orders, sheet, until


def serve(root: Root) -> Running:
    service = root.start("run", "-v")
    until(lambda: (root.path / "state/lock.json").exists(), what="the lock")
    return service


def closed(root: Root, stem: str, state: str = "completed") -> bool:
    return any(
        d.summary["source_file"].startswith(stem) and d.summary["state"] == state
        for d in root.delivered()
    )


def test_files_are_taken_as_they_come_and_a_hostile_one_stops_none(
    root: Root, api: SandboxHandle
) -> None:
    root.configure(inbox__scan_seconds=30)  # so that only events can be this quick
    service = serve(root)
    for number in range(3):
        root.drop(f"f{number}.csv", orders(3, prefix=f"P{number}"))
        until(lambda stem=f"f{number}": closed(root, stem), what="its summary", seconds=15)
    root.drop("noise.xlsx", bytes(range(256)) * 64)
    until(lambda: closed(root, "noise", "refused"), what="the refusal")
    root.drop("sub.csv", orders(1, prefix="S"), folder="delhivery")
    until(lambda: root.files("inbox") == [], what="the courier's file to be taken")
    ran = service.end()
    assert ran.code == 0
    assert "f1.csv: 3 accepted" in ran.out
    assert api.stats()["accepted"] == 9


def test_a_running_service_cancels_a_drop(root: Root, api: SandboxHandle) -> None:
    api.set_faults(latency_ms=150)
    root.configure(api__concurrency=1, inbox__scan_seconds=0.2)
    service = serve(root)
    root.drop("long.csv", orders(4000))
    until(lambda: api.stats()["calls"] >= 2, what="call 2")
    (drop_id,) = (d["drop_id"] for d in root.run("drops", "--json").json)
    ran = root.run("cancel", drop_id)
    assert ran.code == 0
    assert "running service" in ran.out
    until(lambda: closed(root, "long", "cancelled"), what="the cancelled summary")
    found = root.of("long")
    found.assert_sound(4000)
    assert found.counts["accepted"] == api.stats()["accepted"]
    assert found.counts["unsent"] == 4000 - found.counts["accepted"] > 0
    assert {x["codes"] for x in found.lines() if x["outcome"] == "unsent"} == {"CANCELLED"}
    api.set_faults(latency_ms=0)
    root.drop("next.csv", orders(1, prefix="N"))
    until(lambda: closed(root, "next"), what="the next file")
    assert service.end().code == 0
    assert len(root.files("archive")) == 2


def test_a_running_service_retries_at_once_what_waits(root: Root, api: SandboxHandle) -> None:
    api.set_faults(status_all=403)
    root.configure(inbox__scan_seconds=0.2)
    service = serve(root)
    root.drop("a.csv", orders(2))
    until(lambda: closed(root, "a", "open"), what="the open summary")
    api.set_faults(status_all=0)
    ran = root.run("retry", root.of("a").id, "--json")
    assert (ran.code, ran.json["request"]) == (0, "retry")
    until(lambda: closed(root, "a"), what="its completion", seconds=10)
    assert root.of("a").counts == {"accepted": 2}
    assert service.end().code == 0


def test_with_none_running_retry_sends_that_drop_at_once(root: Root, api: SandboxHandle) -> None:
    api.set_faults(status_all=403)
    root.drop("a.csv", orders(2))
    root.drop("b.csv", orders(2, prefix="B"))
    assert root.once().code == 5
    api.set_faults(status_all=0)
    root.drop("c.csv", orders(1, prefix="C"))
    ran = root.run("retry", root.of("a").id)
    assert ran.code == 0
    assert "a.csv: 2 accepted" in ran.out
    assert root.of("b").summary["state"] == "open"
    assert root.files("inbox") == ["c.csv"]
    again = root.run("retry", root.of("a").id)
    assert again.code == 2
    assert "nothing" in again.err


def test_with_none_running_cancel_closes_a_drop_at_once(root: Root, api: SandboxHandle) -> None:
    api.set_faults(status_all=403)
    root.drop("a.csv", orders(3) + "BAD,Wat\n")
    # Shares an order: it is not even planned before the first one is through.
    root.drop("b.csv", sheet([("ORD000001", "Return Picked Up"), ("B9", "Delivered")]))
    assert root.once().code == 5
    first, second = root.of("a").id, root.of("b").id
    api.set_faults(status_all=0)
    calls = api.stats()["calls"]
    root.run("cancel", second)
    assert root.of("b").summary["state"] == "cancelled"
    assert root.of("b").counts == {"unsent": 2}
    root.run("cancel", first)
    cancelled = root.of("a")
    cancelled.assert_sound(4)
    assert cancelled.summary["state"] == "cancelled"
    assert cancelled.counts == {"unsent": 3, "rejected": 1}
    assert api.stats()["calls"] == calls
    again = root.run("cancel", first)
    assert again.code == 2
    assert "cancelled" in again.err
    assert root.run("cancel", "d-no-such").code == 2
    assert root.once().code == 0
    assert api.stats()["calls"] == calls
    root.drop("anew.csv", orders(3))
    assert root.once().code == 0
    assert root.of("anew").counts == {"accepted": 3}, "what was cancelled may be sent anew"
