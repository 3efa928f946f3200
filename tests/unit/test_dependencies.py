"""Who waits for whom, seen from both sides."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.service.drop_states import Dependencies

_NAMES = [f"d{number}" for number in range(8)]
_STEPS = st.lists(
    st.tuples(st.sampled_from(_NAMES), st.frozensets(st.sampled_from(_NAMES), max_size=3)),
    max_size=60,
)


@given(_STEPS)
def test_both_sides_say_what_was_said_last(steps) -> None:
    found = Dependencies()
    waits: dict[str, frozenset[str]] = {}
    for drop_id, others in steps:
        found.wait(drop_id, others)
        waits[drop_id] = others
        now = {each: behind for each, behind in waits.items() if behind}
        assert len(found) == len(now)
        assert set(found.awaited) == set().union(*now.values())
        for each in _NAMES:
            assert found.awaited_by(each) == tuple(sorted(d for d, b in now.items() if each in b))
            assert (each in found) == (each in now)
