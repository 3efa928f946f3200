"""The extension lies: what is no table is refused by its content, naming what it is."""

import gzip
import io
import zipfile

import pytest

from pipeline.core.errors import DropRefused
from pipeline.core.model import Limits
from pipeline.reading.read_file import read_manifest
from schemas.codes import Code
from tests.fakes.header_finders import ExactHeader, NamedColumns
from tests.fakes.ole2 import ole2


def packed(**parts: bytes) -> bytes:
    store = io.BytesIO()
    with zipfile.ZipFile(store, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/"), content)
    return store.getvalue()


HTML = b"\r\n<!-- export -->\n<TABLE border=1><tr><td>Id</td></tr></TABLE>"


FORMATS: list[tuple[bytes, str]] = [
    (gzip.compress(b"Id,Status\n1,a\n", mtime=0), "gzip"),
    (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "PDF"),
    (HTML, "HTML"),
    (b"\xff\xfe" + HTML.decode().encode("utf-16-le"), "HTML"),
    (b"\xef\xbb\xbf<?xml version='1.0'?><root/>", "XML"),
    (
        b'<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?><Workbook/>',
        "Excel 2003 XML",
    ),
    (b'{"orders": [1, 2]}', "JSON"),
    (b'[{"id": 1}]', "JSON"),
    (b"MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n", "MIME"),
    (b"{\\rtf1\\ansi}", "RTF"),
    (b"ID;PWXL;N;E\r\nP;PGeneral\r\nC;Y1;X1;K1\r\nE\r\n", "SYLK"),
    (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "PNG"),
    (bytes(range(256)) * 8, "binary"),
    (packed(**{"orders.csv": b"Id\n1\n"}), "zip archive of 1 file"),
    (packed(word__document=b"x", **{"[Content_Types].xml": b"wordprocessingml"}), "Word"),
    (packed(mimetype=b"application/vnd.oasis.opendocument.text"), "OpenDocument"),
    (
        ole2({"WordDocument": b"x"}),
        "Word",
    ),
]


@pytest.mark.parametrize(("data", "kind"), FORMATS, ids=[kind for _, kind in FORMATS])
def test_other_formats_are_refused_by_content_and_named(data: bytes, kind: str) -> None:
    with pytest.raises(DropRefused) as caught:
        read_manifest(data, name="orders.csv", limits=Limits(), header=ExactHeader("Id"))
    assert caught.value.code is Code.UNSUPPORTED_TYPE
    assert kind in caught.value.message
    assert caught.value.message.startswith('"orders.csv" is ')
    assert caught.value.hint


@pytest.mark.parametrize(
    "data",
    [
        b"ID;Promise Date\r\nA;2024-06-26\r\n",
        b"ID,<b>x</b>\n1,2\n",
        b"ID,{x}\n1,[a]\n",
        "ID,\u0939\u093f\n1,\u0928\n".encode(),
        b"ID,x\0y\n1,a\n2,b\n",
    ],
)
def test_text_that_only_resembles_another_format_is_read(data: bytes) -> None:
    manifest = read_manifest(data, name="x.pdf", limits=Limits(), header=NamedColumns("ID"))
    assert manifest.kind == "csv"


def test_names_are_shown_without_control_characters() -> None:
    with pytest.raises(DropRefused) as caught:
        read_manifest(b"", name="a\x1b[31m\n" + "b" * 200, limits=Limits(), header=ExactHeader())
    assert "\x1b" not in caught.value.message
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < 100
