"""Old updates of a drop are compared with other drops' before they are sent again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.core.chunks import Chunk, Verdict
from pipeline.core.order_lines import OrderHistory
from pipeline.planning.order_history_rules import blocking
from pipeline.planning.replan import Pending, doubts, let_go, pending_places, recheck
from schemas.codes import Code
from schemas.vocabulary import Milestone, Outcome

PICKED, DONE, RTO, BACK, BACK_DONE = Milestone
ACCEPTED, UNKNOWN = Outcome.ACCEPTED, Outcome.UNKNOWN


def _ends(
    milestone: Milestone, *others: tuple[Milestone, Outcome], doubtful: bool = False
) -> list[tuple[Outcome, str]]:
    histories = [
        OrderHistory(
            order_id="a", status=status, drop_id=f"d{n}", open=False, outcome=outcome, at="noon"
        )
        for n, (status, outcome) in enumerate(others)
    ]
    mine = Pending(chunk_no=3, pos=7, order_id="a", milestone=milestone, doubtful=doubtful)
    found = recheck([mine], histories)
    assert all((each.chunk_no, each.pos) == (3, 7) for each in found)
    return [(each.outcome, each.code) for each in found]


@pytest.mark.parametrize(
    ("milestone", "others", "end"),
    [
        (PICKED, [(PICKED, ACCEPTED)], (Outcome.DUPLICATE, Code.ALREADY_ACCEPTED)),
        (PICKED, [(DONE, ACCEPTED)], (Outcome.DUPLICATE, Code.STALE)),
        (DONE, [(BACK, ACCEPTED)], (Outcome.DUPLICATE, Code.STALE)),
        (DONE, [(RTO, ACCEPTED)], (Outcome.REJECTED, Code.STATUS_CONFLICT)),
        (PICKED, [(PICKED, UNKNOWN)], (UNKNOWN, Code.ANSWER_LOST)),
        (PICKED, [(DONE, UNKNOWN)], (UNKNOWN, Code.ANSWER_LOST)),
        (PICKED, [(PICKED, UNKNOWN), (DONE, ACCEPTED)], (Outcome.DUPLICATE, Code.STALE)),
    ],
)
def test_what_is_not_simply_sent(
    milestone: Milestone, others: list[tuple[Milestone, Outcome]], end: tuple[Outcome, str]
) -> None:
    assert _ends(milestone, *others) == [end]


@pytest.mark.parametrize(
    ("milestone", "others"),
    [
        (DONE, [(PICKED, ACCEPTED)]),
        (BACK, [(DONE, ACCEPTED)]),
        (BACK, [(PICKED, UNKNOWN), (DONE, ACCEPTED)]),
    ],
)
def test_the_next_step_goes(milestone: Milestone, others: list[tuple[Milestone, Outcome]]) -> None:
    assert _ends(milestone, *others) == []


def test_behind_a_step_that_another_drop_left_in_doubt_it_waits() -> None:
    waits = [(Outcome.UNSENT, Code.EARLIER_OPEN)]
    assert _ends(DONE, (PICKED, UNKNOWN)) == waits
    assert _ends(BACK_DONE, (DONE, ACCEPTED), (BACK, UNKNOWN)) == waits
    assert _ends(DONE, (PICKED, UNKNOWN), doubtful=True) == []


def _standing(
    status: Milestone, outcome: Outcome | None, *, is_open: bool, waits: bool = False
) -> OrderHistory:
    return OrderHistory(
        order_id="a",
        status=status,
        drop_id="d",
        open=is_open,
        outcome=outcome,
        at="",
        waits=waits,
    )


@pytest.mark.parametrize(
    ("others", "behind"),
    [
        ([_standing(PICKED, UNKNOWN, is_open=False)], (PICKED, False)),
        ([_standing(PICKED, UNKNOWN, is_open=True)], (PICKED, True)),
        ([_standing(PICKED, None, is_open=True)], (PICKED, True)),
        ([_standing(PICKED, Outcome.UNSENT, is_open=True, waits=True)], None),
        ([_standing(PICKED, Outcome.FAILED, is_open=True)], None),
        ([_standing(PICKED, ACCEPTED, is_open=False)], None),
        ([_standing(DONE, UNKNOWN, is_open=False)], None),
        ([], None),
    ],
)
def test_what_waits_asks_how_the_earlier_step_stands_now(
    others: list[OrderHistory], behind: tuple[Milestone, bool] | None
) -> None:
    expected = {} if behind is None else {("a", DONE): behind}
    assert doubts([("a", DONE)], others) == expected


def test_what_is_in_doubt_already_is_settled_as_it_is() -> None:
    assert _ends(PICKED, (PICKED, UNKNOWN), doubtful=True) == []


def test_the_words_name_the_drop_that_was_first_and_when() -> None:
    others = [
        OrderHistory(
            order_id="a", status=PICKED, drop_id=d, open=False, outcome=ACCEPTED, at="noon"
        )
        for d in ("d1", "d2")
    ]
    (verdict,) = recheck([Pending(chunk_no=0, pos=0, order_id="a", milestone=PICKED)], others)
    assert verdict.message == "Nothing sent, bag_picked was accepted from drop d1 on noon."


def test_pending_is_what_has_no_end_by_verdict_or_else_by_chunk() -> None:
    chunk = Chunk(drop_seq=1, no=0, wave=0, offset=0, length=0, size=4, outcome=UNKNOWN)
    verdicts = [
        Verdict(chunk_no=0, pos=pos, outcome=outcome, code="", message="")
        for pos, outcome in ((0, ACCEPTED), (1, Outcome.UNSENT), (2, Outcome.FAILED))
    ]
    assert pending_places(chunk, verdicts) == {1: False, 3: True}


def test_of_drops_that_wait_only_those_claimed_before_come_first() -> None:
    def one(seq: int, *, held: bool = False, outcome: Outcome | None = None) -> OrderHistory:
        told = OrderHistory(
            order_id="a", status=1, drop_id=f"d{seq}", open=True, outcome=None, at=""
        )
        return replace(told, seq=seq, blocked=held, outcome=outcome)

    settled = [one(9, outcome=Outcome.FAILED), one(9, outcome=Outcome.DUPLICATE)]
    sent = [one(9), one(9, outcome=UNKNOWN), one(9, outcome=Outcome.UNSENT)]
    assert blocking([*settled, *sent], 5) == sent
    assert blocking([one(4, held=True), one(6, held=True)], 5) == [one(4, held=True)]


@given(
    st.dictionaries(st.integers(0, 6), st.frozensets(st.integers(0, 9), min_size=1), max_size=7),
    st.frozensets(st.integers(0, 9)),
)
def test_no_order_goes_in_part(chunks: dict[int, frozenset[int]], blocked: frozenset[int]) -> None:
    held = [
        Pending(chunk_no=no, pos=pos, order_id=str(order), milestone=PICKED)
        for no, orders in chunks.items()
        for pos, order in enumerate(sorted(orders))
    ]
    free = let_go(held, {str(order) for order in blocked})
    goes = {order for no in free for order in chunks[no]}
    stays = {order for no in chunks.keys() - free for order in chunks[no]}
    assert goes.isdisjoint(stays)
    assert goes.isdisjoint(blocked)
    if not blocked:
        assert free == chunks.keys()
    # And nothing stays without need: each that stays is tied to a blocked order.
    tied = set(blocked)
    for _ in chunks:
        tied |= {o for orders in chunks.values() if orders & tied for o in orders}
    assert free == {no for no, orders in chunks.items() if not orders & tied}
