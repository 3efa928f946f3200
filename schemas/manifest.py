"""The law of the manifest: every rule that a row can break by itself, as a pandera schema.

A file is first brought into the *canonical frame*, which holds facts and no decisions (``Fact``).
``RULES`` says which fact gets which code, and in which words; the schema has a named check for
each of them. ``check_rows`` runs the checks and decides which are reported where several rules
apply; nothing changes its results afterwards. What needs more than one row, or the ledger, is
at the end.

A new rule is one entry in ``RULES`` and a test. A fact that is not in the frame yet is collected
while the file is read (``pipeline.core.model.RowFacts`` for a single row) and put into the frame by
``pipeline.validation.canonical``.
"""

from collections.abc import Callable, Hashable, Mapping
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pandera.pandas as pan
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from schemas import sentences
from schemas.codes import Code, Kind
from schemas.courier import Profile
from schemas.limits import (
    DAY_MS,
    EXACT_DIGITS,
    FUTURE_HOURS,
    HOUR_MS,
    ID_SHAPE,
    RANGE_DAYS,
    TEXT_LENGTH,
)
from schemas.order_ids import match_ids, only_digits
from schemas.parcels import BlockReason
from schemas.statuses import StatusMeaning
from schemas.vocabulary import CellKind, Role

# The canonical frame: facts, not judgements.


class Fact(StrEnum):
    """The columns of the frame.

    A *flag* is a small number, 0 for what is ordinary; a frame in which all of them are 0 leaves
    the column out. So does one that has no column for a role.
    """

    SHAPE = "shape"  # flag: Shape
    WIDER = "wider"  # flag: more cells than headings and than most rows, the surplus ones empty
    ODD_ID = "odd_id"  # flag: the id of an update is a count, a word or a date, unlike the others
    STATUS_FOR_ID = "status_for_id"  # flag: a status stands where the id of an update should
    AWB_FOR_ID = "awb_for_id"  # flag: id and AWB look as AWB and id of other rows do
    NUL = "nul"  # flag: a cell of the row holds a NUL character
    SHOWN = "shown_id"  # flag: the id is a number that a spreadsheet shows in another way
    RESTORED = "restored_id"  # flag: the id was taken from the rejected row this one corrects
    STATUS_ERROR = "status_error"  # flag: the cell shows a formula's error; so are the next six
    TYPE_ERROR = "status_type_error"
    DIRECTION_ERROR = "direction_error"
    SELF_SHIP_ERROR = "self_ship_error"
    AUTO_DISPATCH_ERROR = "auto_dispatch_error"
    EVENT_TIME_ERROR = "event_time_error"
    RTO_AWB_ERROR = "rto_awb_error"  # only where a filled second AWB means a way back
    ID = "order_id"  # text without wrapper and ends, "" for none; and the CellKind it was
    BLOCKED = "blocked"  # flag: BlockReason, a rejects file that came back
    STATUS = "status"  # StatusVerdict on status, type, direction and scan together
    EVENT_TIME = "event_time"  # milliseconds from now, null without an instant; so are the next two
    PROMISED = "promised_delivery_date"
    ESTIMATED = "estimated_delivery_date"
    EVENT_TIME_KIND = "event_time_kind"  # flag: DateKind; so are the next two
    PROMISED_KIND = "promised_delivery_date_kind"
    ESTIMATED_KIND = "estimated_delivery_date_kind"
    EVENT_TIME_ORDER = "event_time_order"  # flag: the column does not tell day from month in it
    PROMISED_ORDER = "promised_delivery_date_order"
    ESTIMATED_ORDER = "estimated_delivery_date_order"
    PROMISED_EARLY = "promised_delivery_date_early"  # flag: long before the event of its row
    ESTIMATED_EARLY = "estimated_delivery_date_early"
    NOT_SELF_SHIP = "not_self_ship"  # flag: the row says that its order is not self-ship
    REASON_STALE = "reason_stale"  # flag: a delivery has the reason of a failed attempt beside it
    REASON_WORDS = "reason_words"  # flag: the reason is no number that can be sent
    REMARK_LENGTH = "remark_length"  # in characters; both are left out where no text is too long
    LOCATION_LENGTH = "location_length"
    PICKUP_REPORTED = "pickup_reported"  # flag: a pickup that auto dispatch reported before


