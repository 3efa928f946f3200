"""The fast and the slow reading of CSV are one reading; and what is written reads back."""

import csv
import io
import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.errors import DropRefused
from pipeline.core.model import Limits, ReadTally, RowFacts
from pipeline.reading.csv.dialect import Dialect
from pipeline.reading.csv.encoding import Encoding
from pipeline.reading.csv.fast_path import certify
from pipeline.reading.csv.reader import CsvBlocks
from pipeline.reading.read_file import read_manifest
from schemas.codes import Code
from schemas.vocabulary import EMPTY_SURPLUS
from tests.examples import examples
from tests.fakes.header_finders import ExactHeader

pytestmark = pytest.mark.timeout(60)

Seen = tuple[int, tuple[str, ...], tuple[str, ...], RowFacts | None]


def everything(source: CsvBlocks) -> tuple[list[Seen], int, int] | tuple[Code, str]:
    tally = ReadTally()
    rows: list[Seen] = []
    try:
        for block in source(tally):
            columns = [column.to_pylist() for column in block.cells]
            for at, number in enumerate(block.rows.tolist()):
                cells = tuple(column[at] for column in columns)
                rows.append((number, cells, block.extra.get(at, ()), block.facts.get(at)))
    except DropRefused as refusal:
        return refusal.code, refusal.message
    return rows, tally.blank, tally.header


def both_ways(data: bytes, width: int, segment: int) -> list[object]:
    return [
        everything(
            CsvBlocks(
                data=data,
                encoding=Encoding(codec="utf-8", start=0, in_place=True),
                dialect=Dialect(delimiter=",", row=1, headers=("h", "i", "j", "")[:width], at=0),
                max_rows=1000,
                segment=segment,
                fast=fast,
            )
        )
        for fast in (True, False)
    ]


ODD = st.text(alphabet='a,"\r\n;é\ufeff \0\u2028', min_size=1, max_size=60)
PIECES = (
    *("a", "bb", ",", ",", "\n", "\r\n", "\r", "\r\r\n", '"', '"x"', '"a,b"', '"a\nb"'),
    *('"a""b"', '"a\r\nb"', 'in"ch', '"a" ', " ", "h,i,j\n", "é", "\ufeff", "\0"),
    *("1,2,3\n", ",,\n", "1,2,3,4\n"),
)
FRAGMENTS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=25).map("".join)
REGULAR = st.lists(
    st.sampled_from([piece for piece in PIECES if piece not in ('"', 'in"ch', '"a" ')]),
    min_size=1,
    max_size=25,
).map(",".join)


@examples(800)
@given(
    body=ODD | FRAGMENTS | REGULAR,
    width=st.integers(1, 4),
    segment=st.sampled_from([1, 7, 23, 1 << 20]),
)
@example(body=";;;\r;\u2028", width=2, segment=7)  # a title that ends its piece
def test_fast_and_slow_reading_agree_on_any_text(body: str, width: int, segment: int) -> None:
    fast, slow = both_ways(body.encode(), width, segment)
    if segment == 1 << 20:
        assert fast == slow
    else:  # which rows are wider than most before them depends on where a piece ends
        assert _but_empty_surplus(fast) == _but_empty_surplus(slow)


def _but_empty_surplus(told: Any) -> Any:
    if not isinstance(told[0], list):
        return told
    return [(*row[:2], row[2] if row[2] != (EMPTY_SURPLUS,) else (), row[3]) for row in told[0]]


@pytest.mark.parametrize(
    ("text", "regular"),
    [
        ("1,2,3\n\n4,5\n6,7,8,9\n", True),
        ('1,"a ""b"", c",3\n"4","5","6\n7"\n', True),
        ('1,5" pipe,3\n4,6" pipe,7\n', True),
        ('1,5" pipe,"3"\n', False),
        ('1,"2" ,3\n', False),
        ('1,"2"x,3\n', False),
        ('1,"2,3\n', False),
        ("\ufeff1,2,3\n", False),
    ],
)
def test_only_provable_quoting_takes_the_fast_path(text: str, regular: bool) -> None:
    layout = certify(text.encode(), ord(","), last=True)
    assert (layout is not None) is regular
    fast, slow = both_ways(text.encode(), 3, 1 << 20)
    assert fast == slow


