"""A sandbox on a real socket, and a client that talks to it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, cast

import httpx
import pytest

from pipeline.sandbox.config import Clock, Faults, SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running

STATUS = "/oms/v3/shipment/status"


class Api:
    """A running sandbox, as the tests talk to it."""

    def __init__(self, handle: SandboxHandle, client: httpx.Client) -> None:
        self.handle = handle
        self.client = client

    def put(self, body: object, token: str | None = "sandbox-token") -> httpx.Response:
        headers = {} if token is None else {"x-access-token": token}
        return self.client.put(STATUS, json=body, headers=headers)

    def update(self, order_id: str, status: str) -> httpx.Response:
        return self.put([{"orderId": order_id, "orderStatus": status}])

    def pick(self, order_id: str = "1") -> httpx.Response:
        return self.update(order_id, "bag_picked")

    def info(self, order_id: str, token: str = "sandbox-token") -> httpx.Response:
        return self.client.get(
            "/oms/v3/shipment/info",
            params={"orderId": order_id},
            headers={"x-access-token": token},
        )

    def fetch_token(self, username: str = "u", password: str = "p") -> httpx.Response:
        return self.client.get(
            "/aggregator/v1/token", params={"username": username, "password": password}
        )

    def state(self, order_id: str) -> str | None:
        order = self.handle.orders(order_id).get(order_id)
        return None if order is None else str(order["state"])


@pytest.fixture
def start() -> Iterator[Callable[..., Api]]:
    """Start sandboxes that end with the test: `start(faults={...}, **config)`."""
    with ExitStack() as stack:

        def _start(
            *,
            faults: Mapping[str, Any] | None = None,
            clock: Clock | None = None,
            **config: object,
        ) -> Api:
            fields = cast("dict[str, Any]", config)
            wanted = SandboxConfig(**fields, faults=Faults(**(faults or {})))
            handle = stack.enter_context(running(wanted, clock))
            client = stack.enter_context(httpx.Client(base_url=handle.url, timeout=5))
            return Api(handle, client)

        yield _start
