"""Every call is counted with its time, also one that nobody answers."""

import asyncio
from typing import Any

import pytest

from pipeline.core.errors import Held, Transient
from pipeline.core.ports import Reply
from pipeline.service.api_access import WatchedApi
from pipeline.service.health_file import CallCount


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

    def monotonic(self) -> float:
        return self.now

    async def close(self) -> None:
        """Nothing is open."""


async def answered(watched: WatchedApi) -> None:
    await watched.put_status(b"[]")
    await watched.order_info("A1")


@pytest.mark.parametrize(
    "lost", [Transient("reset", in_doubt=True), Held("refused"), asyncio.CancelledError()]
)
def test_a_call_without_an_answer_is_counted_like_any_other(lost: Any) -> None:
    api = Api()
    count = CallCount()
    watched = WatchedApi(api, count, api, None)
    asyncio.run(answered(watched))
    api.answer = lost
    with pytest.raises(type(lost)):
        asyncio.run(watched.put_status(b"[]"))
    api.answer = 503
    asyncio.run(answered(watched))
    assert count.by_status == {"200": 2, "no answer": 1, "503": 2}
    assert count.by_time == [0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0]
    assert count.seconds == 2.5
