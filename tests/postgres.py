"""A PostgreSQL of our own for tests: Debian's programs, a temporary folder, a Unix socket only."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

from tests.scratch import scratch

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))

_COPIED = "STRATEGY file_copy" if PROGRAMS and int(PROGRAMS[-1].parts[-3]) >= 15 else ""
"""A new database is copied as files: in the log it costs more, most at a restart after a crash."""

_GUARD = 'trap "" INT; "$@" & pid=$!; cat >/dev/null; kill -QUIT $pid 2>/dev/null; wait $pid'
"""Ends the server as soon as its standard input ends: also when the tests are killed."""


def missing() -> str:
    """Why there can be no PostgreSQL here; "" when there can."""
    return "" if PROGRAMS else "PostgreSQL's programs are missing (Debian package: postgresql)"


class PrivatePostgres:
    """A server that can be stopped and started again, with as many databases as are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._bin = PROGRAMS[-1].parent
        self._user = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        self._numbers = count(1)
        self._guard: subprocess.Popen[bytes] | None = None
        if os.getuid() == 0:  # initdb refuses root
            shutil.chown(folder, self._user)
        folder.chmod(0o755)
        self._run(
            "initdb", "--no-sync", "-A", "trust", "-U", "shipdrop", "-E", "UTF8", "-D", "data"
        )

    @property
    def pid(self) -> int:
        """The process that all of the server's are below."""
        assert self._guard is not None
        return self._guard.pid

    def start(self) -> None:
        """Start, and return when it takes connections."""
        settings = (
            "fsync=off",
            "listen_addresses=",
            f"unix_socket_directories={self.folder}",
            "max_connections=200",
            "shared_buffers=64MB",
        )
        options = [part for each in settings for part in ("-c", each)]
        server = [str(self._bin / "postgres"), "-D", str(self.folder / "data"), *options]
        with (self.folder / "log").open("ab") as log:
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", _GUARD, "guard", *server],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
                **self._as_user(),
            )
        deadline = time.monotonic() + 30
        while self._ask("pg_isready", "-q", "-h", str(self.folder)):
            if time.monotonic() > deadline:
                raise AssertionError((self.folder / "log").read_text())
            time.sleep(0.02)  # between two looks

    def stop(self) -> None:
        """Stop at once, as a server that crashes."""
        if self._guard is not None:
            self._guard.stdin.close()
            self._guard.wait(30)
            self._guard = None

    def database(self) -> str:
        """The address of a new, empty database."""
        name = f"t{next(self._numbers)}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0 {_COPIED}")
        return self._url(name)

    def _url(self, database: str) -> str:
        return f"postgresql://shipdrop@/{database}?host={self.folder}"

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._bin / program, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **self._as_user(),
        )
        assert done.returncode == 0, done.stderr

    def _ask(self, program: str, *arguments: str) -> int:
        return subprocess.run(
            [self._bin / program, *arguments], cwd=self.folder, check=False
        ).returncode

    def _as_user(self) -> dict[str, object]:
        if os.getuid():
            return {}
        entry = pwd.getpwnam(self._user)
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@contextmanager
def private_postgres() -> Iterator[PrivatePostgres]:
    """One that runs, stopped and removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="sdpg-", dir=scratch()))  # a socket's path must be short
    server = None
    try:
        server = PrivatePostgres(folder)
        server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
