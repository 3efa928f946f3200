"""Measures for Prometheus. Labels are couriers, outcomes, states and HTTP statuses, nothing else:
never an order, a file, a drop or a worker, of which there is no end.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

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

_API: Final = ("ok", "slowed", "paused", "held")


class Measures(Collector):
    """All measures of one root, taken when they are asked for."""

    def __init__(self, site: Site, strip: HealthBar, tally: DropTotals) -> None:
        self._site = site
        self._strip = strip
        self._tally = tally
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
        yield from _release()
        health = self._strip.health()
        yield from _health(health)
        if health.health_file is not None:
            yield from _service(health.health_file, health.alive)
        if health.cluster is not None:
            yield from _cluster(health.cluster)
        yield from self._drops()

    def _drops(self) -> Iterator[Metric]:
        rows = GaugeMetricFamily(
            "shipdrop_rows",
            "Rows of all drops by what became of them",
            labels=("courier", "outcome"),
        )
        for (courier, outcome), count in sorted(self._tally.rows().items()):
            rows.add_metric((courier, outcome), count)
        yield rows
        to_do = GaugeMetricFamily(
            "shipdrop_rows_to_do",
            "Rows that need a person: neither corrected nor set aside yet",
            labels=("courier",),
        )
        left = self._tally.to_do()
        for courier in sorted({*left, *(name for name, _ in self._tally.rows())}):
            to_do.add_metric((courier,), left[courier])
        yield to_do
        drops = GaugeMetricFamily(
            "shipdrop_drops", "Drops by their state", labels=("courier", "state")
        )
        for (courier, state), count in sorted(self._tally.files().items()):
            drops.add_metric((courier, state), count)
        yield drops
        late = GaugeMetricFamily(
            "shipdrop_courier_late", "1 when an expected file has not come", labels=("courier",)
        )
        for each in couriers(self._site, self._tally):
            if each.expects:
                late.add_metric((each.profile.name,), int(each.late))
        yield late


def _release() -> Iterator[Metric]:
    release = this_release()
    metric = GaugeMetricFamily(
        "shipdrop_build_info", "1; its labels tell what runs", labels=("version", "commit")
    )
    metric.add_metric((release.version, release.commit), 1)
    yield metric


def _health(health: Health) -> Iterator[Metric]:
    up = health.alive and health.is_fine("service")
    for name, words, value in (
        ("service_up", "1 when a service looked at its inbox a moment ago", int(up)),
        ("inbox_files", "Files waiting in the inbox", health.waiting),
        ("inbox_oldest_seconds", "Age of the file that waits longest", health.oldest),
        ("unsent_updates", "Updates planned and not answered yet", health.unsent),
        ("ledger_up", "1 when the ledger can be read", int(health.is_fine("ledger"))),
        ("inbox_up", "1 when the inbox can be listed", int(health.is_fine("inbox"))),
    ):
        yield GaugeMetricFamily(f"shipdrop_{name}", words, value=value)
    trouble = GaugeMetricFamily(
        "shipdrop_trouble", "1 for what is in the way of work", labels=("what",)
    )
    for what in WATCHED:
        trouble.add_metric((what,), int(not health.is_fine(what)))
    yield trouble


def _cluster(cluster: Mapping[str, Any]) -> Iterator[Metric]:
    """Yield what ``shipdrop cluster status`` tells, of all roots of the ledger."""
    known = cluster["workers"]
    workers = GaugeMetricFamily("shipdrop_workers", "Workers by state", labels=("state",))
    for state, count in (
        ("at work", sum(1 for each in known if not each["stale"] and not each["draining"])),
        ("draining", sum(1 for each in known if not each["stale"] and each["draining"])),
        ("silent", sum(1 for each in known if each["stale"])),
    ):
        workers.add_metric((state.replace(" ", "_"),), count)
    yield workers
    segments = GaugeMetricFamily("shipdrop_segments", "Segments by state", labels=("state",))
    for state, count in cluster["segments"].items():
        segments.add_metric((state,), count)
    yield segments
    for name, words, value in (
        (
            "worker_silent_seconds",
            "Since the last word of the worker that is silent longest",
            max((each["silent_seconds"] for each in known), default=0),
        ),
        ("worker_posts_stalled", "What silent workers hold", cluster["stalled"]),
        ("jobs_waiting", "Jobs that no worker has taken yet", sum(cluster["queues"].values())),
        ("quiet_seconds", "How long the API wants quiet yet", cluster["quiet_seconds"]),
        ("sending_shut", "1 when the workers send nothing", int(cluster["shut"] is not None)),
    ):
        yield GaugeMetricFamily(f"shipdrop_{name}", words, value=value)


def _service(health_file: HealthFile, alive: bool) -> Iterator[Metric]:  # noqa: FBT001 - one fact of two
    for name, words, moment in (
        ("last_scan", "When the inbox was last listed whole", health_file.scanned_at),
        ("service_start", "When the service started", health_file.started_at),
    ):
        if not moment:
            continue
        seconds = datetime.fromisoformat(moment).timestamp()
        yield GaugeMetricFamily(f"shipdrop_{name}_timestamp_seconds", words, value=seconds)
    state = GaugeMetricFamily("shipdrop_api_state", "1 for how sending is", labels=("state",))
    for name in _API:
        state.add_metric((name,), int(alive and health_file.api == name))
    yield state
    yield GaugeMetricFamily(
        "shipdrop_token_refused",
        "1 when the API refuses the token",
        value=int(alive and health_file.token_is_refused),
    )
    calls = CounterMetricFamily(
        "shipdrop_api_calls", "Calls since the service started", labels=("status",)
    )
    for status, count in sorted(health_file.calls.by_status.items()):
        calls.add_metric((status.replace(" ", "_"),), count)
    yield calls
    seen, buckets = 0, []
    for bound, count in zip(
        (*LATENCY_BOUNDS, float("inf")), health_file.calls.by_time, strict=True
    ):
        seen += count
        buckets.append(("+Inf" if bound == float("inf") else str(bound), seen))
    yield HistogramMetricFamily(
        "shipdrop_api_call_seconds",
        "How long calls took",
        buckets=buckets,
        sum_value=health_file.calls.seconds,
    )
