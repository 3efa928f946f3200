"""A rejects file that a person corrects and saves in LibreOffice comes back as it should.

Of each file twenty rows are rejected. In each rejects file seventeen are corrected, in one of the
ways in which people do it; LibreOffice opens and saves them all; all are dropped back.
"""

import csv
import io
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.harness import Delivered, Root, rooted, sheet

SOFFICE = shutil.which("soffice") or ""
pytestmark = pytest.mark.skipif(
    not SOFFICE, reason="soffice (package libreoffice-calc) is not here"
)

HEADER = ("Order ID", "Status", "Status Date", "Remark")
GOOD, BAD, FIXED = 25, 20, 17
#: What a person opens, and what the spreadsheet program saves it as.
WAYS = {
    "twin-xlsx": ("rejects.xlsx", "xlsx"),
    "twin-ods": ("rejects.xlsx", "ods"),
    "twin-xls": ("rejects.xlsx", "xls"),
    "csv-csv": ("rejects.csv", "csv"),
    "csv-xlsx": ("rejects.csv", "xlsx"),
    "csv-text": ("rejects.csv", "csv"),
}
#: Each format is a start of LibreOffice, so two of them are the soak's.
CHOSEN = [
    pytest.param(way, marks=pytest.mark.soak) if to in {"ods", "xls"} else way
    for way, (_, to) in WAYS.items()
]
#: Opened without a word about its columns, a CSV's ids become numbers of 15 digits.
EATEN = {"csv-csv", "csv-xlsx"}


@dataclass(frozen=True)
class Story:
    """Each way: the first drop, the file that LibreOffice saved, the drop that came back.

    ``sent``: the orders of all calls; ``remarks``: what the API holds for the first corrected row.
    """

    first: dict[str, Delivered]
    saved: dict[str, Path]
    back: dict[str, Delivered]
    sent: list[str]
    remarks: dict[str, list[str]]


def order_id(way: str, number: int) -> str:
    return f"1732862978{list(WAYS).index(way)}{number:03}446351"


def rows(way: str) -> Iterator[tuple[str, str, str, str]]:
    today = f"{datetime.now(UTC):%Y-%m-%d} 00:30"
    for number in range(GOOD):
        yield order_id(way, number), "Delivered", today, "fine"
    for number in range(GOOD, GOOD + BAD):
        yield order_id(way, number), "Deliverd", today, "=cmd|' /C calc'!A0"


def corrected_csv(path: Path) -> bytes:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *lines = list(csv.reader(file))
    for line in lines[:FIXED]:
        line[header.index("Status")] = "Delivered"
    out = io.StringIO(newline="")
    csv.writer(out).writerows([header, *lines])
    return ("\ufeff" + out.getvalue()).encode()


