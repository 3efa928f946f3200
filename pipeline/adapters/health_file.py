"""``state/health.json``: how a run is doing, for whoever looks from another process."""

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.adapters.atomic import storing


class HealthFile:
    """Written by the run that holds the root's lock, read by anybody."""

    def __init__(self, root: Path) -> None:
        self._path = root / "state" / "health.json"

    def write(self, health: Mapping[str, Any]) -> None:
        """Replace what it says; process and host are added. Raises StorageError.

        It is not synced: after a power failure nothing runs that it could tell of.
        """
        card = {"schema": 1, "pid": os.getpid(), "host": socket.gethostname(), **health}
        temporary = self._path.with_name(".health.json.tmp")
        with storing("write", self._path):
            temporary.write_text(json.dumps(card, indent=1), encoding="utf-8")
            temporary.replace(self._path)

    def read(self) -> dict[str, Any] | None:
        """What it says, or None when there is none or it cannot be read."""
        try:
            health = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return None
        return health if isinstance(health, dict) and health.get("schema") == 1 else None
