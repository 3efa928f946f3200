"""Hazards of a CSV file's structure: line ends, quotes, ragged rows, headers, a cut end."""

import mmap
from pathlib import Path

import pytest

from pipeline.core.errors import DropRefused
from pipeline.core.model import Block, Limits, Manifest, ReadTally, RowFacts
from pipeline.reading.csv import reader as room
from pipeline.reading.read_file import read_manifest
from schemas.codes import Code
from schemas.vocabulary import EMPTY_SURPLUS
from tests.fakes.header_finders import NamedColumns

Row = tuple[int, tuple[str, ...]]


def opened(text: str | bytes, *names: str, limits: Limits | None = None) -> Manifest:
    data = text.encode() if isinstance(text, str) else text
    header = NamedColumns(*(names or ("Id", "Status")))
    return read_manifest(data, name="drop.csv", limits=limits or Limits(), header=header)


def blocks_of(manifest: Manifest, tally: ReadTally | None = None) -> list[Block]:
    return list(manifest.sheets[0].blocks(tally or ReadTally()))


def rows_of(manifest: Manifest, tally: ReadTally | None = None) -> list[Row]:
    rows: list[Row] = []
    for block in blocks_of(manifest, tally):
        columns = [column.to_pylist() for column in block.cells]
        rows.extend(zip(block.rows.tolist(), zip(*columns, strict=True), strict=True))
    return rows


def refused(text: str | bytes, *names: str, limits: Limits | None = None) -> DropRefused:
    with pytest.raises(DropRefused) as caught:
        blocks_of(opened(text, *names, limits=limits))
    return caught.value


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_every_line_end_is_one_terminator(end: str) -> None:
    text = end.join(["Id,Status", "1,a", "", "2,b"]) + end
    tally = ReadTally()
    assert rows_of(opened(text), tally) == [(2, ("1", "a")), (4, ("2", "b"))]
    assert tally.blank == 1


def test_mixed_line_ends_and_unicode_line_separators() -> None:
    text = "Id,Status\r\n1,a\u2028b\r2,c\x0bd\n3,e\x85f\r\r\n4,g"
    assert rows_of(opened(text)) == [
        (2, ("1", "a\u2028b")),
        (3, ("2", "c\x0bd")),
        (4, ("3", "e\x85f")),
        (5, ("4", "g")),
    ]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_record_that_spans_lines_counts_once_and_keeps_its_newline(newline: str) -> None:
    text = f'Id,Status\r\n1,"a{newline}{newline}b"\r\n2,c\r\n'
    assert rows_of(opened(text)) == [(2, ("1", f"a{newline}{newline}b")), (3, ("2", "c"))]


def test_a_quote_inside_an_unquoted_cell_is_data() -> None:
    text = 'Id,Status\n1,5" pipe\n2,"say ""hi"", then go"\n3,a"b"c\n'
    assert [cells[1] for _, cells in rows_of(opened(text))] == [
        '5" pipe',
        'say "hi", then go',
        'a"b"c',
    ]


def test_blanks_after_a_closing_quote_are_harmless() -> None:
    assert rows_of(opened('Id,Status\n"1" ,"b"\t\n')) == [(2, ("1 ", "b\t"))]
    over_two_lines = 'Id,Status\n"1" ,"b\nc"\n"d""\ne" ,2\n'
    assert rows_of(opened(over_two_lines)) == [(2, ("1 ", "b\nc")), (3, ('d"\ne ', "2"))]


def test_an_unbalanced_quote_is_refused_with_its_line_not_swallowed() -> None:
    refusal = refused('Id,Status\n1,a\n2,"b\n3,c\n4,d\n')
    assert refusal.code is Code.CSV_BROKEN
    assert "line 3" in refusal.message
    assert refusal.hint


def test_the_line_of_a_broken_quote_counts_lines_inside_quotes() -> None:
    refusal = refused('Id,Status\r\n1,"a\r\nb\r\nc"\r\n2,"x"y\r\n3,z\r\n')
    assert refusal.code is Code.CSV_BROKEN
    assert "line 5" in refusal.message


def test_text_after_a_closing_quote_is_refused() -> None:
    assert refused('Id,Status\n1,"abc"d\n').code is Code.CSV_BROKEN


