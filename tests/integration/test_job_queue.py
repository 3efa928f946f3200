"""The job engine: what it asks of the database, whoever freezes or comes at the same moment."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from pipeline.cluster.job_queue import make_tables
from pipeline.cluster.worker import libpq
from tests.postgres import PrivatePostgres

_FREEZES = """
import asyncio, sys
from pipeline.cluster.job_queue import make_tables
asyncio.run(make_tables(sys.argv[1]))
"""


@pytest.fixture
def url(postgres: PrivatePostgres) -> str:
    return libpq(postgres.database())


@pytest.fixture
def maker(url: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that makes the engine's tables, and may be frozen."""
    process = subprocess.Popen([sys.executable, "-c", _FREEZES, url])
    yield process
    process.kill()
    process.wait()


def has_tables(url: str) -> bool:
    with psycopg.connect(url) as connection:
        found = connection.execute("SELECT to_regclass('procrastinate_jobs')").fetchone()
    return bool(found and found[0])


def waits_for_a_lock(url: str) -> bool:
    with psycopg.connect(url) as connection:
        query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        return connection.execute(query).fetchone() is not None


def test_a_worker_that_freezes_while_it_makes_the_tables_keeps_no_other_waiting(url, request):
    with psycopg.connect(url) as other:
        # Somebody holds the name of the first table: whoever makes the tables is met in the middle.
        other.execute("CREATE TABLE procrastinate_jobs (x int)")
        process = request.getfixturevalue("maker")
        deadline = time.monotonic() + 60
        while not waits_for_a_lock(url):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.01)  # between two looks
        process.send_signal(signal.SIGSTOP)
        other.rollback()
    asyncio.run(asyncio.wait_for(make_tables(url), 20))
    assert has_tables(url)


def test_several_that_come_to_a_new_database_at_once_make_the_tables_once(url):
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda _: asyncio.run(make_tables(url)), range(6)))
    assert has_tables(url)
