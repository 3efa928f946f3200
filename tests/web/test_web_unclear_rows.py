"""A row that other rows left open, on Correct rows: it goes by a new word, or by a person's."""

from typing import Any

from tests.acceptance.harness import sheet, until
from tests.web.conftest import Live
from tests.web.test_web_work_ends import of


def test_an_unclear_row_goes_by_a_new_word_or_by_a_tick_after_it_was_asked(live: Live) -> None:
    ways = ("Forward", "RTO", "", "", "Forward")
    rows = [(f"UNC{at}", "Delivered", way) for at, way in enumerate(ways)]
    live.root.drop("unclear.csv", sheet(rows, ("Order ID", "Status", "Leg")))
    drop = live.drop_id("unclear.csv")
    path = f"/api/v1/drops/{drop}/corrections"
    with live.client() as client:

        def listed() -> dict[int, dict[str, Any]]:
            return {row["row"]: row for row in client.get(path).json()["rows"]}

        def tick() -> None:
            assert client.put(f"{path}/choice", json={"rows": [4], "send": True}).is_success

        assert [*listed()] == [3, 4, 5]
        cell = {"row": 5, "column": "Status", "value": "RTO Delivered"}
        assert client.put(f"{path}/cells", json=cell).is_success
        tick()
        told = listed()[4]["message"]
        assert told.startswith("Row 4: it came back as it was")
        assert "tick the row on the page" in told
        sent = client.post(f"{path}/send", json={}).json()
        assert (sent["rows"], sent["skipped"]) == (1, 1)
        until(lambda: of(live, drop)["need"] == 2, what="the row with a new word is corrected")
        tick()  # now that it was asked for, it is a person's word
        assert client.post(f"{path}/send", json={}).json()["rows"] == 1
        until(lambda: of(live, drop)["need"] == 1, what="the confirmed row is corrected")
