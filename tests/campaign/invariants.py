"""Check the invariants of every campaign, seen from outside; a function each."""

from collections import Counter
from collections.abc import Callable, Iterator

from tests.acceptance.harness import OUTCOMES
from tests.campaign.evidence import OLD, RIVAL, Evidence
from tests.campaign.field import SECRETS
from tests.campaign.manifests import IGNORED, REJECTED, REMARK
from tests.fakes.published_rules import FLOW, MOST_ORDERS, TOLD_BY_INFO, Orders
from tests.fakes.treacherous import Seen

_NOT_THE_ROWS = {401, 429, 500, 503}
"""Answers after which a call is surely not done, and that say nothing of its rows."""

Broken = Iterator[str]
Invariant = Callable[[Evidence], Broken]
"""Says, in sentences, where it does not hold."""


def totals_add_up(evidence: Evidence) -> Broken:
    """Summary and results agree; the drop is through; calls are counted as the server counts."""
    for drop, lines in zip(evidence.drops, evidence.lines, strict=True):
        rows, name = drop.summary["rows"], drop.summary["source_file"]
        counted = Counter(line["outcome"] for line in lines.values())
        if rows["total"] != sum(rows[each] for each in OUTCOMES):
            yield f"{name}: {rows} does not add up"
        if {each: rows[each] for each in OUTCOMES} != {each: counted[each] for each in OUTCOMES}:
            yield f"{name}: the summary has {rows}, the results {dict(counted)}"
        if (drop.summary["state"] == "completed") != (rows["unsent"] == 0):
            yield f"{name}: {drop.summary['state']} with {rows['unsent']} unsent"
    sent = sum(drop.summary["calls"]["sent"] for drop in evidence.drops)
    if evidence.counted and sent != evidence.calls:
        yield f"the summaries have {sent} calls, the server {evidence.calls}"


def every_data_row_has_one_line(evidence: Evidence) -> Broken:
    """Check that the rows are those of the file, in its order, each once."""
    for manifest, drop in zip(evidence.week.manifests, evidence.drops, strict=True):
        lines = drop.lines()
        if [int(line["row"]) for line in lines] != [row.number for row in manifest.rows]:
            yield f"{manifest.name}: its lines are not its rows"
            continue
        for row, line in zip(manifest.rows, lines, strict=True):
            if row.order and line["order_id"] != row.order:
                yield f"{manifest.name} row {row.number}: {line['order_id']!r}, not {row.order!r}"


def rows_nothing_is_sent_for_are_told_as_they_are(evidence: Evidence) -> Broken:
    """Ignored, bad, contradictory, repeated in a later file, old news: whatever the API did."""
    for manifest, lines, judged in zip(
        evidence.week.manifests, evidence.lines, evidence.told, strict=True
    ):
        expected = {row.number: row.means for row in manifest.rows if row.means not in FLOW}
        for told in judged:
            outcome = {OLD: "duplicate", RIVAL: REJECTED}.get(told.judged)
            expected |= dict.fromkeys(told.numbers if outcome else (), outcome)
        for number, outcome in expected.items():
            # Where nobody can be asked, an unknown order keeps the rows of its chunk waiting, also
            # those of orders that are settled by now (decision 7).
            waits = "EARLIER_OPEN" in lines[number]["codes"] and not evidence.honest
            if lines[number]["outcome"] != outcome and not waits:
                yield f"{manifest.name} row {number} should be {outcome}: {lines[number]}"


def no_row_is_rejected_for_an_outage(evidence: Evidence) -> Broken:
    """Rejected: only what the files make wrong. Failed: only what no API would take."""
    lost = {order for order, _ in evidence.week.gaps} | evidence.past_telling
    for told, outcomes, codes in evidence.sent():
        if outcomes[REJECTED] or outcomes[IGNORED]:
            yield f"{told} came out as {dict(outcomes)}"
        if outcomes["failed"] and told.update[0] not in lost:
            yield f"{told} failed ({codes}), and nothing is wrong with it"


def every_sendable_update_was_taken(evidence: Evidence) -> Broken:
    """At least once, but for those that the couriers' own words make impossible."""
    for told, outcomes, codes in evidence.sent():
        waits = set(outcomes) == {"unsent"} and "EARLIER_OPEN" in codes
        impossible = told.update in evidence.week.gaps or told.update[0] in evidence.past_telling
        impossible &= not outcomes["accepted"]
        if not evidence.taken.get(told.update) and not waits and not impossible:
            yield f"{told} was not taken: {dict(outcomes)} {codes}"
    if evidence.fills_pickups:
        yield from _pickups_not_filled_in(evidence)


