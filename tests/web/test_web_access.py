"""Who gets in: this machine only without a password; users, roles, tokens, forged requests."""

import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys

import httpx
import pytest
from playwright.sync_api import Page, expect

from pipeline.web import pages
from pipeline.web.passwords import hash_token, password_fits
from tests.acceptance.harness import REPOSITORY, Root, orders, until
from tests.web.conftest import Live, Open, address_of, client_of, hashed

PASSWORD, TOKEN = "correct horse", "sd_a-token-for-a-machine"

USERS = f"""
[web.users.asha]
password_hash = "{hashed(PASSWORD)}"
[web.users.lee]
role = "look"
password_hash = "{hashed(PASSWORD)}"
token_hash = "{hash_token(TOKEN)}"
[web.users.robot]
token_hash = "{hash_token(TOKEN + "2")}"
"""


CHANGES = (
    "/upload",
    "/to-do/aside",
    "/upload/{batch}/send",
    "/checks/{batch}/files/{place}",
    "/login",
    "/logout",
    "/drops/{drop_id}/retry",
    "/drops/{drop_id}/cancel",
    "/drops/{drop_id}/again",
    "/drops/{drop_id}/fix",
    "/drops/{drop_id}/fix/replace",
    "/drops/{drop_id}/fix/cell",
    "/drops/{drop_id}/fix/tick",
    "/drops/{drop_id}/fix/ids",
    "/drops/{drop_id}/fix/paste",
    "/drops/{drop_id}/fix/undo",
    "/drops/{drop_id}/aside",
    "/couriers/{name}/words",
    "/couriers/{name}/expected",
    "/teach",
    "/teach/{teaching}",
    "/teach/{teaching}/words",
    "/teach/{teaching}/save",
    "/account/password",
    "/account/stay",
    "/people",
    "/people/change",
)
"""Every address of a page that changes something; ``{wish}`` is retry, cancel or again."""
CHANGES_BY_API = (
    "/api/v1/drops",
    "/api/v1/drops/{drop_id}/retry",
    "/api/v1/drops/{drop_id}/cancel",
    "/api/v1/drops/{drop_id}/again",
)
WORD = {"said": "Handed over", "means": "Delivered"}
MORE_BY_API = {
    "/api/v1/checks": None,
    "/api/v1/checks/{check}/send": None,
    "PATCH /api/v1/checks/{check}/files/{place}": {"left_out": True},
    "/api/v1/drops/{drop_id}/corrections/replace": {"column": "Status", "old": "a", "new": "b"},
    "/api/v1/drops/{drop_id}/corrections/send": {"note": "n"},
    "PUT /api/v1/drops/{drop_id}/corrections/cells": {"row": 2, "column": "Status", "value": "x"},
    "/api/v1/drops/{drop_id}/corrections/paste": {"column": "a", "rows": [2], "values": ["b"]},
    "DELETE /api/v1/drops/{drop_id}/corrections/paste": None,
    "PUT /api/v1/drops/{drop_id}/corrections/choice": {"rows": [2], "send": True},
    "/api/v1/drops/{drop_id}/set-aside": {"rows": [2], "reason": "other"},
    "DELETE /api/v1/drops/{drop_id}/set-aside?rows=2": None,
    "/api/v1/to-do/set-aside": {"kind": "late", "key": "x", "reason": "other"},
    "DELETE /api/v1/to-do/set-aside?kind=late&key=x": None,
    "PUT /api/v1/couriers/{name}/words": WORD,
    "DELETE /api/v1/couriers/{name}/words?said=x": None,
    "PUT /api/v1/couriers/{name}/expected": {"by": "18:00"},
    "/api/v1/teachings": {"drop": "d20261129t000000000abcd"},
    "PATCH /api/v1/teachings/{teaching}": {"version": 0},
    "/api/v1/teachings/{teaching}/save": {"version": 0},
    "/api/v1/people": {"name": "Eve", "role": "manage", "password": "three odd words"},
    "PATCH /api/v1/people/{name}": {"role": "manage"},
    "DELETE /api/v1/people/{name}": None,
    "PUT /api/v1/account/password": {"old": "correct horse", "new": "three odd words"},
    "/api/v1/account/stay": None,
}
"""Change → its JSON. Posted, where no other method stands before."""

OF_ONES_OWN = frozenset(
    {
        "/login",
        "/logout",
        "/account/password",
        "/account/stay",
        "PUT /api/v1/account/password",
        "/api/v1/account/stay",
    }
)
"""Changes that everybody may make: nobody else is concerned."""


