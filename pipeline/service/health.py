"""How a service is, as it tells those who ask: what its pulse holds."""

import os
import socket
from collections.abc import Callable
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from pipeline.core.model import stamp
from pipeline.core.ports import Clock
from pipeline.delivery.metrics import CallCount
from pipeline.inbox.late_files import as_dicts
from pipeline.inbox.problems import Problems
from pipeline.service.health_file import Calls, Pulse

if TYPE_CHECKING:
    from pipeline.delivery.thread import DeliveryThread

_MOST_LATE = 100
"""Files that wait for long, told one by one."""
_MOST_OPEN = 100
"""Drops that rest, told one by one."""


def looking_at(
    delivery: "DeliveryThread", calls: CallCount, clock: Clock, every: float, troubles: Problems
) -> Callable[[], Pulse]:
    """Return what tells how a service is now: the limiter, its calls, its problems.

    ``every``: how often it looks at its inbox, seconds.
    """
    started_at = stamp(clock.now())

    def look() -> Pulse:
        now = stamp(clock.now())
        again_at = _moment(troubles.again_at, clock)
        state, reason, hint, status = "ok", delivery.slowed, "", None
        shut = delivery.shut
        if shut is not None:
            state = "held" if shut.held else "paused"
            reason, hint, status = shut.reason, shut.hint, shut.status
        elif reason:
            state = "slowed"
        return Pulse(
            pid=os.getpid(),
            host=socket.gethostname(),
            started_at=started_at,
            at=now,
            every=every,
            api=state,
            reason=reason,
            hint=hint,
            api_status=status,
            calls=Calls(
                by_status=dict(calls.by_status), by_time=list(calls.by_time), seconds=calls.seconds
            ),
            trouble=troubles.now(),
            waiting=as_dicts(troubles.late[:_MOST_LATE]),
            waiting_long=len(troubles.late),
            open=[
                {"drop_id": drop_id, "file": rest.file, **rest.as_dict(), "again_at": again_at}
                for drop_id, rest in islice(troubles.resting.items(), _MOST_OPEN)
            ],
            open_drops=len(troubles.resting),
        )

    return look


def _moment(at: float | None, clock: Clock) -> str | None:
    """A moment in monotonic seconds as a time for people."""
    if at is None:
        return None
    left = max(0.0, at - clock.monotonic())
    return stamp(clock.now() + timedelta(seconds=left))
