"""Frozen bodies on a disk that fails: that drop rests and says so, and the others go on."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.crew import crew_on
from tests.acceptance.harness import Root, orders, rooted, sheet, until
from tests.fakes.scripted_api import AWAY, TAKEN, Answer, Item, refused, scripted
from tests.postgres import PrivatePostgres

PICKED, DONE = "Picked Up", "Delivered"
SOON = 60.0

#: of two waves: the first is refused by name, so that the second asks for the first one's body
TWO_STEPS = sheet([("STEP01", PICKED), ("STEP01", DONE), ("STEP02", PICKED), ("STEP02", DONE)])


def gone(bodies: Path) -> None:
    bodies.unlink()


def cut_off(bodies: Path) -> None:
    os.truncate(bodies, 10)


def input_output_error(bodies: Path) -> None:
    """Reading the process's own memory at address 0 is an EIO of the kernel's."""
    bodies.unlink()
    bodies.symlink_to("/proc/self/mem")


def first_refused_then_away() -> Callable[[list[Item]], Answer]:
    answered: list[int] = []

    def put(items: list[Item]) -> Answer:
        answered.append(1)
        return refused(items[0]["orderId"]) if len(answered) == 1 else AWAY

    return put


@pytest.fixture
def half_sent(tmp_path: Path) -> Root:
    """A root with a drop whose first wave is through: one row was refused, the second waits."""
    place = tmp_path / "root"
    (place / "inbox").mkdir(parents=True)
    with scripted(first_refused_then_away()) as api, rooted(place, api.url, "token") as root:
        root.configure(api__max_attempts=1, api__reconcile="false")
        root.drop("half.csv", TWO_STEPS)
        assert root.once().code == 5
        assert root.of("half").counts == {"accepted": 1, "failed": 2, "unsent": 1}
    return root


def states(root: Root) -> dict[str, str]:
    return {Path(d.summary["source_file"]).stem: d.summary["state"] for d in root.delivered()}


def health(root: Root) -> dict[str, Any]:
    return json.loads((root.path / "state/health.json").read_bytes())


def bodies_of(root: Root, stem: str) -> Path:
    (found,) = (root.path / "state" / "drops" / root.of(stem).id).rglob("bodies.json")
    return found


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (cut_off, "cut off"),
        (input_output_error, "Input/output error"),
        pytest.param(gone, "No such file", marks=pytest.mark.soak),
    ],
)
def test_a_drop_that_is_taken_up_without_its_bodies_rests_and_says_so(
    half_sent: Root, harm: Callable[[Path], None], told: str
) -> None:
    root = half_sent
    harm(bodies_of(root, "half"))
    with scripted() as api:
        root.configure(api__base_url=api.url)
        root.drop("sound.csv", orders(3))
        ran = root.start("run", "--once").wait(SOON)
        assert ran.code == 2, ran.err
        assert root.of("sound").counts == {"accepted": 3}
        half = root.of("half")
        assert half.counts == {"accepted": 1, "failed": 2, "unsent": 1}
        assert told in ran.err
        assert told in half.summary["open"]["reason"]
        shown = root.run("drops", "show", half.id, "--json").json
        assert told in shown["open"]["reason"]
        assert told in root.run("doctor").out
        assert told in root.run("why", "half.csv").out


def test_bodies_that_are_cut_off_while_they_are_sent_cost_nobody_else(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    with scripted() as api, rooted(tmp_path, api.url, "token") as root:
        root.configure(api__concurrency=2, inbox__scan_seconds=0.1, api__probe_seconds=0.3)
        ready = []

        def put(_items: list[Item]) -> Answer:
            if len(ready) == 0 and len(api.calls) == 3:
                ready.append(1)
                (bodies,) = root.path.glob("state/drops/*/bodies.json")
                os.truncate(bodies, 10)
            return TAKEN

        api.put = put
        service = root.start("run", "--log-format", "json")
        root.drop("large.csv", orders(20_000, prefix="L"))
        until(lambda: ready, what="call 3")
        root.drop("sound.csv", orders(3))
        until(lambda: states(root).get("sound") == "completed", what="the other file")
        until(lambda: states(root).get("large") == "open", what="the report of the one that rests")
        large = root.of("large")
        assert "cut off" in large.summary["open"]["reason"]
        assert large.summary["rows"]["unknown"] == 0, "what could not be read was not sent"
        (resting,) = until(lambda: health(root)["open"], what="the drop in health.json")
        assert resting["drop_id"] == large.id
        assert "cut off" in resting["reason"]
        assert resting["again_at"]
        service.send(signal.SIGTERM)
        ended = service.wait(SOON)
        assert ended.code == 0
        assert "Traceback" not in ended.err, "it is foreseen"
        assert len(api.updates) == len(set(api.updates))


def test_workers_that_cannot_read_a_drops_bodies_say_so_and_send_the_others(
    tmp_path: Path, postgres: PrivatePostgres
) -> None:
    refuse = first_refused_then_away()
    with (
        scripted(refuse) as api,
        crew_on(tmp_path / "crew", api.url, "token", postgres.database()) as crew,
    ):
        root = crew.root
        root.configure(api__max_attempts=1, api__reconcile="false", api__probe_seconds=0.5)
        root.drop("half.csv", TWO_STEPS)
        (worker,) = crew.start()
        until(lambda: states(root).get("half") == "open", what="the drop that waits")
        cut_off(bodies_of(root, "half"))
        api.put = lambda _items: TAKEN
        root.drop("sound.csv", orders(3))
        until(lambda: states(root).get("sound") == "completed", what="the other file")
        until(lambda: "cut off" in root.of("half").summary["open"]["reason"], what="its reason")
        assert worker.end().code == 0
