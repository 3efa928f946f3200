"""A drop that is through."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from pipeline.model import Drop


class Closed(Struct, frozen=True, kw_only=True):
    """A drop that is through, with the object of its summary."""

    drop: Drop
    summary: Mapping[str, Any]
