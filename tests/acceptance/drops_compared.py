"""Two runs of the same files compared: their results without what differs from run to run."""

import csv
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import REPOSITORY, Root

_VOLATILE = ("sent_at", "drop_id", "attempts", "chunk")
_MOMENTS = re.compile(r"d20\d{6}t[0-9a-z]+|20\d\d-\d\d-\d\dT[0-9:.]+Z")


_PLANNED = re.compile(r"^Row \d+: (?=nothing sent|this contradicts)(.)")


def drop_samples(root: Root) -> int:
    """Put all sample files into the inbox, in their folders; return how many."""
    samples = REPOSITORY / "sample_drops"
    found = [p for p in sorted(samples.rglob("*")) if p.suffix in {".csv", ".xlsx"}]
    for path in found:
        folder = root.inbox / path.relative_to(samples).parent
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, folder / path.name)
    return len(found)


def results_of(root: Root) -> dict[str, list[dict[str, str]]]:
    """The results' lines by source file."""
    found: dict[str, list[dict[str, str]]] = {}
    for path in root.outbox.rglob("*.results.csv"):
        name = str(path.relative_to(root.outbox)).split("__")[0]
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = list(csv.DictReader(file))
        found[name] = [
            {k: _without_moments(v) for k, v in each.items() if k not in _VOLATILE}
            for each in lines
        ]
    return found


def _without_moments(cell: str) -> str:
    """A cell but for moments, and for whether a row's end was known when it was planned."""
    return _PLANNED.sub(lambda said: said[1].upper(), _MOMENTS.sub("*", cell))


def kinds_of(root: Root) -> Counter[str]:
    """Which files lie in the outbox, by what they are."""
    return Counter(p.name.split("__")[0] + p.name.split(".", 1)[1] for p in files_in(root.outbox))


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def updates_of(api: SandboxHandle) -> Counter[tuple[str, str]]:
    """Order and status of each update that came, whenever and with whichever others.

    Rows that wait for another file travel by themselves, and whether they have to is a race.
    """
    return Counter((order, status) for call in api.calls() for order, status in call["updates"])


def histories(api: SandboxHandle) -> dict[str, Any]:
    """Per order, the statuses it took, in their order."""
    return {
        order: [each["status"] for each in told["history"]] for order, told in api.orders().items()
    }
