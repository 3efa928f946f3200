"""Addresses for machines: health, measures, the JSON API as OpenAPI describes it."""

import json
import os
import re
import signal
from datetime import UTC, datetime
from socket import gethostname
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from prometheus_client.parser import text_string_to_metric_families

from pipeline.core.model import stamp
from pipeline.sandbox.config import Faults, SandboxConfig
from pipeline.service.health_file import HealthFile
from pipeline.web.passwords import hash_token
from tests.acceptance.harness import Root, orders, sheet, until
from tests.web.conftest import Live, Open, address_of, client_of


def measures(client: httpx.Client) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Name and labels → value."""
    text = client.get("/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_measures_count_rows_calls_and_files_and_name_no_order_or_file(
    open_live: Open,
) -> None:
    busy = SandboxConfig(faults=Faults(fail_first=1, fail_status=(503,)))
    with open_live(api=busy) as live:
        rows = [[f"MEAS{n}", "Delivered"] for n in range(45)] + [["MEASX", "Nonesuch"]]
        live.root.drop("measured_file.csv", sheet(rows))
        live.drop_id("measured_file.csv")
        with live.client() as client:
            until(
                lambda: measures(client).get(("shipdrop_api_call_seconds_count", ())) == 4,
                what="calls counted",
            )
            found = measures(client)
            text = client.get("/metrics").text
        assert found["shipdrop_rows", (("courier", "generic"), ("outcome", "accepted"))] == 45
        assert found["shipdrop_rows", (("courier", "generic"), ("outcome", "rejected"))] == 1
        assert found["shipdrop_drops", (("courier", "generic"), ("state", "completed"))] == 1
        assert found["shipdrop_service_up", ()] == 1
        states = ("ok", "slowed", "paused", "held")
        told = [found["shipdrop_api_state", (("state", each),)] for each in states]
        assert (told[0] or told[1], sum(told)) == (1, 1)  # it may be slowed by that one refusal
        assert found["shipdrop_token_refused", ()] == 0
        assert found["shipdrop_inbox_files", ()] == 0
        assert found["shipdrop_last_scan_timestamp_seconds", ()] > 1_700_000_000
        assert _calls(found) == {"200": 3, "503": 1}
        assert found["shipdrop_api_call_seconds_bucket", (("le", "+Inf"),)] == 4
        assert "MEAS" not in text
        assert "measured_file" not in text


def _calls(found: dict[tuple[str, tuple[tuple[str, str], ...]], float]) -> dict[str, float]:
    """Status → calls."""
    return {
        labels[0][1]: value
        for (name, labels), value in found.items()
        if name == "shipdrop_api_calls_total"
    }


def test_a_page_without_a_service_is_alive_but_not_ready(root: Root) -> None:
    """It is there also while a courier's profile has an error, and says so."""
    root.configure(web__port=0)
    profile = root.path / "couriers" / "speedy.toml"
    profile.parent.mkdir()
    profile.write_text('name = "speedy"\n[expect]\nby = "09:00"\n')
    service = root.start("serve", "--log-format", "json")
    with client_of(address_of(service)) as client:
        assert "speedy.toml: &#34;statuses&#34; is missing" in client.get("/couriers").text
        profile.write_text('name = "speedy"\n[statuses]\ndelivery_done = ["Done"]\n')
        until(lambda: "speedy.toml" not in client.get("/strip").text, what="a mended profile")
        assert "speedy" in client.get("/couriers").text
        assert client.get("/healthz").json() == {"status": "ok"}
        ready = until(
            # A first look that takes longer than a second says that the inbox is not listed.
            lambda: (told := client.get("/readyz")).json()["checks"]["inbox"] and told,
            what="a first look",
        )
        assert ready.status_code == 503
        for path, status in (("/healthz", 200), ("/readyz", 503)):
            probed = client.head(path)
            assert (probed.status_code, probed.content) == (status, b"")
        assert ready.json()["checks"] == {
            "service": False,
            "inbox": True,
            "storage": True,
            "ledger": True,
            "api": True,
        }
        assert "Nothing is taken or sent" not in client.get("/").text
        assert "never ran here" in client.get("/").text
        made = client.post("/api/v1/drops", files={"files": ("waits.csv", orders(1))})
        assert made.status_code == 202
        assert made.json()["files"][0]["drop"] is None
        until(lambda: ("shipdrop_inbox_files", ()) in measures(client), what="measures")
        until(lambda: measures(client)["shipdrop_inbox_files", ()] == 1, what="a file waiting")

        def health_file(scanned_at: str) -> bool:
            """Write the health file of a service that lives: this process."""
            at = stamp(datetime.now(UTC))
            told = HealthFile(
                pid=os.getpid(), host=gethostname(), started_at=at, at=at, scanned_at=scanned_at
            )
            return bool((root.path / "state/health.json").write_bytes(msgspec.json.encode(told)))

        until(
            lambda: health_file("") and "not yet" in client.get("/strip").text,
            what="a service that has not looked at the inbox",
        )
        checks = client.get("/readyz").json()["checks"]
        assert [what for what, fine in checks.items() if not fine] == ["service"]
        assert measures(client)["shipdrop_service_up", ()] == 0
        until(
            lambda: health_file("") and "has not looked" in root.run("doctor").out,
            what="doctor's word of it",
        )
        until(
            lambda: (
                health_file(stamp(datetime.now(UTC))) and client.get("/readyz").status_code == 200
            ),
            what="ready once it has looked",
        )
    assert service.end(signal.SIGTERM).code == 0
    assert root.files("inbox") == ["waits.csv"]


