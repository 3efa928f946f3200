"""Anything may lie in the inbox. It is left alone, or refused; the loop goes on."""

import io
import os
import socket
import time
import zipfile
from pathlib import Path

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, orders, until

NEXT_TO_US = Path(__file__).parents[2].parent / "shared" / "corpora"
CORPORA = Path(os.environ.get("SHIPDROP_CORPORA") or NEXT_TO_US)


def test_what_is_no_file_or_not_finished_is_left_alone(root: Root, api: SandboxHandle) -> None:
    root.drop("good.csv", orders(1))
    outside = root.path / "outside.csv"
    outside.write_text(orders(1, prefix="OUT"))
    (root.inbox / "link.csv").symlink_to(outside)
    (root.path / "elsewhere").mkdir()
    (root.path / "elsewhere" / "deep.csv").write_text(orders(1, prefix="DEEP"))
    (root.inbox / "courier").symlink_to(root.path / "elsewhere")
    os.mkfifo(root.inbox / "pipe.csv")
    with socket.socket(socket.AF_UNIX) as unix:
        home = Path.cwd()
        os.chdir(root.inbox)  # a socket's path must be short
        try:
            unix.bind("socket.csv")
        finally:
            os.chdir(home)
    (root.inbox / "folder.csv").mkdir()
    (root.inbox / "folder.csv" / "in.csv").write_text(orders(1, prefix="IN"))
    (root.inbox / "delhivery" / "deeper").mkdir(parents=True)
    (root.inbox / "delhivery" / "deeper" / "x.csv").write_text(orders(1, prefix="X"))
    temporary = [".hidden.csv", "~$book.xlsx", "up.csv.part", "UP.CSV.FILEPART", "d.crdownload"]
    temporary += ["e.tmp", "f.csv.swp", "Thumbs.db", "desktop.ini", "g.csv.done"]
    for name in temporary:
        (root.inbox / name).write_text(orders(1, prefix="TMP"))
    before = set(root.files("inbox"))

    ran = root.once()
    assert ran.code == 0
    assert before - set(root.files("inbox")) == {"good.csv"}
    assert outside.read_text() == orders(1, prefix="OUT")
    assert api.stats()["accepted"] == 1
    told = {line["file"] for line in ran.logs if line["event"] == "inbox.left_alone"}
    assert told == {"link.csv", "courier", "pipe.csv", "socket.csv", "folder.csv", "deeper"}


def bomb() -> bytes:
    """A workbook of 60 kB that inflates to 60 MB of one sheet."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"<row/>" * 10_000_000)
    return buffer.getvalue()


def test_hostile_files_are_refused_and_the_rest_is_served(root: Root, api: SandboxHandle) -> None:
    workbook = b"PK\x03\x04" + bytes(range(256)) * 40
    hostile = {
        "empty.csv": b"",
        "noise.csv": bytes(range(256)) * 400,
        "noise.xlsx": workbook,
        "bomb.xlsx": bomb(),
        "page.csv": b"<!DOCTYPE html><html><body>Session expired</body></html>",
        "cut.csv": orders(50).encode()[:-12],
        "quote.csv": b'Order ID,Status\nA1,"Delivered\nA2,Delivered\n',
        "doc.pdf": b"%PDF-1.7\n" + b"x" * 2000,
    }
    real = {
        "laughs.xlsx": CORPORA / "openspout/tests/resources/xlsx/attack_billion_laughs.xlsx",
        "xmlbomb.xlsx": CORPORA / "poi/test-data/spreadsheet/poc-xmlbomb.xlsx",
        "locked.xlsx": CORPORA / "poi/test-data/poifs/60320-protected.xlsx",
    }
    hostile |= {name: path.read_bytes() for name, path in real.items() if path.is_file()}
    for name, data in hostile.items():
        root.drop(name, data)
    root.drop("zz_fine.csv", orders(3))
    ran = root.once()
    assert ran.code == 4
    found = {d.summary["source_file"]: d for d in root.delivered()}
    assert set(found) == {*hostile, "zz_fine.csv"}
    for name in hostile:
        assert found[name].summary["state"] == "refused", name
        assert found[name].path("REFUSED.txt").is_file()
    assert found["bomb.xlsx"].summary["refused"]["code"] == "UNSAFE_WORKBOOK"
    assert found["cut.csv"].summary["refused"]["code"] == "TRUNCATED"
    assert found["empty.csv"].summary["refused"]["code"] == "EMPTY_FILE"
    assert found["zz_fine.csv"].counts == {"accepted": 3}
    assert api.stats()["accepted"] == 3
    assert len(root.files("quarantine")) == len(hostile)
    assert root.files("inbox") == root.files("work") == []


ODD_NAMES = (
    "-rf.csv",
    "#a [b] %s {c} *.CSV",
    "दिल्ली रिपोर्ट.csv",
    "two\nlines.csv",
    "=cmd|calc.csv",
    "x" * 251 + ".csv",
    "no extension",
    "\x1b[31mred.csv",
)


def test_odd_names_are_names_like_any_other(root: Root) -> None:
    for number, name in enumerate(ODD_NAMES):
        root.drop(name, orders(1, prefix=f"N{number}"))
    ran = root.once()
    assert ran.code == 0
    assert "\x1b" not in ran.out + ran.err
    found = {each.summary["source_file"]: each for each in root.delivered()}
    assert set(found) == set(ODD_NAMES)
    assert all(each.counts == {"accepted": 1} for each in found.values())
    assert {Path(kept).name for kept in root.files("archive")} == set(ODD_NAMES)


def test_a_file_that_is_still_written_waits_until_it_settles(
    root: Root, api: SandboxHandle
) -> None:
    root.configure(inbox__settle_seconds=0.5, inbox__scan_seconds=0.1)
    (root.path / "inbox").mkdir()
    service = root.start("run")
    until(lambda: (root.path / "state/lock.json").exists(), what="the lock")
    with (root.inbox / "slow.csv").open("w") as file:
        for line in orders(14).splitlines(keepends=True):  # longer than it takes to settle
            file.write(line)
            file.flush()
            time.sleep(0.05)  # a slow writer is the very subject
            assert api.stats()["calls"] == 0
    until(root.delivered, what="its summary")
    assert root.of("slow").counts == {"accepted": 14}
    assert service.end().code == 0
