"""OLE2 containers: the directory says what a file is, not a word somewhere in its bytes."""

import pytest

from pipeline.core.errors import DropRefused
from pipeline.core.model import Limits, ReadTally
from pipeline.reading.read_file import read_manifest
from schemas.codes import Code
from tests.fakes.header_finders import NamedColumns
from tests.fakes.ole2 import Folder, ole2, xls

WORDS = (
    "WordDocument",
    "EncryptedPackage",
    "PowerPoint Document",
    "VisioDocument",
    "__properties_version1.0",
)
HEADER = ["Order id", "Status", "Remark"]


def rows_of(data: bytes) -> list[list[str]]:
    manifest = read_manifest(
        data, name="x.xls", limits=Limits(), header=NamedColumns("Order id", "Status")
    )
    [block] = manifest.sheets[0].blocks(ReadTally())
    return [list(row) for row in zip(*(column.to_pylist() for column in block.cells), strict=True)]


def refusal(data: bytes) -> DropRefused:
    with pytest.raises(DropRefused) as caught:
        read_manifest(data, name="x.xls", limits=Limits(), header=NamedColumns("Order id"))
    return caught.value


@pytest.mark.parametrize("word", WORDS)
def test_a_cell_with_a_word_of_the_format_is_only_a_cell(word: str) -> None:
    rows = [["1", "Delivered", word], ["2", "Delivered", ""]]
    assert rows_of(ole2({"Workbook": xls([HEADER, *rows])})) == rows


@pytest.mark.parametrize("word", WORDS)
def test_a_workbook_with_an_object_embedded_is_a_workbook(word: str) -> None:
    rows = [["1", "Delivered", "fine"]]
    embedded: Folder = {"MBD0001": {word: b"a document", "Workbook": b"another"}}
    assert rows_of(ole2({"Workbook": xls([HEADER, *rows]), **embedded})) == rows


def test_bytes_as_an_encrypted_sheet_begins_are_only_bytes_elsewhere() -> None:
    rows = [["1", "Delivered", "fine"]]
    other = xls([HEADER], protected=True)
    assert rows_of(ole2({"Ctls": other, "Workbook": xls([HEADER, *rows])})) == rows


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"WordDocument": b"x", "ObjectPool": {"_1": {"Workbook": xls([HEADER])}}}, "Word"),
        ({"PowerPoint Document": b"x"}, "PowerPoint"),
        ({"VisioDocument": b"x"}, "Visio"),
        ({"__properties_version1.0": b"x", "__attach": {"Workbook": b"x"}}, "Outlook"),
    ],
    ids=["Word", "PowerPoint", "Visio", "Outlook"],
)
def test_a_document_with_a_workbook_inside_is_that_document(content: Folder, kind: str) -> None:
    error = refusal(ole2(content))
    assert error.code is Code.UNSUPPORTED_TYPE
    assert kind in error.message


@pytest.mark.parametrize(
    "content",
    [
        {"EncryptionInfo": b"x", "EncryptedPackage": b"x"},
        {"Workbook": xls([HEADER, ["1", "Delivered", ""]], protected=True)},
    ],
    ids=["XLSX", "XLS"],
)
def test_what_is_encrypted_is_password_protected(content: Folder) -> None:
    assert refusal(ole2(content)).code is Code.PASSWORD_PROTECTED


def test_a_directory_that_leads_back_to_itself_ends() -> None:
    data = bytearray(ole2({"One": b"1", "Two": b"2"}))
    at = data.index("Two".encode("utf-16-le"))
    data[at + 72 : at + 76] = data[at + 68 : at + 72] = (1).to_bytes(4, "little")
    assert refusal(bytes(data)).code is Code.UNREADABLE