def test_a_window_ends_with_its_last_certain_record() -> None:
    for text, size in [("1,2\n3,4", 4), ("1\r", 0), ("1\r2\r\r", 2), ('1\n"a\nb', 2), ('"a\n', 0)]:
        layout = certify(text.encode(), ord(","), last=False)
        assert (layout.size if layout else 0) == size


PRINTABLE = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"))
CELL = st.text(alphabet=PRINTABLE | st.sampled_from(",;\t|\r\n\"'= "), max_size=12)
TABLE = st.integers(2, 5).flatmap(
    lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=8)
)
NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
#: Encoding as the reader may meet it → codec, and the byte order mark before the text.
ENCODINGS = {
    "UTF-8": ("utf-8", ""),
    "UTF-8 with a mark": ("utf-8-sig", ""),
    "UTF-16 LE with a mark": ("utf-16-le", "\ufeff"),
    "UTF-16 BE with a mark": ("utf-16-be", "\ufeff"),
    "UTF-16 LE": ("utf-16-le", ""),
    "UTF-16 BE": ("utf-16-be", ""),
    "UTF-32 LE with a mark": ("utf-32-le", "\ufeff"),
    "UTF-32 BE with a mark": ("utf-32-be", "\ufeff"),
    "UTF-32 LE": ("utf-32-le", ""),
    "UTF-32 BE": ("utf-32-be", ""),
    "Windows-1252": ("cp1252", ""),
}
#: Without a mark UTF-16 is known by the NUL halves of Latin text.
LATIN_ONLY = {"UTF-16 LE", "UTF-16 BE", "Windows-1252"}


def written(table: list[list[str]], delimiter: str, end: str, *, quote_all: bool) -> str:
    sheet = io.StringIO(newline="")
    # Python's writer does not quote a CR or LF that is not its own line end.
    quote_all = quote_all or any(set("\r\n") & set(cell) for row in table for cell in row)
    csv.writer(
        sheet,
        delimiter=delimiter,
        lineterminator=end,
        quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL,
    ).writerows(table)
    return sheet.getvalue()


@examples(300)
@given(
    table=TABLE,
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r", "\r\r\n"]),
    announced=st.booleans(),
    quote_all=st.booleans(),
    encoding=st.sampled_from(list(ENCODINGS)),
    final=st.booleans(),
)
def test_any_table_in_any_dialect_reads_back_the_same_cells(
    table: list[list[str]],
    delimiter: str,
    end: str,
    announced: bool,
    quote_all: bool,
    encoding: str,
    final: bool,
) -> None:
    header = [f"Column {at}" for at in range(len(table[0]) if table else 2)]
    codec, mark = ENCODINGS[encoding]
    if encoding in LATIN_ONLY:
        table = [[re.sub(r"[^\x00-\x7f]", "é", cell) for cell in row] for row in table]
    text = written([header, *table], delimiter, end, quote_all=quote_all)
    text = f"sep={delimiter}{end}{text}" if announced else text
    text = mark + (text if final else text.removesuffix(end))
    manifest = read_manifest(
        text.encode(codec), name="t.csv", limits=Limits(), header=ExactHeader(*header)
    )
    rows: list[tuple[str, ...]] = []
    for block in manifest.sheets[0].blocks(ReadTally()):
        rows.extend(zip(*(column.to_pylist() for column in block.cells), strict=True))
        assert not block.facts
        assert not block.extra
    kept = [tuple(row) for row in table if any(cell.strip() for cell in row) and row != header]
    assert rows == kept
    assert manifest.dialect["delimiter"] == NAMES[delimiter]
