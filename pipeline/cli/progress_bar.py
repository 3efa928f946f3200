"""A bar on the terminal while rows are being sent; nothing elsewhere."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.service.wiring import Site

_EVERY_SECONDS = 0.2


@contextmanager
def watching(site: "Site", *, quiet: bool) -> Iterator[None]:
    """Show how many rows of the drops under way have been answered."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    done = threading.Event()
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    task = bar.add_task("sending", total=None, visible=False)

    def follow() -> None:
        while not done.wait(_EVERY_SECONDS):
            answered, total = site.progress()
            bar.update(task, completed=answered, total=total or None, visible=total > 0)

    follower = threading.Thread(target=follow, name="progress", daemon=True)
    with bar:
        follower.start()
        try:
            yield
        finally:
            done.set()
            follower.join()
