"""A root and an API for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.harness import Root, rooted
from tests.acceptance.namespaces import Namespace, namespace
from tests.acceptance.stories import Ends, played


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


@pytest.fixture(scope="module")
def ends(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ends:
    """The ends of all stories of the module that are to be told."""
    functions = [each.function for each in request.session.items if each.module is request.module]
    stories = [each.story for each in functions if hasattr(each, "story")]
    with (
        running(SandboxConfig()) as api,
        rooted(tmp_path_factory.mktemp("stories"), api.url, api.token) as root,
    ):
        return played(root, api, stories)


@pytest.fixture
def mounts(root: Root) -> Iterator[Namespace]:
    """The root's command runs in a mount namespace of its own; its folders are there."""
    for name in ("inbox", "outbox", "state"):
        (root.path / name).mkdir()
    root.configure(inbox__scan_seconds=0.1, inbox__min_free_mb=0, api__probe_seconds=0.3)
    with namespace() as made:
        root.prefix = made.prefix
        yield made
