"""The HTTP face: the API's endpoints, `/_sandbox/` to look inside, and breaking connections."""

import asyncio
import random
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import orjson
from aiohttp import web

from pipeline.sandbox import answers
from pipeline.sandbox.answers import PROXY_PAGE, Unclear, unclear
from pipeline.sandbox.backend import Backend, Call, Kind, build_backend
from pipeline.sandbox.config import MAX_BODY_BYTES, Clock, SandboxConfig
from pipeline.sandbox.core import CallRefusedError, CallResult, parse
from pipeline.sandbox.faults import Decision, Fault

_TOKEN_HEADER: Final = "x-access-token"
_Answer = Callable[[Backend, web.Request, Call], Awaitable[web.StreamResponse]]


class Endpoints:
    """The request handlers over one backend."""

    def __init__(self, config: SandboxConfig, clock: Clock, rng: random.Random) -> None:
        """Build the first backend."""
        self._config = config
        self._clock = clock
        self._rng = rng
        self._luck = rng.getstate()
        self.backend = build_backend(config, clock, rng)

    def reset(self) -> None:
        """Go back to the start: configured orders and faults, and the seed.

        Calls still in flight finish against what was there before.
        """
        self._rng.setstate(self._luck)
        self.backend = build_backend(self._config, self._clock, self._rng)

    async def put_status(self, request: web.Request) -> web.StreamResponse:
        """Take status updates: PUT /oms/v3/shipment/status."""
        return await self._logged(Kind.STATUS, request, _status)

    async def get_token(self, request: web.Request) -> web.StreamResponse:
        """Issue a token: GET /aggregator/v1/token."""
        return await self._logged(Kind.TOKEN, request, _token)

    async def get_info(self, request: web.Request) -> web.StreamResponse:
        """Answer the state of an order: GET /oms/v3/shipment/info."""
        return await self._logged(Kind.INFO, request, _info)

    async def get_stats(self, _request: web.Request) -> web.Response:
        """Answer the counts: GET /_sandbox/stats."""
        return json_response(self.backend.stats())

    async def get_orders(self, request: web.Request) -> web.Response:
        """Answer states and histories: GET /_sandbox/orders."""
        return json_response({"orders": self.backend.orders(request.query.get("orderId"))})

    async def get_calls(self, request: web.Request) -> web.Response:
        """Answer the kept calls: GET /_sandbox/calls."""
        since = request.query.get("since", "0")
        if not since.isdecimal():
            return json_response({"message": "since must be a number"}, status=400)
        return json_response({"calls": self.backend.calls.since(int(since))})

    async def get_faults(self, _request: web.Request) -> web.Response:
        """Answer the faults in force: GET /_sandbox/faults."""
        return json_response({"faults": self.backend.faults.described()})

    async def post_faults(self, request: web.Request) -> web.Response:
        """Change faults: POST /_sandbox/faults."""
        try:
            changes = parse(await request.read())
            if not isinstance(changes, dict):
                raise CallRefusedError(400, "the body must be an object of faults")
            faults = self.backend.change_faults(changes)
        except CallRefusedError as exc:
            return json_response({"message": exc.message}, status=exc.status)
        return json_response({"faults": faults})

    async def post_reset(self, _request: web.Request) -> web.Response:
        """Forget everything: POST /_sandbox/reset."""
        self.reset()
        return json_response({"status": "reset"})

    async def _logged(
        self, kind: Kind, request: web.Request, answer: _Answer
    ) -> web.StreamResponse:
        backend = self.backend
        call = backend.calls.begin(kind, request.method, request.path)
        try:
            response = await answer(backend, request, call)
            if call.fault not in {Fault.LOSE, Fault.RESET}:
                call.status = response.status
            return response
        except CallRefusedError as exc:
            backend.calls.refused += kind is Kind.STATUS
            call.status = exc.status
            return json_response(answers.refusal(exc.message, call.number), status=exc.status)
        finally:
            backend.calls.end(call)


async def _status(backend: Backend, request: web.Request, call: Call) -> web.StreamResponse:
    decision = backend.faults.decide()
    payload = _parsed(await _read(request))
    _note_updates(backend, call, payload)
    if delay := backend.faults.delay():
        await asyncio.sleep(delay)
    if decision.before_token:
        return _early(request, call, decision)
    backend.tokens.admit(request.headers.get(_TOKEN_HEADER))
    if not decision.applied:
        return _early(request, call, decision)
    backend.tokens.count_put()
    faults = backend.faults.current
    if isinstance(payload, CallRefusedError):
        raise payload
    verdict = backend.sandbox.apply(
        payload, call=call.number, refuse=faults.refuse_orders, poison=faults.poison_orders
    )
    return await _late(backend, request, call, decision, verdict)


