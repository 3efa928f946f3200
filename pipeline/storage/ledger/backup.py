"""Back up, restore and check a ledger that lies in a SQLite file."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from pipeline.core.errors import StorageError, UsageError
from pipeline.storage.durable_files import storing, sync_directory, sync_file
from schemas.codes import Code
from schemas.display import shown
from schemas.vocabulary import Outcome

BESIDE = ("-wal", "-shm", "-journal")
"""Ends of the names of files that SQLite keeps beside a database, and that belong to it alone."""


_NO_OUTCOME = {"outcome": Outcome.UNKNOWN.value, "codes": Code.ANSWER_LOST.value, "message": ""}


class LedgerFacts(Struct, frozen=True, kw_only=True):
    """Facts about a ledger's file. ``newest``: when its newest drop was received, as UTC text."""

    size: int
    drops: int
    open_drops: int
    newest: str


class Reported(Struct, frozen=True, kw_only=True):
    """A drop that its reports in the outbox show to be finished.

    ``summary``: its summary.json. ``lines``: its results, by row and name of the sheet.
    """

    summary: Mapping[str, Any]
    lines: Mapping[tuple[int, str], Mapping[str, str]]


def back_up(ledger: Path, target: Path) -> LedgerFacts:
    """Copy a ledger, which may be in use, and check the copy before it gets its name.

    Raises StorageError.
    """
    part = _part(target)
    with storing("write", target), _in_words(ledger):
        part.unlink(missing_ok=True)
        try:
            with closing(_read_only(ledger)) as old, closing(sqlite3.connect(part)) as new:
                old.backup(new)
                new.execute("PRAGMA journal_mode = DELETE")
            facts = inspect(part)
            _in_place(part, target)
        finally:
            part.unlink(missing_ok=True)
    return facts


def inspect(ledger: Path) -> LedgerFacts:
    """Look through a whole ledger. Raises UsageError for a file that is none, or is damaged."""
    if not ledger.is_file():
        raise UsageError(f"There is no file {shown(ledger, 300)}.", hint="Check the path.")
    try:
        with closing(_read_only(ledger)) as connection:
            found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
            if found != "ok":
                raise _damaged(ledger, " ".join(str(found).split()))
            columns = "count(*), coalesce(sum(state IN ('claiming', 'claimed', 'open')), 0)"
            query = f"SELECT {columns}, coalesce(max(received_at), '') FROM drops"  # noqa: S608 - a constant
            drops, open_drops, newest = connection.execute(query).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise _damaged(ledger, str(error)) from error
        raise UsageError(
            f"{shown(ledger, 300)} is not a ledger of Shipdrop.",
            hint="Give a file that `shipdrop ledger backup` wrote.",
        ) from error
    except sqlite3.DatabaseError as error:
        raise _damaged(ledger, str(error)) from error
    return LedgerFacts(
        size=ledger.stat().st_size, drops=drops, open_drops=open_drops, newest=newest
    )


def restore(
    backup: Path,
    ledger: Path,
    *,
    now: datetime,
    reported: Callable[[str], Reported | None],
) -> Path | None:
    """Put a backup in the ledger's place; return where the earlier ledger lies now, if any.

    Nothing may be running on the root. Killed at any moment, it leaves the earlier ledger, none (a
    start then says how to go on), or the restored one; never a file beside another one's log.
    Updates that were ready to be sent when the backup was made may have been sent since: they are
    in doubt, and asked about before they are sent. A drop that was finished since (``reported``, by
    drop id) is closed as its reports say.

    Raises UsageError for a file that is no sound ledger, StorageError.
    """
    inspect(backup)
    part, aside = _part(ledger), _free(ledger, now)
    with storing("write", ledger), _in_words(ledger):
        part.unlink(missing_ok=True)
        try:
            with closing(_read_only(backup)) as old, closing(sqlite3.connect(part)) as new:
                old.backup(new)
                new.execute("PRAGMA journal_mode = DELETE")
                _bring_up_to_date(new, now, reported)
                new.commit()
            sync_file(part)
            _fold(ledger)
            # A damaged ledger's log goes first: none may lie beside a file not its own.
            moved = [*(ledger.name + end for end in BESIDE), ledger.name]
            there = [name for name in moved if ledger.with_name(name).exists()]
            for name in there:
                ledger.with_name(name).replace(
                    aside.with_name(aside.name + name[len(ledger.name) :])
                )
            sync_directory(ledger.parent)
            _in_place(part, ledger)
        finally:
            part.unlink(missing_ok=True)
    return aside if there else None


