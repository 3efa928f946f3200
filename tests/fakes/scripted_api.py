"""A receiving API that answers as a test's function says, over a real socket."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Item = dict[str, Any]
Answer = tuple[int, Any]
"""Status, and a body: JSON, or a page where it is text."""

TAKEN: Answer = (200, {"data": {"status": "SUCCESS"}, "meta": {}})
LOG_IN: Answer = (200, "<html><title>Please log in</title></html>")
AWAY: Answer = (503, {"message": "away"})


def refused(order_id: str) -> Answer:
    """All taken but this one, which it names."""
    error = {"orderId": order_id, "message": "no such order"}
    return 200, {"data": {"failedCount": 1, "errors": [error]}, "meta": {}}


class ScriptedApi(ThreadingHTTPServer):
    """``put`` answers a call from its items; ``info`` a question from its order id.

    Both are called in the threads of their connections, and may wait. ``calls``: the items of each
    PUT, ``asked``: the order id of each question, in the order they came.
    """

    daemon_threads = True

    def __init__(self, put: Callable[[list[Item]], Answer], info: Callable[[str], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.put = put
        self.info = info
        self.calls: list[list[Item]] = []
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def updates(self) -> list[tuple[str, str]]:
        """Order and status of every update that came, in its order."""
        return [(item["orderId"], item["orderStatus"]) for call in self.calls for item in call]

    def handle_error(self, request: object, client_address: object) -> None:
        """Callers that were killed are no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedApi

    def do_PUT(self) -> None:
        items = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.calls.append(items)
        self._say(*self.server.put(items))

    def do_GET(self) -> None:
        (order_id,) = parse_qs(urlsplit(self.path).query)["orderId"]
        self.server.asked.append(order_id)
        self._say(*self.server.info(order_id))

    def _say(self, status: int, said: object) -> None:
        page = isinstance(said, str)
        body = said.encode() if page else json.dumps(said).encode()
        self.send_response(status)
        self.send_header("content-type", "text/html" if page else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing is said on the test's stderr."""


def stands(state: str) -> Callable[[str], Answer]:
    """An ``info`` that says this state of every order; "" for none: it knows no order."""

    def info(order_id: str) -> Answer:
        return 200, {"orders": [{"id": order_id, "orderStatus": state}] if state else []}

    return info


@contextmanager
def scripted(
    put: Callable[[list[Item]], Answer] = lambda _items: TAKEN,
    info: Callable[[str], Answer] | None = None,
) -> Iterator[ScriptedApi]:
    """An API that serves until the block ends."""
    with ScriptedApi(put, info or stands("")) as made:
        serving = threading.Thread(target=made.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield made
        finally:
            made.shutdown()
            serving.join()
