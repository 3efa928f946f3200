"""drops, trace, explain, profiles, doctor, init, sandbox: each answers in words and in JSON."""

import json
import re
import signal
import socket
import sqlite3
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from schemas.codes import Code
from tests.acceptance.harness import Root, Running, orders, rooted, sheet, until


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """A root that one order went through three times: refused, picked up, delivered."""
    place = tmp_path_factory.mktemp("used")
    with running(SandboxConfig()) as api, rooted(place, api.url, api.token) as root:
        api.set_faults(refuse_orders=["T1"])
        root.drop("monday.csv", sheet([("T1", "Picked Up"), ("T2", "Picked Up"), ("T3", "Wat")]))
        root.once()
        api.set_faults(refuse_orders=[], fail_first=1)
        root.drop("tuesday.csv", sheet([("T1", "Picked Up"), ("T2", "Delivered")]))
        root.once()
        root.drop("wednesday.csv", sheet([("T1", "Delivered"), ("T1", "Picked Up")]))
        root.once()
        yield root


def test_trace_tells_an_orders_story_across_files(used: Root) -> None:
    story = used.run("trace", "T1", "--json").json
    assert [each["source_file"] for each in story] == [
        "monday.csv",
        "tuesday.csv",
        "wednesday.csv",
        "wednesday.csv",
    ]
    monday, tuesday, delivered, again = story
    assert (monday["outcome"], monday["order_status"]) == ("failed", "bag_picked")
    assert "D422" in monday["message"]
    assert [call["note"] for call in monday["calls"]] == ["taken, 1 refused"]
    assert tuesday["outcome"] == "accepted"
    assert tuesday["sent"] == {"orderId": "T1", "orderStatus": "bag_picked"}
    assert tuesday["attempts"] == 2
    assert tuesday["calls"][0]["http_status"] == 500
    assert delivered["sent"]["orderStatus"] == "delivery_done"
    assert delivered["http_status"] == 200
    assert delivered["sent_at"]
    assert (again["outcome"], again["codes"]) == ("duplicate", "ALREADY_ACCEPTED:status")
    assert (again["sent"], again["attempts"]) == (None, 0)
    assert tuesday["drop_id"] in again["message"]
    for each, stem in zip(story, ["monday", "tuesday", "wednesday", "wednesday"], strict=True):
        assert each["results_file"] == str(used.of(stem).path("results.csv"))
    assert monday["codes"] == "API_REFUSED"
    spoken = used.run("trace", "T1").out
    assert "monday.csv" in spoken
    assert "row 2: bag_picked → failed" in spoken
    assert "API_REFUSED: The API refused: D422" in spoken
    assert "ALREADY_ACCEPTED" in spoken
    assert f"results: {used.of('tuesday').path('results.csv')}" in spoken


def test_trace_without_the_results_file_still_tells_what_the_ledger_knows(used: Root) -> None:
    path = used.of("wednesday").path("results.csv")
    hidden = path.rename(path.with_suffix(".away"))
    try:
        *_, delivered, again = used.run("trace", "T1", "--json").json
    finally:
        hidden.rename(path)
    assert (delivered["outcome"], delivered["results_file"]) == ("accepted", None)
    assert again["outcome"] == "not sent"


def test_trace_of_an_order_that_nobody_named(used: Root) -> None:
    ran = used.run("trace", "NEVER")
    assert (ran.code, ran.out) == (2, "")
    assert "No file named the order or AWB NEVER." in ran.err
    ran = used.run("trace", "NEVER", "--json")
    assert (ran.code, ran.json) == (2, [])


def test_trace_by_the_number_of_a_parcel(root: Root) -> None:
    header = ("Order ID", "Status", "AWB")
    rows = [("ORDER-OF-AWB", "Picked", "77012345678"), ("ANOTHER-ORDER", "Picked", "7701")]
    root.drop("a.csv", sheet(rows, header))
    root.once()
    told = root.run("trace", "77012345678")
    assert told.code == 0
    assert "AWB 77012345678: order ORDER-OF-AWB" in told.out
    assert "ANOTHER" not in told.out
    (story,) = root.run("trace", "77012345678", "--json").json
    assert (story["order_id"], story["outcome"]) == ("ORDER-OF-AWB", "accepted")