def ask(client: httpx.Client, change: str, drop: str, **more: object) -> httpx.Response:
    """Ask for a change as CHANGES and MORE_BY_API name it."""
    method, _, path = change.rpartition(" ")
    names = {"batch": "0123abcd", "check": "0123abcd", "teaching": "0123abcd", "place": 0}
    made = path.format(drop_id=drop, name="delhivery", **names)
    if json_body := MORE_BY_API.get(change):
        more = {**more, "files": None, "json": json_body}
    return client.request(method or "POST", made, **more)


def csrf_of(client: httpx.Client, path: str = "/") -> str:
    found = re.search(r'X-CSRF-Token": "([0-9a-f]+)"', client.get(path).text)
    assert found
    return found[1]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory):
    from tests.web.conftest import opened

    with opened(tmp_path_factory.mktemp("guarded") / "root", toml=USERS) as made:
        yield made


@pytest.mark.parametrize(
    "env",
    [
        {"SHIPDROP_WEB__HOST": "0.0.0.0"},
        {"SHIPDROP_WEB__HOST": "192.0.2.7"},
        {"SHIPDROP_WEB__BEHIND_PROXY": "true"},
        {"SHIPDROP_WEB__USERS": '{"a": {"password_hash": "hunter2"}}'},
        {"SHIPDROP_WEB__USERS": '{"a": {}}'},
    ],
)
@pytest.mark.parametrize("command", [("serve",), ("run", "--web")])
def test_nothing_listens_for_strangers_without_a_hashed_password(
    root: Root, env: dict[str, str], command: tuple[str, ...]
) -> None:
    ran = root.run(*command, env={**env, "SHIPDROP_WEB__PORT": "0"})
    assert ran.code == 2
    assert re.search("password|hash", ran.err)
    assert "hunter2" not in ran.err


