"""Error cells and formulas without a result are seen, in every workbook format."""

import io
import struct
import zipfile

import pytest
import xlsxwriter

from pipeline.core.errors import DropRefused
from pipeline.core.model import Block, Limits, ReadTally
from pipeline.reading.excel.notes.binary import in_xls, in_xlsb, xlsb_sheets
from pipeline.reading.excel.notes.ods import ContentXml
from pipeline.reading.excel.notes.sheet_notes import SheetNotes
from pipeline.reading.excel.notes.xlsx import SheetXml
from pipeline.reading.excel.ole2 import Compound, open_compound
from pipeline.reading.read_file import read_manifest
from schemas.codes import Code
from schemas.vocabulary import UNCALCULATED, CellKind
from tests.fakes.header_finders import NamedColumns

HEADER = ["Order id", "Status", "Remark"]


def workbook() -> bytes:
    store = io.BytesIO()
    with xlsxwriter.Workbook(store) as book:
        book.add_worksheet("Notes").write_row(0, 0, ["nothing", "here"])
        sheet = book.add_worksheet("Orders")
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ["1", "Delivered", "fine"])
        sheet.write_row(2, 0, ["2"])
        sheet.write_formula(2, 1, "=VLOOKUP(9,A1:B2,2,0)", None, "#N/A")
        sheet.write_formula(3, 0, "=1/0", None, "#DIV/0!")
        sheet.write_row(3, 1, ["Delivered"])
        sheet.write_row(4, 0, ["4"])
        sheet.write_formula(4, 1, '="Deliv"&"ered"', None, "Delivered")
        sheet.write_formula(4, 2, '=""', None, "")
        sheet.write_formula(5, 0, "=A4", None, "")
        sheet.write_formula(5, 1, "=B4", None, "")
    return store.getvalue()


