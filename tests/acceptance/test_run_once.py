"""Reports for a file, end to end."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.harness import Delivered, Ran, Root, orders, rooted, sheet

MIXED = sheet(
    [
        ("A1", "AWB1", "Delivered"),
        ("A2", "AWB2", "Picked Up"),
        ("A3", "AWB3", "In Transit"),
        ("", "", ""),
        ("A4", "AWB4", "Deliverd"),
        ("A1", "AWB1", "Delivered"),
    ],
    header=("Order ID", "AWB", "Status"),
)
RESULT_COLUMNS = [
    *("row", "sheet", "order_id", "awb", "source_status", "order_status", "outcome", "codes"),
    *("message", "chunk", "http_status", "attempts", "sent_at", "drop_id", "source_file"),
]


class Once:
    """One run over several files; each test looks at another side of it."""

    def __init__(self, root: Root, api: SandboxHandle) -> None:
        self.root = root
        self.api = api
        root.drop("mixed.csv", MIXED)
        root.drop("fine.csv", orders(45, prefix="F"))
        root.drop("scan.csv", orders(3, prefix="N", status="In Transit"), folder="nobody_knows")
        root.drop(
            "XB.csv",
            sheet([("X1", "DLVD"), ("X2", "RTD"), ("X3", "OFD")]),
            folder="xpressbees",
        )
        self.before = datetime.now(UTC)
        self.ran: Ran = root.once()
        self.mixed: Delivered = root.of("mixed")


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Once]:
    place = tmp_path_factory.mktemp("once")
    with running(SandboxConfig()) as api, rooted(place, api.url, api.token) as root:
        yield Once(root, api)


def test_every_row_has_one_line_and_the_totals_add_up(once: Once) -> None:
    once.mixed.assert_sound(5)
    once.root.of("fine").assert_sound(45)
    assert once.mixed.counts == {"accepted": 2, "duplicate": 1, "ignored": 1, "rejected": 1}
    assert once.root.of("fine").counts == {"accepted": 45}


def test_exit_code_3_says_how_many_rows_need_a_person(once: Once) -> None:
    assert once.ran.code == 3
    assert "1 row to correct or look up" in once.ran.err
    assert "mixed.csv: 2 accepted, 1 duplicate, 1 ignored, 1 rejected" in once.ran.out


def test_results_have_the_columns_of_the_contract_in_its_order(once: Once) -> None:
    data = once.mixed.path("results.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.count(b"\r\n") == data.count(b"\n") == 6
    header = next(csv.reader(data.decode("utf-8-sig").splitlines()))
    assert header[: len(RESULT_COLUMNS)] == RESULT_COLUMNS


def test_a_results_line_says_what_was_sent_and_answered(once: Once) -> None:
    first, second, third, fourth, fifth = once.mixed.lines()
    assert first["order_id"] == "A1"
    assert first["awb"] == "AWB1"
    assert first["source_status"] == "Delivered"
    assert first["order_status"] == "delivery_done"
    assert first["http_status"] == "200"
    assert first["attempts"] == "1"
    assert once.before.isoformat()[:10] <= first["sent_at"][:10]
    assert first["drop_id"] == once.mixed.id
    assert first["source_file"] == "mixed.csv"
    assert second["order_status"] == "bag_picked"
    assert (third["codes"], third["attempts"]) == ("NO_MILESTONE:status", "0")
    assert fourth["row"] == "6", "the blank record counts as a spreadsheet would show it"
    assert fourth["codes"] == "STATUS_UNKNOWN:status"
    assert '"Deliverd"' in fourth["message"]
    assert 'Did you mean "Delivered"?' in fourth["message"]
    assert fifth["codes"] == "REPEATED_IN_FILE:order_id"


def test_rejects_hold_the_original_cells_and_why(once: Once) -> None:
    (line,) = once.mixed.lines("rejects.csv")
    assert list(line) == [
        "_reject_row",
        "_reject_codes",
        "_reject_message",
        "_reject_drop",
        "Order ID",
        "AWB",
        "Status",
    ]
    assert line["_reject_row"] == "6"
    assert line["_reject_drop"] == once.mixed.id
    assert (line["Order ID"], line["AWB"], line["Status"]) == ("A4", "AWB4", "Deliverd")
    assert once.mixed.path("rejects.xlsx").is_file()


def test_a_file_without_bad_rows_gets_no_rejects(once: Once) -> None:
    assert not list(once.root.outbox.rglob("fine__*rejects*"))


def test_the_summary_is_as_the_contract_has_it(once: Once) -> None:
    summary = once.mixed.summary
    assert summary["schema"] == 1
    assert summary["drop_id"][0].isalpha()
    assert summary["source_file"] == "mixed.csv"
    assert summary["size"] == len(MIXED)
    assert len(summary["sha256"]) == 64
    assert summary["courier"] == "generic"
    assert summary["state"] == "completed"
    assert summary["parent"] is summary["same_as"] is summary["refused"] is None
    assert summary["calls"] == {"sent": 1, "retried": 0}
    assert summary["skipped"] == {"blank": 1, "header": 0, "footer": 0}
    (error,) = summary["errors"]
    assert (error["code"], error["column"], error["count"]) == ("STATUS_UNKNOWN", "status", 1)
    assert error["example_row"] == 6
    for name in ("received_at", "started_at", "finished_at"):
        moment = datetime.fromisoformat(summary[name])
        assert moment.utcoffset().total_seconds() == 0
    assert set(summary["files"].values()) <= set(once.root.files("outbox"))
    assert {"results", "rejects", "rejects_xlsx", "summary"} <= set(summary["files"])


def test_the_sender_is_told_that_the_file_was_taken(once: Once) -> None:
    received = json.loads(once.mixed.path("received.json").read_bytes())
    assert received["drop_id"] == once.mixed.id
    assert received["sha256"] == once.mixed.summary["sha256"]


def test_the_file_lies_in_the_archive_under_its_day_and_drop(once: Once) -> None:
    day = once.mixed.summary["received_at"][:10].replace("-", "/")
    kept = once.root.path / "archive" / day / once.mixed.id / "mixed.csv"
    assert kept.read_text() == MIXED
    assert once.root.files("inbox") == once.root.files("work") == []


def test_no_temporary_name_stays_in_the_outbox(once: Once) -> None:
    assert not [p for p in once.root.outbox.rglob("*") if p.name.startswith(".")]


def test_a_courier_folder_picks_the_profile_and_is_mirrored(once: Once) -> None:
    found = once.root.of("XB")
    assert found.place == once.root.outbox / "xpressbees"
    assert found.summary["courier"] == "xpressbees"
    statuses = [(line["order_id"], line["order_status"]) for line in found.lines()]
    assert statuses == [("X1", "delivery_done"), ("X2", "rto_bag_delivered"), ("X3", "")]


def test_a_folder_that_is_no_courier_is_read_as_generic_with_a_warning(once: Once) -> None:
    found = once.root.of("scan")
    assert found.place == once.root.outbox / "nobody_knows"
    assert found.summary["courier"] == "generic"
    assert "COURIER_UNKNOWN" in {w["code"] for w in found.summary["warnings"]}


def test_the_api_got_each_status_once_in_calls_of_at_most_20(once: Once) -> None:
    stats = once.api.stats()
    assert stats["accepted"] == 2 + 45 + 2
    assert stats["max_items"] == 20
    assert stats["calls"] == 1 + 3 + 1
    assert stats["refused"] == stats["duplicates"] == 0
    assert once.api.orders("A1")["A1"]["state"] == "delivery_done"


class Twice:
    """Two runs: files that belong together, and then what repeats the first of them."""

    def __init__(self, root: Root, api: SandboxHandle) -> None:
        self.root = root
        self.api = api
        root.drop("one.csv", orders(3))
        root.drop("empty.csv", "Order ID,Status\n")
        root.drop("a.csv", sheet([("W1", "Delivered"), ("W1", "Picked Up"), ("W2", "Picked Up")]))
        root.drop("b.csv", sheet([("W2", "Delivered")]))
        assert root.once().code == 0
        self.calls = api.stats()["calls"]
        root.drop("again.csv", orders(3))
        root.drop("later.csv", sheet([("ORD000001", "Picked Up"), ("NEW", "Delivered")]))
        assert root.once().code == 0


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twice]:
    place = tmp_path_factory.mktemp("twice")
    with running(SandboxConfig()) as api, rooted(place, api.url, api.token) as root:
        yield Twice(root, api)


def test_the_same_bytes_again_are_duplicates_and_no_call(twice: Twice) -> None:
    again, later = twice.root.of("again"), twice.root.of("later")
    assert again.counts == {"duplicate": 3}
    assert again.summary["same_as"] == twice.root.of("one").id
    assert again.summary["calls"]["sent"] == 0
    assert [line["codes"] for line in again.lines()] == ["ALREADY_ACCEPTED:status"] * 3
    assert later.counts == {"duplicate": 1, "accepted": 1}
    assert later.lines()[0]["codes"] == "STALE:status"
    assert later.summary["same_as"] is None
    assert twice.api.stats()["calls"] == twice.calls + 1


def test_a_header_without_rows_is_fine_with_a_warning(twice: Twice) -> None:
    assert "NO_ROWS" in twice.root.of("empty").codes
    twice.root.of("empty").assert_sound(0)


def test_updates_of_one_order_go_out_in_flow_order_and_never_in_one_call(twice: Twice) -> None:
    histories = {key: order["history"] for key, order in twice.api.orders().items()}
    for key in ("W1", "W2"):
        statuses = [step["status"] for step in histories[key]]
        assert statuses == ["bag_picked", "delivery_done"]
    calls = twice.api.calls()
    assert all(len({order for order, _ in c["updates"]}) == len(c["updates"]) for c in calls)


def test_nothing_to_do_is_fine(root: Root, api: SandboxHandle) -> None:
    ran = root.once()
    assert (ran.code, ran.out) == (0, "")
    for folder in ("inbox", "outbox", "archive", "quarantine", "work", "state"):
        assert (root.path / folder).is_dir()
    assert api.stats()["calls"] == 0


def test_a_refused_file_is_quarantined_and_beats_exit_3(root: Root) -> None:
    root.drop("pins.csv", "Pincode,City\n400001,Mumbai\n400002,Mumbai\n")
    root.drop("bad.csv", sheet([("B1", "Delivered"), ("B2", "Wat")]))
    ran = root.once()
    assert ran.code == 4
    refused = root.of("pins")
    assert refused.summary["state"] == "refused"
    assert refused.summary["refused"]["code"] == "HEADER_NOT_FOUND"
    assert set(refused.summary["rows"].values()) == {0}
    text = refused.path("REFUSED.txt").read_text(encoding="utf-8-sig")
    assert "Pincode" in text
    assert "order id" in text.casefold()
    assert root.files("quarantine") == [f"{refused.id}/pins.csv"]
    assert not refused.path("results.csv").exists()
    assert root.of("bad").counts == {"accepted": 1, "rejected": 1}


def test_a_workbook_is_read_like_a_csv(root: Root, tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["Daily status"])
    book.active.append(["Order ID", "Status"])
    book.active.append(["17328629784861446350", "Delivered"])
    book.active.append([17328629784861446350, "Delivered"])
    book.save(tmp_path / "book.xlsx")
    root.drop("book.xlsx", (tmp_path / "book.xlsx").read_bytes())
    assert root.once().code == 3
    sound, damaged = root.of("book").lines()
    assert (sound["row"], sound["sheet"], sound["outcome"]) == ("3", "Sheet", "accepted")
    assert damaged["codes"] == "ID_DAMAGED:order_id"
