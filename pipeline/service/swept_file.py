"""``state/swept.json``: when old files and rows were last looked for."""

import json
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from pipeline.storage.durable_files import storing


class SweptFile:
    """Outlives the process, so that a run every minute does not sweep every minute."""

    def __init__(self, root: Path) -> None:
        self._path = root / "state" / "swept.json"

    def last(self) -> datetime | None:
        """When it was noted last; None when never, or it cannot be read."""
        with suppress(OSError, ValueError, KeyError, TypeError):
            last = datetime.fromisoformat(json.loads(self._path.read_bytes())["at"])
            return last if last.tzinfo else None
        return None

    def note(self, at: datetime) -> None:
        """Note this moment (aware). Raises StorageError."""
        with storing("write", self._path):
            temporary = self._path.with_name(".swept.json.tmp")
            temporary.write_text(json.dumps({"at": at.isoformat()}), encoding="utf-8")
            temporary.replace(self._path)
