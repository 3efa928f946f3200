"""The command as a user runs it: a process over real folders and a real local API.

Nothing of the pipeline is imported but its sandbox, which runs in a thread of the test. The command
is forked from a process that has imported it (``tests/forked.py``), or started in full.
"""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, ClassVar, Self

from tests.forked import ENVIRONMENT, Forked, forked, may_be_forked

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 40.0
"""Seconds until a condition that should come true in a moment counts as never, on a machine that
nobody else uses; a command may take twice as long."""

_USUAL_LOAD = 4 * (os.cpu_count() or 1)

OUTCOMES = ("accepted", "duplicate", "ignored", "rejected", "failed", "unknown", "unsent")


def is_over(began: float, seconds: float) -> bool:
    """Whether so many seconds are over since then, and more where others use the machine, too."""
    others = max(1.0, os.getloadavg()[0] / _USUAL_LOAD)
    return time.monotonic() > began + seconds * others


def _end_of(process: subprocess.Popen[bytes] | Forked, seconds: float) -> int:
    """Wait for the end of a process; return its exit code. Raises TimeoutExpired."""
    began = time.monotonic()
    while True:
        try:
            return process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            if is_over(began, seconds):
                raise


def until(
    condition: Callable[[], Any], *, what: str, seconds: float = PATIENCE, rest: float = 0.002
) -> Any:
    """Wait for a condition; return what it returned.

    Looking takes a sixth of the time at most, whoever does it, and less where it takes long to
    come: what is waited for needs the processor more. ``rest``: seconds between two looks at least.
    """
    began = looked = time.monotonic()
    while not (found := condition()):
        now = time.monotonic()
        if is_over(began, seconds):
            raise AssertionError(f"never came: {what}")
        pause = max(rest, 5 * (now - looked), min(0.02, (now - began) / 40))
        time.sleep(min(0.5, pause))  # only between two looks at the condition
        looked = time.monotonic()
    return found


def sheet(rows: Iterable[Sequence[str]], header: Sequence[str] = ("Order ID", "Status")) -> str:
    """A CSV manifest."""
    return "".join(",".join(row) + "\n" for row in (header, *rows))


def orders(count: int, *, prefix: str = "ORD", status: str = "Delivered") -> str:
    """A CSV manifest of so many different orders."""
    return sheet([f"{prefix}{number:06}", status] for number in range(count))


def below(place: Path) -> list[Path]:
    """All files below a folder; folders may go meanwhile, which ``rglob`` does not forgive."""
    return [Path(above, name) for above, _, names in os.walk(place) for name in names]


@dataclass(frozen=True)
class Ran:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """All of stdout as one JSON value."""
        return json.loads(self.out)

    @property
    def logs(self) -> list[dict[str, Any]]:
        """The JSON lines of stderr."""
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]


@dataclass
class Running:
    """A command that was started and goes on."""

    process: subprocess.Popen[bytes] | Forked
    out_path: Path
    err_path: Path

    ended: ClassVar[int] = 0
    """How many were ended, or killed: who asks one of them at that moment asks in vain."""

    def send(self, number: int) -> None:
        Running.ended += number in {signal.SIGTERM, signal.SIGINT, signal.SIGKILL}
        self.process.send_signal(number)

    def wait(self, seconds: float = PATIENCE) -> Ran:
        code = _end_of(self.process, seconds)
        return Ran(code, self.out_path.read_text("utf-8"), self.err_path.read_text("utf-8"))

    def end(self, number: int = signal.SIGTERM) -> Ran:
        """Signal it and wait."""
        if self.process.poll() is None:
            self.send(number)
        return self.wait()

    def kill(self) -> None:
        """As the kernel's OOM killer or a power cut would."""
        self.send(signal.SIGKILL)
        _end_of(self.process, PATIENCE)


@dataclass(frozen=True)
class Delivered:
    """The files in the outbox for one drop."""

    place: Path
    summary: Mapping[str, Any]

    @classmethod
    def read(cls, summary: Path) -> Self:
        """Return the drop of this summary."""
        return cls(summary.parent, json.loads(summary.read_bytes()))

    @property
    def id(self) -> str:
        return str(self.summary["drop_id"])

    @property
    def counts(self) -> dict[str, int]:
        """The outcomes that occur."""
        return {k: v for k, v in self.summary["rows"].items() if v and k != "total"}

    def path(self, kind: str) -> Path:
        stem = Path(self.summary["source_file"]).stem
        return self.place / f"{stem}__{self.id}.{kind}"

    def lines(self, kind: str = "results.csv") -> list[dict[str, str]]:
        with self.path(kind).open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))

    @property
    def codes(self) -> set[str]:
        return {fault["code"] for fault in (*self.summary["errors"], *self.summary["warnings"])}

    def assert_sound(self, rows: int) -> None:
        """Every row in exactly one line of results, in order, and the totals add up."""
        lines = self.lines()
        numbers = [int(line["row"]) for line in lines]
        assert numbers == sorted(set(numbers))
        assert len(lines) == rows == self.summary["rows"]["total"]
        counted = Counter(line["outcome"] for line in lines)
        assert {name: counted[name] for name in OUTCOMES} == {
            name: self.summary["rows"][name] for name in OUTCOMES
        }


