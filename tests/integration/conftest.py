"""Fixtures for tests of services in their own process."""

import pytest

from pipeline.reading.process import child_process
from pipeline.storage.ledger.postgres import PostgresDialect
from pipeline.storage.ledger.sqlite import SqliteDialect
from tests.compiled import share_compiled
from tests.forked import POSSIBLE, reader_forked

share_compiled(SqliteDialect)
share_compiled(PostgresDialect)


@pytest.fixture
def forked_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork the processes that read, where how they are started is not the subject."""
    if POSSIBLE:
        monkeypatch.setattr(child_process, "_popen", reader_forked)
