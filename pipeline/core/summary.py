"""The object of ``summary.json``, put together from its parts, and how JSON files are written."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import orjson

from pipeline.core.model import DropState
from schemas.display import encodable

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


Remarks = Mapping[str, Sequence[Mapping[str, Any]]]
"""The lists ``errors``, ``warnings`` and ``notices``."""


class Summarised(Protocol):
    """A drop, as far as its summary names it."""

    @property
    def drop_id(self) -> str:
        """Return its id."""

    @property
    def source_file(self) -> str:
        """Return the name it was dropped under."""

    @property
    def sha256(self) -> str:
        """Return the hash of its bytes."""

    @property
    def size(self) -> int:
        """Return its bytes."""

    @property
    def courier(self) -> str:
        """Return its courier, or ""."""

    @property
    def state(self) -> DropState:
        """Return how it ended, or that it is open."""

    @property
    def parent(self) -> str | None:
        """Return the drop that it corrects."""

    @property
    def same_as(self) -> str | None:
        """Return an earlier drop with the same bytes."""

    @property
    def received_at(self) -> datetime:
        """Return when it was claimed."""

    @property
    def started_at(self) -> datetime | None:
        """Return when it was read."""

    @property
    def finished_at(self) -> datetime | None:
        """Return when it was closed."""


def summary_of_parts(
    drop: Summarised,
    *,
    rows: Mapping[str, int],
    calls: Mapping[str, int],
    remarks: Remarks,
    skipped: Mapping[str, int],
    corrections: Mapping[str, int] | None,
    refused: Mapping[str, str] | None,
    files: Mapping[str, str],
    continues: str | None,
) -> dict[str, Any]:
    """Return the object with the contract's keys in their order, fit for JSON.

    Raises ValueError when a time of the drop has no zone.
    """
    return {
        "schema": SCHEMA,
        "drop_id": drop.drop_id,
        "source_file": encodable(drop.source_file),
        "sha256": drop.sha256,
        "size": drop.size,
        "courier": encodable(drop.courier),
        "state": drop.state.value,
        "parent": drop.parent,
        "same_as": drop.same_as,
        "rows": dict(rows),
        "calls": dict(calls),
        "errors": remarks["errors"],
        "warnings": remarks["warnings"],
        "skipped": dict(skipped),
        "corrections": corrections,
        "refused": refused,
        "received_at": utc_text(drop.received_at),
        "started_at": utc_text(drop.started_at),
        "finished_at": utc_text(drop.finished_at),
        "files": {what: encodable(name) for what, name in files.items()},
        "notices": remarks["notices"],  # ours: what is not the contract's comes after it
        "continues": continues,
    }