async def _read(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as exc:
        raise CallRefusedError(413, f"the body is over {MAX_BODY_BYTES} bytes") from exc


def _parsed(body: bytes) -> object:
    """Return the body's value, or why there is none: other faults may have to come first."""
    try:
        return parse(body)
    except CallRefusedError as exc:
        return exc


def _note_updates(backend: Backend, call: Call, items: object) -> None:
    """Remember the content of a call, whatever its outcome."""
    if not isinstance(items, list):
        return
    backend.calls.max_items = max(backend.calls.max_items, len(items))
    if backend.calls.keeps:
        call.updates = [
            (str(item.get("orderId")), str(item.get("orderStatus")))
            for item in items
            if isinstance(item, dict)
        ]


def _early(request: web.Request, call: Call, decision: Decision) -> web.StreamResponse:
    """Answer a call that a fault kept from being applied."""
    call.fault = decision.fault
    if decision.fault is Fault.RESET:
        return drop(request, reset=True)
    if decision.fault is Fault.HTML:
        return html_response(decision.status)
    if decision.shape is not None:
        return unclear_response(decision.shape)
    headers = {}
    if decision.retry_after is not None:
        headers["Retry-After"] = decision.retry_after
    if 300 <= decision.status < 400:
        headers["Location"] = "/login"
    if decision.status in {204, 304}:  # they may not carry a body
        return web.Response(status=decision.status, headers=headers)
    message = f"the sandbox answers {decision.status} on request ({decision.fault})"
    return json_response(
        answers.refusal(message, call.number), status=decision.status, headers=headers
    )


async def _late(
    backend: Backend, request: web.Request, call: Call, decision: Decision, verdict: CallResult
) -> web.StreamResponse:
    """Answer a call that was applied, unless a fault prevents the answer."""
    faults = backend.faults.current
    answer = answers.outcome(verdict, faults.partial_shape, call.number)
    call.fault = decision.fault
    match decision.fault:
        case Fault.LOSE:
            return drop(request, reset=False)
        case Fault.HTML:
            return html_response(decision.status)
        case Fault.TRUNCATE if faults.truncate_form == "wire":
            return await cut_on_the_wire(request, answer)
        case Fault.TRUNCATE:
            return truncated_json(answer)
        case Fault.UNCLEAR if decision.shape is not None:
            return unclear_response(decision.shape)
        case Fault.STALL:
            await asyncio.sleep(faults.stall_seconds)
    return json_response(answer)


async def _token(backend: Backend, request: web.Request, _call: Call) -> web.StreamResponse:
    _refuse_if_set(backend, backend.faults.current.token_status)
    query = request.query
    return json_response(backend.tokens.issue(query.get("username", ""), query.get("password", "")))


async def _info(backend: Backend, request: web.Request, call: Call) -> web.StreamResponse:
    order_id = request.query.get("orderId", "")
    call.updates = [(order_id, "")]
    _refuse_if_set(backend, backend.faults.current.info_status)
    if backend.faults.current.unclear_info:
        return unclear_response(backend.faults.current.unclear_shape[0])
    backend.tokens.admit(request.headers.get(_TOKEN_HEADER))
    if not order_id:
        raise CallRefusedError(400, "orderId is missing")
    where = backend.sandbox.where(order_id)
    orders = [] if where is None else [{"id": order_id, "orderStatus": where}]
    return json_response({"orders": orders})


def _refuse_if_set(backend: Backend, status: int) -> None:
    if status:
        raise CallRefusedError(status, f"the sandbox answers {status} on request")
    if backend.faults.is_down():
        raise CallRefusedError(503, "the sandbox is down on request")


def application(endpoints: Endpoints) -> web.Application:
    """Return an application that routes to `endpoints`."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.router.add_put("/oms/v3/shipment/status", endpoints.put_status)
    app.router.add_get("/oms/v3/shipment/info", endpoints.get_info)
    app.router.add_get("/aggregator/v1/token", endpoints.get_token)
    app.router.add_get("/_sandbox/stats", endpoints.get_stats)
    app.router.add_get("/_sandbox/orders", endpoints.get_orders)
    app.router.add_get("/_sandbox/calls", endpoints.get_calls)
    app.router.add_get("/_sandbox/faults", endpoints.get_faults)
    app.router.add_post("/_sandbox/faults", endpoints.post_faults)
    app.router.add_post("/_sandbox/reset", endpoints.post_reset)
    return app


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