class Shape(IntEnum):
    """The position of a row's cells below the headings."""

    WHOLE = 0
    SHORT = 1  # lacks cells at its end, none of which is needed
    CUT = 2  # lacks a cell that is needed
    WIDE = 3  # has text beyond the last column
    SHIFTED = 4  # a rejects file that came back: text is still right of the last named column


class DateKind(IntEnum):
    """The kinds of date cells."""

    SOUND = 0  # an instant, or nothing
    UNREADABLE = 1  # no date that this courier writes
    MIXED = 2  # an instant in a column that mixes date cells with typed dates (strict profiles)


_FLAG = pd.ArrowDtype(pa.int8())
_INSTANT = pd.ArrowDtype(pa.int64())
_TYPES: Mapping[Fact, pd.ArrowDtype] = {
    Fact.ID: pd.ArrowDtype(pa.struct([("text", pa.string()), ("kind", pa.int8())])),
    Fact.EVENT_TIME: _INSTANT,
    Fact.PROMISED: _INSTANT,
    Fact.ESTIMATED: _INSTANT,
    Fact.REMARK_LENGTH: pd.ArrowDtype(pa.int32()),
    Fact.LOCATION_LENGTH: pd.ArrowDtype(pa.int32()),
}
ALWAYS_THERE = frozenset({Fact.ID, Fact.STATUS})


# The tests: each takes a column of the frame and gives true for every row that passes.

Test = Callable[[pa.Array, Profile], pa.Array]

_DIGITS = r"^[0-9]+$"
_EXACT_NUMBER = rf"^[0-9]{{1,{EXACT_DIGITS}}}$"
_ROUND_TAIL = rf"^[0-9]{{{EXACT_DIGITS}}}0{{1,2}}$"
_DAMAGED = "|".join(
    (
        r"^[0-9](\.[0-9]+)?[eE]\+?[0-9]{1,2}$",
        rf"^[0-9]{{{EXACT_DIGITS}}}0{{3,}}$",
        rf"^[0-9]{{{EXACT_DIGITS + 1},}}\.0$",
    )
)


def never(*values: IntEnum) -> Test:
    """Make the test that none of these values stands in the column."""
    refused = pa.array([int(value) for value in values], pa.int8())
    return lambda facts, _: pc.invert(pc.is_in(facts, value_set=refused))


def unset(flags: pa.Array, _: Profile) -> pa.Array:
    """Pass rows whose flag is 0."""
    return pc.equal(flags, 0)


def at_most(limit: int) -> Test:
    """Make the test that no number is larger."""
    return lambda numbers, _: pc.less_equal(numbers, limit)


def within(limit: int) -> Test:
    """Make the test that no number is further from 0."""
    return lambda numbers, _: pc.less_equal(pc.abs(numbers), limit)


def has_id(ids: pa.StructArray, _: Profile) -> pa.Array:
    """Pass rows with an id."""
    return pc.not_equal(ids.field("text"), "")


def is_undamaged(ids: pa.StructArray, _: Profile) -> pa.Array:
    """Pass ids that no spreadsheet has rounded.

    Of cells that are numbers only whole ones are exact, and only up to ``EXACT_DIGITS``.
    """
    text, kinds = ids.field("text"), ids.field("kind")
    damaged = match_ids(text, _DAMAGED, end="000")
    numbers = pc.equal(kinds, int(CellKind.NUMBER))
    if pc.any(numbers).as_py():
        exact = pc.or_(pc.match_substring_regex(text, _EXACT_NUMBER), pc.equal(text, ""))
        damaged = pc.or_(damaged, pc.and_not(numbers, exact))
    return pc.invert(damaged)