def test_the_page_ends_with_its_run_even_when_that_is_killed(open_live: Open) -> None:
    with open_live(may_be_killed=True) as live:
        with live.client() as client:
            assert client.get("/healthz").status_code == 200
        live.service.kill()

        def is_gone() -> bool:
            try:
                with live.client() as client:
                    return client.get("/healthz").status_code != 200
            except httpx.TransportError:
                return True

        until(is_gone, what="the page ended")


def test_a_port_that_is_taken_is_said_in_a_sentence(live: Live, root: Root) -> None:
    port = live.url.rpartition(":")[2]
    ran = root.run("serve", "--port", port)
    assert ran.code == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in ran.err


def test_nothing_of_the_page_is_loaded_by_other_commands(root: Root) -> None:
    code = (
        "import sys, pipeline.cli.app, pipeline.service.wiring, pipeline.cli.serve;"
        "print([m for m in ('fastapi', 'starlette', 'uvicorn', 'jinja2', 'apprise', 'argon2',"
        " 'prometheus_client', 'tomlkit', 'pipeline.web') if m in sys.modules])"
    )
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=root.path.parent,
    )
    assert done.stdout.strip() == "[]"


def test_an_upload_by_token_comes_back_as_rows(live: Live) -> None:
    live.root.drop("older.csv", orders(1, prefix="OLDER"))
    older_id = live.drop_id("older.csv")
    with live.client() as client:
        files = {"files": ("by_api.csv", orders(25, prefix="API") + "APIX,Nonesuch\n")}
        made = client.post("/api/v1/drops", files=files, data={"note": "nightly"})
        upload = made.json()["upload"]
        drop_id = live.drop_id("by_api.csv")
        (file,) = client.get(f"/api/v1/uploads/{upload}").json()["files"]
        assert file["drop"]["drop_id"] == drop_id
        assert file["drop"]["verdict"] == "1 of 26 rows must be corrected."
        rows = client.get(f"/api/v1/drops/{drop_id}/results", params={"outcome": "rejected"})
        assert [row["order_id"] for row in rows.json()["rows"]] == ["APIX"]
        assert rows.json()["rows"][0]["codes"] == ["STATUS_UNKNOWN:status"]
        story = client.get("/api/v1/orders/API000003").json()
        assert story["seen"][0]["outcome"] == "accepted"
        listed = client.get("/api/v1/drops", params={"limit": 1}).json()
        assert len(listed["drops"]) == 1
        older = client.get("/api/v1/drops", params={"before": listed["next"]}).json()["drops"]
        assert listed["drops"][0]["drop_id"] == drop_id
        assert older_id in {each["drop_id"] for each in older}
        assert drop_id not in {each["drop_id"] for each in older}


