"""What each layer of delivery adds to a call: the same bodies sent through more and more of it.

``python -m benchmarks.ladder URL BODIES CONCURRENCY`` prints JSON: rung → seconds of wall and of
processor time. Every rung has the layers of the one before it and one more; all run on uvloop in
this one process, so their differences are the layers' prices.
"""

import asyncio
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import perf_counter, process_time

import pyarrow as pa
import uvloop

from benchmarks.rivals import bare_aiohttp
from pipeline.core.chunks import Chunk, ChunkBody, ChunkResult, ChunkState, Verdict
from pipeline.core.clock import Clock
from pipeline.core.model import Drop, DropState
from pipeline.core.order_lines import FrozenPlan
from pipeline.core.shipment import DeliveryResult, Shipment
from pipeline.delivery.api.client import Credentials, KonnectApi
from pipeline.delivery.chunk_queue import ChunkQueue
from pipeline.delivery.context import Tools
from pipeline.delivery.dispatcher import Dispatcher
from pipeline.delivery.limiter import Limiter
from pipeline.delivery.order_query import OrderQuery
from pipeline.delivery.policy import DeliveryPolicy
from pipeline.delivery.send_chunk import ChunkSender
from pipeline.storage.ledger import SqlLedger, open_ledger
from pipeline.storage.ledger.tables import lines

ROWS = 20
_NO_LINES = pa.table({column.name: pa.nulls(0) for column in lines.columns})


class NoBooks:
    """A send book that keeps nothing: what the dispatcher costs without its ledger."""

    def exchange(self, done: Sequence[ChunkResult], lease: Sequence[Chunk], *, at: str) -> None:
        """Keep nothing."""

    def chunks(self, drop_seq: int) -> list[Chunk]:  # noqa: ARG002 - the port's signature
        """Know nothing."""
        return []

    def verdicts(self, drop_seq: int) -> list[Verdict]:  # noqa: ARG002 - the port's signature
        """Know nothing."""
        return []


class Ladder:
    """The rungs over one set of bodies."""

    def __init__(self, url: str, bodies: list[bytes], concurrency: int) -> None:
        self._url = url
        self._bodies = bodies
        self._concurrency = concurrency
        self._clock = Clock()
        self._policy = DeliveryPolicy(
            concurrency=concurrency,
            rate=0,
            timeout=30,
            max_attempts=8,
            give_up_after=900,
            reconcile=True,
            when_in_doubt="resend",
            quiet_unprobed=60,
        )

    def rungs(self) -> dict[str, Callable[[], Coroutine[None, None, None]]]:
        """The rungs, from the bare client up."""
        return {
            "bare aiohttp (uvloop)": self._bare,
            "client: httpx request, transport": self._client,
            "sender: limiter, answer": self._sender,
            "dispatcher, no ledger": self._desk_alone,
            "dispatcher and ledger": self._desk_and_ledger,
        }

    async def _bare(self) -> None:
        await bare_aiohttp.send_all(self._url, self._bodies, self._concurrency)

    async def _client(self) -> None:
        api = self._api()
        todo = iter(self._bodies)
        await self._workers(lambda: _put_all(api, todo))
        await api.close()

    async def _sender(self) -> None:
        tools = self._tools()
        todo = iter(zip(self._chunks(), self._bodies, strict=True))
        await self._workers(lambda: _pass_all(tools, todo))
        await tools.api.close()

    async def _desk_alone(self) -> None:
        await self._through_dispatcher(NoBooks())  # type: ignore[arg-type]  # it needs no more

    async def _desk_and_ledger(self) -> None:
        with tempfile.TemporaryDirectory(prefix="shipdrop-bench-") as root:
            ledger = open_ledger("sqlite:///ledger.db", root=Path(root))
            new = Drop(
                seq=0,
                drop_id="d",
                folder="",
                source_file="f",
                state=DropState.CLAIMING,
                received_at=self._clock.now(),
            )
            (drop,) = ledger.begin_all([new])
            ledger.freeze(drop, FrozenPlan(chunks=lambda: list(self._chunks()), lines=_NO_LINES))
            await self._through_dispatcher(ledger)
            ledger.close()

    async def _through_dispatcher(self, books: SqlLedger) -> None:
        tools = self._tools()
        bodies = {
            chunk.offset: body for chunk, body in zip(self._chunks(), self._bodies, strict=True)
        }
        with ThreadPoolExecutor(1) as bookkeeper:
            dispatcher = Dispatcher(tools, books, bookkeeper)
            future: Future[DeliveryResult] = Future()
            running = asyncio.create_task(dispatcher.run())
            dispatcher.submit(
                Shipment(
                    drop_seq=1,
                    chunks=tuple(self._chunks()),
                    verdicts=(),
                    body=lambda offset, _: bodies[offset],
                    note_call=None,
                ),
                future,
            )
            result_of_drop = await asyncio.wrap_future(future)
            assert result_of_drop.complete
            dispatcher.stop()
            await running
        await tools.api.close()

    def _api(self) -> KonnectApi:
        return KonnectApi(
            base_url=self._url, credentials=Credentials(token="benchmark"), timeout=30
        )

    def _tools(self) -> Tools:
        api, rng = self._api(), random.Random(1)
        limiter = Limiter(self._policy, monotonic=self._clock.monotonic)
        tools = {
            "api": api,
            "limiter": limiter,
            "policy": self._policy,
            "clock": self._clock,
            "rng": rng,
        }
        return Tools(**tools, order_query=OrderQuery(**tools))

    def _chunks(self) -> Iterator[Chunk]:
        for no in range(len(self._bodies)):
            yield Chunk(drop_seq=1, no=no, wave=0, offset=no, length=0, size=ROWS)

    async def _workers(self, work: Callable[[], Coroutine[None, None, None]]) -> None:
        await asyncio.gather(*(work() for _ in range(self._concurrency)))


async def _put_all(api: KonnectApi, todo: Iterator[bytes]) -> None:
    for body in todo:
        await api.put_status(body)


async def _pass_all(tools: Tools, todo: Iterator[tuple[Chunk, bytes]]) -> None:
    for chunk, body in todo:
        chunk_body = ChunkBody(body, chunk.size)
        queue = ChunkQueue(drop_seq=1, body=lambda _at, _size: b"", future=Future())
        sender = ChunkSender(chunk, chunk_body, tools, queue)
        assert (await sender.run()).result.chunk.state is ChunkState.DONE


def main(url: str, file: str, concurrency: int) -> None:
    """Climb, and print."""
    ladder = Ladder(url, Path(file).read_bytes().split(b"\0"), concurrency)
    found: dict[str, tuple[float, float]] = {}
    for name, rung in ladder.rungs().items():
        wall, cpu = perf_counter(), process_time()
        uvloop.run(rung())
        found[name] = (perf_counter() - wall, process_time() - cpu)
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    os._exit(0)  # as the command does: after a call the interpreter may not be taken apart


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