def test_drops_are_listed_newest_first_and_shown_one_by_one(used: Root) -> None:
    listed = used.run("drops", "--json").json
    assert [d["source_file"] for d in listed] == ["wednesday.csv", "tuesday.csv", "monday.csv"]
    table = used.run("drops").out
    assert "monday.csv" in table
    assert "1 accepted, 1 rejected, 1 failed" in table
    shown = used.run("drops", "show", listed[-1]["drop_id"], "--json").json
    assert shown["state"] == "completed"
    assert shown["summary"] == used.of("monday").summary
    missing = used.run("drops", "show", "d-none")
    assert missing.code == 2
    assert "d-none" in missing.err


def test_a_refused_file_is_to_do(root: Root) -> None:
    root.drop("fine.csv", orders(1))
    root.drop("refused.csv", "a,b\n1,2\n")
    assert root.once().code == 4
    found = root.run("drops", "--state", "to_do", "--json").json
    assert [each["source_file"] for each in found] == ["refused.csv"]


def test_drops_are_filtered_by_state_courier_time_and_name(used: Root) -> None:
    def names(*filters: str) -> list[str]:
        return [each["source_file"] for each in used.run("drops", *filters, "--json").json]

    everything = ["wednesday.csv", "tuesday.csv", "monday.csv"]
    assert names("--state", "completed") == everything
    assert names("--state", "under_way") == []
    assert names("--state", "to_do") == ["monday.csv"]
    assert names("--courier", "generic", "--limit", "2") == everything[:2]
    assert names("--courier", "delhivery") == []
    assert names("--since", "1h") == everything
    assert names("--since", "2001-01-01") == everything
    assert names("--since", "2199-01-01T10:00") == []
    assert names("--name", "sday") == everything[:2]
    two_hours_ago = (datetime.now(UTC) - timedelta(hours=2)).isoformat(timespec="milliseconds")
    with closing(sqlite3.connect(used.path / "state/ledger.db")) as ledger, ledger:
        change = "UPDATE drops SET received_at = ? WHERE source_file = 'monday.csv'"
        assert ledger.execute(change, [two_hours_ago]).rowcount == 1
    assert names("--since", "1h") == names("--since", "90m") == everything[:2]
    assert names("--since", "6h") == names("--since", "1d") == everything
    assert "No drop fits." in used.run("drops", "--state", "open").out
    for wrong in ("yesterday", "3x", "99999999d", "2026-13-01"):
        ran = used.run("drops", "--since", wrong)
        assert ran.code == 2
        assert "Traceback" not in ran.err
    table = used.run("drops").out
    year = used.of("monday").summary["received_at"][:4]
    line = rf"^d\w+  {year}-\d\d-\d\d \d\d:\d\d  completed  monday.csv$"
    assert re.search(line, table, re.MULTILINE)
    assert max(map(len, table.splitlines())) <= 80


def test_a_drop_is_named_by_a_part_of_its_id_or_as_the_latest(used: Root) -> None:
    newest, older = used.of("wednesday").id, used.of("monday").id
    for name in ("latest", newest, newest[-6:]):
        assert used.run("drops", "show", name, "--json").json["drop_id"] == newest
    assert used.run("drops", "show", older[-6:], "--json").json["drop_id"] == older
    several = used.run("drops", "show", "d202" if older.startswith("d202") else older[:4])
    assert several.code == 2
    assert "more than one drop" in several.err
    assert older in several.err
    for wrong in ("k7", "%%%%", "____"):
        assert used.run("drops", "show", wrong).code == 2
    closed = used.run("cancel", "latest")
    assert closed.code == 2
    assert newest in closed.err


def test_a_drop_is_shown_in_words(used: Root) -> None:
    told = used.run("drops", "show", used.of("monday").id).out
    for words in (
        "monday.csv\n",
        f"drop        {used.of('monday').id}",
        "state       completed",
        "courier     generic",
        "rows        1 accepted, 1 rejected, 1 failed",
        "1× API_REFUSED",
        "1× STATUS_UNKNOWN:status",
        str(used.of("monday").path("results.csv")),
    ):
        assert words in told
    assert all(len(line) <= 80 or line.startswith("  /") for line in told.splitlines())


