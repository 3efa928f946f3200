"""Plans, hazard by hazard of section B of hazards.md."""

import pytest

from pipeline.core.model import Disposition
from pipeline.core.order_lines import OrderHistory
from pipeline.planning.plan import one_by_one, sendable_orders, to_ask_about
from schemas.vocabulary import Milestone, Outcome
from tests.fakes.plan_rows import (
    Row,
    accepted,
    calls,
    dispositions,
    plan,
    plan_input,
    said,
    unknown,
)

PICKED = Milestone.BAG_PICKED
DONE = Milestone.DELIVERY_DONE
RTO = Milestone.RTO_BAG_DELIVERED
BACK = Milestone.RETURN_BAG_IN_TRANSIT
BACK_DONE = Milestone.RETURN_BAG_DELIVERED
SEND, SHARED = Disposition.SEND, Disposition.SHARED
REJECTED, DUPLICATE = Disposition.REJECTED, Disposition.DUPLICATE


def flow(rows: list[Row]) -> list[tuple[int, Milestone]]:
    """All updates of one order, in the order they go out."""
    made = plan(plan_input(rows), [], chunk_size=20)
    assert list(made.wave_of_chunk) == list(range(len(made.wave_of_chunk)))
    return [update for call in calls(made) for update in call]


class TestRepeats:
    def test_the_latest_event_time_supplies_the_content(self):
        made = plan(
            plan_input([("a", DONE, 5), ("a", DONE, 9), ("a", DONE, None), ("b", DONE, 1)]),
            [],
            chunk_size=20,
        )
        assert dispositions(made) == [SHARED, SEND, SHARED, SEND]
        assert made.leader.tolist() == [1, -1, 1, -1]
        assert said(made)[2] == (
            "REPEATED_IN_FILE:order_id",
            "Row 4: repeats row 3, sent once.",
        )

    @pytest.mark.parametrize("at", [None, 7])
    def test_without_a_later_time_the_first_row_does(self, at):
        made = plan(plan_input([("a", DONE, at)] * 3), [], chunk_size=20)
        assert made.leader.tolist() == [-1, 0, 0]

    def test_orders_of_different_blocks_are_the_same_order(self):
        made = plan(plan_input([("a", DONE, None)] * 7, blocks=2), [], chunk_size=20)
        assert made.leader.tolist() == [-1] + [0] * 6


class TestConflicts:
    def test_two_finals_in_a_file_reject_all_rows_of_the_order(self):
        made = plan(
            plan_input([("a", PICKED, 1), ("a", DONE, 2), ("b", DONE, 2), ("a", RTO, 3)]),
            [],
            chunk_size=20,
        )
        assert dispositions(made) == [REJECTED, REJECTED, SEND, REJECTED]
        label, words = said(made)[3]
        assert label == "STATUS_CONFLICT:status"
        assert words.startswith("Row 5: order a is reported both returned to the seller (RTO) and ")
        assert "delivered in this file" in words

    def test_what_went_back_to_the_seller_cannot_come_back_from_a_customer(self):
        made = plan(plan_input([("a", RTO, 1), ("a", BACK, 2)]), [], chunk_size=20)
        assert dispositions(made) == [REJECTED, REJECTED]
        assert "sent back by the customer" in said(made)[0][1]

    @pytest.mark.parametrize(
        ("before", "now"), [(DONE, RTO), (RTO, DONE), (RTO, BACK), (BACK_DONE, RTO)]
    )
    def test_against_the_ledger_only_the_new_row_is_rejected(self, before, now):
        known = [accepted("a", before, drop_id="d7", at="2026-11-20T10:00:00.000Z")]
        made = plan(plan_input([("b", DONE, None), ("a", now, None)]), known, chunk_size=20)
        assert dispositions(made) == [SEND, REJECTED]
        label, words = said(made)[1]
        assert label == "STATUS_CONFLICT:status"
        assert f"{before.wire} was accepted from drop d7 on 2026-11-20T10:00:00.000Z" in words