def _bring_up_to_date(
    ledger: sqlite3.Connection, now: datetime, reported: Callable[[str], Reported | None]
) -> None:
    unfinished = ledger.execute(
        "SELECT seq, drop_id, facts FROM drops WHERE state IN ('claiming', 'claimed', 'open')"
    ).fetchall()
    for seq, drop_id, facts in unfinished:
        if found := reported(drop_id):
            _finish(ledger, seq, json.loads(facts), found)
    ledger.execute(
        "UPDATE chunks SET state = 'sending', sent_at = ? WHERE state = 'planned'"
        " AND drop_seq IN (SELECT seq FROM drops WHERE state = 'open')",
        (now.isoformat(),),
    )
    # Rows that waited for another drop may have gone since: they wait on, and then are in doubt.
    ledger.execute(
        "UPDATE chunks SET sent_at = ? WHERE state = 'waiting'"
        " AND drop_seq IN (SELECT seq FROM drops WHERE state = 'open')",
        (now.isoformat(),),
    )


def _finish(
    ledger: sqlite3.Connection, seq: int, facts: Mapping[str, Any], found: Reported
) -> None:
    """Give a drop and its updates the outcomes that its reports name."""
    sheets = [each["name"] for each in facts.get("sheets", ())]
    query = "SELECT chunk, pos, row, sheet FROM lines WHERE drop_seq = ? AND chunk >= 0"
    outcomes: dict[tuple[int, int], Mapping[str, str]] = {}
    for chunk, pos, row, sheet in ledger.execute(query, (seq,)):
        line = found.lines.get((row, sheets[sheet]))
        if line is not None and line["outcome"] != Outcome.DUPLICATE:  # of another row of the file
            outcomes[chunk, pos] = line
    ledger.execute("DELETE FROM verdicts WHERE drop_seq = ?", (seq,))
    ledger.execute(
        "UPDATE chunks SET state = 'done', outcome = 'accepted', code = '', message = ''"
        " WHERE drop_seq = ?",
        (seq,),
    )
    for number, size in ledger.execute(
        "SELECT no, size FROM chunks WHERE drop_seq = ?", (seq,)
    ).fetchall():
        for pos in range(size):
            line = outcomes.get((number, pos), _NO_OUTCOME)
            if line["outcome"] != Outcome.ACCEPTED:
                code = line["codes"].split(";")[0].partition(":")[0]
                ledger.execute(
                    "INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, NULL)",
                    (seq, number, pos, line["outcome"], code, line["message"]),
                )
    summary = found.summary
    ledger.execute(
        "UPDATE drops SET state = ?, finished_at = ?, request = '', facts = ?,"
        " closing = (SELECT max(closing) + 1 FROM drops) WHERE seq = ?",
        (
            summary["state"],
            summary["finished_at"],
            json.dumps({**facts, "summary": summary}),
            seq,
        ),
    )


def ledger_file(url: str, root: Path) -> Path:
    """Return the file of the ledger at ``url``. Raises UsageError where it lies in no file."""
    address = sa.make_url(url)
    if address.get_backend_name() != "sqlite" or not address.database:
        raise UsageError(
            "The ledger is a PostgreSQL database.", hint="Use pg_dump and pg_restore for it."
        )
    return root / address.database


def is_database(path: Path) -> bool:
    """Return whether a file is one of SQLite's, or empty. Raises StorageError."""
    with storing("read", path), path.open("rb") as file:
        return file.read(16) in {b"SQLite format 3\0", b""}


def _fold(ledger: Path) -> None:
    """Write the log of a sound ledger into its file, so that the file alone has all."""
    if ledger.exists():
        with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(ledger)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode = DELETE")


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def _free(ledger: Path, now: datetime) -> Path:
    """Return a name for the earlier ledger that no earlier one has."""
    while (aside := ledger.with_name(f"{ledger.name}.before-{now:%Y%m%dT%H%M%SZ}")).exists():
        now += timedelta(seconds=1)
    return aside


def _in_place(part: Path, target: Path) -> None:
    sync_file(part)
    part.replace(target)
    sync_directory(target.parent)


def _damaged(path: Path, found: str) -> UsageError:
    return UsageError(
        f"{shown(path, 300)} is damaged: {found}.", hint="Take an older backup, if there is one."
    )


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(
            f"The ledger {shown(path, 300)} cannot be copied: {error}.",
            hint="Check that the disk has space and that the file is a ledger.",
        ) from error
