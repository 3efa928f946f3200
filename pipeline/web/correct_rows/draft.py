"""Corrections in progress: kept per drop until they are sent.

A draft holds only what was changed. The rejects file itself is never touched.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.service.wiring import Site
from pipeline.web.faults import Rejects
from pipeline.web.state_files import place_of, read_json, write_json

_MOST: Final = 200_000
"""Changes in one draft; beyond, a spreadsheet is the better tool."""


class Rule(Struct, frozen=True, kw_only=True):
    """One value for all rows that have another one in this column.

    ``taught``: the courier whose profile was given the word with it, or "".
    """

    column: int
    old: str
    new: str
    taught: str = ""


class Paste(Struct, frozen=True, kw_only=True):
    """A column that was pasted: line → text before, and as it was pasted. Kept to be undone."""

    column: int
    had: Mapping[int, str]
    now: Mapping[int, str]
    who: str = ""


class Draft(Struct, frozen=True, kw_only=True):
    """The changes so far. Lines and columns count from 0 in the rejects file.

    ``identity``: the rejects file it was made for. ``cells``: line → column → value; these win
    over ``rules``. ``chosen``: line → whether it is to be sent, where somebody said so.
    ``sent``: line → the upload it went out with. ``looked_at``: line → what was said of it as it is
    when somebody ticked it.

    Of a line that went out and came back: ``again`` has its newest codes and message, ``tried`` its
    cells as they were sent. ``seen``: the drops
    whose rows were looked through for such lines. ``touched``: line → who changed it, and when.
    ``judged``: line → what the code of a run said of it as it is: column ("" for none), message;
    empty where it is sound. ``pasted``: the last column that was pasted.
    """

    identity: tuple[int, ...] = ()
    cells: Mapping[int, Mapping[int, str]] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    chosen: Mapping[int, bool] = field(default_factory=dict)
    sent: Mapping[int, str] = field(default_factory=dict)
    looked_at: Mapping[int, str] = field(default_factory=dict)
    again: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    tried: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    seen: tuple[str, ...] = ()
    touched: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    judged: Mapping[int, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    pasted: Paste | None = None

    def value(self, line: int, column: int, original: str) -> str:
        """Return the cell as it is now."""
        own = self.cells.get(line, {}).get(column)
        if own is not None:
            return own
        for rule in self.rules:
            if rule.column == column and rule.old == original:
                return rule.new
        return original

    def row(self, rejects: Rejects, line: int) -> tuple[str, ...]:
        """Return a line's cells as they are now."""
        originals = (column[line].as_py() for column in rejects.table.columns)
        return tuple(self.value(line, at, original) for at, original in enumerate(originals))

    def changed_by(self, line: int) -> str:
        """Return who changed a line last, "" where unknown."""
        return self.touched.get(line, ("", ""))[0]

    def typed(self, line: int) -> dict[int, str]:
        """Return the cells of a line as typed since it came back, if it did: column → text."""
        before = dict(enumerate(self.tried.get(line, ())))
        cells = self.cells.get(line, {})
        return {column: text for column, text in cells.items() if text != before.get(column)}

    def with_cells(
        self, typed: Iterable[tuple[int, int, str, str]], *, who: str, at: str
    ) -> "Draft":
        """Return the draft with these cells: line, column, text, and the file's own text.

        What would stand there anyway takes a change back. ``who`` changed them, ``at`` that time.
        """
        plain, cells = replace(self, cells={}), dict(self.cells)
        lines = dict[int, None]()
        for line, column, value, original in typed:
            lines[line] = None
            row = {k: v for k, v in cells.get(line, {}).items() if k != column}
            if value != plain.value(line, column, original):
                row[column] = value
            cells[line] = row
            if not row:
                del cells[line]
        touched = {**self.touched, **dict.fromkeys(lines, (who, at))}
        return replace(self.unjudged(lines), cells=cells, touched=touched)

    def chosen_to_go(self, line: int, wanted: bool) -> "Draft":  # noqa: FBT001 - a choice is a value
        """Return the draft with a choice of whether to send a line."""
        said = " ".join(message for _, message in self.judged.get(line, ()))
        draft = replace(self.unjudged([line]), chosen={**self.chosen, line: wanted})
        return replace(draft, looked_at={**draft.looked_at, line: said}) if wanted else draft

    def unjudged(self, lines: Iterable[int]) -> "Draft":
        """Return the draft without judgements of lines that are not as they were."""
        changed = set(lines)
        return replace(
            self,
            judged={k: v for k, v in self.judged.items() if k not in changed},
            looked_at={k: v for k, v in self.looked_at.items() if k not in changed},
        )

    def came_back(self, line: int, values: Sequence[str], verdict: tuple[str, str]) -> "Draft":
        """Return the draft with a line open again, as it was sent with these cells.

        Where it went out by another way than this page, what was typed here stays.
        """
        typed = {} if line in self.sent else self.typed(line)
        return replace(
            self.unjudged([line]),
            cells={**self.cells, line: dict(enumerate(values)) | typed},
            chosen={k: v for k, v in self.chosen.items() if k != line},
            sent={k: v for k, v in self.sent.items() if k != line},
            again={**self.again, line: verdict},
            tried={**self.tried, line: tuple(values)},
        )

    def with_rule(self, rule: Rule) -> "Draft":
        """Return the draft with this rule in place of one for the same value."""
        others = [each for each in self.rules if (each.column, each.old) != (rule.column, rule.old)]
        return replace(self, rules=(*others, *([rule] if rule.new != rule.old else [])))


class Drafts:
    """The drafts of one root. Safe from several threads."""

    def __init__(self, site: Site) -> None:
        self._place = place_of(site.root) / "drafts"
        self._lock = threading.Lock()

    def read(self, drop_id: str, rejects: Rejects) -> Draft:
        """Return the draft of a drop; an empty one when the rejects file was written anew since."""
        draft = read_json(self._path(drop_id), Draft)
        if draft is None or draft.identity != rejects.identity:
            return Draft(identity=rejects.identity)
        return draft

    def version(self, drop_id: str) -> str:
        """Return a text that identifies this version of a draft; "" where there is none."""
        try:
            return str(self._path(drop_id).stat().st_mtime_ns)
        except OSError:
            return ""

    @contextmanager
    def changing(self, drop_id: str, rejects: Rejects) -> Iterator["DraftSheet"]:
        """Change a draft: the one that the sheet holds at the end is kept. Raises StorageError."""
        with self._lock:
            sheet = DraftSheet(self.read(drop_id, rejects))
            yield sheet
            write_json(self._path(drop_id), sheet.draft)

    def _path(self, drop_id: str) -> Path:
        return self._place / f"{drop_id}.json"


class DraftSheet(Struct):
    """A draft that is being changed."""

    draft: Draft

    @property
    def room(self) -> int:
        """Return how many single changes there is still room for."""
        return _MOST - sum(len(row) for row in self.draft.cells.values())
