"""From a rejects file and a draft to the corrected file: which lines go out, with which cells."""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from pipeline.core.file_names import stem_of
from pipeline.core.row_keys import RowKey
from pipeline.reporting.rejects_csv import LEADING, LEADING_WITH_SHEET
from pipeline.reporting.results_csv import csv_cells, csv_header, csv_lines
from pipeline.storage.durable_files import storing
from pipeline.web.correct_rows.draft import Draft, Rule
from pipeline.web.faults import Rejects
from schemas.parcels import CONFIRMED, HELD_AS, TO_CONFIRM
from schemas.vocabulary import Role

_NAME_BYTES: Final = 200
_ROWS_NAMED: Final = 20
"""Rows of one order id that a question names."""


def open_lines(
    rejects: Rejects, draft: Draft, fixed: Set[RowKey], drop_id: str
) -> npt.NDArray[np.int64]:
    """Return the lines that still need a person: neither sound nor sent.

    ``fixed``: the dropped file's rows that a corrected file mended; ``drop_id``: that file's.
    """
    done = np.zeros(len(rejects), dtype=bool)
    if fixed:
        done[[line for line, key in rejects.keys_of(drop_id).items() if key in fixed]] = True
    done[[line for line in draft.sent if line < len(done)]] = True
    return np.flatnonzero(~done)


def rows_with_value(rejects: Rejects, rule: Rule) -> int:
    """Return how many lines have the value that a rule replaces, in its column."""
    return int(pc.sum(pc.equal(rejects.table.column(rule.column), rule.old)).as_py() or 0)


def lines_with_value(rejects: Rejects, rule: Rule) -> list[int]:
    """Return the lines of the file that have the value that a rule replaces, in its column."""
    same = pc.equal(rejects.table.column(rule.column), rule.old).to_numpy()
    return [int(line) for line in np.flatnonzero(same)]


def changed_lines(rejects: Rejects, draft: Draft) -> npt.NDArray[np.bool_]:
    """Return which lines have a cell that differs from the file."""
    changed = np.zeros(len(rejects), dtype=bool)
    for rule in draft.rules:
        column = rejects.table.column(rule.column)
        changed |= pc.equal(column, rule.old).to_numpy()
    for line in draft.cells:
        if line < len(changed):
            changed[line] = True
    for line, tried in draft.tried.items():
        if line < len(changed):
            changed[line] = row_as_it_is(rejects, draft, line) != tried
    return changed


def row_as_it_is(rejects: Rejects, draft: Draft, line: int) -> tuple[str, ...]:
    """Return a line's cells as they are now."""
    return tuple(
        draft.value(line, column, rejects.table.column(column)[line].as_py())
        for column in range(len(rejects.headers))
    )


def rejects_left(rejects: Rejects, draft: Draft, lines: npt.NDArray[np.int64]) -> Rejects:
    """Return only these lines, those that came back with their newest cells, codes and message."""
    place = {line: at for at, line in enumerate(lines.tolist())}
    back = {line: came_back for line, came_back in draft.again.items() if line in place}
    wanted = pa.array(lines)
    codes, messages = (each.take(wanted).to_pylist() for each in (rejects.codes, rejects.messages))
    table = rejects.table.take(wanted)
    for line, came_back in back.items():
        codes[place[line]], messages[place[line]] = came_back
    if back:
        columns = [table.column(at).to_pylist() for at in range(table.num_columns)]
        for line in back:
            for column, value in enumerate(draft.tried.get(line, ())):
                columns[column][place[line]] = value
        arrays = [pa.array(each, pa.string()) for each in columns]
        table = pa.table(arrays, names=table.column_names)
    return Rejects(
        identity=rejects.identity,
        headers=rejects.headers,
        columns=rejects.columns,
        table=table,
        rows=rejects.rows.take(wanted),
        codes=pa.chunked_array([pa.array(codes, pa.string())]),
        messages=pa.chunked_array([pa.array(messages, pa.string())]),
        drops=rejects.drops.take(wanted),
        sheets=None if rejects.sheets is None else rejects.sheets.take(wanted),
    )


