"""Commands as processes of their own that need not import anything: forked, not started.

Starting the command costs one to two seconds of processor time, nearly all of it imports, and tests
start it a thousand times. So one process imports the product once (the stem, for all processes of a
run) and is forked for each command: what runs is the same ``__main__``, in a process with
arguments, environment, folder, pipes and process id of its own, which can be killed, stopped and
looked at like any other. The process that reads, and the page beside a run, are forked from the
command in the same way as long as it has no threads; later ones by the stem, whose children they
are.

Started in full are: whatever has a prefix that cannot be done by the forked process itself, or an
environment that an interpreter reads as it starts; a ``Root`` that says so (``new_interpreter``);
and with ``TEST_STARTS`` set, everything.
"""

import atexit
import ctypes
import gc
import json
import os
import pkgutil
import re
import select
import selectors
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn
from weakref import WeakSet

from pipeline.reading.process import child_process

REPOSITORY = Path(__file__).parents[1]
POSSIBLE = sys.platform == "linux" and not os.environ.get("TEST_STARTS")

_Popen = subprocess.Popen
_TASKS = Path("/proc/self/task")
_LONGEST = 1 << 18
_OURS = ("SHIPDROP_", "PYTEST_")
_READ_LATER = {
    *("PYTHONPATH", "COLUMNS", "NO_COLOR", "TERM"),
    *("HTTP_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "TARGET"),
}
"""Variables that differ between commands and that no interpreter or library reads as it starts."""

_PREFIX = re.compile(
    r"""(nsenter\0--target\0(?P<inside>\d+)\0--mount)?\0?"""
    r"""(setpriv\0--bounding-set=(?P<without>-[a-z_,-]+)(\0--inh-caps=(?P=without))?)?\0?"""
    r"""(sh\0-c\0umask\ (?P<umask>\d+);\ exec\ "\$@"\0sh)?"""
)
"""Prefixes that the forked process can do itself: to enter a mount namespace, to give up powers of
root, to set the umask."""

_FORKING = "the process that forks"
"""Stands in a command line for its process id."""

_POWERS = {"dac_override": 1, "dac_read_search": 2, "lease": 28}

_BESIDES = (
    "argon2", "asyncio.runners", "email.mime.text", "encodings.ascii", "encodings.idna",
    "encodings.utf_16_le", "html.parser", "numpy.ma", "orjson", "pandas", "pyarrow.compute",
    "pyarrow.csv", "pyarrow.parquet", "python_calamine", "rapidfuzz", "rich.console",
    "rich.progress", "rich.table", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite",
    "uvloop", "xlsxwriter", "multipart", "procrastinate.worker", "uvicorn.lifespan.off",
    "uvicorn.lifespan.on", "uvicorn.loops.uvloop", "uvicorn.protocols.http.h11_impl",
)  # fmt: skip
"""Loaded by the product inside of functions."""

_PACE: Mapping[str, Mapping[str, float]] = {
    "pipeline.cli.run": {"_AGAIN_SECONDS": 0.5},
    "pipeline.cluster.job_queue": {"_AGAIN_SECONDS": 0.3},
    "pipeline.cluster.scanner": {"_TROUBLE_SECONDS": 1.0},
    "pipeline.cluster.supervisor": {"_LOOK_SECONDS": 0.4, "_HEARTBEAT_SECONDS": 0.2},
    "pipeline.cluster.worker": {"_REJOIN_SECONDS": 0.3},
    "pipeline.service.health": {"_OVER_SECONDS": 3.0},
    "pipeline.service.health_file": {"_EVERY_SECONDS": 0.4},
    "pipeline.service.loop": {"_TROUBLE_SECONDS": 1.0},
    "pipeline.storage.courier_profiles": {"_LOOK_SECONDS": 0.2},
    "pipeline.storage.ledger.advisory_lock": {"_LOOK_SECONDS": 0.5},
    "pipeline.storage.root_lock": {"_LOOK_SECONDS": 0.1},
    "pipeline.web.notices": {"_LOOK_SECONDS": 0.5, "_SHORTEST_LOOK": 0.2},
    "pipeline.web.health_bar": {"_KEPT_SECONDS": 0.2},
    "pipeline.web.totals": {"_KEPT_SECONDS": 0.3},
}
"""How often a forked command looks at what changes by itself, where no setting says it: more often
than the product, for each look is waited for by a test. What is started in full keeps the pace of
the product."""

_FIRST_PAUSE = 0.1
"""Seconds after a first failed call; half a second in the product. It doubles with each."""

HASHING: Mapping[str, int] = {"time_cost": 1, "memory_cost": 8, "parallelism": 1}
"""For passwords of people; the product takes a tenth of a second and 64 MB for each on purpose."""


# -- in the test ---------------------------------------------------------------------------------


class Forked:
    """A command that was forked; like a ``Popen`` as far as tests use one."""

    def __init__(self, pid: int, told: socket.socket) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._told = told
        self._hearing = threading.Lock()
        _forked.add(self)

    def poll(self) -> int | None:
        """Its exit code if it has ended, -n for signal n."""
        return self._look(0)

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code. Raises TimeoutExpired, as ``Popen.wait`` does."""
        code = self._look(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"forked command {self.pid}", timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it ended a moment ago, as ``Popen`` has it
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _look(self, seconds: float | None) -> int | None:
        with suppress(ValueError, OSError):  # another thread has just heard of its end
            if self.returncode is None and select.select([self._told], [], [], seconds)[0]:
                self._hear()
        return self.returncode

    def _hear(self) -> None:
        with self._hearing:
            if self.returncode is None:
                said = self._told.recv(64)
                self._told.close()
                assert said, "the process that forks commands is gone"
                self.returncode = int(said)


_forked: WeakSet[Forked] = WeakSet()


class Piped(Forked):
    """A process with a pipe to it, and one from it if that is wanted."""

    def __init__(self, forked: Forked, stdin: int, stdout: int | None) -> None:
        super().__init__(forked.pid, forked._told)
        self.stdin = os.fdopen(stdin, "wb", buffering=0)
        self.stdout = None if stdout is None else os.fdopen(stdout, "rb", buffering=0)


def reader_forked(env: Mapping[str, str]) -> Piped:
    """Fork a process that reads, for a service in the test's own process.

    Stands in for ``child_process._popen``. It ends with its pipes, or with the process that forks.
    """
    boot = (
        "-P",
        "-c",
        child_process._BOOT,
        child_process._HOME,
        _FORKING,
        "(shipdrop reads files)",
    )
    return _piped([sys.executable, *boot], env, _stem(), process_group=0)


def _piped(
    command: Sequence[str],
    env: Mapping[str, str],
    stem: socket.socket,
    *,
    stdout: int | None = None,
    tied: bool = False,
    **more: Any,
) -> Piped:
    """Fork a command that hears by a pipe and, unless ``stdout`` is an open file, speaks by one."""
    theirs_in, stdin = os.pipe()
    ours_out, theirs_out = (None, os.dup(stdout)) if stdout is not None else os.pipe()
    try:
        request = {"command": [*command], "env": dict(env), "cwd": str(Path.cwd()), "more": more}
        made = _asked(request, theirs_out, 2, theirs_in, stem=stem, tied=tied)
    finally:
        os.close(theirs_in)
        os.close(theirs_out)
    return Piped(made, stdin, ours_out)


def forked_and_alive() -> list[int]:
    """Return the process ids of what was forked for this process and has not ended."""
    return [each.pid for each in _forked if each.poll() is None]


def may_be_forked(prefix: Sequence[str], env: Mapping[str, str]) -> bool:
    """Whether a command with this prefix and environment is the same when it is forked."""
    can = _PREFIX.fullmatch("\0".join(prefix)) is not None
    return POSSIBLE and can and _read_at_start(env) == _AT_START


def forked(
    prefix: Sequence[str],
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    out: int,
    err: int,
) -> Forked:
    """Fork ``python -m pipeline`` with these arguments. ``out``, ``err``: open files."""
    found = _PREFIX.fullmatch("\0".join(prefix))
    request = {
        "command": [sys.executable, "-m", "pipeline", *arguments],
        "env": dict(env),
        "cwd": str(cwd),
        "inside": found and found["inside"],
        "without": found and found["without"],
        "umask": found and found["umask"],
    }
    return _asked(request, out, err, stem=_stem())


def run_code(code: str, *arguments: object) -> int:
    """Fork ``python -c`` in the repository, with what the product imports; return its exit code."""
    with Path(os.devnull).open("wb") as nowhere:
        words = [*map(str, arguments)]
        process = code_forked(code, words, env=ENVIRONMENT, cwd=REPOSITORY, out=nowhere.fileno())
        return process.wait(120)


def code_forked(
    code: str,
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    out: int,
    err: int = 2,
) -> Forked | _Popen[bytes]:
    """Fork ``python -c``, with all that the product imports, or start it. ``out``, ``err``: open
    files."""
    words = [sys.executable, "-c", code, *arguments]
    if not may_be_forked((), env):
        return _Popen(words, env=env, cwd=cwd, stdout=out, stderr=err)
    request = {"command": words, "env": dict(env), "cwd": str(cwd)}
    return _asked(request, out, err, stem=_stem())


def _asked(
    request: Mapping[str, Any], *files: int, stem: socket.socket, tied: bool = False
) -> Forked:
    """Ask the process that forks. ``tied``: what it forks ends when nobody waits for it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        line = json.dumps({**request, "tied": tied}).encode()
        socket.send_fds(stem, [line], [theirs.fileno(), *files])
    said = ours.recv(64)
    assert said, "it could not be forked: stderr tells why"
    return Forked(int(said), ours)


@cache
def _stem() -> socket.socket:
    """The process that forks, as this one speaks to it. What it forked for us ends with us."""
    return _connected(begun())


@cache
def begun() -> str:
    """Start the process that forks, and return its address. It ends, with all it forked, with us.

    It takes seconds to import the product; whoever asks before that waits for its answer.
    """
    address = f"\0shipdrop tests {os.getpid()}"
    life, theirs = socket.socketpair()
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, listening:
        listening.bind(address)
        listening.listen(64)
        passed = [theirs.fileno(), listening.fileno()]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked", *map(str, passed)],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=passed,
            env={k: v for k, v in ENVIRONMENT.items() if not k.startswith("SHIPDROP_")},
        )

    def end() -> None:
        life.close()
        process.wait(60)  # it may still import

    atexit.register(end)
    return address


