"""A batch of files that is killed before each touch of the file system in turn.

``python -m tests.fakes.killed_between STEP FOLDER [EVERY]``: for each moment (or only every sixth,
say) a copy of a root on which all but STEP is done; a process that does STEP and gets a SIGKILL at
that moment; and another that takes up what it finds, as a service does at its start. Nothing is
replaced: real folders, ledger, spools. Prints how many moments there were, or what was wrong.
"""

import os
import pickle
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path

import orjson
from msgspec.structs import replace

from pipeline.core.chunks import ChunkResult, ChunkState
from pipeline.core.errors import LedgerLost
from pipeline.core.model import Drop, DropState
from pipeline.core.shipment import Closed, DeliveryResult, Ready
from pipeline.inbox.scan import Inbox
from pipeline.reporting import close_drop  # noqa: F401 - the same
from pipeline.service import drop_steps as _steps  # noqa: F401 - as above
from pipeline.service import planner  # noqa: F401 - else each fork would load them
from pipeline.service.changed_files import ChangedFiles
from pipeline.service.retention import RetentionFiles, reported_in
from pipeline.service.settings import load
from pipeline.service.wiring import Site
from pipeline.storage import arrow_files  # noqa: F401 - the same
from pipeline.storage.ledger import backup as ledger_backup
from schemas.vocabulary import Outcome

NAMES = ("a.csv", "b.csv", "c.csv")
ROWS = 3
MORE = "A20000,Delivered\n"
_TOUCHES = {
    *("os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.link", "os.truncate", "open"),
    "sqlite3.connect",
}


def site_at(root: Path) -> Site:
    site = Site(root, load(root))
    site.folders.prepare()
    return site


def orders_of(name: str) -> list[str]:
    return [f"{name[0].upper()}1000{row}" for row in range(ROWS)]


def claim(site: Site) -> None:
    claimed = site.claimer.claim(site.inbox.scan().ready)
    assert not claimed.refused
    assert claimed.trouble is None


def plan(site: Site) -> None:
    waiting = [drop for drop in site.ledger.unfinished() if drop.state is DropState.CLAIMED]
    facts = pickle.loads((site.root / "facts").read_bytes())
    read = [facts[drop.source_file] for drop in waiting]
    steps = site.planner.plan_read(waiting, read)
    assert all(isinstance(step, Ready) for step in steps), steps


def close(site: Site) -> None:
    through = [
        (drop, DeliveryResult(drop_seq=drop.seq, complete=True, cancelled=False))
        for drop in site.ledger.unfinished()
    ]
    closed = site.drop_steps.finish(through)
    assert all(isinstance(one, Closed) for one in closed), closed


def accept_all(site: Site) -> None:
    for drop in site.ledger.unfinished():
        chunks = [
            replace(chunk, state=ChunkState.DONE, outcome=Outcome.ACCEPTED, attempts=1)
            for chunk in site.ledger.chunks(drop.seq)
        ]
        site.ledger.exchange([ChunkResult(chunk=chunk) for chunk in chunks], [], at="")


def read(site: Site) -> None:
    drops = site.ledger.unfinished()
    facts = site.files.read(drops)
    told = {drop.source_file: one for drop, one in zip(drops, facts, strict=True)}
    (site.root / "facts").write_bytes(pickle.dumps(told))
    site.close()


def take_up(site: Site) -> list[Drop]:
    """Take up unfinished drops, as a service does at its start."""
    for drop_id in site.folders.leftovers():
        found = site.ledger.find(drop_id)
        if found is not None and found.state.closed:
            site.closer.put_away(found)
    return [left for drop in site.ledger.unfinished() if (left := site.claimer.recover(drop))]


