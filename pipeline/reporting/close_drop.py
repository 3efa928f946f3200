"""End a drop: write its report, save its state in the ledger, put its file away.

In that order, so that after a crash anywhere in between these steps can be repeated.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import tzinfo
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import structlog
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.core import file_names
from pipeline.core.clock import Clock
from pipeline.core.corrections import counted_in, with_fixed
from pipeline.core.errors import DropRefused, StorageError, Tried, attempt
from pipeline.core.model import Drop, DropState, SetAside
from pipeline.core.rejects_file import SAYING, UNCLEAR, with_dates, words_of
from pipeline.core.row_keys import (
    RowKey,
    in_order,
    row_key,
    rows_named,
)
from pipeline.core.shipment import Cause, Closed, DeliveryResult, OpenReason, StillOpen, reason_of
from pipeline.reporting import write
from pipeline.reporting.came_since import CameSince
from pipeline.reporting.rejects_csv import rows_given_back
from pipeline.reporting.row_outcomes import OUTCOMES, DropOutcomes, Remark, outcomes_of, unsent
from pipeline.reporting.rows import Report, gathered
from pipeline.storage.changed_file_notes import ChangedFileNotes
from pipeline.storage.ledger import SqlLedger
from pipeline.storage.root_folders import FileChange, Folders, place_of
from pipeline.storage.spool import Spool, Spools
from schemas.codes import Code
from schemas.courier import Profile
from schemas.display import counted, shown
from schemas.vocabulary import CORRECTABLE, DATE_ROLES, FOR_A_PERSON, Outcome

log = structlog.get_logger(__name__)

_CORRECTABLE = [OUTCOMES.index(outcome) for outcome in CORRECTABLE]
_FOR_A_PERSON = [OUTCOMES.index(outcome) for outcome in FOR_A_PERSON]


class _Written(Struct, frozen=True, kw_only=True):
    """A drop whose files are written; without ``outcomes`` it was refused unread."""

    drop: Drop
    summary: Mapping[str, Any]
    outcomes: DropOutcomes | None


class Closer(Struct, frozen=True, kw_only=True):
    """Reports drops and puts them away. Raises StorageError; doing it again is fine.

    ``notes``: of drops whose files may be written to after that.
    ``again_seconds``: how often a drop that stays open is taken up again. ``zone``: of the times
    that are written for people. ``logged``: open drop → the report that was last logged.
    """

    folders: Folders
    ledger: SqlLedger
    notes: ChangedFileNotes
    spools: Spools
    clock: Clock
    profiles: Mapping[str, Profile]
    again_seconds: float
    zone: tzinfo
    logged: dict[int, str] = field(default_factory=dict)

    def finish(
        self, ended: Sequence[tuple[Drop, DeliveryResult]]
    ) -> list[Tried[Closed | StillOpen]]:
        """Report drops that came back from delivery, and close those that are finished.

        Return the result of each, in their order.
        """
        waiting = [
            (
                drop,
                _CANCELLED
                if _is_cut_off(back)
                else unsent(open_reason.reason if open_reason else ""),
            )
            for drop, back in ended
            for open_reason in (reason_of(drop, back),)
        ]
        results: dict[int, Tried[Closed | StillOpen]] = {}
        endings: dict[int, tuple[Drop, DropOutcomes]] = {}
        for at, outcomes in enumerate(self.outcomes_of_all(waiting)):
            drop, back = ended[at]
            if isinstance(outcomes, Exception):
                results[at] = outcomes
            elif _is_cut_off(back):
                endings[at] = replace(drop, state=DropState.CANCELLED), outcomes
            elif outcomes.counts()[Outcome.UNSENT] or not back.complete:
                results[at] = self._left_open(drop, back, outcomes)
            else:
                endings[at] = replace(drop, state=DropState.COMPLETED), outcomes
        closed = self.close_all(list(endings.values()))
        for drop, _ in endings.values():
            self.logged.pop(drop.seq, None)
        results.update(zip(endings, closed, strict=True))
        return [results[at] for at in range(len(ended))]

    def _left_open(
        self, drop: Drop, back: DeliveryResult, outcomes: DropOutcomes
    ) -> Tried[StillOpen]:
        open_reason = reason_of(drop, back) or _reason_by_rows(drop, outcomes)
        try:
            drop = self.report_open(drop, outcomes, open_reason)
        except Exception as error:  # noqa: BLE001 - this drop's bug, reported as its own
            return error
        if self.logged.get(drop.seq) != drop.facts.last_report:
            self.logged[drop.seq] = drop.facts.last_report
            self._tell_open(drop, open_reason)
        return StillOpen(
            drop=drop,
            open_reason=open_reason,
            only_waiting_left=back.complete,
            progressed=back.progressed,
        )

    def _tell_open(self, drop: Drop, open_reason: OpenReason) -> None:
        """Log that a drop stays open, and why."""
        waits_alone = open_reason.cause is Cause.EARLIER and open_reason.waits_for
        (log.info if waits_alone else log.warning)(
            "drop.waits" if waits_alone else "drop.open",
            drop=drop.drop_id,
            file=open_reason.file,
            folder=shown(drop.folder),
            courier=drop.courier,
            reason=open_reason.reason,
            hint=open_reason.hint,
            again_seconds=self.again_seconds,
        )

    def outcomes_of_all(self, drops: Sequence[tuple[Drop, Remark]]) -> list[Tried[DropOutcomes]]:
        """Return the outcomes of each drop's rows as the ledger has them now, or why not.

        With each drop comes what its rows that wait are to say.
        """
        numbers = [drop.seq for drop, _ in drops]
        try:
            ends, verdicts = self.ledger.ends_of(numbers), self.ledger.verdicts_of(numbers)
        except StorageError as error:
            return [error] * len(drops)

        def outcomes(drop: Drop, waiting: Remark) -> DropOutcomes:
            plan = self.spools.of(drop).plan()
            return outcomes_of(plan, ends[drop.seq], verdicts[drop.seq], waiting=waiting)

        return [attempt(outcomes, drop, waiting) for drop, waiting in drops]

    def report_open(self, drop: Drop, outcomes: DropOutcomes, open_reason: OpenReason) -> Drop:
        """Report a drop that stays open, the summary with why, and keep that in the ledger.

        Return the updated drop. Nothing is written where its last report says just this.
        """
        digest = _digest(outcomes, open_reason)
        if drop.facts.last_report == digest:
            return drop
        self._keep_ids(drop, np.isin(outcomes.outcome, _CORRECTABLE))
        why = {**open_reason.as_dict(), "again_seconds": self.again_seconds}
        summary = write.write_report(replace(self._report(drop, outcomes), open=why), self.folders)
        self.folders.outbox.sync([drop.folder])
        now = drop.noting(last_report=digest)
        self.ledger.save(now.noting(summary=summary))
        return now

    def close_all(self, endings: Sequence[tuple[Drop, DropOutcomes]]) -> list[Tried[Closed]]:
        """Report drops for the last time and put them away; or why one could not be.

        ``endings``: each in the state in which it is to be closed, with its rows' outcomes.
        """
        now = self.clock.now()
        reports = [
            # Should it be retried, its report is that of a closed drop until then.
            self._report(
                self._mark_if_changed(replace(drop, finished_at=now).noting(last_report="")),
                outcomes,
            )
            for drop, outcomes in endings
        ]
        return self._closed([attempt(self._write_files, one) for one in gathered(reports)])

    def _write_files(self, report: Report) -> _Written:
        summary = write.write_report(report, self.folders)
        return _Written(drop=report.drop, summary=summary, outcomes=report.outcomes)

    def refuse(self, drop: Drop, refusal: DropRefused) -> Closed:
        """Refuse the file whole: REFUSED.txt, a summary, quarantine."""
        drop = self._refused(drop, keep=("refused", "summary"))
        name = write.write_refusal(drop, refusal, self.folders, self.zone)
        files = {"refused": name, "summary": file_names.file_name(drop, file_names.SUMMARY)}
        summary = write.refused_summary(drop, refusal, files)
        write.write_summary(drop, summary, self.folders)
        return self._closed_one(_Written(drop=drop, summary=summary, outcomes=None))

    def refuse_rows(self, drop: Drop, refusal: DropRefused, outcomes: DropOutcomes) -> Closed:
        """Refuse a file most of whose rows are bad, and give them back to be corrected."""
        drop = self._refused(drop, keep=("refused", "summary", "rejects", "rejects_xlsx"))
        report = replace(self._report(drop, outcomes), whole_file=True)
        summary = write.write_refused_rows(report, refusal, self.folders, self.zone)
        return self._closed_one(_Written(drop=drop, summary=summary, outcomes=outcomes))

    def _refused(self, drop: Drop, *, keep: Collection[str]) -> Drop:
        """Return the drop as it is refused; its reports from when it was open go, but ``keep``."""
        for report, end in file_names.REPORTS.items():
            if report not in keep:
                self.folders.outbox.remove(drop.folder, file_names.file_name(drop, end))
        return self._mark_if_changed(
            replace(drop, state=DropState.REFUSED, finished_at=self.clock.now())
        )

    def _mark_if_changed(self, drop: Drop) -> Drop:
        """Note in the summary that a drop's file was changed after it was read."""
        since = attempt(self._since_read, drop)
        if isinstance(since, FileChange) and since.changed:
            return drop.noting(changed=True)
        return drop  # also where it cannot be read any more: then it is looked at again

    def _since_read(self, drop: Drop) -> FileChange | None:
        """Return how the file of a drop is, as long as it lies in work."""
        path = self.folders.claimed_path(drop.drop_id, drop.source_file)
        return self.folders.since_read(path, drop) if path else None

    def put_away(self, drop: Drop) -> None:
        """Remove the parts of a closed drop's spool that are not needed, then put its file away.

        In this order: the next start finds unfinished drops by their files in work.
        """
        self._forget_rows(drop)
        self._watch(drop)
        self.folders.put_away(place_of(drop))

    def put_away_leftovers(self, is_busy: Callable[[str], bool] = lambda _drop_id: False) -> None:
        """Put away files of closed drops whose last move did not happen.

        ``is_busy``: returns True for the id of a drop that a step is at work on.
        """
        for drop_id in self.folders.leftovers():
            found = None if is_busy(drop_id) else self.ledger.find(drop_id)
            if found is not None and found.state.closed:
                self.put_away(found)

    def _report(self, drop: Drop, outcomes: DropOutcomes) -> Report:
        profile, spool = self.profiles.get(drop.courier), self.spools.of(drop)
        return Report(drop=drop, outcomes=outcomes, spool=spool, profile=profile)

    def _closed_one(self, noted: _Written) -> Closed:
        (closed,) = self._closed([noted])
        if isinstance(closed, Exception):
            raise closed
        return closed

    def _closed(self, reported: Sequence[Tried[_Written]]) -> list[Tried[Closed]]:
        """Close drops whose files are written: names on the disk, then the ledger, then the moves.

        Each of these once for all of them, and in this order: after a crash in between all that
        is left is done again.
        """
        left = self._folders_with_something_left(reported)
        noted = [
            one if isinstance(one, Exception) else attempt(self._keep_for_corrections, one, left)
            for one in reported
        ]
        written = [one for one in noted if isinstance(one, _Written)]
        failed = attempt(self._record, written) if written else None
        if isinstance(failed, Exception):
            return [failed if isinstance(one, _Written) else one for one in noted]
        closed = {one.drop.drop_id: self._to_closed(one) for one in written}
        self._put_away_all([one.drop for one in closed.values()])
        return [one if isinstance(one, Exception) else closed[one.drop.drop_id] for one in noted]

    def _folders_with_something_left(self, ended: Sequence[Tried[_Written]]) -> Collection[str]:
        """Return in which folders of these drops something may be left to do: mostly in few."""
        written = [one.drop for one in ended if isinstance(one, _Written)]
        folders = {drop.folder for drop in written if drop.state is DropState.COMPLETED}
        if not folders:
            return folders
        found = attempt(self.ledger.overview.folders_with_something_left, folders)
        return folders if isinstance(found, Exception) else found

    def _keep_for_corrections(self, noted: _Written, left: Collection[str]) -> _Written:
        """Keep what a corrected file may need, and update the parent of one that came back.

        ``left``: folders with earlier drops whose rows may have come with this one.
        """
        drop, outcomes = noted.drop, noted.outcomes
        if outcomes is None:
            return noted
        if drop.state is DropState.REFUSED:
            self._keep_ids(drop, np.ones(len(outcomes.outcome), dtype=bool))
            given_back = rows_given_back(self._report(drop, outcomes))
            every = np.ones(len(outcomes.outcome), dtype=bool)
            seen_to = self._seen_to(drop, every, every) if drop.same_as else {}
            return replace(noted, drop=drop.noting(to_correct=given_back, **seen_to))
        self._keep_ids(drop, np.isin(outcomes.outcome, _CORRECTABLE))
        if drop.state is not DropState.COMPLETED:
            return noted
        if drop.folder in left:
            came_since = CameSince(ledger=self.ledger, spools=self.spools, clock=self.clock)
            error = attempt(came_since.look, drop, outcomes)
            if error is not None:  # what is left of other drops stays to do; this one ends
                log.error("drop.not_compared", drop=drop.drop_id, reason=str(error))
        if drop.parent:
            drop = drop.noting(returned=self._tell_parent(drop, drop.parent, outcomes))
            noted = replace(noted, drop=drop)
        return self._dealt_with(noted, outcomes) if drop.same_as else noted

    def _dealt_with(self, noted: _Written, outcomes: DropOutcomes) -> _Written:
        """Add the rows that were corrected or set aside before this file was read again."""
        outcome = outcomes.outcome
        seen_to = self._seen_to(
            noted.drop, np.isin(outcome, _CORRECTABLE), np.isin(outcome, _FOR_A_PERSON)
        )
        drop = noted.drop.noting(**seen_to)
        fixed = drop.facts.fixed_rows
        if not fixed:
            return replace(noted, drop=drop)
        summary = counted_in(noted.summary, fixed)
        write.summary_again(drop.noting(summary=summary), self.folders)
        return replace(noted, drop=drop, summary=summary)

    def _seen_to(
        self,
        drop: Drop,
        correctable: np.ndarray[Any, Any],
        for_a_person: np.ndarray[Any, Any],
    ) -> dict[str, Any]:
        """Return what people did with rows of this file when it was read before, as facts.

        Only those that need a person as before: a row that is understood now is like any other.
        """
        fixed, aside = set[RowKey](), dict[RowKey, SetAside]()
        for drop_id in self.ledger.overview.read_again_from(drop.sha256, drop.seq):
            if (earlier := self.ledger.find(drop_id)) is not None:
                fixed |= {*earlier.facts.fixed_rows}
                aside |= {each.row: each for each in earlier.facts.aside}
        if not fixed and not aside:
            return {}
        fixed = rows_named(fixed, self._rows(drop, correctable))
        left = self._rows(drop, for_a_person) - fixed
        still = {row: why for key, why in aside.items() for row in rows_named({key}, left)}
        return {
            "fixed_rows": in_order(fixed),
            "aside": tuple(replace(still[row], row=row) for row in in_order(still)),
        }

    def _rows(self, drop: Drop, wanted: np.ndarray[Any, Any]) -> set[RowKey]:
        """Return the keys of these rows."""
        spool, start, found = self.spools.of(drop), 0, set[RowKey]()
        for number, sheet in enumerate(drop.facts.key_sheets):
            for batch in spool.blocks(number, ["row"]):
                mine = wanted[start : start + batch.num_rows]
                rows = batch.column(0).filter(pa.array(mine)).to_pylist()
                found |= {row_key(row, sheet) for row in rows}
                start += batch.num_rows
        return found

    def _record(self, noted: Sequence[_Written]) -> None:
        self.folders.outbox.sync([one.drop.folder for one in noted])
        self.ledger.save_all([one.drop.noting(summary=one.summary) for one in noted])

    def _to_closed(self, noted: _Written) -> Closed:
        drop = noted.drop
        code = (noted.summary.get("refused") or {}).get("code")
        why = {"code": code} if code else {}
        file = shown(drop.source_file)
        rows: Mapping[str, int] = noted.summary["rows"]
        log.info(
            "drop.closed",
            drop=drop.drop_id,
            file=file,
            folder=shown(drop.folder),
            courier=drop.courier,
            state=drop.state.value,
            rows=rows["total"],
            **{outcome: n for outcome, n in rows.items() if n and outcome != "total"},
            seconds=_seconds(drop),
            **why,
        )
        return Closed(drop=drop.noting(summary=noted.summary), summary=noted.summary)

    def _put_away_all(self, drops: Sequence[Drop]) -> None:
        """Put several files away. Where it fails all is on record, and the next look does it."""
        forgotten = [attempt(self._forget_rows, drop) for drop in drops]
        watched = [attempt(self._watch, drop) for drop in drops]
        moved = self.folders.put_away_all([place_of(drop) for drop in drops])
        for drop, *errors in zip(drops, forgotten, watched, moved, strict=True):
            for error in errors:
                if error is not None:
                    log.error("drop.not_put_away", drop=drop.drop_id, reason=str(error))

    def _watch(self, drop: Drop) -> None:
        """Note that its file is to be checked again, unless it certainly has no writer."""
        since = attempt(self._since_read, drop)
        if since is not None and not (isinstance(since, FileChange) and since.is_final):
            self.notes.watch(drop.drop_id)

    def _forget_rows(self, drop: Drop) -> None:
        spool = self.spools.of(drop)
        if not _may_be_retried(drop, spool):
            spool.forget_rows()
        if self.spools.are_shared:
            spool.forget_others()

    def _tell_parent(
        self, drop: Drop, parent_id: str, outcomes: DropOutcomes
    ) -> tuple[tuple[RowKey, RowKey], ...]:
        """Count in the parent's summary, for whoever sent it, what this corrected file mended.

        Return the rows that need a person there, not here: (row here, row in the parent). One
        that another file corrected before needs a person here: the two files differ.
        """
        parent = self.ledger.find(parent_id)
        if parent is None:
            return ()
        found = write.corrections_in(self._report(drop, outcomes), parent)
        self._mended(parent, found.fixed)
        if not parent.state.closed:
            return ()
        fixed = parent.facts.fixed_rows
        return tuple(pair for pair in found.returned if not rows_named(fixed, {pair[1]}))

    def _mended(self, parent: Drop, rows: Collection[RowKey]) -> None:
        """Note the rows in the drop, and in the file that it corrects itself."""
        parent_id = parent.drop_id
        returned = dict(parent.facts.returned)
        above = self.ledger.find(parent.parent) if parent.parent and returned else None
        if above is not None:
            self._mended(above, {returned[row] for row in rows_named(rows, returned)})
        corrected = self.ledger.change_facts(parent.seq, partial(with_fixed, rows=rows))
        # Another machine may add its own meanwhile: the last to write has to have seen all.
        while corrected is not None and corrected.facts.summary:
            write.summary_again(corrected, self.folders)
            again = self.ledger.find(parent_id)
            same = again is None or again.facts.summary == corrected.facts.summary
            corrected = None if same or again is None or not again.state.closed else again

    def _keep_ids(self, drop: Drop, wanted: np.ndarray[Any, Any]) -> None:
        """Keep ids and words as they were: a corrected rejects file may need them.

        An id that was damaged on the way is put back (ID_RESTORED), and a row whose status was
        unclear does not go out as it was.
        """
        if not wanted.any():
            return
        spool, start, kept = self.spools.of(drop), 0, []
        for number, sheet in enumerate(drop.facts.sheets):
            saying = {role: f"c{at}" for role, at in sheet.roles.items() if role in SAYING}
            dates = {role: f"c{at}" for role, at in sheet.roles.items() if role in DATE_ROLES}
            cells = dict.fromkeys((*saying.values(), *dates.values()))
            columns = ["row", "order_id", "awb", "status", "codes", "around", *cells]
            for batch in spool.blocks(number, columns):
                rows = batch.filter(pa.array(wanted[start : start + batch.num_rows]))
                words = {role: rows.column(name) for role, name in saying.items()}
                kept.append(
                    pa.table(
                        {
                            "row": rows.column("row"),
                            "order_id": rows.column("order_id"),
                            "awb": rows.column("awb"),
                            "milestone": rows.column("status"),
                            "sheet": pa.repeat(pa.scalar(sheet.name, pa.string()), len(rows)),
                            "said": pc.if_else(
                                pc.match_substring(rows.column("codes"), UNCLEAR),
                                pa.array(words_of(words, len(rows)), pa.string()),
                                "",
                            ),
                            "codes": rows.column("codes"),
                            "around": with_dates(
                                rows.column("around")
                                if "around" in rows.schema.names
                                else pa.repeat("", len(rows)),
                                rows.column("codes"),
                                {role: rows.column(name) for role, name in dates.items()},
                            ),
                        }
                    )
                )
                start += batch.num_rows
        if kept:
            spool.write_ids(pa.concat_tables(kept))


