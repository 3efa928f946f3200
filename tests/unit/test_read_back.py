"""Cells written into a workbook, or into a rejects file, are read back unchanged."""

import datetime as dt
import io
import re
from collections.abc import Sequence

import pyarrow as pa
import pytest
import xlsxwriter
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.core.model import Limits, ReadTally, ResultBlock
from pipeline.core.row_columns import RESULT
from pipeline.reading.read_file import read_manifest
from pipeline.reporting.rejects_csv import LEADING, rejects_csv, rejects_table
from pipeline.reporting.rejects_xlsx import rejects_xlsx
from pipeline.validation.returned_rejects import origin, restore_headers, unguarded
from schemas.vocabulary import CellKind
from tests.examples import examples
from tests.fakes.header_finders import ExactHeader

pytestmark = pytest.mark.timeout(120)

#: XML has no control characters; a workbook cannot hold them as they are.
IN_XML = st.characters(
    codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"
)
CELL = st.text(alphabet=IN_XML | st.sampled_from(",;\t\n\"'=+-@<>& "), max_size=12)
#: What a person's cell may hold that our reader gave to us: no NUL (its row would have a fault).
ORIGINAL = st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters="\x00", exclude_categories=("Cs",))
    | st.sampled_from(",;\t\r\n\"'=+-@| "),
    max_size=12,
)


def tables(cell: st.SearchStrategy[str]) -> st.SearchStrategy[list[list[str]]]:
    return st.integers(1, 5).flatmap(
        lambda width: st.lists(
            st.lists(cell, min_size=width, max_size=width), min_size=1, max_size=8
        )
    )


def cells_of(data: bytes, header: Sequence[str]) -> list[tuple[str, ...]]:
    manifest = read_manifest(data, name="t", limits=Limits(), header=ExactHeader(*header))
    rows: list[tuple[str, ...]] = []
    for block in manifest.sheets[0].blocks(ReadTally()):
        assert not block.facts
        assert not block.extra
        rows.extend(zip(*(column.to_pylist() for column in block.cells), strict=True))
    return rows


@examples(150)
@given(table=tables(CELL))
def test_any_text_written_into_a_workbook_reads_back(table: list[list[str]]) -> None:
    header = [f"Column {at}" for at in range(len(table[0]))]
    store = io.BytesIO()
    with xlsxwriter.Workbook(store, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate([header, *table]):
            for column, cell in enumerate(cells):
                sheet.write_string(row, column, cell)
    kept = [tuple(row) for row in table if any(cell.strip() for cell in row)]
    assume(not kept or not re.fullmatch(r"[-=_+|\s]*", "".join(kept[0])))  # a drawn line
    assert cells_of(store.getvalue(), header) == kept


MOMENTS = st.datetimes(dt.datetime(1900, 3, 1), dt.datetime(9999, 12, 31)).map(
    lambda moment: moment.replace(microsecond=0)
)
TYPED = (
    st.integers(-(10**14), 10**14).map(lambda value: (value, str(value), CellKind.NUMBER))
    | st.booleans().map(lambda value: (value, str(value).upper(), CellKind.BOOLEAN))
    | MOMENTS.map(lambda at: (at, at.isoformat().removesuffix("T00:00:00"), CellKind.DATE))
    | st.from_regex(r"[A-Za-z0-9]{1,20}", fullmatch=True).map(
        lambda text: (text, text, CellKind.TEXT)
    )
)


@examples(100)
@given(column=st.lists(TYPED, min_size=1, max_size=30))
def test_any_typed_cells_read_back_as_their_text_and_kind(
    column: list[tuple[object, str, CellKind]],
) -> None:
    store = io.BytesIO()
    with xlsxwriter.Workbook(store, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        moment = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        sheet.write_string(0, 0, "Column 0")
        for row, (value, _, kind) in enumerate(column, start=1):
            if kind is CellKind.DATE:
                sheet.write_datetime(row, 0, value, moment)
            elif kind is CellKind.TEXT:
                sheet.write_string(row, 0, value)
            else:
                sheet.write(row, 0, value)
    manifest = read_manifest(
        store.getvalue(), name="t", limits=Limits(), header=ExactHeader("Column 0")
    )
    [block] = manifest.sheets[0].blocks(ReadTally())
    assert block.cells[0].to_pylist() == [text for _, text, _ in column]
    kinds = block.kinds.get(0)
    found = [0] * len(column) if kinds is None else kinds.tolist()
    assert found == [kind for _, _, kind in column]


def rejected(table: list[list[str]], headers: tuple[str, ...]) -> ResultBlock:
    lines = [
        {
            "row": row,
            "order_id": "",
            "awb": "",
            "source_status": "",
            "order_status": "",
            "outcome": "rejected",
            "codes": "ID_MISSING:order_id",
            "message": "m",
            "attempts": 0,
            "sent_at": "",
        }
        for row in range(2, 2 + len(table))
    ]
    columns = tuple(pa.array(column, pa.string()) for column in zip(*table, strict=True))
    return ResultBlock(
        sheet="", headers=headers, table=pa.Table.from_pylist(lines, RESULT), cells=columns
    )


def dropped_back(data: bytes, headers: tuple[str, ...], kind: str) -> list[tuple[str, ...]]:
    """Read a rejects file as the service does when it comes back."""

    class Ours(ExactHeader):
        def fits(self, cells: Sequence[str]) -> bool:
            return tuple(cells[: len(LEADING)]) == LEADING

    manifest = read_manifest(data, name="t", limits=Limits(), header=Ours())
    assert manifest.kind == kind
    [sheet] = manifest.sheets
    assert restore_headers(sheet.headers, origin(kind, sheet.name)) == (*LEADING, *headers)
    rows: list[tuple[str, ...]] = []
    for block in sheet.blocks(ReadTally()):
        assert not block.facts
        back = unguarded(block, sheet, manifest)
        rows.extend(
            zip(*(column.to_pylist() for column in back.cells[len(LEADING) :]), strict=True)
        )
    return rows


@examples(200)
@given(table=tables(ORIGINAL), data=st.data())
def test_any_rejects_csv_reads_back_as_the_original_rows(
    table: list[list[str]], data: st.DataObject
) -> None:
    heading = st.text(alphabet=IN_XML, min_size=1, max_size=8).filter(str.strip)
    headers = tuple(data.draw(heading, label="header") for _ in table[0])
    controls = sum(sign < " " or sign == "\x7f" for row in table for cell in row for sign in cell)
    assume(controls < 4)  # a file that had more of them than text was not read to begin with
    written = b"".join(rejects_csv(rejects_table([rejected(table, headers)], drop_id="d1")))
    assert dropped_back(written, headers, "csv") == [tuple(row) for row in table]


@examples(100)
@given(table=tables(CELL))
def test_any_rejects_workbook_reads_back_as_the_original_rows(table: list[list[str]]) -> None:
    headers = tuple(f"Column {at}" for at in range(len(table[0])))
    rows = rejects_table([rejected(table, headers)], drop_id="d1")
    written = rejects_xlsx(rows, created=dt.datetime(2026, 1, 2, tzinfo=dt.UTC))
    assert written is not None
    assert dropped_back(written, headers, "xlsx") == [tuple(row) for row in table]
