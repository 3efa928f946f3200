"""kill -9 while calls are out at an API that carries them out after all, beside the next run."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.acceptance.harness import PATIENCE, orders, rooted, until
from tests.fakes.published_rules import COARSE

ROWS, CALLS = 40, 8
TIMEOUT = 2.0


class LateApi(ThreadingHTTPServer):
    """While ``late``, a call is carried out only when the test lets it ``land``.

    Until then it says of each what is true: "not there yet", or, where it ``knows`` no order before
    its first update, nothing.
    """

    daemon_threads = True

    def __init__(self, *, knows: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.knows = knows
        self.late = True
        self.updates: list[tuple[str, str]] = []
        self.calls = 0
        self.last_at = 0.0
        self.stands: dict[str, str] = {}
        self.lock = threading.Lock()
        self.land = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Callers that were killed are the point here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LateApi

    def do_PUT(self) -> None:
        items = json.loads(self.rfile.read(int(self.headers["content-length"])))
        updates = {item["orderId"]: item["orderStatus"] for item in items}
        late = self.server.late
        with self.server.lock:
            self.server.calls += 1
            self.server.last_at = time.monotonic()
            self.server.updates += updates.items()
        if late:
            self.server.land.wait(PATIENCE)
        with self.server.lock:
            self.server.stands |= updates
        if late:
            self.close_connection = True
        else:
            self._say({"data": {"status": "SUCCESS"}})

    def do_GET(self) -> None:
        (order,) = parse_qs(urlsplit(self.path).query)["orderId"]
        with self.server.lock:
            at = self.server.stands.get(order, "dp_assigned" if self.server.knows else None)
        self._say({"orders": [{"id": order, "orderStatus": COARSE[at]}] if at else []})

    def _say(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing is said on the test's stderr."""


@pytest.fixture(params=[True, False], ids=["it says not yet", "it has no word"])
def api(request: pytest.FixtureRequest) -> Iterator[LateApi]:
    with LateApi(knows=request.param) as made:
        serving = threading.Thread(target=made.serve_forever, args=(0.01,))
        serving.start()
        yield made
        made.land.set()
        made.shutdown()
        serving.join()


def test_nothing_is_sent_twice_though_the_api_said_not_yet(tmp_path: Path, api: LateApi) -> None:
    with rooted(tmp_path, api.url, "token") as root:
        root.configure(
            api__timeout_seconds=TIMEOUT,
            api__chunk_size=ROWS // CALLS,
            api__concurrency=CALLS,
        )
        root.drop("big.csv", orders(ROWS, status="Picked Up"))
        killed = root.start("run", "--once")
        until(lambda: api.calls == CALLS, what="all calls are out")
        killed.kill()
        api.late = False
        # Whoever made those calls would have given them up by now.
        until(lambda: time.monotonic() > api.last_at + TIMEOUT, what="their time-out")
        assert not api.stands
        again = root.start("run", "--once")
        until(lambda: "drop.taken_up" in again.err_path.read_text(), what="the next run sends")
        # Within the time-out of the next run: what it is told before that proves nothing.
        landing = threading.Timer(TIMEOUT / 2, api.land.set)
        landing.start()
        ran = again.wait()
        landing.join()
        assert ran.code == 0, ran.err
        assert set(Counter(api.updates).values()) == {1}
        assert len(api.stands) == ROWS
        found = root.of("big")
        found.assert_sound(ROWS)
        assert found.counts == {"accepted": ROWS}
        assert {line["codes"] for line in found.lines()} == {"RECONCILED"}
