"""check sends, moves and records nothing; submit and why serve those who drop files."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from openpyxl import load_workbook

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.harness import Root, orders, rooted, sheet, until

MIXED = sheet(
    [("A1", "Delivered"), ("A2", "In Transit"), ("A3", "Wat"), ("A1", "Delivered"), ("", "Done")]
)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    path = tmp_path / "mixed.csv"
    path.write_text(MIXED)
    return path


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """A root that has sent two orders."""
    place = tmp_path_factory.mktemp("known")
    with running(SandboxConfig()) as api, rooted(place, api.url, api.token) as root:
        root.drop("one.csv", orders(2))
        assert root.once().code == 0
        yield root


def test_check_tells_what_would_happen_and_touches_nothing(
    root: Root, api: SandboxHandle, mixed: Path
) -> None:
    ran = root.run("check", mixed)
    assert ran.code == 3
    assert "mixed.csv: 1 duplicate, 1 ignored, 2 rejected, 1 to be sent" in ran.out
    assert "STATUS_UNKNOWN:status" in ran.out
    assert "ID_MISSING:order_id" in ran.out
    assert mixed.read_text() == MIXED
    assert root.files("") == [], "no ledger, no folders"
    assert api.stats()["calls"] == 0


def test_check_as_json_is_an_array_of_summaries(known: Root, mixed: Path, tmp_path: Path) -> None:
    root = known
    refused = tmp_path / "pins.csv"
    refused.write_text("Pincode,City\n400001,Mumbai\n")
    before = set(root.files(""))
    ran = root.run("check", "--json", mixed, refused, "--out", tmp_path / "out")
    assert ran.code == 4
    first, second = ran.json
    real = set(root.of("one").summary)
    assert real <= set(first)
    assert real - {"courier_why", "columns", "open"} <= set(second)
    assert first["rows"]["unsent"] == 1
    assert first["rows"]["total"] == 5 == sum(first["rows"].values()) - first["rows"]["total"]
    assert second["refused"]["code"] == "HEADER_NOT_FOUND"
    assert set(root.files("")) == before
    written = sorted(p.name.partition(".")[2] for p in (tmp_path / "out").iterdir())
    ok = ["rejects.csv", "rejects.xlsx", "results.csv", "summary.json"]
    assert written == sorted([*ok, "REFUSED.txt", "summary.json"])
    for path in (tmp_path / "out").glob("*.summary.json"):
        told = json.loads(path.read_bytes())
        assert any(told.items() <= each.items() for each in (first, second))


def test_check_gives_back_a_file_of_too_many_bad_rows_as_a_run_does(
    root: Root, tmp_path: Path
) -> None:
    content = orders(10) + orders(20, prefix="BAD", status="Wat")
    path = tmp_path / "bad.csv"
    path.write_text(content)
    ran = root.run("check", "--json", path, "--out", tmp_path / "out")
    assert ran.code == 4
    (plain,) = root.run("check", "--json", path).json
    root.drop("bad.csv", content)
    assert root.once().code == 4
    real = root.of("bad")
    (told,) = ran.json
    assert told["refused"]["code"] == "TOO_MANY_REJECTS"
    assert told["errors"] == plain["errors"] == real.summary["errors"] != []
    kinds = {name.partition(".")[2] for name in real.summary["files"].values()}
    assert {file.name.partition(".")[2] for file in (tmp_path / "out").iterdir()} == kinds
    (ours,) = (tmp_path / "out").glob("*.rejects.csv")
    theirs = real.path("rejects.csv").read_text("utf-8-sig")
    assert ours.read_text("utf-8-sig") == theirs.replace(real.id, "check")
    (book,) = (tmp_path / "out").glob("*.rejects.xlsx")
    assert _to_fix(book) == _to_fix(real.path("rejects.xlsx"))


def _to_fix(book: Path) -> list[tuple[object, ...]]:
    """The cells of the sheet that says what is wrong, and what each status means."""
    return list(load_workbook(book)["What to fix"].iter_rows(values_only=True))


def test_check_knows_what_was_accepted_before_and_the_named_courier(
    known: Root, tmp_path: Path
) -> None:
    root = known
    again = tmp_path / "again.csv"
    again.write_text(orders(3))
    (found,) = root.run("check", again, "--json").json
    assert (found["rows"]["duplicate"], found["rows"]["unsent"]) == (2, 1)
    xpressbees = tmp_path / "xb.csv"
    xpressbees.write_text(sheet([("X1", "DLVD")]))
    (found,) = root.run("check", xpressbees, "--json", "--courier", "xpressbees").json
    assert (found["courier"], found["rows"]["unsent"]) == ("xpressbees", 1)
    missing = root.run("check", tmp_path / "missing.csv")
    assert missing.code == 2
    assert "missing.csv" in missing.err


def test_submit_never_replaces_a_waiting_namesake(root: Root, mixed: Path) -> None:
    root.inbox.mkdir()
    other = mixed.parent / "other"
    other.mkdir()
    (other / "mixed.csv").write_text(orders(1))
    assert root.run("submit", mixed).code == 0
    ran = root.run("submit", other / "mixed.csv", mixed, "--json")
    assert ran.code == 0
    assert len({*ran.json}) == 2
    names = root.files("inbox")
    assert len(names) == 3
    assert names[0] != names[1]
    assert {(root.inbox / name).read_text() for name in names} == {MIXED, orders(1)}
    assert (root.inbox / "mixed.csv").read_text() == MIXED
    assert mixed.read_text() == MIXED
    assert root.run("submit", mixed, "--courier", "delhivery").code == 0
    assert (root.inbox / "delhivery" / "mixed.csv").is_file()


def test_submit_refuses_what_would_never_be_picked_up(root: Root, tmp_path: Path) -> None:
    root.inbox.mkdir()
    hidden = tmp_path / "a.csv.part"
    hidden.write_text(orders(1))
    ran = root.run("submit", hidden)
    assert ran.code == 2
    assert "never be picked up" in ran.err
    assert root.run("submit", tmp_path / "missing.csv").code == 2


def test_why_says_what_a_file_waits_for(root: Root) -> None:
    root.drop("open.xlsx", b"PK\x03\x04")
    root.drop("~$open.xlsx", b"")
    (root.inbox / "link.csv").symlink_to("/etc/hostname")
    waiting, link = root.run("why", "open.xlsx"), root.run("why", root.inbox / "link.csv")
    assert (waiting.code, link.code) == (0, 0)
    assert "spreadsheet program" in waiting.out
    assert "symbolic link" in link.out


def test_why_says_whether_a_service_is_running_and_what_had_the_name_before(root: Root) -> None:
    root.drop("a.csv", orders(1))
    root.configure(inbox__settle_seconds=0)
    assert root.once().code == 0
    root.drop("a.csv", orders(1, prefix="B"))
    alone = root.run("why", "a.csv")
    assert "No service is running" in alone.out
    assert root.of("a").id in alone.out
    root.configure(inbox__settle_seconds=3600)
    service = root.start("run")
    until(lambda: (root.path / "state/lock.json").exists(), what="the lock")
    told = root.run("why", "b.xlsx", "--json", env={"SHIPDROP_INBOX__SETTLE_SECONDS": "0"}).json
    assert told["running"] is True
    assert f"process {service.process.pid}" in told["service"]
    service.kill()
    assert "No service" in root.run("why", "x", env={"SHIPDROP_INBOX__SETTLE_SECONDS": "0"}).out
