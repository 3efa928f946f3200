"""All that is explored for as long as there is time: each by seed, each with its counts."""

import atexit
import fcntl
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from threading import Thread
from typing import Any

from pipeline.sandbox.config import Faults, SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.crew import Crew, crew_on, name_of
from tests.acceptance.harness import Root, Running, orders, rooted, until
from tests.campaign.campaign import Campaign
from tests.campaign.field import sandbox_field
from tests.campaign.kinds import KINDS as CAMPAIGNS
from tests.campaign.manifests import a_bad_week
from tests.postgres import PrivatePostgres, missing, private_postgres
from tests.scratch import scratch
from tests.soak.mutants.through_a_service import through_a_service

REPOSITORY = Path(__file__).parents[2]
ORDERS = 500
FILES = 1_000
"""Mutated files to one seed."""
MUTANTS = 250
"""Mutants of sound manifests to one seed."""

Exploration = Callable[[int, Path], Counter[str]]
"""Seed, an empty folder → counts. Raises AssertionError with what does not hold."""


def _campaign(name: str, seed: int, place: Path) -> Counter[str]:
    return CAMPAIGNS[name](seed, ORDERS, place)


def _killed_at_any_time(seed: int, place: Path) -> Counter[str]:
    """A service that is killed four times, whatever it does at that moment."""
    rng = random.Random(f"moments {seed}")
    with sandbox_field(seed, {"latency_ms": 15, "jitter_ms": 15}) as field:
        campaign = Campaign(
            week=a_bad_week(seed, orders=ORDERS),
            root=Root(place),
            field=field,
            settings={"api__timeout_seconds": 1.5},
        )
        campaign.kill_after(rng.uniform(0.02, 1.2) for _ in range(4))
        campaign.until_through()
        campaign.assert_all_holds()
        return campaign.counts()


def _killed_between(step: str, _seed: int, place: Path) -> Counter[str]:
    """Before each touch of the file system."""
    told = _python("-m", "tests.fakes.killed_between", step, place)
    return Counter(kills=int(told.split()[-1]))


def _mutated_files(seed: int, place: Path) -> Counter[str]:
    kept = place / "finding.bin"
    told = _python(
        "-m", "tests.fuzz", "--examples", FILES, "--seed", seed, "--keep", kept, kept=kept
    )
    ended = {code: int(count) for count, code in map(str.split, told.splitlines())}
    assert ended["table"] > FILES / 10, "mutations that leave nothing to read prove nothing"
    return Counter(files=sum(ended.values()))


def _other_examples(seed: int, _place: Path) -> Counter[str]:
    """The tests that hypothesis thinks up examples for."""
    chosen = ("-m", "hypothesis", f"--hypothesis-seed={seed}", "tests/unit")
    return _tests(*chosen, SHIPDROP_TEST_EXAMPLES="all")


def _started_in_full(seed: int, _place: Path) -> Counter[str]:
    """A module of acceptance tests whose commands are started, not forked."""
    modules = sorted((REPOSITORY / "tests" / "acceptance").glob("test_*.py"))
    chosen = random.Random(f"modules {seed // len(modules)}").sample(modules, len(modules))
    module = chosen[seed % len(modules)]
    with _alone(module):
        return _tests(module, TEST_STARTS="full")


def _long_tests(module: Path, _seed: int, _place: Path) -> Counter[str]:
    """The tests of a module that take too long for ``make test``, or only explore."""
    with _alone(module):
        return _tests("-m", "soak", module)


