"""Answers that are none: nothing is called accepted, failed or unknown that is not."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.acceptance.harness import Ran, Root, orders, rooted, sheet, until
from tests.fakes import answers_table
from tests.fakes.answering_api import LOGIN, AnsweringApi, Says, answering

PICKED, DONE = "Picked Up", "Delivered"


@pytest.fixture
def api() -> Iterator[AnsweringApi]:
    with answering() as made:
        yield made


@pytest.fixture
def root(tmp_path: Path, api: AnsweringApi) -> Iterator[Root]:
    place = tmp_path / "root"
    place.mkdir()
    with rooted(place, api.url, "a-token") as made:
        # "Not there" proves something when the call is over: keep that wait short.
        made.configure(api__timeout_seconds=1)
        yield made


def outcomes(root: Root, stem: str) -> dict[str, str]:
    return {line["order_id"]: line["outcome"] for line in root.of(stem).lines()}


def once_more(root: Root, code: int) -> Ran:
    ran = root.once()
    assert ran.code == code, ran.err
    return ran


UNCLEAR = [
    Says(row.body, row.status)
    for row in answers_table.rows()
    if row.means == "both in doubt" and b"successCount" not in row.body
]
"""What the contract calls in doubt, whatever the call had in it."""
UNCLEAR.append(Says(b'{"data": {}, "meta": {"pad": "' + b"x" * 3_000_000 + b'"}}'))


def test_only_the_published_shape_is_a_success_and_all_else_is_asked_about_once(
    root: Root, api: AnsweringApi
) -> None:
    """Every second row is answered well, so that nothing looks like an outage."""
    odd = {f"ODD{number:03}": says for number, says in enumerate(UNCLEAR)}
    rows = [[each, DONE] for n, order in enumerate(odd) for each in (order, f"GOOD{n}")]
    api.put = lambda updates, _: odd.get(updates[0][0])
    root.configure(api__chunk_size=1, api__concurrency=1)
    root.drop("a.csv", sheet(rows))
    once_more(root, 5)
    found = outcomes(root, "a")
    assert {o for order, o in found.items() if order.startswith("GOOD")} == {"accepted"}
    assert {order: found[order] for order in odd} == dict.fromkeys(odd, "unsent")
    assert Counter(api.asked) == dict.fromkeys(odd, 1)
    assert root.of("a").summary["state"] == "open"
    root.of("a").assert_sound(len(rows))


def test_what_was_taken_behind_an_unclear_answer_is_accepted_and_never_sent_again(
    root: Root, api: AnsweringApi
) -> None:
    shapes = [Says(each.body, each.status, applied=True) for each in UNCLEAR]
    api.put = lambda _updates, number: shapes[(number - 1) % len(shapes)]
    root.configure(api__chunk_size=2, api__concurrency=4)
    root.drop("a.csv", orders(2 * len(shapes)))
    once_more(root, 0)
    assert root.of("a").counts == {"accepted": 2 * len(shapes)}
    assert {line["codes"] for line in root.of("a").lines()} == {"RECONCILED"}
    assert set(api.taken.values()) == {1}
    assert set(Counter(api.asked).values()) == {1}


HELD = {
    "a log-in page": Says(LOGIN),
    "an error object": Says({"code": 401, "message": "Please log in"}),
    "nothing at all": Says(b""),
    "ok false": Says({"ok": False}),
}


@pytest.mark.parametrize(
    ("shape", "reconcile"),
    [
        ("a log-in page", "true"),
        ("an error object", "false"),
        pytest.param("nothing at all", "true", marks=pytest.mark.soak),
        pytest.param("ok false", "false", marks=pytest.mark.soak),
    ],
)
def test_the_same_strange_answer_to_every_call_holds_sending_and_burns_nothing(
    root: Root, api: AnsweringApi, shape: str, reconcile: str
) -> None:
    root.configure(api__reconcile=reconcile)
    api.put, api.info = lambda *_: HELD[shape], lambda _: HELD[shape]
    root.drop("big.csv", orders(400))
    for number in range(5):
        root.drop(f"small{number}.csv", orders(3, prefix=f"S{number}"))
    ran = once_more(root, 5)
    assert api.calls <= 15
    assert "api.base_url" in ran.err
    for drop in root.delivered():
        assert drop.summary["state"] == "open"
        assert drop.counts == {"unsent": drop.summary["rows"]["total"]}
    again = api.calls
    once_more(root, 5)
    assert api.calls - again <= 15
    api.behave()
    root.configure(api__reconcile="true")
    once_more(root, 0)
    assert Counter(api.taken.values()) == {1: 415}
    assert all(set(drop.counts) == {"accepted"} for drop in root.delivered())


def test_a_service_that_was_shown_a_log_in_page_goes_on_when_it_is_gone(
    root: Root, api: AnsweringApi
) -> None:
    root.configure(inbox__scan_seconds=0.1, api__probe_seconds=0.3)
    api.put, api.info = lambda *_: Says(LOGIN), lambda _: Says(LOGIN)
    root.drop("a.csv", orders(300))
    service = root.start("run")
    until(lambda: root.delivered(), what="a first report")
    seen = api.calls
    assert seen <= 15
    until(lambda: api.calls > seen, what="another try")
    api.behave()
    until(lambda: root.of("a").summary["state"] == "completed", what="the end")
    assert root.of("a").counts == {"accepted": 300}
    assert set(api.taken.values()) == {1}
    assert service.end().code == 0


def test_clearly_not_there_when_the_call_is_over_is_sent_again(
    root: Root, api: AnsweringApi
) -> None:
    api.put = lambda _updates, number: Says({}) if number == 1 else None
    root.drop("a.csv", orders(2))
    once_more(root, 5)
    assert len(api.puts) == 1
    once_more(root, 0)
    first, second = api.puts
    assert second.at >= first.at + 1, "until then the first call may still be carried out"
    assert root.of("a").counts == {"accepted": 2}


@pytest.mark.parametrize(
    "info",
    [
        Says(status=500),
        Says({}),
        pytest.param(Says(LOGIN), marks=pytest.mark.soak),
        pytest.param(Says(status=404), marks=pytest.mark.soak),
    ],
)
def test_what_could_not_be_asked_is_asked_at_the_next_run(
    root: Root, api: AnsweringApi, info: Says
) -> None:
    api.put = lambda _updates, number: Says({}, applied=True) if number == 1 else None
    api.info = lambda _: info
    root.drop("a.csv", orders(2))
    once_more(root, 5)
    once_more(root, 5)
    assert root.of("a").counts == {"unsent": 2}
    api.behave()
    once_more(root, 0)
    assert root.of("a").counts == {"accepted": 2}
    assert len(api.puts) == 1


def test_what_asking_has_no_word_for_is_asked_once_more_and_then_for_a_person(
    root: Root, api: AnsweringApi
) -> None:
    api.put = lambda _updates, number: Says({}) if number == 1 else None
    api.info = lambda _: Says({"orders": []})
    root.drop("a.csv", orders(1))
    once_more(root, 5)
    once_more(root, 3)
    (line,) = root.of("a").lines()
    assert (line["outcome"], line["codes"]) == ("unknown", "ANSWER_UNCLEAR")
    assert len(api.asked) == 2
    assert len(api.puts) == 1
    assert root.run("retry", root.of("a").id).code == 0
    assert root.of("a").counts == {"accepted": 1}


def test_cancelled_while_its_answer_is_unclear_a_row_is_unknown_and_not_unsent(
    root: Root, api: AnsweringApi
) -> None:
    api.put, api.info = lambda *_: Says({}), lambda _: Says(status=500)
    root.drop("a.csv", orders(1))
    once_more(root, 5)
    assert root.of("a").counts == {"unsent": 1}
    assert root.run("cancel", root.of("a").id).code in {0, 3}
    assert root.of("a").counts == {"unknown": 1}


def test_what_the_api_says_of_our_token_and_password_is_kept_and_shown_without_them(
    root: Root, api: AnsweringApi
) -> None:
    token, password = "tok/SECRET-123", 'p4"ss & SECRET'
    words = f"token {token} of {password} is bad"
    said = {
        "NAMED1": Says({"errors": [{"orderId": "NAMED1", "message": words}]}, 422),
        "FAILED1": Says({"data": {"failedCount": 1, "successCount": 0, "errors": [words]}}),
        "PAGE1": Says(f"<html>{token}</html>".encode()),
        "URL1": Says(b"see /login?t=tok%2FSECRET-123&p=p4%22ss+%26+SECRET"),
        "SICK1": Says(f"Traceback {words}".encode(), 500),
        "HELD1": Says(words.encode(), 403),
    }
    api.put = lambda updates, _: said.get(updates[0][0])
    root.configure(api__chunk_size=1, api__concurrency=1, api__max_attempts=1)
    root.configure(api__token=token, api__username="ann", api__password=password)
    root.drop("a.csv", sheet([[each, DONE] for order in said for each in (f"GOOD-{order}", order)]))
    ran = root.run("run", "--once", "--verbose")
    assert ran.code == 5
    assert "token [secret] of [secret] is bad" in ran.err
    kept = [each.read_bytes() for each in root.path.rglob("*") if each.is_file()]
    for told in (ran.err.encode(), ran.out.encode(), *kept):
        assert b"SECRET" not in told
    assert any(b"token [secret] of" in each for each in kept)


def test_a_row_tells_the_status_of_its_own_last_answer(root: Root, api: AnsweringApi) -> None:
    """The call is refused for one order; the others go first, and it alone is refused again."""

    def put(updates: Sequence[tuple[str, str]], _number: int) -> Says | None:
        named = {"errors": [{"orderId": "ORD000001", "message": "no"}]}
        return Says(named, 422) if "ORD000001" in dict(updates) else None

    api.put = put
    root.drop("a.csv", orders(3))
    once_more(root, 3)
    told = {line["order_id"]: line["http_status"] for line in root.of("a").lines()}
    assert told == {"ORD000000": "200", "ORD000001": "422", "ORD000002": "200"}


@pytest.mark.parametrize(
    ("says", "policy", "words"),
    [
        (Says(status=503), "resend", "The API answered 503."),
        (Says(b"<b>sick</b>", 500), "resend", "The API answered 500: sick."),
        (
            Says(status=429, headers={"retry-after": "86400"}),
            "resend",
            "The API answered 429 (too many calls). It asks to wait 86400 seconds.",
        ),
        (Says(status=502), "hold", "The API answered 502."),
        (Says(None), "resend", "The API cannot be reached or does not answer: "),
    ],
    ids=["503", "500", "429", "502", "nothing"],
)
def test_why_a_drop_is_open_is_what_the_api_answered(
    root: Root, api: AnsweringApi, says: Says, policy: str, words: str
) -> None:
    api.put, api.info = lambda *_: says, lambda _: says
    root.configure(api__max_attempts=1, api__when_in_doubt=policy)
    root.drop("a.csv", orders(1))
    once_more(root, 5)
    assert root.of("a").summary["open"]["reason"].startswith(words)
    (line,) = root.of("a").lines()
    assert "interrupted" not in line["message"]
    assert says.body is None or str(says.status) in line["message"] or "sick" in line["message"]


# -- one order over several files --------------------------------------------------------------


FIRST_DAY = {
    "an unclear answer": ("resend", Says(LOGIN)),
    "an unclear answer, taken": ("resend", Says(LOGIN, applied=True)),
    "a lost answer, held": ("hold", Says(None)),
    "a lost answer, held, taken": ("hold", Says(None, applied=True)),
}


@pytest.mark.parametrize(
    "case",
    [
        "an unclear answer",
        "a lost answer, held, taken",
        pytest.param("an unclear answer, taken", marks=pytest.mark.soak),
        pytest.param("a lost answer, held", marks=pytest.mark.soak),
    ],
)
def test_the_next_days_file_waits_while_the_earlier_step_is_in_doubt(
    root: Root, api: AnsweringApi, case: str
) -> None:
    policy, says = FIRST_DAY[case]
    root.configure(api__when_in_doubt=policy)
    api.put = lambda _updates, number: says if number == 1 else None
    api.info = lambda _: Says(status=500)
    root.drop("monday.csv", sheet([("X1", PICKED)]))
    once_more(root, 5)
    root.drop("tuesday.csv", sheet([("X1", DONE)]))
    once_more(root, 5)
    assert api.sent("X1") == ["bag_picked"]
    assert outcomes(root, "tuesday") == {"X1": "unsent"}
    api.behave()
    once_more(root, 0)
    assert outcomes(root, "monday") == outcomes(root, "tuesday") == {"X1": "accepted"}
    assert set(api.taken.values()) == {1}


@pytest.mark.parametrize(
    ("taken", "policy"),
    [
        (True, "resend"),
        (False, "hold"),
        pytest.param(True, "hold", marks=pytest.mark.soak),
        pytest.param(False, "resend", marks=pytest.mark.soak),
    ],
)
def test_a_later_step_waits_for_one_that_a_closed_file_left_unknown(
    root: Root, api: AnsweringApi, *, taken: bool, policy: str
) -> None:
    root.configure(api__reconcile="false", api__when_in_doubt=policy)
    api.put = lambda _updates, number: Says({}, applied=taken) if number == 1 else None
    root.drop("monday.csv", sheet([("X1", PICKED)]))
    once_more(root, 3)
    assert outcomes(root, "monday") == {"X1": "unknown"}
    root.drop("tuesday.csv", sheet([("X1", DONE), ("Y1", DONE)]))
    once_more(root, 5)
    assert outcomes(root, "tuesday") == {"X1": "unsent", "Y1": "accepted"}
    assert api.sent("X1") == ["bag_picked"], "nobody may be asked, so it waits for a person"
    (line,) = (line for line in root.of("tuesday").lines() if line["order_id"] == "X1")
    assert line["codes"] == "EARLIER_OPEN"
    assert "bag_picked" in line["message"]
    if taken and policy == "resend":
        once_more_asking = root.once(SHIPDROP_API__RECONCILE="true")
        assert once_more_asking.code == 0, once_more_asking.err
    else:
        root.configure(api__reconcile="true")
        # What waits for it must not keep it waiting.
        ran = root.run("retry", root.of("monday").id)
        assert ran.code == 0, ran.err
        once_more(root, 0)
    assert outcomes(root, "tuesday") == {"X1": "accepted", "Y1": "accepted"}
    assert set(api.taken.values()) == {1}


def test_a_step_that_waits_for_another_files_waits_still_when_its_chunk_is_in_doubt(
    root: Root, api: AnsweringApi
) -> None:
    """X1 and Z1 share a chunk: the answer for X1 is lost, and then nobody can be asked."""
    root.configure(api__reconcile="false")
    api.put = lambda _updates, number: Says({}) if number == 1 else None
    root.drop("monday.csv", sheet([("X1", PICKED), ("Z1", PICKED)]))
    once_more(root, 3)
    root.configure(api__reconcile="true")
    api.orders.apply("X1", "bag_picked")
    root.drop("tuesday.csv", sheet([("X1", DONE), ("Z1", DONE)]))
    api.put = lambda *_: Says(None, applied=True)
    api.info = lambda _: Says(status=401) if len(api.puts) > 1 else None
    once_more(root, 5)
    assert api.sent("X1") == ["bag_picked", "delivery_done"]
    assert outcomes(root, "tuesday") == {"X1": "unknown", "Z1": "unsent"}
    once_more(root, 5)
    api.behave()
    once_more(root, 5)
    assert api.sent("Z1") == ["bag_picked"], "nobody knows yet whether it was taken"
    assert outcomes(root, "tuesday") == {"X1": "accepted", "Z1": "unsent"}


def test_two_steps_in_one_file_wait_for_each_other_and_both_get_there(
    root: Root, api: AnsweringApi
) -> None:
    api.put = lambda _updates, number: Says(LOGIN) if number == 1 else None
    root.drop("a.csv", sheet([("X1", PICKED), ("X1", DONE), ("Y1", PICKED), ("Y1", DONE)]))
    once_more(root, 5)
    assert api.sent("X1") == ["bag_picked"]
    once_more(root, 0)
    assert root.of("a").counts == {"accepted": 4}


# -- who is blamed -----------------------------------------------------------------------------


def test_an_order_is_not_blamed_for_a_number_in_the_apis_words(
    root: Root, api: AnsweringApi
) -> None:
    """The refused row is that of order 77; the words speak of 10 characters."""

    def put(updates: object, _number: int) -> Says | None:
        assert isinstance(updates, tuple)
        sent = dict(updates)
        if "77" not in sent:
            return None
        for order in sent.keys() - {"77"}:
            api.orders.apply(order, "bag_picked")
        facts = {
            "payloadCount": len(sent),
            "successCount": len(sent) - 1,
            "failedCount": 1,
            "status": "PARTIAL" if len(sent) > 1 else "FAILED",
            "errors": ["remark must be at least 10 characters"],
        }
        return Says({"data": facts, "meta": {}})

    api.put = put
    root.drop("a.csv", sheet([("10", PICKED), ("77", PICKED), ("5", PICKED)]))
    once_more(root, 5)
    assert outcomes(root, "a") == {"10": "accepted", "77": "unsent", "5": "accepted"}
    once_more(root, 3)
    assert outcomes(root, "a") == {"10": "accepted", "77": "failed", "5": "accepted"}
    (bad,) = (line for line in root.of("a").lines() if line["order_id"] == "77")
    assert "at least 10 characters" in bad["message"]


# -- after a kill ------------------------------------------------------------------------------


def test_after_a_kill_only_what_had_left_is_in_doubt_and_asked_about_once(
    root: Root, api: AnsweringApi
) -> None:
    root.configure(api__concurrency=3, api__chunk_size=5)
    api.put = lambda _updates, number: Says(after=30) if number > 4 else None
    root.drop("a.csv", orders(300))
    run = root.start("run", "--once")
    until(lambda: len(api.puts) >= 7, what="three calls that are not answered")
    run.kill()
    left = {order for put in api.puts for order, _ in put.updates}
    assert len(left) == 7 * 5
    api.behave()
    once_more(root, 0)
    assert root.of("a").counts == {"accepted": 300}
    told = {line["order_id"]: line["codes"] for line in root.of("a").lines() if line["codes"]}
    assert set(told) <= left, "what never left is told as if it had been"
    assert len(told) >= 3 * 5
    assert Counter(api.asked) == dict.fromkeys(told, 1)


def test_refused_by_name_after_a_lost_answer_a_row_has_failed(
    root: Root, api: AnsweringApi
) -> None:
    api.refuse = {"ORD000001": "not self-ship"}
    api.put = lambda _updates, number: Says(None) if number == 1 else None
    root.drop("a.csv", orders(3))
    once_more(root, 3)
    assert outcomes(root, "a") == {
        "ORD000000": "accepted",
        "ORD000001": "failed",
        "ORD000002": "accepted",
    }
    (bad,) = (line for line in root.of("a").lines() if line["outcome"] == "failed")
    assert "not self-ship" in bad["message"]


def test_what_was_told_before_a_call_is_no_proof_of_what_that_call_did(
    root: Root, api: AnsweringApi
) -> None:
    """After a kill the order is not there; sent again it is taken, and that answer is lost.

    Asked now, the API cannot tell; it refuses the next call, since it has the status.
    """
    returned = sheet([("X1", "Return In Transit")])
    api.put = lambda *_: Says(after=30)
    root.drop("a.csv", returned)
    run = root.start("run", "--once")
    until(lambda: len(api.puts) == 1, what="a call that is not answered")
    run.kill()
    api.put = lambda _updates, number: Says(None, applied=True) if number == 2 else None
    once_more(root, 3)
    assert len(api.puts) == 3
    assert api.taken == {("X1", "return_bag_in_transit"): 1}
    assert outcomes(root, "a") == {"X1": "unknown"}


@pytest.mark.parametrize("info", [Says(status=404), Says({"orders": []})])
def test_a_retry_of_what_is_refused_by_name_comes_to_an_end(
    root: Root, api: AnsweringApi, info: Says
) -> None:
    api.refuse = {"ORD000000": "not self-ship"}
    api.put = lambda _updates, number: Says(None) if number == 1 else None
    api.info = lambda _: info
    root.drop("a.csv", orders(1))
    once_more(root, 3)
    if root.of("a").counts == {"unknown": 1}:
        assert root.run("retry", root.of("a").id).code == 3
    assert root.of("a").counts == {"failed": 1}
    assert len(root.of("a").lines("rejects.csv")) == 1
    (told,) = json.loads(root.run("trace", "ORD000000", "--json").out)
    assert told["outcome"] == "failed"


def test_a_cancel_after_a_kill_asks_about_what_had_left_and_sends_nothing(
    root: Root, api: AnsweringApi
) -> None:
    root.configure(api__concurrency=3, api__chunk_size=5)
    api.put = lambda _updates, number: Says(after=30, applied=number == 5) if number > 4 else None
    root.drop("a.csv", orders(300))
    run = root.start("run", "--once")
    until(lambda: len(api.puts) >= 7, what="three calls that are not answered")
    run.kill()
    api.behave()
    (drop,) = json.loads(root.run("drops", "--json").out)
    assert root.run("cancel", drop["drop_id"]).code == 0
    assert root.of("a").summary["state"] == "cancelled"
    assert len(api.puts) == 7, "nothing was sent any more"
    left = [{order for order, _ in put.updates} for put in api.puts]
    assert set().union(*left[4:]) <= set(api.asked) <= set().union(*left)
    assert root.of("a").counts == {"accepted": 25, "unsent": 275}
    assert root.run("retry", root.of("a").id).code == 0
    assert root.of("a").counts == {"accepted": 300}
    assert set(api.taken.values()) == {1}
