"""Group notices, so that a summary names each fault once with its count."""

from collections.abc import Iterable

from msgspec.structs import replace

from pipeline.core.model import Notice


def group_notices(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    """Make one notice of all that have the same code and column: counts added, first example kept.

    Notices without an example row concern the file: they are grouped only with the same words.
    The most frequent come first.
    """
    groups: dict[tuple[str, str, str], Notice] = {}
    for notice in notices:
        words = notice.message if notice.example_row is None else ""
        key = (notice.code, notice.column, words)
        first = groups.get(key)
        groups[key] = replace(first, count=first.count + notice.count) if first else notice
    return tuple(sorted(groups.values(), key=lambda each: -each.count))
