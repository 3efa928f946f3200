"""Read the traces of a campaign with an oracle that never saw our code.

The oracle's rules are konnect-api.md and section B of hazards.md. It goes through the files in the
order of their claims; what counts as accepted before is what the results of earlier files say.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tests.acceptance.harness import Delivered
from tests.campaign.manifests import Manifest, Week
from tests.fakes.published_rules import BEHIND, FLOW, RIVALS, D, P, R
from tests.fakes.treacherous import Seen

Update = tuple[str, str]
_BOOKED = 2.0
"""An answer heard this long before we are killed is on disk, on however slow a machine."""

SEND, OLD, RIVAL = "to be sent", "old news", "contradicts an earlier file"


@dataclass(frozen=True)
class Told:
    """All rows of one file that report one status of one order, and what is to become of it."""

    update: Update
    numbers: tuple[int, ...]
    judged: str


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """``calls``: that the server counts; ``counted``: ours must be the same. ``answered``: order →
    when the server told where it stands.

    ``honest``: asked, the server says the truth. ``timeout``: of our calls, seconds. ``killed``:
    when. ``logs``: what each run wrote to stdout and stderr.
    """

    week: Week
    drops: Sequence[Delivered]
    seen: Sequence[Seen]
    taken: Mapping[Update, int]
    calls: int
    answered: Mapping[str, Sequence[float]]
    honest: bool
    timeout: float
    counted: bool
    killed: Sequence[float]
    fills_pickups: bool
    logs: Sequence[str]
    outbox: Sequence[str]

    @cached_property
    def lines(self) -> list[dict[int, dict[str, str]]]:
        """Per file, its results by row number."""
        return [{int(line["row"]): line for line in drop.lines()} for drop in self.drops]

    @cached_property
    def told(self) -> list[list[Told]]:
        """Per file, what it tells of orders, judged."""
        accepted: dict[str, set[str]] = defaultdict(set)
        found = []
        for manifest, lines in zip(self.week.manifests, self.lines, strict=True):
            judged = [
                Told(update, numbers, _judge(update[1], accepted[update[0]]))
                for update, numbers in _grouped(manifest).items()
            ]
            found.append(judged)
            for each in judged:
                if self.outcomes(lines, each)["accepted"]:
                    accepted[each.update[0]].add(each.update[1])
                    if self.fills_pickups and (each.update[0], P) in self.taken:
                        accepted[each.update[0]].add(P)
        return found

    @staticmethod
    def outcomes(lines: Mapping[int, Mapping[str, str]], told: Told) -> Counter[str]:
        return Counter(lines[number]["outcome"] for number in told.numbers)

    def sent(self) -> Iterator[tuple[Told, Counter[str], set[str]]]:
        """Every update to be sent, with the outcomes and codes of its rows."""
        for judged, lines in zip(self.told, self.lines, strict=True):
            for each in judged:
                if each.judged == SEND:
                    codes = {code for n in each.numbers for code in lines[n]["codes"].split(";")}
                    yield each, self.outcomes(lines, each), {c.partition(":")[0] for c in codes}

    @cached_property
    def added(self) -> set[Update]:
        """Pickups that we may add: of orders with an end and no pickup, in one file at least.

        Never of an order of which a file told that auto-dispatch has reported it.
        """
        if not self.fills_pickups:
            return set()
        autos = {order for each in self.week.manifests for order in each.autos}
        ends = {
            told.update[0]
            for judged in self.told
            for told in judged
            if told.judged == SEND and told.update[1] in {D, R}
        }
        return {(order, P) for order in ends - autos}

    def carried_out(self) -> dict[Update, list[tuple[Seen, str]]]:
        """Update → the calls that had it and were carried out, with the server's judgement."""
        found: dict[Update, list[tuple[Seen, str]]] = defaultdict(list)
        for call in self.seen:
            for update, verdict in zip(call.updates, call.verdicts, strict=False):
                found[update].append((call, verdict))
        return found

    def sent_again(self) -> Iterator[tuple[Update, Seen, str, Seen]]:
        """Update, a call that carried it out, the judgement, and a call that came after that."""
        for update, carried in self.carried_out().items():
            for at, (call, verdict) in enumerate(carried):
                done = (call.ended or 0.0) if call.landing else call.arrived
                later = (each for each, _ in carried[at + 1 :] if each.arrived > done)
                if again := next(later, None):
                    yield update, call, verdict, again

    def had_been_told(self, order: str, call: Seen, again: Seen) -> bool:
        """Whether asking before ``again`` told, or would have, that ``call`` was carried out.

        A call may land between the question and the next call: then nobody can know.
        """
        if not call.landing:
            return True
        landed = call.ended or 0.0
        return any(landed < asked < again.arrived for asked in self.answered.get(order, ()))

    def ended(self, call: Seen) -> float:
        """When nobody waited for this call any more."""
        latest = call.arrived + self.timeout
        return latest if call.ended is None else min(call.ended, latest)

    def surely_heard(self, call: Seen) -> bool:
        """The answer was whole and clear, in good time, and not just before we were killed."""
        ended = self.ended(call)
        cut_off = any(ended - self.timeout < killed < ended + _BOOKED for killed in self.killed)
        return call.told and ended - call.arrived < self.timeout / 2 and not cut_off

    @cached_property
    def past_telling(self) -> set[str]:
        """Orders of which we could neither hear nor ask how an update ended."""
        if self.honest:
            return set()
        return {told.update[0] for told, outcomes, _ in self.sent() if outcomes["unknown"]}


def _grouped(manifest: Manifest) -> dict[Update, tuple[int, ...]]:
    rows: dict[Update, tuple[int, ...]] = {}
    for row in manifest.rows:
        if row.means in FLOW:
            rows[row.order, row.means] = (*rows.get((row.order, row.means), ()), row.number)
    return rows


def _judge(status: str, accepted: set[str]) -> str:
    if status in accepted:
        return OLD
    if RIVALS.get(status, set()) & accepted:
        return RIVAL
    return OLD if BEHIND[status] & accepted else SEND