def test_an_open_drop_tells_how_far_it_is(root: Root) -> None:
    with running(SandboxConfig()) as api:
        api.set_faults(status_all=401)
        root.configure(api__base_url=api.url)
        root.drop("held.csv", orders(3))
        assert root.once().code == 5
        (drop,) = root.run("drops", "--state", "open", "--json").json
        assert drop["progress"] == {"answered": 0, "total": 3}
        assert "0 of 3 updates answered" in root.run("drops").out
        assert "401" in root.run("drops", "show", "latest").out


def test_the_shell_completes_commands(root: Root) -> None:
    told = root.run(
        env={
            "_SHIPDROP_COMPLETE": "complete_bash",
            "COMP_WORDS": "shipdrop dro",
            "COMP_CWORD": "1",
        }
    )
    assert "drops" in told.out.split()
    assert "--install-completion" in root.run("--help").out


def test_explain_knows_every_code(root: Root) -> None:
    table = root.run("explain", "--json").json
    assert set(table) == {str(code) for code in Code}
    spoken = root.run("explain", "ID_DAMAGED:order_id")
    assert spoken.code == 0
    assert "What to do" in spoken.out
    wrong = root.run("explain", "ID_DAMAGD")
    assert wrong.code == 2
    assert "Did you mean ID_DAMAGED?" in wrong.err


def test_profiles_are_listed_and_shown_and_ones_own_wins(root: Root) -> None:
    names = {p["name"] for p in root.run("profiles", "--json").json}
    assert {"generic", "delhivery", "xpressbees"} <= names
    shown = root.run("profiles", "delhivery")
    assert "Sent as delivery_done" in shown.out
    own = root.path / "couriers"
    own.mkdir()
    (own / "mine.toml").write_text(
        'name = "mine"\ntitle = "My courier"\n[statuses]\ndelivery_done = ["Finished"]\n'
    )
    root.drop("m.csv", sheet([("M1", "Finished")]), folder="mine")
    assert root.once().code == 0
    assert root.of("m").summary["courier"] == "mine"


def test_doctor_finds_a_sound_root_sound(root: Root) -> None:
    root.run("init")
    ran = root.run("doctor")
    assert ran.code == 0
    assert "BAD" not in ran.out
    findings = root.run("doctor", "--json").json
    assert {"folders", "disk", "ledger", "clock", "api", "token"} <= {
        each["subject"] for each in findings
    }
    assert all(each["fine"] for each in findings)


def test_doctor_without_a_token_tells_what_the_service_that_has_one_says(root: Root) -> None:
    """As by hand beside a unit whose token is a credential."""
    root.run("init")
    del root.env["SHIPDROP_API__TOKEN"]
    secrets = root.path / "secrets"
    secrets.mkdir()
    (secrets / "api__token").write_text("sandbox-token\n")
    root.configure(secrets_dir=secrets)
    service = root.start("run")
    until(lambda: (root.path / "state/health.json").exists(), what="its first word")
    (secrets / "api__token").chmod(0o600)
    del root.env["SHIPDROP_SECRETS_DIR"]
    ran = root.run("doctor")
    assert ran.code == 0, ran.out
    assert "the running service has one" in ran.out
    service.end()
    ran = root.run("doctor")
    assert ran.code != 0
    assert "api.token" in ran.out


def test_doctor_says_what_is_wrong_with_api_and_token(root: Root) -> None:
    root.run("init")
    bad_token = root.run("doctor", env={"SHIPDROP_API__TOKEN": "wrong"})
    assert bad_token.code == 5
    assert "401" in bad_token.out
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        away = root.run("doctor", env={"SHIPDROP_API__BASE_URL": nobody})
    assert away.code == 5
    assert "BAD" in away.out
    unset = root.run("doctor", env={"SHIPDROP_API__BASE_URL": ""})
    assert unset.code == 2
    assert "api.base_url" in unset.out


def test_doctor_says_that_the_page_would_not_start_and_prints_no_password(root: Root) -> None:
    root.configure(web__users='{"asha": {"password_hash": "hunter2plain"}}')
    told = root.run("doctor")
    assert told.code == 2
    assert 'BAD  page: The setting "web.users.asha.password_hash" is not a hash' in told.out
    assert "hunter2plain" not in told.out + told.err


