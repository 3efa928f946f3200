"""One block from text cells to prepared rows: normalise, check, transform to JSON, report."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace

from pipeline.core.date_columns import local_dates
from pipeline.core.errors import Tried, attempt
from pipeline.core.findings import Finding, labels, messages, notices
from pipeline.core.free_text import joined, json_member
from pipeline.core.model import Block, Disposition, PreparedBlock
from pipeline.core.row_columns import PREPARED
from pipeline.validation.canonical import Canonical, Evidence, normalise
from pipeline.validation.columns import (
    ColumnMap,
    check_ids,
    check_messages,
    check_rivals,
    check_twins,
)
from pipeline.validation.evidence.kept import kept_evidence
from pipeline.validation.row_layout import footers
from pipeline.validation.sheet_dates import Proof
from schemas.codes import Code, Kind
from schemas.courier import Profile
from schemas.limits import TEXT_LENGTH
from schemas.manifest import Rows, Rule, RuleResults, check_rows
from schemas.normalise import fold_header
from schemas.parcels import said_of, said_unheard
from schemas.sentences import Place
from schemas.update import META_KEYS
from schemas.vocabulary import DELIVERY_DATES, Milestone, Role


class Wanted(Struct, frozen=True, kw_only=True, eq=False):
    """A block that is to be judged, and by what. ``now``: when its file was received (aware).

    ``mixed``, ``proven``: as in ``normalise``.
    """

    block: Block
    mapping: ColumnMap
    profile: Profile
    now: datetime
    mixed: frozenset[Role] = frozenset()
    proven: frozenset[Proof] = frozenset()

    @property
    def alike(self) -> object:
        """Return blocks for which this is the same can be judged together."""
        return (
            self.mapping.headers,
            self.mapping.hidden,
            tuple(self.mapping.around.items()),
            self.profile,
            self.mixed,
            self.proven,
            frozenset(self.block.kinds),
        )


def prepare_each(wanted: Sequence[Wanted], timezone: str) -> list[Tried[PreparedBlock]]:
    """Prepare blocks of several files, those that are alike at once.

    Return for each, in their order, the prepared block or what it would raise alone.
    """
    groups: dict[object, list[int]] = {}
    for at, each in enumerate(wanted):
        groups.setdefault(each.alike, []).append(at)
    done: dict[int, Tried[PreparedBlock]] = {}
    for group in groups.values():
        done.update(zip(group, _each_of([wanted[at] for at in group], timezone), strict=True))
    return [done[at] for at in range(len(wanted))]


def _each_of(alike: Sequence[Wanted], timezone: str) -> Sequence[Tried[PreparedBlock]]:
    """Prepare them at once; where that fails, each alone, to see which it was."""
    prepared = attempt(prepare_blocks, alike, timezone)
    if not isinstance(prepared, Exception):
        return prepared
    if len(alike) == 1:
        return [prepared]
    return [one for each in alike for one in _each_of([each], timezone)]


def prepare_blocks(wanted: Sequence[Wanted], timezone: str) -> list[PreparedBlock]:
    """Judge every row of blocks that are alike and build its update; each as it would be alone.

    Most of what 20 rows cost is paid per call of pandera and Arrow, not per row. Each row gets one
    disposition: ``REJECTED`` with all its faults, ``IGNORED`` when there is nothing to tell the
    API, else ``SEND`` with its item. A rejected row keeps its warnings. ``timezone``: as in
    ``normalise``.

    Raises ``DropRefused`` (``HEADER_DUPLICATE``, ``ID_COLUMN_AMBIGUOUS``) when two columns that are
    the same differ, or order ids are none (``WRONG_COLUMN``); in which of the blocks is not said.
    """
    blocks = [each.block for each in wanted]
    mapping, profile = wanted[0].mapping, wanted[0].profile
    block = blocks[0] if len(blocks) == 1 else _one_below_the_other(blocks)
    ends = np.cumsum([len(each) for each in blocks])
    now_ms = np.repeat(
        np.array([round(each.now.timestamp() * 1000) for each in wanted], dtype=np.int64),
        [len(each) for each in blocks],
    )
    check_twins(block, mapping)
    check_rivals(block, mapping)
    for each in blocks:  # all rows of one file, not of several
        check_ids(each, mapping)
        check_messages(each, mapping)
    canonical = normalise(
        block,
        mapping,
        profile,
        now_ms=now_ms,
        timezone=timezone,
        mixed=wanted[0].mixed,
        proven=wanted[0].proven,
        ends=ends.tolist(),
    )
    results = check_rows(canonical.frame, profile)
    findings = _findings(results, canonical, block, mapping, profile)
    live = np.flatnonzero(~results.ignored)
    items = transform(canonical, live, dropped=_dropped(results), date_output=profile.date_output)
    told = [each for each in findings if not _is_told_once(each, mapping)]
    table = _table(block, mapping, canonical, results, told, live, items)
    return [
        PreparedBlock(
            table=table.slice(end - len(each), len(each)),
            notices=notices(_between(findings, end - len(each), end), each),
        )
        for each, end in zip(blocks, ends.tolist(), strict=True)
    ]


def _is_told_once(finding: Finding, mapping: ColumnMap) -> bool:
    """Return whether a finding is for the summary alone: words where a column has no codes.

    A reason in words is the rule under RTO Reason, and a slip under Reason Code.
    """
    codes = "code" in fold_header(mapping.header(Role.REASON_CODE))
    return finding.code is Code.REASON_NOT_NUMERIC and not codes


def _one_below_the_other(blocks: Sequence[Block]) -> Block:
    """Return the blocks as one; record numbers may come again."""
    columns = range(len(blocks[0].cells))
    starts = np.cumsum([0, *(len(each) for each in blocks)]).tolist()
    placed = list(zip(starts, blocks, strict=False))
    return Block(
        rows=np.concatenate([each.rows for each in blocks]),
        cells=tuple(pa.concat_arrays([each.cells[at] for each in blocks]) for at in columns),
        kinds={at: np.concatenate([each.kinds[at] for each in blocks]) for at in blocks[0].kinds},
        extra={start + at: more for start, each in placed for at, more in each.extra.items()},
        facts={start + at: more for start, each in placed for at, more in each.facts.items()},
        said=_joined([each.said for each in blocks], blocks),
        others=_joined([each.others for each in blocks], blocks),
    )


def _joined(
    found: Sequence[Mapping[str, pa.Array]], blocks: Sequence[Block]
) -> dict[str, pa.Array]:
    """Return evidence of several blocks by its source; "" where a block has none of one."""
    return {
        source: pa.concat_arrays(
            [
                some.get(source, pa.repeat("", len(block)))
                for some, block in zip(found, blocks, strict=True)
            ]
        )
        for source in dict.fromkeys(source for some in found for source in some)
    }


def _between(findings: Sequence[Finding], start: int, stop: int) -> list[Finding]:
    """Return the findings of these rows, counted from the first of them."""
    some = []
    for finding in findings:
        first, last = np.searchsorted(finding.rows, (start, stop)).tolist()
        if last > first:
            some.append(
                replace(
                    finding,
                    rows=finding.rows[first:last] - start,
                    sentences=finding.sentences.slice(first, last - first),
                )
            )
    return some


def _findings(
    results: RuleResults,
    canonical: Canonical,
    block: Block,
    mapping: ColumnMap,
    profile: Profile,
) -> list[Finding]:
    """Put the rules' results into words: a sentence is made once per distinct evidence."""
    place = Place(profile=profile, headings={role: mapping.header(role) for role in Role})
    return [
        _finding(rule, canonical.evidence[rule.fact], block.rows, rows, place)
        for rule, rows in results.broken
    ]


