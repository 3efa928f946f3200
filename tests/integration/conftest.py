"""Fixtures for tests of services in their own process."""

import pytest

from pipeline.reading.process import child_process
from tests.forked import POSSIBLE, reader_forked


@pytest.fixture
def forked_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fork the processes that read, where how they are started is not the subject."""
    if POSSIBLE:
        monkeypatch.setattr(child_process, "_popen", reader_forked)
