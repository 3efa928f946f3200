"""The chunks of a plan as columns: the same as records would be."""

import numpy as np
import pytest

from pipeline.core.chunks import EARLIER_OPEN, WAITS, FreshChunks
from pipeline.core.errors import StorageError
from pipeline.core.ports import Chunk, ChunkState


def fresh(lengths=(5, 7, 9), blocked=0):
    return FreshChunks(
        drop_seq=4,
        wave=(0, 0, 1),
        size=np.array([20, 3, 1]),
        doubtful=(False, True, False),
        behind_doubt=(False, False, True),
        lengths=lambda: np.array(lengths),
        blocked=blocked,
        blocked_words="it waits",
    )


def test_each_chunk_as_a_record():
    second = Chunk(drop_seq=4, no=1, wave=0, offset=6, length=7, size=3, state=ChunkState.SENDING)
    last = Chunk(
        drop_seq=4, no=2, wave=1, offset=14, length=9, size=1, code=EARLIER_OPEN, message=WAITS
    )
    chunks = fresh()
    assert (chunks[1], chunks[-1]) == (second, last)
    assert list(chunks)[1:] == chunks[1:] == [second, last]
    assert (len(chunks), chunks.rows) == (3, 24)
    with pytest.raises(IndexError):
        chunks[3]


@pytest.mark.parametrize("blocked", [0, 1, 3])
def test_columns_say_the_same_as_the_records(blocked):
    chunks = fresh(blocked=blocked)
    for name, column in chunks.columns().items():
        assert [getattr(chunk, name) for chunk in chunks] == list(column)


def test_the_numbers_of_each_wave():
    assert list(fresh().waves()) == [range(2), range(2, 3)]


def test_those_that_wait_for_other_drops_are_in_no_wave_and_say_why():
    chunks = fresh(blocked=1)
    assert list(chunks.waves()) == [range(2)]
    assert chunks.rows == 23
    assert chunks[1].state is ChunkState.SENDING
    assert chunks[2].state is ChunkState.WAITING
    assert (chunks[2].code, chunks[2].message) == (EARLIER_OPEN, "it waits")


def test_nothing_is_said_of_bodies_that_could_not_be_written():
    def fails():
        raise StorageError("The disk is full.")

    chunks = FreshChunks(
        drop_seq=4, wave=(0,), size=np.array([1]), doubtful=(False,), lengths=fails
    )
    assert len(chunks) == 1
    with pytest.raises(StorageError):
        chunks.columns()
