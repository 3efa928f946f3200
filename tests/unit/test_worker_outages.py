"""Decide what a worker does about sending when itself or another cannot reach the API."""

import pytest

from pipeline.cluster.supervisor import Action, next_action
from pipeline.core.shipment import SendingStop

API = SendingStop(held=False, reason="The API cannot be reached.")
OURS = SendingStop(held=False, reason="The ledger cannot be written.", ours=True)


@pytest.mark.parametrize(
    ("shut", "refused", "signalled", "shared", "action", "shared_then"),
    [
        (None, False, False, False, Action.NOTHING, False),
        (None, True, False, False, Action.NOTHING, False),
        (None, False, True, False, Action.CLOSE, True),  # another found it out
        (API, False, False, False, Action.PUBLISH, True),  # we did
        (API, False, True, False, Action.NOTHING, True),  # both did
        (API, False, True, True, Action.NOTHING, True),
        (API, False, False, True, Action.REOPEN, False),  # the time of the signal is over
        (API, True, False, False, Action.REOPEN, False),  # the lease, not the API
        (OURS, False, False, False, Action.REOPEN, False),
        (OURS, False, True, True, Action.REOPEN, True),  # and closed again at the next heartbeat
    ],
)
def test_an_outage_is_shared_and_our_own_trouble_is_not(
    shut: SendingStop | None,
    refused: bool,
    signalled: bool,
    shared: bool,
    action: Action,
    shared_then: bool,
) -> None:
    found = next_action(shut, refused=refused, signalled=signalled, shared=shared, stopping=False)
    assert found == (action, shared_then)


def test_who_stops_does_not_begin_again() -> None:
    for shut, refused in ((OURS, False), (API, True)):
        found = next_action(shut, refused=refused, signalled=False, shared=False, stopping=True)
        assert found == (Action.NOTHING, False)
