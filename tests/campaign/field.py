"""The two servers of the campaign as one: what was seen at the far end, whoever stood there."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from pipeline.sandbox.config import Faults, SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.harness import until
from tests.fakes.published_rules import Orders
from tests.fakes.treacherous import Seen, TreacherousApi, treacherous

TOKEN = "campaign-token-7f3a9c"
TIMEOUT = 1.5
"""How long our calls wait for a server that may let them, in seconds."""

USER, PASSWORD = "campaign", "campaign-password-51d0e8"
SECRETS = (TOKEN, PASSWORD, "sbx-")
"""Tokens that the sandbox issues begin with the last."""

_LOSSY = {"reset", "lose", "stall", "html", "truncate", "unclear"}

Update = tuple[str, str]


class Field(Protocol):
    """The server of a campaign. ``honest``: asked for an order, it says the truth.
    ``sees_all``: it reads whatever reaches it.
    """

    url: str
    honest: bool
    sees_all: bool

    def seen(self) -> list[Seen]:
        """All PUTs that were read whole, in the order in which they were carried out."""

    def taken(self) -> Mapping[Update, int]:
        """Return how often each update was made, as the server itself counts."""

    def calls(self) -> int:
        """Return the number of PUTs so far."""

    def answered(self) -> Mapping[str, Sequence[float]]:
        """Order → when ``shipment/info`` told where it stands, as far as that is kept."""

    def struck(self) -> Mapping[str, int]:
        """Fault → how many calls met it."""

    def behave(self) -> None:
        """No more faults from now on."""

    def revive(self) -> None:
        """A token that died is good again: what a person does between two runs."""


class SandboxField:
    """The project's own stand-in."""

    honest = True
    sees_all = True

    def __init__(self, handle: SandboxHandle) -> None:
        self._handle = handle
        self.url = handle.url

    def seen(self) -> list[Seen]:
        """The sandbox logs what came; what was carried out is told by the orders' histories."""
        made = {
            (update["call"], order, update["status"])
            for order, known in self._handle.orders().items()
            for update in known["history"]
        }
        orders, found = Orders(), []
        for call in self._handle.calls():
            if call["method"] != "PUT":
                continue
            updates = [(order, status) for order, status in call["updates"]]
            fault, number = call["fault"] or "", call["number"]
            # A call of which nothing was made was carried out all the same if it says so.
            lossy = fault in {"lose", "stall", "truncate"}
            lossy |= fault == "html" and call["status"] == 200
            done = any((number, *update) in made for update in updates)
            done |= lossy or (not fault and call["status"] == 200)
            found.append(
                Seen(
                    number=number,
                    arrived=call["at"],
                    updates=updates,
                    verdicts=tuple(orders.apply(*each) for each in updates) if done else (),
                    told=fault not in _LOSSY and call["status"] not in {502, 504},
                    status=call["status"],
                    fault=fault,
                    ended=call["ended"],
                )
            )
        return found

    def taken(self) -> Mapping[Update, int]:
        return Counter(
            (order, update["status"])
            for order, known in self._handle.orders().items()
            for update in known["history"]
        )

    def calls(self) -> int:
        return self._handle.stats()["calls"]

    def answered(self) -> Mapping[str, Sequence[float]]:
        """Needed only where a call may land late: never here."""
        return {}

    def struck(self) -> Mapping[str, int]:
        calls = self._handle.calls()
        faults = Counter(call["fault"] for call in calls if call["fault"])
        return faults + Counter(str(call["status"]) for call in calls if call["status"] == 401)

    def behave(self) -> None:
        """Only what a perfect day has."""
        plain = {name: 0 for name in self._handle.set_faults() if name.endswith("_rate")}
        self._handle.set_faults(**plain, latency_ms=0, jitter_ms=0, limit_per_second=0)

    def revive(self) -> None:
        self._handle.set_faults(revive_token=True)


class TreacherousField:
    """The server that breaks its connections."""

    sees_all = False

    def __init__(self, api: TreacherousApi, *, honest: bool) -> None:
        self._api = api
        self.url = api.url
        self.honest = honest

    def seen(self) -> list[Seen]:
        until(lambda: not self._api.under_way, what="the last of the late calls landed")
        return list(self._api.seen)

    def taken(self) -> Mapping[Update, int]:
        return Counter(self._api.taken)

    def calls(self) -> int:
        return self._api.calls

    def answered(self) -> Mapping[str, Sequence[float]]:
        return self._api.answered

    def struck(self) -> Mapping[str, int]:
        return Counter(self._api.faults)

    def behave(self) -> None:
        self._api.behave()

    def revive(self) -> None:
        """Its token never dies."""


@contextmanager
def sandbox_field(seed: int, faults: Mapping[str, Any]) -> Iterator[SandboxField]:
    config = SandboxConfig(
        seed=seed,
        token=TOKEN,
        username=USER,
        password=PASSWORD,
        call_log=1_000_000,
        keep_meta=False,
        faults=Faults(**faults),
    )
    with running(config) as handle:
        yield SandboxField(handle)


@contextmanager
def treacherous_field(
    seed: int, rates: Mapping[str, float], *, honest: bool, timeout: float = TIMEOUT
) -> Iterator[TreacherousField]:
    made = treacherous(rates, seed=seed, token=TOKEN, honest=honest, timeout=timeout)
    with made as api:
        yield TreacherousField(api, honest=honest)
