"""Hazards of encodings: marks, UTF-16 without one, old code pages, characters cut by the end."""

import codecs
import mmap
import re
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.core.errors import DropRefused
from pipeline.core.model import Limits, Manifest, ReadTally
from pipeline.reading.csv.encoding import (
    CHECKED,
    Encoding,
    choose_encoding,
    line_at,
    open_text,
)
from pipeline.reading.read_file import read_manifest
from schemas.codes import Code
from tests.fakes.header_finders import ExactHeader

HEADER = ("Id", "Ort")
TEXT = "Id,Ort\r\n1,München\r\n2,दिल्ली\r\n3,Köln\r\n"


def opened(data: bytes) -> Manifest:
    return read_manifest(data, name="drop.csv", limits=Limits(), header=ExactHeader(*HEADER))


def places(manifest: Manifest) -> list[str]:
    return [
        cell
        for block in manifest.sheets[0].blocks(ReadTally())
        for cell in block.cells[1].to_pylist()
    ]


@pytest.mark.parametrize(
    ("mark", "codec"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (b"", "utf-16-le"),
        (b"", "utf-16-be"),
        (b"", "utf-32-le"),
        (b"", "utf-32-be"),
    ],
)
def test_unicode_with_and_without_a_mark(mark: bytes, codec: str) -> None:
    manifest = opened(mark + TEXT.encode(codec))
    assert places(manifest) == ["München", "दिल्ली", "Köln"]
    assert manifest.dialect["encoding"] == codec
    assert manifest.notices == ()


def test_an_old_code_page_is_read_with_a_warning_that_names_the_line() -> None:
    manifest = opened("Id,Ort\r\n1,Bonn\r\n2,Köln € Süd\r\n".encode("cp1252"))
    assert places(manifest) == ["Bonn", "Köln € Süd"]
    [notice] = manifest.notices
    assert notice.code is Code.ENCODING_GUESSED
    assert "line 3" in notice.message


@pytest.mark.parametrize("before", range(5))
@pytest.mark.parametrize(
    ("piece", "codec"), [("é", "utf-8"), ("€", "utf-8"), ("🚚", "utf-8"), ("", "cp1252")]
)
def test_a_character_may_lie_across_the_pieces_that_are_validated(
    before: int, piece: str, codec: str
) -> None:
    across = piece.encode() or b"\x80" * 6
    data = b"a" * (CHECKED - before) + across + b"\n"
    assert choose_encoding(data, name="x").codec == codec


def test_a_mapped_file_is_validated_and_read_without_lying_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    line = "1,München\r\n"
    path.write_text("Id,Ort\r\n" + line * (4 * CHECKED // len(line.encode())), encoding="utf-8")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert choose_encoding(mapped, name="x").codec == "utf-8"
        assert resident(mapped) <= CHECKED


def resident(mapped: mmap.mmap) -> int:
    """Return the bytes of a mapped file in this process's memory."""
    address = pa.py_buffer(mapped).address
    found = re.compile(rf"^{address:x}-.*?^Rss:\s+(\d+) kB", re.MULTILINE | re.DOTALL)
    [size] = found.findall(Path("/proc/self/smaps").read_text())
    return int(size) * 1024


def test_bytes_without_a_meaning_become_replacement_characters() -> None:
    assert places(opened(b"Id,Ort\n1,K\xf6ln\x81\n")) == ["Köln\ufffd"]


def test_a_marked_file_with_bad_bytes_stays_utf8() -> None:
    manifest = opened(codecs.BOM_UTF8 + "Id,Ort\n1,दिल्ली\n".encode() + b"2,K\xf6ln\n")
    assert places(manifest) == ["दिल्ली", "K\ufffdln"]
    assert [notice.code for notice in manifest.notices] == [Code.ENCODING_GUESSED]


def test_a_few_bad_bytes_in_a_file_that_is_utf8_leave_it_utf8() -> None:
    [notice] = (mostly := opened("Id,Ort\n1,दिल्ली\n".encode() + b"2,K\xf6ln\n")).notices
    assert places(mostly) == ["दिल्ली", "K\ufffdln"]
    assert (notice.code, "UTF-8 but holds" in notice.message) == (Code.ENCODING_GUESSED, True)
    by_chance = opened("Id,Ort\n1,Köln\n2,Zürich\n3,Ã©\n".encode("cp1252"))
    assert places(by_chance) == ["Köln", "Zürich", "Ã©"]


@pytest.mark.parametrize("bad", [b"\xed\xa0\x80", b"\xc0\xaf", b"\xf5\x80\x80\x80", b"\xff"])
def test_utf8_is_strict(bad: bytes) -> None:
    assert choose_encoding(b"a,b\n" + bad + b"\n", name="x").codec == "cp1252"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode()[:-1].rpartition("ö".encode())[0] + "ö".encode()[:1],
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"))[:-1],
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le") + b"\0\0\0\0",
    ],
)
def test_a_character_cut_by_the_end_is_a_truncated_file(data: bytes) -> None:
    with pytest.raises(DropRefused) as caught:
        opened(data)
    assert caught.value.code is Code.TRUNCATED


def test_an_old_code_page_may_end_in_any_letter() -> None:
    assert places(opened("Id,Ort\n1,café".encode("cp1252"))) == ["café"]


def test_the_end_mark_of_dos_is_no_row() -> None:
    assert places(opened(b"Id,Ort\r\n1,Bonn\r\n\x1a")) == ["Bonn"]
    assert places(opened("Id,Ort\r\n1,Köln\r\n\x1a".encode("cp1252"))) == ["Köln"]


def test_long_transcoded_text_is_read_in_pieces_without_a_seam() -> None:
    names = [f"Köln {number} \U0001f4e6" for number in range(150_000)]
    text = "Id,Ort\r\n" + "".join(f"{at},{name}\r\n" for at, name in enumerate(names))
    assert places(opened(codecs.BOM_UTF16_LE + text.encode("utf-16-le"))) == names


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_lines_are_counted_over_the_seams_of_pieces(end: str) -> None:
    data = (("x" * 61 + end) * 70_000).encode()
    encoding = Encoding(codec="utf-8", start=0, in_place=True)
    wide = 61 + len(end)
    for line in (1, 2, 16_000, 16_913, 17_000, 69_999):
        assert line_at(open_text(data, encoding), (line - 1) * wide) == line
