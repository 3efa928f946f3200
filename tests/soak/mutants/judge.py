"""Say which updates are not a file's own, by the file as csv and openpyxl read it."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import openpyxl

from tests.acceptance.harness import Delivered
from tests.soak.mutants.manifest import Mutant

Update = tuple[str, str]
"""Order, status."""

_ANY = "any"

_AROUND = " '`\"=\t\r\n\u00a0\u200b\ufeff"


@dataclass
class Judge:
    """Knows what may be sent of all mutants of a seed. ``broken``: what was found, in words."""

    may: dict[Update, set[str]] = field(default_factory=dict)
    of: dict[str, Mutant] = field(default_factory=dict)
    broken: list[tuple[Mutant | None, str]] = field(default_factory=list)

    def learn(self, mutant: Mutant) -> None:
        """Note what may be sent of a mutant: order and status → the AWBs that it is true of."""
        for line in (*mutant.all_lines, *mutant.elsewhere):
            self.of[line.order] = mutant
            for status in line.may:
                awbs = self.may.setdefault((line.order, status), set())
                # Of a shifted row nobody can say which cell the AWB was.
                awbs |= {line.awb, *([_ANY] if line.shift else [])}

    def look_at_calls(self, sent: set[Update], told: set[Update]) -> None:
        """Note each update that was sent although no results file tells of it."""
        for order, status in sent - told:
            self.broken.append((None, f"{status} was sent for {order}, which no results tell"))

    def look_at_results(self, mutant: Mutant, data: bytes, drop: Delivered) -> set[Update]:
        """Note each row that was sent and is not the file's own; return all that were sent.

        By what may be sent of the row, and by the cells that the file has there.
        """
        sent = [line for line in drop.lines() if line["chunk"]]
        rows = dict(_rows(mutant, data)) if sent else {}
        for line in sent:
            order, awb, status = line["order_id"], _bare(line["awb"]), line["order_status"]
            awbs = self.may.get((order, status))
            if awbs is None:
                row = f"row {line['row']}, {line['source_status']!r}"
                self.broken.append((mutant, f"{status} was sent for {order} of {row}"))
            # Without one where its heading is not known any more; where the file has none, that of
            # the way back is shown, and never sent.
            elif (
                mutant.at("awb") is not None and _ANY not in awbs and not _is_one(awb, awbs, mutant)
            ):
                self.broken.append((mutant, f"{order} has the AWB {awb!r}, not one of {awbs}"))
            cells = rows.get((line["sheet"], int(line["row"])), set())
            wanted = {order, awb, _bare(line["source_status"])} - {""}
            if not wanted <= cells:
                missing = sorted(wanted - cells)
                self.broken.append((mutant, f"row {line['row']} does not hold {missing}"))
        return {(line["order_id"], line["order_status"]) for line in sent}

    def look_at_what_is_held(self, mutant: Mutant, sent: set[Update], drop: Delivered) -> None:
        """Note each row of a mutant with nothing but harmless changes that was not sent."""
        if not mutant.sound:
            return
        wanted = {(line.order, status) for line in mutant.all_lines for status in line.may}
        if lost := wanted - sent:
            told = drop.summary["refused"] or drop.summary["errors"]
            self.broken.append((mutant, f"held though sound: {sorted(lost)[:3]}, {told}"))


def _is_one(awb: str, awbs: set[str], mutant: Mutant) -> bool:
    """Tell whether an AWB is a row's own, or what a cut at the end of the file has left of it.

    Calls have none: it is only shown.
    """
    if _ANY in awbs or awb in {"", *awbs}:
        return True
    return "cut_off" in mutant.done and any(each.startswith(awb) for each in awbs)


def _bare(text: str) -> str:
    """Return a cell without wrappers, and without the bytes that no encoding has."""
    return "".join(filter(str.isascii, text)).strip(_AROUND)


def _texts(cells: Sequence[object]) -> set[str]:
    shown = (
        str(int(each)) if isinstance(each, float) and each == int(each) else str(each)
        for each in cells
        if each is not None
    )
    return {_bare(each) for each in shown}


def _rows(mutant: Mutant, data: bytes) -> Iterator[tuple[tuple[str, int], set[str]]]:
    """Return the cells of each row, by sheet and number, wrappers taken off."""
    if mutant.book:
        book = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
        for sheet in book.worksheets:
            for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):
                yield (sheet.title, number), _texts(row)
        return
    codec = "utf-8-sig" if mutant.encoding == "utf-8" else "utf-16"
    text = data.decode(codec, "replace")
    # All marks come off before it, as many as there are.
    text = text.lstrip("\ufeff").removeprefix(mutant.first)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=mutant.delimiter, skipinitialspace=mutant.space
    )
    for number, row in enumerate(reader, start=1):
        yield ("", number), _texts(row)


def by_mutation(broken: Iterable[tuple[Mutant | None, str]]) -> Mapping[str, list[str]]:
    """Return what was found by what had been done to the files, the most frequent first."""
    found = defaultdict(list)
    for mutant, told in broken:
        name = ", ".join(mutant.done) if mutant else "no file has this order"
        number = f"mutant {mutant.number} of {mutant.courier}" if mutant else ""
        found[name].append(f"{number}: {told}")
    return dict(sorted(found.items(), key=lambda each: -len(each[1])))
