"""A row that ended as unknown is sent again for a person only, not for a mark before a crash."""

from pathlib import Path

import pytest

from schemas.vocabulary import Milestone, Outcome
from tests.fakes.scripted_api import scripted, stands
from tests.integration.delivery_support import world_of


@pytest.mark.parametrize("person", [False, True])
def test_only_a_person_has_a_refused_repeat_sent_again(tmp_path: Path, *, person: bool) -> None:
    puts = iter([(502, {}), *[(422, {"message": "repeat move"})] * 3])
    with (
        scripted(lambda _items: next(puts), stands("RETURN_PROCESSING")) as api,
        world_of(tmp_path, api.url) as world,
    ):
        drop = world.drop([[(f"{1:020}", Milestone.RETURN_BAG_IN_TRANSIT)]])
        world.deliver(drop, timeout=0.3)
        assert world.counts(drop) == {Outcome.UNKNOWN: 1}, world.verdicts(drop)
        before = len(api.calls)
        if person:
            world.ledger.reopen(drop.seq)
        world.crashed(drop)  # while it waited for the old call's time-out, before it asked
        world.deliver(drop, timeout=0.3)
        assert world.counts(drop) == {Outcome.FAILED if person else Outcome.UNKNOWN: 1}
        assert len(api.calls) == before + person
