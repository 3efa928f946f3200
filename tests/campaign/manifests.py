"""Files of a bad week, made up by seed, together with what each of their rows means.

The meaning is there first and is then written down in a courier's words (couriers.md), so nothing
has to be read to know it.
"""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.fakes.published_rules import FLOW, D, P, R, T, V

IGNORED, REJECTED = "ignored", "rejected"
REMARK = "leave it with Mrs Mehta"
"""In many remarks: personal data, which no log may hold."""

Cells = list[str]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A data row: ``number`` as results tell it, and what it means (a status, or why not)."""

    number: int
    order: str
    means: str


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One file for the inbox. ``autos``: orders whose pickup auto-dispatch has told."""

    folder: str
    name: str
    text: str
    rows: tuple[Row, ...]
    autos: frozenset[str]

    @property
    def stem(self) -> str:
        return self.name.removesuffix(".csv")


@dataclass(frozen=True, kw_only=True)
class Week:
    """Files in the order in which they are to be claimed.

    ``gaps``: updates that the couriers' own words make illegal, because a step between is told by
    nobody or because two ends contradict each other.
    """

    seed: int
    manifests: tuple[Manifest, ...]
    gaps: frozenset[tuple[str, str]]

    @property
    def rows(self) -> int:
        return sum(len(each.rows) for each in self.manifests)


@dataclass(frozen=True, kw_only=True)
class Courier:
    """One courier's way to write a row: the cells of its columns but id and remark, by meaning."""

    folder: str
    name: str
    header: tuple[str, ...]
    words: dict[str, tuple[Cells, ...]]
    wrong: Cells

    def can_tell(self, statuses: Iterable[str]) -> bool:
        return set(statuses) <= self.words.keys()


DELHIVERY = Courier(
    folder="delhivery",
    name="mis",
    header=("Order ID", "Remarks", "Status Type", "Status", "NSLCode"),
    words={
        P: (["UD", "In Transit", "X-PPOM"], ["UD", "In Transit", "X-PROM"]),
        D: (["DL", "Delivered", ""],),
        R: (["DL", "RTO", ""],),
        T: (["PU", "In Transit", ""], ["PU", "Dispatched", ""]),
        V: (["DL", "DTO", ""],),
        IGNORED: (
            ["UD", "In Transit", "X-DDD"],
            ["UD", "Dispatched", ""],
        ),
    },
    wrong=["DL", "Deliverd", ""],
)
SHADOWFAX = Courier(
    folder="shadowfax",
    name="all_scans",
    header=("client_order_id", "remarks", "status"),
    words={
        P: (["picked"], ["received_from_client_warehouse"]),
        D: (["delivered"],),
        R: (["rts_d"], ["rto_d"]),
        IGNORED: (["new"], ["ofd"], ["bag_in_transit"]),
    },
    wrong=["deliverd"],
)
SHIPROCKET = Courier(
    folder="shiprocket",
    name="shipments",
    header=("Order ID", "Remarks", "Shipment Status", "is_return"),
    words={
        P: (["Picked Up", "0"], ["42", "0"]),
        D: (["Delivered", "0"], ["7", "0"]),
        R: (["RTO Delivered", "0"], ["10", "0"]),
        T: (["Picked Up", "1"], ["In Transit", "1"]),
        V: (["Return Delivered", "1"], ["7", "1"]),
        IGNORED: (["In Transit", "0"], ["Out For Delivery", "0"]),
    },
    wrong=["Partial Delivered", "0"],
)


def _by_hand(name: str) -> Courier:
    return Courier(
        folder="",
        name=name,
        header=("Order ID", "Remarks", "Status", "Event Time", "Auto Dispatch"),
        words={
            P: (["Picked Up"], ["bag_picked"]),
            D: (["Delivered"], ["delivery_done"]),
            R: (["RTO Delivered"],),
            T: (["Return Picked Up"], ["Return In Transit"]),
            V: (["Return Delivered"],),
            IGNORED: (["In Transit"], ["OFD"]),
        },
        wrong=["Delivred"],
    )


COURIERS = (DELHIVERY, SHADOWFAX, SHIPROCKET, _by_hand("by_hand"), _by_hand("next_day"))
_BAD_IDS = ("", "1.77881E+19", "17 788 112", "#N/A")

#: what becomes of an order, and how often of a hundred
_JOURNEYS: dict[str, tuple[int, tuple[str, ...]]] = {
    "delivered": (30, (P, D)),
    "picked up": (10, (P,)),
    "delivered, pickup untold": (10, (D,)),
    "back to the seller": (12, (P, R)),
    "a customer's return": (10, (T, V)),
    "delivered and sent back": (12, (P, D, T, V)),
    "late news": (5, (D, P)),
    "late news of a return": (2, (V, T)),
    "two ends in one file": (3, (P, D, R)),
    "two ends in two files": (2, (D, R)),
    "auto-dispatched": (2, (P, D)),
    "a delivery nobody told": (1, (P, T)),
    "a return nobody picked up": (1, (D, V)),
}
_GAPS = {"a delivery nobody told": T, "a return nobody picked up": V, "two ends in two files": R}
_APART = {"late news", "late news of a return", "two ends in two files"}
_TOGETHER = {"two ends in one file"}
_ONCE = _TOGETHER | _APART | _GAPS.keys() | {"auto-dispatched"}
"""No status of theirs is told again by a later file."""