@dataclass
class Root:
    """A root folder, and the command run on it. ``env`` is what configures it.

    ``prefix``: what the command is run by, such as ``nsenter …``. ``new_interpreter``: it is
    started in full, imports and all, where that is what the test is about. (One that is forked has
    more memory of its own from the beginning.)
    """

    path: Path
    env: dict[str, str] = field(default_factory=dict)
    started: list[Running] = field(default_factory=list)
    prefix: tuple[str, ...] = ()
    new_interpreter: bool = False

    @property
    def inbox(self) -> Path:
        return self.path / "inbox"

    @property
    def outbox(self) -> Path:
        return self.path / "outbox"

    def configure(self, **settings: object) -> None:
        """``api__timeout_seconds=2`` is ``SHIPDROP_API__TIMEOUT_SECONDS=2``."""
        self.env |= {f"SHIPDROP_{key.upper()}": str(value) for key, value in settings.items()}

    def drop(self, name: str, content: str | bytes, folder: str = "") -> Path:
        """Put a file into the inbox as a good writer does: whole, by a rename."""
        place = self.inbox / folder
        place.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        temporary = self.path / f".{len(list(self.path.iterdir()))}.making"
        temporary.write_bytes(data)
        return temporary.rename(place / name)

    def run(self, *arguments: object, env: Mapping[str, str] | None = None) -> Ran:
        """Run a command to its end."""
        with TemporaryFile() as out, TemporaryFile() as err:
            process = self._begin(arguments, env, out, err)
            try:
                code = _end_of(process, 2 * PATIENCE)
            finally:
                process.kill()
                process.wait()
            told = [(file.seek(0), file.read().decode())[1] for file in (out, err)]
        return Ran(code, *told)

    def once(self, **env: str) -> Ran:
        """``run --once``."""
        return self.run("run", "--once", env=env)

    def start(self, *arguments: object) -> Running:
        """Start a command; the fixture ends it if the test does not."""
        number = len(self.started)
        out, err = self.path / f".out{number}", self.path / f".err{number}"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = self._begin(arguments, None, stdout, stderr)
        running = Running(process, out, err)
        self.started.append(running)
        return running

    def delivered(self) -> list[Delivered]:
        """All drops with a summary, in the order they were claimed."""
        summaries = (path for path in below(self.outbox) if path.name.endswith(".summary.json"))
        found = sorted(summaries, key=lambda path: path.name.split("__")[-1])
        return [Delivered.read(path) for path in found]

    def of(self, stem: str) -> Delivered:
        """The only drop of files with this stem."""
        (found,) = (d for d in self.delivered() if Path(d.summary["source_file"]).stem == stem)
        return found

    def files(self, folder: str) -> list[str]:
        """All files below a folder of the root, by their paths in it."""
        place = self.path / folder
        return sorted(str(path.relative_to(place)) for path in below(place))

    def written(self) -> dict[str, tuple[int, int]]:
        """Every file that came back, with what tells that it was written anew."""
        found = {path: path.stat() for path in below(self.outbox)}
        return {path.name: (stat.st_ino, stat.st_mtime_ns) for path, stat in found.items()}

    def _begin(
        self,
        arguments: Sequence[object],
        more: Mapping[str, str] | None,
        out: IO[bytes],
        err: IO[bytes],
    ) -> subprocess.Popen[bytes] | Forked:
        words, env = [*map(str, arguments)], self.environment(more)
        if not self.new_interpreter and may_be_forked(self.prefix, env):
            files = {"out": out.fileno(), "err": err.fileno()}
            return forked(self.prefix, words, env=env, cwd=self.path, **files)
        return subprocess.Popen(
            [*self.prefix, sys.executable, "-m", "pipeline", *words],
            env=env,
            cwd=self.path,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the variables that configure a command."""
        clean = {k: v for k, v in ENVIRONMENT.items() if not k.startswith("SHIPDROP_")}
        return clean | {
            "PYTHONPATH": str(REPOSITORY),
            "SHIPDROP_ROOT": str(self.path),
            **self.env,
            **(more or {}),
        }


@contextmanager
def rooted(path: Path, url: str, token: str) -> Iterator[Root]:
    """A root that sends to a local API, and takes files at first sight."""
    root = Root(path)
    root.configure(api__base_url=url, api__token=token, inbox__settle_seconds=0)
    try:
        yield root
    finally:
        for running in root.started:
            if running.process.poll() is None:
                running.kill()
