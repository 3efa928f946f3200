"""Check files that were not dropped, as a run would read them, or make a profile from one.

Nothing is called, nothing moved.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow.compute as pc
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.core.draft import ProfileDraft, RoleChoices, Sample
from pipeline.core.errors import DropRefused, ReaderDied, UsageError
from pipeline.core.model import Disposition, Drop, DropState, ResultBlock, Source
from pipeline.core.order_lines import OrderHistory, ParcelSeen
from pipeline.core.profile_by_name import find_profile, profile_of_drop
from pipeline.planning.earlier_files import without_settled
from pipeline.planning.freeze import Planned, facts_of, guard, make_plan
from pipeline.planning.plan import (
    delivered_awbs,
    ending_awbs,
    one_by_one,
    sendable_orders,
    to_ask_about,
)
from pipeline.planning.plan_input import Prepared, load
from pipeline.reading.drop_reader import poison
from pipeline.reporting import write
from pipeline.reporting.row_outcomes import NO_ENDS, OUTCOMES, DropOutcomes, Remark, outcomes_of
from pipeline.reporting.rows import Report
from pipeline.service.wiring import Site
from pipeline.storage.root_folders import Folders
from pipeline.storage.spool import Spool
from schemas.codes import ERRORS, INFORMATION, Code
from schemas.display import encodable, shown
from schemas.limits import REUSED_DAYS
from schemas.normalise import fold
from schemas.vocabulary import Outcome

FIRST = 5
"""Updates that a check shows as they would be sent."""

_WOULD_BE_SENT = Remark(code="", message="Would be sent.")
_DIED = "the process that reads files ended while reading it"
_UNSENT = OUTCOMES.index(Outcome.UNSENT)


class Checked(Struct, frozen=True, kw_only=True):
    """A file that was checked.

    ``summary``: as a run would write it, as far as a check can know. ``why``: why it was read so.
    ``more``: keys that only a check has (``preflight``, and ``first``: the first updates
    that would be sent); empty for a file that cannot be used. ``rejected``: record number →
    codes and message of each row that a run would reject; only ``check_file_rows`` fills it.
    """

    shown_name: str
    summary: Mapping[str, Any]
    why: str
    more: Mapping[str, Any] = field(default_factory=dict)
    rejected: Mapping[int, tuple[str, str]] = field(default_factory=dict)


def check_files(
    site: Site, files: Sequence[Path], *, courier: str | None, out: Path | None
) -> list[Checked]:
    """Check each file. ``out``: a folder to write the files that a run would have written.

    Rows that would be sent count as ``unsent``. Raises UsageError for a file that cannot be opened.
    """
    for file in files:
        if not file.is_file():
            raise UsageError(f"There is no file {shown(file, 200)}.")
    return [_check(site, file, courier=courier, out=out) for file in files]


def check_file_rows(site: Site, file: Path, *, courier: str | None) -> Checked:
    """Check one file, and report each row that a run would reject.

    Raises UsageError for a file that cannot be opened.
    """
    return _check(site, file, courier=courier, out=None, rows=True)


def _check(
    site: Site, file: Path, *, courier: str | None, out: Path | None, rows: bool = False
) -> Checked:
    with file.open("rb") as opened:
        sha256 = file_digest(opened, "sha256").hexdigest()
    now = site.clock.now()
    drop = Drop(
        seq=1 << 62,
        drop_id="check",
        folder="",
        source_file=file.name,
        state=DropState.OPEN,
        received_at=now,
        size=file.stat().st_size,
        sha256=sha256,
        same_as=site.ledger.same_bytes(sha256, 1 << 62) if _has_ledger(site) else None,
    )
    source = Source(path=file, name=file.name, named=courier or _folder_of(site, file), now=now)
    with tempfile.TemporaryDirectory(prefix="shipdrop-check-") as folder:
        spool = Spool(Path(folder) / "spool")
        try:
            facts = site.readers.read(source, spool, partial(_courier, site))
        except ReaderDied:
            return _refused(site, drop, poison(), out, why=_DIED)
        except DropRefused as refusal:
            return _refused(site, drop, refusal, out, why="the file cannot be used")
        prepared = load(
            facts,
            spool,
            site.profiles,
            partial(_states, site),
            site.spools.ids,
            source_file=file.name,
        )
        checked, report = _planned(site, drop, prepared, spool, out)
        return replace(checked, rejected=_rejected_rows(report)) if rows else checked


def _planned(
    site: Site, drop: Drop, prepared: Prepared, spool: Spool, out: Path | None
) -> tuple[Checked, Report]:
    histories = _histories(site, prepared)
    headers = [each.headers for each in prepared.sheets]
    seen = without_settled(_seen(site, prepared, histories), headers, site.spools.rejected)
    planned = make_plan(prepared, histories, site.plan_rules, seen=seen)
    drop = replace(
        drop,
        courier=prepared.choice.profile.name,
        parent=prepared.parent,
        facts=facts_of(prepared, planned),
    )
    outcomes = outcomes_of(planned.table, NO_ENDS, [], waiting=_WOULD_BE_SENT)
    _take_repeats_for_duplicates(outcomes)
    profile = prepared.choice.profile
    report = Report(drop=drop, outcomes=outcomes, spool=spool, profile=profile)
    checked = _judged(prepared, planned, report, site, out)
    more = preflight(report.blocks(), report.role_columns)
    return replace(checked, more={**more, "first": _first_updates(report)}), report


def _rejected_rows(report: Report) -> dict[int, tuple[str, str]]:
    """Give codes and message of each row that would be rejected, by its record number."""
    found: dict[int, tuple[str, str]] = {}
    for block in report.blocks():
        rejected = pc.equal(block.table.column("outcome"), Outcome.REJECTED.value)
        some = block.table.select(["row", "codes", "message"]).filter(rejected)
        for row, codes, message in zip(*(each.to_pylist() for each in some.columns), strict=True):
            found[row] = (codes, message)
    return found


def _first_updates(report: Report) -> list[dict[str, Any]]:
    """Give the first updates that would be sent, each with its row and the file's own status."""
    found: list[dict[str, Any]] = []
    outcome, start = report.outcomes.outcome, 0
    for number, sheet in enumerate(report.drop.facts.sheets):
        for batch in report.spool.blocks(number, ["row", "source_status", "item"]):
            ours = outcome[start : start + batch.num_rows]
            for at in np.flatnonzero(ours == _UNSENT)[: FIRST - len(found)].tolist():
                row, status, item = (batch.column(place)[at].as_py() for place in range(3))
                found.append(
                    {
                        "sheet": encodable(sheet.name),
                        "row": row,
                        "status": encodable(status),
                        "update": orjson.loads(item),
                    }
                )
            if len(found) >= FIRST:
                return found
            start += batch.num_rows
    return found


