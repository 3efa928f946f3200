"""Measure reading: Shipdrop's readers beside the libraries under them, and bombs.

Each reading is a process of its own (``python -m benchmarks.reading MODE FILE``), whose clocks
start after its imports. Ratios are of processor time: other work on the machine does not change it.
"""

import json
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from benchmarks.data import HEADER, write_manifest
from benchmarks.measure import MB, run
from benchmarks.table import Line, at_most, plain

_GIGABYTE = 1 << 30
_BOMB = 10 * _GIGABYTE


def reading(base: Path, *, quick: bool, repeat: int) -> list[Line]:
    """The table's lines; ``base`` is where manifests and bombs are made."""
    part = 10 if quick else 1
    return [
        *_against(base, "xlsx", 100_000 // part, rival="calamine", target=1.5, repeat=repeat),
        *_against(base, "csv", 1_000_000 // part, rival="arrow", target=3.0, repeat=repeat),
        *_bombs(base),
    ]


def _against(
    base: Path, kind: str, rows: int, *, rival: str, target: float, repeat: int
) -> list[Line]:
    file = base / f"reading-{rows}.{kind}"
    if not file.exists():
        _make(file, rows)
    ours: list[dict[str, float]] = []
    theirs: list[dict[str, float]] = []
    for _ in range(repeat):  # in turn, so that a busy moment meets both
        ours.append(_read(f"shipdrop-{kind}", file))
        theirs.append(_read(rival, file))
    assert ours[0]["rows"] == theirs[0]["rows"] == rows
    case = f"reading {kind}"
    cpu, bare = median(each["cpu"] for each in ours), median(each["cpu"] for each in theirs)
    wall = median(each["wall"] for each in ours)
    return [
        plain(case, f"{rows:,} rows × 10, processor time", cpu, " s"),
        plain(case, "the same, wall", wall, " s"),
        plain(case, f"{rival} alone, processor time", bare, " s"),
        plain(case, f"{rival} alone, wall", median(each["wall"] for each in theirs), " s"),
        at_most(case, f"processor time against {rival} alone (issue 4)", cpu / bare, target, "x"),
    ]


def _bombs(base: Path) -> Iterator[Line]:
    for name, declared, filler in (
        ("honest, 1000:1", _BOMB, b" "),
        ("lying about its size, 1000:1", 1 << 20, b" "),
        ("lying about its size, 150:1", 1 << 20, b""),
    ):
        file = base / f"bomb-{name[:5]}-{len(filler)}.xlsx"
        _make_bomb(file, declared=declared, filler=filler)
        told = _read("bomb", file)
        case = "bomb of 10 GB"
        yield at_most(case, f"{name} ({told['code']})", told["wall"], 2, " s")
        yield at_most(case, f"{name}, peak memory", told["peak_mb"], 200, " MB")


def _read(mode: str, file: Path) -> dict[str, Any]:
    done: dict[str, Any] = json.loads(
        run([sys.executable, "-m", "benchmarks.reading", mode, str(file)]).output
    )
    return done


def _make(file: Path, rows: int) -> None:
    plain_file = file.with_suffix(".csv")
    write_manifest(plain_file, rows)
    if file.suffix == ".csv":
        return
    import csv

    import xlsxwriter

    with xlsxwriter.Workbook(file) as book, plain_file.open(encoding="utf-8", newline="") as lines:
        sheet = book.add_worksheet()
        for row, cells in enumerate(csv.reader(lines)):
            for column, cell in enumerate(cells):
                sheet.write_string(row, column, cell)
    plain_file.unlink()


def _make_bomb(file: Path, *, declared: int, filler: bytes) -> None:
    """Write a workbook whose sheet inflates to 10 GB; its deflated blocks repeat."""
    piece = filler * (8 << 20) if filler else _less_even(8 << 20)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = deflate.compress(piece) + deflate.flush(zlib.Z_FULL_FLUSH)
    count = _BOMB // len(piece)
    sheet = block * count + b"\x03\x00"
    types = (
        b'<Types><Override ContentType="application/vnd...spreadsheetml.sheet.main+xml"/></Types>'
    )
    parts = [
        ("[Content_Types].xml", types, len(types), zlib.crc32(types), 0),
        ("xl/workbook.xml", b"<workbook/>", 11, zlib.crc32(b"<workbook/>"), 0),
        ("xl/worksheets/sheet1.xml", sheet, declared, 0, 8),
    ]
    body, directory = b"", b""
    for name, data, size, check, method in parts:
        wide = struct.pack("<HHQQ", 1, 16, size, len(data)) if size >= 0xFFFFFFFF else b""
        sizes = (0xFFFFFFFF, 0xFFFFFFFF) if wide else (len(data), size)
        head = struct.pack("<HHHHHIII", 45, 0, method, 0, 33, check, *sizes)
        lengths = struct.pack("<HH", len(name), len(wide))
        at = len(body)
        body += b"PK\3\4" + head + lengths + name.encode() + wide + data
        directory += b"PK\1\2\x2d\0" + head + lengths + bytes(10) + struct.pack("<I", at)
        directory += name.encode() + wide
    end = struct.pack("<HHHHIIH", 0, 0, len(parts), len(parts), len(directory), len(body), 0)
    file.write_bytes(body + directory + b"PK\5\6" + end)


def _less_even(size: int) -> bytes:
    """Bytes that deflate to about a hundred-and-fiftieth."""
    unit = b"".join(b"%06d" % (number * 7919 % 1_000_003) for number in range(120))
    return ((unit + b" " * 60_000) * (size // 60_000 + 1))[:size]


def _shipdrop(file: Path) -> int:
    import mmap

    from pipeline.core.model import Limits, ReadTally
    from pipeline.reading.read_file import read_manifest

    class Known:
        """Knows the header that the manifests have."""

        def fits(self, cells: Any) -> bool:
            return ",".join(cells) == HEADER

        def later(self, headers: Any) -> None:
            """Only its exact repeat is a header below it."""

        def refusal(self, seen: Any) -> Exception:
            raise AssertionError(seen)

    with file.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
        manifest = read_manifest(data, name=file.name, limits=Limits(), header=Known())
        return sum(len(block) for block in manifest.sheets[0].blocks(ReadTally()))


def _calamine(file: Path) -> int:
    from python_calamine import CalamineWorkbook

    return len(CalamineWorkbook.from_path(file).get_sheet_by_index(0).to_python()) - 1


def _arrow(file: Path) -> int:
    import pyarrow as pa
    import pyarrow.csv as pa_csv

    texts = dict.fromkeys(HEADER.split(","), pa.string())
    options = pa_csv.ConvertOptions(column_types=texts, strings_can_be_null=False)
    return int(pa_csv.read_csv(file, convert_options=options).num_rows)


def _one(mode: str, file: Path) -> dict[str, Any]:
    readers: dict[str, Callable[[Path], int]] = {
        "shipdrop-xlsx": _shipdrop,
        "shipdrop-csv": _shipdrop,
        "bomb": _shipdrop,
        "calamine": _calamine,
        "arrow": _arrow,
    }
    _import_all()
    from pipeline.core.errors import DropRefused

    told: dict[str, Any] = {"rows": 0, "code": ""}
    wall, cpu = perf_counter(), process_time()
    try:
        told["rows"] = readers[mode](file)
    except DropRefused as refusal:
        told["code"] = str(refusal.code)
    told |= {"wall": perf_counter() - wall, "cpu": process_time() - cpu}
    told["peak_mb"] = _peak_mb()
    return told


def _import_all() -> None:
    # pandas: pyarrow imports it at its first array, and the pipeline has it from the start.
    for name in ("pandas", "pyarrow.csv", "python_calamine", "pipeline.reading.read_file"):
        import_module(name)


def _peak_mb() -> float:
    """The most memory of this program; getrusage would count what its parent held at the fork."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return 1024 * next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line) / MB


if __name__ == "__main__":
    sys.stdout.write(json.dumps(_one(sys.argv[1], Path(sys.argv[2]))))
