"""The object of ``summary.json``, put together from its parts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from pipeline.core.json_text import SCHEMA, utc_text
from pipeline.core.model import DropState
from schemas.display import encodable

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
