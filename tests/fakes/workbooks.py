"""OpenDocument spreadsheets, as LibreOffice writes them."""

import io
import zipfile
from collections.abc import Sequence
from xml.sax.saxutils import escape

_SPACE = "urn:oasis:names:tc:opendocument:xmlns:"
_NAMES = " ".join(f'xmlns:{each}="{_SPACE}{each}:1.0"' for each in ("office", "table", "text"))
_NAMES += ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'

_STYLED, _FILTERED = 'table:style-name="ro1"', 'table:visibility="filter"'


def ods(rows: Sequence[Sequence[object]], *, hidden: Sequence[int] = ()) -> bytes:
    """Return a spreadsheet. Cells are text, a number with what is shown of it (``(12, "0012")``),
    or an error as ValueError. ``hidden``: rows, from 1.
    """
    table = "".join(
        f"<table:table-row {_FILTERED if at in hidden else _STYLED}>"
        f"{''.join(map(_cell, cells))}</table:table-row>"
        for at, cells in enumerate(rows, start=1)
    )
    content = (
        f"<office:document-content {_NAMES}><office:body><office:spreadsheet>"
        f'<table:table table:name="S">{table}'
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    store = io.BytesIO()
    with zipfile.ZipFile(store, "w", 8) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest></manifest>")
        archive.writestr("content.xml", content)
    return store.getvalue()


def _cell(cell: object) -> str:
    if cell == "":
        return "<table:table-cell/>"
    kind, shown = 'office:value-type="string" calcext:value-type="string"', str(cell)
    if isinstance(cell, tuple):
        value, shown = cell
        kind = f'office:value-type="float" office:value="{value}" calcext:value-type="float"'
    elif isinstance(cell, ValueError):
        kind = 'office:value-type="string" office:string-value="" calcext:value-type="error"'
    return f"<table:table-cell {kind}><text:p>{escape(shown)}</text:p></table:table-cell>"
