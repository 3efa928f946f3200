"""Compare a drop's old updates with the history of their orders before they are sent again."""

from collections.abc import Collection, Sequence

from msgspec import Struct

from pipeline.core.chunks import Chunk, Verdict
from pipeline.core.order_lines import OrderHistory
from pipeline.planning.order_history_rules import beyond, earlier_in_doubt, objection
from pipeline.planning.sendable_rows import bit
from schemas.codes import Code
from schemas.vocabulary import Milestone, Outcome

_WAITING = frozenset({None, Outcome.UNKNOWN, Outcome.UNSENT})


class Pending(Struct, frozen=True, kw_only=True):
    """An update that has no end yet. ``doubtful``: it may have arrived."""

    chunk_no: int
    pos: int
    order_id: str
    milestone: Milestone
    doubtful: bool = False


def pending_places(chunk: Chunk, verdicts: Sequence[Verdict]) -> dict[int, bool]:
    """Return the places of a chunk that have no end yet, and whether they may have arrived.

    ``verdicts``: those on this chunk.
    """
    own = {each.pos: each.outcome for each in verdicts}
    outcomes = {pos: own.get(pos, chunk.outcome) for pos in range(chunk.size)}
    return {pos: o is Outcome.UNKNOWN for pos, o in outcomes.items() if o in _WAITING}


def let_go(held: Sequence[Pending], blocked: Collection[str]) -> set[int]:
    """Return the chunks that need not be held any longer.

    A chunk is held as long as one of its orders is ``blocked``, or lies in another chunk that is:
    else a later step of an order could go before an earlier one.
    """
    orders: dict[int, set[str]] = {}
    for each in held:
        orders.setdefault(each.chunk_no, set()).add(each.order_id)
    stays = set(blocked)
    while True:
        tied = [no for no, names in orders.items() if not stays.isdisjoint(names)]
        if not tied:
            return set(orders)
        for no in tied:
            stays |= orders.pop(no)


def recheck(pending: Sequence[Pending], histories: Sequence[OrderHistory]) -> list[Verdict]:
    """Return the outcomes of those that are no longer sent, and the others to ask about first.

    ``histories``: what other drops did with these orders. By the rules of a plan (hazards.md B):
    accepted from another drop, or behind what was: ``duplicate``; contradicting it: ``rejected``.
    If another drop sent the update, or a later step, with an unknown result, it is in doubt here
    too; if another drop sent an earlier step so, it waits.
    """
    first: dict[tuple[str, int], OrderHistory] = {}
    accepted: dict[str, int] = {}
    unknown: dict[str, int] = {}
    for found in histories:
        if found.outcome is Outcome.ACCEPTED:
            first.setdefault((found.order_id, found.status), found)
            accepted[found.order_id] = accepted.get(found.order_id, 0) | 1 << found.status
        elif found.outcome is Outcome.UNKNOWN:
            unknown[found.order_id] = unknown.get(found.order_id, 0) | 1 << found.status
    verdicts = []
    for each in pending:
        against = objection(each.milestone, accepted.get(each.order_id, 0))
        if against is not None:
            code, because = against
            message = _words(code, first[each.order_id, because])
            outcome = Outcome.REJECTED if code is Code.STATUS_CONFLICT else Outcome.DUPLICATE
        elif not each.doubtful and unknown.get(each.order_id, 0) & (
            bit(each.milestone) | beyond(each.milestone)
        ):
            code, outcome = Code.ANSWER_LOST, Outcome.UNKNOWN
            message = "Another drop sent this, or a later step of the order; its answer was lost."
        elif not each.doubtful and (
            step := earlier_in_doubt(
                each.milestone, unknown.get(each.order_id, 0), accepted.get(each.order_id, 0)
            )
        ):
            code, outcome = Code.EARLIER_OPEN, Outcome.UNSENT
            message = (
                f"Not sent yet: the earlier status {step.wire} of this order, "
                "from another file, is still open."
            )
        else:
            continue
        verdicts.append(
            Verdict(
                chunk_no=each.chunk_no,
                pos=each.pos,
                outcome=outcome,
                code=str(code),
                message=message,
            )
        )
    return verdicts


def _words(code: Code, because: OrderHistory) -> str:
    at = f" on {because.at}" if because.at else ""
    accepted = f"{Milestone(because.status).wire} was accepted from {because.source}{at}"
    if code is Code.STATUS_CONFLICT:
        return f"This contradicts what the API was told: {accepted}. Ask the courier which is true."
    further = "the order is further along: " if code is Code.STALE else ""
    return f"Nothing sent, {further}{accepted}."


def doubts(
    pending: Sequence[tuple[str, Milestone]], histories: Sequence[OrderHistory]
) -> dict[tuple[str, Milestone], tuple[Milestone, bool]]:
    """Return of these updates those behind an earlier step that another drop left in doubt.

    Returned is that step, and whether its drop is open: then it is being settled there. In
    ``histories`` is what other drops did with these orders.
    """
    accepted: dict[str, int] = {}
    unknown: dict[str, int] = {}
    being_settled: set[tuple[str, int]] = set()
    for found in histories:
        bits = 1 << found.status
        if found.outcome is Outcome.ACCEPTED:
            accepted[found.order_id] = accepted.get(found.order_id, 0) | bits
        elif found.outcome in _WAITING and not found.waits and not found.dispatched:
            unknown[found.order_id] = unknown.get(found.order_id, 0) | bits
            if found.open:
                being_settled.add((found.order_id, found.status))
    behind = {}
    for order_id, milestone in pending:
        of_order = unknown.get(order_id, 0), accepted.get(order_id, 0)
        if step := earlier_in_doubt(milestone, *of_order):
            behind[order_id, milestone] = step, (order_id, step) in being_settled
    return behind
