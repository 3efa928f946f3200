"""Read the part of a courier's profile about the meanings of its statuses."""

import re
from collections.abc import Mapping

from schemas.normalise import fold
from schemas.statuses import (
    NOTHING,
    UNCLEAR,
    UNCONFIRMED,
    WILDCARD,
    Direction,
    Meaning,
    StatusTable,
)
from schemas.toml_reader import Section
from schemas.vocabulary import Milestone

MARK = "?"
"""Before a header or status: guessed by ``shipdrop map``; it stands for nothing until a person has
confirmed it by deleting the mark."""

MEANINGS: Mapping[str, Meaning] = {
    **{milestone.wire: int(milestone) for milestone in Milestone},
    "no_milestone": NOTHING,
    "ambiguous": UNCLEAR,
    "unconfirmed": UNCONFIRMED,
}
_RANGE = re.compile(r"(.*?)(\d+)\.\.(.*?)(\d+)")
_SIDES = (Direction.BLANK, Direction.FORWARD, Direction.RETURN, Direction.RTO)


def read_statuses(root: Section) -> tuple[StatusTable, list[str]]:
    """Read ``[statuses]``, ``[types]`` and ``[scans]``; name the entries that wait to be confirmed.

    Raises ``ProfileError`` naming file, line and key.
    """
    shown: dict[str, str] = {}
    unconfirmed: list[str] = []
    section = root.section("statuses")
    is_draft = section.holds("unconfirmed")
    joined = section.flag("joined", default=False)
    by_direction = {
        side: _meanings(section.section(f"on_{side.value or 'blank'}"), shown, unconfirmed)
        for side in _SIDES
    }
    begins = _beginnings(section)
    base = _meanings(section, shown, unconfirmed)
    types = root.section("types")
    by_type: dict[str, Mapping[str, Meaning]] = {}
    kinds: dict[str, str] = {}
    for kind in types.keys():  # noqa: SIM118 - not a mapping
        if fold(kind) in by_type:
            raise types.error(kind, "stands there twice, in two spellings")
        by_type[fold(kind)] = _meanings(types.section(kind), shown, unconfirmed)
        kinds[fold(kind)] = kind
    scans = root.section("scans")
    scan_types = frozenset(fold(kind) for kind in scans.texts("types") or ())
    table = StatusTable(
        base=base,
        by_direction={side: entries for side, entries in by_direction.items() if entries},
        by_type=by_type,
        joined=joined,
        scans=_meanings(scans, {}, unconfirmed),
        scan_types=scan_types,
        nothing_begins=begins,
        shown=shown,
        shown_types=kinds,
    )
    if not (base or by_type or table.by_direction or is_draft):
        raise root.error("statuses", "is missing: no status means anything yet")
    return table, unconfirmed


def _beginnings(section: Section) -> tuple[str, ...]:
    """Return the families among the statuses without milestone.

    ``assigned_*`` begins ``assigned``.
    """
    entries = section.peek("no_milestone")
    families = [entry[:-1] for entry in entries if entry.endswith(WILDCARD) and entry != WILDCARD]
    return tuple(fold(family) for family in families if not family.startswith(MARK))


def _meanings(
    section: Section, shown: dict[str, str], unconfirmed: list[str]
) -> dict[str, Meaning]:
    """Read one table of meaning → statuses into status → meaning, ranges last."""
    table: dict[str, Meaning] = {}
    ranges: dict[str, Meaning] = {}
    for word, listed in MEANINGS.items():
        for entry in section.texts(word) or ():
            marked = entry.startswith(MARK)
            status = entry.removeprefix(MARK).strip() if marked else entry
            meaning = UNCONFIRMED if marked else listed
            if meaning == UNCONFIRMED:
                unconfirmed.append(f"{section.path}: {status}")
            if _RANGE.fullmatch(status):
                for each in _expanded(section, word, status):
                    _enter(ranges, fold(each), meaning, section, word, entry)
            elif status.endswith(WILDCARD) and status != WILDCARD:
                if meaning != NOTHING or section.path != "statuses":
                    why = f'"{status}": only [statuses] no_milestone may use *'
                    raise section.error(word, why, value=entry)
            else:
                key = WILDCARD if status == WILDCARD else fold(status)
                _enter(table, key, meaning, section, word, entry)
                if key != WILDCARD:
                    shown.setdefault(key, status)
    section.done("is not a meaning of a status")
    return {**ranges, **table}


def _enter(
    table: dict[str, Meaning], key: str, meaning: Meaning, section: Section, word: str, entry: str
) -> None:
    """Note the meaning of a status. Raises if it has another one already."""
    if table.setdefault(key, meaning) != meaning:
        why = f'"{entry}" also stands under another meaning'
        raise section.error(word, why, value=entry)


def _expanded(section: Section, word: str, status: str) -> list[str]:
    """Return ``T-001..T-099`` as its 99 members, so that lookups stay exact."""
    match = _RANGE.fullmatch(status)
    first, low, last, high = match.groups() if match else ("", "1", "", "0")
    if first != last or len(low) != len(high) or int(low) > int(high):
        why = f'"{status}" is not a range such as "T-001..T-099"'
        raise section.error(word, why, value=status)
    return [f"{first}{number:0{len(low)}d}" for number in range(int(low), int(high) + 1)]