def is_one_id(ids: pa.StructArray, profile: Profile) -> pa.Array:
    """Pass ids of the right shape; missing and damaged ones have a rule of their own."""
    text, kinds, rule = ids.field("text"), ids.field("kind"), profile.ids
    length = pc.binary_length(text)
    sized = pc.and_(
        pc.greater_equal(length, rule.min_length), pc.less_equal(length, rule.max_length)
    )
    if only_digits(text):
        fits = sized  # no profile's ids are longer than ID_SHAPE has them
    else:
        shape = _DIGITS if rule.digits_only else ID_SHAPE
        fits = pc.and_(pc.match_substring_regex(text, shape), sized)
    if not pc.all(fits).as_py():
        others = pc.or_(pc.equal(text, ""), pc.invert(is_undamaged(ids, profile)))
        fits = pc.or_(fits, others)
    return pc.and_(fits, never(CellKind.BOOLEAN, CellKind.DATE)(kinds, profile))


def is_unsuspicious(ids: pa.StructArray, profile: Profile) -> pa.Array:
    """Pass ids without a rounded number's tail; damaged ones have a rule of their own."""
    suspect = match_ids(ids.field("text"), _ROUND_TAIL, end="0")
    if pc.any(suspect).as_py():
        suspect = pc.and_(suspect, is_undamaged(ids, profile))
    return pc.invert(suspect)


# The rules.


class Rule(Struct, frozen=True):
    """One rule: a row whose ``fact`` does not pass ``test`` gets ``code``, with ``words``.

    ``role``: the column that the code names, None where it concerns the whole row. ``words`` makes
    a sentence of the evidence; what to do in general is ``code.fix``. ``loss``: it tells what an
    update goes without, so it is not asked of a row for which there is nothing to send.
    """

    code: Code
    role: Role | None
    fact: Fact
    test: Test
    words: Callable[[Any, sentences.Place], str]
    loss: bool = False

    @property
    def label(self) -> str:
        """Return ``CODE:column``, as results and rejects show it."""
        return f"{self.code}:{self.role}" if self.role else str(self.code)

    @property
    def name(self) -> str:
        """Return the name of the schema's check."""
        return f"{self.label} by {self.fact}"


