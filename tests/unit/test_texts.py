"""Hazards C: reason, remark, location."""

import json

import pyarrow as pa
import pytest

from pipeline.core.free_text import joined, json_member, tidied
from pipeline.core.model import Disposition
from schemas.display import quoted
from schemas.profile import load_profile
from schemas.vocabulary import CellKind
from tests.fakes.courier_sheet import Prepared, sheet


def with_meta(kinds: CellKind | None = None, **cells: str) -> Prepared:
    headers = ["Order ID", "Status", *(name.replace("_", " ") for name in cells)]
    return sheet(
        headers,
        ["A1", "Delivered", *cells.values()],
        kinds=None if kinds is None else {2: [kinds]},
    )


@pytest.mark.parametrize("cell", ["0", "7", "146", "999999", " 12 "])
def test_a_plain_integer_is_the_reason_code(cell: str) -> None:
    done = with_meta(Reason_Code=cell)
    assert done.update["meta"] == {"reasonCode": int(cell)}
    assert done.one["codes"] == ""


@pytest.mark.parametrize(
    "cell", ["EOD-6", "006", "12.0", "1e3", "1000000", "-1", "٣", "1,000", "true"]
)
def test_another_reason_is_kept_in_the_remark(cell: str) -> None:
    done = with_meta(Reason_Code=cell)
    assert done.update["meta"] == {"remark": cell}
    assert done.one["codes"] == "REASON_NOT_NUMERIC:reason_code"
    assert done.one["disposition"] == Disposition.SEND


def test_the_reason_stands_before_the_remark_and_not_twice() -> None:
    both = with_meta(Reason_Code="EOD-6", Remarks="door locked")
    assert both.update["meta"] == {"remark": "EOD-6: door locked"}
    same = with_meta(Reason_Code="EOD-6", Remarks="EOD-6")
    assert same.update["meta"] == {"remark": "EOD-6"}


def test_the_reason_survives_the_cap() -> None:
    done = with_meta(Reason_Code="EOD-6", Remarks="x" * 600)
    assert done.update["meta"]["remark"] == ("EOD-6: " + "x" * 600)[:500]
    assert done.one["codes"] == "REASON_NOT_NUMERIC:reason_code;TEXT_CUT:remark"


@pytest.mark.parametrize("cell", ["", "-", "N/A", "null"])
def test_an_absent_reason_is_no_warning(cell: str) -> None:
    done = with_meta(Reason_Code=cell)
    assert done.one["codes"] == ""
    assert "meta" not in done.update


def test_a_table_gives_reasons_a_number() -> None:
    text = 'name="a"\n[statuses]\ndelivery_done=["Delivered"]\n[reasons]\n"EOD-146" = 146\n'
    profile = load_profile(text, origin="a.toml")
    row = ["A1", "Delivered", "EOD- 146"]
    done = sheet(["Order ID", "Status", "Reason Code"], row, courier=profile)
    assert done.update["meta"] == {"reasonCode": 146}


def test_no_reason_warning_for_a_row_that_is_ignored() -> None:
    row = sheet(["Order ID", "Status", "Reason Code"], ["A1", "NDR", "EOD-6"]).one
    assert row["codes"] == "NO_MILESTONE:status"


@pytest.mark.parametrize(
    ("cell", "remark"),
    [
        ("line one\nline two", "line one line two"),
        ("one\r\n\r\ntwo", "one two"),
        ("one\u2028two", "one two"),
        ("a\x07b\x1b[31mc", "ab[31mc"),
        ("abc\u202edef\u2066", "abcdef"),
        ("  both ends \t", "both ends"),
        ("घर बंद 🏠 👨\u200d👩\u200d👧", "घर बंद 🏠 👨\u200d👩\u200d👧"),
        ("<script>alert('x')</script> \" \\ ; DROP", "<script>alert('x')</script> \" \\ ; DROP"),
        ("=1+1", "=1+1"),
        ("'quoted", "'quoted"),
        ("\ufffd kept", "\ufffd kept"),
    ],
)
def test_remarks_are_tidied_and_otherwise_data_like_any_other(cell: str, remark: str) -> None:
    done = with_meta(Remarks=cell)
    assert done.update["meta"] == {"remark": remark}
    assert done.one["codes"] == ""
    done.one["item"].encode("utf-8")


@pytest.mark.parametrize("cell", ["", "   ", "\n", "\u200b", "\x00"[:0]])
def test_an_empty_remark_is_left_out(cell: str) -> None:
    assert with_meta(Remarks=cell).update == {"orderId": "A1", "orderStatus": "delivery_done"}


def test_a_long_remark_is_cut_on_a_code_point_and_warned_of() -> None:
    done = with_meta(Remarks="🏠" * 32_767)
    assert done.update["meta"]["remark"] == "🏠" * 500
    assert done.one["codes"] == "TEXT_CUT:remark"
    exact = with_meta(Remarks="x" * 500)
    assert exact.one["codes"] == ""


def test_a_long_text_of_unwanted_characters_keeps_its_end() -> None:
    assert tidied("\x07" * 30_000 + "end", limit=500) == "end"


def test_the_cap_holds_for_locations_too() -> None:
    done = with_meta(Location="x" * 499 + " y")
    assert done.update["meta"] == {"dpLocation": "x" * 499}
    assert done.one["codes"] == "TEXT_CUT:location"


@pytest.mark.parametrize(
    "remark", ["x" * 490 + " " * 600, "x" * 500 + "\u200b", "\x07" * 3_000 + "x"]
)
def test_what_tidying_takes_away_does_not_count(remark: str) -> None:
    assert with_meta(Remarks=remark).one["codes"] == ""


def test_a_reason_in_words_and_a_remark_count_together() -> None:
    done = with_meta(Reason_Code="EOD-6", Remarks="x" * 494)
    assert done.one["codes"] == "REASON_NOT_NUMERIC:reason_code;TEXT_CUT:remark"
    assert with_meta(Reason_Code="EOD-6", Remarks="x" * 493).one["codes"] == (
        "REASON_NOT_NUMERIC:reason_code"
    )


def test_an_error_cell_is_empty() -> None:
    assert "meta" not in with_meta(CellKind.ERROR, Remarks="#REF!").update


def test_lone_surrogates_are_taken_out() -> None:
    assert tidied("a\ud83db", limit=10) == "ab"


def test_members_read_back_tidied_and_there_is_none_of_an_empty_cell() -> None:
    cells = ['a"b', "a\\b", "नमस्ते", "", "a\u007fb"]
    members = json_member("remark", pa.array(cells), limit=500).to_pylist()
    read = [json.loads(f"{{{member}}}")["remark"] if member else "" for member in members]
    assert read == [*cells[:-1], "ab"]
    assert json_member("reasonCode", pa.array(["7", ""]), limit=500, quoted=False).to_pylist() == [
        '"reasonCode":7',
        None,
    ]


def test_joined_keeps_rows_in_which_everything_is_null() -> None:
    one = pa.array(["a", None, None, "d"])
    two = pa.array(["b", None, "c", None])
    assert joined([one, two], ";").to_pylist() == ["a;b", "", "c", "d"]
    assert joined([one], ";").to_pylist() == ["a", "", "", "d"]


def test_shown_values_are_escaped_and_cut() -> None:
    assert quoted("a\x1b[31mb\n") == '"a\\x1b[31mb\\n"'
    assert quoted("\u202eabc") == '"\\u202eabc"'
    assert quoted("x" * 100) == '"' + "x" * 59 + '…"'
    assert quoted("घर") == '"घर"'
