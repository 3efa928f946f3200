"""A drop's spool on a real disk: what is written comes back, and what is damaged says so."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.core.errors import StorageError
from pipeline.core.model import Block, PreparedBlock
from pipeline.core.row_columns import PREPARED
from pipeline.storage.spool import Spool


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "drops" / "d1")


def prepared(rows: list[str]) -> tuple[Block, PreparedBlock]:
    count = len(rows)
    table = pa.table(
        [
            pa.array(range(count), pa.int32()),
            pa.chunked_array([rows[:1], rows[1:]], pa.string()),
            *[pa.array([""] * count)] * 2,
            pa.array([2] * count, pa.int8()),
            pa.nulls(count, pa.int64()),
            pa.array([0] * count, pa.int8()),
            *[pa.array([False] * count)] * 2,
            pa.array([0] * count, pa.int8()),
            *[pa.array([""] * count)] * 3,
            pa.array([f'{{"orderId":"{each}"}}' for each in rows]),
        ],
        schema=PREPARED,
    )
    block = Block(
        rows=np.arange(count, dtype=np.int32),
        cells=(pa.array(rows), pa.array(["Delivered"] * count)),
        extra={1: ("over", "flow")},
    )
    return block, PreparedBlock(table=table)


def fill(spool: Spool) -> None:
    with spool.rows_writer(0, 2) as writer:
        writer.add(*prepared(["a", "b"]))
        writer.add(*prepared(["c", "d", "e"]))


def test_blocks_come_back_one_by_one_with_their_cells(spool):
    fill(spool)
    batches = list(spool.blocks(0))
    assert [batch.num_rows for batch in batches] == [2, 3]
    assert batches[1].column("c0").to_pylist() == ["c", "d", "e"]
    assert batches[1].column("extra").to_pylist() == [None, ["over", "flow"], None]
    assert batches[0].schema.names == [*PREPARED.names, "c0", "c1", "extra"]


def test_only_the_columns_asked_for_are_read(spool):
    fill(spool)
    batches = list(spool.blocks(0, ["item", "row"]))
    assert batches[0].schema.names == ["row", "item"]
    assert batches[0].column("item").to_pylist() == ['{"orderId":"a"}', '{"orderId":"b"}']


def test_a_sheet_without_rows_has_no_blocks(spool):
    with spool.rows_writer(3, 1):
        pass
    assert list(spool.blocks(3)) == []


def lines(*bodies):
    return pa.array([f"{body}\n" for body in bodies], pa.large_string())


def test_bodies_are_read_where_they_were_put(spool):
    spool.tries.begin()
    pieces = [lines("[0]", "[1]", "").slice(1), lines(), lines('["€"]')]
    assert spool.write_bodies(pieces).tolist() == [3, 0, 7]
    with spool.body_reader() as body:
        found = [body(*place) for place in ((0, 3), (4, 0), (5, 7))]
    assert found == [b"[1]", b"", b'["\xe2\x82\xac"]']


def test_a_body_that_is_cut_off_is_not_sent(spool):
    spool.tries.begin()
    spool.write_bodies([lines("[1]", "[2,3,4]")])
    bodies = spool.folder / "bodies.json"
    bodies.write_bytes(bodies.read_bytes()[:-4])
    with spool.body_reader() as body:
        assert body(0, 3) == b"[1]"
        with pytest.raises(StorageError, match="cut off"):
            body(4, 7)


def test_bodies_that_are_gone_say_so(spool):
    with pytest.raises(StorageError), spool.body_reader():
        pytest.fail("there is nothing to read")


def test_ids_of_sheets_that_share_a_row_number_are_all_kept(spool):
    assert spool.ids() == {}
    spool.tries.begin()
    names = ["North", "North", "South"]
    ids = {"row": [2, 3, 2], "order_id": ["a", "b", "c"]}
    spool.write_ids(pa.table({**ids, "sheet": names}))
    assert spool.ids() == {2: (("North", "a"), ("South", "c")), 3: (("North", "b"),)}
    spool.write_ids(pa.table(ids))  # as earlier builds did
    assert spool.ids() == {2: (("", "a"), ("", "c")), 3: (("", "b"),)}


def test_tries_are_counted_over_restarts_until_one_succeeds(spool):
    assert [Spool(spool.folder).tries.begin() for _ in range(3)] == [1, 2, 3]
    spool.tries.end_all()
    spool.tries.end_all()
    assert spool.tries.begin() == 1


def test_a_closed_drop_keeps_its_bodies_and_ids_only(spool):
    fill(spool)
    spool.tries.begin()
    spool.write_plan(pa.table({"a": [1]}))
    spool.write_ids(pa.table({"row": [2], "order_id": ["a"]}))
    spool.write_bodies([lines("[1]")])
    spool.forget_rows()
    assert sorted(path.name for path in spool.folder.iterdir()) == ["bodies.json", "ids.arrow"]
    spool.forget_rows()
    assert spool.ids() == {2: (("", "a"),)}


def test_a_closed_drop_that_sent_nothing_leaves_nothing(spool):
    fill(spool)
    spool.write_bodies([])
    spool.forget_rows()
    assert not spool.folder.exists()
    spool.forget_rows()


def test_the_plan_comes_back(spool):
    spool.tries.begin()
    table = pa.table({"chunk": pa.array([0, -1], pa.int32())})
    spool.write_plan(table)
    assert spool.plan().equals(table)


@pytest.mark.parametrize("keep", [0, 7, 0.5, -1])
def test_damage_is_a_storage_error(spool, keep):
    fill(spool)
    spool.write_plan(pa.table({"a": list(range(1000))}))
    for name in ("rows-00.arrow", "plan.arrow"):
        path = spool.folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * keep) if isinstance(keep, float) else keep])
    with pytest.raises(StorageError, match="spool"):
        list(spool.blocks(0))
    with pytest.raises(StorageError, match="spool"):
        spool.plan()


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "drops").write_text("a file in its place")
    spool = Spool(tmp_path / "drops" / "d1")
    with pytest.raises(StorageError, match="Check that the disk"):
        spool.tries.begin()
    with pytest.raises(StorageError), spool.rows_writer(0, 1):
        pytest.fail("there is nowhere to write")


def test_remove_takes_everything(spool):
    fill(spool)
    spool.remove()
    assert not spool.folder.exists()
    spool.remove()


def test_a_try_that_did_no_harm_is_taken_back_alone(spool):
    spool.tries.begin()
    spool.tries.begin()
    spool.tries.end()
    assert spool.tries.begin() == 2
    for _ in range(3):
        spool.tries.end()
    assert spool.tries.begin() == 1
