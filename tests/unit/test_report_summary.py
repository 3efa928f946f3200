"""summary.json and received.json against the outside contract."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from pipeline.core.model import Drop, DropState, Notice, group_notices
from pipeline.core.summary import json_text
from pipeline.inbox.claim import received_json
from pipeline.reporting.summary_json import summary_object, with_changed_file
from schemas.codes import ERRORS, INFORMATION, Code
from schemas.vocabulary import Outcome

DROP = Drop(
    seq=1,
    drop_id="d1",
    folder="delhivery",
    source_file="a.csv",
    state=DropState.COMPLETED,
    received_at=datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC),
    size=12,
    sha256="ab",
    courier="delhivery",
    started_at=datetime(2026, 1, 2, 8, 34, 6, tzinfo=timezone(timedelta(hours=5, minutes=30))),
)


def told(**facts: Any) -> dict[str, Any]:
    return summary_object(**{"drop": DROP, **facts})


def test_keys_and_order_are_the_contracts_with_ours_after_them() -> None:
    keys = list(told(more={"courier_why": "folder", "rows": "never"}))
    assert keys == [
        *("schema", "drop_id", "source_file", "sha256", "size", "courier", "state", "parent"),
        *("same_as", "rows", "calls", "errors", "warnings", "skipped", "corrections", "refused"),
        *("received_at", "started_at", "finished_at", "files"),
        *("notices", "continues", "courier_why"),
    ]


def test_a_file_that_was_written_to_or_comes_back_says_so() -> None:
    changed = told(drop=DROP.noting(changed=True))
    assert [each["code"] for each in changed["warnings"]] == ["FILE_CHANGED"]
    later = with_changed_file(told())
    assert later == changed == with_changed_file(later)
    back = told(drop=DROP.noting(continues="d0"))
    assert back["continues"] == "d0"
    (warning,) = back["warnings"]
    assert warning["code"] == "FILE_CONTINUED"
    assert "drop d0" in warning["message"]


def test_rows_are_the_seven_outcomes_and_their_sum() -> None:
    rows = told(counts={Outcome.ACCEPTED: 3, Outcome.UNSENT: 2})["rows"]
    assert list(rows) == ["total", *(outcome.value for outcome in Outcome)]
    assert (rows["total"], rows["accepted"], rows["unsent"], rows["failed"]) == (5, 3, 2, 0)


def test_a_refused_file_has_zeros_and_a_reason() -> None:
    summary = told(
        drop=replace(DROP, state=DropState.REFUSED),
        counts={Outcome.REJECTED: 2},
        refused=Notice(code=Code.TOO_MANY_REJECTS, message="Too many."),
    )
    assert set(summary["rows"].values()) == {0}
    assert summary["refused"] == {"code": "TOO_MANY_REJECTS", "message": "Too many."}


def test_times_are_utc_with_milliseconds() -> None:
    summary = told()
    assert summary["received_at"] == "2026-01-02T03:04:05.678Z"
    assert summary["started_at"] == "2026-01-02T03:04:06.000Z"
    assert summary["finished_at"] is None


def test_a_time_without_a_zone_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="zone"):
        told(drop=replace(DROP, finished_at=datetime(2026, 1, 2)))


@pytest.mark.parametrize("state", [DropState.CLAIMING, DropState.CLAIMED])
def test_a_drop_that_is_not_planned_has_no_summary(state: DropState) -> None:
    with pytest.raises(ValueError, match="no summary"):
        told(drop=replace(DROP, state=state))


def test_remarks_are_split_by_what_a_person_must_do() -> None:
    summary = told(
        notices=(
            Notice(code=Code.NO_MILESTONE, message="n", count=90, column="status"),
            Notice(code=Code.ID_MISSING, message="Row 3: no id.", column="order_id", example_row=3),
            Notice(code=Code.DATE_DROPPED, message="w", count=2),
        )
    )
    assert summary["errors"] == [
        {
            "code": "ID_MISSING",
            "column": "order_id",
            "count": 1,
            "example_row": 3,
            "message": "Row 3: no id.",
        }
    ]
    assert [each["code"] for each in summary["warnings"]] == ["DATE_DROPPED"]
    assert [each["code"] for each in summary["notices"]] == ["NO_MILESTONE"]


def test_alike_remarks_of_many_blocks_become_one() -> None:
    def unknown(count: int, row: int) -> Notice:
        return Notice(
            code=Code.STATUS_UNKNOWN,
            column="status",
            message=f"Row {row}",
            count=count,
            example_row=row,
        )

    missing = Notice(code=Code.ID_MISSING, column="order_id", message="Row 1", example_row=1)
    assert group_notices([missing, unknown(2, 7), unknown(5, 60_000)]) == (unknown(7, 7), missing)


def test_remarks_about_the_file_are_not_merged_into_each_other() -> None:
    hidden = [Notice(code=Code.HIDDEN_SHEET, message=f"Sheet {name}") for name in "ABA"]
    assert [(each.message, each.count) for each in group_notices(hidden)] == [
        ("Sheet A", 2),
        ("Sheet B", 1),
    ]


def test_a_corrected_file_says_how_much_was_mended() -> None:
    assert told(corrections=(4, 3))["corrections"] == {"rows": 4, "fixed": 3}
    assert told()["corrections"] is None


def test_the_bytes_are_indented_json_with_a_final_newline() -> None:
    data = json_text(told(files={"results": "a__d1.results.csv"}))
    assert data.startswith(b'{\n  "schema": 1,\n  "drop_id": "d1",')
    assert data.endswith(b"\n}\n")
    assert orjson.loads(data)["files"] == {"results": "a__d1.results.csv"}


def test_a_file_name_that_is_no_utf8_does_not_stop_the_summary() -> None:
    drop = replace(DROP, source_file=b"\xe9.csv".decode("utf-8", "surrogateescape"))
    assert orjson.loads(json_text(told(drop=drop)))["source_file"] == "\ufffd.csv"
    assert orjson.loads(received_json(drop))["source_file"] == "\ufffd.csv"


def test_the_receipt_says_what_was_received() -> None:
    assert orjson.loads(received_json(replace(DROP, sha256=""))) == {
        "schema": 1,
        "drop_id": "d1",
        "source_file": "a.csv",
        "folder": "delhivery",
        "size": 12,
        "sha256": None,
        "received_at": "2026-01-02T03:04:05.678Z",
    }


def test_no_code_is_both_an_error_and_information() -> None:
    assert not ERRORS & INFORMATION