RULES: tuple[Rule, ...] = (
    Rule(
        Code.ROW_RAGGED,
        None,
        Fact.SHAPE,
        never(Shape.CUT, Shape.WIDE, Shape.SHIFTED),
        sentences.shape,
    ),
    Rule(Code.ROW_RAGGED, None, Fact.WIDER, unset, sentences.wider),
    Rule(Code.ROW_RAGGED, None, Fact.STATUS_FOR_ID, unset, sentences.status_for_id),
    Rule(Code.ROW_RAGGED, None, Fact.AWB_FOR_ID, unset, sentences.awb_for_id),
    Rule(Code.ROW_SHORT, None, Fact.SHAPE, never(Shape.SHORT), sentences.shape),
    Rule(Code.CELL_INVALID, None, Fact.NUL, unset, sentences.nul),
    Rule(Code.ID_RESTORED, Role.ORDER_ID, Fact.RESTORED, unset, sentences.restored_id),
    Rule(Code.CELL_INVALID, Role.STATUS, Fact.STATUS_ERROR, unset, sentences.error_cell),
    Rule(Code.CELL_INVALID, Role.STATUS_TYPE, Fact.TYPE_ERROR, unset, sentences.error_cell),
    Rule(Code.CELL_INVALID, Role.DIRECTION, Fact.DIRECTION_ERROR, unset, sentences.error_cell),
    Rule(Code.CELL_INVALID, Role.SELF_SHIP, Fact.SELF_SHIP_ERROR, unset, sentences.error_cell),
    Rule(
        Code.CELL_INVALID, Role.AUTO_DISPATCH, Fact.AUTO_DISPATCH_ERROR, unset, sentences.error_cell
    ),
    Rule(Code.CELL_INVALID, Role.EVENT_TIME, Fact.EVENT_TIME_ERROR, unset, sentences.error_cell),
    Rule(Code.CELL_INVALID, Role.AWB, Fact.RTO_AWB_ERROR, unset, sentences.error_cell),
    Rule(Code.ID_MISSING, Role.ORDER_ID, Fact.ID, has_id, sentences.missing_id),
    Rule(Code.ID_DAMAGED, Role.ORDER_ID, Fact.SHOWN, unset, sentences.shown_id),
    Rule(Code.ID_DAMAGED, Role.ORDER_ID, Fact.ID, is_undamaged, sentences.damaged_id),
    Rule(Code.ID_INVALID, Role.ORDER_ID, Fact.ID, is_one_id, sentences.invalid_id),
    Rule(Code.ID_INVALID, Role.ORDER_ID, Fact.ODD_ID, unset, sentences.odd_id),
    Rule(Code.ID_SUSPECT, Role.ORDER_ID, Fact.ID, is_unsuspicious, sentences.suspect_id),
    Rule(
        Code.STATUS_MISSING,
        Role.STATUS,
        Fact.STATUS,
        never(StatusMeaning.MISSING),
        sentences.status,
    ),
    Rule(
        Code.STATUS_UNKNOWN,
        Role.STATUS,
        Fact.STATUS,
        never(StatusMeaning.UNKNOWN),
        sentences.status,
    ),
    Rule(
        Code.STATUS_AMBIGUOUS,
        Role.STATUS,
        Fact.STATUS,
        never(StatusMeaning.AMBIGUOUS),
        sentences.status,
    ),
    Rule(
        Code.STATUS_UNCONFIRMED,
        Role.STATUS,
        Fact.STATUS,
        never(StatusMeaning.UNCONFIRMED),
        sentences.status,
    ),
    Rule(
        Code.STATUS_AMBIGUOUS,
        Role.STATUS,
        Fact.BLOCKED,
        never(BlockReason.UNCLEAR),
        sentences.still_unclear,
    ),
    Rule(
        Code.ROW_RAGGED,
        None,
        Fact.BLOCKED,
        never(BlockReason.MOVED),
        sentences.moved,
    ),
    Rule(
        Code.PARCELS_OPEN,
        Role.AWB,
        Fact.BLOCKED,
        never(BlockReason.PARCELS),
        sentences.still_blocked,
    ),
    Rule(
        Code.STATUS_CONFLICT,
        Role.EVENT_TIME,
        Fact.BLOCKED,
        never(BlockReason.TAKEN_BACK),
        sentences.still_blocked,
    ),
    Rule(
        Code.DATE_INVALID,
        Role.EVENT_TIME,
        Fact.EVENT_TIME_ORDER,
        unset,
        sentences.two_way_time,
    ),
    Rule(Code.DATE_INVALID, Role.EVENT_TIME, Fact.EVENT_TIME_KIND, unset, sentences.invalid_time),
    Rule(
        Code.TIME_FUTURE,
        Role.EVENT_TIME,
        Fact.EVENT_TIME,
        at_most(FUTURE_HOURS * HOUR_MS),
        sentences.future_time,
    ),
    Rule(
        Code.DATE_RANGE,
        Role.EVENT_TIME,
        Fact.EVENT_TIME,
        within(RANGE_DAYS * DAY_MS),
        sentences.far_time,
    ),
    *(
        rule
        for role, age, kind, order, early in (
            (
                Role.PROMISED,
                Fact.PROMISED,
                Fact.PROMISED_KIND,
                Fact.PROMISED_ORDER,
                Fact.PROMISED_EARLY,
            ),
            (
                Role.ESTIMATED,
                Fact.ESTIMATED,
                Fact.ESTIMATED_KIND,
                Fact.ESTIMATED_ORDER,
                Fact.ESTIMATED_EARLY,
            ),
        )
        for rule in (
            Rule(
                Code.DATE_DROPPED,
                role,
                age,
                within(RANGE_DAYS * DAY_MS),
                sentences.dropped_date,
                loss=True,
            ),
            Rule(
                Code.DATE_DROPPED,
                role,
                kind,
                never(DateKind.UNREADABLE),
                sentences.dropped_date,
                loss=True,
            ),
            Rule(
                Code.DATE_DROPPED,
                role,
                order,
                unset,
                sentences.two_way_date,
                loss=True,
            ),
            Rule(Code.DATE_DROPPED, role, early, unset, sentences.early_date, loss=True),
            Rule(Code.DATE_INVALID, role, kind, never(DateKind.MIXED), sentences.invalid_time),
        )
    ),
    Rule(Code.NOT_SELF_SHIP, Role.SELF_SHIP, Fact.NOT_SELF_SHIP, unset, sentences.not_self_ship),
    Rule(
        Code.REASON_DROPPED,
        Role.REASON_CODE,
        Fact.REASON_STALE,
        unset,
        sentences.stale_reason,
        loss=True,
    ),
    Rule(
        Code.REASON_NOT_NUMERIC,
        Role.REASON_CODE,
        Fact.REASON_WORDS,
        unset,
        sentences.reason_in_words,
        loss=True,
    ),
    Rule(
        Code.TEXT_CUT,
        Role.REMARK,
        Fact.REMARK_LENGTH,
        at_most(TEXT_LENGTH),
        sentences.cut_text,
        loss=True,
    ),
    Rule(
        Code.TEXT_CUT,
        Role.LOCATION,
        Fact.LOCATION_LENGTH,
        at_most(TEXT_LENGTH),
        sentences.cut_text,
        loss=True,
    ),
    Rule(
        Code.NO_MILESTONE,
        Role.STATUS,
        Fact.STATUS,
        never(StatusMeaning.NO_MILESTONE),
        sentences.status,
    ),
    Rule(
        Code.AUTO_DISPATCHED,
        Role.AUTO_DISPATCH,
        Fact.PICKUP_REPORTED,
        unset,
        sentences.auto_dispatched,
    ),
)
"""The rules, in the order in which a row's codes are reported."""