def test_a_problem_says_what_and_what_to_do_as_json(live: Live) -> None:
    with live.client() as client:
        for path, status in (
            ("/api/v1/drops/d0", 404),
            ("/api/v1/drops/NOT-AN-ID", 422),
            ("/api/v1/drops?limit=x", 422),
            ("/api/v1/uploads/0123", 404),
            ("/api/v1/nothing", 404),
        ):
            answer = client.get(path)
            assert answer.status_code == status
            assert answer.json()["error"].endswith(".")


D0 = "/api/v1/drops/d0"
CELL = {"line": 0, "column": "Status", "value": "x"}
REFUSED_REQUESTS = [
    ("POST", f"{D0}/corrections/send", {"sur": "x", "rows": [3]}, '"sur"', '"sure"'),
    ("POST", f"{D0}/corrections/send", {"rows": [3]}, '"rows"', "Known: note, sure."),
    (
        "PUT",
        f"{D0}/corrections/cells",
        {**CELL, "forse": True},
        '"forse"',
        "Known: column, had, line",
    ),
    *[
        ("PUT", f"{D0}/corrections/cells", {**CELL, name: wrong}, f'"{name}"', said)
        for name, wrong, said in (
            ("line", "9", "a whole number, without quotes"),
            ("row", True, "a whole number, without quotes"),
            ("row", 9.0, "a whole number, without quotes"),
            ("value", 5, "a text, in quotes"),
        )
    ],
    ("PUT", f"{D0}/corrections/choice", {"rows": [2, "3"], "send": True}, '"rows.1"', "a whole"),
    ("PUT", f"{D0}/corrections/choice", {"rows": [2], "send": "no"}, '"send"', "true or false"),
    ("POST", f"{D0}/corrections/paste", {"colunm": "a", "values": []}, '"colunm"', '"column"'),
    ("POST", f"{D0}/retry", {"rows": [3]}, "takes no fields", "without a body"),
    ("POST", f"{D0}/set-aside", {"rows": [2], "reason": "x"}, '"reason"', "not ours, duplicate"),
    ("POST", "/api/v1/checks/0123/send", {"left_out": [1]}, "takes no fields", "without a body"),
    ("POST", "/api/v1/people", {"name": "A", "role": "x"}, '"role"', "look, operate, manage"),
    ("PATCH", "/api/v1/teachings/0a", {"version": 0, "words": [{"said": "x"}]}, '"words.0.', ""),
    ("PATCH", "/api/v1/teachings/0a", {"version": 0, "columns": {"0": "x"}}, '"columns.0"', "awb"),
    ("GET", "/api/v1/drops?stat=open", None, '"stat"', '"state"'),
    ("GET", "/api/v1/drops?state=opened", None, '"state"', "under_way"),
    ("GET", "/api/v1/health?x=1", None, '"x"', "Leave it out."),
    ("DELETE", f"{D0}/set-aside?rows=2&sheets=North", None, '"sheets"', '"sheet"'),
]


@pytest.mark.parametrize(("method", "path", "body", "names", "says"), REFUSED_REQUESTS)
def test_a_request_with_more_than_is_described_is_refused(
    live: Live, method: str, path: str, body: object, names: str, says: str
) -> None:
    with live.client() as client:
        answer = client.request(method, path, json=body) if body else client.request(method, path)
    told = answer.json()
    assert answer.status_code == 422, told
    assert names in told["error"]
    assert says in f"{told['error']} {told['hint']}"
    assert not re.search(r"[\[{]|Input|DropState|literal", told["error"])


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"content": b"{", "headers": {"content-type": "application/json"}}, "is not JSON"),
        ({"content": b'{"note": "x"}', "headers": {"content-type": "text/plain"}}, "no JSON obj"),
        ({"json": [1]}, "no JSON object"),
        ({}, "The body is missing"),
    ],
)
def test_a_body_that_is_no_json_object_is_said_to_be_none(
    live: Live, given: dict[str, Any], says: str
) -> None:
    with live.client() as client:
        answer = client.post(f"{D0}/corrections/send", **given)
    assert answer.status_code == 422
    assert says in answer.json()["error"]
    assert "Content-Type: application/json" in answer.json()["hint"]