def test_a_broken_quote_in_a_later_segment_names_the_right_line() -> None:
    body = "".join(f"{number},some status\n" for number in range(40_000))
    text = ("Id,Status\n" + body + '"x,y\n' + body).encode()
    source = opened(text).sheets[0].blocks
    assert isinstance(source, room.CsvBlocks)
    small = room.CsvBlocks(
        data=text, encoding=source.encoding, dialect=source.dialect, max_rows=10**6, segment=65536
    )
    with pytest.raises(DropRefused, match="line 40002 "):
        list(small(ReadTally()))


def test_a_record_longer_than_any_real_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_RECORD", 1 << 20)
    text = "Id,Status\n1,a\n2," + "x" * (5 << 20) + "\n"
    assert refused(text).code is Code.CSV_BROKEN


def test_missing_trailing_cells_are_empty_and_noted() -> None:
    [block] = blocks_of(opened("Id,Status,Remark,City\n1,a,b,c\n2,d\n3,e,f,g\n", "Id", "Status"))
    assert block.cells[2].to_pylist() == ["b", "", "f"]
    assert block.facts == {1: RowFacts(cells=2)}


def test_cells_missing_under_blank_headers_are_not_missing() -> None:
    [block] = blocks_of(opened("Id,Status,,\n1,a\n2,b,,\n"))
    assert not block.facts


def test_extra_empty_cells_are_fine_and_extra_text_is_kept() -> None:
    [block] = blocks_of(opened('Id,Status\n1,a,, \n2,b,,"x, y",\n3,c,\n'))
    assert block.rows.tolist() == [2, 3, 4]
    assert dict(block.extra) == {1: ("", "x, y")}


@pytest.mark.parametrize(("wide", "noted"), [(1, True), (8, True), (9, False), (10, False)])
def test_extra_empty_cells_are_noted_unless_most_rows_have_them(wide: int, noted: bool) -> None:
    rows = [f"{n},a,{',' if n < wide else 'b'}\n" for n in range(10)]
    # Blank rows, repeated headers and rows that lack cells are not counted.
    [block] = blocks_of(opened("Id,Status,City\n" + "".join(rows) + "\nId,Status,City\n11,a\n"))
    assert dict(block.extra) == (dict.fromkeys(range(wide), (EMPTY_SURPLUS,)) if noted else {})
    assert list(block.facts) == [10]


def test_facts_stay_with_their_rows_when_blank_rows_are_dropped() -> None:
    [block] = blocks_of(opened("Id,Status\n\n , \n1,a,x\n,,\n2\n3,b\n"))
    assert block.rows.tolist() == [4, 6, 7]
    assert block.facts == {1: RowFacts(cells=1)}
    assert dict(block.extra) == {0: ("x",)}


def test_title_rows_are_passed_over_and_the_header_is_found_by_its_names() -> None:
    tally = ReadTally()
    manifest = opened("Report of June\n\n,,\nId,Status\n1,a\n")
    assert rows_of(manifest, tally) == [(5, ("1", "a"))]
    assert manifest.sheets[0].header_row == 4
    assert tally == ReadTally(blank=0, header=0)


def test_header_as_late_as_row_fifty_but_not_later() -> None:
    assert opened("x,y\n" * 49 + "Id,Status\n").sheets[0].header_row == 50
    assert refused("x,y\n" * 50 + "Id,Status\n").code is Code.HEADER_NOT_FOUND


def test_exact_repeats_of_the_header_are_skipped_and_counted() -> None:
    tally = ReadTally()
    assert len(rows_of(opened("Id,Status\n1,a\nId,Status\n2,b\nId,Status,\n"), tally)) == 2
    assert tally.header == 2


def test_two_different_headers_are_ambiguous() -> None:
    refusal = refused("Id,Status\n1,a\nStatus,Id\nb,2\n")
    assert refusal.code is Code.HEADER_AMBIGUOUS
    assert "1 and 3" in refusal.message


def test_no_header_shows_the_rows_that_were_seen() -> None:
    header = NamedColumns("Id")
    with pytest.raises(DropRefused):
        read_manifest(b"\nPin;City\n1;x\n", name="x", limits=Limits(), header=header)
    assert header.seen == [["Pin", "City"], ["1", "x"]]


