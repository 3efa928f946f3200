"""A worker's lease: whoever was silent too long sends nothing, even before it is told."""

import asyncio

import pytest

from pipeline.cluster.lease import Lease
from pipeline.core.clock import Clock
from pipeline.core.errors import Fenced, Held
from pipeline.core.ports import Reply
from pipeline.service.api_access import WatchedApi
from pipeline.service.health_file import CallCount


class CountingApi:
    """Takes every call."""

    token_generation = 0

    def __init__(self) -> None:
        self.calls: list[bytes] = []

    async def put_status(self, body: bytes) -> Reply:
        self.calls.append(body)
        return Reply(status=200, headers={}, body=b"{}")

    async def order_info(self, order_id: str) -> Reply:
        return await self.put_status(order_id.encode())

    async def renew_token(self, generation: int) -> bool:
        return True

    async def close(self) -> None:
        pass


def test_a_lease_holds_for_less_than_the_time_after_which_others_take_over():
    lease = Lease(12)
    with pytest.raises(Fenced):
        lease.require_valid()
    lease.renew(lease.begin_heartbeat())
    lease.require_valid()
    lease.renew(lease.begin_heartbeat() - 7.9)
    assert lease.holds
    lease.renew(lease.begin_heartbeat() - 8.1)
    assert not lease.holds
    lease.renew(lease.begin_heartbeat())
    lease.end()
    with pytest.raises(Fenced):
        lease.require_valid()


def test_no_call_leaves_without_a_lease_and_all_sending_is_held():
    api, lease = CountingApi(), Lease(12)
    present = WatchedApi(api, CallCount(), Clock(), lease)
    lease.renew(lease.begin_heartbeat())
    assert asyncio.run(present.put_status(b"1")).status == 200
    lease.renew(lease.begin_heartbeat() - 9)
    for call in (present.put_status(b"2"), present.order_info("3")):
        with pytest.raises(Held, match="not reached the ledger"):
            asyncio.run(call)
    assert api.calls == [b"1"]
    assert lease.refused


def test_names_are_unlike():
    assert len({Lease(12).name for _ in range(50)}) == 50
