"""Auto-dispatch, by column or profile: no pickup is sent or added, and the flag stays here."""

import json

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, sheet

HEADER = ("Order ID", "Status", "Auto Dispatch")


def _sent(root: Root, order_id: str) -> list[dict[str, object]]:
    story = json.loads(root.run("trace", order_id, "--json").out)
    return [each["sent"] for each in story if each["sent"]]


def test_a_delivery_row_that_says_auto_dispatch_needs_no_pickup(
    root: Root, api: SandboxHandle
) -> None:
    root.configure(manifest__fill_missing_pickup="true")
    rows = [("A1", "Delivered", "true"), ("A2", "Delivered", "false"), ("A3", "Delivered", "")]
    root.drop("a.csv", sheet(rows, HEADER))
    assert root.once().code == 0
    assert _sent(root, "A1") == [{"orderId": "A1", "orderStatus": "delivery_done"}]
    for other in ("A2", "A3"):
        statuses = {str(each["orderStatus"]) for each in _sent(root, other)}
        assert statuses == {"bag_picked", "delivery_done"}
    assert api.stats()["accepted"] == 5


def test_a_pickup_row_that_says_it_is_ignored_and_none_is_added(root: Root) -> None:
    root.configure(manifest__fill_missing_pickup="true")
    root.drop("a.csv", sheet([("A1", "Picked Up", "yes"), ("A1", "Delivered", "")], HEADER))
    assert root.once().code == 0
    lines = root.of("a").lines()
    assert [line["outcome"] for line in lines] == ["ignored", "accepted"]
    assert lines[0]["codes"] == "AUTO_DISPATCHED:auto_dispatch"
    assert [each["orderStatus"] for each in _sent(root, "A1")] == ["delivery_done"]
    assert "dispatch" not in json.dumps(_sent(root, "A1")).casefold()


def test_the_profile_says_it_for_all_rows_but_those_that_deny_it(root: Root) -> None:
    root.configure(manifest__fill_missing_pickup="true")
    profiles = root.path / "couriers"
    profiles.mkdir()
    text = (
        'name = "swift"\nauto_dispatch = true\n[statuses]\n'
        'bag_picked = ["Picked Up"]\ndelivery_done = ["Delivered"]\n'
    )
    (profiles / "swift.toml").write_text(text, "utf-8")
    rows = [("A1", "Picked Up", ""), ("A2", "Delivered", ""), ("A3", "Delivered", "no")]
    root.drop("a.csv", sheet(rows, HEADER), folder="swift")
    assert root.once().code == 0
    assert [line["outcome"] for line in root.of("a").lines()] == ["ignored", *["accepted"] * 2]
    assert _sent(root, "A1") == []
    assert [each["orderStatus"] for each in _sent(root, "A2")] == ["delivery_done"]
    assert {each["orderStatus"] for each in _sent(root, "A3")} == {"bag_picked", "delivery_done"}


def test_a_later_file_without_the_column_remembers_it(root: Root, api: SandboxHandle) -> None:
    root.configure(manifest__fill_missing_pickup="true")
    rows = [("A1", "Picked Up", "true"), ("A2", "In Transit", "true"), ("A3", "In Transit", "")]
    root.drop("monday.csv", sheet(rows, HEADER))
    assert root.once().code == 0
    assert api.stats()["calls"] == 0
    root.drop("tuesday.csv", sheet((order, "Delivered") for order in ("A1", "A2", "A3")))
    assert root.once().code == 0
    for known in ("A1", "A2"):
        assert [each["orderStatus"] for each in _sent(root, known)] == ["delivery_done"]
    assert {each["orderStatus"] for each in _sent(root, "A3")} == {"bag_picked", "delivery_done"}