def _judged(
    prepared: Prepared, planned: Planned, report: Report, site: Site, out: Path | None
) -> Checked:
    drop, why = report.drop, prepared.choice.why
    try:
        guard(prepared, planned, site.plan_rules)
    except DropRefused as refusal:
        if refusal.code is Code.TOO_MANY_REJECTS:
            words = refusal.message.replace("nothing was sent", "nothing would be sent")
            refusal = DropRefused(refusal.code, words, hint=refusal.hint)
            return _refused_rows(site, report, refusal, out, why=why)
        return _refused(site, drop, refusal, out, why=why)
    if out is not None:
        summary = write.write_report(report, _outbox(out))
    else:
        summary = write.summary_of(report, {})
    return Checked(shown_name=shown(drop.source_file), summary=summary, why=why)


def _take_repeats_for_duplicates(outcomes: DropOutcomes) -> None:
    """Count a row that repeats one which would be sent as a duplicate."""
    disposition = outcomes.planned.column("disposition").to_numpy()
    repeats = (disposition == Disposition.SHARED) & (outcomes.outcome == _UNSENT)
    outcomes.outcome[repeats] = OUTCOMES.index(Outcome.DUPLICATE)


def _refused(
    site: Site, drop: Drop, refusal: DropRefused, out: Path | None, *, why: str
) -> Checked:
    drop = replace(drop, state=DropState.REFUSED)
    files: dict[str, str] = {}
    if out is not None:
        files["refused"] = write.write_refusal(drop, refusal, _outbox(out), site.zone)
    summary = write.refused_summary(drop, refusal, files)
    if out is not None:
        write.write_summary(drop, summary, _outbox(out))
    return Checked(shown_name=shown(drop.source_file), summary=summary, why=why)