def corrected_twin(path: Path) -> bytes:
    book = openpyxl.load_workbook(path)
    table = book.worksheets[0]
    place = [cell.value for cell in table[1]].index("Status") + 1
    for row in range(2, 2 + FIXED):
        table.cell(row=row, column=place).value = "Delivered"
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def saved_by_libreoffice(
    to: str, files: list[Path], folder: Path, *, options: tuple[str, ...] = ()
) -> None:
    """Open the files and save them in another format, in one start of the program."""
    folder.mkdir(parents=True, exist_ok=True)
    profile = f"-env:UserInstallation=file://{folder.parent / 'profile'}"
    command = [SOFFICE, profile, "--headless", *options, "--convert-to", to, "--outdir", folder]
    done = subprocess.run([*command, *files], capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()


@pytest.fixture(scope="module")
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Story:
    mine = [each for each in request.session.items if each.module is request.module]
    asked = {each.callspec.params["way"] for each in mine if hasattr(each, "callspec")}
    ways = [way for way in WAYS if way in asked | {"twin-xlsx"}]
    place = tmp_path_factory.mktemp("libreoffice")
    (place / "root").mkdir()
    with running(SandboxConfig()) as api, rooted(place / "root", api.url, api.token) as root:
        api_has = tell(root, api, place, ways)
    return Story(
        first={way: root.of(way) for way in ways},
        saved={way: saved_as(place, way) for way in ways},
        back={way: root.of(f"{way} corrected") for way in ways},
        **api_has,
    )


def saved_as(place: Path, way: str) -> Path:
    folder = place / ("text" if way == "csv-text" else "saved")
    return folder / f"{way} corrected.{WAYS[way][1]}"


def tell(root: Root, api: SandboxHandle, place: Path, ways: list[str]) -> dict[str, Any]:
    for way in ways:
        root.drop(f"{way}.csv", sheet(rows(way), header=HEADER), folder="xpressbees")
    assert root.once().code == 3
    first = {way: root.of(way) for way in ways}

    by_hand = place / "corrected"
    by_hand.mkdir()
    batches: dict[tuple[str, bool], list[Path]] = {}
    for way in ways:
        kind, to = WAYS[way]
        source = first[way].path(kind)
        data = corrected_csv(source) if kind.endswith("csv") else corrected_twin(source)
        path = by_hand / f"{way} corrected{source.suffix}"
        path.write_bytes(data)
        batches.setdefault((to, way == "csv-text"), []).append(path)
    for (to, as_text), files in batches.items():
        # Comma, double quote, UTF-8, from line 1, and columns 1 to 8 as text.
        columns = "/".join(f"{column}/2" for column in range(1, 9))
        options = (f"--infilter=CSV:44,34,76,1,{columns}",) if as_text else ()
        saved_by_libreoffice(to, files, place / ("text" if as_text else "saved"), options=options)
    for way in ways:
        path = saved_as(place, way)
        root.drop(path.name, path.read_bytes())
    assert root.once().code == 3
    history = {way: api.orders(order_id(way, GOOD))[order_id(way, GOOD)]["history"] for way in ways}
    return {
        "sent": [order for call in api.calls() for order, _ in call["updates"]],
        "remarks": {
            way: [str((each["meta"] or {}).get("remark")) for each in told]
            for way, told in history.items()
        },
    }


@pytest.mark.parametrize("way", CHOSEN)
def test_only_the_corrected_rows_go_out_under_their_own_ids(story: Story, way: str) -> None:
    back = story.back[way]
    back.assert_sound(BAD)
    assert back.counts == {"accepted": FIXED, "rejected": BAD - FIXED}
    ids = [order_id(way, number) for number in range(GOOD, GOOD + BAD)]
    assert [line["order_id"] for line in back.lines()] == ids
    mine = [order for order in story.sent if order in set(ids)]
    assert sorted(mine) == ids[:FIXED], "each once, and none of those that still are wrong"
    assert {len(order) for order in story.sent} == {20}


@pytest.mark.parametrize("way", CHOSEN)
def test_the_drop_is_linked_and_the_first_summary_says_17_of_20(story: Story, way: str) -> None:
    assert story.back[way].summary["parent"] == story.first[way].id
    assert story.back[way].summary["courier"] == "xpressbees"
    assert story.back[way].summary["corrections"] == {"rows": BAD, "fixed": FIXED}
    assert story.first[way].summary["corrections"] == {"rows": BAD, "fixed": FIXED}


@pytest.mark.parametrize("way", CHOSEN)
def test_ids_are_intact_in_the_twin_and_given_back_where_a_csv_lost_them(
    story: Story, way: str
) -> None:
    restored = [
        warning["count"]
        for warning in story.back[way].summary["warnings"]
        if warning["code"] == "ID_RESTORED"
    ]
    assert restored == ([BAD] if way in EATEN else [])
    if way == "csv-csv":
        text = story.saved[way].read_text(encoding="utf-8-sig")
        assert order_id(way, GOOD) not in text, "LibreOffice has indeed eaten the ids"


@pytest.mark.parametrize("way", CHOSEN)
def test_guards_against_formulas_do_not_reach_the_api(story: Story, way: str) -> None:
    assert "=cmd|' /C calc'!A0" in story.remarks[way]
    assert "'=cmd|' /C calc'!A0" not in story.remarks[way]


def test_after_libreoffice_saved_the_twin_it_still_helps(story: Story) -> None:
    book = openpyxl.load_workbook(story.saved["twin-xlsx"])
    table, fixes = book.worksheets
    assert (table.title, fixes.title) == ("Rows to correct", "What to fix")
    header = [cell.value for cell in table[1]]
    row = table[2 + FIXED]
    bad = row[header.index("Status")]
    assert bad.fill.fgColor.rgb == "FFFFC7CE"
    assert "Did you mean" in bad.comment.text
    cell = row[header.index("Order ID")]
    assert (cell.data_type, cell.number_format) == ("s", "@")
    (rule,) = table.data_validations.dataValidation
    assert rule.type == "list"
    assert "What to fix" in rule.formula1
    assert fixes["D3"].value == "Deliverd"
    assert (fixes["E3"].value, fixes["F3"].value) == (GOOD + 2, "Delivered")
    assert "Delivered" in [fixes.cell(line, 10).value for line in range(2, 30)]
