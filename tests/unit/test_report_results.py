"""results.csv: read back with Python's own CSV reader."""

import csv
import io
from collections.abc import Mapping

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.formula_guard import unguard_cell
from pipeline.core.model import ResultBlock
from pipeline.core.row_columns import RESULT
from pipeline.reporting.results_csv import COLUMNS, Part, csv_cell, results_header, results_lines

BOM = b"\xef\xbb\xbf"
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


def block(*lines: Mapping[str, object], sheet: str = "") -> ResultBlock:
    sound: dict[str, object] = {
        "row": 1,
        "order_id": "17788112345678901234",
        "awb": "",
        "source_status": "Delivered",
        "order_status": "delivery_done",
        "outcome": "accepted",
        "codes": "",
        "message": "",
        "chunk": 0,
        "http_status": 200,
        "attempts": 1,
        "sent_at": "2026-01-02T03:04:05.678Z",
    }
    table = pa.Table.from_pylist([sound | dict(line) for line in lines], schema=RESULT)
    return ResultBlock(sheet=sheet, headers=(), table=table, cells=())


def written(*blocks: ResultBlock, source_file: str = "a.csv") -> bytes:
    parts = [Part(block=each, drop_id="d1", source_file=source_file) for each in blocks]
    return results_header() + b"".join(results_lines(parts) if parts else [])


def read(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_the_header_is_the_contracts_and_comes_without_rows() -> None:
    line = (
        "row,sheet,order_id,awb,source_status,order_status,outcome,codes,message,chunk,"
        "http_status,attempts,sent_at,drop_id,source_file\r\n"
    )
    assert written() == BOM + line.encode()
    assert written(block()) == BOM + line.encode()


def test_a_plain_line_to_the_byte() -> None:
    line = written(block({"row": 7})).split(b"\r\n")[1]
    assert line == (
        b"7,,17788112345678901234,,Delivered,delivery_done,accepted,,,0,200,1,"
        b"2026-01-02T03:04:05.678Z,d1,a.csv"
    )


def test_a_row_that_was_never_sent_has_no_chunk_and_no_http_status() -> None:
    data = written(block({"chunk": None, "http_status": None, "attempts": 0, "sent_at": ""}))
    row = read(data)[0]
    assert (row["chunk"], row["http_status"], row["attempts"], row["sent_at"]) == ("", "", "0", "")


def test_lines_keep_the_order_of_blocks_and_rows() -> None:
    data = written(block({"row": 2}, {"row": 3}, sheet="A"), block(), block({"row": 1}, sheet="B"))
    assert [(row["sheet"], row["row"]) for row in read(data)] == [
        ("A", "2"),
        ("A", "3"),
        ("B", "1"),
    ]
    assert data.endswith(b"\r\n")


def test_formulas_are_guarded_in_every_text_column_and_ids_are_plain_text() -> None:
    evil = "=cmd|'/c calc'!A1"
    data = written(
        block(dict.fromkeys(("order_id", "awb", "source_status", "message"), evil), sheet=evil),
        source_file=evil,
    )
    row = read(data)[0]
    for column in ("sheet", "order_id", "awb", "source_status", "message", "source_file"):
        assert row[column] == f"'{evil}"
    assert read(written(block({})))[0]["order_id"] == "17788112345678901234"


def test_numbers_are_not_guarded() -> None:
    assert read(written(block({"row": -1})))[0]["row"] == "-1"


def test_a_file_name_that_is_no_utf8_does_not_stop_the_report() -> None:
    name = b"caf\xe9,1.csv".decode("utf-8", "surrogateescape")
    assert read(written(block({}), source_file=name))[0]["source_file"] == "caf\ufffd,1.csv"


def test_nul_is_replaced_not_dropped_so_no_id_is_joined() -> None:
    assert read(written(block({"order_id": "177\x00881"})))[0]["order_id"] == "177\ufffd881"


def test_a_sliced_or_chunked_table_is_written_like_any_other() -> None:
    whole = block(*({"row": n, "message": f"m{n}"} for n in range(10))).table
    parts = pa.concat_tables([whole.slice(4, 2), whole.slice(8)])
    data = written(ResultBlock(sheet="", headers=(), table=parts, cells=()))
    assert [row["message"] for row in read(data)] == ["m4", "m5", "m8", "m9"]


@given(st.lists(st.tuples(TEXT, TEXT), max_size=5))
def test_any_text_survives_a_csv_reader(pairs: list[tuple[str, str]]) -> None:
    data = written(block(*({"source_status": one, "message": two} for one, two in pairs)))
    back = [
        (unguard_cell(row["source_status"]), unguard_cell(row["message"])) for row in read(data)
    ]
    assert back == pairs
    assert all(list(row) == list(COLUMNS) for row in read(data))


def test_cells_that_confuse_readers_are_quoted() -> None:
    assert csv_cell("a;b") == '"a;b"'
    assert csv_cell(" a") == '" a"'
    assert csv_cell("a\u2028b") == '"a\u2028b"'
    assert csv_cell('say "x"') == '"say ""x"""'
    assert csv_cell("plain text-1") == "plain text-1"
