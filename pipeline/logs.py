"""Logging, set up once by a command. Events have stable names, and no remarks or secrets."""

import logging
import sys
from typing import Any

import structlog


def configure(*, level: str, form: str) -> None:
    """Write events of at least ``level`` to stderr; ``form``: auto, console or json."""
    terminal = sys.stderr.isatty()
    readable = form == "console" or (form == "auto" and terminal)
    last: Any = (
        structlog.dev.ConsoleRenderer(colors=terminal, pad_event_to=24)
        if readable
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if readable else [structlog.processors.format_exc_info]),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
