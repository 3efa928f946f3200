"""One block from text cells to prepared rows: normalise, validate, transform, and tell."""

from collections.abc import Collection, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct
from msgspec.structs import replace

from pipeline.columns import PREPARED
from pipeline.model import Block, Disposition, PreparedBlock
from pipeline.stages.findings import Finding, Rows, found, labels, marked, messages, notices
from pipeline.stages.flags import auto_dispatched
from pipeline.stages.mapping import ColumnMap, check_twins
from pipeline.stages.normalise import Canonical, normalise
from pipeline.stages.structure import broken_cells, footers, structural, without_status
from pipeline.stages.transform import Updates, transform
from pipeline.stages.validate import validate
from pipeline.stages.wording import StatusWords, about_cell
from schemas.codes import Code, Kind
from schemas.courier import Profile
from schemas.rules import Rules
from schemas.vocabulary import Milestone, Role

__all__ = ["Rules", "may_share", "prepare_block", "prepare_blocks"]

Mask = npt.NDArray[np.bool_]


def prepare_block(
    block: Block,
    mapping: ColumnMap,
    profile: Profile,
    *,
    now: datetime,
    rules: Rules,
    mixed: Collection[Role] = (),
) -> PreparedBlock:
    """Judge every row of a block and build its update.

    ``now`` is aware. Each row gets one disposition: ``REJECTED`` with all its faults, ``IGNORED``
    when there is nothing to tell the API, else ``SEND`` with its item. A rejected row keeps its
    warnings. ``mixed``: date roles whose column mixes kinds of cells somewhere in the file; their
    dates are rejected (for strict profiles). Rules: hazards, sections A to D. Raises
    ``DropRefused`` (``HEADER_DUPLICATE``) when two columns under one header differ.
    """
    (prepared,) = prepare_blocks([block], mapping, profile, nows=[now], rules=rules, mixed=mixed)
    return prepared


def may_share(block: Block) -> bool:
    """Tell whether the block may be prepared together with others.

    In which order the faults of a row's structure are told depends on the rows above it, so a
    block with such faults goes alone; nothing else of a row depends on another row.
    """
    return not block.faults


def prepare_blocks(
    blocks: Sequence[Block],
    mapping: ColumnMap,
    profile: Profile,
    *,
    nows: Sequence[datetime],
    rules: Rules,
    mixed: Collection[Role] = (),
) -> list[PreparedBlock]:
    """Prepare blocks of several files at once; each comes out as it would alone.

    Most of what 20 rows cost is paid per call of pandera and Arrow, not per row. The blocks have
    the same header, the same columns with ``kinds`` and the same ``mixed``; several of them are all
    such that ``may_share``. ``nows``: when each was received. Raises as ``prepare_block``; which of
    the blocks it was then is not told.
    """
    block = blocks[0] if len(blocks) == 1 else _one_below_the_other(blocks)
    ends = np.cumsum([len(each) for each in blocks])
    now_ms = np.repeat(
        np.array([round(now.timestamp() * 1000) for now in nows], dtype=np.int64),
        [len(each) for each in blocks],
    )
    check_twins(block, mapping)
    desk = _Desk(
        block=block,
        mapping=mapping,
        profile=profile,
        rules=rules,
        canonical=normalise(block, mapping, profile, now_ms=now_ms, rules=rules),
        auto=auto_dispatched(block, mapping, profile),
    )
    findings = [
        *structural(block, mapping),
        *broken_cells(block, mapping, profile),
        *desk.faults(),
        *desk.doubted(mixed),
    ]
    rejected = marked(findings, Kind.REJECT, len(block))
    skips = desk.skips(rejected)
    ignored = marked(skips, Kind.SKIP, len(block))
    live = np.flatnonzero(~ignored)
    updates = transform(block, live, desk.canonical, mapping, profile, rules, now_ms=now_ms[live])
    findings = [_narrowed(finding, ignored) for finding in findings]
    findings = [each for each in (*findings, *desk.losses(updates, live), *skips) if len(each.rows)]
    table = desk.table(findings, rejected, ignored, live, updates)
    return [
        PreparedBlock(
            table=table.slice(end - len(each), len(each)),
            notices=notices(_between(findings, end - len(each), end), each),
        )
        for each, end in zip(blocks, ends.tolist(), strict=True)
    ]


def _one_below_the_other(blocks: Sequence[Block]) -> Block:
    """The blocks as one; record numbers may come again."""
    columns = range(len(blocks[0].cells))
    return Block(
        rows=np.concatenate([each.rows for each in blocks]),
        cells=tuple(pa.concat_arrays([each.cells[at] for each in blocks]) for at in columns),
        kinds={at: np.concatenate([each.kinds[at] for each in blocks]) for at in blocks[0].kinds},
    )


def _between(findings: Sequence[Finding], start: int, stop: int) -> list[Finding]:
    """What was found in these rows, counted from the first of them."""
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


def _narrowed(finding: Finding, ignored: Mask) -> Finding:
    """What an update goes without does not matter where there is no update."""
    if finding.code is not Code.DATE_DROPPED or not ignored[finding.rows].any():
        return finding
    kept = ~ignored[finding.rows]
    return Finding(
        code=finding.code,
        column=finding.column,
        rows=finding.rows[kept],
        sentences=finding.sentences.filter(pa.array(kept)),
    )


