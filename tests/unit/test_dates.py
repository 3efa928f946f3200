"""Hazards D: dates. Each test is named after the line it proves."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.date_columns import UNREADABLE, read_date, read_times
from pipeline.core.model import Block, Disposition
from pipeline.validation.columns import map_columns
from pipeline.validation.sheet_dates import DateKinds
from schemas.courier import DateRule
from schemas.profile import builtin_profiles, load_profile
from schemas.vocabulary import CellKind, Role
from tests.fakes.courier_sheet import NOW, sheet

INDIA = ZoneInfo("Asia/Kolkata")
DAY_FIRST = DateRule()
MONTH_FIRST = DateRule(day_first=False)


def at(cell: str, rule: DateRule = DAY_FIRST, zone: ZoneInfo = INDIA) -> str | None:
    """The instant in ``zone`` as ISO text; "bad", or None when absent."""
    times = read_times(pa.array([cell]), None, rule, zone)
    if times.ms[0] == UNREADABLE:
        return "bad"
    if not times.read[0]:
        return None
    return datetime.fromtimestamp(times.ms[0] / 1000, zone).strftime("%Y-%m-%dT%H:%M:%S")


def event(cell: str, courier: str = "generic") -> dict[str, object]:
    """A delivered row whose event time is ``cell``."""
    headers = ["Order ID", "Status", "Status Date"]
    return sheet(headers, ["A1", "Delivered", cell], courier=courier).one


def edd(cell: str, courier: str = "generic", kind: CellKind | None = None) -> dict[str, object]:
    """A delivered row whose estimated delivery date is ``cell``."""
    kinds = None if kind is None else {2: [kind]}
    return sheet(
        ["Order ID", "Status", "EDD"], ["A1", "Delivered", cell], courier=courier, kinds=kinds
    ).one


def test_the_profile_says_day_first_or_month_first() -> None:
    assert at("03/04/2026") == "2026-04-03T00:00:00"
    assert at("03/04/2026", MONTH_FIRST) == "2026-03-04T00:00:00"
    assert at("3-4-2026", MONTH_FIRST) == "2026-03-04T00:00:00"


@pytest.mark.parametrize("cell", ["06/26/2026", "31/06/2026", "29-02-2026", "00/01/2026"])
def test_a_day_impossible_under_the_profile_is_damaged(cell: str) -> None:
    assert at(cell) == "bad"
    row = event(cell)
    assert row["codes"] == "DATE_INVALID:event_time"
    assert row["disposition"] == Disposition.REJECTED
    assert '"' + cell + '"' in str(row["message"])


def test_one_impossible_day_does_not_spoil_its_neighbours() -> None:
    cells = pa.array(["26-06-2026", "31-06-2026", "2026-06-26"])
    times = read_times(cells, None, DAY_FIRST, INDIA)
    assert times.ms[0] == times.ms[2]
    assert times.ms[1] == UNREADABLE


def test_a_damaged_delivery_date_is_left_out_with_a_warning() -> None:
    row = edd("31/06/2026")
    assert row["codes"] == "DATE_DROPPED:estimated_delivery_date"
    assert row["item"] == '{"orderId":"A1","orderStatus":"delivery_done"}'


def test_a_damaged_delivery_date_of_an_ignored_row_is_no_warning() -> None:
    rows = [["A1", "NDR", "nope"], ["A2", "Delivered", "nope"]]
    done = sheet(["Order ID", "Status", "EDD"], *rows)
    assert done.rows[0]["codes"] == "NO_MILESTONE:status"
    dropped = [notice for notice in done.notices if notice.code == "DATE_DROPPED"]
    assert [(notice.count, notice.example_row) for notice in dropped] == [(1, 3)]


def test_mixed_date_cells_and_text_dates_are_a_warning_of_the_column() -> None:
    rows = [["A1", "Delivered", "2026-06-12T00:00:00"], ["A2", "Delivered", "26/06/2026"]]
    kinds = {2: [CellKind.DATE, CellKind.TEXT]}
    done = sheet(["Order ID", "Status", "EDD"], *rows, kinds=kinds)
    (notice,) = done.notices
    assert (notice.code, notice.column) == ("DATE_MIXED", "estimated_delivery_date")
    assert notice.example_row == 2
    assert [row["disposition"] for row in done.rows] == [Disposition.SEND] * 2


def test_mixed_dates_reject_the_rows_of_a_strict_profile() -> None:
    profile = load_profile(
        'name="s"\n[statuses]\ndelivery_done=["Delivered"]\n[dates]\nstrict=true\n', origin="s.toml"
    )
    rows = [
        ["A1", "Delivered", "2026-06-12T00:00:00"],
        ["A2", "Delivered", "26/06/2026"],
        ["A3", "Delivered", ""],
    ]
    kinds = {2: [CellKind.DATE, CellKind.TEXT, CellKind.TEXT]}
    done = sheet(["Order ID", "Status", "EDD"], *rows, kinds=kinds, courier=profile).rows
    assert [row["codes"] for row in done] == ["DATE_INVALID:estimated_delivery_date"] * 2 + [""]


def test_a_file_whose_kinds_of_dates_lie_in_different_blocks_is_mixed() -> None:
    mapping = map_columns(["Order ID", "Status", "EDD"], builtin_profiles()["generic"])

    def block(cell: str, kind: CellKind, row: int) -> Block:
        return Block(
            rows=np.array([row], dtype=np.int32),
            cells=tuple(pa.array([each]) for each in ("A1", "Delivered", cell)),
            kinds={2: np.array([kind], dtype=np.int8)},
        )

    dates = DateKinds()
    dates.see(block("2026-06-12T00:00:00", CellKind.DATE, 2), mapping)
    assert dates.notices() == ()
    dates.see(block("26/06/2026", CellKind.TEXT, 50_002), mapping)
    (notice,) = dates.notices()
    assert (notice.code, notice.count, notice.example_row) == ("DATE_MIXED", 1, 2)
    assert dates.mixed() == {Role.ESTIMATED}


def test_a_column_of_date_cells_alone_is_not_mixed() -> None:
    row = edd("2026-06-12T00:00:00", kind=CellKind.DATE)
    assert row["codes"] == ""
    assert '"estimated_delivery_date":"2026-06-12"' in str(row["item"])


def test_serials_count_only_in_a_column_declared_so() -> None:
    serial = DateRule(read_as="serial")
    assert at("46199") == "bad"
    assert at("46199", serial) == "2026-06-26T00:00:00"
    assert at("46199.5", serial) == "2026-06-26T12:00:00"
    assert at("1", serial) == "1900-01-01T00:00:00"
    assert at("61", serial) == "1900-03-01T00:00:00"
    assert at("26/06/2026", serial) == "2026-06-26T00:00:00"


@pytest.mark.parametrize("cell", ["60", "60.5", "0", "2958466", "99999999", "-5"])
def test_serials_that_are_no_day(cell: str) -> None:
    assert at(cell, DateRule(read_as="serial")) == "bad"


def test_epochs_count_only_in_a_column_declared_so() -> None:
    assert at("1782451800") == "bad"
    assert at("1782451800000") == "bad"
    assert at("1782451800", DateRule(read_as="epoch_seconds")) == "2026-06-26T11:00:00"
    assert at("1782451800000", DateRule(read_as="epoch_millis")) == "2026-06-26T11:00:00"
    assert at("1782451800000", DateRule(read_as="epoch_seconds")) == "bad"
    assert at("1782451800", DateRule(read_as="epoch_millis")) == "bad"
    assert at("1782451800", DateRule(read_as="epoch")) == "2026-06-26T11:00:00"
    assert at("1782451800000", DateRule(read_as="epoch")) == "2026-06-26T11:00:00"
    assert at("0", DateRule(read_as="epoch")) is None


def test_eight_digits_exactly() -> None:
    assert at("26062026") == "2026-06-26T00:00:00"
    assert at("06262026", MONTH_FIRST) == "2026-06-26T00:00:00"
    assert at("20260626") == "2026-06-26T00:00:00"
    assert at("20112012") == "2012-11-20T00:00:00"
    assert at("5062026") == "bad"
    assert at("260620261") == "bad"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("26/06/2026 11:43:52 PM", "2026-06-26T23:43:52"),
        ("26/06/2026 11:43:52 am", "2026-06-26T11:43:52"),
        ("26/06/2026 12:05 AM", "2026-06-26T00:05:00"),
        ("26/06/2026 12:05 p.m.", "2026-06-26T12:05:00"),
        ("26/06/2026 23:43:52", "2026-06-26T23:43:52"),
        ("26/06/2026 13:43 PM", "bad"),
        ("26/06/2026 24:00", "bad"),
        ("26/06/2026 11:60", "bad"),
    ],
)
def test_am_and_pm_decide_the_clock(cell: str, expected: str) -> None:
    assert at(cell) == expected


def test_no_zone_is_the_profiles_zone_and_an_offset_is_converted() -> None:
    assert at("2026-06-26T20:00:00Z") == "2026-06-27T01:30:00"
    assert at("2026-06-26T20:00:00+00:00") == "2026-06-27T01:30:00"
    assert at("2026-06-26 20:00:00-0530") == "2026-06-27T07:00:00"
    assert at("2026-06-26 20:00 IST") == "2026-06-26T20:00:00"
    assert at("2026-06-26T20:00:00", zone=ZoneInfo("UTC")) == "2026-06-26T20:00:00"
    assert '"estimated_delivery_date":"2026-06-27"' in str(edd("2026-06-26T20:00:00Z")["item"])


def test_event_time_is_utc_milliseconds() -> None:
    assert event("2026-06-26T05:30:00")["event_ms"] == 1782432000000
    assert event("")["event_ms"] is None


def test_a_time_that_a_clock_change_skips_or_repeats_does_not_fail() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert at("2026-03-29 02:30:00", zone=berlin) is not None
    assert at("2026-10-25 02:30:00", zone=berlin) == "2026-10-25T02:30:00"


@pytest.mark.parametrize(
    "cell",
    [
        "N/A",
        "-",
        "'",
        "0000-00-00",
        "0000-00-00 00:00:00",
        "1900-01-00",
        "01-01-1970",
        "1970-01-01T00:00:00Z",
        "########",
        "00:00:00",
        "",
        "null",
        "NaT",
        "00/00/0000",
    ],
)
def test_absent_dates(cell: str) -> None:
    assert at(cell) is None
    assert event(cell)["codes"] == ""
    assert edd(cell)["codes"] == ""
    assert event(cell)["event_ms"] is None


def test_an_error_cell_is_absent() -> None:
    assert edd("#VALUE!", kind=CellKind.ERROR)["codes"] == ""


@pytest.mark.parametrize(("days", "codes"), [(-179, ""), (-181, "DATE_RANGE:event_time")])
def test_event_times_further_than_180_days_are_rejected(days: int, codes: str) -> None:
    assert event((NOW + timedelta(days=days)).isoformat())["codes"] == codes


@pytest.mark.parametrize(("hours", "codes"), [(23, ""), (25, "TIME_FUTURE:event_time")])
def test_event_times_more_than_24_hours_ahead_are_rejected(hours: int, codes: str) -> None:
    assert event((NOW + timedelta(hours=hours)).isoformat())["codes"] == codes


@pytest.mark.parametrize("days", [-181, 181])
def test_delivery_dates_further_than_180_days_are_left_out(days: int) -> None:
    row = edd((NOW + timedelta(days=days)).isoformat())
    assert row["codes"] == "DATE_DROPPED:estimated_delivery_date"
    assert "meta" not in str(row["item"])
    assert row["disposition"] == Disposition.SEND


@pytest.mark.parametrize(
    "cell",
    [
        "26th Jun 2026",
        "26-Jun-2026",
        "26 June 2026",
        "26-Jun-26",
        "26Jun2026",
        "June 26, 2026",
        "Jun 26th 2026",
        "Fri, 26 Jun 2026",
        "26.06.2026",
        "2026/06/26",
    ],
)
def test_month_names_come_from_an_english_table(cell: str) -> None:
    assert at(cell) == "2026-06-26T00:00:00"


def test_sept_is_september_and_other_words_are_no_month() -> None:
    assert at("5 Sept 2026") == "2026-09-05T00:00:00"
    assert at("5 Septembre 2026") == "bad"
    assert at("5 juin 2026") == "bad"


@pytest.mark.parametrize(
    ("courier", "cell", "expected"),
    [
        ("delhivery", "2026-06-26T10:00:00", "2026-06-26T10:00:00"),
        ("delhivery", "26-06-2026", "2026-06-26T00:00:00"),
        ("xpressbees", "26-06-2026T1432", "2026-06-26T14:32:00"),
        ("bluedart", "26-Jun-2026", "2026-06-26T00:00:00"),
        ("bluedart", "07-Jun-26", "2026-06-07T00:00:00"),
        ("bluedart", "26 June 2026", "2026-06-26T00:00:00"),
        ("dtdc", "26062026", "2026-06-26T00:00:00"),
        ("ecomexpress", "2026-06-21 13:17:42", "2026-06-21T13:17:42"),
        ("ecomexpress", "24-Jun-2026", "2026-06-24T00:00:00"),
        ("ecomexpress", "26 Jun, 2026, 14:32", "2026-06-26T14:32:00"),
        ("shadowfax", "2026-06-26T08:58:57Z", "2026-06-26T14:28:57"),
        ("shadowfax", "2026-05-18 16:22:13", "2026-05-18T16:22:13"),
        ("ekart", "1782451800000", "2026-06-26T11:00:00"),
        ("increff", "1782451800", "2026-06-26T11:00:00"),
        ("shiprocket", "23 05 2026 11:43:52", "2026-05-23T11:43:52"),
        ("shiprocket", "2026-05-19 11:59:16", "2026-05-19T11:59:16"),
        ("shiprocket", "6/26/2026", "2026-06-26T00:00:00"),
        ("unicommerce", "Jun 8, 2026 7:12:31 PM", "2026-06-08T19:12:31"),
        ("unicommerce", "2026-06-18 00:14:39", "2026-06-18T00:14:39"),
    ],
)
def test_each_couriers_own_way_of_writing(courier: str, cell: str, expected: str) -> None:
    headers = ["Order ID", "Status", "Status Date", "Status Type", "Return Type"]
    row = sheet(headers, ["A1", "Delivered", cell, "DL", ""], courier=courier).one
    local = datetime.fromtimestamp(row["event_ms"] / 1000, INDIA)
    assert local.strftime("%Y-%m-%dT%H:%M:%S") == expected


def test_xpressbees_writes_only_its_expected_date_month_first() -> None:
    assert '"2026-07-03"' in str(edd("07/03/2026 11:00:00 PM", "xpressbees")["item"])
    assert event("03-07-2026", "xpressbees")["codes"] != ""
    assert event("03-06-2026", "xpressbees")["codes"] == ""


def test_dtdc_completes_its_date_with_a_time_that_lost_its_zeros() -> None:
    headers = ["Order ID", "Status", "Status Date", "Status Time"]
    row = sheet(headers, ["A1", "DLV", "26062026", "930"], courier="dtdc").one
    local = datetime.fromtimestamp(row["event_ms"] / 1000, INDIA)
    assert local.strftime("%Y-%m-%dT%H:%M") == "2026-06-26T09:30"
    lost = sheet(headers, ["A1", "DLV", "5062026", "930"], courier="dtdc").one
    assert lost["codes"] == "DATE_INVALID:event_time"


def test_a_very_long_cell_is_no_date() -> None:
    assert at("26/06/2026" + " " * 20_000 + "x") == "bad"


def test_the_date_is_written_as_the_profile_says() -> None:
    profile = load_profile(
        'name="s"\n[statuses]\ndelivery_done=["Delivered"]\n[dates]\noutput="%d-%m-%Y"\n',
        origin="s.toml",
    )
    row = sheet(["Order ID", "Status", "PDD"], ["A1", "Delivered", "2026-06-26"], courier=profile)
    assert row.update["meta"] == {"promised_delivery_date": "26-06-2026"}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("20261127101500", "2026-11-27T10:15:00"),
        ("27-11-2026 10:15 hrs", "2026-11-27T10:15:00"),
        ("27-11-2026 10:15:07 Hrs.", "2026-11-27T10:15:07"),
        ("27-11-2026 1015 hrs", "2026-11-27T10:15:00"),
        ("Fri Nov 27 2026 21:24:25 GMT+0530 (India Standard Time)", "2026-11-27T21:24:25+05:30"),
        ("Fri Nov 27 21:24:25 IST 2026", "2026-11-27T21:24:25+05:30"),
        ("2026-11-27T21:24:25+05:30[Asia/Kolkata]", "2026-11-27T21:24:25+05:30"),
        ("2026-11-27 21:24:25 +0530 IST", "2026-11-27T21:24:25+05:30"),
        ("2026-11-27 21:24:25 +0000 UTC", "2026-11-27T21:24:25+00:00"),
        ("27-Nov-26 09.24.25.000000 PM", "2026-11-27T21:24:25"),
        ("27-11-2026 21:24:25:000", "2026-11-27T21:24:25"),
        ("27/11/2026 21.24", "2026-11-27T21:24:00"),
        ("27/11/2026 - 21:24", "2026-11-27T21:24:00"),
        ("27 November 2026 at 09:24 PM", "2026-11-27T21:24:00"),
        ("21:24 27-11-2026", "2026-11-27T21:24:00"),
        ("09:24 PM, 27 Nov 2026", "2026-11-27T21:24:00"),
        ("27Nov2026:21:24:25", "2026-11-27T21:24:25"),
    ],
)
def test_shapes_that_couriers_and_their_programs_write(text: str, read: str) -> None:
    at = read_date(text, DateRule()).at
    assert at is not None
    assert at.isoformat() == read


@pytest.mark.parametrize(
    "text",
    [
        *("27 Nov, 09:24 PM", "27-Nov", "20261399101500", "12345678901234", "20261127256100"),
        *("2026-11-27 21:24 +0530 UTC", "27-11-2026 25:00 hrs", "27-11-2026 10:15.07"),
    ],
)
def test_shapes_that_leave_the_instant_open_are_no_dates(text: str) -> None:
    reading = read_date(text, DateRule())
    assert reading.at is None
    assert not reading.absent
