"""People are told when something changes, together and once; silence raises the alarm."""

from pipeline.sandbox.config import Faults, SandboxConfig
from tests.acceptance.harness import orders, sheet, until
from tests.fakes.mailbox import Mailbox
from tests.web.conftest import Open


def test_a_refused_file_and_rows_for_a_person_are_told_once_and_together(
    open_live: Open, mailbox: Mailbox
) -> None:
    with open_live(
        notify__urls=f'["json://127.0.0.1:{mailbox.port}/"]', notify__digest_seconds=3
    ) as live:
        live.root.drop("fine.csv", orders(3))
        live.root.drop("bad_rows.csv", sheet([["N1", "Delivered"], ["N2", "Nonesuch"]]))
        live.root.drop("refused.csv", "a,b\n1,2\n")
        until(lambda: "refused.csv" in mailbox.text, what="told")
        assert "bad_rows.csv" in mailbox.text
        assert "1 rejected of 2" in mailbox.text
        assert "fine.csv" not in mailbox.text
        assert len(mailbox.messages) == 1
        live.root.drop("later.csv", sheet([["N3", "Nonesuch"]]))
        until(lambda: "later.csv" in mailbox.text, what="told of the later one")
        assert mailbox.text.count("bad_rows.csv") == 1


def test_a_restart_repeats_nothing(open_live: Open, mailbox: Mailbox) -> None:
    urls = f'["json://127.0.0.1:{mailbox.port}/"]'
    with open_live(notify__urls=urls, notify__digest_seconds=0) as live:
        live.root.drop("first.csv", sheet([["R1", "Nonesuch"]]))
        until(lambda: "first.csv" in mailbox.text, what="told")
        live.service.end()
        live.root.drop("second.csv", sheet([["R2", "Nonesuch"]]))
        assert live.root.once().code == 3
        until(lambda: "second.csv" in mailbox.text, what="told by run --once")
        assert mailbox.text.count("first.csv") == 1


def test_an_api_that_stops_taking_us_is_told_and_so_is_its_return(
    open_live: Open, mailbox: Mailbox
) -> None:
    held = SandboxConfig(faults=Faults(status_all=401))
    urls = f'["json://127.0.0.1:{mailbox.port}/"]'
    with open_live(api=held, notify__urls=urls, notify__digest_seconds=0) as live:
        live.root.drop("held.csv", orders(3))
        until(lambda: "Sending is held" in mailbox.text, what="told that it is held")
        assert "401" in mailbox.text
        live.api.set_faults(status_all=0)
        until(lambda: "Sending goes on" in mailbox.text, what="told that it goes on")
        assert mailbox.text.count("Sending is held") == 1


def test_a_living_service_pings_and_its_address_is_not_logged(
    open_live: Open, mailbox: Mailbox
) -> None:
    secret = "a-secret-check-id"
    with open_live(
        notify__ping_url=f"http://127.0.0.1:{mailbox.port}/{secret}", notify__ping_seconds=0.5
    ) as live:
        until(lambda: mailbox.pings >= 2, what="two pings")
        assert secret not in live.service.err_path.read_text()
