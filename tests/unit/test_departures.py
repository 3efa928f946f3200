"""Which calls have left is believed only where nothing can have left unnoted."""

import shutil
from pathlib import Path

import pytest

from pipeline.storage import spool_marks as module
from pipeline.storage.spool_marks import DEPARTURES, departures, forget


def _left(folder: Path, chunks: int = 4, doubtful: tuple[int, ...] = ()) -> list[int]:
    with departures(folder, chunks, doubtful) as found:
        return [no for no in range(chunks) if found.has_left(no)]


def _sent(folder: Path, *numbers: int, chunks: int = 4) -> None:
    """A run that sends these, and is killed."""
    with departures(folder, chunks, ()) as found:
        for no in numbers:
            found.mark(no)
            assert found.has_left(no)


def test_the_next_run_knows_what_an_earlier_one_sent(tmp_path: Path) -> None:
    _sent(tmp_path, 2)
    assert _left(tmp_path, doubtful=(0, 1, 2)) == [2]
    _sent(tmp_path, 0, 2)
    assert _left(tmp_path, doubtful=(0, 1, 2, 3)) == [0, 2]


def test_without_a_note_all_that_is_in_doubt_counts_as_left(tmp_path: Path) -> None:
    assert _left(tmp_path, doubtful=(1, 3)) == [1, 3]
    assert _left(tmp_path) == [1, 3], "and stays so"
    forget(tmp_path)
    assert _left(tmp_path, doubtful=(2,)) == [2]


def test_a_chunk_that_nobody_counted_has_left(tmp_path: Path) -> None:
    with departures(tmp_path, 2, ()) as found:
        assert found.has_left(2)


def test_a_copy_is_not_believed(tmp_path: Path) -> None:
    _sent(tmp_path, 2)
    shutil.copy(tmp_path / DEPARTURES, tmp_path / "backup")
    (tmp_path / DEPARTURES).unlink()
    (tmp_path / "backup").rename(tmp_path / DEPARTURES)
    assert _left(tmp_path, doubtful=(0, 1)) == [0, 1]


def test_another_kernel_believes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _sent(tmp_path, 2)
    other = tmp_path / "boot_id"
    other.write_text("0f9d6f2e-0000-4000-8000-000000000000\n")
    monkeypatch.setattr(module, "_BOOT_ID", other)
    assert _left(tmp_path, doubtful=(0, 1)) == [0, 1]


def test_where_no_kernel_can_be_told_nothing_is_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BOOT_ID", tmp_path / "nowhere")
    _sent(tmp_path, 2)
    assert not (tmp_path / DEPARTURES).exists()
    assert _left(tmp_path, doubtful=(0, 1)) == [0, 1]


@pytest.mark.parametrize("chunks", [3, 5])
def test_a_note_of_another_length_is_not_believed(tmp_path: Path, chunks: int) -> None:
    _sent(tmp_path, 2, chunks=chunks)
    assert _left(tmp_path, doubtful=(0, 1)) == [0, 1]


def test_what_cannot_be_noted_any_more_is_not_believed_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with departures(tmp_path, 4, ()) as found:
        found.mark(0)
        monkeypatch.setattr("os.pwrite", full)
        found.mark(1)
        found.mark(2)
    assert not (tmp_path / DEPARTURES).exists()
    monkeypatch.undo()
    assert _left(tmp_path, doubtful=(0, 1, 2)) == [0, 1, 2]
