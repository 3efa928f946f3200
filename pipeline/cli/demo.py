"""The whole thing in a throw-away root: sample files, the sandbox, one real run, and a comparison.

The samples are in ``sample_drops/``; its README's table is the
expectation. Settings of the environment are passed over, so that nothing leaves the root.
"""

import os
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any

from msgspec import Struct
from pydantic import SecretStr
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.core.errors import ShipdropError, UsageError
from pipeline.core.model import DropState
from pipeline.core.shipment import Closed
from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import running
from pipeline.service.loop import Service
from pipeline.service.run_outcome import RunOutcome
from pipeline.service.settings import (
    ApiSettings,
    InboxSettings,
    LedgerSettings,
    ManifestSettings,
    OutboxSettings,
    Settings,
)
from pipeline.service.wiring import Site

SAMPLES = "sample_drops"
README = "README.md"
COUNTS = ("total", "accepted", "duplicate", "ignored", "rejected", "failed", "unsent")
HEADINGS = ("file", "what it is", *COUNTS, "ends as")

_SHOWN_LINES = 4
_LEAST_WIDTH = 100  # below it a cell would break after every few letters
_WIDTH_OF_A_FILE = 140


class Expectation(Struct, frozen=True, kw_only=True):
    """A line of the README's table. ``path`` is relative to the samples, with ``/``."""

    path: str
    what: str
    counts: Mapping[str, int]
    ends_as: str

    @property
    def key(self) -> tuple[str, str]:
        """Return inbox sub-folder and name, as a drop has them."""
        path = PurePosixPath(self.path)
        return ("" if path.parent == PurePosixPath() else str(path.parent), path.name)


class Comparison(Struct, frozen=True, kw_only=True):
    """A sample's expectation and its outcome; ``closed`` is None while the drop is open."""

    expected: Expectation
    closed: Closed | None

    @property
    def counts(self) -> Mapping[str, int]:
        """Return rows by outcome, and their total, as they came."""
        return self.closed.summary["rows"] if self.closed else {}

    @property
    def ends_as(self) -> str:
        """Return ``completed``, ``refused CODE``, or that it is not finished."""
        if self.closed is None:
            return "not finished"
        refused = self.closed.summary["refused"]
        state = str(self.closed.drop.state.value)
        return f"{state} {refused['code']}" if refused else state

    @property
    def differences(self) -> tuple[str, ...]:
        """Return the differences in words; empty when all is as expected."""
        if self.closed is None:
            return ("it was not finished",)
        lines = [
            f"{name} {count} instead of {self.expected.counts.get(name, 0)}"
            for name, count in self.counts.items()
            if count != self.expected.counts.get(name, 0)
        ]
        if self.ends_as != self.expected.ends_as:
            lines.append(f"{self.ends_as} instead of {self.expected.ends_as}")
        return tuple(lines)


def run_demo(*, root: Path | None, out: Console) -> int:
    """Run the samples through the pipeline; print the outcome. Returns 0 if all is as expected.

    ``root``: a new or empty folder; None: a temporary one.
    Raises UsageError for a folder with something in it, and what a run raises.
    """
    samples = find_samples()
    expected = read_table((samples / README).read_text(encoding="utf-8"))
    place = _new_root(root)
    lay_out(samples, expected, place / "inbox")
    outcome, closed = run_once(place)
    compared = compare(expected, closed)
    _tell(compared, outcome, place, out)
    return 0 if not any(each.differences for each in compared) else 1


def find_samples() -> Traversable:
    """Find the samples: inside the installed package, else beside it in the repository."""
    package = resources.files("pipeline")
    beside = Path(__file__).parents[2] / SAMPLES
    for found in (package / SAMPLES, beside):
        if (found / README).is_file():
            return found
    raise ShipdropError(
        f"The samples are not installed: there is no folder {SAMPLES}.",
        hint="Install Shipdrop from its wheel, or run it in a copy of its repository.",
    )


def read_table(text: str) -> tuple[Expectation, ...]:
    """Read the README's table, in its order. Raises ValueError where it is not one."""
    lines = iter(text.splitlines())
    if not any(_cells(line) == list(HEADINGS) for line in lines):
        raise ValueError(f"no table with the columns {', '.join(HEADINGS)}")
    next(lines, None)  # the rule below the headings
    rows = takewhile(lambda line: line.startswith("|"), lines)
    found = tuple(_expectation(_cells(line)) for line in rows)
    if not found:
        raise ValueError("the table has no rows")
    return found


def lay_out(samples: Traversable, expected: Sequence[Expectation], inbox: Path) -> None:
    """Copy the samples into the inbox, each younger than the one before: so they are claimed."""
    began = time.time() - len(expected)
    for number, each in enumerate(expected):
        folder, name = each.key
        target = inbox / folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(samples.joinpath(*PurePosixPath(each.path).parts).read_bytes())
        os.utime(target, (began + number, began + number))