class _Desk(Struct, frozen=True, kw_only=True):
    """Everything about one block lies here while it is being judged."""

    block: Block
    mapping: ColumnMap
    profile: Profile
    rules: Rules
    canonical: Canonical
    auto: Mask

    def cells(self, role: Role) -> pa.Array:
        """A role's cells as they stand in the file, all "" without a column."""
        at = self.mapping.columns.get(role)
        return pa.repeat("", len(self.block)) if at is None else self.block.cells[at]

    def found(self, code: Code, role: Role, rows: Rows) -> Finding:
        """Put into words what was found about a role's cells."""
        header = self.mapping.header(role)
        if role is Role.STATUS:
            return self._found_status(code, rows)
        tell = about_cell(code, role, self.profile, self.rules)
        cells = self.cells(role).take(pa.array(rows))
        return found(code, role.value, header, self.block, rows, cells, tell)

    def _found_status(self, code: Code, rows: Rows) -> Finding:
        statuses = self.canonical.statuses
        words = StatusWords(self.profile, self.mapping.header(Role.STATUS_TYPE))
        header = self.mapping.header(Role.STATUS)
        numbers = pa.DictionaryArray.from_arrays(
            pa.array(statuses.index[rows], pa.int32()),
            pa.array([str(each) for each in range(len(statuses.seen))], pa.string()),
        )
        cells = numbers.cast(pa.string())
        column = Role.STATUS.value
        return found(
            code,
            column,
            header,
            self.block,
            rows,
            cells,
            lambda number: words.about(statuses.seen[int(number)]),
        )

    def faults(self) -> list[Finding]:
        """Everything that pandera has to say."""
        verdicts = dict(validate(self.canonical.frame, self.profile, self.rules))
        broken = without_status(self.block, self.mapping)
        for (code, role), rows in verdicts.items() if len(broken) else ():
            if role is Role.STATUS:
                verdicts[code, role] = np.setdiff1d(rows, broken)
        told = [(code, role, rows) for (code, role), rows in verdicts.items() if len(rows)]
        return [self.found(code, role, rows) for code, role, rows in told]

    def doubted(self, mixed: Collection[Role]) -> list[Finding]:
        """Rows to reject because a strict profile's date column is mixed."""
        return [
            self.found(Code.DATE_INVALID, role, np.flatnonzero(self.canonical.times[role].read))
            for role in mixed
            if role in self.canonical.times
        ]

    def skips(self, rejected: Mask) -> list[Finding]:
        """Sound rows that have nothing to tell the API."""
        statuses = self.canonical.statuses
        nothing = np.flatnonzero(statuses.without_milestone() & ~rejected)
        picked = statuses.milestones() == Milestone.BAG_PICKED
        dispatched = np.flatnonzero(self.auto & picked & ~rejected)
        skips = []
        if len(nothing):
            skips.append(self._found_status(Code.NO_MILESTONE, nothing))
        if len(dispatched):
            skips.append(
                found(
                    Code.AUTO_DISPATCHED,
                    Role.AUTO_DISPATCH.value,
                    self.mapping.header(Role.AUTO_DISPATCH),
                    self.block,
                    dispatched,
                    pa.repeat("", len(dispatched)),
                    lambda _: "the pickup was already reported by auto dispatch; nothing to send.",
                )
            )
        return skips

    def losses(self, updates: Updates, live: Rows) -> list[Finding]:
        """What an update had to leave behind."""
        losses = []
        odd = live[updates.odd_reasons]
        if len(odd):
            losses.append(self.found(Code.REASON_NOT_NUMERIC, Role.REASON_CODE, odd))
        for role, cut in updates.cut.items():
            if cut.any():
                losses.append(self.found(Code.TEXT_CUT, role, live[cut]))
        return losses

    def table(
        self, findings: list[Finding], rejected: Mask, ignored: Mask, live: Rows, updates: Updates
    ) -> pa.Table:
        """Lay the rows out as ``PREPARED``."""
        length = len(self.block)
        send = ~rejected & ~ignored
        disposition = np.full(length, Disposition.SEND, dtype=np.int8)
        disposition[ignored] = Disposition.IGNORED
        disposition[rejected] = Disposition.REJECTED
        bad_ids = np.zeros(length, dtype=np.bool_)
        for finding in findings:
            if finding.column == Role.ORDER_ID.value and finding.code is not Code.ID_SUSPECT:
                bad_ids[finding.rows] = True
        ids = self.canonical.ids
        if bad_ids.any():
            ids = pc.if_else(pa.array(bad_ids), self.cells(Role.ORDER_ID), ids)
        event = self.canonical.times.get(Role.EVENT_TIME)
        columns = {
            "row": pa.array(self.block.rows, pa.int32()),
            "order_id": ids,
            "awb": self.cells(Role.AWB),
            "source_status": self.cells(Role.STATUS),
            "status": pa.array(self.canonical.statuses.milestones()),
            "event_ms": pa.nulls(length, pa.int64())
            if event is None
            else pa.array(event.ms, mask=~event.read),
            "disposition": pa.array(disposition),
            "footer": pa.array(footers(self.block, self.mapping)),
            "auto": pa.array(self.auto),
            "codes": labels(findings, length),
            "message": messages(findings, length),
            "item": _placed(updates.items, live, send),
        }
        return pa.table(columns, schema=PREPARED)


def _placed(items: pa.Array, live: Rows, send: Mask) -> pa.Array:
    """Items at their positions, "" for rows that are not sent."""
    if send.all():
        return items
    at = np.full(len(send), -1, dtype=np.int64)
    at[live] = np.arange(len(live))
    at[~send] = -1
    return pc.fill_null(items.take(pa.array(at, mask=at < 0)), "")
