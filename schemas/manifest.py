"""The canonical manifest as a pandera schema: columns, and one named check per code.

A frame that is judged here holds canonical text (see ``pipeline.stages.normalise``), all of it
Arrow-backed; nothing is coerced, so one bad cell never hides the faults of another row. Every
check is vectorised and bears the name of the code that a failing row gets.

===========================  ==========================================================
column                       holds
===========================  ==========================================================
``order_id``                 text, ends and wrapper taken off, "" when there is none
``order_id_kind``            ``CellKind`` of the cell; only for spreadsheets
``order_id_number``          the id where its cell was a number, else null; spreadsheets
``status``                   dictionary of type, status, direction, scan (``STATUS_PARTS``)
``event_time``               milliseconds from now, null when absent, ``UNREADABLE``
``promised_delivery_date``   the same
``estimated_delivery_date``  the same
``self_ship``                folded text
===========================  ==========================================================
"""

from collections.abc import Callable
from functools import lru_cache

import pandas as pd
import pandera.pandas as pan
import pyarrow as pa
import pyarrow.compute as pc

from schemas.codes import Code
from schemas.courier import IdRule, Profile
from schemas.folding import FALSE_WORDS
from schemas.rules import DAY_MS, HOUR_MS, Rules
from schemas.statuses import Direction, Ruling, Verdict
from schemas.vocabulary import CellKind, Role

UNREADABLE = -(2**62)
"""Stands in a time column for a cell that is no date this courier writes."""

SEPARATOR = "\x1f"
"""Between the parts of ``status``: no cell that is read can hold it."""

ID_KIND = "order_id_kind"
ID_NUMBER = "order_id_number"
ID_SHAPE = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,49}$"

TEXT = pd.ArrowDtype(pa.string())
WORDS = pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))
INSTANT = pd.ArrowDtype(pa.int64())
KIND = pd.ArrowDtype(pa.int8())

_SCIENTIFIC = r"^[0-9](\.[0-9]+)?[eE]\+?[0-9]{1,2}$"
_ROUNDED = r"^[0-9]{15}0{3,}$"
_ROUND_TAIL = r"^[0-9]{15}0{1,2}$"
_LONG_FLOAT = r"^[0-9]{16,}\.0$"
_EXACT_NUMBER = r"^[0-9]{1,15}$"


def status_key(status: str, kind: str, direction: Direction, scan: str) -> str:
    """Join what decides a status into one text (see ``ruling_of``)."""
    return SEPARATOR.join((status, kind, direction.value, scan))


def ruling_of(key: str, profile: Profile) -> Ruling:
    """Resolve a text made by ``status_key`` with the profile's own table."""
    status, kind, direction, scan = key.split(SEPARATOR)
    return profile.statuses.rule(
        status, status_type=kind, direction=Direction(direction), scan=scan
    )


@lru_cache(maxsize=64)
def manifest_schema(profile: Profile, rules: Rules) -> pan.DataFrameSchema:
    """Build the schema for one courier's rows. Built once; ``validate`` it with ``lazy=True``."""
    return pan.DataFrameSchema(
        {
            Role.ORDER_ID.value: pan.Column(TEXT, _id_checks(profile.ids)),
            ID_KIND: pan.Column(KIND, [_check(Code.ID_INVALID, _is_id_kind)], required=False),
            ID_NUMBER: pan.Column(
                TEXT, [_check(Code.ID_DAMAGED, _is_exact)], nullable=True, required=False
            ),
            Role.STATUS.value: pan.Column(WORDS, _status_checks(profile)),
            Role.EVENT_TIME.value: _times(_event_checks(rules)),
            Role.PROMISED.value: _times([_check(Code.DATE_DROPPED, _near(rules))]),
            Role.ESTIMATED.value: _times([_check(Code.DATE_DROPPED, _near(rules))]),
            Role.SELF_SHIP.value: pan.Column(
                TEXT, [_check(Code.NOT_SELF_SHIP, _is_not_false)], required=False
            ),
        },
        name="manifest",
    )


Judge = Callable[[pa.Array], pa.Array]
"""Takes a column without nulls, gives true for every row that passes."""


