"""The story of one order: each row that named it, what was sent, every call and answer."""

from contextlib import suppress
from typing import Any

import orjson

from pipeline.adapters.spool import spool_of
from pipeline.delivery.parcel import Parcel
from pipeline.errors import StorageError
from pipeline.milestones import Milestone
from pipeline.model import Outcome
from pipeline.ports import Chunk, Sighting
from pipeline.wiring import Site


def trace_order(site: Site, order_id: str) -> list[dict[str, Any]]:
    """One object per row that named the order, oldest first: drop, row, outcome and story."""
    return [_told(site, sighting) for sighting in site.ledger.sightings(order_id)]


def _told(site: Site, seen: Sighting) -> dict[str, Any]:
    chunk = seen.chunk
    outcome: Outcome | None = None
    if seen.verdict is not None:
        outcome = seen.verdict.outcome
    elif chunk is not None:
        outcome = chunk.outcome
    sent = _sent(site, seen, chunk) if chunk is not None and chunk.attempts else None
    return {
        "drop_id": seen.drop.drop_id,
        "source_file": seen.drop.source_file,
        "row": seen.row,
        "order_status": Milestone(seen.status).wire if seen.status else "",
        "outcome": outcome.value if outcome else "not sent",
        "chunk": chunk.no if chunk else None,
        "sent": sent,
        "calls": [
            {"at": r.at, "kind": r.kind, "http_status": r.http_status, "note": r.note}
            for r in seen.receipts
            if not r.positions or str(seen.pos) in r.positions.split(",")
        ],
        "http_status": seen.verdict.http_status if seen.verdict else chunk and chunk.http_status,
        "sent_at": chunk.sent_at if chunk and chunk.attempts else "",
        "attempts": chunk.attempts if chunk else 0,
        "message": seen.verdict.message if seen.verdict else (chunk.message if chunk else ""),
        "story": _story(seen, chunk, sent),
    }


def _sent(site: Site, seen: Sighting, chunk: Chunk) -> Any:  # noqa: ANN401 - JSON
    """The update as it was frozen; None where the bodies are no longer kept."""
    spool = spool_of(site.spools, seen.drop)
    with suppress(StorageError), spool.body_reader() as body:
        parcel = Parcel(body(chunk.offset, chunk.length), chunk.size)
        return orjson.loads(parcel.part([seen.pos]))[0]
    return None


def _story(seen: Sighting, chunk: Chunk | None, sent: object) -> list[str]:
    if chunk is None:
        return ["nothing was sent for this row; its results file says why"]
    lines = [f"chunk {chunk.no}, {chunk.attempts} call(s)"]
    if sent is not None:
        lines.append(f"sent: {orjson.dumps(sent).decode()}")
    for receipt in seen.receipts:
        if not receipt.positions or str(seen.pos) in receipt.positions.split(","):
            status = receipt.http_status or "no answer"
            lines.append(f"{receipt.at} {receipt.kind}: {status}, {receipt.note}")
    if chunk.attempts:
        status = chunk.http_status or "no answer"
        lines.append(f"{chunk.sent_at} last call: {status}")
    if seen.verdict is not None and seen.verdict.message:
        lines.append(seen.verdict.message)
    return lines
