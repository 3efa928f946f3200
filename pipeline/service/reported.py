"""Drops as their reports in the outbox have them, for a ledger that is restored."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

from pipeline.core.model import DropState
from pipeline.service.retention_files import RetentionFiles
from pipeline.storage.ledger.backup import Reported


def reported_in(files: RetentionFiles, outbox: Path) -> Callable[[str], Reported | None]:
    """Return what finds a finished drop's summary and results by its id, None for another drop."""
    summaries = {
        drop_id: outbox / folder / name
        for drop_id, folder, name in files.reports()
        if name.endswith("summary.json")
    }

    def find(drop_id: str) -> Reported | None:
        path = summaries.get(drop_id)
        if path is None:
            return None
        summary = json.loads(path.read_text("utf-8"))
        if not DropState(summary["state"]).closed:
            return None
        name = summary["files"].get("results")
        results = path.with_name(name) if name else None
        if results is None or not results.is_file():
            return Reported(summary=summary, lines={})
        with results.open(encoding="utf-8-sig", newline="") as file:
            lines = {(int(line["row"]), line["sheet"]): line for line in csv.DictReader(file)}
        return Reported(summary=summary, lines=lines)

    return find
