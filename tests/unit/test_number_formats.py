"""The text that a sheet shows of a number in a format; which cells have which, in binary files."""

import struct

import pytest

from pipeline.reading.excel.notes.binary import in_xlsb, xlsb_cells, xlsb_formats
from pipeline.reading.excel.notes.number_format import formats_of, shown_as, shown_text
from pipeline.reading.excel.notes.ods import ContentXml


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("General", "A1"),
        ("@", "A1"),
        ('"FY"0', "A1"),
        ('_(* #,##0_);_(* (#,##0);_(* "-"??_);_(@_)', "A1"),
        ('"FY"@', "FYA1"),
        ('0;0;0;"RTO "@', "RTO A1"),
        ('0;"Not "@', "Not A1"),
        (";;;", ""),
        ("[Red]@", "A1"),
        (r"\R\T\O @", "RTO A1"),
    ],
)
def test_what_a_format_shows_of_a_text(code: str, shown: str) -> None:
    assert shown_text("A1", code).strip() == shown


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("General", "12345679"),
        ("0", "12345679"),
        ("@", "12345679"),
        ("[Red]0", "12345679"),
        ("0_);(0)", "12345679 "),
        ("0;[Yellow]0", "12345679"),
        ("0000000000", "0012345679"),
        ('"FYMP"00000', "FYMP12345679"),
        ("000-000", "12345-679"),
        (r"#\-0", "1234567-9"),
        ("[$Rs-4009]0", "Rs12345679"),
        ('General"d"', "12345679d"),
        ("#,##0", "12,345,679"),
        ("0.00", "12345679.00"),
        (r"[>=10000000]##\,##\,##\,##0;0", "1,23,45,679"),
        ("0E+00", None),
        ("0%", None),
        ("# ?/?;", "12345679 / "),
        ("yyyy-mm-dd", None),
        ("0,,", None),
        ("[h]:mm", None),
    ],
)
def test_what_a_format_shows_of_a_whole_number(code: str, shown: str | None) -> None:
    told = shown_as("12345679", code)
    if code.startswith("# ?/?"):
        assert told != "12345679"  # a fraction: whatever is shown, it is not the number
    else:
        assert (told.strip() if told else told) == (shown.strip() if shown else shown)


def test_formats_of_cells_are_those_of_cell_styles_only() -> None:
    styles = formats_of(
        b'<x:styleSheet xmlns:x="x"><x:numFmts><x:numFmt numFmtId="164" formatCode="0000"/>'
        b'</x:numFmts><x:cellStyleXfs><x:xf numFmtId="3"/></x:cellStyleXfs><x:cellXfs>'
        b'<x:xf numFmtId="0"/><x:xf numFmtId="164"/><x:xf numFmtId="3"/></x:cellXfs>'
        b'<x:dxfs><x:dxf><x:numFmt numFmtId="164" formatCode="0"/></x:dxf></x:dxfs></x:styleSheet>'
    )
    assert styles.codes == {0: "General", 1: "0000", 2: "#,##0"}
    assert styles.odd == {1, 2}


def record(kind: int, body: bytes = b"") -> bytes:
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    return head + bytes([len(body)]) + body


def row(number: int, *, hidden: bool = False) -> bytes:
    return record(0, struct.pack("<IIHBBB", number, 0, 300, 0, 0x10 if hidden else 0, 0))


def cell(kind: int, column: int, style: int) -> bytes:
    return record(kind, struct.pack("<II", column, style) + bytes(8))


def test_number_formats_and_hidden_rows_of_an_xlsb() -> None:
    code = "0000"
    styles = (
        record(44, struct.pack("<HI", 164, len(code)) + code.encode("utf-16-le"))
        + record(47, struct.pack("<HH", 0, 164) + bytes(12))  # not of a cell
        + record(617)
        + record(47, struct.pack("<HH", 0, 0) + bytes(12))
        + record(47, struct.pack("<HH", 0, 164) + bytes(12))
        + record(618)
    )
    sheet = (
        record(60, struct.pack("<IIIIH", 2, 3, 0, 0, 1))
        + record(60, struct.pack("<IIIIH", 5, 5, 0, 0, 0))
        + row(0)
        + cell(5, 1, 1)
        + cell(2, 2, 1)
        + row(4, hidden=True)
        + cell(2, 1, 0)
        + row(6)
        + cell(9, 1, 1)
        + cell(7, 1, 1)  # a shared text
    )
    for size in (1, 7, 1000):
        pieces = [sheet[at : at + size] for at in range(0, len(sheet), size)]
        formats = xlsb_formats([styles])
        found = [*xlsb_cells(pieces, formats.odd)]
        assert formats.named(found) == [(1, 1, code), (1, 2, code), (7, 1, code), (7, 1, code)]
        notes = in_xlsb(pieces)
        assert list(notes.hidden_rows) == [5]
        assert [at for at in range(9) if notes.hides(at)] == [2, 3]


def test_hidden_rows_and_shown_numbers_of_an_ods() -> None:
    number = '<table:table-cell office:value-type="float" office:value="7"><text:p>%s</text:p>'
    number += "</table:table-cell>"
    xml = (
        '<o xmlns:office="o" xmlns:table="t" xmlns:text="x"><table:table>'
        f"<table:table-row>{number % '7'}{number % '007'}</table:table-row>"
        f'<table:table-row table:visibility="filter" table:number-rows-repeated="2">{number % "7"}'
        '</table:table-row><table:table-row table:visibility="collapse"><table:table-cell/>'
        f"</table:table-row><table:table-row><table:table-cell/>{number % '08'}</table:table-row>"
        "</table:table></o>"
    ).encode()
    walk = ContentXml((0, 1))
    for at in range(0, len(xml), 50):
        walk.add(xml[at : at + 50])
    walk.end()
    assert walk.shown == {1: "007", 5: "08"}
    assert list(walk.sheets[0].hidden_rows) == [2, 3]
