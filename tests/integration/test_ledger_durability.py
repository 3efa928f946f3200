"""The ledger when things go wrong: killed, full, read-only, newer, shared."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from pipeline.core.chunks import Chunk, ChunkResult, ChunkState
from pipeline.core.errors import SettingsError, StorageError
from pipeline.core.model import DropFacts, DropState
from pipeline.core.order_lines import FrozenPlan
from pipeline.storage.ledger import SqlLedger, open_ledger
from schemas.vocabulary import Outcome
from tests.fakes.ledger_plans import (
    AHEAD,
    AT,
    CHILD,
    LARGE,
    NOW,
    PART,
    begun,
    frozen_plan,
    in_small_parts,
)
from tests.forked import ENVIRONMENT, code_forked, run_code

URL = "sqlite:///ledger.db"
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    in_small_parts(monkeypatch.setattr)


def opened(root: Path, *drop_ids: str, url: str = URL) -> SqlLedger:
    ledger = open_ledger(url, root=root)
    for drop_id in drop_ids:
        begun(ledger, drop_id=drop_id, folder="", source_file="a.csv", received_at=NOW)
    return ledger


def lines_by_prefix(ledger: SqlLedger) -> dict[str, int]:
    with ledger._db.read() as connection:
        query = "SELECT substr(order_id, 1, 3), count(*) FROM lines GROUP BY 1"
        return {row[0]: row[1] for row in connection.exec_driver_sql(query).all()}


def killed_in_a_freeze(root: Path, url: str, parts: int) -> int:
    """A process that is killed after so many parts of a large freeze."""
    return run_code(CHILD, root, parts, url)


def without_bodies(drop_seq: int, rows: int) -> FrozenPlan:
    """A plan whose bodies cannot be written: known once its lines are."""

    def chunks() -> list[Chunk]:
        raise StorageError("The disk has no space.", hint="Make some.")

    return FrozenPlan(chunks=chunks, lines=frozen_plan(drop_seq, rows, prefix="old").lines)


@pytest.mark.parametrize("parts", [0, 1, 2, 3])
def test_killed_in_the_middle_of_a_freeze_the_drop_is_admitted_again(tmp_path, ledger_url, parts):
    opened(tmp_path, "d1", url=ledger_url).close()
    assert killed_in_a_freeze(tmp_path, ledger_url, parts) == -9
    ledger = opened(tmp_path, url=ledger_url)
    assert lines_by_prefix(ledger) == ({"old": min(PART * parts, LARGE)} if parts else {})
    (drop,) = ledger.unfinished()
    assert drop.state is DropState.CLAIMING
    assert ledger.order_histories(["old0000000"], except_seq=99) == []
    # The file is read anew, and by other settings: not one line of the first try may stay.
    again = replace(drop, state=DropState.OPEN, facts=DropFacts(total=1_400))
    ledger.freeze(again, frozen_plan(drop.seq, 1_400, prefix="new"))
    assert ledger.find("d1") == again
    assert lines_by_prefix(ledger) == {"new": 1_400}
    assert len(ledger.chunks(drop.seq)) == 70
    ledger.close()


def test_a_drop_forgotten_after_a_killed_freeze_leaves_no_lines(tmp_path, ledger_url):
    opened(tmp_path, "d1", url=ledger_url).close()
    killed_in_a_freeze(tmp_path, ledger_url, 1)
    ledger = opened(tmp_path, url=ledger_url)
    ledger.forget(ledger.unfinished()[0])
    assert lines_by_prefix(ledger) == {}
    assert ledger.overview.sightings("old0000000") == []
    ledger.close()


@pytest.mark.parametrize("rows", [AHEAD + 1, PART + 200])
def test_a_freeze_whose_bodies_fail_leaves_nothing_that_a_later_one_meets(
    tmp_path, ledger_url, rows
):
    ledger = opened(tmp_path, "d1", url=ledger_url)
    drop = replace(ledger.find("d1"), state=DropState.CLAIMED)
    with pytest.raises(StorageError, match="no space"):
        ledger.freeze(replace(drop, state=DropState.OPEN), without_bodies(drop.seq, rows))
    # Meanwhile it has to wait for others, and that is noted where its facts will be.
    ledger.save(drop.noting(waits_for=("d0",)))
    again = replace(drop, state=DropState.OPEN, facts=DropFacts(total=rows))
    ledger.freeze(again, frozen_plan(drop.seq, rows, prefix="new"))
    assert ledger.find("d1") == again
    assert lines_by_prefix(ledger) == {"new": rows}
    ledger.close()


@pytest.mark.parametrize("end", [DropState.REFUSED, DropState.CANCELLED])
def test_a_drop_that_ends_after_a_killed_freeze_leaves_no_lines(tmp_path, ledger_url, end):
    opened(tmp_path, "d1", url=ledger_url).close()
    killed_in_a_freeze(tmp_path, ledger_url, 3)
    ledger = opened(tmp_path, url=ledger_url)
    (drop,) = ledger.unfinished()
    ledger.save(replace(drop, state=end, finished_at=NOW))
    assert lines_by_prefix(ledger) == {}
    assert ledger.overview.sightings("old0000000") == []
    ledger.close()


def test_a_ledger_of_before_knows_a_freeze_that_did_not_end(tmp_path):
    ledger = opened(tmp_path, "d1")
    drop = ledger.find("d1")
    with pytest.raises(StorageError):
        ledger.freeze(replace(drop, state=DropState.OPEN), without_bodies(drop.seq, AHEAD + 1))
    with ledger._db.write() as connection:
        noted = """UPDATE drops SET facts = '{"freezing": true}'"""  # so it was until version 3
        connection.exec_driver_sql(noted)
        connection.exec_driver_sql("DROP TABLE unfrozen")
        connection.exec_driver_sql("DROP TABLE beginnings")
        connection.exec_driver_sql("CREATE TABLE waiting (drop_seq INTEGER)")
        for index in ("ix_drops_list", "ix_drops_parent"):
            connection.exec_driver_sql(f"DROP INDEX {index}")
        for column in ("need", "to_do", '"rows"'):
            connection.exec_driver_sql(f"ALTER TABLE drops DROP COLUMN {column}")
        connection.exec_driver_sql("DROP INDEX ix_drops_closing")
        connection.exec_driver_sql("ALTER TABLE drops DROP COLUMN closing")
        connection.exec_driver_sql("DROP INDEX ix_lines_went_back")
        for column in ("said", "awb", "event_ms"):
            connection.exec_driver_sql(f"ALTER TABLE lines DROP COLUMN {column}")
        connection.exec_driver_sql("DELETE FROM schema_version WHERE number > 3")
    ledger.close()
    ledger = opened(tmp_path)
    ledger.freeze(replace(drop, state=DropState.OPEN), frozen_plan(drop.seq, 20, prefix="new"))
    assert lines_by_prefix(ledger) == {"new": 20}
    ledger.close()


def test_a_commit_waits_for_the_disk(tmp_path):
    # A power loss must not make us forget that a chunk was sent: see engine.py for what it costs.
    ledger = opened(tmp_path)
    with ledger._db.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    ledger.close()


def test_two_threads_write_and_read_at_once(tmp_path, ledger_url):
    ledger = opened(tmp_path, "d1", "d2", url=ledger_url)

    def deliver(drop_id: str) -> None:
        drop = replace(ledger.find(drop_id), state=DropState.OPEN)
        ledger.freeze(drop, frozen_plan(drop.seq, 600, prefix=drop_id))
        for chunk in ledger.chunks(drop.seq):
            ledger.exchange([], [chunk], at=AT)
            ended = replace(chunk, state=ChunkState.DONE, outcome=Outcome.ACCEPTED)
            ledger.exchange([ChunkResult(chunk=ended)], [], at=AT)
            ledger.recent(5)

    with ThreadPoolExecutor(2) as threads:
        for future in [threads.submit(deliver, name) for name in ("d1", "d2")]:
            future.result()
    for drop in ledger.unfinished():
        assert {c.outcome for c in ledger.chunks(drop.seq)} == {Outcome.ACCEPTED}
    ledger.close()


def test_another_process_reads_what_is_committed_while_we_write(tmp_path, ledger_url):
    ledger = opened(tmp_path, "d1", url=ledger_url)
    reader = (
        "import sys; from pathlib import Path; from pipeline.storage.ledger import open_ledger; "
        f"ledger = open_ledger({ledger_url!r}, root=Path(sys.argv[1])); "
        "print([d.drop_id for d in ledger.recent(9)])"
    )
    with ledger._db.write() as connection:
        connection.exec_driver_sql("UPDATE drops SET drop_id = 'd9'")
        told = tmp_path / "told"
        with told.open("wb") as out:
            seen = code_forked(reader, [str(tmp_path)], env=ENVIRONMENT, cwd=ROOT, out=out.fileno())
            assert seen.wait(100) == 0
    assert told.read_text().strip() == "['d1']"
    assert ledger.find("d9") is not None
    ledger.close()


def test_a_ledger_is_made_from_nothing_and_opened_again(tmp_path):
    ledger = open_ledger("sqlite:///deep/in/ledger.db", root=tmp_path)
    begun(ledger, drop_id="d1", folder="", source_file="a", received_at=NOW)
    ledger.close()
    again = open_ledger("sqlite:///deep/in/ledger.db", root=tmp_path)
    assert again.find("d1") is not None
    again.close()


def test_a_ledger_of_a_newer_version_is_refused_and_left_alone(tmp_path, ledger_url):
    ledger = opened(tmp_path, "d1", url=ledger_url)
    with ledger._db.write() as connection:
        connection.exec_driver_sql("INSERT INTO schema_version VALUES (99)")
    with pytest.raises(StorageError, match=r"version 99.*Install the newer Shipdrop"):
        opened(tmp_path, url=ledger_url)
    with ledger._db.read() as connection:
        found = connection.exec_driver_sql("SELECT drop_id FROM drops").all()
    assert [row[0] for row in found] == ["d1"]
    ledger.close()


def test_a_full_disk_is_a_storage_error_and_goes_away(tmp_path):
    ledger = opened(tmp_path, "d1")
    with ledger._db.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    drop = replace(ledger.find("d1"), state=DropState.OPEN)
    with pytest.raises(StorageError, match=r"cannot be written.*full"):
        ledger.freeze(drop, frozen_plan(drop.seq, 20_000))
    assert ledger.find("d1").state is DropState.CLAIMING
    with ledger._db.read() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1073741823")
    ledger.freeze(drop, frozen_plan(drop.seq, 20_000))
    assert len(ledger.chunks(drop.seq)) == 1000
    ledger.close()


def test_a_ledger_that_may_not_be_written_is_a_storage_error(tmp_path):
    ledger = opened(tmp_path, "d1")
    with ledger._db.read() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(StorageError, match="cannot be written"):
        ledger.request("d1", "retry")
    ledger.close()


def test_a_file_that_is_no_ledger_is_a_storage_error(tmp_path):
    (tmp_path / "ledger.db").write_bytes(b"this is not a database, but long enough" * 30)
    with pytest.raises(StorageError, match="not a database"):
        opened(tmp_path)


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "state").write_text("a file in its place")
    with pytest.raises(StorageError, match="folder"):
        open_ledger("sqlite:///state/ledger.db", root=tmp_path)


@pytest.mark.parametrize("url", ["nonsense", "nosuch:///x"])
def test_a_wrong_address_names_its_setting(tmp_path, url):
    with pytest.raises(SettingsError, match=r"ledger\.url"):
        open_ledger(url, root=tmp_path)


@pytest.mark.parametrize("url", ["mysql://u:hush@h/x", "postgresql://u:hush@h:notaport/x"])
def test_a_wrong_address_with_a_password_does_not_tell_it(tmp_path, url):
    with pytest.raises(SettingsError, match=r"ledger\.url") as caught:
        open_ledger(url, root=tmp_path)
    assert "hush" not in str(caught.value)


def test_an_embedded_ledger_loads_nothing_of_postgresql(tmp_path):
    program = (
        "import sys; from pathlib import Path; "
        "from pipeline.cli import app; from pipeline.service import wiring; "
        "from pipeline.storage.ledger import open_ledger; "
        f"open_ledger({URL!r}, root=Path(sys.argv[1])).close(); "
        "foreign = ('psycopg', 'procrastinate', 'sqlalchemy.dialects.postgresql'); "
        "print([m for m in sys.modules if m.startswith(foreign)])"
    )
    arguments = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(arguments, cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