class LineGroups(Struct, frozen=True, kw_only=True):
    """The lines that need a person, each in one of four groups.

    ``ready``: sound, and sent with the next *Send*. ``wrong``: a run would reject them as they
    are now. ``left_out``: a user chose not to send them. ``untouched``: the rest.
    """

    ready: npt.NDArray[np.int64]
    wrong: npt.NDArray[np.int64]
    untouched: npt.NDArray[np.int64]
    left_out: npt.NDArray[np.int64]

    @property
    def total(self) -> int:
        """Return the number of lines that need a person."""
        return len(self.ready) + len(self.wrong) + len(self.untouched) + len(self.left_out)


def touched_lines(rejects: Rejects, draft: Draft) -> npt.NDArray[np.bool_]:
    """Return which lines were changed, or ticked as they are."""
    touched = changed_lines(rejects, draft)
    touched[[line for line, wish in draft.chosen.items() if wish and line < len(touched)]] = True
    return touched


def group_lines(
    rejects: Rejects, draft: Draft, left: npt.NDArray[np.int64], *, whole_file: bool
) -> LineGroups:
    """Sort the lines into groups. ``left``: those that need a person.

    ``whole_file``: nothing of the file was sent, so that its sound lines are among them.
    """
    touched = touched_lines(rejects, draft)
    judged, out = np.zeros(len(rejects), bool), np.zeros(len(rejects), bool)
    judged[[line for line, faults in draft.judged.items() if faults and line < len(judged)]] = True
    out[[line for line, wish in draft.chosen.items() if not wish and line < len(out)]] = True
    sound = pc.equal(rejects.codes, "").to_numpy() if whole_file else np.zeros(len(rejects), bool)
    sound[[line for line in draft.tried if line < len(sound)]] = False
    wrong = (touched | sound) & judged
    ready = (touched | sound) & ~judged
    here = out[left]
    return LineGroups(
        left_out=left[here],
        wrong=left[~here & wrong[left]],
        ready=left[~here & ready[left]],
        untouched=left[~here & ~ready[left] & ~wrong[left]],
    )


def ticked_lines(draft: Draft, groups: LineGroups) -> set[int]:
    """Return the lines that are shown with a tick: ready ones, and wrong ones.

    A line that needs a tick as a confirmation is shown without.
    """
    wrong = [line for line in groups.wrong.tolist() if not _asks_for_a_word(draft, line)]
    return {*groups.ready.tolist(), *wrong}


def _asks_for_a_word(draft: Draft, line: int) -> bool:
    return any(TO_CONFIRM in message for _, message in draft.judged.get(line, ()))