def claimed_all(site: Site) -> None:
    take_up(site)
    if ready := site.inbox.scan().ready:
        site.claimer.claim(ready)
    drops = site.ledger.unfinished()
    assert sorted(drop.source_file for drop in drops) == list(NAMES)
    assert sorted(site.folders.leftovers()) == sorted(drop.drop_id for drop in drops)
    assert list(site.inbox_path.iterdir()) == []
    for drop in drops:
        assert drop.state is DropState.CLAIMED
        path = site.folders.claimed_path(drop.drop_id, drop.source_file)
        assert path is not None
        assert site.folders.digest(path).sha256 == drop.sha256
        assert len(list(site.outbox_path.glob(f"*__{drop.drop_id}.received.json"))) == 1
    assert len(list(site.outbox_path.iterdir())) == len(NAMES)


def planned_all(site: Site) -> None:
    take_up(site)
    if any(drop.state is DropState.CLAIMED for drop in site.ledger.unfinished()):
        plan(site)
    for drop in site.ledger.unfinished():
        assert drop.state is DropState.OPEN
        (chunk,) = site.ledger.chunks(drop.seq)
        with site.spools.of(drop).body_reader() as body:
            sent = orjson.loads(body(chunk.offset, chunk.length))
        assert [item["orderId"] for item in sent] == orders_of(drop.source_file)
        for order in orders_of(drop.source_file):
            (seen,) = site.ledger.overview.sightings(order)
            assert seen.drop.drop_id == drop.drop_id
    assert len(site.ledger.unfinished()) == len(NAMES)


def closed_all(site: Site) -> None:
    take_up(site)
    close(site)
    assert site.ledger.unfinished() == []
    assert site.folders.leftovers() == []
    assert sorted(path.name for path in site.root.glob("archive/*/*/*/*/*")) == list(NAMES)
    for name in NAMES:
        (results,) = site.outbox_path.glob(f"{name[0]}__*.results.csv")
        (summary,) = site.outbox_path.glob(f"{name[0]}__*.summary.json")
        assert orjson.loads(summary.read_bytes())["rows"]["accepted"] == ROWS
        lines = results.read_text("utf-8-sig").splitlines()[1:]
        assert [line.split(",")[2] for line in lines] == orders_of(name)
    assert not [path for path in site.outbox_path.iterdir() if path.name.startswith(".")]
    assert sorted(p.name for p in site.spools.folder.glob("*/*")) == ["bodies.json"] * len(NAMES)


def late_writes(site: Site) -> ChangedFiles:
    return ChangedFiles(site)


def write_late(site: Site) -> None:
    """One file grows after it was put away, one becomes another, one is only watched."""
    for path in site.root.glob("archive/*/*/*/*/*"):
        site.changed_file_notes.watch(path.parent.name)
        if path.name == "a.csv":
            path.write_text(path.read_text() + MORE)
        elif path.name == "b.csv":
            path.write_text(path.read_text().replace("Delivered", "RTO"))


def take_back(site: Site) -> None:
    late_writes(site).look()


def taken_back(site: Site) -> None:
    take_up(site)
    take_back(site)
    closed = {drop.source_file: drop for drop in site.ledger.recent(9)}
    assert sorted(path.name for path in site.inbox_path.iterdir()) == ["a.csv", "b.csv"]
    kept = {path.name: path.read_text() for path in site.root.glob("archive/*/*/*/*/*")}
    assert sorted(kept) == ["a.csv", "c.csv"]
    assert kept["a.csv"] + MORE == (site.inbox_path / "a.csv").read_text()
    for name, drop in closed.items():
        (path,) = site.outbox_path.glob(f"*__{drop.drop_id}.summary.json")
        told = [each["code"] for each in orjson.loads(path.read_bytes())["warnings"]]
        assert told.count("FILE_CHANGED") == (name != "c.csv")
        assert drop.facts.changed is (name != "c.csv")
    assert site.inbox.scan().ready == ()  # they must not change for longer than others
    unhurried = Inbox(
        site.inbox_path,
        settle_seconds=0,
        incomplete_seconds=60,
        done_marker="",
        monotonic=site.clock.monotonic,
    )
    assert len(site.claimer.claim(unhurried.scan().ready).drops) == 2
    came = {drop.source_file: drop.continues for drop in site.ledger.unfinished()}
    assert came == {name: closed[name].drop_id for name in ("a.csv", "b.csv")}
    take_back(site)
    assert not [path for path in site.root.glob("state/late-writes/**/*") if path.is_file()]