def _refused_rows(
    site: Site, report: Report, refusal: DropRefused, out: Path | None, *, why: str
) -> Checked:
    """Return a file most of whose rows are bad: a run gives them back to be corrected."""
    drop = replace(report.drop, state=DropState.REFUSED)
    report = replace(report, drop=drop, whole_file=True)
    if out is not None:
        summary = write.write_refused_rows(report, refusal, _outbox(out), site.zone)
    else:
        summary = write.refused_rows_summary(report, refusal, {})
    return Checked(shown_name=shown(drop.source_file), summary=summary, why=why)


def _outbox(out: Path) -> Folders:
    """Return folders of which only the outbox is used."""
    return Folders(out, out, out)


def _has_ledger(site: Site) -> bool:
    """Return whether the root has a ledger: a check must not create one."""
    url = site.settings.ledger.url
    prefix = "sqlite:///"
    return not url.startswith(prefix) or (site.root / url.removeprefix(prefix)).exists()


def _histories(site: Site, prepared: Prepared) -> list[OrderHistory]:
    if not _has_ledger(site):
        return []
    orders = sendable_orders(prepared.keys).to_pylist()
    return site.ledger.order_histories(orders, except_seq=1 << 62)


def _seen(site: Site, prepared: Prepared, histories: Sequence[OrderHistory]) -> list[ParcelSeen]:
    if not _has_ledger(site):
        return []
    keys = prepared.keys
    rows = to_ask_about(keys, histories)
    orders = one_by_one(keys.orders.among(rows))
    new = [1 << 62]
    seen = site.ledger.parcels_seen(orders, ending_awbs(keys, rows), except_seqs=new)
    since = site.clock.now() - timedelta(days=REUSED_DAYS)
    return seen + site.ledger.went_back(delivered_awbs(keys, rows), except_seqs=new, since=since)


def _states(site: Site, drop_ids: Collection[str]) -> Mapping[str, DropState]:
    return site.ledger.overview.states(drop_ids) if _has_ledger(site) else {}


def _folder_of(site: Site, file: Path) -> str | None:
    """Return the courier a file in the inbox, or in a copy of it, is meant for by its folder."""
    parent = file.absolute().parent
    return parent.name if parent.parent == site.inbox_path else None


def _courier(site: Site, drop_id: str) -> str | None:
    """Return how an earlier drop was read, as far as there is a ledger to know it."""
    return profile_of_drop(drop_id, site.ledger.find) if _has_ledger(site) else None


_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


def draft_from(
    site: Site, file: Path, courier: str, choices: RoleChoices | None = None
) -> ProfileDraft:
    """Make a starting profile for ``courier`` from a sample file.

    ``choices``: what a person says of the columns. Raises UsageError for a name that cannot be a
    new profile's, a column that is not there, or a file that cannot be opened, DropRefused for a
    file that cannot be read.
    """
    name = fold(courier).replace(" ", "-")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{shown(courier)} cannot be a profile's name.",
            hint="Use letters, digits, - and _, at most 40 of them.",
        )
    known = find_profile(courier, site.profiles)
    if known is not None and not known.unconfirmed:
        raise UsageError(
            f'There is a profile "{known.name}" already.',
            hint=f"`shipdrop profiles {known.name}` shows it; `shipdrop check FILE --courier "
            f"{known.name}` tries it.",
        )
    try:
        with file.open("rb"):
            size = file.stat().st_size
    except OSError as error:
        raise UsageError(f"{shown(file, 200)} cannot be read: {error.strerror}.") from error
    if size > site.limits.max_bytes:
        raise UsageError(f"{shown(file, 200)} is larger than inbox.max_file_mb allows.")
    title = " ".join(courier.split())
    sample = Sample(path=file.absolute(), name=name, title=title, choices=choices or RoleChoices())
    try:
        return site.readers.draft(sample)
    except ReaderDied:
        raise poison() from None