def _finding(
    rule: Rule, evidence: Evidence, numbers: npt.NDArray[np.int32], rows: Rows, place: Place
) -> Finding:
    """Tell that some rows break a rule, once per distinct evidence.

    ``numbers``: the record number of every row of the block.
    """
    index, distinct = evidence.of(rows)
    where = place.at(rule.role)
    words = pa.array([rule.words(each, where) for each in distinct], pa.string())
    records = pa.array(numbers[rows]).cast(pa.string())
    heading = f", {evidence.heading}: " if evidence.heading else ""
    sentences = pc.binary_join_element_wise(
        "Row ", records, heading, words.take(pa.array(index)), ""
    )
    column = rule.role.value if rule.role else ""
    return Finding(code=rule.code, column=column, rows=rows, sentences=sentences)


def _dropped(results: RuleResults) -> dict[Role, Rows]:
    """Return for each delivery date which rows go without it."""
    dropped: dict[Role, Rows] = {}
    for rule, rows in results.broken:
        if rule.code is Code.DATE_DROPPED and rule.role is not None:
            dropped[rule.role] = np.union1d(dropped.get(rule.role, rows), rows)
    return dropped


def _table(
    block: Block,
    mapping: ColumnMap,
    canonical: Canonical,
    results: RuleResults,
    findings: Sequence[Finding],
    live: Rows,
    items: pa.Array,
) -> pa.Table:
    """Lay the rows out as ``PREPARED``."""
    length = len(block)
    disposition = np.full(length, Disposition.SEND, dtype=np.int8)
    disposition[results.ignored] = Disposition.IGNORED
    disposition[results.rejected] = Disposition.REJECTED
    event = canonical.times.get(Role.EVENT_TIME)
    columns = {
        "row": pa.array(block.rows, pa.int32()),
        "order_id": _shown_ids(block, mapping, canonical, results),
        "awb": _cells(block, mapping, Role.AWB),
        "source_status": _cells(block, mapping, Role.STATUS),
        "status": pa.array(canonical.statuses.milestones()),
        "event_ms": pa.nulls(length, pa.int64())
        if event is None
        else pa.array(event.ms, mask=~event.read),
        "disposition": pa.array(disposition),
        "footer": pa.array(footers(block, mapping)),
        "auto": pa.array(canonical.auto),
        "said": pa.array(_said(canonical, disposition)),
        "around": kept_evidence(block, mapping, canonical.statuses.ways()),
        "codes": labels(findings, length),
        "message": messages(findings, length),
        "item": _placed(items, live, disposition == Disposition.SEND),
    }
    return pa.table(columns, schema=PREPARED)


