"""Measures for Prometheus. Labels are couriers, outcomes, states and HTTP statuses, nothing else:
never an order, a file, a drop or a worker, of which there are too many.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any, Final, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from pipeline.core.version import this_release
from pipeline.service.health import WATCHED, Health
from pipeline.service.health_file import LATENCY_BOUNDS, HealthFile
from pipeline.service.wiring import Site
from pipeline.web.health_bar import HealthBar
from pipeline.web.totals import DropTotals, couriers

_Labels = TypeVar("_Labels", bound=tuple[str, ...])
_API: Final = ("ok", "slowed", "paused", "held")


class Measures(Collector):
    """All measures of one root, taken when they are asked for."""

    def __init__(self, site: Site, health_bar: HealthBar, totals: DropTotals) -> None:
        self._site = site
        self._health_bar = health_bar
        self._totals = totals
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def describe(self) -> Sequence[Metric]:
        """Return no measures beforehand: taking them needs the ledger."""
        return ()

    def text(self) -> bytes:
        """Return the measures as Prometheus reads them. Raises StorageError."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """See ``Collector``."""
        yield _release()
        health = self._health_bar.health()
        yield from _health(health)
        if health.health_file is not None:
            yield from _service(health.health_file, health.alive)
        if health.cluster is not None:
            yield from _cluster(health.cluster)
        yield from self._drops()

    def _drops(self) -> Iterator[Metric]:
        totals, late = self._totals, couriers(self._site, self._totals)
        left = self._site.ledger.overview.rows_to_do()
        rows, files = totals.rows(), totals.files()
        yield _gauge("rows", "Rows of all drops by outcome", ("courier", "outcome"), rows)
        known = sorted({*left, *(name for name, _ in rows)})
        yield _gauge(
            "rows_to_do",
            "Rows that need a person: neither corrected nor set aside yet",
            ("courier",),
            {(courier,): left.get(courier, 0) for courier in known},
        )
        yield _gauge("drops", "Drops by their state", ("courier", "state"), files)
        yield _gauge(
            "courier_late",
            "1 when an expected file has not come",
            ("courier",),
            {(each.profile.name,): each.late for each in late if each.expects},
        )


def _gauge(name: str, words: str, labels: Sequence[str], values: Mapping[_Labels, float]) -> Metric:
    """Return a measure with a value for each of these labels."""
    gauge = GaugeMetricFamily(f"shipdrop_{name}", words, labels=labels)
    for each in sorted(values):
        gauge.add_metric(each, values[each])
    return gauge


def _number(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(f"shipdrop_{name}", words, value=value)


def _release() -> Metric:
    release = this_release()
    labels = {(release.version, release.commit): 1}
    return _gauge(
        "build_info", "1; its labels give version and commit", ("version", "commit"), labels
    )


def _health(health: Health) -> Iterator[Metric]:
    fine = health.is_fine
    up = health.alive and fine("service")
    yield _number("service_up", "1 when a service looked at its inbox a moment ago", up)
    yield _number("inbox_files", "Files waiting in the inbox", health.waiting)
    yield _number("inbox_oldest_seconds", "Age of the file that waits longest", health.oldest)
    yield _number("unsent_updates", "Updates planned and not answered yet", health.unsent)
    yield _number("ledger_up", "1 when the ledger can be read", fine("ledger"))
    yield _number("inbox_up", "1 when the inbox can be listed", fine("inbox"))
    trouble = {(what,): not fine(what) for what in WATCHED}
    yield _gauge("trouble", "1 for each current trouble", ("what",), trouble)


def _cluster(cluster: Mapping[str, Any]) -> Iterator[Metric]:
    """Yield the figures of ``shipdrop cluster status``, for all roots of the ledger."""
    known = cluster["workers"]
    workers = Counter(
        ("silent" if each["stale"] else "draining" if each["draining"] else "at_work",)
        for each in known
    )
    states = {(state,): workers[state,] for state in ("at_work", "draining", "silent")}
    yield _gauge("workers", "Workers by state", ("state",), states)
    segments = {(state,): count for state, count in cluster["segments"].items()}
    yield _gauge("segments", "Segments by state", ("state",), segments)
    silent = max((each["silent_seconds"] for each in known), default=0)
    said = "Since the last heartbeat of the worker that is silent longest"
    yield _number("worker_silent_seconds", said, silent)
    yield _number("worker_posts_stalled", "Posts that silent workers hold", cluster["stalled"])
    waiting = sum(cluster["queues"].values())
    yield _number("jobs_waiting", "Jobs that no worker has taken yet", waiting)
    yield _number(
        "quiet_seconds",
        "What is left of the pause that the API asked for",
        cluster["quiet_seconds"],
    )
    shut = cluster["shut"] is not None
    yield _number("sending_shut", "1 when the workers send nothing", shut)


def _service(health_file: HealthFile, alive: bool) -> Iterator[Metric]:  # noqa: FBT001 - one fact of two
    for name, words, moment in (
        ("last_scan", "When the inbox was last listed completely", health_file.scanned_at),
        ("service_start", "When the service started", health_file.started_at),
    ):
        if moment:
            seconds = datetime.fromisoformat(moment).timestamp()
            yield _number(f"{name}_timestamp_seconds", words, seconds)
    states = {(name,): alive and health_file.api == name for name in _API}
    yield _gauge("api_state", "1 for the current state of sending", ("state",), states)
    refused = alive and health_file.token_is_refused
    yield _number("token_refused", "1 when the API refuses the token", refused)
    calls = CounterMetricFamily(
        "shipdrop_api_calls", "Calls since the service started", labels=("status",)
    )
    for status, count in sorted(health_file.calls.by_status.items()):
        calls.add_metric((status.replace(" ", "_"),), count)
    yield calls
    bounds = (*map(str, LATENCY_BOUNDS), "+Inf")
    yield HistogramMetricFamily(
        "shipdrop_api_call_seconds",
        "How long calls took",
        buckets=list(zip(bounds, accumulate(health_file.calls.by_time), strict=True)),
        sum_value=health_file.calls.seconds,
    )
