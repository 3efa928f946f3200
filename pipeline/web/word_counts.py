"""Count the rows of a courier's recent files by status word, and how many were sent."""

import csv
from collections import Counter
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

from msgspec import Struct

from pipeline.core.ports import Search
from pipeline.service.wiring import Site
from pipeline.web import drop_view
from schemas.folding import fold

DAYS: Final = 90
_FILES: Final = 300
_BYTES: Final = 24 * 1024 * 1024
"""Files and bytes of results that are looked through for one page, the newest first."""


class Used(Struct, frozen=True, kw_only=True):
    """Rows by folded word, in ``files`` results files. ``whole``: all of the last days were."""

    rows: Counter[str]
    sent: Counter[str]
    files: int
    whole: bool


def words_used(site: Site, courier: str) -> Used:
    """Count the words of a courier's files of the last days, as far as their results are there."""
    since = site.clock.now() - timedelta(days=DAYS)
    rows, sent, files, left = Counter[str](), Counter[str](), 0, _BYTES
    drops = site.ledger.search(Search(courier=courier, limit=_FILES))
    for drop in drops:
        path = drop_view.outbox_file(site, drop, "results")
        if drop.received_at < since or not path.is_file():
            continue
        status = path.stat()
        left -= status.st_size
        if left < 0:
            break
        of_file, of_sent = _counted(path, status.st_mtime_ns, status.st_size)
        rows.update(of_file)
        sent.update(of_sent)
        files += 1
    whole = left >= 0 and len(drops) < _FILES
    return Used(rows=rows, sent=sent, files=files, whole=whole)


@lru_cache(maxsize=2_000)
def _counted(path: Path, _changed: int, _size: int) -> tuple[Counter[str], Counter[str]]:
    """Count one results file; the arguments tell one state of it from another."""
    rows, sent = Counter[str](), Counter[str]()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line in csv.DictReader(file):
                word = fold(line.get("source_status") or "")
                rows[word] += 1
                sent[word] += line.get("outcome") == "accepted"
    except (OSError, ValueError, csv.Error):
        return Counter(), Counter()
    return rows, sent