def rewritten(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace bytes in every worksheet."""
    store = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as was, zipfile.ZipFile(store, "w", 8) as made:
        for name in was.namelist():
            part = was.read(name)
            made.writestr(name, part.replace(old, new) if "worksheets/" in name else part)
    return store.getvalue()


def block_of(data: bytes) -> Block:
    manifest = read_manifest(
        data, name="x.xlsx", limits=Limits(), header=NamedColumns(HEADER[0], HEADER[1])
    )
    [block] = manifest.sheets[0].blocks(ReadTally())
    return block


def test_an_error_cell_shows_its_error_and_its_kind() -> None:
    block = block_of(workbook())
    assert block.rows.tolist() == [2, 3, 4, 5, 6]
    assert block.cells[0].to_pylist() == ["1", "2", "#DIV/0!", "4", UNCALCULATED]
    assert block.cells[1].to_pylist()[1::3] == ["#N/A", UNCALCULATED]
    assert block.kinds[0].tolist() == [0, 0, CellKind.ERROR, 0, CellKind.ERROR]
    assert block.kinds[1].tolist() == [0, CellKind.ERROR, 0, 0, CellKind.ERROR]


def test_a_formula_whose_result_is_an_empty_text_is_an_empty_cell() -> None:
    data = rewritten(workbook(), b'<c r="C5"><f>', b'<c r="C5" t="str"><f>')
    block = block_of(data)
    assert block.cells[2].to_pylist()[3] == ""
    assert 2 not in block.kinds


def test_a_row_of_nothing_but_formulas_without_results_is_no_blank_row() -> None:
    assert 6 in block_of(workbook()).rows.tolist()


def in_xml(*pieces: bytes) -> SheetNotes:
    walk = SheetXml()
    for piece in pieces:
        walk.add(piece)
    walk.end()
    return walk.notes


XML = (
    b'<sheetData><row r="1"><c r="A1" t="s"><v>0</v></c></row>'
    b'<row r="3" spans="1:3"><c r="A3" s="2"/><c r="B3" s="1" t="e"><f aca="false">NA()</f>'
    b'<v>#N/A</v></c><c r="AA3" t="e"><v>#REF!</v></c></row>'
    b'<row r="4"><c r="A4"><f t="shared" si="0"/></c><c r="B4"><f>A1</f><v/></c>'
    b'<c r="C4" t="str"><f>A2</f><v></v></c><c r="D4"><f>1+1</f><v>2</v></c></row></sheetData>'
)
FOUND = [(3, 1, "#N/A"), (3, 26, "#REF!"), (4, 0, UNCALCULATED), (4, 1, UNCALCULATED)]


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
@pytest.mark.parametrize(
    "xml",
    [
        XML,
        XML.replace(b"<c ", b"<x:c ").replace(b"</c>", b"</x:c>").replace(b"row", b"x:row"),
        XML.replace(b't="e"', b"t='e'").replace(b' r="B3"', b" r='B3'"),
    ],
)
def test_error_cells_are_found_wherever_the_pieces_are_cut(xml: bytes, size: int) -> None:
    found = in_xml(*(xml[at : at + size] for at in range(0, len(xml), size)))
    assert sorted(zip(found.rows, found.columns, found.texts, strict=True)) == FOUND


def test_cells_without_an_address_follow_one_another() -> None:
    xml = b'<row><c><v>1</v></c></row><row/><row><c/><c t="e"><v>#N/A</v></c><c><f>A1</f></c></row>'
    found = in_xml(b"<sheetData>" + xml + b"</sheetData>")
    assert list(zip(found.rows, found.columns, found.texts, strict=True)) == [
        (3, 1, "#N/A"),
        (3, 2, UNCALCULATED),
    ]


def biff(kind: int, body: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(body)) + body


def xls_stream() -> bytes:
    first = biff(0x0809, bytes(16)) + biff(0x000A)
    second = (
        biff(0x0809, bytes(16))
        + biff(0x0809, bytes(16))  # a chart inside the sheet
        + biff(0x000A)
        + biff(0x0205, struct.pack("<HHHBB", 2, 1, 15, 0x2A, 1))
        + biff(0x0205, struct.pack("<HHHBB", 2, 2, 15, 1, 0))  # TRUE, no error
        + biff(0x0006, struct.pack("<HHH", 4, 0, 15) + b"\2\0\x17\0\0\0\xff\xff" + bytes(8))
        + biff(0x0006, struct.pack("<HHHd", 5, 0, 15, 2.0) + bytes(8))
        + biff(0x000A)
    )
    bounds = [struct.pack("<IHBB", 0, 0, 1, 0) + b"A" for _ in range(2)]
    size = len(biff(0x0809, bytes(16))) + sum(len(biff(0x85, each)) for each in bounds) + 4
    starts = (size, size + len(first))
    bounds = [
        struct.pack("<I", start) + each[4:] for start, each in zip(starts, bounds, strict=True)
    ]
    head = biff(0x0809, bytes(16)) + b"".join(biff(0x85, each) for each in bounds) + biff(0x000A)
    return head + first + second


def test_error_cells_of_an_xls_are_found_by_sheet() -> None:
    first, second = in_xls(xls_stream())
    assert not first.rows
    assert list(zip(second.rows, second.columns, second.texts, strict=True)) == [
        (3, 1, "#N/A"),
        (5, 0, "#REF!"),
    ]


def test_an_xls_without_error_cells_is_not_walked_through() -> None:
    stream = biff(0x0809, bytes(16)) + biff(0x0006, struct.pack("<HHHd", 5, 0, 15, 2.0) + bytes(8))
    assert in_xls(stream) == []


def test_error_cells_of_an_xlsb_are_found() -> None:
    part = (
        b"\x00\x08"
        + struct.pack("<II", 6, 0)
        + b"\x03\x09"
        + struct.pack("<IIB", 2, 0, 0x07)
        + b"\x0b\x0c"
        + struct.pack("<IIB", 3, 0, 0x2A)
        + b"xyz"
        + b"\x94\x01\x81\x01"
        + bytes(129)  # a record with a long kind and a long size
        + b"\x00\x08"
        + struct.pack("<II", 9, 0)
        + b"\x0b\x09"
        + struct.pack("<IIB", 0, 0, 0x99)
    )
    for size in (1, 5, 1000):
        found = in_xlsb(part[at : at + size] for at in range(0, len(part), size))
        assert list(zip(found.rows, found.columns, found.texts, strict=True)) == [
            (7, 2, "#DIV/0!"),
            (7, 3, "#N/A"),
            (10, 0, "#ERROR!"),
        ]  # fmt: skip


def test_a_binary_record_that_claims_to_be_huge_ends_the_search() -> None:
    assert not in_xlsb([b"\x03\xff\xff\xff\x7f", bytes(1 << 20)]).rows


def test_the_sheets_of_an_xlsb_name_their_parts() -> None:
    name = "rId7".encode("utf-16-le")
    body = struct.pack("<III", 0, 1, 4) + name + struct.pack("<I", 1) + "A".encode("utf-16-le")
    assert xlsb_sheets([b"\x9c\x01", bytes([len(body)]), body]) == ["rId7"]


def test_error_cells_of_an_ods_are_counted_through_repeats() -> None:
    error = '<table:table-cell office:value-type="string" calcext:value-type="error">'
    xml = (
        '<office:body xmlns:office="o" xmlns:table="t" xmlns:text="x" xmlns:calcext="c">'
        '<table:table table:name="A"/><table:table table:name="B">'
        '<table:table-row table:number-rows-repeated="4"><table:table-cell/></table:table-row>'
        '<table:table-row><table:table-cell table:number-columns-repeated="3"/>'
        f"{error}<text:p>#N/A</text:p></table:table-cell></table:table-row>"
        "</table:table></office:body>"
    ).encode()
    walk = ContentXml()
    for piece in (xml[:90], xml[90:]):
        walk.add(piece)
    walk.end()
    first, second = walk.sheets
    assert not first.rows
    assert list(zip(second.rows, second.columns, second.texts, strict=True)) == [(5, 3, "#N/A")]


def container(stream: bytes, *, small: bool) -> bytes:
    """An OLE2 file with one stream: sector 0 is the table, 1 the directory, 2 the small table."""
    free, end, table_mark = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
    sectors = [stream[at : at + 512].ljust(512, b"\0") for at in range(0, len(stream), 512)]
    table = [table_mark, end, end, *range(4, 3 + len(sectors)), end]
    pieces = -(-len(stream) // 64)
    small_table = [*range(1, pieces), end] if small else []

    def entry(name: str, kind: int, start: int, size: int) -> bytes:
        text = name.encode("utf-16-le")
        head = text.ljust(64, b"\0") + struct.pack("<HB", len(text) + 2, kind)
        return head.ljust(116, b"\0") + struct.pack("<IQ", start, size)

    root = entry("Root Entry", 5, 3 if small else end, len(stream) if small else 0)
    book = entry("Workbook", 2, 0 if small else 3, len(stream))
    header = bytes.fromhex("d0cf11e0a1b11ae1").ljust(24, b"\0")
    header += struct.pack("<HHHHH", 62, 3, 0xFFFE, 9, 6).ljust(20, b"\0")
    header += struct.pack("<IIIIIIII", 1, 1, 0, 4096, 2, 1, end, 0)
    header += struct.pack("<109I", 0, *[free] * 108)

    def numbers(each: list[int]) -> bytes:
        return struct.pack("<128I", *each, *[free] * (128 - len(each)))

    parts = [numbers(table), (root + book).ljust(512, b"\0"), numbers(small_table), *sectors]
    return header + b"".join(parts)


@pytest.mark.parametrize("size", [100, 2000, 4096, 9000])
def test_the_workbook_stream_is_put_together_from_its_sectors(size: int) -> None:
    stream = bytes(at % 251 for at in range(size))
    compound = opened(container(stream, small=size < 4096))
    assert compound.workbook() == stream
    assert not compound.fault()


def opened(data: bytes) -> Compound:
    compound = open_compound(data)
    assert compound is not None
    return compound


@pytest.mark.parametrize("small", [False, True])
def test_a_container_whose_chain_bites_its_tail_is_refused(small: bool) -> None:
    data = bytearray(container(bytes(2000 if small else 9000), small=small))
    # The third piece of the stream leads back to its first: sector 5 to 3, or piece 2 to 0.
    at, back = (512 + 2 * 512 + 4 * 2, 0) if small else (512 + 4 * 5, 3)
    struct.pack_into("<I", data, at, back)
    assert opened(bytes(data)).fault()
    with pytest.raises(DropRefused) as caught:
        read_manifest(bytes(data), name="x.xls", limits=Limits(), header=NamedColumns("Order id"))
    assert caught.value.code is Code.UNREADABLE
    assert "does not end" in caught.value.message


def test_a_table_of_sectors_that_never_ends_is_refused() -> None:
    data = bytearray(container(bytes(9000), small=False))
    struct.pack_into("<II", data, 68, 4, 1)
    struct.pack_into("<I", data, 512 + 4 * 512 + 508, 4)
    assert opened(bytes(data)).fault()


@pytest.mark.parametrize(
    ("at", "number"),
    [
        (40, 1 << 28),  # sectors of the directory
        (44, 1 << 30),  # sectors of the table
        (64, 1 << 20),  # sectors of the small table
        (76, 1 << 20),  # a sector of the table
        (512 + 4 * 5, 1 << 24),  # a sector of the stream
        (512 + 4 * 20, 0xFFFFFFFF),  # its end
        (512 + 512 + 128 + 120, 1 << 31),  # its length
    ],
)
def test_a_container_that_claims_more_than_it_has_is_refused(at: int, number: int) -> None:
    data = bytearray(container(bytes(9000), small=False))
    assert not opened(bytes(data)).fault()
    struct.pack_into("<I", data, at, number)
    assert opened(bytes(data)).fault()
