"""Real files that nobody here made, and how tests read them.

They are not part of the project: they are looked for next to it, or where ``SHIPDROP_CORPORA``
points.
"""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.core.errors import DropRefused
from pipeline.core.model import Limits, Manifest, ReadTally
from pipeline.reading.read_file import read_manifest
from schemas.codes import Code
from tests.fakes.header_finders import ExactHeader

ROOT = Path(
    os.environ.get("SHIPDROP_CORPORA") or Path(__file__).parents[2].parent / "shared" / "corpora"
)
MANIFEST = ROOT / "MANIFEST.tsv"


@dataclass(frozen=True)
class Table:
    """The first sheet of a file. ``numbers``: the record number of each row after the header."""

    manifest: Manifest
    header: list[str]
    rows: list[list[str]]
    numbers: list[int]
    tally: ReadTally


def listed() -> list[str]:
    """The files that MANIFEST.tsv lists and that are there."""
    if not MANIFEST.is_file():
        return ["(absent)"]
    with MANIFEST.open(encoding="utf-8", newline="") as lines:
        paths = [
            row["path"] for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
        ]
    return [path for path in paths if (ROOT / path).is_file()]


def table_of(data: bytes, name: str, *, filled: int = 2) -> Table:
    """Read a file's first sheet, taking the first row with ``filled`` cells for the header.

    Raises DropRefused.
    """
    pilot = ExactHeader()
    try:
        read_manifest(data, name=name, limits=Limits(), header=pilot)
    except DropRefused as refusal:
        if refusal.code is not Code.HEADER_NOT_FOUND or not pilot.seen:
            raise
    wanted = (row for row in pilot.seen if sum(bool(cell.strip()) for cell in row) >= filled)
    header = next(wanted, pilot.seen[0])
    manifest = read_manifest(data, name=name, limits=Limits(), header=ExactHeader(*header))
    tally = ReadTally()
    rows: list[list[str]] = []
    numbers: list[int] = []
    last = manifest.sheets[0].header_row
    for block in manifest.sheets[0].blocks(tally):
        columns = [column.to_pylist() for column in block.cells]
        assert all(None not in column for column in columns)
        assert block.rows[0] > last
        last = int(block.rows[-1])
        numbers += block.rows.tolist()
        for at, row in enumerate(zip(*columns, strict=True)):
            rows.append([*row, *block.extra.get(at, ())])
    return Table(manifest, header, rows, numbers, tally)


def outcome(data: bytes, name: str) -> str:
    """``table`` or the code of the refusal: what reading any bytes at all may come to."""
    try:
        table_of(data, name)
    except DropRefused as refusal:
        return str(refusal.code)
    return "table"
