"""People are told when something changes, together and once; silence raises the alarm."""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.sandbox.config import Faults, SandboxConfig
from tests.acceptance.harness import Root, orders, sheet, until
from tests.fakes.mailbox import Mailbox
from tests.web.conftest import Open


def test_runs_that_end_tell_at_their_end_and_repeat_nothing(root: Root, mailbox: Mailbox) -> None:
    root.configure(notify__urls=f'["json://127.0.0.1:{mailbox.port}/"]')
    root.drop("refused.csv", "a,b\n1,2\n")
    root.drop("first.csv", sheet([["R1", "Nonesuch"]]))
    assert root.once().code == 4
    assert len(mailbox.messages) == 1
    assert [each["type"] for each in mailbox.messages] == ["failure"]
    assert "refused.csv" in mailbox.text
    assert "first.csv" in mailbox.text
    root.drop("second.csv", sheet([["R2", "Nonesuch"]]))
    assert root.once().code == 3
    assert "second.csv" in mailbox.text
    assert mailbox.text.count("first.csv") == mailbox.text.count("refused.csv") == 1


def test_an_api_that_stops_taking_us_is_told_and_so_is_its_return(
    open_live: Open, mailbox: Mailbox
) -> None:
    held = SandboxConfig(faults=Faults(status_all=401))
    urls = f'["json://127.0.0.1:{mailbox.port}/"]'
    more = {"notify__urls": urls, "notify__digest_seconds": 0, "api__probe_seconds": 0.3}
    with open_live(api=held, **more) as live:
        live.root.drop("held.csv", orders(3))
        until(lambda: "Fynd refuses our login" in mailbox.text, what="told that it is held")
        assert "401" in mailbox.text
        live.api.set_faults(status_all=0)
        until(lambda: "Sending goes on" in mailbox.text, what="told that it goes on")
        assert mailbox.text.count("Fynd refuses our login") == 1


def test_a_living_service_pings_and_its_address_is_not_logged(
    open_live: Open, mailbox: Mailbox
) -> None:
    secret = "a-secret-check-id"
    with open_live(
        notify__ping_url=f"http://127.0.0.1:{mailbox.port}/{secret}", notify__ping_seconds=0.5
    ) as live:
        until(lambda: mailbox.pings >= 2, what="two pings")
        assert secret not in live.service.err_path.read_text()


@contextmanager
def held_up(path: Path) -> Iterator[int]:
    """Whoever opens the file to write it waits until the block ends: it is leased to us."""
    before = signal.signal(signal.SIGIO, signal.SIG_IGN)  # somebody waits for it
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield handle
    finally:
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        os.close(handle)
        signal.signal(signal.SIGIO, before)


def test_a_file_whose_report_takes_longer_than_that_of_a_later_one_is_told_too(
    open_live: Open, mailbox: Mailbox
) -> None:
    urls = f'["json://127.0.0.1:{mailbox.port}/"]'
    slow = SandboxConfig(faults=Faults(latency_ms=4_000))
    with open_live(api=slow, notify__urls=urls, notify__digest_seconds=0) as live:
        outbox = live.root.outbox
        live.root.drop("slow.csv", sheet([["S1", "Delivered"], ["S2", "Nonesuch"]]))
        (received,) = until(lambda: list(outbox.glob("slow__*.received.json")), what="the claim")
        results = received.name.replace("received.json", "results.csv")
        with held_up(outbox / f".{results}.tmp") as handle:
            until(
                lambda: fcntl.fcntl(handle, fcntl.F_GETLEASE) == fcntl.F_UNLCK,
                what="the report that is to be written",
            )
            live.root.drop("refused.csv", "a,b\n1,2\n")
            until(lambda: "refused.csv" in mailbox.text, what="told of the later one")
            assert "slow.csv" not in mailbox.text
        until(lambda: "slow.csv" in mailbox.text, what="told of the earlier one")
        assert mailbox.text.count("refused.csv") == mailbox.text.count("slow.csv") == 1
