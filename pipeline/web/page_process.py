"""``run --web``: the page in a process beside the run, so that readers cost delivery nothing.

It is the command that a person would start; it ends when its stdin closes. The kernel closes it
when the run ends, whatever ends it.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import Final

import structlog

from pipeline.core.clock import Clock
from pipeline.service.settings import load
from pipeline.storage.memory import POOL
from pipeline.web.access import check_listening
from pipeline.web.people import People

_NICE: Final = 10

log = structlog.get_logger(__name__)


@contextmanager
def page_beside(root: Path, *, config: Path | None, quiet: bool, log_format: str) -> Iterator[None]:
    """Run the page while the context lasts. Raises SettingsError for what ``serve`` would."""
    web = load(root, config=config).web
    check_listening(web, People(root, web, Clock()).users())
    command = [sys.executable, "-m", "pipeline", "serve", "--tied", "--root", str(root)]
    command += ["--log-format", log_format, *(["--quiet"] if quiet else [])]
    command += ["--config", str(config)] if config else []
    # Lower than the run itself: who looks may wait a moment longer, rows may not.
    if nice := which("nice"):
        command = [nice, "-n", str(_NICE), *command]
    ours = {name: value for name, value in os.environ.items() if name != POOL}
    # A session of its own: Ctrl-C is for the run, which then ends the page.
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
        command, stdin=subprocess.PIPE, stdout=sys.stderr, start_new_session=True, env=ours
    )
    try:
        yield
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            log.warning("web.killed")
            process.kill()
            process.wait()
