"""The chunks of a plan before their first call."""

from types import SimpleNamespace

import pytest

from pipeline.core.chunks import Chunk, ChunkState
from pipeline.planning.freeze import WAITS, _chunks
from schemas.codes import Code


def fresh(blocked=0):
    made = SimpleNamespace(
        wave_of_chunk=(0, 0, 1),
        doubt_of_chunk=(False, True, False),
        behind_doubt=(False, False, True),
        blocked_chunks=blocked,
        waits_for=("d1",),
    )
    return _chunks(made, 4, [20, 3, 1], [5, 7, 9])


def test_bodies_lie_one_after_the_other_with_a_line_end_behind_each():
    assert [(each.offset, each.length, each.size) for each in fresh()] == [
        (0, 5, 20),
        (6, 7, 3),
        (14, 9, 1),
    ]


def test_one_in_doubt_and_one_behind_a_doubt_say_so():
    _, second, last = fresh()
    assert second == Chunk(
        drop_seq=4, no=1, wave=0, offset=6, length=7, size=3, state=ChunkState.SENDING
    )
    assert (last.wave, last.code, last.message) == (1, Code.EARLIER_OPEN, WAITS)


@pytest.mark.parametrize("blocked", [0, 1, 3])
def test_the_last_ones_wait_for_other_drops_and_say_why(blocked):
    chunks = fresh(blocked)
    assert [each.state is ChunkState.WAITING for each in chunks] == [
        no >= 3 - blocked for no in range(3)
    ]
    assert all("drop d1" in each.message for each in chunks[3 - blocked :])
