"""Chunks that were refused whole, kept until it is known who is to blame."""

import time
from concurrent.futures import Future

import pytest

from pipeline.core.chunks import Chunk, ChunkResult
from pipeline.delivery.chunk_queue import ChunkQueue
from pipeline.delivery.limiter import Limiter
from pipeline.delivery.mass_refusal import MassRefusal, SuspectResults
from tests.fakes.policies import delivery_policy

BAD, OTHER = 1, 2


@pytest.mark.parametrize(("drop_seq", "suspicious"), [(BAD, False), (OTHER, True)])
def test_a_sample_of_a_drop_that_is_at_fault_says_nothing_of_the_api(
    drop_seq: int, *, suspicious: bool
) -> None:
    refusal = MassRefusal()
    for number in range(3):
        refusal.record_refusal((BAD, number), "422", "no")
    refusal.took(OTHER)  # it was the rows of the other drop, then
    assert refusal.is_at_fault(BAD)
    limiter = Limiter(delivery_policy(), monotonic=time.monotonic)
    held = SuspectResults(refusal, limiter, lambda _queue, _chunk, _receipts: None)
    queue = ChunkQueue(drop_seq=drop_seq, body=lambda _at, _size: b"", future=Future())
    chunk = Chunk(drop_seq=drop_seq, no=9, wave=0, size=20, offset=0, length=0)
    held.add_untested(queue, chunk, ChunkResult(chunk=chunk, verdicts=()), "422")
    assert refusal.suspicious is suspicious
