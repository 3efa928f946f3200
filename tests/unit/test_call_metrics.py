"""Every call is counted with its time, also one that nobody answers."""

import asyncio
from typing import Any

import pytest

from pipeline.core.errors import Held, Transient
from pipeline.core.ports import Reply
from pipeline.delivery.call_count import CallCount, Metered


class Api:
    """Takes half a second for each call, then answers as it is told."""

    token_generation = 3

    def __init__(self) -> None:
        self.now = 100.0
        self.answer: int | BaseException = 200

    async def _call(self, _what: object) -> Reply:
        self.now += 0.5
        if isinstance(self.answer, BaseException):
            raise self.answer
        return Reply(status=self.answer, headers={}, body=b"")

    put_status = order_info = _call

    async def renew_token(self, generation: int) -> bool:
        return generation == self.token_generation

    async def close(self) -> None:
        """Nothing is open."""


async def answered(metered: Metered) -> None:
    await metered.put_status(b"[]")
    await metered.order_info("A1")


@pytest.mark.parametrize(
    "lost", [Transient("reset", in_doubt=True), Held("refused"), asyncio.CancelledError()]
)
def test_a_call_without_an_answer_is_counted_like_any_other(lost: Any) -> None:
    api = Api()
    count = CallCount([0.1, 1.0])
    metered = Metered(api, count, monotonic=lambda: api.now)
    asyncio.run(answered(metered))
    api.answer = lost
    with pytest.raises(type(lost)):
        asyncio.run(metered.put_status(b"[]"))
    api.answer = 503
    asyncio.run(answered(metered))
    assert count.by_status == {"200": 2, "no answer": 1, "503": 2}
    assert count.by_time == [0, 5, 0]
    assert count.seconds == 2.5