def _check(code: Code, judge: Judge) -> pan.Check:
    """Wrap an Arrow predicate as a pandera check named after its code."""

    def passes(column: "pd.Series[str]") -> "pd.Series[bool]":
        cells = pa.array(column.array)
        if isinstance(cells, pa.ChunkedArray):
            cells = cells.combine_chunks()
        verdict = judge(cells).to_numpy(zero_copy_only=False)
        return pd.Series(verdict, index=column.index)

    return pan.Check(passes, name=code.value, error=code.value)


def _matches(pattern: str) -> Judge:
    return lambda cells: pc.match_substring_regex(cells, pattern)


def _id_checks(rule: IdRule) -> list[pan.Check]:
    damaged = f"{_SCIENTIFIC}|{_ROUNDED}|{_LONG_FLOAT}"
    narrow = r"^[0-9]+$" if rule.digits_only else ID_SHAPE

    def is_there(ids: pa.Array) -> pa.Array:
        return pc.not_equal(ids, "")

    def is_undamaged(ids: pa.Array) -> pa.Array:
        return pc.invert(pc.match_substring_regex(ids, damaged))

    def is_shaped(ids: pa.Array) -> pa.Array:
        length = pc.binary_length(ids)
        fits = pc.and_(
            pc.match_substring_regex(ids, narrow),
            pc.and_(
                pc.greater_equal(length, rule.min_length), pc.less_equal(length, rule.max_length)
            ),
        )
        if pc.all(fits).as_py():
            return fits
        # What is missing or damaged says so under its own code.
        return pc.or_(fits, pc.or_(pc.equal(ids, ""), pc.match_substring_regex(ids, damaged)))

    return [
        _check(Code.ID_MISSING, is_there),
        _check(Code.ID_DAMAGED, is_undamaged),
        _check(Code.ID_INVALID, is_shaped),
        _check(Code.ID_SUSPECT, lambda ids: pc.invert(_matches(_ROUND_TAIL)(ids))),
    ]


def _is_id_kind(kinds: pa.Array) -> pa.Array:
    return pc.invert(
        pc.is_in(kinds, value_set=pa.array([CellKind.BOOLEAN, CellKind.DATE], pa.int8()))
    )


def _is_exact(numbers: pa.Array) -> pa.Array:
    """A spreadsheet keeps 15 digits of a number: more of them, or a fraction, is damage."""
    return pc.or_(pc.match_substring_regex(numbers, _EXACT_NUMBER), pc.equal(numbers, ""))


def _status_checks(profile: Profile) -> list[pan.Check]:
    resolve = lru_cache(maxsize=65_536)(lambda key: ruling_of(key, profile).verdict)

    def never(verdict: Verdict) -> Judge:
        def judge(keys: pa.DictionaryArray) -> pa.Array:
            fine = [resolve(key) is not verdict for key in keys.dictionary.to_pylist()]
            return pa.array(fine, pa.bool_()).take(keys.indices)

        return judge

    return [
        _check(Code.STATUS_MISSING, never(Verdict.MISSING)),
        _check(Code.STATUS_UNKNOWN, never(Verdict.UNKNOWN)),
        _check(Code.STATUS_AMBIGUOUS, never(Verdict.AMBIGUOUS)),
        _check(Code.STATUS_UNCONFIRMED, never(Verdict.UNCONFIRMED)),
    ]


def _times(checks: list[pan.Check]) -> pan.Column:
    return pan.Column(INSTANT, checks, nullable=True, required=False)


def _near(rules: Rules) -> Judge:
    limit = rules.range_days * DAY_MS
    return lambda times: pc.less_equal(pc.abs(times), limit)


def _event_checks(rules: Rules) -> list[pan.Check]:
    near = _near(rules)
    return [
        _check(Code.DATE_INVALID, lambda times: pc.not_equal(times, UNREADABLE)),
        _check(Code.TIME_FUTURE, lambda t: pc.less_equal(t, rules.future_hours * HOUR_MS)),
        _check(Code.DATE_RANGE, lambda times: pc.or_(pc.equal(times, UNREADABLE), near(times))),
    ]


def _is_not_false(words: pa.Array) -> pa.Array:
    return pc.invert(pc.is_in(words, value_set=pa.array(sorted(FALSE_WORDS), pa.string())))
