"""A root and an API for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.harness import Root, rooted


@pytest.fixture
def api() -> Iterator[SandboxHandle]:
    """The local stand-in, on a port of its own."""
    with running(SandboxConfig()) as handle:
        yield handle


@pytest.fixture
def root(tmp_path: Path, api: SandboxHandle) -> Iterator[Root]:
    """A fresh root that sends to ``api``."""
    place = tmp_path / "root"
    place.mkdir()
    with rooted(place, api.url, api.token) as made:
        yield made