# The schema and its results.

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@lru_cache(maxsize=64)
def manifest_schema(profile: Profile) -> pan.DataFrameSchema:
    """Build the schema for one courier's rows: a check per rule, named after it; no coercion."""
    return _schema(lambda fact: [_check(rule, profile) for rule in RULES if rule.fact is fact])


def _schema(checks_of: Callable[[Fact], list[pan.Check]]) -> pan.DataFrameSchema:
    columns = {
        fact.value: pan.Column(
            _TYPES.get(fact, _FLAG),
            checks_of(fact),
            nullable=_TYPES.get(fact) is _INSTANT,
            required=fact in ALWAYS_THERE,
        )
        for fact in Fact
    }
    return pan.DataFrameSchema(columns, name="manifest")


_FORM = _schema(lambda _: [])
"""The schema without its checks: which facts there are, of which type."""


class RuleResults(Struct, frozen=True, kw_only=True):
    """The verdict of the rules on the rows of a frame.

    ``broken``: each rule that some rows break, in the order of ``RULES``, with their positions,
    ascending. ``rejected``: rows that a rule of kind REJECT applies to. ``ignored``: the others
    for which there is nothing to send.
    """

    broken: tuple[tuple[Rule, Rows], ...]
    rejected: Mask
    ignored: Mask


def check_rows(frame: pd.DataFrame, profile: Profile) -> RuleResults:
    """Judge a frame made by ``pipeline.validation.canonical``.

    A row that is rejected is not said to have nothing to send; a row with nothing to send is not
    said to lack what an update needs; and where two rules find one code in one column, the first of
    them reports it. A failure that is not one of the rules' is a bug and
    raises ``SchemaErrors``.
    """
    broken = _broken(frame, profile)
    none, rejected, ignored = np.zeros((3, len(frame)), dtype=np.bool_)
    for rule, mask in broken:
        if rule.code.kind is Kind.REJECT:
            rejected |= mask
    for rule, mask in broken:
        if rule.code.kind is Kind.SKIP:
            ignored |= mask & ~rejected
    reported = []
    known: dict[str, Mask] = {}
    for rule, mask in broken:
        left = mask & ~known.get(rule.label, none)
        if rule.loss:
            left &= ~ignored
        elif rule.code.kind is Kind.SKIP:
            left &= ~rejected
        known[rule.label] = known.get(rule.label, none) | left
        if left.any():
            reported.append((rule, np.flatnonzero(left)))
    return RuleResults(broken=tuple(reported), rejected=rejected, ignored=ignored)


