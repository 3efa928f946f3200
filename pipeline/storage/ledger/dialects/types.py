"""The arguments that both dialects take."""

from collections.abc import Mapping, Sequence

Columns = Mapping[str, Sequence[object]]
Names = Sequence[str]
Run = tuple[int, int, int, tuple[object, ...]]
"""Chunks of a drop from a first to a last one, and the values to write into all of them."""