def _connected(address: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    made.connect(address)
    atexit.register(made.close)
    return made


def _read_at_start(env: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in env.items()
        if not name.startswith(_OURS) and name not in _READ_LATER
    }


os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # with it, each start would compile anew
sys.dont_write_bytecode = False
ENVIRONMENT = dict(os.environ)
"""As it was before tests imported anything: libraries set variables of their own as they load."""

WITHOUT_THREADS = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Have libraries start no thread as they are loaded, so that the process can be forked."""
os.environ.update(WITHOUT_THREADS)

_AT_START = _read_at_start(ENVIRONMENT)


# -- in the process that forks -------------------------------------------------------------------


def main() -> None:
    """Import the product, then fork a command for each request, and tell when it has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: pytest ends, and then so do we
    life, listening = (socket.socket(fileno=int(each)) for each in sys.argv[1:])
    subprocess.Popen = _Asking  # type: ignore[misc]  # replaced on purpose: readers are forked too
    _Asking.address = listening.getsockname().decode()
    _import_all()
    running: dict[int, subprocess.Popen[bytes]] = {}
    with selectors.DefaultSelector() as selector:

        def accept() -> None:
            asks, _ = listening.accept()
            hear = partial(_hear, asks, [], running, selector)
            selector.register(asks, selectors.EVENT_READ, hear)

        selector.register(life, selectors.EVENT_READ)
        selector.register(listening, selectors.EVENT_READ, accept)
        while True:
            for key, _ in selector.select():
                if key.fileobj is life:
                    for process in running.values():
                        process.kill()
                    return
                key.data()


def _hear(
    asks: socket.socket,
    begun_for_it: list[subprocess.Popen[bytes]],
    running: dict[int, subprocess.Popen[bytes]],
    selector: selectors.BaseSelector,
) -> None:
    """Do what is asked for; end what was begun for one that has ended itself."""
    line, passed, *_ = socket.recv_fds(asks, _LONGEST, 4)
    if line:
        begun_for_it += _begin(json.loads(line), passed, running, selector)
        return
    for process in begun_for_it:
        process.kill()
    selector.unregister(asks)
    asks.close()


def _begin(
    request: Mapping[str, Any],
    passed: Sequence[int],
    running: dict[int, subprocess.Popen[bytes]],
    selector: selectors.BaseSelector,
) -> list[subprocess.Popen[bytes]]:
    """Fork what is asked for; its end will be told. Return what ends with who asked for it."""
    told = socket.socket(fileno=passed[0])
    try:
        process = _begun(request, *passed[1:])
    except (OSError, subprocess.SubprocessError):  # who asked hears nothing; others go on
        traceback.print_exc()
        told.close()
        return []
    told.send(str(process.pid).encode())
    pidfd = os.pidfd_open(process.pid)
    running[pidfd] = process

    def ended() -> None:
        selector.unregister(pidfd)
        if told in selector.get_map():
            selector.unregister(told)
        os.close(pidfd)
        with suppress(BrokenPipeError):  # who asked has ended meanwhile
            told.send(str(running.pop(pidfd).wait()).encode())
        told.close()

    def left() -> None:
        if told.fileno() >= 0:  # else it has ended at the same moment
            selector.unregister(told)
            process.kill()

    selector.register(pidfd, selectors.EVENT_READ, ended)
    if not request["tied"]:
        return [process]
    selector.register(told, selectors.EVENT_READ, left)
    return []


def _import_all() -> None:
    """Import the product, and start no thread by it."""
    # As the command does it: see pipeline/__main__.py and cli/options.py.
    import pipeline
    from pipeline import __main__
    from pipeline.storage.memory import POOL

    for name, value in {**__main__._NOT_NEEDED, **WITHOUT_THREADS, POOL: "system"}.items():
        os.environ.setdefault(name, value)
    del sys.modules["pipeline.__main__"]  # it is run, not imported
    sys.modules["hypothesis"] = None  # as in pipeline/reading/process/child_main.py
    found = [each.name for each in pkgutil.walk_packages(pipeline.__path__, "pipeline.")]
    for name in (*_BESIDES, *found):
        if not name.endswith("__main__"):
            import_module(name)
    from schemas.manifest import make_ready
    from schemas.profile import builtin_profiles

    builtin_profiles()
    make_ready()
    _make_commands()
    _quicken()
    import_module("tests.warm").warmed()
    _compile_templates()
    keep_still()
    _use_large_pages()


def _make_commands() -> None:
    """Make what each command would make for itself: the command line, the tables of a ledger."""
    from sqlalchemy.dialects import postgresql, sqlite
    from typer import main as typer_main

    from pipeline.cli import app
    from pipeline.storage.ledger.migrations import tables_of_now

    vars(typer_main)["get_command"] = cache(typer_main.get_command)
    import_module("typer._click.decorators")
    todo = [typer_main.get_command(app.app)]
    while todo:
        made = todo.pop()
        todo += vars(made).get("commands", {}).values()
        for parameter in made.params:
            if adapter := getattr(parameter, "get_runtime_param", None):
                adapter()
    tables_of_now(sqlite.dialect())
    tables_of_now(postgresql.dialect())


def _compile_templates() -> None:
    """Compile what each page would compile for itself, with the same filters and settings."""
    from jinja2 import BytecodeCache, Environment
    from jinja2.bccache import Bucket

    from pipeline.service.settings import Settings
    from pipeline.service.wiring import Site
    from pipeline.web import templating
    from pipeline.web.health_bar import HealthBar

    compiled: dict[tuple[str, str], Any] = {}

    class Compiled(BytecodeCache):
        def load_bytecode(self, bucket: Bucket) -> None:
            bucket.code = compiled.get((bucket.key, bucket.checksum))

        def dump_bytecode(self, bucket: Bucket) -> None:
            compiled[bucket.key, bucket.checksum] = bucket.code

    vars(templating)["Environment"] = partial(Environment, bytecode_cache=Compiled())
    site = Site(REPOSITORY, Settings())
    made = templating.make_templates(site, HealthBar(site)).env
    for name in made.list_templates():
        made.get_template(name)
    assert compiled


def _quicken() -> None:
    """Set the pace."""
    from argon2 import PasswordHasher

    from pipeline.delivery.policy import DeliveryPolicy
    from pipeline.reading.process import reader_process
    from pipeline.service import api_access
    from pipeline.web import passwords

    for module, paces in _PACE.items():
        for name, seconds in paces.items():
            assert hasattr(sys.modules[module], name), f"{module} has no {name} any more"
            setattr(sys.modules[module], name, seconds)
    vars(api_access)["DeliveryPolicy"] = partial(DeliveryPolicy, first_pause=_FIRST_PAUSE)
    reader_process._GROWN += 64 << 20  # one that is forked has what other processes import, too
    hasher = PasswordHasher(**HASHING)
    vars(passwords).update(_HASHER=hasher, _NOBODY=hasher.hash("nobody"))


def keep_still() -> None:
    """Let the collector leave what is there alone: what it touches, each fork would copy."""
    assert single_threaded(), "a process with threads cannot be forked"
    gc.collect()
    gc.freeze()


def _use_large_pages() -> None:
    """Have the kernel keep what is in memory in pages of 2 MB: to fork costs half as much then.

    A page of 4 KB is copied as before when somebody writes to it. A kernel that cannot do it (6.1
    could first) or may not leaves all as it is.
    """
    libc, size, collapse = ctypes.CDLL(None), 2 << 20, 25  # MADV_COLLAPSE
    for line in Path("/proc/self/maps").read_text("utf-8").splitlines():
        span, access, _, _, inode, *name = line.split()
        if access == "rw-p" and inode == "0" and name in ([], ["[heap]"]):
            start, end = (int(each, 16) for each in span.split("-"))
            for place in range(-(-start // size) * size, end - size + 1, size):
                libc.madvise(ctypes.c_void_p(place), ctypes.c_size_t(size), collapse)


def _begun(request: Mapping[str, Any], *files: int) -> subprocess.Popen[bytes]:
    out, err, *asked = files
    words = [str(os.getpid()) if word == _FORKING else word for word in request["command"]]
    try:
        return _Forking(
            words,
            first=partial(_enter, *map(request.get, ("inside", "without", "umask"))),
            env=request["env"],
            cwd=request["cwd"],
            stdin=asked[0] if asked else subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            **request.get("more", {}),
        )
    finally:
        for each in files:
            os.close(each)


class _Forking(_Popen):  # type: ignore[type-arg]  # bytes or text, as asked
    """Forks instead of starting Python anew, where that comes to the same.

    What would be done before the program is loaded is done instead of loading it.
    """

    def __init__(self, args: Any, *, first: Callable[[], None] | None = None, **more: Any) -> None:
        words = [] if isinstance(args, str | bytes | os.PathLike) else [*map(str, args)]
        become = _meant(words)
        if become is not None and single_threaded() and not _has_open_database():
            env = more.get("env")
            env = dict(os.environ if env is None else env)
            more["preexec_fn"] = partial(_become, become, env, first)
        super().__init__(args, **more)


class _Asking(_Forking):
    """Where it cannot fork itself, for it has threads by now, asks the process that forked it.

    That one is the parent then of what is started, which ends when its stdin does.
    """

    address = ""

    def __new__(cls, args: Any, **more: Any) -> Any:
        words = [] if isinstance(args, str | bytes | os.PathLike) else [*map(str, args)]
        alone = not cls.address or (single_threaded() and not _has_open_database())
        if _meant(words) is None or alone:
            return super().__new__(cls)
        me, out = str(os.getpid()), more["stdout"]
        assert more["stdin"] == subprocess.PIPE, words
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stem:
            stem.connect(cls.address)
            return _piped(
                [_FORKING if word == me else word for word in words],
                more["env"],
                stem,
                stdout=None if out == subprocess.PIPE else out.fileno(),
                tied=True,
                **{
                    name: more[name]
                    for name in ("process_group", "start_new_session") & more.keys()
                },
            )


def _meant(words: list[str]) -> Callable[[], object] | None:
    """Return the act of Python for this command line; None for one that is none of ours."""
    nicer = 0
    if words[1:2] == ["-n"] and Path(words[0]).name == "nice":
        nicer, words = int(words[2]), words[3:]
    if words[:1] != [sys.executable]:
        return None
    words = [word for at, word in enumerate(words) if at != 1 or word != "-P"]
    if words[1:3] == ["-m", "pipeline"]:
        return partial(_as_module, words[3:], nicer)
    if words[1:2] == ["-c"]:
        return partial(_as_code, words[2], words[3:], nicer)
    return None


def _as_module(arguments: list[str], nicer: int) -> None:
    import runpy

    os.nice(nicer)
    sys.path[0] = str(Path.cwd())
    sys.argv = ["pipeline", *arguments]
    runpy.run_module("pipeline", run_name="__main__", alter_sys=True)


def _as_code(code: str, arguments: list[str], nicer: int) -> None:
    os.nice(nicer)
    sys.argv = ["-c", *arguments]
    exec(code, {"__name__": "__main__"})


def _enter(inside: str | None, without: str | None, umask: str | None) -> None:
    """Do what a prefix would do."""
    libc = ctypes.CDLL(None, use_errno=True)
    if inside or without or umask:
        _Asking.address = ""  # what others fork for it would be as they are
    if inside is not None:
        namespace = os.open(f"/proc/{inside}/ns/mnt", os.O_RDONLY)
        if libc.setns(namespace, 0) != 0:
            raise OSError(ctypes.get_errno(), "setns")
    if without is not None:
        _give_up(libc, [_POWERS[name.strip("-")] for name in without.split(",")])
    if umask is not None:
        os.umask(int(umask, 8))


def _give_up(libc: ctypes.CDLL, powers: Sequence[int]) -> None:
    """Have these powers no more, nor what is executed later. All are below 32."""
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this process
    held = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; and those from 32 on
    if libc.capget(header, held) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    for power in powers:
        if libc.prctl(24, power, 0, 0, 0) != 0:  # PR_CAPBSET_DROP
            raise OSError(ctypes.get_errno(), "prctl")
        for number in range(3):
            held[number] &= ~(1 << power)
    if libc.capset(header, held) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _become(
    meant: Callable[[], object], env: Mapping[str, str], first: Callable[[], None] | None
) -> NoReturn:
    """Be the new process, to its end."""
    code = 1
    try:
        if first is not None:
            first()
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.environ.clear()
        os.environ.update(env)
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            if callable(signal.getsignal(number)) or number == signal.SIGINT:
                signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as Python does at its start
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        meant()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if not isinstance(end.code, int | None):
            sys.stderr.write(f"{end.code}\n")
    except BaseException:  # noqa: BLE001 - the process ends, as Python would end it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _has_open_database() -> bool:
    """Return whether this process has a SQLite database open.

    SQLite keeps in memory which locks it has. A forked process would take them for its own and wait
    for ever: https://www.sqlite.org/howtocorrupt.html, section 2.6.
    """
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own descriptor
            if str(each.readlink()).removesuffix(" (deleted)").endswith(".db"):
                return True
    return False


def single_threaded() -> bool:
    return threading.active_count() == 1 and sum(1 for _ in _TASKS.iterdir()) == 1


if __name__ == "__main__":
    main()
