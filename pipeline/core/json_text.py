"""JSON files for people who script: indented text, times in UTC, and the number of their form."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

#: Raised only when a script written for the earlier form would break.
SCHEMA: Final = 1


def utc_text(moment: datetime | None) -> str | None:
    """Return UTC with milliseconds: ``2026-01-31T10:20:30.123Z``."""
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError(f"the time {moment} has no zone")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def json_text(value: Mapping[str, Any]) -> bytes:
    """Return the object as JSON in UTF-8, indented by two, with a line end."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