def test_init_makes_a_root_that_only_lacks_its_address(root: Root, tmp_path: Path) -> None:
    place = tmp_path / "new"
    made = root.run("init", place, "--json").json
    assert made["root"] == str(place)
    for name in ("inbox", "outbox", "archive", "quarantine", "work", "state"):
        assert (place / name).is_dir()
    text = (place / "shipdrop.toml").read_text()
    assert 'base_url = "https://fyndkonnect.konnect.uat.fyndx1.de"' in text
    assert any(path.suffix == ".txt" for path in place.iterdir())
    (place / "shipdrop.toml").write_text("# mine\n")
    again = root.run("init", place)
    assert again.code == 0
    assert (place / "shipdrop.toml").read_text() == "# mine\n"
    every_key = re.sub(r"^# (?=[a-z_]+ = )", "", text, flags=re.MULTILINE)
    assert every_key.count("\n# ") < text.count("\n# ") - 10
    every_key = every_key.replace("base_url", "# base_url")
    (place / "shipdrop.toml").write_text(every_key)
    env = dict.fromkeys(("SHIPDROP_API__BASE_URL", "SHIPDROP_API__TOKEN"), "")
    ran = root.run("run", "--once", "--root", place, env=env)
    assert ran.code == 2
    assert "api.base_url" in ran.err


def test_the_sandbox_is_a_command_of_its_own(root: Root) -> None:
    sandbox = root.start("sandbox", "--port", "0", "--json", "--token", "tok", "--fail-first", "1")
    line = until(lambda: sandbox.out_path.read_text().partition("\n")[0], what="its address")
    ready = json.loads(line)
    assert ready["token"] == "tok"
    root.configure(api__base_url=ready["url"], api__token="tok")
    root.drop("a.csv", orders(2))
    assert root.once().code == 0
    assert root.of("a").summary["calls"] == {"sent": 2, "retried": 1}
    with urllib.request.urlopen(f"{ready['url']}/_sandbox/stats") as answer:
        assert json.load(answer)["accepted"] == 2
    assert sandbox.end(signal.SIGTERM).code == 0
    assert root.run("sandbox", "--fail-rate", "2").code == 2


def test_a_root_is_named_by_flag_before_or_after_the_sub_command(
    root: Root, used: Root, api: SandboxHandle
) -> None:
    drop_id = used.of("monday").id
    for arguments in (
        ["drops", "--root", used.path, "show", drop_id, "--json"],
        ["drops", "show", drop_id, "--root", used.path, "--json"],
    ):
        assert root.run(*arguments).json["drop_id"] == drop_id


def test_the_sandbox_keeps_what_it_holds_over_a_restart(root: Root) -> None:
    state = root.path / "sandbox.json"

    def started() -> tuple[Running, str]:
        running = root.start("sandbox", "--port", "0", "--json", "--state", state)
        line = until(running.out_path.read_text, what="it listens")
        return running, str(json.loads(line)["url"])

    def asked(url: str, what: str) -> Any:
        with urllib.request.urlopen(f"{url}/_sandbox/{what}") as answer:
            return json.loads(answer.read())

    first, url = started()
    root.configure(api__base_url=url)
    root.drop("a.csv", sheet([("KEPT1", "Picked"), ("KEPT2", "Delivered")]))
    assert root.once().code == 0
    orders_before = asked(url, "orders")
    assert first.end(signal.SIGTERM).code == 0
    second, url = started()
    assert asked(url, "orders") == orders_before
    assert asked(url, "stats")["accepted"] == 2
    until(lambda: b"KEPT2" in state.read_bytes(), what="the file")
    urllib.request.urlopen(urllib.request.Request(f"{url}/_sandbox/reset", method="POST"))
    until(lambda: b"KEPT" not in state.read_bytes(), what="the file without them")
    second.kill()
    third, url = started()
    assert asked(url, "orders") == {"orders": {}}
    assert third.end(signal.SIGTERM).code == 0
    state.write_text("[]")
    ran = root.run("sandbox", "--port", "0", "--state", state)
    assert ran.code == 2
    assert "holds no state of a sandbox" in ran.err
