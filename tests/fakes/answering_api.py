"""A server that answers as a test says: each PUT and each question by a function of the test's.

What the functions leave to it is answered by the published rules, in the published shape.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.published_rules import COARSE, Orders

Update = tuple[str, str]


@dataclass(frozen=True)
class Says:
    """An answer. ``applied``: the call is carried out all the same; ``after``: seconds before it.

    ``body``: bytes as they are, or a value that becomes JSON; None: the connection is closed
    without a word.
    """

    body: object = b""
    status: int = 200
    applied: bool = False
    after: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Put:
    """A call that came: when (monotonic), what it carried, whether it was carried out."""

    at: float
    updates: tuple[Update, ...]
    applied: bool


PutScript = Callable[[Sequence[Update], int], Says | None]
InfoScript = Callable[[str], Says | None]

LOGIN = b"<!DOCTYPE html><html><body><form action='/login'>Please log in</form></body></html>"


class AnsweringApi:
    """Runs in threads of its own. ``put(updates, number)`` and ``info(order)`` may be replaced."""

    def __init__(self) -> None:
        self.put: PutScript = lambda _updates, _number: None
        self.info: InfoScript = lambda _order: None
        self.puts: list[Put] = []
        self.asked: list[str] = []
        self.taken: Counter[Update] = Counter()
        self.refuse: Mapping[str, str] = {}
        self.known: set[str] | None = None
        self.orders = Orders()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def calls(self) -> int:
        """All calls that came, questions included."""
        return len(self.puts) + len(self.asked)

    def sent(self, order: str) -> list[str]:
        """The statuses that were sent for an order, in the order of their calls."""
        return [status for put in self.puts for each, status in put.updates if each == order]

    def behave(self) -> None:
        """Answer everything by the rules from now on."""
        self.put = lambda _updates, _number: None
        self.info = lambda _order: None

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # -- answers by the rules ------------------------------------------------------------------

    def _apply(self, updates: Sequence[Update]) -> dict[str, Any]:
        errors = []
        for order, status in updates:
            words = self.refuse.get(order)
            if words is None:
                verdict = self.orders.apply(order, status)
                if verdict == "legal":
                    self.taken[order, status] += 1
                    continue
                words = f"{verdict} move to {status}"
            errors.append({"orderId": order, "code": "D422", "message": words})
        return {
            "data": {
                "payloadCount": len(updates),
                "successCount": len(updates) - len(errors),
                "failedCount": len(errors),
                "status": "PARTIAL" if errors else "SUCCESS",
                "errors": errors,
            },
            "meta": {"requestId": "r1"},
        }

    def _on_put(self, updates: tuple[Update, ...]) -> Says:
        with self._lock:
            said = self.put(updates, len(self.puts) + 1)
            done = said is None or said.applied
            self.puts.append(Put(time.monotonic(), updates, done))
            answer = self._apply(updates) if done else None
        return Says(answer) if said is None else said

    def _on_ask(self, order: str) -> Says:
        with self._lock:
            self.asked.append(order)
            if (said := self.info(order)) is not None:
                return said
            at = self.orders.at.get(order, "dp_assigned")
            return Says({"orders": [{"id": order, "orderStatus": COARSE[at]}]})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_PUT(self) -> None:
                items = json.loads(self.rfile.read(int(self.headers["content-length"])))
                self._say(api._on_put(tuple((i["orderId"], i["orderStatus"]) for i in items)))

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                self._say(api._on_ask(parse_qs(parts.query)["orderId"][0]))

            def _say(self, said: Says) -> None:
                if said.after:
                    time.sleep(said.after)
                if said.body is None:
                    self.close_connection = True
                    return
                body = said.body if isinstance(said.body, bytes) else json.dumps(said.body).encode()
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                if said.status != 204:
                    self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(b"" if said.status == 204 else body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextmanager
def answering() -> Iterator[AnsweringApi]:
    """A server for the length of a ``with`` block."""
    api = AnsweringApi()
    try:
        yield api
    finally:
        api.close()
