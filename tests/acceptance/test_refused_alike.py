"""An API that refuses everything alike is not taken for bad rows; bad rows are found out."""

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, orders, until


def test_a_service_that_was_taken_in_the_morning_rejects_nothing_in_the_afternoon(
    root: Root, api: SandboxHandle
) -> None:
    root.configure(api__probe_seconds=0.3)
    service = root.start("run")
    root.drop("morning.csv", orders(100, prefix="AM"))
    until(lambda: root.delivered(), what="the morning's summary")
    api.set_faults(status_all=400)
    root.drop("afternoon.csv", orders(100, prefix="PM"))
    until(lambda: len(root.delivered()) == 2, what="the afternoon's summary")
    until(lambda: "api.shut" in service.err_path.read_text("utf-8"), what="that it is held")
    assert root.of("afternoon").summary["state"] == "open"
    assert root.of("afternoon").counts == {"unsent": 100}
    told = service.err_path.read_text("utf-8")
    assert "(400)" in told
    assert "shipdrop cancel" in told
    api.set_faults(status_all=0)
    until(lambda: root.of("afternoon").counts == {"accepted": 100}, what="that it goes on")
    assert service.end().code == 0


def test_a_file_of_bad_rows_left_open_does_not_keep_later_runs_from_sending(
    root: Root, api: SandboxHandle
) -> None:
    api.set_faults(poison_orders=[f"BAD{n:06}" for n in range(100)])
    root.drop("bad.csv", orders(100, prefix="BAD"))
    held = root.once()
    assert held.code == 5
    assert "another file gets through, or `shipdrop cancel`" in held.err.splitlines()[-1]
    assert root.of("bad").counts == {"unsent": 100}
    # The bad drop is taken up at the start; the good file is only seen after it has settled.
    root.drop("good.csv", orders(60, prefix="GOOD"))
    ran = root.once(SHIPDROP_INBOX__SETTLE_SECONDS="0.5")
    assert root.of("good").counts == {"accepted": 60}
    assert root.of("bad").counts == {"failed": 100}
    assert ran.code == 3


def test_an_api_that_refuses_everything_is_found_out_in_few_calls(
    root: Root, api: SandboxHandle
) -> None:
    api.set_faults(status_all=422)
    root.drop("all.csv", orders(400))
    held = root.once()
    assert held.code == 5
    assert root.of("all").counts == {"unsent": 400}
    assert api.stats()["calls"] < 60
    api.set_faults(status_all=0)
    assert root.once().code == 0
    assert root.of("all").counts == {"accepted": 400}
    assert api.stats()["repeats"] == 0
