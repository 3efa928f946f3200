"""Whatever couriers send: nothing is lost, and no illegal move goes out because of us."""

from collections import Counter
from collections.abc import Set
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.chunks import Chunk, ChunkState, Verdict
from pipeline.core.model import Disposition
from pipeline.core.order_lines import OrderHistory
from pipeline.planning.freeze import _planned_table
from pipeline.reporting.row_outcomes import OUTCOMES, unsent
from schemas.vocabulary import Milestone, Outcome
from tests.examples import examples
from tests.fakes.outcomes import outcomes_of
from tests.fakes.plan_rows import accepted, calls, dispositions, plan, plan_input

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d"]),
        st.sampled_from([*Milestone, None]),
        st.none() | st.integers(0, 6),
    ),
    max_size=14,
)
KNOWN = st.lists(
    st.builds(accepted, st.sampled_from(["a", "b", "z"]), st.sampled_from(list(Milestone))),
    max_size=4,
)


class ApiModel:
    """The published moves (konnect-api.md), for an order's two journeys.

    An order's return can be assigned once it was delivered, or was before we ever heard of it; a
    return that is over may be followed by a new dispatch. Both assignments happen elsewhere.
    """

    BEFORE: ClassVar[dict[str, set[str]]] = {
        "bag_picked": {"dp_assigned"},
        "delivery_done": {"bag_picked"},
        "rto_bag_delivered": {"bag_picked"},
        "return_bag_in_transit": {"return_dp_assigned"},
        "return_bag_delivered": {"return_bag_in_transit"},
    }
    ASSIGNED: ClassVar[dict[str | None, set[str]]] = {
        None: {"dp_assigned", "return_dp_assigned"},
        "delivery_done": {"return_dp_assigned"},
        "return_bag_delivered": {"dp_assigned"},
    }

    def __init__(self) -> None:
        self.at: dict[str, str | None] = {}
        self.seen: dict[str, set[str]] = {}

    def may(self, order: str, status: str, *, left_out: Set[str] = frozenset()) -> bool:
        """Whether the move is legal, once the steps that were left out are thought of as done."""
        if status in self.seen.get(order, set()):
            return False
        reached, todo = set(), [self.at.get(order)]
        while todo:
            at = todo.pop()
            reached.add(at)
            stands = {at} | self.ASSIGNED.get(at, set())
            if stands & self.BEFORE[status]:
                return True
            todo += [step for step in left_out - reached if stands & self.BEFORE[step]]
        return False

    def take(self, order: str, status: str) -> None:
        self.at[order] = status
        self.seen.setdefault(order, set()).add(status)


@given(ROWS, KNOWN, st.integers(1, 20), st.booleans())
@examples(150)
def test_chunks_partition_what_is_sent(rows, known, chunk_size, fill):
    made = plan(plan_input(rows), known, chunk_size=chunk_size, fill_missing_pickup=fill)
    packed = calls(made)
    own = [int(r) for r, plus in zip(made.update_row, made.update_added, strict=True) if not plus]
    sent = [at for at, each in enumerate(dispositions(made)) if each is Disposition.SEND]
    assert sorted(own) == sent
    waves: dict[tuple[str, Milestone], int] = {}
    for call, wave in zip(packed, made.wave_of_chunk, strict=True):
        orders = [rows[row][0] for row, _ in call]
        assert 1 <= len(call) <= chunk_size
        assert len(set(orders)) == len(orders)
        for (_, status), order in zip(call, orders, strict=True):
            assert (order, status) not in waves
            waves[order, status] = wave
    by_order = Counter(order for order, _ in waves)
    for order, steps in by_order.items():
        assert sorted(w for (o, _), w in waves.items() if o == order) == list(range(steps))
    assert list(made.wave_of_chunk) == sorted(made.wave_of_chunk)


@given(ROWS, KNOWN)
@examples(200)
def test_a_repeat_follows_a_row_of_its_order_and_status_that_is_sent(rows, known):
    made = plan(plan_input(rows), known, chunk_size=20)
    for at, each in enumerate(dispositions(made)):
        lead = int(made.leader[at])
        assert (lead >= 0) == (each is Disposition.SHARED)
        if lead >= 0:
            assert dispositions(made)[lead] is Disposition.SEND
            assert rows[lead][:2] == rows[at][:2]
            assert (rows[lead][2] or -1) >= (rows[at][2] or -1)


@given(st.lists(ROWS, min_size=1, max_size=4), st.integers(1, 4), st.booleans())
@examples(200)
def test_the_api_never_sees_an_illegal_move_because_of_us(drops, chunk_size, fill):
    api = ApiModel()
    histories: list[OrderHistory] = []
    for number, rows in enumerate(drops):
        made = plan(plan_input(rows), histories, chunk_size=chunk_size, fill_missing_pickup=fill)
        for call in calls(made):
            for row, milestone in call:
                order, status = rows[row][0], milestone.wire
                if not api.may(order, status):
                    # A step that no file ever told of: what comes after is sent as it is.
                    told = {m.wire for o, m, _ in rows if o == order and m}
                    left_out = api.BEFORE.keys() - told - api.seen.get(order, set())
                    if fill:
                        left_out -= {"bag_picked"}
                    assert api.may(order, status, left_out=left_out)
                api.take(order, status)
                histories.append(accepted(order, milestone, drop_id=f"d{number}"))


RESULTS = st.tuples(
    st.sampled_from([None, Outcome.ACCEPTED, Outcome.UNSENT, Outcome.UNKNOWN]),
    st.dictionaries(
        st.integers(0, 2),
        st.sampled_from([Outcome.ACCEPTED, Outcome.FAILED, Outcome.UNKNOWN, Outcome.UNSENT]),
    ),
)


@given(ROWS, KNOWN, st.lists(RESULTS, min_size=20, max_size=20), st.booleans())
@examples(150)
def test_every_row_ends_in_exactly_one_outcome(rows, known, results, fill):
    made = plan(plan_input(rows), known, chunk_size=3, fill_missing_pickup=fill)
    chunks, verdicts = [], []
    for no, call in enumerate(calls(made)):
        outcome, own = results[no % len(results)]
        chunks.append(
            Chunk(
                drop_seq=1,
                no=no,
                wave=made.wave_of_chunk[no],
                offset=0,
                length=0,
                size=len(call),
                state=ChunkState.DONE,
                outcome=outcome,
            )
        )
        verdicts += [
            Verdict(chunk_no=no, pos=pos, outcome=each, code="", message="")
            for pos, each in own.items()
            if pos < len(call)
        ]
    outcomes = outcomes_of(_planned_table(made), chunks, verdicts, waiting=unsent())
    assert sum(outcomes.counts().values()) == len(rows)
    own_of = {(v.chunk_no, v.pos): v.outcome for v in verdicts}
    for at, each in enumerate(dispositions(made)):
        outcome = OUTCOMES[outcomes.outcome[at]]
        if each is Disposition.SHARED:
            of = OUTCOMES[outcomes.outcome[made.leader[at]]]
            assert outcome is (Outcome.DUPLICATE if of is Outcome.ACCEPTED else of)
        elif each is Disposition.SEND:
            places = zip(made.update_row, made.update_added, strict=True)
            (update,) = [n for n, (row, plus) in enumerate(places) if row == at and not plus]
            chunk = int(made.update_chunk[update])
            expected = own_of.get((chunk, int(made.update_pos[update])), chunks[chunk].outcome)
            assert outcome is (expected or Outcome.UNSENT)
        else:
            assert outcome.name == each.name