EXAMPLES = 3
"""First examples shown of each code in each column."""

STATUSES = 100
"""Distinct statuses shown, the most frequent first."""

_SHOWN = 100


class _Column(Struct):
    """The faults in the cells of one role."""

    header: str
    rows: int = 0
    counts: Counter[Code] = field(default_factory=Counter)
    examples: dict[Code, list[dict[str, Any]]] = field(default_factory=dict)


def preflight(
    blocks: Iterable[ResultBlock], columns: Mapping[tuple[str, ...], Mapping[str, int]]
) -> dict[str, Any]:
    """Give ``faults`` and ``statuses`` of a file's rows, fit for JSON.

    ``columns``: for each header of the file, role → index of its column. ``faults``: an object per
    column with a fault or warning (``column`` is its heading, ``rows`` counts rows with a fault),
    each code with its count and first examples. ``statuses``: how many rows of each status get
    which outcome.
    """
    found: dict[str, _Column] = {}
    statuses: Counter[tuple[str, str, str]] = Counter()
    for block in blocks:
        _gather(block, columns[block.headers], found)
        _count(block, statuses)
    return {
        "faults": [_fault(role, column) for role, column in found.items()],
        "statuses": [
            {
                "status": encodable(status[:_SHOWN]),
                "order_status": wire,
                "outcome": outcome,
                "count": count,
            }
            for (status, wire, outcome), count in statuses.most_common(STATUSES)
        ],
    }


def _gather(block: ResultBlock, roles: Mapping[str, int], found: dict[str, _Column]) -> None:
    encoded = block.table.column("codes").combine_chunks().dictionary_encode()
    numbers = encoded.indices.to_numpy(zero_copy_only=False)
    for number, label in enumerate(encoded.dictionary.to_pylist()):
        if not label:
            continue
        at = np.flatnonzero(numbers == number)
        hurt = set()
        for each in label.split(";"):
            name, _, role = each.partition(":")
            code = Code[name]
            if code in INFORMATION:
                continue
            place = roles.get(role)
            header = role if place is None else " ".join(block.headers[place].split())
            column = found.setdefault(role, _Column(header=header))
            column.counts[code] += len(at)
            if code in ERRORS and role not in hurt:
                hurt.add(role)
                column.rows += len(at)
            _exemplify(column.examples.setdefault(code, []), block, at, place)


def _exemplify(
    examples: list[dict[str, Any]], block: ResultBlock, at: np.ndarray[Any, Any], place: int | None
) -> None:
    """Add first examples. Labels are taken one after the other: keep the lowest rows."""
    rows = block.table.column("row")
    for position in at[:EXAMPLES].tolist():
        value = "" if place is None else block.cells[place][position].as_py()
        examples.append(
            {
                "sheet": encodable(block.sheet),
                "row": rows[position].as_py(),
                "value": encodable(value[:_SHOWN]),
            }
        )
    ours = [each for each in examples if each["sheet"] == block.sheet]
    others = [each for each in examples if each["sheet"] != block.sheet]
    examples[:] = (others + sorted(ours, key=lambda each: int(each["row"])))[:EXAMPLES]


def _count(block: ResultBlock, statuses: Counter[tuple[str, str, str]]) -> None:
    table = block.table.select(["source_status", "order_status", "outcome"])
    grouped = table.group_by(table.column_names).aggregate([([], "count_all")])
    for status, wire, outcome, count in zip(
        *(grouped.column(name).to_pylist() for name in (*table.column_names, "count_all")),
        strict=True,
    ):
        statuses[status, wire, outcome] += count


def _fault(role: str, column: _Column) -> dict[str, Any]:
    return {
        "column": encodable(column.header),
        "role": role,
        "rows": column.rows,
        "codes": [
            {
                "code": code.value,
                "count": count,
                "error": code in ERRORS,
                "examples": column.examples[code],
            }
            for code, count in column.counts.most_common()
        ],
    }