def _broken(frame: pd.DataFrame, profile: Profile) -> list[tuple[Rule, Mask]]:
    """Run the schema; give each rule that some rows break, with where.

    Its checks are asked one by one, and not for a list of what fails: inside of ``validate``, or of
    a check that is called, pandera makes reports of the failures that take several times as long as
    the checks, and that nobody reads.
    """
    columns = dict(frame.items())
    _check_form(frame, columns)
    found: dict[str, Mask] = {}
    for name, column in manifest_schema(profile).columns.items():
        facts = columns.get(name)
        if facts is None:
            continue
        for check in column.checks:
            passed = check.get_backend(facts)(check).apply(facts).to_numpy(dtype=np.bool_)
            if not passed.all():
                found[check.name] = ~passed
    return [(rule, found[rule.name]) for rule in RULES if rule.name in found]


def _check_form(frame: pd.DataFrame, columns: "Mapping[Hashable, pd.Series[Any]]") -> None:
    """Refuse a frame that lacks facts, or has them in other types. Raises ``SchemaErrors``.

    Of frames whose columns are alike in name, type and whether some value is null, pandera says the
    same: it is asked about one of them, as that takes as long as the rules of 15,000 rows.
    """
    form = frozenset((name, each.dtype, each.hasnans) for name, each in columns.items())
    if form not in _sound_forms:
        _FORM.validate(frame, lazy=True, inplace=True)
        _sound_forms.add(form)


_sound_forms: set[frozenset[tuple[Hashable, object, bool]]] = set()


def make_ready() -> None:
    """Have pandera load its backend now; else it does so while the first file waits."""
    pan.DataFrameSchema({}).validate(pd.DataFrame(), lazy=True)


def _check(rule: Rule, profile: Profile) -> pan.Check:
    def passes(column: "pd.Series[Any]") -> "pd.Series[bool]":
        chunks = column.array.__arrow_array__()
        facts = chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()
        passed = rule.test(facts, profile)
        passed = pc.fill_null(passed, True) if passed.null_count else passed
        return pd.Series(passed.to_numpy(zero_copy_only=False), index=column.index)

    return pan.Check(passes, name=rule.name, error=rule.name, ignore_na=False)


# What one row alone does not tell.

DECIDED_ELSEWHERE: Mapping[Code, tuple[str, str]] = {
    Code.DATE_MIXED: (
        "pipeline.validation.sheet_dates",
        "A column mixes date cells with typed dates; the whole file is looked through.",
    ),
    Code.STATUS_CONFLICT: (
        "pipeline.planning.plan",
        (
            "Two endings of an order exclude each other, or a later scan takes an ending back; of "
            "earlier files: pipeline.planning.earlier_files."
        ),
    ),
    Code.PARCELS_OPEN: (
        "pipeline.planning.parcels_of_orders",
        (
            "Rows of the file tell of another parcel of the order that has not come to its end; of "
            "earlier files: pipeline.planning.earlier_files."
        ),
    ),
    Code.TIME_ORDER: (
        "pipeline.planning.status_order",
        "The event times of an order's rows contradict the order of their statuses.",
    ),
    Code.REPEATED_IN_FILE: (
        "pipeline.planning.plan",
        "Several rows of the file report the same status of an order.",
    ),
    Code.ALREADY_ACCEPTED: (
        "pipeline.planning.order_history_rules",
        "The ledger knows that the API has accepted this status of the order.",
    ),
    Code.STALE: (
        "pipeline.planning.order_history_rules",
        "The ledger knows that the API has accepted a later status of the order.",
    ),
}
"""The codes of rows that take more than one row, or the ledger: where they are decided, and by
what. Footers (``pipeline.validation.row_layout``) and the limits for a whole file
(``pipeline.planning.freeze``) take the file."""
