"""A bare httpx client (``AsyncClient`` as it comes): ready bodies, nothing but sending.

``python -m benchmarks.rivals.bare_httpx URL BODIES CONCURRENCY``; as ``bare_aiohttp``.
"""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import httpx

from benchmarks.rivals.bare_aiohttp import HEADERS, PATH


async def send_all(url: str, bodies: list[bytes], concurrency: int) -> float:
    """Send all bodies; the seconds it took."""
    async with httpx.AsyncClient(headers=HEADERS, timeout=30) as client:
        todo = iter(bodies)
        began = perf_counter()
        await asyncio.gather(*(_worker(client, url + PATH, todo) for _ in range(concurrency)))
        return perf_counter() - began


async def _worker(client: httpx.AsyncClient, url: str, todo: Iterator[bytes]) -> None:
    for body in todo:
        (await client.put(url, content=body)).raise_for_status()


if __name__ == "__main__":
    address, file, workers = sys.argv[1:4]
    ready = Path(file).read_bytes().split(b"\0")
    sys.stdout.write(f"{asyncio.run(send_all(address, ready, int(workers)))}\n")
