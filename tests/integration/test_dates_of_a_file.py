"""DATE_MIXED is a matter of the file: what a later sheet holds counts for an earlier one."""

from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import openpyxl
import pytest

from pipeline.service.check import check_files
from pipeline.service.settings import load
from pipeline.service.wiring import Site

pytestmark = pytest.mark.usefixtures("forked_readers")


@pytest.mark.parametrize(
    ("strict", "codes", "unsent"),
    [("false", [], 3), ("true", [("DATE_INVALID", 3)], 0)],
    ids=["a warning", "rows of a strict profile are rejected"],
)
def test_date_cells_and_typed_dates_in_different_sheets(
    tmp_path: Path, strict: str, codes: list[tuple[str, int]], unsent: int
) -> None:
    (tmp_path / "couriers").mkdir()
    (tmp_path / "couriers" / "s.toml").write_text(
        f'name = "s"\n[statuses]\ndelivery_done = ["Delivered"]\n[dates]\nstrict = {strict}\n'
    )
    book = openpyxl.Workbook()
    first, second = book.active, book.create_sheet("second")
    now = datetime.now()
    for page in (first, second):
        page.append(["Order ID", "Status", "EDD"])
    first.append(["AB10001", "Delivered", now])
    first.append(["AB10002", "Delivered", now])
    second.append(["AB10003", "Delivered", now.strftime("%d-%m-%Y")])
    file = tmp_path / "two.xlsx"
    book.save(file)
    with closing(Site(tmp_path, load(tmp_path))) as site:
        (checked,) = check_files(site, [file], courier="s", out=None)
    told = checked.summary
    assert [(each["code"], each["count"]) for each in told["errors"]] == codes
    (mixed,) = [each for each in told["warnings"] if each["code"] == "DATE_MIXED"]
    assert (mixed["count"], mixed["example_row"]) == (2, 2)
    assert told["rows"]["unsent"] == unsent


def _dates(*, swapped: bool) -> list[object]:
    """Return the EDDs of a column: two typed ones past the 12th, and three date cells near them."""
    days = [datetime.now().replace(hour=0, minute=0, second=0) + timedelta(n) for n in range(45)]
    typed = [each.strftime("%d/%m/%Y") for each in days if each.day > 12][:2]
    true = [each for each in days if each.day <= 12 and each.day != each.month][:3]
    cells = [each.replace(month=each.day, day=each.month) for each in true] if swapped else true
    return [*typed, *cells]


@pytest.mark.parametrize("swapped", [True, False])
def test_date_cells_with_day_and_month_exchanged_are_left_out(
    tmp_path: Path, *, swapped: bool
) -> None:
    """A spreadsheet that reads month first leaves 28/11/2026 a text and makes 10/12 October."""
    book = openpyxl.Workbook()
    page = book.active
    page.append(["Order ID", "AWB No", "Status", "EDD"])
    for at, date in enumerate(_dates(swapped=swapped)):
        page.append([f"FYA100{at}", f"77010{at}", "Picked Up", date])
    book.save(tmp_path / "day.xlsx")
    with closing(Site(tmp_path, load(tmp_path))) as site:
        (checked,) = check_files(site, [tmp_path / "day.xlsx"], courier="", out=None)
    told = checked.summary
    assert told["rows"]["unsent"] == 5
    dropped = [each["count"] for each in told["warnings"] if each["code"] == "DATE_DROPPED"]
    assert dropped == ([3] if swapped else [])
