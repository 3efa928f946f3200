"""The process that reads is started before the command line is understood, and is the one used."""

import shlex
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Ran, Root, orders, until

READER = "(shipdrop reads files)"


@dataclass(frozen=True)
class Interpreter:
    """Python, as the command and whatever it starts are run by it. Each start leaves a line."""

    path: Path
    log: Path

    @property
    def starts(self) -> list[list[str]]:
        """Per start: its process id, its parent's, and its arguments."""
        return [shlex.split(line) for line in self.log.read_text().splitlines()]

    @property
    def readers(self) -> list[str]:
        """The parents of all processes that were ever started to read."""
        return [parent for _, parent, *words in self.starts if words[-1:] == [READER]]


@pytest.fixture
def interpreter(root: Root, tmp_path_factory: pytest.TempPathFactory) -> Interpreter:
    """One that the root's commands run by. The interpreter takes itself to be where its name says,
    and what it starts as itself is started there."""
    home = tmp_path_factory.mktemp("interpreter")
    (home / "bin").mkdir()
    (home / "lib").symlink_to(Path(sys.prefix) / "lib")
    (home / "pyvenv.cfg").write_text(f"home = {Path(sys._base_executable).parent}\n")  # type: ignore[attr-defined] - typeshed has it not
    made = Interpreter(home / "bin" / "python", home / "starts")
    made.path.write_text(
        "#!/bin/bash\n"
        f'echo "$$ $PPID ${{*@Q}}" >>{shlex.quote(str(made.log))}\n'
        f'exec -a "$0" {shlex.quote(sys.executable)} "$@"\n'
    )
    made.path.chmod(made.path.stat().st_mode | stat.S_IXUSR)
    # In the place of the interpreter that the harness names.
    root.prefix = ("/bin/sh", "-c", 'shift; exec "$0" "$@"', str(made.path))
    return made


def test_the_process_started_first_is_the_one_that_reads(
    root: Root, api: SandboxHandle, interpreter: Interpreter
) -> None:
    root.drop("a.csv", orders(3, prefix="A"))
    root.drop("b.csv", orders(3, prefix="B"))
    ran = root.once()
    assert ran.code == 0, ran.err
    assert api.stats()["calls"] == 2
    (command, _, *_), *others = interpreter.starts
    assert interpreter.readers == [command]
    assert len(others) == 1, "nothing but the process that reads"


def test_it_is_there_before_the_words_are_understood(root: Root, interpreter: Interpreter) -> None:
    ran = root.run("run", "--no-such-thing")
    assert ran.code == 2
    until(lambda: interpreter.readers, what="the process that reads")
    assert len(interpreter.readers) == 1


def test_who_reads_nothing_starts_none(root: Root, interpreter: Interpreter) -> None:
    for words in (("init",), ("run", "--help"), ("drops",), ("check", "-h")):
        assert root.run(*words).code == 0
        assert not interpreter.readers, words


# -- it cannot be started ------------------------------------------------------------------------


def _no_more_files(root: Root) -> None:
    """Enough descriptors for the interpreter, and too few for the pipes to another process."""
    root.prefix = ("/bin/sh", "-c", 'ulimit -n 6; exec "$@"', "sh")


def _assert_told(ran: Ran, why: str) -> None:
    assert ran.code == 2, ran.err
    assert ran.err.startswith("shipdrop: The process that reads files could not be started: ")
    assert why in ran.err
    assert "memory" in ran.err, "what to look at"
    assert len(ran.err.splitlines()) == 1, ran.err
    assert not ran.out


def test_where_the_system_has_no_room_for_it_one_line_says_so(
    root: Root, api: SandboxHandle
) -> None:
    root.drop("a.csv", orders(3))
    _no_more_files(root)
    for words in (("run", "--once"), ("check", "inbox/a.csv")):
        _assert_told(root.run(*words), "Too many open files")
        assert root.files("inbox") == ["a.csv"]
    root.prefix = ()
    assert root.once().code == 0
    assert api.stats()["calls"] == 1


def test_where_the_interpreter_is_gone_one_line_says_so(
    root: Root, interpreter: Interpreter
) -> None:
    """As after an upgrade under a running shell."""
    text = interpreter.path.read_text()
    interpreter.path.write_text(text.replace("exec -a", 'rm "$0"\nexec -a'))
    _assert_told(root.once(), f"{interpreter.path}: No such file or directory")


def test_a_wrong_word_is_told_before_a_lack_of_processes(root: Root) -> None:
    _no_more_files(root)
    ran = root.run("run", "--no-such-thing")
    assert ran.code == 2
    assert "No such option: --no-such-thing" in ran.err
    assert "Traceback" not in ran.err
