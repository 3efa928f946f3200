"""The wheel knows the commit that it was built from: ``pipeline/commit.txt``."""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMMIT = "pipeline/commit.txt"


class CommitHook(BuildHookInterface):  # type: ignore[type-arg] # hatchling's own example has none
    """Adds the file to a wheel; a checkout that is installed as it is has none."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See ``BuildHookInterface``."""
        if version != "standard":
            return
        handle, name = tempfile.mkstemp()
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(_commit(Path(self.root)))
        self._made = name
        build_data["force_include"][name] = COMMIT

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - its signature
        """See ``BuildHookInterface``."""
        if made := getattr(self, "_made", None):
            Path(made).unlink()


def _commit(root: Path) -> str:
    """The commit, with ``-dirty`` where files differ from it; "" outside a checkout of git's."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        told = subprocess.run(
            [*command, "--exclude=*"], capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return os.environ.get("SHIPDROP_COMMIT", "")
    return told.stdout.strip()
