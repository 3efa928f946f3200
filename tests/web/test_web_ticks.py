"""A tick on the page is a person's word about a row that others hold, and only that."""

from typing import Any

import httpx
import pytest

from tests.acceptance.harness import sheet
from tests.acceptance.test_evidence_over_rows import came_back
from tests.web.conftest import Live
from tests.web.test_web_fixing import child_of, dropped

WITH_AWB = ("Order ID", "AWB No", "Status")
OPEN = "PARCELS_OPEN:awb"


def rows_of(client: httpx.Client, drop: str) -> list[dict[str, Any]]:
    """The rows of a drop that need somebody."""
    rows: list[dict[str, Any]] = client.get(f"/api/v1/drops/{drop}/corrections").json()["rows"]
    return rows


def tick(client: httpx.Client, drop: str, row: int) -> None:
    """Tick a row."""
    order = {"rows": [row], "send": True}
    answer = client.put(f"/api/v1/drops/{drop}/corrections/choice", json=order)
    assert answer.status_code == 200, answer.text


def typed(client: httpx.Client, drop: str, row: int, status: str) -> str:
    """Type a status; return what is said of the row then."""
    cell = {"row": row, "column": "Status", "value": status}
    answer = client.put(f"/api/v1/drops/{drop}/corrections/cells", json=cell)
    return " ".join(each["message"] for each in answer.json()["faults"])


def sent(client: httpx.Client, drop: str) -> tuple[int, int]:
    """Send; return how many rows went and how many stayed."""
    answer = client.post(f"/api/v1/drops/{drop}/corrections/send", json={})
    assert answer.status_code == 202, answer.text
    return answer.json()["rows"], answer.json()["skipped"]


def test_a_tick_releases_a_row_that_has_a_warning_too(live: Live) -> None:
    header = (*WITH_AWB, "Remarks")
    rows = [("TICK1", "X1", "Delivered", "long " * 500), ("TICK1", "X2", "In Transit", "")]
    drop = dropped(live, "tick_warned.csv", sheet(rows, header))
    with live.client() as client:
        (row,) = rows_of(client, drop)
        assert len(row["codes"]) == 2
        assert OPEN in row["codes"]
        tick(client, drop, 2)
        assert sent(client, drop) == (1, 0)
    assert child_of(live, drop).counts == {"accepted": 1}


def test_a_tick_releases_a_row_that_is_held_since_it_was_corrected(live: Live) -> None:
    dropped(live, "tick_road.csv", sheet([("TICK2", "X2", "In Transit")], WITH_AWB))
    drop = dropped(live, "tick_typed.csv", sheet([("TICK2", "X1", "Delivred!")], WITH_AWB))
    with live.client() as client:
        assert "tick the row" in typed(client, drop, 2, "Delivered")
        tick(client, drop, 2)
        assert sent(client, drop) == (1, 0)
    assert child_of(live, drop).counts == {"accepted": 1}


def test_a_tick_says_nothing_of_what_is_typed_later(live: Live) -> None:
    dropped(live, "tick_way.csv", sheet([("TICK3", "X2", "In Transit")], WITH_AWB))
    drop = dropped(live, "tick_before.csv", sheet([("TICK3", "X1", "Delivred!")], WITH_AWB))
    with live.client() as client:
        tick(client, drop, 2)
        assert "tick the row" in typed(client, drop, 2, "Delivered")
        tick(client, drop, 2)
        typed(client, drop, 2, "RTO Delivered")
        assert "tick the row" in typed(client, drop, 2, "Delivered")
        (row,) = rows_of(client, drop)
        assert not row["goes_out"]


def test_a_tick_releases_a_row_that_came_back_held(live: Live) -> None:
    dropped(live, "tick_on.csv", sheet([("TICK4", "X2", "In Transit")], WITH_AWB))
    drop = dropped(live, "tick_back.csv", sheet([("TICK4", "X1", "Delivred!")], WITH_AWB))
    live.root.drop("tick_by_hand.csv", came_back(live.root, "tick_back", Status="Delivered"))
    assert child_of(live, drop).counts == {"rejected": 1}
    with live.client() as client:
        (row,) = rows_of(client, drop)
        assert (row["codes"], row["goes_out"]) == ([OPEN], False)
        tick(client, drop, 2)
        assert sent(client, drop) == (1, 0)
    assert child_of(live, drop, 1).counts == {"accepted": 1}


@pytest.mark.parametrize("wanted", [True, False])
def test_a_held_row_is_shown_unticked_until_somebody_ticks_it(live: Live, *, wanted: bool) -> None:
    order = f"TICK5{wanted}"
    dropped(live, f"tick_a{wanted}.csv", sheet([(order, "X2", "In Transit")], WITH_AWB))
    drop = dropped(live, f"tick_b{wanted}.csv", sheet([(order, "X1", "Delivred!")], WITH_AWB))
    with live.client() as client:
        assert typed(client, drop, 2, "Delivered")
        if wanted:
            tick(client, drop, 2)
        shown = client.get(f"/drops/{drop}/fix").text
        assert ('name="send-0" value="1" aria-label="Send row 2" checked' in shown) is wanted
