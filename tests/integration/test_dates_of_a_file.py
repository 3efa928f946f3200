"""DATE_MIXED is a matter of the file: what a later sheet holds counts for an earlier one."""

from contextlib import closing
from datetime import datetime
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
