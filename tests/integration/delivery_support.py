"""Builders for the delivery tests: real ledger, frozen bodies on disk, real room, real sockets."""

import random
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
from msgspec.structs import replace

from pipeline.core.chunks import Chunk, ChunkBody, ChunkState, Verdict, join_items
from pipeline.core.clock import Clock
from pipeline.core.model import Drop, DropState
from pipeline.core.order_lines import FrozenPlan
from pipeline.core.shipment import DeliveryResult, Shipment
from pipeline.delivery.api.client import Credentials, KonnectApi
from pipeline.delivery.thread import DeliveryThread
from pipeline.sandbox.config import Faults, SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from pipeline.storage.ledger import SqlLedger, open_ledger
from pipeline.storage.spool import Spool
from schemas.vocabulary import Milestone, Outcome
from tests.fakes.ledger_plans import begun
from tests.fakes.policies import delivery_policy

Update = tuple[str, Milestone]
Wave = Sequence[Sequence[Update]]

PICKED, DONE = Milestone.BAG_PICKED, Milestone.DELIVERY_DONE
TOKEN = "sandbox-token"
_LINES = pa.schema(
    [
        ("order_id", pa.string()),
        ("idx", pa.int32()),
        ("row", pa.int32()),
        ("sheet", pa.int16()),
        ("status", pa.int8()),
        ("chunk", pa.int32()),
        ("pos", pa.int8()),
        ("said", pa.int8()),
        ("awb", pa.string()),
        ("event_ms", pa.int64()),
    ]
)


def chunked(updates: Sequence[Update], size: int = 20) -> list[list[Update]]:
    """Cut into chunks."""
    return [list(updates[at : at + size]) for at in range(0, len(updates), size)]


def picked(number: int, *, first: int = 0, size: int = 20) -> list[list[Update]]:
    """A wave in which this many orders are picked up."""
    return chunked([(f"{n:020}", PICKED) for n in range(first, first + number)], size)


def delivered(number: int, *, first: int = 0) -> list[list[Update]]:
    """A wave in which this many orders are delivered."""
    return chunked([(f"{n:020}", DONE) for n in range(first, first + number)])


@dataclass
class World:
    """A root with a ledger, and rooms over it."""

    root: Path
    url: str
    ledger: SqlLedger
    stack: ExitStack
    credentials: Credentials = field(default_factory=lambda: Credentials(token=TOKEN))
    drops: dict[int, Drop] = field(default_factory=dict)

    def drop(self, *waves: Wave) -> Drop:
        """Plan and freeze a drop of these waves."""
        number = len(self.drops) + 1
        began = begun(
            self.ledger,
            drop_id=f"d{number}",
            folder="",
            source_file="x.csv",
            received_at=Clock().now(),
        )
        drop = replace(began, state=DropState.OPEN)
        flat = [(wave, list(chunk)) for wave, chunks in enumerate(waves) for chunk in chunks]
        lines = pa.array([f"{_body(updates).decode()}\n" for _, updates in flat], pa.large_string())
        lengths = self._spool(drop).write_bodies([lines]).tolist()
        places = zip(accumulate((n + 1 for n in lengths), initial=0), lengths, strict=False)
        chunks = [
            Chunk(drop_seq=drop.seq, no=no, wave=wave, offset=at, length=length, size=len(updates))
            for no, ((wave, updates), (at, length)) in enumerate(zip(flat, places, strict=True))
        ]
        self.ledger.freeze(drop, FrozenPlan(chunks=lambda: chunks, lines=_LINES.empty_table()))
        self.drops[drop.seq] = drop
        return drop

    def shipment(self, drop: Drop) -> Shipment:
        """Return the shipment as ``DropSteps`` makes it."""
        return Shipment(
            drop_seq=drop.seq,
            chunks=tuple(self.ledger.chunks(drop.seq)),
            verdicts=tuple(self.ledger.verdicts(drop.seq)),
            body=self.stack.enter_context(self._spool(drop).body_reader()),
            note_call=None,
        )

    @contextmanager
    def room(
        self, books: SqlLedger | None = None, clock: Clock | None = None, **policy: Any
    ) -> Iterator[DeliveryThread]:
        """A room with short pauses; it is stopped at the end."""
        settings = {"first_pause": 0.01, "longest_pause": 0.04, "timeout": 5.0, **policy}
        made = delivery_policy(**settings)
        room = DeliveryThread(
            make_api=lambda: KonnectApi(
                base_url=self.url, credentials=self.credentials, timeout=made.timeout
            ),
            ledger=books or self.ledger,
            policy=made,
            clock=clock or Clock(),
            rng=random.Random(7),
        )
        room.start()
        try:
            yield room
        finally:
            room.stop()
            room.join()

    def deliver(self, *drops: Drop, **policy: Any) -> list[DeliveryResult]:
        """Open a room, deliver these drops side by side, close it."""
        with self.room(**policy) as room:
            futures = [room.submit(self.shipment(drop)) for drop in drops]
            return [future.result(timeout=60) for future in futures]

    def outcomes(self, drop: Drop) -> dict[Update, Outcome]:
        """Every update of the drop with its one outcome, as the report will read the ledger."""
        return {update: verdict.outcome for update, verdict in self.verdicts(drop).items()}

    def verdicts(self, drop: Drop) -> dict[Update, Verdict]:
        """Return the ends with code and words."""
        own = {(v.chunk_no, v.pos): v for v in self.ledger.verdicts(drop.seq)}
        found: dict[Update, Verdict] = {}
        with self._spool(drop).body_reader() as body:
            for chunk in self.ledger.chunks(drop.seq):
                chunk_body = ChunkBody(body(chunk.offset, chunk.length), chunk.size)
                for pos in range(chunk.size):
                    said = own.pop((chunk.no, pos), None) or Verdict(
                        chunk_no=chunk.no,
                        pos=pos,
                        outcome=chunk.outcome or Outcome.UNSENT,
                        code=chunk.code,
                        message=chunk.message,
                    )
                    assert chunk_body.head(pos) not in found
                    found[chunk_body.head(pos)] = said
        assert not own, "a verdict for no row"
        return found

    def counts(self, drop: Drop) -> dict[Outcome, int]:
        """Rows by outcome."""
        return dict(Counter(self.outcomes(drop).values()))

    def states(self, drop: Drop) -> set[ChunkState]:
        """The states that its chunks are in."""
        return {chunk.state for chunk in self.ledger.chunks(drop.seq)}

    def crashed(self, drop: Drop, *, at: str = "2026-01-01T00:00:00.000Z") -> None:
        """Mark every chunk as being sent, and be gone."""
        self.ledger.exchange([], self.ledger.chunks(drop.seq), at=at)

    def _spool(self, drop: Drop) -> Spool:
        spool = Spool(self.root / "spool" / str(drop.seq))
        spool.folder.mkdir(parents=True, exist_ok=True)
        return spool


