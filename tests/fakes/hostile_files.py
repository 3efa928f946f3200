"""Small files that cost whoever reads them dear: made here, byte by byte."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping

_OFFICE = "urn:oasis:names:tc:opendocument:xmlns"
_SPREADSHEETML = "http://schemas.openxmlformats.org"


def zipped(parts: Mapping[str, str | bytes], *, level: int | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def bomb(gigabytes: int) -> bytes:
    """An XLSX whose one sheet inflates to so many GB of zeros, and says it has a megabyte."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    million = bytes(1_000_000)
    first = deflate.compress(million) + deflate.flush(zlib.Z_FULL_FLUSH)
    again = deflate.compress(million) + deflate.flush(zlib.Z_FULL_FLUSH)
    data = first + again * (1000 * gigabytes - 1) + deflate.flush()
    name = b"xl/worksheets/sheet1.xml"
    shared = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, 0, len(data), 1_000_000, len(name), 0)
    local = b"PK\x03\x04" + shared + name + data
    head = zipped({"[Content_Types].xml": "<Types/>", "xl/workbook.xml": "<workbook/>"})
    end = head.rindex(b"PK\x05\x06")
    (directory,) = struct.unpack_from("<I", head, end + 16)
    entries = head[directory:end] + (
        b"PK\x01\x02"
        + struct.pack("<H", 20)
        + shared
        + struct.pack("<HHHII", 0, 0, 0, 0, directory)
    )
    entries += name
    at = directory + len(local)
    tail = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 3, 3, len(entries), at, 0)
    return head[:directory] + local + entries + tail


def repeating_ods(rows: int, columns: int) -> bytes:
    """An ODS of under a kilobyte in which one cell says how often it is repeated."""
    heading = "".join(
        f'<table:table-cell office:value-type="string"><text:p>{name}</text:p></table:table-cell>'
        for name in ("Order ID", "Status")
    )
    content = (
        f'<office:document-content xmlns:office="{_OFFICE}:office:1.0" '
        f'xmlns:table="{_OFFICE}:table:1.0" xmlns:text="{_OFFICE}:text:1.0"><office:body>'
        f'<office:spreadsheet><table:table table:name="S"><table:table-row>{heading}'
        f'</table:table-row><table:table-row table:number-rows-repeated="{rows}">'
        f'<table:table-cell table:number-columns-repeated="{columns}" '
        'office:value-type="float" office:value="1"/></table:table-row></table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    manifest = f'<manifest:manifest xmlns:manifest="{_OFFICE}:manifest:1.0"/>'
    mime = "application/vnd.oasis.opendocument.spreadsheet"
    return zipped({"mimetype": mime, "META-INF/manifest.xml": manifest, "content.xml": content})


def far_apart_xlsb() -> bytes:
    """An XLSB whose cells are as far apart as a sheet allows: its reader lays out all between."""
    cells = [(0, 0, "Order ID"), (0, 1, "Status"), (1, 0, "A1"), (1, 1, "Delivered")]
    return xlsb([*cells, (1_048_575, 16_383, "x")])


def xlsb(
    cells: Iterable[tuple[int, int, str]],
    *,
    merged: Iterable[tuple[int, int, int, int]] = (),
    hidden: Iterable[int] = (),
    formats: Mapping[tuple[int, int], str] | None = None,
) -> bytes:
    """An XLSB of cells (row, column, text). Rows and columns count from 0.

    ``merged``: first and last row, first and last column. ``hidden``: columns. ``formats``: of
    single cells, by row and column.
    """
    formats = formats or {}
    styles = _record(0x0269, struct.pack("<I", len(formats) + 1)) + _style(0)
    own = b""
    for number, code in enumerate(formats.values(), start=164):
        own += _record(0x2C, struct.pack("<H", number) + _wide(code))
        styles += _style(number)
    sheet = _record(0x81) + _record(0x94, bytes(16))
    for column in hidden:
        sheet += _record(0x3C, struct.pack("<IIIIH", column, column, 2340, 0, 1))
    sheet += _record(0x91)
    for row, column, text in cells:
        sheet += _record(0x00, struct.pack("<I", row) + bytes(13))
        style = [*formats].index((row, column)) + 1 if (row, column) in formats else 0
        sheet += _record(0x06, struct.pack("<II", column, style) + _wide(text))
    sheet += _record(0x92)
    for place in merged:
        sheet += _record(0xB0, struct.pack("<IIII", *place))
    sheet += _record(0x82)
    book = _record(0x83) + _record(0x99, bytes(12)) + _record(0x8F)
    book += _record(0x9C, struct.pack("<II", 0, 1) + _wide("rId1") + _wide("Sheet1"))
    book += _record(0x90) + _record(0x84)
    kind = "application/vnd.ms-excel.sheet.binary.macroEnabled.main"
    relations = f"{_SPREADSHEETML}/officeDocument/2006/relationships"
    return zipped(
        {
            "[Content_Types].xml": f'<Types xmlns="{_SPREADSHEETML}/package/2006/content-types">'
            f'<Default Extension="bin" ContentType="{kind}"/></Types>',
            "xl/workbook.bin": book,
            "xl/_rels/workbook.bin.rels": (
                f'<Relationships xmlns="{_SPREADSHEETML}/package/2006/relationships">'
                f'<Relationship Id="rId1" Type="{relations}/worksheet" '
                'Target="worksheets/sheet1.bin"/></Relationships>'
            ),
            "xl/worksheets/sheet1.bin": sheet,
            **({"xl/styles.bin": own + styles + _record(0x026A)} if formats else {}),
        }
    )


def _style(number: int) -> bytes:
    return _record(0x2F, struct.pack("<HH", 0, number) + bytes(12))


def _record(kind: int, data: bytes = b"") -> bytes:
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    assert len(data) < 0x80
    return head + bytes([len(data)]) + data


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def long_xlsx(sheets: int) -> bytes:
    """A sound XLSX of some kB a sheet, each just small enough to be packed as tightly as it likes.

    A sheet takes about half a second of processor time.
    """
    text = '<c t="inlineStr"><is><t>{}</t></is></c>'
    heading = f"<row>{text.format('Order ID')}{text.format('Status')}</row>"
    row = "<row>" + "<c><v>1</v></c>" * 10 + "</row>"
    sheet = f'<worksheet xmlns="{_SPREADSHEETML}/spreadsheetml/2006/main"><sheetData>{heading}'
    sheet += row * (9_900_000 // len(row)) + "</sheetData></worksheet>"
    relations = f"{_SPREADSHEETML}/officeDocument/2006/relationships"
    numbers = range(1, sheets + 1)
    listed = "".join(f'<sheet name="S{n}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
    related = "".join(
        f'<Relationship Id="rId{n}" Type="{relations}/worksheet" Target="worksheets/s{n}.xml"/>'
        for n in numbers
    )
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": f'<Relationships xmlns="{_SPREADSHEETML}/package/2006/relationships">'
            f'<Relationship Id="r" Type="{relations}/officeDocument" Target="xl/workbook.xml"/>'
            "</Relationships>",
            "xl/workbook.xml": f'<workbook xmlns="{_SPREADSHEETML}/spreadsheetml/2006/main" '
            f'xmlns:r="{relations}"><sheets>{listed}</sheets></workbook>',
            "xl/_rels/workbook.xml.rels": "<Relationships "
            f'xmlns="{_SPREADSHEETML}/package/2006/relationships">{related}</Relationships>',
            **{f"xl/worksheets/s{n}.xml": sheet for n in numbers},
        },
        level=1,  # a third of the time
    )