class TestKnownAlready:
    def test_accepted_before_is_a_duplicate_that_names_drop_and_time(self):
        known = [
            accepted("a", DONE, drop_id="d1", at="2026-11-20T10:00:00.000Z"),
            accepted("a", DONE, drop_id="d2", at="2026-11-21T10:00:00.000Z"),
        ]
        made = plan(plan_input([("a", DONE, 1), ("a", DONE, 2)]), known, chunk_size=20)
        assert dispositions(made) == [DUPLICATE, DUPLICATE]
        assert said(made)[1] == (
            "ALREADY_ACCEPTED:status",
            (
                "Row 3: nothing sent, delivery_done was accepted from drop d1 on "
                "2026-11-20T10:00:00.000Z."
            ),
        )
        assert calls(made) == []

    @pytest.mark.parametrize(
        ("before", "now"),
        [
            (DONE, PICKED),
            (RTO, PICKED),
            (BACK, PICKED),
            (BACK, DONE),
            (BACK_DONE, DONE),
            (BACK_DONE, BACK),
        ],
    )
    def test_behind_what_was_accepted_is_stale(self, before, now):
        made = plan(plan_input([("a", now, None)]), [accepted("a", before)], chunk_size=20)
        assert dispositions(made) == [DUPLICATE]
        label, words = said(made)[0]
        assert label == "STALE:status"
        assert f"further along: {before.wire} was accepted from drop d1." in words

    def test_a_step_behind_one_that_another_file_left_in_doubt_travels_apart_and_waits(self):
        known = [unknown("a", PICKED), unknown("b", PICKED), accepted("b", DONE)]
        rows = [("a", DONE, None), ("b", BACK, None), ("c", DONE, None)]
        made = plan(plan_input(rows), known, chunk_size=20)
        assert calls(made) == [[(1, BACK), (2, DONE)], [(0, DONE)]]
        assert made.behind_doubt == (False, True)
        assert made.doubt_of_chunk == (False, False)

    def test_with_the_earlier_step_in_the_same_file_it_goes_by_waves_as_ever(self):
        rows = [("a", PICKED, None), ("a", DONE, None)]
        made = plan(plan_input(rows), [unknown("a", PICKED)], chunk_size=20)
        assert calls(made) == [[(0, PICKED)], [(1, DONE)]]
        assert made.behind_doubt == (False, False)
        assert made.doubt_of_chunk == (True, False)

    def test_a_return_after_a_delivery_is_a_new_journey(self):
        known = [accepted("a", PICKED), accepted("a", DONE)]
        made = plan(plan_input([("a", BACK_DONE, 2), ("a", BACK, 1)]), known, chunk_size=20)
        assert calls(made) == [[(1, BACK)], [(0, BACK_DONE)]]

    @pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.ACCEPTED] + [None])
    def test_what_was_not_accepted_is_no_reason(self, outcome):
        before = OrderHistory(
            order_id="a", status=DONE, drop_id="d1", open=False, outcome=outcome, at=""
        )
        made = plan(plan_input([("a", DONE, None)]), [before], chunk_size=20)
        assert dispositions(made) == [SEND]

    def test_orders_the_file_does_not_name_do_not_matter(self):
        made = plan(plan_input([("a", DONE, None)]), [accepted("z", DONE)], chunk_size=20)
        assert dispositions(made) == [SEND]


