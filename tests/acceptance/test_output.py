"""stdout for data, stderr for the rest; JSON where JSON is asked for; a quick --help."""

import json
import os
import subprocess
import sys

import pytest

from tests.acceptance.harness import REPOSITORY, Root, orders

COMMANDS = [
    *("init", "run", "check", "submit", "why", "drops", "trace"),
    *("again", "retry", "cancel", "profiles", "explain", "doctor", "deploy", "sandbox", "demo"),
]
HEAVY = {"pandas", "pandera", "pyarrow", "httpx", "aiohttp", "sqlalchemy", "pydantic", "watchdog"}
STEPS = {
    "numpy",
    "pyarrow",
    "httpx",
    "pipeline.service.planner",
    "pipeline.reporting.close_drop",
    "pipeline.delivery.dispatcher",
}
NEVER = {
    "pandas.core",
    "pandera",
    "watchdog.events",
    "rapidfuzz.fuzz",
}


@pytest.fixture(scope="module")
def top() -> str:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pipeline", "--help"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & HEAVY
    return done.stdout


def test_help_lists_every_command_without_heavy_imports(top: str) -> None:
    for command in COMMANDS:
        assert f"\n  {command}" in top


@pytest.mark.parametrize("command", ["", "drops", "ledger", "cluster"])
def test_no_command_is_cut_short_where_they_are_listed(root: Root, command: str) -> None:
    ran = root.run(*command.split(), "--help", env={"COLUMNS": "80"})
    assert ran.code == 0
    assert "..." not in ran.out.partition("Commands:")[2]


@pytest.mark.parametrize("command", [*COMMANDS, "drops show"])
def test_every_command_has_help_that_fits_a_screen_line(root: Root, command: str) -> None:
    ran = root.run(*command.split(), "--help", env={"COLUMNS": "80"})
    assert ran.code == 0
    assert max(map(len, ran.out.splitlines())) <= 80
    assert "Usage:" in ran.out
    assert ran.err == ""


def test_a_run_loads_its_steps_before_a_file_and_drops_does_without_arrow(root: Root) -> None:
    """Imports are plain, and only the process that reads has pandas (decision 38)."""
    root.drop("a.csv", orders(2))
    before, claimed, after = _imports(root, "run", "--once").partition('"event": "drop.claimed"')
    assert claimed
    assert _loaded(before) >= STEPS
    assert not NEVER & (_loaded(before) | _loaded(after))
    listed = _loaded(_imports(root, "drops"))
    assert "sqlalchemy" in listed
    assert not listed & {"numpy", "pyarrow", *NEVER}


def _imports(root: Root, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pipeline", *command],
        cwd=REPOSITORY,
        env={**os.environ, **root.env, "SHIPDROP_ROOT": str(root.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr


def _loaded(times: str) -> set[str]:
    return {line.rpartition("|")[2].strip() for line in times.splitlines() if "|" in line}


def test_no_arguments_shows_the_help(root: Root, top: str) -> None:
    ran = root.run()
    assert "Usage:" in ran.out + ran.err


def test_run_as_json_gives_an_object_per_file_and_nothing_else_on_stdout(root: Root) -> None:
    root.drop("a.csv", orders(2))
    root.drop("b.csv", orders(2, prefix="B") + "X,Wat\n")
    ran = root.run("run", "--once", "--json", "-v", "--log-format", "json")
    summaries = [json.loads(line) for line in ran.out.splitlines()]
    assert {s["source_file"]: s["rows"]["accepted"] for s in summaries} == {"a.csv": 2, "b.csv": 2}
    # On a busy machine b.csv may end first.
    assert {s["source_file"]: s for s in summaries}["a.csv"] == root.of("a").summary
    # Its logs are one object per line, with a stable event; then it says why it ends as it does.
    *logs, last = ran.err.splitlines()
    assert last.startswith("shipdrop: exit code 3")
    lines = [json.loads(line) for line in logs]
    assert {"drop.claimed", "drop.planned", "drop.closed"} <= {line["event"] for line in lines}
    assert all({"event", "level", "timestamp"} <= set(line) for line in lines)


def test_console_logs_have_no_colour_where_nobody_sees_it(root: Root) -> None:
    root.drop("a.csv", orders(1))
    ran = root.run("run", "--once", "--log-format", "console", env={"NO_COLOR": "1"})
    assert "drop.closed" in ran.err
    listed = root.run("drops", env={"NO_COLOR": "1", "TERM": "xterm-256color"})
    for text in (ran.out, ran.err, listed.out):
        assert "\x1b" not in text


def test_quiet_says_only_what_is_wrong(root: Root) -> None:
    root.drop("a.csv", orders(1))
    ran = root.run("run", "--once", "-q")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
