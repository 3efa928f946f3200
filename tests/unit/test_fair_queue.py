"""Whose file is read next."""

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pipeline.core.model import Drop, DropState
from pipeline.service.planning_threads import DropsToRead, FairQueue, is_large_file

MB = 1024 * 1024
AT = datetime(2026, 1, 1, tzinfo=UTC)


def drop(seq: int, folder: str = "", size: int = 1000) -> Drop:
    return Drop(
        seq=seq,
        drop_id=f"d{seq}",
        folder=folder,
        source_file="a.csv",
        state=DropState.CLAIMED,
        received_at=AT,
        size=size,
    )


def waiting(drops: Iterable[Drop]) -> FairQueue:
    turns = FairQueue()
    for each in drops:
        turns.append(each)
    return turns


def order(turns: FairQueue) -> list[int]:
    return [turns.popleft().seq for _ in range(len(turns))]


def test_small_files_of_others_pass_a_large_file():
    drops = [drop(0, "a", 300 * MB), *(drop(n, "b") for n in (1, 2)), drop(3, "c")]
    assert order(waiting(drops)) == [1, 3, 2, 0]


def test_small_files_of_the_same_courier_keep_behind_its_large_file():
    assert order(waiting([drop(0, "a", 300 * MB), drop(1, "a"), drop(2, "b")])) == [2, 0, 1]


def test_a_large_file_is_not_passed_for_ever():
    turns = waiting([drop(0, "a", 10 * MB)])
    passed = 0
    for seq in range(1, 1000):
        turns.append(drop(seq, "b", 100_000))
        if turns.popleft().seq == 0:
            break
        passed += 1
    assert 100 <= passed <= 110


def test_couriers_with_many_files_take_turns():
    drops = [*(drop(n, "a") for n in range(3)), *(drop(n, "b") for n in range(10, 13))]
    assert order(waiting(drops)) == [0, 10, 1, 11, 2, 12]


def test_who_had_nothing_for_long_has_nothing_saved_up():
    turns = waiting([drop(0, "b", MB)])
    turns.popleft()
    for seq in range(1, 6):
        turns.append(drop(seq, "a", MB))
    turns.popleft()
    for seq in range(10, 16):
        turns.append(drop(seq, "b", MB))
    assert order(turns) == [2, 10, 3, 11, 4, 12, 5, 13, 14, 15]


def test_none_waiting_is_an_error():
    with pytest.raises(IndexError):
        FairQueue().popleft()


def test_large_files_have_a_lane_of_their_own_one_at_a_time():
    queues = DropsToRead()
    for each in (drop(0, "a", 300 * MB), drop(1, "b"), drop(2, "b", 5 * MB), drop(3, "")):
        queues.append(each)
    assert len(queues) == 4
    large = queues.large_file()
    assert large is not None
    assert large.seq == 2
    assert [each.seq for each in queues.next_batch(9)] == [1, 3]
    assert queues.next_batch(9) == []
    assert queues.large_file() is None
    queues.ended(large)
    assert queues.large_file().seq == 0
    assert len(queues) == 0


def test_behind_a_large_file_of_the_same_courier_small_files_wait_in_its_lane():
    queues = DropsToRead()
    queues.append(drop(0, "a", 300 * MB))
    large = queues.large_file()
    for each in (drop(1, "a"), drop(2, "b"), drop(3, "a")):
        queues.append(each)
    assert [each.seq for each in queues.next_batch(9)] == [2]
    assert queues.next_batch(9) == []
    queues.ended(large)
    second = queues.large_file()
    assert second.seq == 1
    queues.ended(second)
    assert queues.large_file().seq == 3


def test_the_inbox_itself_is_no_courier_s():
    queues = DropsToRead()
    for each in (drop(0, "", 300 * MB), drop(1, "")):
        queues.append(each)
    assert [each.seq for each in queues.next_batch(9)] == [1]


def test_a_packed_workbook_is_a_large_file_sooner():
    assert not is_large_file(drop(0, size=MB))
    assert is_large_file(replace(drop(0, size=MB), source_file="a.XLSX"))


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 500 * MB)), min_size=1, max_size=40)
)
def test_each_comes_once_and_within_a_folder_in_order(given_):
    drops = [drop(seq, folder, size) for seq, (folder, size) in enumerate(given_)]
    turns = waiting(drops)
    assert sorted(each.seq for each in turns) == list(range(len(drops)))
    taken = [turns.popleft() for _ in drops]
    assert sorted(each.seq for each in taken) == list(range(len(drops)))
    for folder in "abc":
        seqs = [each.seq for each in taken if each.folder == folder]
        assert seqs == sorted(seqs)
    assert not turns
