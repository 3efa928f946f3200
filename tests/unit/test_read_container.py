"""Hostile and broken workbooks are refused before a native reader touches them."""

import io
import resource
import struct
import zipfile
import zlib
from collections.abc import Callable

import pytest
import xlsxwriter

from pipeline.core.errors import DropRefused
from pipeline.core.model import Limits, ReadTally
from pipeline.reading.excel.reader import contained
from pipeline.reading.read_file import read_manifest
from schemas.codes import Code
from schemas.vocabulary import CellKind
from tests.fakes.header_finders import ExactHeader, NamedColumns
from tests.fakes.ole2 import ole2

SHEET = "xl/worksheets/sheet1.xml"
GIGABYTE = 1 << 30


def sound() -> bytes:
    store = io.BytesIO()
    with xlsxwriter.Workbook(store) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["Order id", "Status"])
        sheet.write_row(1, 0, ["1", "a"])
    return store.getvalue()


def changed(change: Callable[[str, bytes], bytes], *more: tuple[str, bytes]) -> bytes:
    """Return a sound workbook with each part's content changed and parts added."""
    store = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(sound())) as old, zipfile.ZipFile(store, "w", 8) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
        for name, content in more:
            new.writestr(name, content)
    return store.getvalue()


def same(_name: str, content: bytes) -> bytes:
    return content


def refusal(data: bytes, limits: Limits | None = None) -> DropRefused:
    with pytest.raises(DropRefused) as caught:
        read_manifest(
            data, name="x.xlsx", limits=limits or Limits(), header=NamedColumns("Order id")
        )
    return caught.value


def test_the_sound_workbook_is_read_whatever_its_name() -> None:
    manifest = read_manifest(
        sound(), name="orders.csv", limits=Limits(), header=NamedColumns("Order id")
    )
    assert sum(len(block) for block in manifest.sheets[0].blocks(ReadTally())) == 1


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9, 0.99])
def test_a_truncated_workbook_is_refused(share: float) -> None:
    data = sound()
    assert refusal(data[: int(len(data) * share)]).code is Code.TRUNCATED


def bomb(size: int, declared: int) -> bytes:
    """Return a workbook one part of which inflates to ``size`` zeros, whatever it declares."""
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = deflater.compress(bytes(1 << 24)) + deflater.flush(zlib.Z_FULL_FLUSH)
    packed = block * (size >> 24) + b"\x03\0"
    data = changed(same, ("xl/media/a.bin", b"x"))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        info = archive.getinfo("xl/media/a.bin")
        start = archive.start_dir
    local = data[info.header_offset : start]
    assert local[26:28] == struct.pack("<H", len(info.filename))
    head = local[:18] + struct.pack("<II", len(packed), declared) + local[26 : 30 + 14]
    central = bytearray(data[start:])
    at = central.index(b"xl/media/a.bin") - 46
    central[at + 20 : at + 28] = struct.pack("<II", len(packed), declared)
    end = central.rindex(b"PK\x05\x06")
    body = data[: info.header_offset] + head + packed
    central[end + 16 : end + 20] = struct.pack("<I", len(body))
    return body + bytes(central)


@pytest.mark.parametrize("declared", [1, 4 * GIGABYTE - 2])
def test_a_bomb_is_refused_without_growing_whatever_size_it_declares(declared: int) -> None:
    data = bomb(10 * GIGABYTE, declared)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refusal(data).code is Code.UNSAFE_WORKBOOK
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


def test_a_part_that_is_larger_than_it_says_is_not_inflated_to_its_end() -> None:
    # 150 to one: below the ratio that would give it away.
    page = (b"<row/>" + b"%d" * 8 + bytes(range(200))).ljust(60_000)
    data = changed(lambda name, old: page * 600 if name == SHEET else old)
    told = struct.pack("<I", len(page) * 600)
    assert data.count(told) == 2
    assert "larger than it says" in refusal(data.replace(told, struct.pack("<I", 5000))).message


def test_a_claim_of_billions_of_texts_is_refused() -> None:
    strings = "xl/sharedStrings.xml"
    data = changed(
        lambda name, old: (
            old.replace(b'uniqueCount="4"', b'uniqueCount="4294967295"') if name == strings else old
        )
    )
    told = refusal(data)
    assert told.code is Code.UNSAFE_WORKBOOK
    assert "4,294,967,295 texts" in told.message


def test_inflated_bytes_are_counted_over_all_parts() -> None:
    noise = bytes(range(256)) * 40
    data = changed(same, *((f"xl/media/{at}.bin", noise) for at in range(20)))
    assert refusal(data, Limits(max_inflated_bytes=100_000)).code is Code.UNSAFE_WORKBOOK


def test_thousands_of_members_are_refused() -> None:
    data = changed(same, *((f"xl/{at}.bin", b"") for at in range(30)))
    assert refusal(data, Limits(max_members=30)).code is Code.UNSAFE_WORKBOOK


@pytest.mark.parametrize("name", ["../evil.xml", "xl/../../evil.xml", "/etc/evil", "C:\\evil.xml"])
def test_member_names_that_point_outside_are_refused(name: str) -> None:
    assert refusal(changed(same, (name, b"x"))).code is Code.UNSAFE_WORKBOOK


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", [SHEET, SHEET.upper(), SHEET.replace("/", "\\")])
def test_duplicate_member_names_are_refused(name: str) -> None:
    found = refusal(changed(same, (name, b"x")))
    assert found.code is Code.UNSAFE_WORKBOOK
    assert "twice" in found.message


