"""Plans for a ledger, and a program that is killed while it freezes one."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from pipeline.core.ports import Chunk, Frozen
from schemas.vocabulary import Milestone

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
AT = "2026-11-20T10:00:00.000Z"

CHILD = """
import os, sys
from msgspec.structs import replace
from pathlib import Path
from pipeline.storage.ledger import open_ledger, plan_store
from pipeline.core.model import DropState
from tests.fakes.ledger_plans import frozen_plan

ledger = open_ledger(sys.argv[3], root=Path(sys.argv[1]))
insert, left = plan_store._insert_lines, [int(sys.argv[2])]

def killed(*args):
    if not left[0]:
        os.kill(os.getpid(), 9)
    left[0] -= 1
    insert(*args)

plan_store._insert_lines = killed
drop = ledger.find("d1")
ledger.freeze(replace(drop, state=DropState.OPEN), frozen_plan(drop.seq, 120_000, prefix="old"))
"""


def frozen_plan(
    drop_seq: int,
    rows: int,
    *,
    size: int = 20,
    prefix: str = "o",
    status: Milestone = Milestone.DELIVERY_DONE,
) -> Frozen:
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
    return Frozen(chunks=chunks, lines=lines)
