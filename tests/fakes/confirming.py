"""A person who confirms a drafted profile: deletes the marks, says what each status means."""

import json
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

Says = Callable[[str, str], str]
"""(status type or direction of the section, status) → a meaning; "" leaves it open."""


def confirmed(draft: str, says: Says, *, columns: bool = True) -> str:
    """The draft as TOML without its marks; ``columns``: those of the headers too."""
    document = tomllib.loads(draft)
    if columns:
        document["headers"] = {
            role: [header.removeprefix("?") for header in headers]
            for role, headers in document["headers"].items()
        }
        document["required"] = [each.removeprefix("?") for each in document.get("required", [])]
    statuses = document.get("statuses", {})
    sides = {side: statuses.pop(f"on_{side}", {}) for side in ("return", "rto")}
    document["statuses"] = _meant(statuses, "", says)
    for side, entries in sides.items():
        if entries:
            document["statuses"][f"on_{side}"] = _meant(entries, side, says)
    document["types"] = {
        kind: _meant(entries, kind, says) for kind, entries in document.get("types", {}).items()
    }
    return "\n".join(_written(document, ""))


def _meant(entries: Mapping[str, list[str]], beside: str, says: Says) -> dict[str, Any]:
    told: dict[str, list[str]] = {}
    for listed in entries.values():
        for entry in listed:
            status = entry.removeprefix("?")
            told.setdefault(says(beside, status) or "unconfirmed", []).append(status)
    return told


def _written(table: Mapping[str, Any], path: str) -> list[str]:
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    lines = [f"[{path}]"] if path else []
    lines += [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in plain.items()]
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += _written(value, f"{path}.{json.dumps(key)}" if path else key)
    return lines