def test_a_wrong_checksum_is_refused() -> None:
    data = changed(same, ("xl/media/a.bin", b"MARK" * 3))
    at = data.index(zlib.crc32(b"MARK" * 3).to_bytes(4, "little"), data.index(b"PK\x01\x02"))
    found = refusal(data[:at] + b"\0\0\0\0" + data[at + 4 :])
    assert found.code is Code.UNSAFE_WORKBOOK
    assert "checksum" in found.message


@pytest.mark.parametrize(
    "evil",
    [
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x/>',
        b" " * (1 << 20) + b"<!ENTITY a 'b'>",
        b" " * ((1 << 18) - 5) + b"<!DOCTYPE x>",
        "<!DOCTYPE x><x/>".encode("utf-16"),
    ],
)
def test_a_document_type_in_any_xml_part_is_refused(evil: bytes) -> None:
    found = refusal(changed(lambda name, old: evil if name == SHEET else old))
    assert found.code is Code.UNSAFE_WORKBOOK
    assert "document type" in found.message


def moved(*cells: bytes) -> bytes:
    rows = b"".join(
        b"<row><c %s t='inlineStr'><is><t>x</t></is></c></row>" % address for address in cells
    )

    def change(name: str, old: bytes) -> bytes:
        return old.replace(b"</sheetData>", rows + b"</sheetData>") if name == SHEET else old

    return changed(change)


@pytest.mark.parametrize(
    "cells",
    [
        [b'r="XFD1048576"'],
        [b"r='XFD1048576'"],
        [b'r = "xfd1048576"'],
        [b'r="XFD3"', b'r="A1048576"'],
        [b'r="XFD3"', b'r="A99999"'],
        [b'r="A4294967295"'],
        [b'r="ZZZZ3"'],
        [b"\tr='XFD1048576'"],
        [b"\n r\t=\n'XFD1048576'"],
        [b'r="&#88;FD1048576"'],
    ],
)
def test_cells_too_far_apart_are_refused_before_the_reader_lays_them_out(
    cells: list[bytes],
) -> None:
    assert refusal(moved(*cells)).code is Code.UNSAFE_WORKBOOK


def test_a_wide_or_a_long_sheet_alone_is_fine_and_the_dimension_is_not_believed() -> None:
    def lie(name: str, old: bytes) -> bytes:
        return old.replace(b'ref="A1:B2"', b'ref="A1:XFD1048576"') if name == SHEET else old

    for data in (moved(b'r="A1000000"'), moved(b'r="ALL3"'), changed(lie)):
        manifest = read_manifest(data, name="x", limits=Limits(), header=NamedColumns("Order id"))
        assert manifest.sheets[0].header_row == 1


def test_encrypted_members_are_password_protected() -> None:
    data = bytearray(sound())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    assert refusal(bytes(data)).code is Code.PASSWORD_PROTECTED


def test_an_encrypted_package_is_password_protected() -> None:
    data = ole2({"EncryptedPackage": b"x"})
    assert refusal(data).code is Code.PASSWORD_PROTECTED


def test_garbage_with_a_workbooks_signature_is_unreadable() -> None:
    data = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(range(256)) * 20
    assert refusal(data).code is Code.UNREADABLE


def test_a_panic_of_native_code_is_contained_but_an_interrupt_is_not() -> None:
    class Panic(BaseException):
        """Derives from BaseException as the native reader's panics do."""

    def panic() -> None:
        raise Panic

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(DropRefused) as caught:
        contained(panic, "x.xlsx")
    assert caught.value.code is Code.UNREADABLE
    with pytest.raises(KeyboardInterrupt):
        contained(interrupt, "x.xlsx")


def test_a_lying_zip64_directory_is_refused() -> None:
    data = bytearray(sound())
    end = data.rindex(b"PK\x05\x06")
    data[end + 12 : end + 16] = b"\xff\xff\xff\x7f"
    with pytest.raises(DropRefused) as caught:
        read_manifest(bytes(data), name="x", limits=Limits(), header=ExactHeader("a"))
    assert caught.value.code is Code.UNSAFE_WORKBOOK


def ods(manifest: str) -> bytes:
    space = "urn:oasis:names:tc:opendocument:xmlns:"
    names = " ".join(f'xmlns:{each}="{space}{each}:1.0"' for each in ("office", "table", "text"))
    cell = '<table:table-cell office:value-type="string"><text:p>%s</text:p></table:table-cell>'
    number = '<table:table-cell office:value-type="float" office:value="17328629784861446350"/>'
    blank = '<table:table-row table:number-rows-repeated="1048000"><table:table-cell/>'
    content = (
        f"<office:document-content {names}><office:body><office:spreadsheet>"
        f'<table:table table:name="S">'
        f"<table:table-row>{cell % 'Order id'}{cell % 'Status'}</table:table-row>"
        f"<table:table-row>{number}{cell % 'Delivered'}</table:table-row>{blank}</table:table-row>"
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    store = io.BytesIO()
    with zipfile.ZipFile(store, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", f"<manifest>{manifest}</manifest>")
        archive.writestr("content.xml", content)
    return store.getvalue()


def test_opendocument_spreadsheets_are_read_with_the_same_checks() -> None:
    manifest = read_manifest(
        ods(""), name="orders.xlsx", limits=Limits(), header=NamedColumns("Order id")
    )
    assert manifest.kind == "ods"
    [block] = manifest.sheets[0].blocks(ReadTally())
    assert block.cells[0].to_pylist() == ["1.7328629784861446e+19"]
    assert block.kinds[0].tolist() == [CellKind.NUMBER]
    assert refusal(ods("<encryption-data/>")).code is Code.PASSWORD_PROTECTED
