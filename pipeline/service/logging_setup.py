"""Logging, set up once by a command. Events have stable names, and no remarks or secrets."""

import logging
import sys
import threading
from collections.abc import Callable, Collection, MutableMapping
from typing import Any

import structlog


def configure(*, level: str, form: str, also: Collection[str] = ()) -> None:
    """Write events of at least ``level`` to stderr; ``form``: auto, console or json.

    ``also``: events that are written although they are only information.
    """
    least = logging.getLevelNamesMapping()[level]
    if also:
        least = min(least, logging.INFO)
    terminal = sys.stderr.isatty()
    readable = form == "console" or (form == "auto" and terminal)
    last: Any = (
        structlog.dev.ConsoleRenderer(
            colors=terminal,
            pad_event_to=24,
            # The usual one prints local variables: cells, bodies, tokens.
            exception_formatter=structlog.dev.plain_traceback,
        )
        if readable
        else structlog.processors.JSONRenderer()
    )
    first: list[Any] = [
        *([_only(also)] if also and level == "WARNING" else []),
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *([] if readable else [structlog.processors.format_exc_info]),
    ]
    structlog.configure(
        processors=[*first, last],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries log the same way, or lines that are not JSON would get among ours.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=last, foreign_pre_chain=first)
    )
    handler.addFilter(_in_one_line)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    threading.excepthook = _tell_of_thread
    # It says so at every orderly end; whether it still hears anything, the watcher tells itself.
    logging.getLogger("watchdog").setLevel(logging.CRITICAL)


def _only(also: Collection[str]) -> Callable[..., MutableMapping[str, Any]]:
    """Return what lets through warnings and errors, and these events."""

    def choose(
        _logger: object, level: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        if level in {"info", "debug"} and event["event"] not in also:
            raise structlog.DropEvent
        return event

    return choose


_ENGINE = ("procrastinate", "psycopg")
"""Libraries that log a traceback of each connection that is lost. A job that fails has a line
of ours, with its traceback (``cluster.job_queue``)."""

_LONGEST_WORDS = 300
_MORE = "\n"
"""The beginning of asyncio's text about a task that was never awaited."""


def _in_one_line(record: logging.LogRecord) -> bool:
    """Log an error of the job engine in one line, by its message instead of its traceback."""
    error = record.exc_info[1] if record.exc_info else None
    if error is None:
        return True
    if record.name.startswith(_ENGINE) or type(error).__module__.startswith(_ENGINE):
        words = f"{record.getMessage().partition(_MORE)[0]}: {str(error) or type(error).__name__}"
        record.msg, record.args = " ".join(words.split())[:_LONGEST_WORDS], None
        record.exc_info = record.exc_text = None
    return True


def _tell_of_thread(died: threading.ExceptHookArgs) -> None:
    """Log that a thread ended by an error; who needs it starts another."""
    name = died.thread.name if died.thread is not None else ""
    error = died.exc_value or died.exc_type()
    structlog.get_logger(__name__).error("thread.died", thread=name, exc_info=error)
