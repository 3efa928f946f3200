"""Auto-dispatch, by column or profile: no pickup is sent or added, and the flag stays here."""

import json
from collections.abc import Iterator

import pytest

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.harness import Root, rooted, sheet

HEADER = ("Order ID", "Status", "Auto Dispatch")
SWIFT = (
    'name = "swift"\nauto_dispatch = true\n[statuses]\n'
    'bag_picked = ["Picked Up"]\ndelivery_done = ["Delivered"]\n'
)


class Days:
    """Monday's files, one for each test, in one run; and Tuesday's, which has no such column.

    ``before``: the orders that the API knew on Monday evening.
    """

    def __init__(self, root: Root, api: SandboxHandle) -> None:
        self.root = root
        self.api = api
        root.configure(manifest__fill_missing_pickup="true")
        (root.path / "couriers").mkdir()
        (root.path / "couriers" / "swift.toml").write_text(SWIFT, "utf-8")
        ends = [("A1", "Delivered", "true"), ("A2", "Delivered", "false"), ("A3", "Delivered", "")]
        root.drop("ends.csv", sheet(ends, HEADER))
        root.drop("both.csv", sheet([("B1", "Picked Up", "yes"), ("B1", "Delivered", "")], HEADER))
        swift = [("C1", "Picked Up", ""), ("C2", "Delivered", ""), ("C3", "Delivered", "no")]
        root.drop("swift.csv", sheet(swift, HEADER), folder="swift")
        monday = [
            ("D1", "Picked Up", "true"),
            ("D2", "In Transit", "true"),
            ("D3", "In Transit", ""),
        ]
        root.drop("monday.csv", sheet(monday, HEADER))
        assert root.once().code == 0
        self.before = set(api.orders())
        root.drop("tuesday.csv", sheet((order, "Delivered") for order in ("D1", "D2", "D3")))
        assert root.once().code == 0

    def sent(self, order_id: str) -> list[dict[str, object]]:
        """The bodies we sent of an order."""
        story = json.loads(self.root.run("trace", order_id, "--json").out)
        return [each["sent"] for each in story if each["sent"]]

    def taken(self, order_id: str) -> list[str]:
        """The statuses that the API has of an order."""
        found = self.api.orders(order_id)
        return [each["status"] for each in found[order_id]["history"]] if found else []


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Days]:
    place = tmp_path_factory.mktemp("days")
    with running(SandboxConfig()) as api, rooted(place, api.url, api.token) as root:
        yield Days(root, api)


def test_a_delivery_row_that_says_auto_dispatch_needs_no_pickup(days: Days) -> None:
    assert days.sent("A1") == [{"orderId": "A1", "orderStatus": "delivery_done"}]
    assert days.taken("A1") == ["delivery_done"]
    for other in ("A2", "A3"):
        assert days.taken(other) == ["bag_picked", "delivery_done"]


def test_a_pickup_row_that_says_it_is_ignored_and_none_is_added(days: Days) -> None:
    lines = days.root.of("both").lines()
    assert [line["outcome"] for line in lines] == ["ignored", "accepted"]
    assert lines[0]["codes"] == "AUTO_DISPATCHED:auto_dispatch"
    (sent,) = days.sent("B1")
    assert sent["orderStatus"] == "delivery_done"
    assert "dispatch" not in json.dumps(sent).casefold()
    assert days.taken("B1") == ["delivery_done"]


def test_the_profile_says_it_for_all_rows_but_those_that_deny_it(days: Days) -> None:
    outcomes = [line["outcome"] for line in days.root.of("swift").lines()]
    assert outcomes == ["ignored", *["accepted"] * 2]
    assert days.taken("C1") == []
    assert days.taken("C2") == ["delivery_done"]
    assert days.taken("C3") == ["bag_picked", "delivery_done"]


def test_a_later_file_without_the_column_remembers_it(days: Days) -> None:
    assert not days.before & {"D1", "D2", "D3"}
    for known in ("D1", "D2"):
        assert days.taken(known) == ["delivery_done"]
    assert days.taken("D3") == ["bag_picked", "delivery_done"]


def test_nothing_else_was_sent(days: Days) -> None:
    assert days.api.stats()["accepted"] == 5 + 1 + 3 + 4
