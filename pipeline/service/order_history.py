"""The history of one order: each row that named it, its updates, every call, its outcome."""

import csv
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from pipeline.core import file_names
from pipeline.core.chunks import Chunk, ChunkBody, ChunkState, Receipt
from pipeline.core.errors import StorageError
from pipeline.core.file_names import one_component
from pipeline.core.formula_guard import unguard_cell
from pipeline.core.model import Drop, stamp
from pipeline.core.order_lines import NO_LONGER_LISTED, OrderRow
from pipeline.service.wiring import Site
from schemas.display import counted
from schemas.vocabulary import Milestone, Outcome

_CALLS = {"put": "sent", "ask": "asked"}


def trace_order(site: Site, order_id: str, *, in_short: bool = False) -> list[dict[str, Any]]:
    """Return one object per row that named the order, oldest drop first.

    Why nothing was sent for a row, which the ledger does not keep, is read from its results file;
    ``in_short``: no file is read.
    """
    return [
        _gone(seen) if seen.drop is None else _entry(site, seen, seen.drop, in_short=in_short)
        for seen in site.ledger.overview.sightings(order_id)
    ]


def _gone(seen: OrderRow) -> dict[str, Any]:
    """Return the object for an order whose drop is no longer kept."""
    return {
        "drop_id": "",
        "drop_state": "",
        "received_at": "",
        "source_file": "",
        "row": 0,
        "sheet": "",
        "order_status": Milestone(seen.status).wire,
        "outcome": Outcome.ACCEPTED.value,
        "codes": "",
        "message": "",
        "results_file": None,
        "chunk": None,
        "sent": None,
        "calls": [],
        "http_status": None,
        "sent_at": "",
        "attempts": 0,
        "story": [f"accepted, out of {NO_LONGER_LISTED} (retention.drops_days)"],
    }


def _entry(site: Site, seen: OrderRow, drop: Drop, *, in_short: bool) -> dict[str, Any]:
    chunk, verdict = seen.chunk, seen.verdict
    status = Milestone(seen.status).wire if seen.status else ""
    results = None if in_short else _results(site, drop)
    sheet = _sheet(drop, seen)
    line = _line(results, sheet, seen.row, status) if results is not None else {}
    calls = [r for r in seen.receipts if not r.positions or str(seen.pos) in r.positions.split(",")]
    outcome = _outcome(seen)
    said = verdict or chunk
    codes, message = (said.code, said.message) if said else ("", "")
    if line:
        codes, message = line["codes"], line["message"]
    entry: dict[str, Any] = {
        "drop_id": drop.drop_id,
        "drop_state": drop.state.value,
        "received_at": stamp(drop.received_at),
        "source_file": drop.source_file,
        "row": seen.row,
        "sheet": sheet,
        "order_status": status,
        "outcome": outcome.value if outcome else line.get("outcome", "not sent"),
        "codes": codes,
        "message": message,
        "results_file": str(results) if results is not None else None,
        "chunk": chunk.no if chunk else None,
        "sent": _sent(site, drop, seen, chunk)
        if chunk is not None and chunk.attempts and not in_short
        else None,
        "calls": [
            {"at": r.at, "kind": r.kind, "http_status": r.http_status, "note": r.note}
            for r in calls
        ],
        "http_status": verdict.http_status if verdict else chunk and chunk.http_status,
        "sent_at": chunk.sent_at if chunk and chunk.attempts else "",
        "attempts": chunk.attempts if chunk else 0,
    }
    return entry | {"story": _story(entry, seen, calls)}


def _outcome(seen: OrderRow) -> Outcome | None:
    """Return the outcome in the ledger; UNKNOWN where a call left and its answer is missing."""
    if seen.verdict is not None:
        return seen.verdict.outcome
    if seen.accepted_by:
        return Outcome.ACCEPTED
    if seen.chunk is None:
        return None
    if seen.chunk.outcome is None and seen.chunk.state is ChunkState.SENDING:
        return Outcome.UNKNOWN
    return seen.chunk.outcome or Outcome.UNSENT


def _results(site: Site, drop: Drop) -> Path | None:
    folder = drop.folder
    place = site.outbox_path / one_component(folder) if folder else site.outbox_path
    path = place / file_names.file_name(drop, file_names.RESULTS)
    return path if path.exists() else None


def _sheet(drop: Drop, seen: OrderRow) -> str:
    sheets = drop.facts.sheets
    return sheets[seen.sheet].name if seen.sheet < len(sheets) else ""


def _line(path: Path, sheet: str, number: int, status: str) -> dict[str, str]:
    """Return the row's line of its results file; {} if it is not there, or about another step."""
    row = str(number)
    unreadable = suppress(OSError, csv.Error, UnicodeDecodeError)
    with unreadable, path.open(encoding="utf-8-sig", newline="") as file:
        for line in csv.DictReader(file):
            if line["row"] == row and unguard_cell(line["sheet"]) == sheet:
                # A pickup that we added shares the number of its row.
                return line if line["order_status"] == status else {}
    return {}


def _sent(site: Site, drop: Drop, seen: OrderRow, chunk: Chunk) -> object:
    """Return the update as it was frozen; None where the bodies are no longer kept."""
    spool = site.spools.of(drop)
    with suppress(StorageError), spool.body_reader() as body:
        chunk_body = ChunkBody(body(chunk.offset, chunk.length), chunk.size)
        return orjson.loads(chunk_body.part([seen.pos]))[0]
    return None


def _story(entry: dict[str, Any], seen: OrderRow, calls: list[Receipt]) -> list[str]:
    """Return the history for a person, one sentence a line."""
    chunk = seen.chunk
    if seen.accepted_by:
        return [f"accepted by {stamp(seen.accepted_by)}; the row itself is no longer kept"]
    lines = []
    if chunk is None or not (chunk.attempts or calls):
        lines.append("nothing was sent for this row")
    elif not chunk.attempts:
        # By a run that was killed, or from another file with an unknown result.
        lines.append("it may have been sent before, with no answer on record, so the API was asked")
        lines += _call_lines(calls)
    else:
        if entry["sent"] is not None:
            lines.append(f"sent: {orjson.dumps(entry['sent']).decode()}")
        lines += _call_lines(calls)
        status = entry["http_status"] or "no answer"
        lines.append(f"{chunk.sent_at} last call of chunk {chunk.no}: {status}")
        lines.append(f"{counted(chunk.attempts, 'call')} for its chunk in all")
    codes = f"{entry['codes']}: " if entry["codes"] else ""
    if entry["message"] or codes:
        lines.append(f"{codes}{entry['message']}".rstrip(": "))
    where = entry["results_file"] or "its results file is no longer in the outbox, or not yet"
    lines.append(f"results: {where}")
    return lines


def _call_lines(calls: list[Receipt]) -> list[str]:
    return [
        f"{call.at} {_CALLS.get(call.kind, call.kind)}: {call.http_status or 'no answer'}, "
        f"{call.note}"
        for call in calls
    ]
