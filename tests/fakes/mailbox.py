"""Where people are told, and who listens for pings."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Mailbox:
    """A real server that takes what apprise posts, and pings."""

    def __init__(self) -> None:
        self.messages: list[dict[str, str]] = []
        self.pings = 0
        mailbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["content-length"]))
                mailbox.messages.append(json.loads(data))
                self._ok()

            def do_GET(self) -> None:
                mailbox.pings += 1
                self._ok()

            def _ok(self) -> None:
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def text(self) -> str:
        return "\n".join(each["message"] for each in self.messages)