_CANCELLED = Remark(code=str(Code.CANCELLED), message="Not sent: sending of the file was stopped.")


def _reason_by_rows(drop: Drop, outcomes: DropOutcomes) -> OpenReason:
    """Return why a drop is not finished: the most frequent reason of its unsent rows."""
    count, most = outcomes.left()
    words = most.message if most else "The log says why."
    earlier = most is not None and most.code == Code.EARLIER_OPEN
    return OpenReason(
        reason=f"{counted(count, 'row')} left. {words}",
        cause=Cause.EARLIER if earlier else Cause.API,
        waits_for=drop.waits_for,
        file=shown(drop.source_file),
    )


def _is_cut_off(back: DeliveryResult) -> bool:
    return back.cancelled and not back.complete


def _digest(outcomes: DropOutcomes, open_reason: OpenReason) -> str:
    """Return a mark of an open drop's report: each row's outcome, and why the drop rests.

    Not the words about its rows that wait: they tell which of them was tried last.
    """
    said, number = outcomes.remarks.said, outcomes.remarks.number
    codes = sorted({remark.code for remark in said})
    places = np.array([*(codes.index(remark.code) for remark in said), -1], dtype=np.int32)
    seen = hashlib.blake2b(outcomes.outcome.tobytes(), digest_size=8)
    seen.update(places[number].tobytes())  # where nothing is said the number is -1, the last place
    seen.update(repr((codes, open_reason)).encode("utf-8", "surrogatepass"))
    return seen.hexdigest()


def _may_be_retried(drop: Drop, spool: Spool) -> bool:
    """Return whether a retry could still need the rows of this drop."""
    rows = drop.facts.rows
    stopped = drop.state is DropState.CANCELLED and rows.get("unsent") and spool.has_plan
    return bool(rows.get("unknown") or stopped)


def _seconds(drop: Drop) -> float | None:
    """Return how long a drop took from its claim to its end."""
    if drop.finished_at is None:
        return None
    return round((drop.finished_at - drop.received_at).total_seconds(), 1)
