"""A drop's rows to correct, with their changes so far."""

from collections.abc import Iterable, Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.drop_lines import DropLine
from pipeline.core.model import DropState
from pipeline.core.row_keys import RowKey, number_of
from pipeline.web import faults
from pipeline.web.correct_rows.draft import Draft
from pipeline.web.faults import Rejects
from schemas.parcels import TO_CONFIRM

Lines = npt.NDArray[np.int64]


class LineGroups(Struct, frozen=True, kw_only=True):
    """The lines that need a person, each in one of four groups.

    ``ready``: sound, and sent with the next *Send*. ``wrong``: a run would reject them as they
    are now. ``left_out``: a user chose not to send them. ``untouched``: the rest.
    """

    ready: Lines
    wrong: Lines
    untouched: Lines
    left_out: Lines

    @property
    def total(self) -> int:
        """Return the number of lines that need a person."""
        return len(self.ready) + len(self.wrong) + len(self.untouched) + len(self.left_out)


class Table(Struct, frozen=True, kw_only=True, dict=True):
    """A drop's rejects file, and its changes so far.

    ``fixed``: rows that need no correction here: they were corrected or set aside, or are corrected
    in the file that this one corrects. ``aside``: row → reason, who, when. ``left_alone``: rows
    that were set aside, or are corrected in the file that this one corrects.
    """

    drop: DropLine
    rejects: Rejects
    draft: Draft
    fixed: frozenset[RowKey]
    aside: Mapping[RowKey, tuple[str, str, str]]
    left_alone: frozenset[RowKey] = frozenset()

    @property
    def whole_file(self) -> bool:
        """Return True when nothing of the file was sent, so that all of it goes out again."""
        return self.drop.state is DropState.REFUSED

    @cached_property
    def lines_left(self) -> Lines:
        """Return the lines that still need a person: neither sound nor sent."""
        keys = self.rejects.keys_of(self.drop.drop_id) if self.fixed else {}
        fixed = (line for line, key in keys.items() if key in self.fixed)
        return np.flatnonzero(~self._are({*fixed, *self.draft.sent}))

    @cached_property
    def changed(self) -> npt.NDArray[np.bool_]:
        """Return which lines have a cell that differs from the file."""
        changed = self._are(self.draft.cells)
        for rule in self.draft.rules:
            changed |= pc.equal(self.rejects.table.column(rule.column), rule.old).to_numpy()
        for line, tried in self.draft.tried.items():
            if line < len(changed):
                changed[line] = self.row(line) != tried
        return changed

    @cached_property
    def touched(self) -> npt.NDArray[np.bool_]:
        """Return which lines were changed, or ticked as they are."""
        return self.changed | self._are(self._chosen(to_go=True))

    @cached_property
    def groups(self) -> LineGroups:
        """Return the state of its lines, in four groups."""
        sound = self._are(())
        if self.whole_file:  # its sound lines are to go out, too
            sound = pc.equal(self.rejects.codes, "").to_numpy() & ~self._are(self.draft.tried)
        judged = self._are(line for line, found in self.draft.judged.items() if found)
        wrong = (self.touched | sound) & judged
        ready = (self.touched | sound) & ~judged
        left, out = self.lines_left, self._are(self._chosen(to_go=False))[self.lines_left]
        return LineGroups(
            left_out=left[out],
            wrong=left[~out & wrong[left]],
            ready=left[~out & ready[left]],
            untouched=left[~out & ~ready[left] & ~wrong[left]],
        )

    @cached_property
    def ticked(self) -> set[int]:
        """Return the lines that are shown with a tick: ready ones, and wrong ones.

        A line that needs a tick as a confirmation is shown without.
        """
        judged = self.draft.judged
        to_confirm = {
            line
            for line in self.groups.wrong.tolist()
            if any(TO_CONFIRM in message for _, message in judged.get(line, ()))
        }
        return {*self.groups.ready.tolist(), *self.groups.wrong.tolist()} - to_confirm

    @property
    def done_elsewhere(self) -> dict[int, RowKey]:
        """Return the lines whose rows a file from the inbox corrected: line → row."""
        rows = self.fixed - self.left_alone
        keys = self.rejects.keys_of(self.drop.drop_id) if rows else {}
        return {n: key for n, key in keys.items() if key in rows and n not in self.draft.sent}

    @property
    def aside_lines(self) -> dict[int, tuple[str, str, str]]:
        """Return the lines whose rows somebody set aside: line → reason, who, when."""
        keys = self.rejects.keys_of(self.drop.drop_id) if self.aside else {}
        known = {
            n: self.aside.get(key) or self.aside.get(number_of(key)) for n, key in keys.items()
        }
        return {n: note for n, note in known.items() if note and n not in self.draft.sent}

    @cached_property
    def left(self) -> Rejects:
        """Return the rejects of the lines that need a person, with their newest faults."""
        return self.only(self.lines_left)

    def only(self, lines: Lines) -> Rejects:
        """Return the rejects of these lines, those that came back as they came back."""
        rejects, wanted = self.rejects, pa.array(lines)
        table, messages = rejects.table.take(wanted), rejects.messages.take(wanted).to_pylist()
        place = {line: at for at, line in enumerate(lines.tolist())}
        back = [line for line in self.draft.again if line in place]
        for line in back:
            messages[place[line]] = self.draft.again[line][1]
        if back:
            columns = [column.to_pylist() for column in table.columns]
            for line in back:
                for column, value in enumerate(self.draft.tried.get(line, ())):
                    columns[column][place[line]] = value
            arrays = [pa.array(each, pa.string()) for each in columns]
            table = pa.table(arrays, names=table.column_names)
        return replace(
            rejects,
            table=table,
            rows=rejects.rows.take(wanted),
            codes=pa.chunked_array([pa.array(self.codes(lines), pa.string())]),
            messages=pa.chunked_array([pa.array(messages, pa.string())]),
            drops=rejects.drops.take(wanted),
            sheets=None if rejects.sheets is None else rejects.sheets.take(wanted),
        )

    def codes(self, lines: Lines) -> list[str]:
        """Return the codes of lines, of those that came back the newest."""
        codes = self.rejects.codes.take(pa.array(lines)).to_pylist()
        again = self.draft.again
        return [
            again[line][0] if line in again else each
            for line, each in zip(lines.tolist(), codes, strict=True)
        ]

    def faults(self, line: int) -> tuple[set[int], str, bool]:
        """Return a row's wrong columns, its message, and whether they are of its present cells."""
        judged = self.draft.judged.get(line) if self.touched[line] else None
        if judged is not None:
            places = {int(place) for place, _ in judged if place}
            return places, " ".join(dict.fromkeys(said for _, said in judged)), True
        rejects, verdict = self.rejects, self.draft.again.get(line)
        codes, message = verdict or (rejects.codes[line].as_py(), rejects.messages[line].as_py())
        return set(faults.bad_columns(rejects, codes)), message, False

    def row(self, line: int) -> tuple[str, ...]:
        """Return a line's cells as they are now."""
        return self.draft.row(self.rejects, line)

    def column(self, column: int, lines: Lines) -> pa.Array:
        """Return lines of a column as they are now: rules first, since single cells win."""
        original = self.rejects.table.column(column).take(pa.array(lines)).combine_chunks()
        values = original
        for rule in self.draft.rules:
            if rule.column == column:
                values = pc.if_else(pc.equal(original, rule.old), rule.new, values)
        own = {line: row[column] for line, row in self.draft.cells.items() if column in row}
        if not own:
            return values
        texts = values.to_pylist()
        for place, line in enumerate(lines.tolist()):
            texts[place] = own.get(line, texts[place])
        return pa.array(texts, pa.string())

    def _chosen(self, *, to_go: bool) -> list[int]:
        return [line for line, wanted in self.draft.chosen.items() if wanted is to_go]

    def _are(self, lines: Iterable[int]) -> npt.NDArray[np.bool_]:
        """Return which lines are among these; the draft may be of a longer file."""
        marks = np.zeros(len(self.rejects), dtype=bool)
        marks[[line for line in lines if line < len(marks)]] = True
        return marks