def run_once(root: Path) -> tuple[RunOutcome, list[Closed]]:
    """Run the real pipeline over ``root`` until all is done, against a sandbox of its own.

    Returns the run's outcome, and the drops it closed.
    """
    closed: list[Closed] = []
    with running(SandboxConfig()) as sandbox:
        # Whole sections, not keys of them: the environment cannot add to what is given here.
        settings = Settings(
            inbox=InboxSettings(settle_seconds=0),
            outbox=OutboxSettings(),
            api=ApiSettings(base_url=sandbox.url, token=SecretStr(sandbox.token)),
            manifest=ManifestSettings(),
            ledger=LedgerSettings(),
        )
        return Service(Site(root, settings), closed.append).run(once=True), closed


def compare(expected: Iterable[Expectation], closed: Iterable[Closed]) -> tuple[Comparison, ...]:
    """Pair every expectation with the drop of its file."""
    by_file = {(each.drop.folder, each.drop.source_file): each for each in closed}
    return tuple(Comparison(expected=each, closed=by_file.get(each.key)) for each in expected)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _expectation(cells: Sequence[str]) -> Expectation:
    path, what, *numbers, ends_as = cells
    counts = dict(zip(COUNTS, map(int, numbers), strict=True))
    return Expectation(path=path.strip("`"), what=what, counts=counts, ends_as=ends_as)


def _new_root(root: Path | None) -> Path:
    if root is None:
        return Path(tempfile.mkdtemp(prefix="shipdrop-demo-")).resolve()
    try:
        root.mkdir(parents=True, exist_ok=True)
        used = any(root.iterdir())
    except OSError as error:
        raise UsageError(f"{root} cannot be used for the demo: {error.strerror}.") from error
    if used:
        raise UsageError(
            f"{root} is not empty, and the demo only works in a folder of its own.",
            hint="Name a folder that does not exist yet, or none.",
        )
    return root.resolve()


def _tell(compared: Sequence[Comparison], outcome: RunOutcome, root: Path, out: Console) -> None:
    _print_table(_table(compared), out)
    for each in compared:
        if each.differences:
            _say(out, f"{each.expected.path} differs: {'; '.join(each.differences)}.")
    for line in _excerpts(compared, root):
        _say(out, line)
    _say(out, "")
    _say(out, f"Everything is in {root}")
    _say(out, "  outbox/      results, rejects and summaries, one set per file")
    _say(out, "  archive/     the files that were processed")
    _say(out, "  quarantine/  the files that were refused")
    code = outcome.exit
    _say(out, f"`shipdrop run --once` would return {int(code)} here: {outcome.why}.")
    wrong = sum(bool(each.differences) for each in compared)
    last = f"{wrong} of them did not come out" if wrong else "every one came out"
    _say(out, f"{len(compared)} samples; {last} as {SAMPLES}/{README} says.")


def _print_table(table: Table, out: Console) -> None:
    """Print it as wide as the window; as wide as it needs where there is none."""
    before = out.width
    out.width = max(before, _LEAST_WIDTH) if out.is_terminal else _WIDTH_OF_A_FILE
    try:
        out.print(table, crop=False)
    finally:
        out.width = before


def _table(compared: Sequence[Comparison]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("file", overflow="fold", min_width=24)
    for name in COUNTS[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("ends as", overflow="fold", min_width=10)
    table.add_column("ok", no_wrap=True)
    for each in compared:
        fine = not each.differences
        table.add_row(
            Text(each.expected.path),
            *(str(each.counts.get(name, "-")) for name in COUNTS[1:]),
            Text(each.ends_as),
            Text("yes", style="green") if fine else Text("NO", style="bold red"),
        )
    return table


def _excerpts(compared: Sequence[Comparison], root: Path) -> Iterator[str]:
    """Yield the first lines of the results and rejects of the drop with the most to correct."""
    completed = [
        each.closed
        for each in compared
        if each.closed and each.closed.drop.state is DropState.COMPLETED
    ]
    if not completed:
        return
    shown = max(completed, key=_faults)
    for kind in ("results", "rejects"):
        name = shown.summary["files"].get(kind)
        if name is None:
            continue
        path = root / "outbox" / shown.drop.folder / name
        yield ""
        yield f"{path.relative_to(root)}:"
        text = path.read_text(encoding="utf-8-sig")
        yield from (f"  {line}" for line in text.split("\n")[:_SHOWN_LINES])


def _faults(closed: Closed) -> int:
    rows: Mapping[str, Any] = closed.summary["rows"]
    return int(rows["rejected"]) + int(rows["failed"])


def _say(out: Console, line: str) -> None:
    """Print a line as it is: no markup, no colours of its own, no wrapping."""
    out.print(Text(line.rstrip("\r")), soft_wrap=True, highlight=False)
