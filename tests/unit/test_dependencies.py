"""Who waits for whom: woken when all it waits for has ended, and by nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.service.dependencies import Dependencies

_SOME = st.integers(0, 7).map(lambda number: f"d{number}")
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), _SOME, st.frozensets(_SOME, max_size=3)),
        st.tuples(st.just("ended"), _SOME, st.just(frozenset())),
        st.tuples(st.just("forget"), _SOME, st.just(frozenset())),
    ),
    max_size=60,
)


@given(_STEPS)
def test_whatever_happens_those_are_free_whose_last_reason_to_wait_has_ended(steps) -> None:
    found = Dependencies()
    waits: dict[str, set[str]] = {}
    for what, drop_id, others in steps:
        if what == "wait":
            found.wait(drop_id, others)
            if others:
                waits.setdefault(drop_id, set()).update(others)
        elif what == "forget":
            found.forget(drop_id)
            waits.pop(drop_id, None)
        else:
            free = found.ended(drop_id)
            expected = sorted(each for each, behind in waits.items() if behind == {drop_id})
            assert free == expected
            for each in waits.values():
                each.discard(drop_id)
            waits = {each: behind for each, behind in waits.items() if behind}
        assert len(found) == len(waits)
        assert all(found.waits_for(each) == tuple(sorted(behind)) for each, behind in waits.items())
        assert all((f"d{n}" in found) == (f"d{n}" in waits) for n in range(8))
        assert set(found.awaited) == {each for behind in waits.values() for each in behind}


def test_what_waits_for_a_drop_that_waits_is_woken_by_its_end_alone() -> None:
    found = Dependencies()
    found.wait("b", ["a"])
    found.wait("c", ["b"])
    assert found.ended("a") == ["b"]
    assert found.waits_for("c") == ("b",)
    assert found.ended("b") == ["c"]
    assert len(found) == 0
