"""Pictures of the last days, each with the table it was drawn from."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, date, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from markupsafe import Markup
from msgspec import Struct
from starlette.responses import Response

from pipeline.service.health_file import Calls, read_minutes
from pipeline.web import charts
from pipeline.web.front import AtFront, Front, Looker, page
from pipeline.web.tally import Counted
from schemas.vocabulary import Outcome

router = APIRouter()

_OUTCOMES: Final = tuple(outcome.value for outcome in Outcome)
_CODES: Final = 12
_HOURS: Final = 48


class Picture(Struct, frozen=True, kw_only=True):
    """A drawing and its table. ``head``: headings, the first is for the rows' names.

    ``bars``: a drawing per row instead of one for all.
    """

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    drawing: Markup | None = None
    bars: Sequence[Markup] = ()
    key: Sequence[str] = ()
    empty: str = ""


@router.get("/pictures")
def pictures_page(
    request: Request,
    front: AtFront,
    visitor: Looker,
    days: Annotated[int, Query(ge=1, le=90)] = 14,
) -> Response:
    """What the last days came to."""
    counted = list(front.tally.of_days(days))
    today = front.tally.today()
    span = [today - timedelta(days=back) for back in range(days - 1, -1, -1)]
    values: dict[str, Any] = {
        "days": days,
        "pictures": [
            _by_day(counted, span),
            _by_courier(counted),
            _by_code(counted),
            _waits(counted, span),
            *_calls(front),
        ],
    }
    return page(request, "pictures.html", values, visitor=visitor)


def _by_day(counted: Sequence[Counted], span: Sequence[date]) -> Picture:
    by_day: dict[date, Counter[str]] = defaultdict(Counter)
    for each in counted:
        by_day[each.day].update(each.rows)
    names = [f"{day:%-d %b}" for day in span]
    seen = [o for o in _OUTCOMES if any(by_day[day][o] for day in span)]
    return Picture(
        title="Rows per day",
        drawing=charts.columns(
            names, [by_day[day] for day in span], says="Rows per day by outcome", kinds=_OUTCOMES
        ),
        head=("Day", *seen),
        rows=[
            (name, *(f"{by_day[day][outcome]:,}" for outcome in seen))
            for name, day in zip(names, span, strict=True)
            if by_day[day]
        ],
        key=seen,
        empty="No rows in these days.",
    )


def _by_courier(counted: Sequence[Counted]) -> Picture:
    by_courier: dict[str, Counter[str]] = defaultdict(Counter)
    for each in counted:
        by_courier[each.courier or "not known"].update(each.rows)
    names = sorted(filter(by_courier.get, by_courier), key=lambda name: -by_courier[name].total())
    seen = [o for o in _OUTCOMES if any(by_courier[name][o] for name in names)]
    most = max((by_courier[name].total() for name in names), default=0)
    return Picture(
        title="Rows per courier",
        bars=[charts.bar(by_courier[name], most) for name in names],
        head=("Courier", "rows", *seen),
        rows=[
            (
                name,
                f"{by_courier[name].total():,}",
                *(f"{by_courier[name][outcome]:,}" for outcome in seen),
            )
            for name in names
        ],
        key=seen,
        empty="No rows in these days.",
    )


def _by_code(counted: Sequence[Counted]) -> Picture:
    codes: Counter[str] = Counter()
    for each in counted:
        codes.update(each.codes)
    common = codes.most_common(_CODES)
    return Picture(
        title="Most frequent faults",
        bars=[charts.bar({"rejected": count}, common[0][1]) for _, count in common],
        head=("Code", "rows"),
        rows=[(code, f"{count:,}") for code, count in common],
        empty="No faults in these days.",
    )


def _waits(counted: Sequence[Counted], span: Sequence[date]) -> Picture:
    by_day: dict[date, list[float]] = defaultdict(list)
    for each in counted:
        if each.seconds is not None:
            by_day[each.day].append(each.seconds)
    days = [day for day in span if by_day[day]]
    return Picture(
        title="From drop to accepted",
        drawing=charts.columns(
            [f"{day:%-d %b}" for day in days],
            [{"plain": statistics.median(by_day[day])} for day in days],
            says="Median seconds from a file's arrival to its end, per day",
            kinds=("plain",),
        ),
        head=("Day", "files", "median, s", "longest, s"),
        rows=[
            (
                f"{day:%-d %b}",
                f"{len(by_day[day]):,}",
                f"{statistics.median(by_day[day]):,.1f}",
                f"{max(by_day[day]):,.1f}",
            )
            for day in days
        ],
        empty="No file was through in these days.",
    )


def _calls(front: Front) -> list[Picture]:
    """Calls per second and how long they took, by the hour."""
    now = front.site.clock.now().astimezone(UTC)
    hours: dict[str, list[Calls]] = defaultdict(list)
    for back in range(_HOURS // 24, -1, -1):
        for minute, calls in read_minutes(
            front.site.root / "state", (now - timedelta(days=back)).date()
        ):
            if now - minute < timedelta(hours=_HOURS):
                hours[f"{minute:%-d %b, %H}h"].append(calls)
    names = list(hours)
    rates = [max(calls.total / 60 for calls in hours[name]) for name in names]
    totals = [_together(hours[name]) for name in names]
    means = [calls.seconds / calls.total if calls.total else 0.0 for calls in totals]
    within = [calls.slower_than(0.95) or 0.0 for calls in totals]
    return [
        Picture(
            title="Calls to the API, per second",
            drawing=charts.columns(
                names,
                [{"plain": rate} for rate in rates],
                says="Calls per second in the busiest minute of each hour (UTC)",
                kinds=("plain",),
            ),
            head=(
                "Hour (UTC)",
                "calls",
                "per second, busiest minute",
                "answered otherwise than 2xx",
            ),
            rows=[
                (name, f"{calls.total:,}", f"{rate:,.1f}", f"{_otherwise(calls):,}")
                for name, calls, rate in zip(names, totals, rates, strict=True)
            ],
            empty="No calls in the last two days.",
        ),
        Picture(
            title="How long the API takes",
            drawing=charts.columns(
                names,
                [{"plain": mean} for mean in means],
                says="Mean seconds per call in each hour (UTC)",
                kinds=("plain",),
            ),
            head=("Hour (UTC)", "mean, ms", "95 of 100 within, ms"),
            rows=[
                (name, f"{1000 * mean:,.0f}", f"{1000 * most:,.0f}")
                for name, mean, most in zip(names, means, within, strict=True)
            ],
            empty="No calls in the last two days.",
        ),
    ]


def _together(parts: Sequence[Calls]) -> Calls:
    statuses: Counter[str] = Counter()
    for part in parts:
        statuses.update(part.by_status)
    return Calls(
        by_status=statuses,
        by_time=[sum(column) for column in zip(*(part.by_time for part in parts), strict=True)],
        seconds=sum(part.seconds for part in parts),
    )


def _otherwise(calls: Calls) -> int:
    return sum(n for status, n in calls.by_status.items() if not status.startswith("2"))
