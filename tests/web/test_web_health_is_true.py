"""An outage, a full or missing outbox, a long pause: all who tell of a service say the same."""

import json
import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from pipeline.sandbox.config import Faults, SandboxConfig
from tests.acceptance.harness import orders, until
from tests.fakes.mailbox import Mailbox
from tests.web.conftest import Live, Open

MINUTE = 3.0
"""Seconds that stand for the minute after which an outage counts (``api.outage_seconds``)."""
DOWN = SandboxConfig(faults=Faults(status_all=503))


def settings(mailbox: Mailbox, **more: object) -> dict[str, object]:
    return {
        "notify__urls": f'["json://127.0.0.1:{mailbox.port}/"]',
        "notify__digest_seconds": 0,
        "api__outage_seconds": MINUTE,
        "api__probe_seconds": 0.4,
        "api__max_attempts": 2,
        **more,
    }


def checks(live: Live) -> dict[str, bool]:
    """Return the answer of ``/readyz``, whose status agrees with it."""
    with live.client() as client:
        ready = client.get("/readyz")
    told: dict[str, bool] = ready.json()["checks"]
    assert ready.status_code == (200 if all(told.values()) else 503)
    return told


def troubles(live: Live) -> set[str]:
    """Return the troubles that ``/metrics`` names."""
    with live.client() as client:
        text = client.get("/metrics").text
    return set(re.findall(r'shipdrop_trouble\{what="(\w+)"\} 1\.0', text))


def findings(live: Live) -> list[dict[str, Any]]:
    """Return the faults that ``doctor`` finds."""
    return [each for each in live.root.run("doctor", "--json").json if not each["fine"]]


def strip(live: Live) -> str:
    with live.client() as client:
        return client.get("/strip").text


def test_an_outage_is_told_by_all_until_a_call_succeeds(open_live: Open, mailbox: Mailbox) -> None:
    with open_live(api=DOWN, **settings(mailbox)) as live:
        until(lambda: all(checks(live).values()), what="all in order")
        live.root.drop("down.csv", orders(3))
        until(lambda: not checks(live)["api"], what="not ready")
        assert {name for name, fine in checks(live).items() if not fine} == {"api"}
        assert troubles(live) == {"api"}
        assert any(each["subject"] == "api" for each in findings(live))
        assert "503" in live.root.run("why", "down.csv").out
        assert "bad" in strip(live)
        until(lambda: "Fynd is not answering" in mailbox.text, what="a notice")
        calls = live.api.stats()["calls"]
        for number in range(1, 7):  # it is tried again and again meanwhile
            until(lambda n=calls + number: live.api.stats()["calls"] >= n, what="another call")
            assert not checks(live)["api"]
        assert "Sending goes on" not in mailbox.text
        live.api.set_faults(status_all=0)
        until(lambda: all(checks(live).values()), what="ready again")
        until(lambda: "Sending goes on: Fynd answers again." in mailbox.text, what="the end")
        assert mailbox.text.count("Fynd is not answering") == 1
        assert mailbox.text.count("Sending goes on") == 1
        assert troubles(live) == set()
        assert findings(live) == []
        log = live.service.err_path.read_text()
    assert log.count('"event": "api.outage"') == 1
    assert log.count('"event": "api.shut"') <= 1


def test_an_outage_that_a_cancel_ends_is_not_told_as_an_answer(
    open_live: Open, mailbox: Mailbox
) -> None:
    with open_live(api=DOWN, **settings(mailbox)) as live:
        live.root.drop("down.csv", orders(3))
        until(lambda: "Fynd is not answering" in mailbox.text, what="a notice")
        (drop,) = live.root.delivered()
        assert live.root.run("cancel", drop.id).code == 0
        until(lambda: all(checks(live).values()), what="nothing is due any more")
        until(lambda: "Nothing waits" in mailbox.text, what="the end")
        assert "answers again" not in mailbox.text


def test_a_long_pause_is_told_with_its_end_and_ended_by_a_call_that_is_taken(
    open_live: Open, mailbox: Mailbox
) -> None:
    slow = SandboxConfig(faults=Faults(limit_per_second=0.0001, limit_burst=1))
    with open_live(api=slow, **settings(mailbox, api__concurrency=1)) as live:
        live.root.drop("slow.csv", orders(60))

        def ends() -> str:
            told = json.loads((live.root.path / "state/health.json").read_bytes())
            return str(told.get("pause_until") or "")[:16]

        until(ends, what="the end of the pause")
        until(lambda: not checks(live)["api"], what="not ready")
        before = ends()
        (found,) = (each for each in findings(live) if each["subject"] == "api")
        # Each call that tries moves the end: a minute may have ended meanwhile.
        assert before in found["found"] or ends() in found["found"]
        assert "asks for no calls until" in strip(live)
        assert '"event": "api.paused"' in live.service.err_path.read_text()
        calls = live.api.stats()["calls"]
        until(lambda: live.api.stats()["calls"] > calls, what="a call that tries")
        live.api.set_faults(limit_per_second=0)
        until(lambda: live.root.delivered()[0].counts == {"accepted": 60}, what="all is sent")
        until(lambda: all(checks(live).values()), what="ready again")