def _said(canonical: Canonical, disposition: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Return what each row says of its parcel; of one that is rejected, only a way back."""
    statuses = canonical.statuses
    heard, unheard = (
        np.array([word(case) for case in statuses.cases], dtype=np.int8)[statuses.index]
        for word in (said_of, said_unheard)
    )
    return np.where(disposition == Disposition.REJECTED, unheard, heard)


def _cells(block: Block, mapping: ColumnMap, role: Role) -> pa.Array:
    """Return a role's cells as they stand in the file, all "" without a column."""
    at = mapping.columns.get(role)
    return pa.repeat("", len(block)) if at is None else block.cells[at]


def _shown_ids(
    block: Block, mapping: ColumnMap, canonical: Canonical, results: RuleResults
) -> pa.Array:
    """Return the ids as they are sent; one that is rejected as it stands in the file."""
    bad = np.zeros(len(block), dtype=np.bool_)
    for rule, rows in results.broken:
        if rule.role is Role.ORDER_ID and rule.code.kind is Kind.REJECT:
            bad[rows] = True
    if not bad.any():
        return canonical.ids
    return pc.if_else(pa.array(bad), _cells(block, mapping, Role.ORDER_ID), canonical.ids)


def _placed(items: pa.Array, live: Rows, send: npt.NDArray[np.bool_]) -> pa.Array:
    """Return items at their positions, "" for rows that are not sent."""
    if send.all():
        return items
    at = np.full(len(send), -1, dtype=np.int64)
    at[live] = np.arange(len(live))
    at[~send] = -1
    return pc.fill_null(items.take(pa.array(at, mask=at < 0)), "")


_NUMBERS = frozenset({"reasonCode"})
_WIRE = pa.array(["", *(milestone.wire for milestone in Milestone)], pa.string())


def transform(
    canonical: Canonical,
    rows: npt.NDArray[np.int64],
    *,
    dropped: Mapping[Role, npt.NDArray[np.int64]],
    date_output: str,
) -> pa.Array:
    """Build the update of each position in ``rows`` as JSON text (see ``schemas.update``).

    ``dropped``: for each delivery date the positions of rows that go without it. ``date_output``:
    how the API gets dates (``strftime``). A row whose id or status is not sound gets an item too;
    the caller does not use it.
    """
    columns = [canonical.ids, canonical.reasons]
    columns += [canonical.texts[role] for role in (Role.REMARK, Role.LOCATION)]
    if len(rows) < len(canonical.ids):
        columns = [column.take(pa.array(rows)) for column in columns]
    ids, reasons, remarks, places = columns
    meta = {"remark": remarks, "reasonCode": reasons, "dpLocation": places}
    for role in DELIVERY_DATES:
        meta[role.value] = _days(canonical, role, rows, dropped.get(role), date_output)
    statuses = _WIRE.take(pa.array(canonical.statuses.milestones()[rows]))
    return _items(ids, statuses, meta)


def _days(
    canonical: Canonical,
    role: Role,
    rows: npt.NDArray[np.int64],
    dropped: npt.NDArray[np.int64] | None,
    date_output: str,
) -> pa.Array:
    """Return a delivery date as the API gets it, "" where the row goes without one."""
    times = canonical.times.get(role)
    if times is None:
        return pa.repeat("", len(rows))
    chosen = times if dropped is None else times.without(dropped)
    return local_dates(chosen.at(rows), canonical.zone, date_output)


def _items(ids: pa.Array, statuses: pa.Array, meta: Mapping[str, pa.Array]) -> pa.Array:
    members = [
        json_member(key, meta[key], limit=TEXT_LENGTH, quoted=key not in _NUMBERS)
        for key in META_KEYS
    ]
    fields = [column for column in members if column.null_count < len(column)]
    head = ('{"orderId":"', ids, '","orderStatus":"', statuses)
    if not fields:
        return pc.binary_join_element_wise(*head, '"}', "")
    inner = joined(fields, ",")
    if not all(column.null_count for column in fields):
        return pc.binary_join_element_wise(*head, '","meta":{', inner, "}}", "")
    empty = pc.equal(inner, "")
    begun = pc.if_else(empty, '"', '","meta":{')
    ended = pc.if_else(empty, "}", "}}")
    return pc.binary_join_element_wise(*head, begun, inner, ended, "")