def hashing(root: Root, password: str) -> subprocess.CompletedProcess[str]:
    """``serve --hash-password``, as a script gives it the password."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline", "serve", "--hash-password", "--json"],
        input=f"{password}\n",
        capture_output=True,
        text=True,
        check=False,
        cwd=root.path.parent,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )


def test_a_password_is_hashed_for_the_settings(root: Root) -> None:
    asked = hashing(root, PASSWORD)
    assert asked.returncode == 0
    stored = json.loads(asked.stdout)["password_hash"]
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,"), "it takes time and memory to guess"
    assert password_fits(PASSWORD, stored)
    assert PASSWORD not in asked.stdout + asked.stderr
    assert not password_fits(f"{PASSWORD}\n", stored)


def test_a_password_that_is_soon_guessed_is_not_hashed(root: Root) -> None:
    asked = hashing(root, "7_chars")
    assert asked.returncode == 2
    assert "at least 8" in asked.stderr
    assert asked.stdout == ""


def test_a_token_is_made_with_its_hash(root: Root) -> None:
    ran = root.run("serve", "--new-token", "--json")
    assert hash_token(ran.json["token"]) == ran.json["token_hash"]
    again = root.run("serve", "--new-token", "--json")
    assert again.json["token"] != ran.json["token"]


def test_logging_in_and_out_and_what_each_role_may(guarded: Live, page: Page) -> None:
    page.goto(f"{guarded.url}/couriers")
    expect(page).to_have_url(f"{guarded.url}/login?next=/couriers")
    page.get_by_label("Name").fill("lee")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{guarded.url}/couriers")
    expect(page.get_by_text("lee (read-only)")).to_be_visible()
    expect(page.get_by_role("link", name="Upload")).to_have_count(0)
    (cookie,) = page.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    page.get_by_role("button", name="Log out").click()
    page.goto(guarded.url)
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.context.add_cookies([cookie])
    page.goto(guarded.url)
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_who_may_only_look_changes_nothing(guarded: Live) -> None:
    file = {"files": ("x.csv", orders(1))}
    looking = {"authorization": f"Bearer {TOKEN}"}
    with guarded.client(headers=looking) as client:
        assert client.get("/api/v1/drops").status_code == 200
        assert client.post("/api/v1/drops", files=file).status_code == 403
        assert client.get("/upload").status_code == 403
        for change in (*CHANGES, *CHANGES_BY_API, *MORE_BY_API):
            if change not in OF_ONES_OWN:
                answer = ask(client, change, "d20261129t000000000abcd", files=file)
                assert answer.status_code == 403, change
    with guarded.client(headers={"authorization": f"Bearer {TOKEN}2"}) as client:
        assert client.post("/api/v1/drops", files=file).status_code == 202
    for header in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic x"}):
        with guarded.client(headers=header) as client:
            assert client.get("/api/v1/drops").status_code == 401
            assert client.post("/api/v1/drops", files=file).status_code == 401
            assert client.get("/metrics").status_code == 401
            assert client.get("/healthz").status_code == 200


def test_wrong_passwords_are_slowed_down(open_live: Open) -> None:
    with open_live(toml=USERS) as live, live.client() as client:
        token = csrf_of(client, "/login")

        def log_in(name: str, password: str) -> httpx.Response:
            form = {"csrf": token, "name": name, "password": password}
            return client.post("/login", data=form)

        answers = [log_in("asha", f"guess{n}").status_code for n in range(5)]
        assert answers == [403] * 5

        def waits() -> bool:
            """Guess until that is to wait: the right password has to, too, of whomever."""
            until(lambda: log_in("asha", "guess").status_code == 429, what="a wait")
            refused = [log_in(name, PASSWORD) for name in ("asha", "lee")]
            seconds = [int(answer.headers.get("retry-after", 0)) for answer in refused]
            return min(seconds) >= 1 and {each.status_code for each in refused} == {429}

        until(waits, what="neither a right password nor another name helps", seconds=30)
        assert "guess" not in live.service.err_path.read_text()


def test_a_session_is_new_after_logging_in(guarded: Live) -> None:
    with guarded.client() as client:
        token = csrf_of(client, "/login")
        before = client.cookies["shipdrop_session"]
        form = {"csrf": token, "name": "asha", "password": PASSWORD, "next": "//evil.example"}
        answer = client.post("/login", data=form)
        assert answer.status_code == 303
        assert answer.headers["location"] == "/"
        assert client.cookies["shipdrop_session"] != before
        assert client.get("/upload").status_code == 200


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/couriers?x=1", "/couriers?x=1"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("evil.example", "/"),
    ],
)
def test_logging_in_leads_to_a_page_of_ours_only(guarded: Live, wanted: str, led_to: str) -> None:
    with guarded.client() as client:
        form = {"csrf": csrf_of(client, "/login"), "name": "asha", "password": PASSWORD}
        answer = client.post("/login", data={**form, "next": wanted})
        assert answer.headers["location"] == led_to


def test_the_token_of_another_session_is_none(live: Live) -> None:
    with live.client() as other, live.client() as client:
        stolen = csrf_of(other)
        assert csrf_of(client) != stolen
        path = "/couriers/delhivery/words"
        assert client.post(path, data={"csrf": stolen}).status_code == 403


def _changes() -> set[str]:
    """Every address, of pages and of the API, that takes more than a question."""
    found = {
        route.path if method == "POST" else f"{method} {route.path}"
        for module in pkgutil.iter_modules(pages.__path__)
        for route in importlib.import_module(f"{pages.__name__}.{module.name}").router.routes
        for method in route.methods - {"GET", "HEAD", "OPTIONS"}
    }
    return {path.replace("{wish}", wish) for path in found for wish in ("retry", "cancel", "again")}


def test_a_new_address_that_changes_something_has_to_be_tried_here() -> None:
    more = {change.partition("?")[0] for change in MORE_BY_API}
    assert _changes() == {*CHANGES, *CHANGES_BY_API, *more}


def ended_drop(live: Live, name: str) -> str:
    """The id of a drop that is through: nothing can be asked for it any more."""
    live.root.drop(name, "Order ID,Status\nCSRF1,Nonesuch\n")
    return live.drop_id(name)


def test_every_change_needs_the_token_of_the_page(live: Live) -> None:
    drop = ended_drop(live, "csrf.csv")
    with live.client() as client:
        client.get("/")
        for change in CHANGES:
            for form in ({}, {"csrf": "0" * 64}, {"csrf": ""}):
                assert ask(client, change, drop, data=form).status_code == 403, change


def test_a_session_alone_changes_nothing_by_the_api(guarded: Live) -> None:
    """Whoever is logged in gives the token of a page as well: a cookie goes along by itself."""
    with guarded.client(headers={"authorization": f"Bearer {TOKEN}2"}) as robot:
        made = robot.post("/api/v1/drops", files={"files": ("mine.csv", orders(1, prefix="MINE"))})
        assert made.status_code == 202
        seen = until(
            lambda: robot.get("/api/v1/drops").json()["drops"],
            what="a drop",
        )
    paths = [each.format(drop_id=seen[0]["drop_id"]) for each in CHANGES_BY_API]
    with guarded.client() as client:
        form = {"csrf": csrf_of(client, "/login"), "name": "asha", "password": PASSWORD}
        assert client.post("/login", data=form).status_code == 303
        file = {"files": ("forged.csv", orders(1, prefix="FORGED"))}
        for path in paths:
            for header in ({}, {"x-csrf-token": ""}, {"x-csrf-token": "0" * 64}):
                answer = client.post(path, files=file, headers=header)
                assert answer.status_code == 403, (path, header)
        for change in MORE_BY_API:
            for header in ({}, {"x-csrf-token": ""}, {"x-csrf-token": "0" * 64}):
                answer = ask(client, change, seen[0]["drop_id"], files=file, headers=header)
                assert answer.status_code == 403, (change, header)
        token = {"x-csrf-token": csrf_of(client)}
        for path in paths:
            assert client.post(path, files=file, headers=token).status_code in {202, 409}, path


def test_another_site_cannot_act_through_a_browser_here(live: Live) -> None:
    file = {"files": ("forged.csv", orders(1))}
    drop = ended_drop(live, "foreign.csv")
    forged = (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    )
    with live.client() as client:
        token = {"x-csrf-token": csrf_of(client)}
        for change in (*CHANGES, *CHANGES_BY_API, *MORE_BY_API):
            for header in forged:
                answer = ask(client, change, drop, files=file, headers={**token, **header})
                assert answer.status_code == 403, (change, header)
        for path in CHANGES_BY_API[1:]:
            answer = client.post(path.format(drop_id=drop), headers={"origin": live.url})
            may = 202 if path.endswith("/again") else 409  # its rejected row can be read again
            assert answer.status_code == may, "a page of ours may; this drop is through"
        for host in ("evil.example", "127.0.0.1.evil.example", "", "localhost.evil.example:80"):
            assert client.get("/", headers={"host": host}).status_code in {400, 421}, host
        assert client.get("/", headers={"host": "localhost"}).status_code == 200


def test_with_users_it_answers_for_the_names_it_was_given_and_no_other(root: Root) -> None:
    (root.path / "shipdrop.toml").write_text(USERS, "utf-8")
    root.configure(web__port=0, web__hosts='["shipdrop.example.net"]')
    page = root.start("serve", "--log-format", "json")
    with client_of(address_of(page)) as client:
        for host, status in (
            ("shipdrop.example.net", 200),
            ("shipdrop.example.net:8443", 200),
            ("localhost", 200),
            ("evil.example", 421),
            ("shipdrop.example.net.evil.example", 421),
        ):
            assert client.get("/login", headers={"host": host}).status_code == status, host
    assert page.end().code == 0


def test_too_much_is_refused_before_it_is_kept(open_live: Open) -> None:
    with open_live(web__max_upload_mb=1, web__max_upload_files=2) as live, live.client() as client:
        big = client.post("/api/v1/drops", files={"files": ("big.csv", b"x" * (6 << 20))})
        assert big.status_code == 413

        def stream():
            yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="s.csv"\r\n\r\n'
            for _ in range(96):
                yield b"x" * (64 << 10)
            yield b"\r\n--b--\r\n"

        head = {"content-type": "multipart/form-data; boundary=b"}
        assert client.post("/api/v1/drops", content=stream(), headers=head).status_code == 413
        many = [("files", (f"{n}.csv", orders(1))) for n in range(3)]
        assert client.post("/api/v1/drops", files=many).status_code == 400
        assert live.root.files("inbox") == []


def test_every_answer_carries_the_headers_that_bind_browsers(live: Live) -> None:
    with live.client() as client:
        for path in ("/", "/upload", "/nothing", "/static/page.css", "/api/v1/drops", "/healthz"):
            headers = client.get(path).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert "server" not in headers


@pytest.mark.parametrize(
    ("settings", "secure"),
    [
        ({}, False),
        ({"web__behind_proxy": "true", "web__proxies": '["192.0.2.1"]'}, False),
        ({"web__behind_proxy": "true"}, True),
    ],
    ids=["no proxy", "another proxy", "a proxy here"],
)
def test_forwarded_headers_are_believed_from_the_proxy_only(
    root: Root, settings: dict[str, str], secure: bool
) -> None:
    """The cookie is marked Secure when the page is reached by https, as a proxy may tell."""
    (root.path / "shipdrop.toml").write_text(USERS, "utf-8")
    root.configure(web__port=0, **settings)
    page = root.start("serve", "--log-format", "json")
    claim = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}
    with client_of(address_of(page), headers=claim) as client:
        assert ("Secure" in client.get("/login").headers["set-cookie"]) is secure
    assert page.end().code == 0
