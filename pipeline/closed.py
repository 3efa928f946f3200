"""A drop that is through."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.model import Drop


@dataclass(frozen=True, kw_only=True)
class Closed:
    """A drop that is through, with the object of its summary."""

    drop: Drop
    summary: Mapping[str, Any]
