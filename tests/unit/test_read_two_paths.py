"""The fast and the slow reading of CSV are one reading; and what is written reads back."""

import csv
import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.codes import Code
from pipeline.errors import DropRefused
from pipeline.model import Fault, Limits, ReadTally
from pipeline.stages.read import read_manifest
from pipeline.stages.reading import read_csv as room
from pipeline.stages.reading.decode import Encoding
from pipeline.stages.reading.dialect import Dialect

pytestmark = pytest.mark.timeout(60)

Seen = tuple[int, tuple[str, ...], tuple[str, ...], tuple[Fault, ...]]


class ExactHeader:
    """A header finder that knows the header cell by cell."""

    def __init__(self, cells: list[str]) -> None:
        self.cells = cells

    def fits(self, cells: list[str]) -> bool:
        return list(cells) == self.cells

    def refusal(self, seen: list[list[str]]) -> DropRefused:
        return DropRefused(Code.HEADER_NOT_FOUND, f"Only saw {seen!r}.")


def everything(source: room.CsvBlocks) -> tuple[list[Seen], int, int] | tuple[Code, str]:
    tally = ReadTally()
    rows: list[Seen] = []
    try:
        for block in source(tally):
            columns = [column.to_pylist() for column in block.cells]
            for at, number in enumerate(block.rows.tolist()):
                cells = tuple(column[at] for column in columns)
                rows.append((number, cells, block.extra.get(at, ()), block.faults.get(at, ())))
    except DropRefused as refusal:
        return refusal.code, refusal.message
    return rows, tally.blank, tally.header


ODD = st.text(alphabet='a,"\r\n;é\ufeff \0\u2028', max_size=60)
FRAGMENTS = st.lists(
    st.sampled_from(
        ["a", "bb", ",", ",", "\n", "\r\n", "\r", "\r\r\n", '"', '"x"', '"a,b"', '"a\nb"', '"a""b"']
        + ['"a\r\nb"', 'in"ch', '"a" ', " ", "h,i,j\n", "é", "\ufeff", "\0", "1,2,3\n", ",,\n", "1,2,3,4\n"]
    ),
    max_size=25,
).map("".join)


@settings(max_examples=800, deadline=None)
@given(body=ODD | FRAGMENTS, width=st.integers(1, 4), segment=st.sampled_from([1, 7, 23, 1 << 20]))
def test_fast_and_slow_reading_agree_on_any_text(body: str, width: int, segment: int) -> None:
    data = body.encode()
    dialect = Dialect(delimiter=",", row=1, headers=("h", "i", "j", "")[:width], at=0)
    if not data:
        return
    fast, slow = (
        everything(
            room.CsvBlocks(
                data=data,
                encoding=Encoding(codec="utf-8", start=0, in_place=True),
                dialect=dialect,
                max_rows=1000,
                segment=segment,
                fast=way,
            )
        )
        for way in (True, False)
    )
    assert fast == slow


CELL = st.text(
    alphabet=st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")) | st.sampled_from('",;\t|\r\n\'= '),
    max_size=12,
)
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom", "utf-16-be-bom", "utf-32", "cp1252"]


def encoded(text: str, encoding: str) -> bytes:
    if encoding.endswith("-bom"):
        plain = encoding.removesuffix("-bom")
        return "\ufeff".encode(plain) + text.encode(plain)
    return text.encode(encoding)


@settings(max_examples=300, deadline=None)
@given(
    table=st.integers(2, 5).flatmap(
        lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=8)
    ),
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    encoding=st.sampled_from(ENCODINGS),
    final=st.booleans(),
)
def test_any_table_in_any_dialect_reads_back_the_same_cells(
    table: list[list[str]], delimiter: str, end: str, quoting: int, encoding: str, final: bool
) -> None:
    width = len(table[0]) if table else 2
    header = [f"Column {at}" for at in range(width)]
    if encoding == "cp1252":
        table = [[re.sub(r"[^\x00-\x7f]", "é", cell) for cell in row] for row in table]
    sheet = io.StringIO(newline="")
    # A CR or LF alone does not make Python's writer quote a cell when it is not the line end.
    writer = csv.writer(sheet, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    if quoting == csv.QUOTE_MINIMAL and not any("\r" in c or "\n" in c for r in table for c in r):
        writer = csv.writer(sheet, delimiter=delimiter, lineterminator=end)
    writer.writerows([header, *table])
    text = sheet.getvalue() if final else sheet.getvalue().removesuffix(end)
    manifest = read_manifest(
        encoded(text, encoding), name="t.csv", limits=Limits(), header=ExactHeader(header)
    )
    rows = []
    for block in manifest.sheets[0].blocks(ReadTally()):
        rows.extend(zip(*(column.to_pylist() for column in block.cells), strict=True))
        assert not block.faults
        assert not block.extra
    kept = [tuple(row) for row in table if any(cell.strip() for cell in row) and row != header]
    assert rows == kept
    assert manifest.dialect["delimiter"] == {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}[delimiter]
