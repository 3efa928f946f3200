"""A day's file of each courier, with the harmless columns of real files: no row of it is held."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.acceptance.harness import Root
from tests.fakes.courier_days import (
    DAYS,
    DONE,
    HARMLESS,
    PICKED,
    RETURNED,
    RETURNING,
    YESTERDAY,
    Day,
    RowOf,
    cell_of,
)

ROWS = 500


def events(day: Day) -> Iterator[tuple[str, str, tuple[str, ...], RowOf]]:
    """Order, AWB, cells that decide, and the row, as a courier's system lists a day's scans.

    Most orders stand in one row. Of each twenty one was picked up and delivered the same day, one
    was sent in two items under one AWB, one comes back under another AWB after its delivery.
    """
    kinds = [*day.kinds.items()]
    at = 0
    for order in range(ROWS):
        cells, status = kinds[order % len(kinds)]
        mine = [(cells, status, 0)]
        if status == DONE and day.some(PICKED) and order % 20 < 7:
            mine.insert(0, (day.some(PICKED)[0], PICKED, 0))
        elif status == DONE and order % 20 < 14:
            mine.append((cells, status, 0))
        elif status == DONE and (back := day.some(RETURNING, RETURNED)):
            mine.append((back[0], day.kinds[back[0]], 1))
        for number, (decides, comes_to, parcel) in enumerate(mine):
            when = YESTERDAY.replace(hour=6 + order % 14, minute=order % 60) + timedelta(
                hours=2 * number * (mine[0][0] != decides)
            )
            row = RowOf(at=at, when=when, status=comes_to)
            yield f"{17788111230617047123 + 97 * order}", f"3600{parcel}001{order:05}", decides, row
            at += 1


def written_day(courier: str, day: Day) -> tuple[str, Counter[str]]:
    """The file, and how many rows come to each order status."""
    own = {*day.decides, *day.own, day.order_id, day.awb}
    harmless = {name: cells for name, cells in HARMLESS.items() if name not in own}
    # The bag that travels back is in a helper column there; a second one would say the same.
    if courier == "ecomexpress":
        harmless.pop("RTO AWB")
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow([day.order_id, day.awb, *day.decides, *day.own, *harmless])
    counted: Counter[str] = Counter()
    for order, awb, decides, row in events(day):
        counted[row.status] += 1
        cells = (cell_of(each, row) for each in (*day.own.values(), *harmless.values()))
        table.writerow([order, awb, *decides, *cells])
    return text.getvalue(), counted


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Courier → what ``check`` tells of its day, all of them read by one command."""
    path = tmp_path_factory.mktemp("days")
    root = Root(path)
    files = []
    for courier, day in DAYS.items():
        files.append(path / (f"{courier}_day.csv" if courier != "generic" else "day.csv"))
        files[-1].write_text(written_day(courier, day)[0], encoding="utf-8")
    return dict(zip(DAYS, root.run("check", "--json", *files).json, strict=True))


@pytest.mark.parametrize("courier", DAYS)
def test_no_row_of_a_healthy_day_is_held(checked: dict[str, Any], courier: str) -> None:
    told = checked[courier]
    assert told["courier"] == courier
    assert told["refused"] is None
    assert told["rows"]["rejected"] == 0, told["errors"]
    _, expected = written_day(courier, DAYS[courier])
    assert expected.total() >= ROWS
    found: Counter[str] = Counter()
    for each in told["statuses"]:
        assert each["outcome"] in ({"unsent", "duplicate"} if each["order_status"] else {"ignored"})
        found[each["order_status"]] += each["count"]
    assert found == expected
    assert {warning["code"] for warning in told["warnings"]} <= {"REASON_NOT_NUMERIC"}
