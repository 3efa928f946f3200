"""REFUSED.txt: the reason first, what to do second, nothing a terminal would obey."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipeline.core.errors import DropRefused
from pipeline.core.model import Drop, DropState, Notice
from pipeline.reporting.write import refusal_text
from schemas.codes import Code


def text(
    source_file: str = "a.csv",
    code: Code = Code.HEADER_NOT_FOUND,
    message: str = "No row of this file has the columns Order Id and Status.",
    hint: str = "Add them.",
    **more: Any,
) -> str:
    drop = Drop(
        seq=1,
        drop_id="d1",
        folder="",
        source_file=source_file,
        state=DropState.REFUSED,
        received_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    refusal = DropRefused(code, message, hint=hint)
    return refusal_text(drop, refusal, ZoneInfo("Asia/Kolkata"), **more).decode()


def test_the_reason_comes_first_and_what_to_do_second() -> None:
    lines = text().split("\r\n")
    assert lines[0] == "No row of this file has the columns Order Id and Status."
    assert lines[2] == "What to do: Add them."
    assert "File:      a.csv" in lines
    assert "Received:  2026-01-02 08:34:05 IST" in lines
    assert "Code:      HEADER_NOT_FOUND" in lines
    assert "Drop:      d1" in lines


def test_lines_end_as_windows_wants_them() -> None:
    assert "\n" not in text().replace("\r\n", "")
    assert text().endswith("\r\n")


def test_the_reason_is_one_line() -> None:
    assert text(message="first\nsecond").split("\r\n")[0] == "first second"


def test_without_a_hint_there_is_still_something_to_do() -> None:
    assert "What to do: Correct the file and send it again." in text(hint="")


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x07", "\r", "\u202e", "\u2028", "\x9b"])
def test_control_and_direction_characters_are_escaped(evil: str) -> None:
    shown = text(source_file=f"a{evil}b.csv").replace("\r\n", "")
    assert evil not in shown
    assert evil.encode("unicode_escape").decode() in shown


def test_a_hindi_name_is_shown_as_it_is() -> None:
    assert "डिलीवरी.csv" in text(source_file="डिलीवरी.csv")


def test_a_name_that_is_no_utf8_does_not_stop_the_refusal() -> None:
    assert "\ufffd.csv" in text(source_file=b"\xe9.csv".decode("utf-8", "surrogateescape"))


def test_only_a_failure_on_the_way_may_have_sent_something() -> None:
    assert "Nothing of this file was sent." in text()
    assert "Nothing of this file was sent." not in text(code=Code.PROCESSING_FAILED)


def test_faults_and_the_file_with_the_rows_to_correct_are_named() -> None:
    damaged = Notice(code=Code.ID_DAMAGED, message="Row 2 is wrong.", count=18, example_row=2)
    lines = text(rejects="a__d1.rejects.xlsx", faults=[damaged]).split("\r\n")
    assert "  18 rows: ID_DAMAGED. Row 2 is wrong." in lines
    assert "Rejects:   a__d1.rejects.xlsx" in lines
    assert "Rejects:" not in text()
