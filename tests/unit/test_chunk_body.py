"""A frozen body is sent byte for byte, and in parts of the same bytes."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.chunks import ChunkBody, join_items
from schemas.vocabulary import Milestone

_MEANT = st.lists(
    st.tuples(
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,10}", fullmatch=True),
        st.sampled_from(list(Milestone)),
        st.text(max_size=20),
    ),
    min_size=1,
    max_size=20,
    unique_by=lambda each: each[0],
)


def _items(meant: list[tuple[str, Milestone, str]]) -> list[bytes]:
    return [
        orjson.dumps({"orderId": i, "orderStatus": m.wire, "meta": {"remark": r}})
        for i, m, r in meant
    ]


@given(_MEANT, st.data())
def test_any_part_holds_exactly_its_updates_whatever_their_remarks(
    meant: list[tuple[str, Milestone, str]], data: st.DataObject
) -> None:
    items = _items(meant)
    chunk_body = ChunkBody(join_items(items), len(items))
    places = data.draw(
        st.lists(st.sampled_from(range(len(items))), min_size=1, unique=True).map(sorted)
    )
    assert orjson.loads(chunk_body.part(places)) == [orjson.loads(items[pos]) for pos in places]
    assert chunk_body.order_ids(places) == [meant[pos][0] for pos in places]
    assert [chunk_body.head(pos) for pos in places] == [meant[pos][:2] for pos in places]


def test_the_whole_is_the_frozen_body_itself() -> None:
    body = (
        b'[{"orderId":"1","orderStatus":"bag_picked"},\n{"orderId":"2","orderStatus":"bag_picked"}]'
    )
    chunk_body = ChunkBody(body, 2)
    assert chunk_body.part(range(2)) is body
    assert chunk_body.order_ids(range(2)) == ["1", "2"]