def write_corrected(
    path: Path, rejects: Rejects, draft: Draft, lines: npt.NDArray[np.int64]
) -> None:
    """Write the corrected file: these lines as they are now. Raises StorageError."""
    with storing("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.writelines(_pieces(rejects, draft, lines))


def corrected_name(source_file: str) -> str:
    """Return what the corrected file of a dropped file is called."""
    stem = stem_of(source_file)
    while len(stem.encode("utf-8", "replace")) > _NAME_BYTES:
        stem = stem[:-1]
    return f"{stem}_corrected.csv"


class SharedId(Struct, frozen=True, kw_only=True):
    """An order id that was typed into rows whose AWBs differ.

    ``rows``: number and AWB of each row that has it, ``sent``: of those that went out before.
    """

    order_id: str
    rows: tuple[tuple[str, str], ...]
    sent: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """Return the id and its rows in a sentence."""
        named = [f"row {row} (AWB {awb})" for row, awb in self.rows[:_ROWS_NAMED]]
        named += [f"row {row} (AWB {awb}), sent already" for row, awb in self.sent[:_ROWS_NAMED]]
        more = len(self.rows) + len(self.sent) - len(named)
        return f'"{self.order_id}": {", ".join(named)}' + (f" and {more} more" if more > 0 else "")


def shared_ids(
    rejects: Rejects,
    draft: Draft,
    lines: npt.NDArray[np.int64],
    sent_with: Callable[[Set[str]], Mapping[str, Sequence[tuple[str, str]]]],
) -> list[SharedId]:
    """Find the order ids that were typed and would stand in rows with different AWBs.

    ``lines``: those that are to be sent. ``sent_with``: order id → row number and AWB of the rows
    of the same file that went out with it, as far as there are any.
    """
    ids, awbs = rejects.columns.get(Role.ORDER_ID), rejects.columns.get(Role.AWB)
    if ids is None or awbs is None:
        return []
    wanted = pa.array(lines)
    before = rejects.table.column(ids).take(wanted).to_pylist()
    now = column_now(rejects, draft, ids, lines, wanted).to_pylist()
    awb_of = column_now(rejects, draft, awbs, lines, wanted).to_pylist()
    typed = {each.strip() for was, each in zip(before, now, strict=True) if each != was}
    rows: dict[str, list[tuple[str, str]]] = {each: [] for each in typed if each}
    for line, order_id, awb in zip(lines.tolist(), now, awb_of, strict=True):
        if order_id.strip() in rows:
            rows[order_id.strip()].append((rejects.called(line), awb.strip()))
    found, elsewhere = [], sent_with(rows.keys()) if rows else {}
    for order_id, here in rows.items():
        sent = tuple(elsewhere.get(order_id, ()))
        if len({awb.casefold() for _, awb in (*here, *sent) if awb}) > 1:
            found.append(SharedId(order_id=order_id, rows=tuple(here), sent=sent))
    return found


def _codes(rejects: Rejects, draft: Draft, lines: npt.NDArray[np.int64]) -> pa.Array:
    """Return the codes of some lines, of those that came back the newest.

    One that other rows hold, and that somebody ticked since, has that person's word instead.
    """
    joined = []
    for line, codes in zip(lines.tolist(), rejects.codes.take(pa.array(lines)), strict=True):
        newest = draft.again[line][0] if line in draft.again else codes.as_py()
        labels = newest.split(";")
        free = [label for label in labels if label and label not in HELD_AS.values()]
        told = draft.looked_at.get(line)
        if told is not None and (TO_CONFIRM in told or not {*HELD_AS.values()}.isdisjoint(labels)):
            newest = ";".join([*free, CONFIRMED])
        joined.append(newest)
    return pa.array(joined, pa.string())


def _pieces(rejects: Rejects, draft: Draft, lines: npt.NDArray[np.int64]) -> Iterator[bytes]:
    leading = LEADING if rejects.sheets is None else LEADING_WITH_SHEET
    yield csv_header((*leading, *rejects.headers))
    wanted = pa.array(lines)
    rows, messages, drops = (
        each.take(wanted) for each in (rejects.rows, rejects.messages, rejects.drops)
    )
    lead = [rows, _codes(rejects, draft, lines), messages, drops]
    if rejects.sheets is not None:
        lead.append(rejects.sheets.take(wanted))
    cells = [
        column_now(rejects, draft, column, lines, wanted) for column in range(len(rejects.headers))
    ]
    yield csv_lines([csv_cells(each) for each in (*lead, *cells)])


def column_now(
    rejects: Rejects, draft: Draft, column: int, lines: npt.NDArray[np.int64], wanted: pa.Array
) -> pa.Array:
    """Return lines of a column as they are now: rules first, since single cells win."""
    original = rejects.table.column(column).take(wanted).combine_chunks()
    values = original
    for rule in draft.rules:
        if rule.column == column:
            values = pc.if_else(pc.equal(original, rule.old), rule.new, values)
    own = {line: row[column] for line, row in draft.cells.items() if column in row}
    if not own:
        return values
    texts = values.to_pylist()
    for place, line in enumerate(lines.tolist()):
        if line in own:
            texts[place] = own[line]
    return pa.array(texts, pa.string())