class TestFlow:
    def test_steps_go_by_rank_whatever_the_file_order_and_times(self):
        rows: list[Row] = [("a", DONE, 1), ("a", PICKED, 5)]
        assert flow(rows) == [(1, PICKED), (0, DONE)]
        made = plan(plan_input(rows), [], chunk_size=20)
        assert said(made) == {
            0: (
                "TIME_ORDER:event_time",
                (
                    "Row 2: its time is before that of row 3, an earlier step of the same order. "
                    "Sent in the order of the steps."
                ),
            )
        }

    def test_forward_goes_before_return(self):
        rows = [("a", BACK_DONE, 9), ("a", BACK, 8), ("a", DONE, 2), ("a", PICKED, 1)]
        assert [m for _, m in flow(rows)] == [PICKED, DONE, BACK, BACK_DONE]

    def test_a_return_that_was_over_before_goes_first(self):
        rows = [("a", DONE, 9), ("a", PICKED, 8), ("a", BACK_DONE, 2), ("a", BACK, 1)]
        assert [m for _, m in flow(rows)] == [BACK, BACK_DONE, PICKED, DONE]

    @pytest.mark.parametrize(
        "back",
        [[("a", BACK, 1)], [("a", BACK, 1), ("a", BACK_DONE, None)], [("a", BACK_DONE, 9)]],
    )
    def test_a_return_not_known_to_be_over_does_not(self, back):
        rows = [("a", DONE, 9), *back]
        assert flow(rows)[0] == (0, DONE)

    def test_nor_where_the_forward_journey_had_begun(self):
        rows: list[Row] = [("a", DONE, 9), ("a", BACK_DONE, 2)]
        made = plan(plan_input(rows), [accepted("a", PICKED)], chunk_size=20)
        assert calls(made) == [[(0, DONE)], [(1, BACK_DONE)]]

    def test_journeys_whose_times_overlap_are_told(self):
        rows: list[Row] = [("a", DONE, 5), ("a", BACK, 3), ("a", BACK_DONE, 9)]
        made = plan(plan_input(rows), [], chunk_size=20)
        assert list(said(made)) == [1]

    def test_a_time_is_compared_across_a_step_without_one(self):
        rows: list[Row] = [("a", PICKED, 9), ("a", DONE, None), ("a", BACK, 3)]
        assert list(said(plan(plan_input(rows), [], chunk_size=20))) == [2]

    def test_waves_follow_the_file_inside(self):
        rows: list[Row] = [
            *[(f"o{n}", PICKED, None) for n in range(25)],
            *[(f"o{n}", DONE, None) for n in range(5)],
        ]
        made = plan(plan_input(rows), [], chunk_size=20)
        assert [len(call) for call in calls(made)] == [20, 5, 5]
        assert made.wave_of_chunk == (0, 0, 1)
        assert [row for call in calls(made) for row, _ in call] == list(range(30))


class TestMissingPickup:
    def test_is_sent_as_it_is_unless_asked_for(self):
        made = plan(plan_input([("a", DONE, None)]), [], chunk_size=20)
        assert calls(made) == [[(0, DONE)]]

    @pytest.mark.parametrize("end", [DONE, RTO])
    def test_is_filled_in_when_asked_for(self, end):
        made = plan(plan_input([("a", end, 4)]), [], chunk_size=20, fill_missing_pickup=True)
        assert calls(made) == [[(0, PICKED)], [(0, end)]]
        assert made.update_added.tolist() == [True, False]
        assert said(made) == {}

    def test_not_for_an_order_that_was_picked_before(self):
        known = [accepted("a", PICKED)]
        made = plan(plan_input([("a", DONE, 4)]), known, chunk_size=20, fill_missing_pickup=True)
        assert calls(made) == [[(0, DONE)]]

    def test_not_where_the_file_has_it_or_for_a_return(self):
        rows: list[Row] = [("a", DONE, 4), ("a", PICKED, 1), ("b", BACK, None)]
        made = plan(plan_input(rows), [], chunk_size=20, fill_missing_pickup=True)
        assert calls(made) == [[(1, PICKED), (2, BACK)], [(0, DONE)]]

    def test_not_where_auto_dispatch_told_of_it(self):
        rows: list[Row] = [("a", PICKED, None), ("a", DONE, None), ("b", DONE, None)]
        given = plan_input(rows, autos=["a"])
        made = plan(given, [], chunk_size=20, fill_missing_pickup=True)
        assert [status for call in calls(made) for row, status in call if row == 1] == [DONE]
        assert [status for call in calls(made) for row, status in call if row == 2] == [
            PICKED,
            DONE,
        ]


def test_only_orders_to_be_sent_are_asked_for():
    given = plan_input([("b", DONE, None), ("z", None, None), ("a", DONE, None), ("b", PICKED, 1)])
    assert list(one_by_one(sendable_orders(given))) == ["a", "b"]


def test_earlier_files_are_asked_about_orders_that_were_not_accepted_before():
    rows: list[Row] = [("a", DONE, None), ("b", PICKED, None), ("c", DONE, None), ("z", None, None)]
    known = [accepted("a", DONE), accepted("b", DONE), accepted("c", PICKED)]
    assert to_ask_about(plan_input(rows), known).tolist() == [False, False, True, False]


def test_a_file_without_rows_has_a_plan():
    made = plan(plan_input([]), [], chunk_size=20, fill_missing_pickup=True)
    assert (calls(made), dispositions(made), made.wave_of_chunk) == ([], [], ())
    assert sendable_orders(plan_input([])).to_pylist() == []