def test_header_only_is_a_manifest_without_rows() -> None:
    assert rows_of(opened("Id,Status")) == []


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("Id;Status;Note\n1;a;x, y\n", "semicolon"),
        ("Id\tStatus\n1\ta,b;c|d\n", "tab"),
        ("Id|Status\n1|a,b\n", "pipe"),
        ("sep=;\nId;Status\n1;a\n", "semicolon"),
        ('"sep=|"\r\nId|Status\r\n1|a\r\n', "pipe"),
        ("sep=^\nId^Status\n1^a\n", "^"),
        ("Id,Status;x\n1,a;y\n2,b;z\n", "comma"),
    ],
)
def test_the_header_decides_the_delimiter(text: str, delimiter: str) -> None:
    manifest = opened(text, "Id")
    assert manifest.dialect["delimiter"] == delimiter
    assert manifest.sheets[0].header_row == 1
    assert rows_of(manifest)[0][0] == 2


def test_among_fitting_delimiters_the_even_one_wins() -> None:
    text = "Id,Status,a;Id;Status\n" + "".join(f"{n},x,y;z;w;v;u\n" for n in range(5))
    assert opened(text, "Id").dialect["delimiter"] == "comma"


def test_a_cut_last_record_is_truncated() -> None:
    assert refused("Id,Status,City\n1,a,b\n2,c").code is Code.TRUNCATED
    assert refused('Id,Status,City\n1,a,b\n2,"c').code is Code.TRUNCATED


def test_a_short_last_row_is_no_cut_when_it_ended_or_others_are_short_too() -> None:
    assert len(rows_of(opened("Id,Status,City\n1,a,b\n2,c\n"))) == 2
    assert len(rows_of(opened("Id,Status,City\n1,a\n2,c"))) == 2
    assert len(rows_of(opened("Id,Status,City\n1,a,b\n2,c,d"))) == 2


@pytest.mark.parametrize("text", [b"Id,Status\n1,a\n" + b"\0" * 4096, b"\0" * 512])
def test_a_preallocated_tail_of_nuls_is_truncated(text: bytes) -> None:
    assert refused(text).code is Code.TRUNCATED


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b"\r\n\r\n\n", b"\xff\xfe", b" \n\t\n"])
def test_an_empty_file_is_refused(data: bytes) -> None:
    assert refused(data).code is Code.EMPTY_FILE


def test_limits_on_bytes_rows_and_columns() -> None:
    text = "Id,Status\n1,a\n2,b\n\n3,c\n"
    assert refused(text, limits=Limits(max_bytes=len(text) - 1)).code is Code.FILE_TOO_LARGE
    assert len(rows_of(opened(text, limits=Limits(max_bytes=len(text))))) == 3
    assert refused(text, limits=Limits(max_rows=2)).code is Code.TOO_MANY_ROWS
    assert len(rows_of(opened(text, limits=Limits(max_rows=3)))) == 3
    assert refused(text, limits=Limits(max_columns=1)).code is Code.UNREADABLE


def test_blocks_can_be_read_again_and_are_the_same() -> None:
    manifest = opened('Id,Status\n1,"a"\n\n2,b,c\n')
    first, second = ReadTally(), ReadTally()
    assert rows_of(manifest, first) == rows_of(manifest, second)
    assert first == second == ReadTally(blank=1)


def test_long_files_come_in_blocks_of_bounded_size_with_running_numbers() -> None:
    text = "Id,Status\n" + "".join(f"{number},x\n" for number in range(120_000))
    blocks = blocks_of(opened(text))
    assert max(map(len, blocks)) <= 50_000
    numbers = [number for block in blocks for number in block.rows.tolist()]
    assert numbers == list(range(2, 120_002))
    assert [cell for block in blocks for cell in block.cells[0].to_pylist()] == [
        str(number) for number in range(120_000)
    ]


@pytest.mark.parametrize("text", ['Id,Status\n1,"a"b\n', "Id,Status\n\n1,a,\n2", "x,y\n1,2\n"])
def test_a_refusal_does_not_keep_a_mapped_file_from_closing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "drop.csv"
    path.write_text(text)
    header = NamedColumns("Id")
    with (
        pytest.raises(DropRefused),
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        blocks_of(read_manifest(data, name="x", limits=Limits(), header=header))


def test_a_mapped_file_can_be_closed_after_reading(tmp_path: Path) -> None:
    path = tmp_path / "drop.csv"
    path.write_bytes(b'Id,Status\n1,"a"\n2,b\n')
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        manifest = read_manifest(data, name="x", limits=Limits(), header=NamedColumns("Id"))
        blocks = blocks_of(manifest)
    assert blocks[0].cells[1].to_pylist() == ["a", "b"]
