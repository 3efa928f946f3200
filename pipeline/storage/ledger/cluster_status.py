"""The report of ``shipdrop cluster status``."""

from typing import Any

from pipeline.core.errors import UsageError
from pipeline.storage.ledger import SqlLedger


def cluster_status(ledger: SqlLedger, *, stale_seconds: float) -> dict[str, Any]:
    """Return workers, drops, segments, queues, and what all obey, as plain values.

    ``queues``: jobs that nobody has taken yet, by queue. ``stalled``: what silent workers hold.

    Raises UsageError for an embedded ledger, which has no workers.
    """
    if ledger.is_embedded:
        raise UsageError(
            "This ledger is embedded: it has no workers.",
            hint="`shipdrop ledger copy` moves it to PostgreSQL; set ledger.url then.",
        )
    crew = ledger.crew()
    heard = ledger.signals()
    shut = {"seconds": heard.shut, "held": heard.held, "reason": heard.reason, "hint": heard.hint}
    return {
        "workers": [
            {
                "id": each.id,
                "host": each.host,
                "pid": each.pid,
                "root": each.root,
                "silent_seconds": round(each.silent, 1),
                "stale": each.silent > stale_seconds,
                "draining": each.draining,
                "calls": each.calls,
                "rate": each.rate,
                "holds": list(each.holds),
            }
            for each in crew
        ],
        "drops": {state.value: count for state, count in ledger.counts().items()},
        "segments": {
            "open": ledger.count_open_segments(),
            "sending": sum(1 for each in crew for key in each.holds if key.startswith("send:")),
        },
        "queues": ledger.waiting_jobs(),
        "stalled": sum(len(each.holds) for each in crew if each.silent > stale_seconds),
        "quiet_seconds": round(heard.quiet, 1),
        "shut": shut if heard.shut else None,
    }
