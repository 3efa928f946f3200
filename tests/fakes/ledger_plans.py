"""Plans for a ledger, and a program that is killed while it freezes one."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.chunks import Chunk
from pipeline.core.model import Drop, DropState
from pipeline.core.order_lines import FrozenPlan
from pipeline.storage.ledger import SqlLedger, plan_store
from schemas.vocabulary import Milestone

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
AT = "2026-11-20T10:00:00.000Z"


def begun(ledger: SqlLedger, **of_it: Any) -> Drop:
    """Record that one file is about to be claimed."""
    (drop,) = ledger.begin_all([Drop(seq=0, state=DropState.CLAIMING, **of_it)])
    return drop


AHEAD, PART, LARGE = 200, 1_000, 2_400
"""Lines from which a plan's are written ahead, those of one transaction, those of a plan of three:
a fiftieth of the product's."""

CHILD = """
import os, sys
from msgspec.structs import replace
from pathlib import Path
from pipeline.storage.ledger import open_ledger, plan_store
from pipeline.core.model import DropState
from tests.fakes.ledger_plans import LARGE, frozen_plan, in_small_parts

in_small_parts(setattr)
ledger = open_ledger(sys.argv[3], root=Path(sys.argv[1]))
insert, left = plan_store._insert_lines, [int(sys.argv[2])]

def killed(*args):
    if not left[0]:
        os.kill(os.getpid(), 9)
    left[0] -= 1
    insert(*args)

plan_store._insert_lines = killed
drop = ledger.find("d1")
ledger.freeze(replace(drop, state=DropState.OPEN), frozen_plan(drop.seq, LARGE, prefix="old"))
"""


def in_small_parts(change: Callable[[object, str, int], None]) -> None:
    """Let plans of so few lines be written as those of many are."""
    change(plan_store, "_MANY", AHEAD)
    change(plan_store, "_LINES_PER_COMMIT", PART)


def frozen_plan(
    drop_seq: int,
    rows: int,
    *,
    size: int = 20,
    prefix: str = "o",
    status: Milestone = Milestone.DELIVERY_DONE,
) -> FrozenPlan:
    """``rows`` orders, one milestone, all of them sent."""
    number = np.arange(rows, dtype=np.int32)
    lines = pa.table(
        {
            "order_id": pa.array([f"{prefix}{n:07}" for n in range(rows)]),
            "idx": number,
            "row": number + np.int32(2),
            "sheet": np.zeros(rows, np.int16),
            "status": np.full(rows, status, np.int8),
            "chunk": (number // size).astype(np.int32),
            "pos": (number % size).astype(np.int8),
            "said": np.zeros(rows, np.int8),
            "awb": pa.repeat("", rows),
            "event_ms": pa.nulls(rows, pa.int64()),
        }
    )
    chunks = [
        Chunk(drop_seq=drop_seq, no=no, wave=0, offset=no * 50, length=49, size=size)
        for no in range(-(-rows // size))
    ]
    return FrozenPlan(chunks=lambda: chunks, lines=lines)
