"""A bare aiohttp client: ready bodies, workers side by side, nothing but sending.

``python -m benchmarks.rivals.bare_aiohttp URL BODIES CONCURRENCY [uvloop]`` prints the seconds
from the first call to the last answer; BODIES has a JSON text and a zero byte per call.
"""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import aiohttp
import uvloop

PATH = "/oms/v3/shipment/status"
HEADERS = {"content-type": "application/json", "x-access-token": "benchmark"}


async def send_all(url: str, bodies: list[bytes], concurrency: int) -> float:
    """Send all bodies; the seconds it took."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=concurrency), headers=HEADERS
    ) as session:
        todo = iter(bodies)
        began = perf_counter()
        await asyncio.gather(*(_worker(session, url + PATH, todo) for _ in range(concurrency)))
        return perf_counter() - began


async def _worker(session: aiohttp.ClientSession, url: str, todo: Iterator[bytes]) -> None:
    for body in todo:
        async with session.put(url, data=body) as response:
            await response.read()
            response.raise_for_status()


if __name__ == "__main__":
    address, file, workers = sys.argv[1:4]
    ready = Path(file).read_bytes().split(b"\0")
    job = send_all(address, ready, int(workers))
    took = uvloop.run(job) if "uvloop" in sys.argv else asyncio.run(job)
    sys.stdout.write(f"{took}\n")