def _pickups_not_filled_in(evidence: Evidence) -> Broken:
    for order, status in evidence.added:
        if not evidence.taken.get((order, status)):
            yield f"the pickup of {order} is told nowhere and was not added"


def accepted_rows_were_taken(evidence: Evidence) -> Broken:
    """And of the rows that share an update, one is accepted and the others are its duplicates."""
    for told, outcomes, codes in evidence.sent():
        if outcomes["accepted"]:
            if not evidence.taken.get(told.update):
                yield f"{told} is called accepted, and the server never took it"
            shared = {"accepted": 1, "duplicate": len(told.numbers) - 1}
            if outcomes != Counter({k: n for k, n in shared.items() if n}):
                yield f"{told}: {dict(outcomes)}"
        elif set(outcomes) == {"duplicate"} and any("ALREADY_THERE" in each for each in codes):
            # Its own call, whose answer was lost, did it: a refusal of the repeat says so.
            if not evidence.taken.get(told.update):
                yield f"{told} is called there already, and the server never took it"
        elif len(outcomes) != 1 or not outcomes.keys() & {"failed", "unknown", "unsent"}:
            yield f"{told}: {dict(outcomes)} {codes}"


def doubt_has_its_reason(evidence: Evidence) -> Broken:
    """``unknown`` only where an answer was lost; ``unsent`` only behind what is unknown."""
    doubted = {
        update
        for call in evidence.seen
        if not evidence.surely_heard(call)
        for update in call.updates
    }
    if not evidence.counted:
        # A call may have been lost before it was read; sent again it was refused with good reason.
        doubted |= evidence.week.gaps
    unknown = {t.update[0] for t, outcomes, _ in evidence.sent() if outcomes["unknown"]}
    for told, outcomes, codes in evidence.sent():
        if outcomes["unknown"] and told.update not in doubted:
            yield f"{told} is unknown ({codes}), and every answer about it was given"
        # Where nobody can be asked, what is unknown keeps its drop open, and files behind it wait.
        behind = told.update[0] in unknown or (bool(unknown) and not evidence.honest)
        open_before = behind and "EARLIER_OPEN" in codes
        if outcomes["unsent"] and not open_before:
            yield f"{told} was never sent ({codes})"


def taken_more_than_once_only_where_an_answer_was_lost(evidence: Evidence) -> Broken:
    """Never again what was answered; and never what the server, asked, would have told."""
    for update, call, verdict, again in evidence.sent_again():
        if verdict != "legal":
            continue  # a refused repeat tells nothing: the row is unknown, a later file asks anew
        if evidence.surely_heard(call) and update[0] not in evidence.past_telling:
            yield f"{update} was sent again after call {call.number} was answered"
        told = evidence.honest and update[1] in TOLD_BY_INFO
        if told and evidence.had_been_told(update[0], call, again):
            calls = f"calls {call.number} and {again.number}"
            yield f"{update} was sent again ({calls}), where asking would have told"
    for update, times in evidence.taken.items():
        if times > 1 and evidence.honest:
            yield f"{update} was taken {times} times"


def after_a_crash_not_yet_is_believed_only_after_a_full_timeout(evidence: Evidence) -> Broken:
    """Until then the call that was out when we died may still be running over there."""
    for killed in evidence.killed:
        cut_off: dict[tuple[str, str], float] = {}
        for call in (each for each in evidence.seen if not each.landing):
            over = call.arrived + evidence.timeout
            out = call.arrived < killed < (call.ended or over)
            if out or (not call.told and call.arrived < killed < over):
                cut_off |= dict.fromkeys(call.updates, over)
            elif call.arrived > killed:
                for update in call.updates:
                    if call.arrived < cut_off.get(update, 0.0):
                        yield f"{update} was sent again in call {call.number}, too soon"