def for_people(reason: str) -> re.Pattern[str]:
    """The reason as a person is told it: the API by its name, and times of one zone."""
    parts = re.split(r"\d{4}-[-\d]+T[:.\d]+Z", reason.replace("The API", "Fynd"))
    return re.compile(r"[\d:, A-Za-z]+".join(map(re.escape, parts)))


class State(Struct, frozen=True):
    """A state of a service. ``what``: the check that fails; ``strip``, ``notice``: words for it.

    ``begins``, ``ends``: bring it about, and mend it.
    """

    what: str
    strip: str
    notice: str
    begins: Callable[[Live], object]
    ends: Callable[[Live], object]


def api_answers(status: int) -> Callable[[Live], object]:
    return lambda live: live.api.set_faults(status_all=status)


def inbox_away(live: Live) -> None:
    live.root.inbox.rename(live.root.path / "elsewhere")


def inbox_back(live: Live) -> None:
    (live.root.path / "elsewhere").rename(live.root.inbox)


def outbox_blocked(live: Live) -> None:
    live.root.outbox.rmdir()
    live.root.outbox.write_text("in the way")


def outbox_free(live: Live) -> None:
    live.root.outbox.unlink()


OVER = {
    "inbox": "Over: the inbox is in order again.",
    "storage": "Over: storage is in order again.",
    "api": "Sending goes on",
}
"""A notice's words for the end of what a check tells of."""

STATES = {
    "no inbox": State("inbox", "inbox", "Trouble with the inbox", inbox_away, inbox_back),
    # Before anything lies there.
    "no outbox": State("storage", "cannot be written", "outbox", outbox_blocked, outbox_free),
    "away": State(
        "api", "not answering", "Fynd is not answering", api_answers(503), api_answers(0)
    ),
    "dead token": State(
        "api", "refuses our login", "Fynd refuses our login", api_answers(401), api_answers(0)
    ),
    "refuses all": State(
        "api", "takes nothing", "Fynd takes nothing", api_answers(422), api_answers(0)
    ),
}


def test_in_each_state_all_say_the_same(open_live: Open, mailbox: Mailbox) -> None:
    with open_live(**settings(mailbox)) as live:
        for name, state in STATES.items():
            all_say_the_same(live, mailbox, name, state)
        until(
            lambda: len(live.root.delivered()) == len(STATES) - 1, what="the reports of all files"
        )


def all_say_the_same(live: Live, mailbox: Mailbox, name: str, state: State) -> None:
    until(lambda: all(checks(live).values()), what=f"all in order before: {name}")
    already = len(mailbox.messages)

    def news() -> str:
        return "\n".join(each["message"] for each in mailbox.messages[already:])

    state.begins(live)
    if state.what != "inbox":
        live.root.drop(f"{name}.csv", orders(60, prefix=name.upper().replace(" ", "")))
    until(lambda: not checks(live)[state.what], what=f"not ready: {name}")
    assert {check for check, fine in checks(live).items() if not fine} == {state.what}
    assert troubles(live) == {state.what}
    health = live.root.path / "state/health.json"
    (reason,) = until(
        lambda: [each for each in json.loads(health.read_bytes())["trouble"].values() if each],
        what=f"the trouble in health.json, too: {name}",
    )
    assert any(reason in each["found"] for each in findings(live))
    by_why = live.root.run("why", f"{name}.csv")
    if state.what == "inbox":  # no file can be asked about where there is no inbox
        assert by_why.code == 2
        assert "inbox" in by_why.err
    else:
        assert reason in by_why.out
    assert state.strip in strip(live)
    until(lambda: state.notice in news(), what=f"a notice: {name}")
    assert for_people(reason).search(news())
    state.ends(live)
    until(lambda: all(checks(live).values()), what=f"ready again: {name}")
    until(lambda: troubles(live) == set(), what=f"no trouble: {name}")
    until(lambda: OVER[state.what] in news(), what=f"a notice of its end: {name}")
    assert len(mailbox.messages) == already + 2
