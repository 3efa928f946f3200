"""Drop mutants into a running service, many at a scan, and judge what reached its API.

``python -m tests.soak.mutants.through_a_service SEED NUMBER FOLDER`` writes one mutant again.
"""

import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

from tests.acceptance.harness import Delivered, below, rooted, until
from tests.fakes.answering_api import AnsweringApi
from tests.soak.mutants.judge import Judge, Update, by_mutation
from tests.soak.mutants.manifest import Mutant
from tests.soak.mutants.mutations import made
from tests.soak.mutants.sound import sound

AT_ONCE = 125
"""Files that a scan finds."""


def through_a_service(seed: int, place: Path, *, mutants: int) -> Counter[str]:
    """Return the counts; raise AssertionError with each kind of violation, and keep the files."""
    judge, counts = Judge(), Counter[str](mutants=mutants)
    with closing(AnsweringApi()) as api, rooted(place / "root", api.url, "t") as root:
        root.path.mkdir(exist_ok=True)
        root.inbox.mkdir()
        root.configure(inbox__scan_seconds=0.1)
        service = root.start("run")
        files: dict[str, tuple[Mutant, bytes]] = {}
        for first in range(0, mutants, AT_ONCE):
            for number in range(first, min(first + AT_ONCE, mutants)):
                mutant = made(seed, number, sound)
                data = mutant.data()
                judge.learn(mutant)
                files[mutant.name] = mutant, data
                root.drop(mutant.name, data, mutant.folder)
            until(
                lambda: len(_summaries(root.outbox)) == len(files),
                what=f"a summary of each of {len(files)} files",
                seconds=900,
            )
        assert service.process.poll() is None
        assert service.end().code == 0
        sent = {update for put in api.puts for update in put.updates}
        told: set[Update] = set()
        for drop in root.delivered():
            mutant, data = files[drop.summary["source_file"]]
            _count(counts, drop)
            if not drop.summary["refused"]:
                told |= judge.look_at_results(mutant, data, drop)
            judge.look_at_what_is_held(mutant, sent, drop)
        judge.look_at_calls(sent, told)
    counts["sent"] = len(sent)
    if judge.broken:
        kept = place / "found"
        kept.mkdir()
        for mutant, _ in judge.broken:
            if mutant is not None:
                (kept / mutant.name).write_bytes(mutant.data())
        raise AssertionError(_told(judge, counts, kept))
    return counts


def _summaries(outbox: Path) -> list[Path]:
    return [path for path in below(outbox) if path.name.endswith(".summary.json")]


def _count(counts: Counter[str], drop: Delivered) -> None:
    rows = drop.summary["rows"]
    counts["rows"] += rows["total"]
    counts["held"] += rows["rejected"]
    counts["refused"] += drop.summary["refused"] is not None


def _told(judge: Judge, counts: Counter[str], kept: Path) -> str:
    lines = [
        f"{len(judge.broken)} violations; {dict(counts)}; the files: {kept}; one of them again:"
    ]
    lines.append("    python -m tests.soak.mutants.through_a_service SEED NUMBER FOLDER")
    for done, found in by_mutation(judge.broken).items():
        lines += [f"{done}: {len(found)}", *(f"    {each}" for each in found[:3])]
    return "\n".join(lines)


if __name__ == "__main__":
    _, of_seed, of_number, folder = sys.argv
    one = made(int(of_seed), int(of_number), sound)
    (Path(folder) / one.name).write_bytes(one.data())
    sys.stdout.write(f"{one.folder or '.'}/{one.name}: {', '.join(one.done)}\n")
