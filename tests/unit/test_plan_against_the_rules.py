"""The plan against the published rules, for every mix of rows and of what is known before.

Written from konnect-api.md and section B of hazards.md, not from the code: which updates go, which
do not and why, which pickups are added, and what is asked about first.
"""

from collections.abc import Iterator

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.model import Disposition
from pipeline.planning.plan import Plan
from schemas.vocabulary import Milestone
from tests.examples import examples
from tests.fakes.plan_rows import (
    accepted,
    calls,
    dispatched,
    dispositions,
    plan,
    plan_input,
    unknown,
)
from tests.fakes.published_rules import BEHIND, RIVALS, contradictory

P, D, R, T, V = Milestone
ORDERS = st.sampled_from(["a", "b", "c"])
ROWS = st.lists(
    st.tuples(ORDERS, st.sampled_from([*Milestone, None]), st.none() | st.integers(0, 6)),
    max_size=12,
)
#: what an order went through before: always something that can have happened
PASTS = st.dictionaries(
    ORDERS,
    st.sampled_from(
        [(P,), (P, D), (D,), (P, R), (R,), (T,), (T, V), (P, D, T), (P, D, T, V), (D, T, V)]
    ),
)
DOUBTS = st.sets(st.tuples(ORDERS, st.sampled_from(list(Milestone))), max_size=3)
AUTOS = st.sets(ORDERS, max_size=2)


def _updates(made: Plan, rows: list) -> Iterator[tuple[str, Milestone, bool]]:
    """Order, milestone and whether we added it."""
    for row, status, added in zip(
        made.update_row, made.update_status, made.update_added, strict=True
    ):
        yield rows[row][0], Milestone(status), bool(added)


def _told(rows: list, order: str, autos: set[str] = frozenset()) -> set[Milestone]:
    """Return a file's reports of an order, less the pickup that auto-dispatch has reported."""
    told = {status for name, status, _ in rows if name == order and status}
    return told - {P} if order in autos else told


def _expected(told: set[Milestone], past: set[Milestone]) -> dict[Milestone, Disposition]:
    """Return the end of each status of an order, by the rules."""
    wire = {status.wire for status in told}
    before = {status.wire for status in past}
    if contradictory(wire):
        return dict.fromkeys(told, Disposition.REJECTED)
    ends: dict[Milestone, Disposition] = {}
    for status in told:
        if status not in past and RIVALS.get(status.wire, set()) & before:
            ends[status] = Disposition.REJECTED
        elif status in past or BEHIND[status.wire] & before:
            ends[status] = Disposition.DUPLICATE
        else:
            ends[status] = Disposition.SEND
    return ends


@given(ROWS, PASTS, AUTOS)
@examples(200)
@example([("a", T, None), ("a", V, None), ("a", D, None)], {"a": (P, D)}, set())
@example([("a", R, 1), ("a", P, 0)], {"a": (P, D, T)}, set())
def test_every_row_goes_or_stays_as_the_rules_say(rows, pasts, autos):
    known = [accepted(order, status) for order, past in pasts.items() for status in past]
    made = plan(plan_input(rows, autos=autos), known, chunk_size=3)
    sent: set[tuple[str, Milestone]] = set()
    for (order, status, _), end in zip(rows, dispositions(made), strict=True):
        told = _told(rows, order, autos)
        if status not in told:
            assert end is Disposition.IGNORED
            continue
        expected = _expected(told, set(pasts.get(order, ())))[status]
        assert end in (
            {expected, Disposition.SHARED} if expected is Disposition.SEND else {expected}
        )
        if expected is Disposition.SEND:
            sent.add((order, status))
    updates = [(order, status) for order, status, _ in _updates(made, rows)]
    assert len(set(updates)) == len(updates)
    assert set(updates) == sent


@given(ROWS, PASTS, AUTOS, AUTOS)
@examples(200)
@example([("a", D, None)], {}, {"a"}, set())
@example([("a", D, None)], {}, set(), {"a"})
@example([("a", D, 5), ("a", T, 0), ("a", V, 1)], {}, set(), set())
def test_a_pickup_is_added_exactly_where_nobody_told_of_one(rows, pasts, autos, autos_before):
    known = [accepted(order, status) for order, past in pasts.items() for status in past]
    known += [dispatched(order) for order in autos_before]
    given_rows = plan_input(rows, autos=autos)
    made = plan(given_rows, known, chunk_size=3, fill_missing_pickup=True)
    updates = list(_updates(made, rows))
    ends = {order for order, status, _ in updates if status in {D, R}}
    told = {order for order, status, plus in updates if status is P and not plus}
    past = {order for order, statuses in pasts.items() if P in statuses}
    lacking = ends - told - past - autos - autos_before
    added = [order for order, _, plus in updates if plus]
    assert len(added) == len(lacking)
    assert set(added) == lacking
    assert all(status is P for _, status, plus in updates if plus)
    waves = {
        (rows[row][0], status): made.wave_of_chunk[number]
        for number, call in enumerate(calls(made))
        for row, status in call
    }
    for order in lacking:
        end = D if (order, D) in waves else R
        assert waves[order, P] < waves[order, end]


@given(ROWS, PASTS, DOUBTS, st.booleans())
@examples(150)
@example([("a", D, None), ("b", D, None)], {}, {("a", D)}, False)
def test_what_ended_unknown_before_is_asked_about_and_nothing_else_is(rows, pasts, doubts, fill):
    known = [accepted(order, status) for order, past in pasts.items() for status in past]
    known += [unknown(order, status) for order, status in doubts]
    made = plan(plan_input(rows), known, chunk_size=2, fill_missing_pickup=fill)
    for number, call in enumerate(calls(made)):
        for row, status in call:
            order = rows[row][0]
            unknown_of = {s for o, s in doubts if o == order}
            later = {s for s in unknown_of if s.wire in BEHIND[status.wire]}
            assert made.doubt_of_chunk[number] == bool(later or status in unknown_of)
