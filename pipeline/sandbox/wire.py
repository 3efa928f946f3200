"""Turn answers into responses, and break connections in the ways networks do."""

import socket
import struct
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from pipeline.sandbox.answers import PROXY_PAGE, Unclear, unclear


def json_response(
    value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return `value` as a JSON response."""
    return web.Response(
        body=orjson.dumps(value),
        status=status,
        headers=headers,
        content_type="application/json",
    )


def html_response(status: int) -> web.Response:
    """Return the page of a proxy that stands in between."""
    return web.Response(text=PROXY_PAGE, status=status, content_type="text/html")


def unclear_response(shape: Unclear) -> web.Response:
    """Return an answer that does not say whether the call was taken."""
    said = unclear(shape)
    if said is None:
        return web.Response(status=204)
    if isinstance(said, bytes):
        return web.Response(body=said, content_type="text/html" if said else "application/json")
    return json_response(said)


def truncated_json(value: object) -> web.Response:
    """Return a response whose JSON ends in the middle, with headers that agree with it."""
    body = orjson.dumps(value)
    return web.Response(body=body[: len(body) // 2], content_type="application/json")


async def cut_on_the_wire(request: web.Request, value: object) -> web.StreamResponse:
    """Send half of a response's body, then close the connection."""
    body = orjson.dumps(value)
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        # `close` and not `abort`: what was written has to arrive.
        request.transport.close()
    return response


def drop(request: web.Request, *, reset: bool) -> web.StreamResponse:
    """Drop the connection without an answer: with a TCP reset, or by a plain close.

    The response that is returned never leaves; the server needs one to go on.
    """
    transport = request.transport
    if transport is not None:
        connection: Any = transport.get_extra_info("socket")
        if reset and connection is not None:
            # Lingering for zero seconds makes the kernel send RST instead of FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()
