"""The rows to correct as the page shows them: selection, order, and columns."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final, Literal
from urllib.parse import parse_qsl

import numpy as np
import pyarrow.compute as pc
from fastapi import Query
from msgspec import Struct

from pipeline.web import faults
from pipeline.web.correct_rows.table import LineGroups, Lines, Table
from pipeline.web.templating import address
from pipeline.web.words import number
from schemas.codes import Code
from schemas.courier import Profile
from schemas.display import counted, one_line
from schemas.statuses import IN_WORDS
from schemas.vocabulary import Role

PAGE: Final = 20
LOST_SHOWN: Final = 500
"""Lost ids that are pasted together."""
WRONG_FIRST: Final = "wrong"
"""The order of rows where a whole file is to be corrected: the order of the file otherwise,
so that a column that is pasted falls into the rows it was copied from.
"""
_WIDE: Final = 40
"""Columns beyond which only the wrong cells of a row can be edited here."""
_FEW: Final = 7
"""Columns that are all shown; of more, those that are not needed stand under "more"."""
_KEYS: Final = (Role.ORDER_ID, Role.AWB, Role.STATUS)
_LOST: Final = frozenset({Code.ID_DAMAGED, Code.ID_INVALID, Code.ID_MISSING})
_ID_WIDTH, _WIDTH, _WIDEST = 22, 12, 40


Short = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True)
class View:
    """A part of the rows, as an address names it. ``show``: how far rows are, or "".

    ``fault``: a code with its column; ``q`` stands in one of a row's cells; ``sort``: the column
    they are sorted by; ``more``: "1" where all cells are open.
    """

    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1
    fault: Short = ""
    show: Annotated[Literal["", "ready", "wrong", "untouched", "left_out"], Query()] = ""
    q: Short = ""
    sort: Annotated[str, Query(pattern=rf"^([0-9]{{0,5}}|{WRONG_FIRST})$")] = ""
    more: Annotated[str, Query(pattern=r"^1?$")] = ""

    @classmethod
    def of(cls, text: str) -> "View":
        """Return the view that a form carried along."""
        parts: dict[str, Any] = {name: value[:200] for name, value in parse_qsl(text)}
        page = parts.pop("page", "")
        known = {name: value for name, value in parts.items() if name in cls.__dataclass_fields__}
        return cls(page=int(page) if page.isdecimal() and len(page) < 8 else 1, **known)

    def on(self, drop_id: str, **more: Any) -> str:  # noqa: ANN401 - whatever prints
        """Return its address, with these parts instead."""
        parts = {**asdict(self), **more}
        if parts["page"] == 1:
            parts["page"] = ""
        return address(f"/drops/{drop_id}/fix", **parts)

    @property
    def query(self) -> str:
        """Return the fields that a form carries along."""
        return self.on("").partition("?")[2]


def lines_of(table: Table, view: View) -> Lines:
    """Return the lines that fit a view, in its order."""
    groups = table.groups
    known = view.show in groups.__struct_fields__
    lines = getattr(groups, view.show) if known else table.lines_left
    if view.fault:
        has = [view.fault in each.split(";") for each in table.codes(lines)]
        lines = lines[np.array(has, dtype=bool)]
    headers = table.rejects.headers
    if view.q and len(lines):
        found = np.zeros(len(lines), dtype=bool)
        for column in range(len(headers)):
            texts = table.column(column, lines)
            found |= pc.match_substring(texts, view.q, ignore_case=True).to_numpy(
                zero_copy_only=False
            )
        lines = lines[found]
    if view.sort == WRONG_FIRST:
        sound = np.array([not each for each in table.codes(lines)], dtype=bool)
        lines = lines[np.argsort(sound, kind="stable")]
    if view.sort.isdecimal() and int(view.sort) < len(headers):
        texts = table.column(int(view.sort), lines).to_pylist()
        order = sorted(range(len(lines)), key=lambda at: texts[at].casefold())
        lines = lines[np.array(order, dtype=np.int64)]
    return lines


def chips_of(table: Table) -> dict[str, int]:
    """Return fault → rows left with it that are not ready yet; also those of which none is left."""
    left: Counter[str] = Counter()
    every, groups = dict[str, int](), table.groups
    for lines, counts in (
        (table.lines_left, False),
        (np.concatenate([groups.wrong, groups.untouched, groups.left_out]), True),
    ):
        for codes, count in Counter(table.codes(lines)).items():
            for label in filter(None, codes.split(";")):
                every.setdefault(label, 0)
                left[label] += count if counts else 0
    return {label: left[label] for label in sorted(every, key=lambda each: (-left[each], each))}


def counts_of(table: Table) -> dict[str, Any]:
    """Return the counts that the page updates while rows are corrected, for JSON."""
    going = len(table.groups.ready)
    return {
        "standing": in_words(table.groups),
        "going": going,
        "send": f"Send {counted(going, 'row')}" if going else "Send ticked rows",
        "chips": chips_of(table),
    }


def in_words(groups: LineGroups) -> str:
    """Return the progress of the rows: ``22 of 32 ready, 3 still wrong, 7 untouched``."""
    parts = [f"{number(len(groups.ready))} of {number(groups.total)} ready"]
    for lines, said in (
        (groups.wrong, "still wrong"),
        (groups.untouched, "untouched"),
        (groups.left_out, "left out"),
    ):
        if len(lines):
            parts.append(f"{number(len(lines))} {said}")
    return ", ".join(parts)


def columns_of(table: Table) -> tuple[list[int], list[int]]:
    """Return the columns that are shown, the wrong ones first, then their key; and the others."""
    rejects = table.rejects
    wrong: Counter[int] = Counter()
    for codes, count in Counter(table.codes(table.lines_left)).items():
        for column in faults.bad_columns(rejects, codes):
            wrong[column] += count
    judged = {int(place) for found in table.draft.judged.values() for place, _ in found if place}
    keys = [rejects.columns[role] for role in _KEYS if role in rejects.columns]
    first = list(dict.fromkeys([column for column, _ in wrong.most_common()] + sorted(judged)))
    first += [column for column in keys if column not in first]
    others = [column for column in range(len(rejects.headers)) if column not in first]
    return ([*first, *others], []) if len(rejects.headers) <= _FEW else (first, others)


class Cell(Struct, frozen=True, kw_only=True):
    """A cell of a row to correct. ``original``: its text in the file, or as it was sent last.

    ``size``: the characters that it has room for, ``least`` when it is empty.
    """

    column: int
    header: str
    value: str
    original: str
    bad: bool
    editable: bool
    size: int
    least: int

    @property
    def changed(self) -> bool:
        """Return True when it is not as it was."""
        return self.value != self.original


class Row(Struct, frozen=True, kw_only=True):
    """A row to correct. ``others``: the cells that stand under "more"; ``going``: it is ticked."""

    line: int
    number: str
    message: str
    came_back: bool
    cells: Sequence[Cell]
    others: Sequence[Cell]
    going: bool

    @property
    def open(self) -> bool:
        """Return True when one of the other cells has to be seen."""
        return any(cell.bad or cell.changed for cell in self.others)


def row_of(table: Table, line: int, shown: tuple[list[int], list[int]]) -> Row:
    """Return a line with its cells as they are now. ``shown``: as ``columns_of`` has them."""
    rejects, draft = table.rejects, table.draft
    originals = draft.tried.get(line) or [each[line].as_py() for each in rejects.table.columns]
    bad, message, judged = table.faults(line)
    wide = len(rejects.headers) > _WIDE
    cells = []
    for column, (now, original) in enumerate(zip(table.row(line), originals, strict=True)):
        cells.append(
            Cell(
                column=column,
                header=one_line(rejects.headers[column]) or f"Column {column + 1}",
                value=now,
                original=original,
                bad=column in bad and (now == original or judged),
                editable=not wide or column in bad or now != original,
                size=width_of(table, column, now),
                least=width_of(table, column, ""),
            )
        )
    return Row(
        line=line,
        number=rejects.called(line),
        message=message,
        came_back=line in draft.again,
        cells=[cells[column] for column in shown[0]],
        others=[cells[column] for column in shown[1]],
        going=line in table.ticked,
    )


def width_of(table: Table, column: int, text: str) -> int:
    """Return the characters that a cell has room for: of an id at least all its digits."""
    least = _ID_WIDTH if table.rejects.identifies(column) else _WIDTH
    if column == table.rejects.columns.get(Role.STATUS):
        least = _ID_WIDTH
    return min(_WIDEST, max(least, len(text) + 1))


class LostId(Struct, frozen=True, kw_only=True):
    """A row whose order id is lost. ``now``: what stands in its place."""

    line: int
    number: str
    awb: str
    now: str


def lost_ids(table: Table) -> list[LostId]:
    """Return the rows whose order id is lost and not yet found again."""
    rejects = table.rejects
    ids = rejects.columns.get(Role.ORDER_ID)
    if ids is None:
        return []
    wrong = np.sort(np.concatenate([table.groups.wrong, table.groups.untouched]))
    has = [any(map(_is_lost, codes.split(";"))) for codes in table.codes(wrong)]
    lost = wrong[np.array(has, dtype=bool)]
    now, awbs = table.column(ids, lost).to_pylist(), awbs_of(table, lost.tolist())
    return [
        LostId(line=line, number=rejects.called(line), awb=awb, now=text)
        for line, awb, text in zip(lost.tolist(), awbs, now, strict=True)
    ]


def awbs_of(table: Table, lines: Sequence[int]) -> list[str]:
    """Return the AWBs of these lines as they are now; "" where the file has none."""
    column = table.rejects.columns.get(Role.AWB)
    if column is None or any(line >= len(table.rejects) for line in lines):
        return [""] * len(lines)
    texts: list[str] = table.column(column, np.array(lines, np.int64)).to_pylist()
    return texts


def _is_lost(label: str) -> bool:
    code, _, role = label.partition(":")
    return code in _LOST and role == Role.ORDER_ID


def statuses_of(profile: Profile | None) -> list[tuple[str, str]]:
    """Return the courier's words, each with what it means: first one word for each meaning."""
    if profile is None:
        return []
    offered = [(word, profile.statuses.in_words(word)) for word in profile.statuses.offered()]
    order = [*IN_WORDS.values()]
    offered.sort(key=lambda each: order.index(each[1]) if each[1] in order else len(order))
    first = list({meaning: (word, meaning) for word, meaning in reversed(offered)}.values())[::-1]
    return [*first, *(each for each in offered if each not in first)]