def what_is_told_to_come_later_comes_whole(evidence: Evidence) -> Broken:
    """Not now, who are you, or our own fault: that says nothing of rows, and no call is halved."""
    waiting: dict[str, Seen] = {}
    arrivals = (call for call in evidence.seen if not call.landing)
    for call in sorted(arrivals, key=lambda each: each.arrived):
        before = [waiting.pop(order) for order, _ in call.updates if order in waiting]
        for earlier in {each.number: each for each in before}.values():
            if not set(earlier.updates) <= set(call.updates):
                sizes = f"{len(earlier.updates)} orders, answered {earlier.status}"
                yield f"call {earlier.number} ({sizes}) went on as call {call.number}, a part of it"
        if call.told and call.status in _NOT_THE_ROWS:
            waiting |= dict.fromkeys((order for order, _ in call.updates), call)


def what_asking_tells_is_not_left_unknown(evidence: Evidence) -> Broken:
    """Unknown is the last resort: only where the API, asked, has no word for it."""
    for told, outcomes, codes in evidence.sent():
        could_tell = evidence.honest and told.update[1] in TOLD_BY_INFO
        if outcomes["unknown"] and could_tell and told.update not in evidence.week.gaps:
            yield f"{told} was left unknown ({codes})"


def no_illegal_move_because_of_us(evidence: Evidence) -> Broken:
    """Neither carried out nor only attempted, whatever the server said to the call."""
    orders = Orders()
    for call in evidence.seen:
        for update in call.updates:
            verdict = orders.apply(*update) if call.verdicts else orders.judge(*update)
            if call.landing:
                continue  # judged where it came
            ours = update not in evidence.week.gaps and update[0] not in evidence.past_telling
            if verdict == "illegal" and ours:
                yield f"{update} in call {call.number}: its order stood at {orders.at[update[0]]}"


def an_order_travels_alone(evidence: Evidence) -> Broken:
    """Never two updates of one order in one call, nor in flight together; 20 a call at most."""
    busy: dict[str, tuple[int, float]] = {}
    arrivals = (call for call in evidence.seen if not call.landing)
    for call in sorted(arrivals, key=lambda each: each.arrived):
        orders = [order for order, _ in call.updates]
        if len(set(orders)) < len(orders) or not 1 <= len(orders) <= MOST_ORDERS:
            yield f"call {call.number} has {Counter(orders).most_common(2)} of {len(orders)}"
        for order in orders:
            before, until = busy.get(order, (0, 0.0))
            if call.arrived < until:
                yield f"calls {before} and {call.number} had order {order} in flight together"
            busy[order] = (call.number, evidence.ended(call))


def nothing_is_sent_that_no_file_tells(evidence: Evidence) -> Broken:
    """Every update at the server is that of a sendable row, or a pickup that we were to add."""
    told = {told.update for told, _, _ in evidence.sent()} | evidence.added
    for call in evidence.seen:
        for update in call.updates:
            if update not in told:
                yield f"{update} in call {call.number} is told by no row that was to be sent"


def no_secret_and_no_remark_in_any_log(evidence: Evidence) -> Broken:
    """Neither tokens nor passwords in logs and outbox; remarks are personal: not in logs."""
    for number, text in enumerate((*evidence.logs, *evidence.outbox)):
        for secret in SECRETS:
            if secret in text:
                yield f"{secret} stands in text {number}: …{text[text.index(secret) - 80 :][:160]}…"
    for number, text in enumerate(evidence.logs):
        if REMARK in text:
            yield f"run {number} logged a remark"


INVARIANTS: tuple[Invariant, ...] = (
    totals_add_up,
    every_data_row_has_one_line,
    rows_nothing_is_sent_for_are_told_as_they_are,
    no_row_is_rejected_for_an_outage,
    every_sendable_update_was_taken,
    accepted_rows_were_taken,
    doubt_has_its_reason,
    taken_more_than_once_only_where_an_answer_was_lost,
    after_a_crash_not_yet_is_believed_only_after_a_full_timeout,
    what_is_told_to_come_later_comes_whole,
    what_asking_tells_is_not_left_unknown,
    no_illegal_move_because_of_us,
    an_order_travels_alone,
    nothing_is_sent_that_no_file_tells,
    no_secret_and_no_remark_in_any_log,
)


def broken(evidence: Evidence) -> list[str]:
    """All that does not hold, by invariant; a few sentences of each.

    Where lines are missing, only that: the others look rows up in them.
    """
    lacking = list(every_data_row_has_one_line(evidence))
    asked = (every_data_row_has_one_line,) if lacking else INVARIANTS
    return [
        f"{invariant.__name__}: {sentence}"
        for invariant in asked
        for sentence in list(invariant(evidence))[:4]
    ]
