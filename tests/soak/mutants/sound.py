"""Sound manifests: days of each courier, the samples, and sheets of two columns."""

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

import openpyxl

from tests.fakes.courier_days import DAYS, HARMLESS, NOTHING, YESTERDAY, RowOf, cell_of
from tests.soak.mutants.manifest import Line, Mutant

SAMPLES = Path(__file__).parents[3] / "sample_drops"
BEFORE = YESTERDAY - timedelta(days=2)
"""When the first rows happened, so that something may happen later."""


@dataclass(frozen=True)
class Sample:
    """A sample file, and which of its columns decide; ``kinds`` go by the courier's document."""

    courier: str
    path: str
    order_id: str
    awb: str
    decides: tuple[str, ...]
    delimiter: str = ","
    encoding: str = "utf-8-sig"


_SAMPLES = (
    Sample(
        "delhivery", "delhivery/delhivery_mis.csv", "Order ID", "Waybill", ("Status", "Status Type")
    ),
    Sample(
        "bluedart",
        "bluedart/BD_status_export.csv",
        "Ref No",
        "Waybill No",
        ("Status Group", "Status Code"),
        ";",
        "cp1252",
    ),
    Sample("shadowfax", "shadowfax/all_scans.csv", "client_order_id", "awb_number", ("status",)),
    Sample(
        "shiprocket",
        "shiprocket/customer_returns.csv",
        "Order ID",
        "AWB Code",
        ("Shipment Status", "is_return"),
    ),
    Sample(
        "xpressbees",
        "xpressbees/XB_Shipment_Status_next_day.csv",
        "Order No",
        "AWB NO",
        ("Current Status",),
    ),
    Sample(
        "generic",
        "orders_week_47.xlsx",
        "Order ID *",
        "AWB No.",
        ("Current\nStatus",),
    ),
)


@cache
def _rows(sample: Sample) -> list[list[str]]:
    path = SAMPLES / sample.path
    if path.suffix == ".csv":
        with path.open(encoding=sample.encoding, newline="") as file:
            return list(csv.reader(file, delimiter=sample.delimiter))
    sheet = openpyxl.load_workbook(path, data_only=True).worksheets[0]
    rows = [["" if each is None else str(each) for each in row] for row in sheet.values]
    first = next(at for at, row in enumerate(rows) if sample.order_id in row)
    return rows[first:]


def sound(seed: int, number: int) -> Mutant:
    """Make the sound manifest that this mutant begins as."""
    rng = random.Random(f"mutant {seed} {number}")
    kind = rng.random()
    if kind < 0.2:
        return _sample(rng, seed, number, rng.choice(_SAMPLES))
    courier = "generic" if kind < 0.3 else rng.choice([*DAYS])
    day = DAYS[courier]
    minimal = courier == "generic" and rng.random() < 0.3
    harmless: Sequence[str] = ()
    if not minimal:
        free = [each for each in HARMLESS if each not in {*day.decides, *day.own}]
        harmless = rng.sample(free, rng.choice((0, 2, 5, 12)))
        if courier in {"ecomexpress", "bluedart"}:
            # A second AWB decides there.
            harmless = [each for each in harmless if each != "RTO AWB"]
    own = {} if minimal else day.own
    keys = ["id", *([] if minimal else ["awb"]), *_deciding(len(day.decides))]
    keys += [_key(heading) for heading in (*own, *harmless)]
    headings = [
        day.order_id,
        *([] if minimal else [day.awb]),
        *day.decides,
        *own,
        *harmless,
    ]
    kinds = [*day.kinds.items()]
    lines = []
    for at in range(rng.choice((3, 5, 8, 13, 24))):
        decides, status = rng.choice(kinds)
        row = RowOf(at=at, when=BEFORE.replace(hour=6 + at % 12, minute=at), status=status)
        order, awb = _order(rng, seed, number, at), _awb(number, at)
        cells = [order, *([] if minimal else [awb]), *decides]
        cells += [cell_of(each, row) for each in own.values()]
        cells += [cell_of(HARMLESS[each], row) for each in harmless]
        lines.append(_line(cells, order, "" if minimal else awb, status, row))
    return Mutant(
        rng=rng,
        seed=seed,
        number=number,
        courier=courier,
        day=day,
        keys=keys,
        headings=headings,
        lines=lines,
        folder="" if courier == "generic" else courier,
        stem="day",
        book=rng.random() < 0.35,
    )


def _line(cells: Sequence[str], order: str, awb: str, status: str, row: RowOf) -> Line:
    may = set() if status == NOTHING else {status}
    return Line([*cells], order=order, awb=awb, status=status, when=row.when, may=may)


def _deciding(count: int) -> list[str]:
    return ["status", "type"][:count]


def _key(heading: str) -> str:
    return "when" if heading in {"Status Date", "Last Updated At", "Event Time"} else heading


def _order(rng: random.Random, seed: int, number: int, at: int) -> str:
    """Return an order id that no other mutant of the seed has, nor one of another seed."""
    digits = f"{seed % 10_000:04}{number:05}{at:03}"
    return rng.choice((f"17788{digits}471", f"FY{digits}", f"177{digits}", f"OD-{digits}"))


def _awb(number: int, at: int) -> str:
    return f"36{number:06}{at:04}"


def _sample(rng: random.Random, seed: int, number: int, sample: Sample) -> Mutant:
    header, *rows = _rows(sample)
    day = DAYS[sample.courier]
    kinds = {tuple(map(str.casefold, cells)): status for cells, status in day.kinds.items()}
    of = [header.index(each) for each in (sample.order_id, sample.awb, *sample.decides)]
    named = dict(zip(of, ["id", "awb", *_deciding(len(sample.decides))], strict=True))
    keys = [named.get(at, heading) for at, heading in enumerate(header)]
    lines: list[Line] = []
    seen = set()
    for row in rows:
        cells = [*row, *[""] * (len(header) - len(row))]
        status = kinds.get(tuple(cells[at].casefold() for at in of[2:]))
        if status is None or cells[of[0]] in seen:
            continue
        seen.add(cells[of[0]])
        at = len(lines)
        order, awb = _order(rng, seed, number, at), _awb(number, at)
        cells[of[0]], cells[of[1]] = order, awb
        about = RowOf(at=at, when=BEFORE, status=status)
        lines.append(_line(cells, order, awb, status, about))
    return Mutant(
        rng=rng,
        seed=seed,
        number=number,
        courier=sample.courier,
        day=day,
        keys=keys,
        headings=header[:],
        lines=lines[: rng.choice((3, 8, 20))],
        folder="" if sample.courier == "generic" else sample.courier,
        stem="sample",
        book=rng.random() < 0.35,
    )
