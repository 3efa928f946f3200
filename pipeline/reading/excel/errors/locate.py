"""Which sheet of a workbook holds which error cells, whatever its format."""

import re

from pipeline.reading.excel.errors.binary import in_xls, in_xlsb, xlsb_sheets
from pipeline.reading.excel.errors.cells import ErrorCells, in_xml
from pipeline.reading.excel.errors.ods import in_ods
from pipeline.reading.excel.ole2 import open_compound
from pipeline.reading.excel.zip_parts import Package, plain_name
from pipeline.reading.file_type import Buffer

_SHEET = re.compile(rb"<(?:\w+:)?sheet\s([^>]*)>")
_RELATIONSHIP = re.compile(rb"<(?:\w+:)?Relationship\s([^>]*)>")
_ID = re.compile(rb"\b(?:\w+:id|Id)\s*=\s*[\"']([^\"']*)[\"']")
_TARGET = re.compile(rb"\bTarget\s*=\s*[\"']([^\"']*)[\"']")


def error_cells(package: Package | None, data: Buffer) -> list[ErrorCells]:
    """Return the error cells per sheet in the workbook's order; an empty list if there are none.

    ``package`` is the container that ``check_zip`` looked through, None for an XLS.
    """
    if package is None:
        compound = open_compound(data)
        return in_xls(compound.workbook()) if compound else []
    if package.kind == "ods":
        suspect = "content.xml" in package.suspects
        return in_ods(package.pieces("content.xml")) if suspect else []
    find = in_xlsb if package.kind == "xlsb" else in_xml
    if not any("/worksheets/" in part or package.kind == "xlsx" for part in package.suspects):
        return []
    return [
        find(package.pieces(part)) if part in package.suspects else ErrorCells()
        for part in sheet_parts(package)
    ]


def sheet_parts(package: Package) -> list[str]:
    """Return the part of each sheet in the workbook's order, "" where it cannot be told."""
    if package.kind == "xlsb":
        book = "workbook.bin"
        names = xlsb_sheets(package.pieces(f"xl/{book}"))
    else:
        book = "workbook.xml"
        found = (_ID.search(tag) for tag in _SHEET.findall(package.small(f"xl/{book}")))
        names = [_words(match[1]) if match else "" for match in found]
    targets: dict[str, str] = {}
    for tag in _RELATIONSHIP.findall(package.small(f"xl/_rels/{book}.rels")):
        name, target = _ID.search(tag), _TARGET.search(tag)
        if name and target:
            targets[_words(name[1])] = _part(_words(target[1]))
    return [targets.get(name, "") for name in names]


def _part(target: str) -> str:
    plain = plain_name(target)
    return plain if plain.startswith("xl/") else f"xl/{plain.removeprefix('./')}"


def _words(text: bytes) -> str:
    from xml.sax.saxutils import unescape  # it brings urllib and http along

    return unescape(text.decode("utf-8", errors="replace"))