def back_up_now(site: Site) -> None:
    ledger_backup.back_up(site.root / LEDGER, site.root / BACKUP)


def restore(site: Site) -> None:
    reports = RetentionFiles(site.root, site.folders.outbox)
    ledger_backup.restore(
        site.root / BACKUP,
        site.root / LEDGER,
        now=site.clock.now(),
        reported=reported_in(reports),
    )


def restored(site: Site) -> None:
    """Check that what a kill left is sound or said to be lost, and restore it once more."""
    with suppress(LedgerLost):
        site.check_ledger(thoroughly=True)
        assert {drop.state for drop in site.ledger.recent(9)} == {DropState.COMPLETED}
    site.close()
    restore(site)
    beside = [path.name for path in site.root.glob(f"{LEDGER}-*")]
    assert not beside, f"a log lies beside a ledger that is not its own: {beside}"
    again = site_at(site.root)
    again.check_ledger(thoroughly=True)
    assert {drop.state for drop in again.ledger.recent(9)} == {DropState.COMPLETED}
    for name in NAMES:
        for order in orders_of(name):
            (seen,) = again.ledger.overview.sightings(order)
            assert seen.chunk is not None
            assert seen.chunk.outcome is Outcome.ACCEPTED
    again.close()
    # The ledger that was there before is whole; where a start made an empty one, that is kept too.
    kept = [each for each in site.root.glob("state/ledger.db.before-*") if each.name[-1] == "Z"]
    assert len(NAMES) in {ledger_backup.inspect(path).drops for path in kept}


LEDGER, BACKUP = "state/ledger.db", "ledger.backup"

Do = Callable[[Site], None]
STEPS: dict[str, tuple[tuple[Do, ...], Do, Do]] = {
    "claim": ((), claim, claimed_all),
    "plan": ((claim, read), plan, planned_all),
    "take back": ((claim, read, plan, accept_all, close, write_late), take_back, taken_back),
    "close": ((claim, read, plan, accept_all), close, closed_all),
    "restore": ((claim, read, plan, back_up_now, accept_all, close), restore, restored),
}


def kill_before(number: int, root: Path) -> None:
    """From now on, end this process before it touches the root for this time, from 1."""
    left = number

    def touched(event: str, args: tuple[object, ...]) -> None:
        nonlocal left
        if event in _TOUCHES and str(root) in str(args[0]):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(touched)


def in_child(job: Callable[[], None]) -> int:
    """Do a job in a process of its own; returns its exit code, -n for signal n."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            job()
            code = 0
        except BaseException:  # noqa: BLE001 - told by the exit code, and here
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main(step: str, folder: Path, every: int = 1) -> int:
    before, do, check = STEPS[step]
    template = folder / "template"
    (template / "inbox").mkdir(parents=True)
    (template / "shipdrop.toml").write_text("[inbox]\nsettle_seconds = 0\n")
    for name in NAMES:
        rows = "".join(f"{order},Delivered\n" for order in orders_of(name))
        (template / "inbox" / name).write_text(f"Order ID,Status\n{rows}")
    assert in_child(lambda: [each(site_at(template)) for each in before] and None) == 0
    for moment in count(1, every):
        root = folder / "root"
        shutil.copytree(template, root)

        def killed(root: Path = root, moment: int = moment) -> None:
            site = site_at(root)
            kill_before(moment, root)
            do(site)

        ended = in_child(killed)
        if ended not in {0, -signal.SIGKILL}:
            sys.stdout.write(f"moment {moment}: ended with {ended}\n")
            return 1
        if in_child(lambda root=root: check(site_at(root))) != 0:
            sys.stdout.write(f"moment {moment}: what was left was not taken up\n")
            return 1
        shutil.rmtree(root)
        if ended == 0:
            sys.stdout.write(f"{moment - 1}\n")
            return 0
    raise AssertionError("it counts on")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), *map(int, sys.argv[3:])))
