"""Updates that an earlier file left unknown are asked about before a later file sends them."""

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, orders


def test_a_later_file_asks_before_it_sends_what_an_earlier_one_left_unknown(
    root: Root, api: SandboxHandle
) -> None:
    root.configure(api__reconcile="false")
    api.set_faults(html_rate=1.0, html_status=(200,))
    root.drop("first.csv", orders(3))
    assert root.once().code == 3
    assert root.of("first").counts == {"unknown": 3}
    api.set_faults(html_rate=0.0)
    before = api.stats()
    root.drop("second.csv", orders(5))
    assert root.once(SHIPDROP_API__RECONCILE="true").code == 0
    second = root.of("second")
    assert second.counts == {"accepted": 5}
    assert [line["codes"] for line in second.lines()] == ["RECONCILED"] * 3 + [""] * 2
    after = api.stats()
    assert after["calls"] - before["calls"] == 1
    assert after["repeats"] == before["repeats"] == 0