@dataclass
class _Told:
    """A row that is still to be written down."""

    order: str
    means: str
    auto: bool = False
    when: int | None = None


@dataclass
class _Making:
    rng: random.Random
    files: list[list[_Told]] = field(default_factory=lambda: [[] for _ in COURIERS])
    gaps: set[tuple[str, str]] = field(default_factory=set)

    def order(self) -> None:
        """Make up one order and spread its news over the files."""
        names = list(_JOURNEYS)
        kind = self.rng.choices(names, [_JOURNEYS[name][0] for name in names])[0]
        statuses = _JOURNEYS[kind][1]
        order = f"1778{self.rng.randrange(10**14, 10**15)}{self.rng.randrange(1, 10)}"
        if kind in _GAPS:
            self.gaps.add((order, _GAPS[kind]))
        apart = kind in _APART or (
            len(statuses) > 1 and kind not in _TOGETHER and self.rng.random() < 0.3
        )
        cut = self.rng.randrange(1, len(statuses)) if apart else len(statuses)
        home = self._file_for(statuses[:cut], range(len(COURIERS) - apart), kind)
        self._tell(home, order, kind, statuses[:cut])
        if apart:
            later = self._file_for(statuses[cut:], range(home + 1, len(COURIERS)), kind)
            self._tell(later, order, kind, statuses[cut:])

    def _file_for(self, statuses: Iterable[str], among: Iterable[int], kind: str) -> int:
        told = tuple(statuses)
        able = [at for at in among if COURIERS[at].can_tell(told)]
        if kind == "auto-dispatched":
            able = [at for at in able if "Auto Dispatch" in COURIERS[at].header]
        return self.rng.choice(able)

    def _tell(self, at: int, order: str, kind: str, statuses: Iterable[str]) -> None:
        rng, file = self.rng, self.files[at]
        hours = rng.randrange(20, 100)
        for status in statuses:
            auto = kind == "auto-dispatched" and status == P
            when = hours - 5 * FLOW[status] if rng.random() < 0.8 else None
            if when is not None and status == P and kind == "delivered" and rng.random() < 0.05:
                when -= 12  # the clock of a hand-held scanner: picked up after it was delivered
            for _ in range(1 + (rng.random() < 0.12)):
                file.append(_Told(order, IGNORED if auto else status, auto, when))
            again = range(at + 1, len(COURIERS))
            if again and kind not in _ONCE and rng.random() < 0.08:
                able = [n for n in again if COURIERS[n].can_tell([status])]
                self.files[rng.choice(able)].append(_Told(order, status, False, when))
        for _ in range(rng.choice((0, 0, 1, 2))):
            file.append(_Told(order, IGNORED))


def a_bad_week(seed: int, *, orders: int) -> Week:
    """Five files of three couriers and of people, that speak of so many orders."""
    making = _Making(random.Random(f"week {seed}"))
    for _ in range(orders):
        making.order()
    manifests = tuple(
        _write_down(courier, told, making.rng)
        for courier, told in zip(COURIERS, making.files, strict=True)
    )
    return Week(seed=seed, manifests=manifests, gaps=frozenset(making.gaps))


def _write_down(courier: Courier, told: list[_Told], rng: random.Random) -> Manifest:
    rng.shuffle(told)
    ends = _contradicted(told)
    lines, rows = [",".join(courier.header)], []
    for each in _with_bad_rows(told, rng):
        if rng.random() < 0.01:
            lines.append("," * (len(courier.header) - 1))
        wrong = each.means == REJECTED
        bad_id = wrong and rng.random() < 0.5
        cells = [rng.choice(_BAD_IDS) if bad_id else each.order, rng.choice(("", REMARK))]
        if each.auto:
            cells += rng.choice(courier.words[P])
        elif wrong and not bad_id:
            cells += courier.wrong
        else:
            cells += rng.choice(courier.words[P if wrong else each.means])
        if "Event Time" in courier.header:
            cells += [_hours_ago(each.when), "true" if each.auto else ""]
        lines.append(",".join(cells))
        means = REJECTED if each.order in ends and each.means in FLOW else each.means
        rows.append(Row(number=len(lines), order="" if bad_id else each.order, means=means))
    return Manifest(
        folder=courier.folder,
        name=f"{courier.name}.csv",
        text="\n".join(lines) + "\n",
        rows=tuple(rows),
        autos=frozenset(each.order for each in told if each.auto),
    )


def _contradicted(told: Iterable[_Told]) -> set[str]:
    """Orders of this file that were both delivered and brought back to the seller."""

    def ends(status: str) -> set[str]:
        return {each.order for each in told if each.means == status}

    return ends(D) & ends(R)


def _with_bad_rows(told: Iterable[_Told], rng: random.Random) -> Iterator[_Told]:
    for each in told:
        yield each
        if rng.random() < 0.03:
            yield _Told(f"9{rng.randrange(10**9, 10**10)}", REJECTED)


def _hours_ago(hours: int | None) -> str:
    if hours is None:
        return ""
    return (datetime.now() - timedelta(hours=hours)).strftime("%Y-%m-%d %H:%M")