@pytest.mark.parametrize("path", ["/api/v1/drops", "/api/v1/checks"])
@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"corier": "delhivery"}, '"corier" is not known here, so nothing was done. Did you mean'),
        ({"courier": ["delhivery", "dtdc"]}, '"courier" is given twice'),
        ({"files": "x.csv"}, '"files" is wrong: it must be a file'),
    ],
)
def test_an_upload_with_a_misspelt_field_is_refused(
    live: Live, path: str, fields: dict[str, Any], says: str
) -> None:
    with live.client() as client:
        answer = client.post(path, files={"files": ("slip.csv", orders(1))}, data=fields)
        found = client.get("/api/v1/drops", params={"q": "slip.csv"}).json()["hits"]
    told = answer.json()
    assert (answer.status_code, found) == (422, 0), told
    assert says in f"{told['error']} {told['hint']}"
    assert "slip.csv" not in live.root.files("inbox")


@pytest.mark.parametrize("examples", [2, pytest.param(50, marks=pytest.mark.soak)])
def test_the_api_answers_as_it_is_described(open_live: Open, examples: int) -> None:
    # By a manager: without users, the first person that is made up would shut out all the others.
    by_manager = {"authorization": "Bearer sd_a-token-of-a-manager"}
    manager = f'role = "manage"\ntoken_hash = "{hash_token("sd_a-token-of-a-manager")}"\n'
    with open_live(toml=f"[web.users.boss]\n{manager}") as live:
        live.root.drop("fuzzed.csv", orders(3, prefix="FUZZ"))
        until(live.root.delivered, what="it is through")
        assert answers_as_described(live, by_manager, examples) == 46


def answers_as_described(live: Live, headers: dict[str, str], examples: int) -> int:
    """Ask for all that is described, and return how much that is."""
    # Takes seconds to load, which every process that runs tests would spend.
    import schemathesis
    from schemathesis.specs.openapi.checks import positive_data_acceptance

    schema = schemathesis.openapi.from_url(f"{live.url}/api/v1/openapi.json")
    tried = 0
    for found in schema.get_all_operations():

        @given(case=found.ok().as_strategy())
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def answers(case: schemathesis.Case) -> None:
            # A name may be well-formed and not be known here: what is valid is not always taken.
            case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

        answers()
        tried += 1
    return tried


def test_the_description_names_every_address(live: Live) -> None:
    with live.client() as client:
        told = client.get("/api/v1/openapi.json").json()
    assert set(told["paths"]) == {
        "/api/v1/drops",
        "/api/v1/uploads/{upload}",
        "/api/v1/drops/{drop_id}",
        "/api/v1/drops/{drop_id}/results",
        "/api/v1/drops/{drop_id}/{wish}",
        "/api/v1/orders/{order_id}",
        "/api/v1/orders",
        "/api/v1/to-do",
        "/api/v1/to-do/set-aside",
        "/api/v1/waiting",
        "/api/v1/days/{day}",
        "/api/v1/health",
        "/api/v1/drops/{drop_id}/set-aside",
        "/api/v1/drops/{drop_id}/corrections",
        "/api/v1/drops/{drop_id}/corrections/cells",
        "/api/v1/checks",
        "/api/v1/checks/{check}",
        "/api/v1/checks/{check}/send",
        "/api/v1/checks/{check}/files/{place}",
        "/api/v1/couriers",
        "/api/v1/couriers/{name}/words",
        "/api/v1/couriers/{name}/expected",
        "/api/v1/people",
        "/api/v1/people/{name}",
        "/api/v1/account",
        "/api/v1/account/password",
        "/api/v1/account/stay",
        "/api/v1/reports",
        "/api/v1/teachings",
        "/api/v1/teachings/{teaching}",
        "/api/v1/teachings/{teaching}/preview",
        "/api/v1/teachings/{teaching}/save",
        "/api/v1/drops/{drop_id}/corrections/replace",
        "/api/v1/drops/{drop_id}/corrections/choice",
        "/api/v1/drops/{drop_id}/corrections/paste",
        "/api/v1/drops/{drop_id}/corrections/send",
    }
    assert "HTTPValidationError" not in json.dumps(told)
    bodies = [
        content["schema"]
        for methods in told["paths"].values()
        for each in methods.values()
        for content in each.get("requestBody", {}).get("content", {}).values()
    ]
    assert len(bodies) > 15
    for body in bodies:
        named = body.get("$ref", "").rpartition("/")[2]
        described = told["components"]["schemas"].get(named, body)
        assert described["additionalProperties"] is False, body
