"""Moving a ledger: all that one knows, into another that knows nothing yet."""

from collections.abc import Iterator, Mapping

import sqlalchemy as sa

from pipeline.core.errors import UsageError
from pipeline.storage.ledger.database import Database
from pipeline.storage.ledger.tables import (
    accepted,
    chunks,
    compacted,
    drops,
    lines,
    receipts,
    unfrozen,
    verdicts,
)

_BATCH = 20_000


def copy_all(source: Database, target: Database, *, root_id: str) -> Mapping[str, int]:
    """Copy every table in one transaction; return how many lines of each.

    ``root_id``: how the target knows the root whose ledger this was. Raises UsageError for a target
    that holds drops already, and StorageError.
    """
    with source.read() as old, target.write() as new:
        if new.execute(sa.select(drops.c.seq).limit(1)).first() is not None:
            raise UsageError(
                "The ledger to copy to holds drops already.", hint="Give the address of a new one."
            )
        counts = {str(drops.name): _copy_drops(old, new, root_id)}
        for table in (chunks, verdicts, receipts, lines, accepted, compacted, unfrozen):
            counts[str(table.name)] = _copy(old, new, target, table)
        target.dialect.number_after(new, drops.c.seq)
        target.dialect.number_after(new, receipts.c.id)
    return counts


def _copy_drops(old: sa.Connection, new: sa.Connection, root_id: str) -> int:
    count = 0
    for some in _batches(old, drops):
        rows = [{**row._asdict(), "root": root_id} for row in some]
        new.execute(drops.insert(), rows)
        count += len(rows)
    return count


def _copy(old: sa.Connection, new: sa.Connection, target: Database, table: sa.Table) -> int:
    count = 0
    for some in _batches(old, table):
        columns = dict(zip(table.c.keys(), zip(*some, strict=True), strict=True))
        target.dialect.insert_many(new, table, columns)
        count += len(some)
    return count


def _batches(connection: sa.Connection, table: sa.Table) -> Iterator[list[sa.Row[tuple[object]]]]:
    query = table.select().order_by(*table.primary_key.columns)
    yield from map(list, connection.execute(query).partitions(_BATCH))
