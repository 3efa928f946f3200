"""Run the real command over a bad week until it is through, however often that takes."""

import os
import random
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.acceptance.harness import Ran, Root, Running, until
from tests.campaign.evidence import Evidence
from tests.campaign.field import PASSWORD, TOKEN, USER, Field
from tests.campaign.invariants import broken
from tests.campaign.manifests import Week

_BAD_RUNS = 4
"""After so many runs the server behaves: what is still open has to get through."""

_MOST_RUNS = 9


@dataclass
class Campaign:
    """One week, one server, one root."""

    week: Week
    root: Root
    field: Field
    settings: dict[str, object] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)
    killed: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = random.Random(f"settings {self.week.seed}")
        self.settings = {
            "api__timeout_seconds": 5,
            "api__chunk_size": rng.choice((9, 20)),
            "api__concurrency": rng.choice((3, 8)),
            "inbox__settle_seconds": 0,
            **self.settings,
        }
        self.root.configure(api__base_url=self.field.url, **self.settings)
        # Given one way or the other by the settings; nothing else decides on it.
        if "api__username" not in self.settings:
            self.root.configure(api__token=TOKEN)
        for number, each in enumerate(self.week.manifests):
            path = self.root.drop(each.name, each.text, each.folder)
            os.utime(path, (1e9 + number, 1e9 + number))  # the oldest is claimed first

    def kill_in_mid_run(self, times: int) -> None:
        """kill -9 at moments that the seed chooses, each time with a new start."""
        rng = random.Random(f"kills {self.week.seed}")
        for _ in range(times):
            process = self._start(rng)
            before, more = self.field.calls(), rng.randrange(0, 40)
            until(
                lambda before=before, more=more, process=process: (
                    self.field.calls() >= before + more + 1
                    or process.process.poll() is not None
                    # A service with nothing left makes no call more.
                    or len(self.root.delivered()) == len(self.week.manifests)
                ),
                what=f"{more} calls more than {before}",
            )
            process.kill()
            self.killed.append(time.time())
            self.logs.append(process.out_path.read_text() + process.err_path.read_text())

    def kill_after(self, pauses: Iterable[float]) -> None:
        """kill -9 so many seconds after a start, each time with a new one."""
        for seconds in pauses:
            process = self.root.start("run", "-v")
            time.sleep(seconds)  # at whatever it is doing then
            process.kill()
            self.killed.append(time.time())
            self.logs.append(process.out_path.read_text() + process.err_path.read_text())

    def _start(self, rng: random.Random) -> Running:
        # A service and a single run do the same; both are killed.
        return self.root.start(*rng.choice((["run"], ["run", "--once"])), "-v")

    def until_through(self) -> None:
        """``run --once`` again and again, until it comes to nothing new."""
        before = None
        for number in range(_MOST_RUNS):
            if number == _BAD_RUNS:
                self.field.behave()
            ran = self.root.run("run", "--once", "-v")
            self.logs.append(ran.out + ran.err)
            assert ran.code in {0, 3, 5}, _told(ran)
            counts = [each.summary["rows"] for each in self.root.delivered()]
            states = {each.summary["state"] for each in self.root.delivered()}
            if len(counts) == len(self.week.manifests) and states == {"completed"}:
                return
            if counts == before and number > _BAD_RUNS:
                return
            before = counts
            self.field.revive()
        raise AssertionError(f"not through after {_MOST_RUNS} runs: {before}\n{self.logs[-1]}")

    def evidence(self) -> Evidence:
        """Return everything that can be seen from outside, now that all is over."""
        by_name = {each.summary["source_file"]: each for each in self.root.delivered()}
        missing = {each.name for each in self.week.manifests} - by_name.keys()
        assert not missing, f"never reported: {missing}\n{self.logs[-1]}"
        return Evidence(
            week=self.week,
            drops=[by_name[each.name] for each in self.week.manifests],
            seen=self.field.seen(),
            taken=self.field.taken(),
            calls=self.field.calls(),
            answered=self.field.answered(),
            honest=self.field.honest,
            timeout=float(str(self.settings["api__timeout_seconds"])),
            counted=self.field.sees_all and not self.killed,
            killed=self.killed,
            fills_pickups=self.settings.get("manifest__fill_missing_pickup") == "true",
            logs=self.logs,
            outbox=[_text(path) for path in self.root.outbox.rglob("*") if path.suffix != ".xlsx"],
        )

    def assert_all_holds(self) -> None:
        """Raise AssertionError, which tells of each invariant that does not hold."""
        found = broken(self.evidence())
        assert not found, "\n".join([*found, f"The root was {self.root.path}."])

    def counts(self) -> Counter[str]:
        """Runs, rows, kills, faults."""
        return Counter(
            runs=len(self.logs),
            rows=sum(each.summary["rows"]["total"] for each in self.root.delivered()),
            kills=len(self.killed),
            faults=sum(self.field.struck().values()),
        )


def login() -> dict[str, object]:
    """Settings with which a token is fetched."""
    return {"api__username": USER, "api__password": PASSWORD}


def _told(ran: Ran) -> str:
    return f"exit {ran.code}\n{ran.out[-2000:]}\n{ran.err[-4000:]}"


def _text(path: Path) -> str:
    return path.read_text("utf-8-sig") if path.is_file() else ""
