"""An order that is already where it is to go: the API refuses, and asking shows that it is so."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest

from pipeline.sandbox.config import Faults, OrderState, SandboxConfig
from pipeline.sandbox.server import running
from tests.acceptance.harness import Delivered, orders, rooted, sheet

THERE = {
    "ORDERDELIVERED": OrderState.DELIVERY_DONE,
    "ORDERPICKEDUP": OrderState.BAG_PICKED,
    "ORDERRETURNING": OrderState.RETURN_BAG_IN_TRANSIT,
    "ORDERCANCELLED": OrderState.CANCELLED,
}
ROWS = [
    ("ORDERDELIVERED", "Delivered"),
    ("ORDERPICKEDUP", "Picked"),
    ("ORDERPICKEDUP", "Delivered"),
    ("ORDERRETURNING", "Return Picked Up"),
    ("ORDERCANCELLED", "Delivered"),
    ("ORDERUNTOUCHED", "Delivered"),
]


def ended(found: Delivered) -> Mapping[tuple[str, str], tuple[str, str]]:
    """Order and status → outcome and codes."""
    return {
        (line["order_id"], line["order_status"]): (line["outcome"], line["codes"])
        for line in found.lines()
    }


@pytest.mark.parametrize("shape", ["data", "strings", "index"])
def test_what_is_there_already_is_a_duplicate_and_no_reject(
    tmp_path: Path, shape: Literal["data", "strings", "index"]
) -> None:
    config = SandboxConfig(orders=THERE, faults=Faults(partial_shape=shape))
    with running(config) as api, rooted(tmp_path, api.url, api.token) as root:
        root.drop("a.csv", sheet(ROWS))
        assert root.once().code == 3
        found = root.of("a")
        found.assert_sound(len(ROWS))
        there = ("duplicate", "ALREADY_THERE")
        assert ended(found) == {
            ("ORDERDELIVERED", "delivery_done"): there,
            ("ORDERPICKEDUP", "bag_picked"): there,
            ("ORDERPICKEDUP", "delivery_done"): ("accepted", ""),
            ("ORDERRETURNING", "return_bag_in_transit"): there,
            ("ORDERCANCELLED", "delivery_done"): ("failed", "API_REFUSED"),
            ("ORDERUNTOUCHED", "delivery_done"): ("accepted", ""),
        }
        assert [line["Order ID"] for line in found.lines("rejects.csv")] == ["ORDERCANCELLED"]
        assert api.stats()["info_calls"] == 3


def test_a_file_that_was_sent_before_ends_by_itself_on_a_ledger_that_knows_nothing_of_it(
    tmp_path: Path,
) -> None:
    with running(SandboxConfig()) as api:
        for place, code in (("first", 0), ("anew", 0)):
            (tmp_path / place).mkdir()
            with rooted(tmp_path / place, api.url, api.token) as root:
                root.drop("a.csv", orders(45))
                assert root.once().code == code
                found = root.of("a")
        assert found.counts == {"duplicate": 45}
        assert found.codes == {"NO_EVENT_TIME"}
        assert api.stats()["info_calls"] == 45


def test_an_api_that_says_so_and_has_another_status_is_not_believed(tmp_path: Path) -> None:
    config = SandboxConfig(orders=THERE, faults=Faults(info_status=500))
    with running(config) as api, rooted(tmp_path, api.url, api.token) as root:
        root.drop("a.csv", sheet(ROWS[:1]))
        assert root.once().code == 3
        assert root.of("a").counts == {"failed": 1}


def test_nobody_is_asked_where_asking_is_switched_off(tmp_path: Path) -> None:
    config = SandboxConfig(orders=THERE)
    with running(config) as api, rooted(tmp_path, api.url, api.token) as root:
        root.configure(api__reconcile="false")
        root.drop("a.csv", sheet(ROWS[:1]))
        assert root.once().code == 3
        assert root.of("a").counts == {"failed": 1}
        assert api.stats()["info_calls"] == 0