@contextmanager
def world_of(root: Path, url: str, **credentials: Any) -> Iterator[World]:
    """A world that sends to ``url``."""
    with ExitStack() as stack:
        ledger = open_ledger("sqlite:///state/ledger.db", root=root)
        stack.callback(ledger.close)
        made = World(root=root, url=url, ledger=ledger, stack=stack)
        if credentials:
            made.credentials = Credentials(**credentials)
        yield made


@contextmanager
def with_sandbox(
    root: Path, *, credentials: dict[str, Any] | None = None, seed: int = 1, **faults: Any
) -> Iterator[tuple[World, SandboxHandle]]:
    """A world and the sandbox it sends to, with these faults."""
    config = SandboxConfig(seed=seed, faults=Faults(**faults))
    with running(config) as sandbox, world_of(root, sandbox.url, **(credentials or {})) as made:
        yield made, sandbox


def history(sandbox: SandboxHandle) -> Counter[Update]:
    """Return how often each update was applied over there."""
    return Counter(
        (order_id, Milestone[update["status"].upper()])
        for order_id, order in sandbox.orders().items()
        for update in order["history"]
    )


def _body(updates: Sequence[Update]) -> bytes:
    return join_items(
        [orjson.dumps({"orderId": o, "orderStatus": m.wire, "meta": {}}) for o, m in updates]
    )


# -- a server that misbehaves at socket level ------------------------------------------------------

OK = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 22\r\n\r\n"
    b'{"data":{},"meta":{}}\n'
)


class RawServer:
    """Answers each PUT by the next of ``acts``, and then well; each GET by ``info``.

    With ``tls`` over TLS.
    """

    def __init__(
        self,
        *acts: Callable[[socket.socket], bool],
        info: Callable[[socket.socket], bool] | None = None,
        choke_on: bytes | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._choke_on = choke_on
        self._tls = tls
        self._acts = iter(acts)
        self._info = info or saying("404 Not Found")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.puts: list[bytes] = []
        self.gets = 0
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        if self._tls is not None:
            try:
                connection = self._tls.wrap_socket(connection, server_side=True)
            except OSError:  # the client does not like the certificate
                return
            self._open.append(connection)
        stream = connection.makefile("rb")
        try:
            while line := stream.readline():
                length = 0
                while (header := stream.readline()) not in {b"\r\n", b""}:
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.split(b":")[1])
                body = stream.read(length)
                if not self._answer(line, body, connection):
                    return
        except OSError:
            return

    def _answer(self, line: bytes, body: bytes, connection: socket.socket) -> bool:
        if line.startswith(b"GET"):
            self.gets += 1
            return self._info(connection)
        self.puts.append(body)
        if self._choke_on is not None and self._choke_on in body:
            return saying("500 Internal Server Error")(connection)
        return next(self._acts, well)(connection)


def well(connection: socket.socket) -> bool:
    """A sound answer."""
    connection.sendall(OK)
    return True


def well_then_close(connection: socket.socket) -> bool:
    """A sound answer that promises to keep the connection, which is then closed."""
    connection.sendall(OK)
    connection.shutdown(socket.SHUT_RDWR)
    connection.close()
    return False


def hang_up(connection: socket.socket) -> bool:
    """Read, and close without a word."""
    connection.shutdown(socket.SHUT_RDWR)
    connection.close()
    return False


def reset(connection: socket.socket) -> bool:
    """Read, and reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    return False


def half(connection: socket.socket) -> bool:
    """Half an answer."""
    connection.sendall(OK[:-8])
    return hang_up(connection)


def half_head(connection: socket.socket) -> bool:
    """Not even a whole status line."""
    connection.sendall(b"HTTP/1.1 2")
    return hang_up(connection)


def noise(connection: socket.socket) -> bool:
    """Something that is not HTTP."""
    connection.sendall(b"\x00\x01\x02 hello\r\n\r\n")
    return hang_up(connection)


def silence(_connection: socket.socket) -> bool:
    """Read, and say nothing."""
    return True


def drip(connection: socket.socket) -> bool:
    """An answer that never ends, a byte at a time, each long before any read would time out."""
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    pause = threading.Event()
    while True:
        connection.sendall(b" ")
        pause.wait(0.02)


def saying(status: str, body: bytes = b"", *headers: str) -> Callable[[socket.socket], bool]:
    """Any answer."""
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status}", *headers))

    def act(connection: socket.socket) -> bool:
        connection.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        return True

    return act