@contextmanager
def _alone(module: Path) -> Iterator[None]:
    """Let one module at a time have couriers with accounts.

    ``remove-courier`` ends all processes of an account, and these have the same numbers in each
    module's own ``/etc/passwd``.
    """
    if module.stem not in {"test_docs_word_for_word", "test_sftp"}:
        yield
        return
    with (scratch() / "shipdrop-couriers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


LONG_TESTS = sorted(
    path
    for path in (REPOSITORY / "tests").glob("*/test_*.py")
    if "mark.soak" in path.read_text("utf-8")
)


def _tests(*arguments: object, **env: str) -> Counter[str]:
    told = _python("-m", "pytest", "-q", "-n", 0, "-p", "no:cacheprovider", *arguments, **env)
    found = re.search(r"(\d+) passed", told)
    return Counter(tests=int(found[1]) if found else 0)


def _python(*arguments: object, kept: Path | None = None, **env: str) -> str:
    ran = subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=REPOSITORY,
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    bytes_of_it = f"\nits bytes: {kept.read_bytes()[:2000]!r}" if kept and kept.exists() else ""
    assert ran.returncode == 0, f"{ran.stdout[-6000:]}{ran.stderr[-4000:]}{bytes_of_it}"
    return ran.stdout


def _pausing_uploads(seed: int, place: Path) -> Counter[str]:
    """Writers that pause between rows and within, and a service that is killed meanwhile.

    Whether it may ask the kernel who has a file open, and whether a writer keeps it open, is the
    seed's. Of ten seeds one pauses for ten seconds, at default settings.
    """
    rng = random.Random(f"uploads {seed}")
    slow = seed % 10 == 0
    with running(SandboxConfig(seed=seed)) as api, rooted(place, api.url, api.token) as root:
        root.inbox.mkdir()
        root.configure(api__timeout_seconds=2, inbox__settle_seconds=2 if slow else 0.3)
        if not slow:
            root.configure(inbox__scan_seconds=0.1)
        if os.geteuid() == 0 and rng.random() < 0.5:
            root.prefix = ("setpriv", "--bounding-set=-lease", "--inh-caps=-lease")
        service = _watching(root)
        writers = [
            Thread(target=_write_in_pieces, args=(root.inbox, number, rng.random(), slow))
            for number in range(_UPLOADS)
        ]
        for each in writers:
            each.start()
        kills = 0 if slow else rng.randrange(4)
        for _ in range(kills):
            time.sleep(rng.uniform(0.2, 2.5))  # whatever it does at that moment
            service.kill()
            service = _watching(root)
        for each in writers:
            each.join()
        wanted = _UPLOADS * _ROWS_OF_EACH
        until(
            lambda: api.stats()["accepted"] == wanted and not root.files("inbox"),
            what="every row",
            seconds=180,
        )
        until(lambda: not list((place / "work").iterdir()), what="every file put away")
        assert service.end().code == 0
        stats = api.stats()
        wrong = {name: stats[name] for name in ("repeats", "duplicates", "refused", "illegal")}
        assert not any(wrong.values()), wrong
        for number in range(_UPLOADS):
            drops = [d for d in root.delivered() if d.summary["source_file"] == f"u{number}.csv"]
            assert [d.summary["continues"] for d in drops[1:]] == [d.id for d in drops[:-1]]
            drops[-1].assert_sound(_ROWS_OF_EACH)
        return Counter(files=_UPLOADS, rows=wanted, kills=kills)


_UPLOADS, _ROWS_OF_EACH = 4, 60


def _watching(root: Root) -> Running:
    """Start a service; return it when it listens."""
    service = root.start("run", "--log-format", "json")
    until(lambda: "service.watching" in service.err_path.read_text(), what="a service")
    return service


def _write_in_pieces(inbox: Path, number: int, dice: float, slow: bool) -> None:
    """Write a file in three to six pieces, cut anywhere, as another user."""
    rng = random.Random(dice)
    content = orders(_ROWS_OF_EACH, prefix=f"U{number}-").encode()
    cuts = sorted(rng.sample(range(1, len(content)), rng.randrange(2, 6)))
    anew = rng.random() < 0.5
    with (inbox / f"u{number}.csv").open("wb", buffering=0) as file:
        if os.geteuid() == 0:
            os.chown(file.fileno(), 65534, 65534)
        there = Path(f"/proc/self/fd/{file.fileno()}")
        for start, end in zip([0, *cuts], [*cuts, len(content)], strict=True):
            if start:
                time.sleep(10 if slow else rng.uniform(0, 3))
            if anew:
                with there.open("ab") as again:
                    again.write(content[start:end])
            else:
                file.write(content[start:end])


# -- workers -------------------------------------------------------------------------------------

_FILES, _ROWS = 3, 1_200
_IN_FLIGHT = 8
_LATE_SECONDS = 10.0
"""How soon after its worker woke a call leaves that it was about to make, on a busy machine."""


def _workers_in_chaos(seed: int, place: Path) -> Counter[str]:
    """Three workers; six times one is killed, frozen, or told to end, or the database restarts or
    ends all of its connections.
    """
    postgres = _postgres()
    config = SandboxConfig(seed=seed, faults=Faults(latency_ms=80, jitter_ms=80))
    with (
        running(config) as api,
        crew_on(place / "root", api.url, api.token, postgres.database()) as crew,
    ):
        # Generous: on a busy machine neither workers nor the API get a processor for seconds.
        crew.root.configure(api__timeout_seconds=10, cluster__stale_seconds=12)
        crew.start(3)
        for number in range(_FILES):
            crew.root.drop(f"f{number}.csv", orders(_ROWS, prefix=f"F{number}-"))
        counts, woken = _havoc(crew, api, postgres, random.Random(f"chaos {seed}"))
        crew.closed(_FILES, seconds=600)
        for found in crew.root.delivered():
            found.assert_sound(_ROWS)
            assert found.counts == {"accepted": _ROWS}, found.summary
        stats = api.stats()
        late = _late_calls(api, woken)
        assert len(late) <= counts["freezes"] * _IN_FLIGHT, late
        assert stats["repeats"] == stats["refused"] == sum(len(c["updates"]) for c in late), stats
        assert (stats["duplicates"], stats["illegal"]) == (0, 0), stats
        assert stats["accepted"] == _FILES * _ROWS
        counts["late calls"] = len(late)
        until(lambda: not crew.root.files("work"), what="every file put away")
        assert crew.root.files("inbox") == []
        return counts + Counter(rows=_FILES * _ROWS)


def _havoc(
    crew: Crew, api: SandboxHandle, postgres: PrivatePostgres, rng: random.Random
) -> tuple[Counter[str], float | None]:
    """Return what was done, and when frozen workers were woken, seconds since the epoch."""
    counts: Counter[str] = Counter()
    frozen: list[Running] = []
    calls = _FILES * _ROWS // 20
    for number in range(6):
        after = rng.randrange(number * calls // 7, (number + 1) * calls // 7)
        until(lambda after=after: api.stats()["calls"] >= after, what=f"call {after}")
        alive = [each for each in crew.root.started if each.process.poll() is None]
        victim = rng.choice([each for each in alive if each not in frozen])
        deed = rng.choice(("kills", "kills", "freezes", "ends", "restarts", "cuts"))
        counts[deed] += 1
        if deed == "restarts":
            postgres.stop()
            postgres.start()
        elif deed == "cuts":
            counts["connections"] += crew.cut()
        elif deed == "freezes":
            victim.send(signal.SIGSTOP)
            frozen.append(victim)
        else:
            victim.send(signal.SIGKILL if deed == "kills" else signal.SIGTERM)
        if deed in {"kills", "freezes", "ends"}:
            crew.start(1)
    until(lambda: {name_of(each) for each in frozen}.isdisjoint(crew.names()), what="given up")
    woken = time.time() if frozen else None
    for each in frozen:
        each.send(signal.SIGCONT)
    return counts, woken


def _late_calls(api: SandboxHandle, woken: float | None) -> list[dict[str, Any]]:
    """Return the calls that sent something once more: each of a worker that woke just then.

    A call that was about to leave when its worker froze leaves when it wakes; nothing else is sent
    twice, whatever was killed, told to end, or cut off from the database.
    """
    seen: set[tuple[str, str]] = set()
    late = []
    for call in api.calls():
        if call["method"] != "PUT":
            continue  # an order may be asked about as often as one likes
        updates = {(order, status) for order, status in call["updates"]}
        if again := updates & seen:
            assert again == updates, f"some rows of a call were sent before: {call}"
            assert woken is not None, f"sent twice, and nobody was frozen: {call}"
            assert woken <= call["at"] <= woken + _LATE_SECONDS, f"{call}, woken at {woken}"
            late.append(call)
        seen |= updates
    return late


@cache
def _postgres() -> PrivatePostgres:
    """One for all of this process, and as long as it."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(private_postgres())


KINDS: Mapping[str, Exploration] = {
    **{f"campaign: {name}": partial(_campaign, name) for name in CAMPAIGNS},
    "killed at any time": _killed_at_any_time,
    "uploads that pause": _pausing_uploads,
    "mutated files": _mutated_files,
    "mutants through a service": partial(through_a_service, mutants=MUTANTS),
    "other examples": _other_examples,
    **({} if missing() else {"workers in chaos": _workers_in_chaos}),
    "started in full": _started_in_full,
    **{
        f"killed between two steps: {step}": partial(_killed_between, step)
        for step in ("claim", "plan", "close", "take back", "restore")
    },
    **{
        f"long tests: {path.stem.removeprefix('test_')}": partial(_long_tests, path)
        for path in LONG_TESTS
    },
}
ONCE = {name for name in KINDS if name.startswith(("killed between", "long tests"))}
"""Come to the same whatever the seed."""
SECONDS: Mapping[str, float] = {
    "other examples": 240,
    "started in full": 180,
    "long tests: docs_word_for_word": 240,
    "long tests: web_machines": 90,
    "long tests: web_pages": 90,
    "workers in chaos": 60,
}
"""How long one may take beside others; those not named: ``USUAL``."""
USUAL = 30.0


def explore(kind: str, seed: int, place: Path) -> tuple[Counter[str], float]:
    """Run one, in this process. Returns its counts, and how long it took."""
    began = time.monotonic()
    return KINDS[kind](seed, place), time.monotonic() - began
