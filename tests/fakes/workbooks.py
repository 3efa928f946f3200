"""OpenDocument spreadsheets, as LibreOffice writes them."""

import io
import zipfile
from collections.abc import Sequence
from xml.sax.saxutils import escape

_SPACE = "urn:oasis:names:tc:opendocument:xmlns:"
_NAMES = " ".join(
    f'xmlns:{each}="{_SPACE}{each}:1.0"' for each in ("office", "table", "text", "style")
)
_NAMES += ' xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0"'

_STYLES = (
    '<office:automatic-styles><style:style style:name="ce1" style:family="table-cell">'
    '<style:text-properties style:text-line-through-style="solid"/></style:style>'
    "</office:automatic-styles>"
)
_STRUCK = 'table:style-name="ce1" '
_STYLED, _FILTERED = 'table:style-name="ro1"', 'table:visibility="filter"'


def ods(
    rows: Sequence[Sequence[object]], *, hidden: Sequence[int] = (), struck: Sequence[int] = ()
) -> bytes:
    """Return a spreadsheet. Cells are text, a number with what is shown of it (``(12, "0012")``),
    or an error as ValueError. ``hidden``, ``struck``: rows, from 1.
    """
    table = "".join(
        f"<table:table-row {_FILTERED if at in hidden else _STYLED}>"
        f"{''.join(_cell(each, _STRUCK * (at in struck)) for each in cells)}</table:table-row>"
        for at, cells in enumerate(rows, start=1)
    )
    content = (
        f"<office:document-content {_NAMES}>{_STYLES}<office:body><office:spreadsheet>"
        f'<table:table table:name="S">{table}'
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    store = io.BytesIO()
    with zipfile.ZipFile(store, "w", 8) as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", "<manifest></manifest>")
        archive.writestr("content.xml", content)
    return store.getvalue()


def _cell(cell: object, style: str) -> str:
    if cell == "":
        return "<table:table-cell/>"
    kind, shown = 'office:value-type="string" calcext:value-type="string"', str(cell)
    if isinstance(cell, tuple):
        value, shown = cell
        kind = f'office:value-type="float" office:value="{value}" calcext:value-type="float"'
    elif isinstance(cell, ValueError):
        kind = 'office:value-type="string" office:string-value="" calcext:value-type="error"'
    return f"<table:table-cell {style}{kind}><text:p>{escape(shown)}</text:p></table:table-cell>"
