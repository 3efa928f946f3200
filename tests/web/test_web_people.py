"""People: who may log in, in which role, and one's own account; by page and by machine."""

import json
import re
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from pipeline.web.passwords import hash_token
from tests.acceptance.harness import Root, until
from tests.web.conftest import Live, Open, address_of, client_of, hashed, opened
from tests.web.test_web_access import csrf_of
from tests.web.test_web_pages import PHONE, WIDE, serious

FIRST, SECOND = "three odd words", "other odd words"
BOSS = {"authorization": "Bearer sd_a-token-of-a-manager"}
WORKER = {"authorization": "Bearer sd_a-token-of-an-operator"}
GUEST = {"authorization": "Bearer sd_a-token-of-a-reader"}
_STORED = hashed(FIRST)
USERS = f"""
[web.users.meera]
role = "manage"
password_hash = "{_STORED}"
[web.users.boss]
role = "manage"
token_hash = "{hash_token("sd_a-token-of-a-manager")}"
[web.users.robot]
token_hash = "{hash_token("sd_a-token-of-an-operator")}"
[web.users.wall]
role = "look"
token_hash = "{hash_token("sd_a-token-of-a-reader")}"
"""
BOSS_ONLY = f"""
[web.users.boss]
role = "manage"
token_hash = "{hash_token("sd_a-token-of-a-manager")}"
"""


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A service with a manager, and machines of each role."""
    with opened(tmp_path_factory.mktemp("office") / "root", toml=USERS) as made:
        yield made


def entered(client: httpx.Client, name: str, password: str) -> int:
    """The status that a log-in is answered with: 303 where it fits."""
    form = {"csrf": csrf_of(client, "/login"), "name": name, "password": password}
    return client.post("/login", data=form).status_code


def by_hand(page: Page, url: str, name: str, password: str) -> None:
    page.goto(f"{url}/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def added(live: Live, name: str, role: str = "operate", password: str = FIRST) -> None:
    with live.client(headers=BOSS) as boss:
        person = {"name": name, "role": role, "password": password}
        assert boss.post("/api/v1/people", json=person).status_code == 201


def settled(live: Live, name: str, role: str = "operate") -> None:
    """Add somebody who has chosen a password already: ``SECOND``."""
    added(live, name, role)
    with live.client() as client:
        assert entered(client, name, FIRST) == 303
        given = {"old": FIRST, "new": SECOND}
        token = {"x-csrf-token": csrf_of(client, "/account")}
        answer = client.put("/api/v1/account/password", json=given, headers=token)
        assert answer.status_code == 200, answer.text


def row_of(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name))


@pytest.mark.console("409", "422")
def test_a_manager_adds_a_person_who_chooses_a_password_before_all_else(
    office: Live, page: Page, browser: Browser
) -> None:
    by_hand(page, office.url, "meera", FIRST)
    page.get_by_role("link", name="People").click()
    page.get_by_label("Name", exact=True).fill("Ravi K.")
    page.get_by_role("radio", name="Read-only").check()
    page.get_by_label("Password", exact=True).fill("password1")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("too easy to guess")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Ravi K.")
    expect(page.get_by_role("radio", name="Read-only")).to_be_checked()
    page.get_by_role("radio", name="Operator").check()
    page.get_by_label("Password", exact=True).fill(FIRST)
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_contain_text("Ravi K. can log in now")
    expect(row_of(page, "Ravi K.")).to_contain_text("has not chosen a password yet")
    expect(row_of(page, "Ravi K.")).to_contain_text("never")

    context = browser.new_context()
    ravi = context.new_page()
    by_hand(ravi, office.url, "Ravi K.", FIRST)
    expect(ravi).to_have_url(f"{office.url}/account")
    ravi.goto(f"{office.url}/upload")
    expect(ravi).to_have_url(f"{office.url}/account")
    for old, new, again, said in (
        (FIRST, SECOND, FIRST, "differ"),
        (SECOND, SECOND, SECOND, "current password is wrong"),
        (FIRST, FIRST, FIRST, "Choose another"),
        (FIRST, "ravi k.12", "ravi k.12", "too easy to guess"),
    ):
        ravi.get_by_label("Current password").fill(old)
        ravi.get_by_label("New password", exact=True).fill(new)
        ravi.get_by_label("New password, again").fill(again)
        ravi.get_by_role("button", name="Change password").click()
        expect(ravi.get_by_role("alert")).to_contain_text(said)
    ravi.get_by_label("Current password").fill(FIRST)
    ravi.get_by_label("New password", exact=True).fill(SECOND)
    ravi.get_by_label("New password, again").fill(SECOND)
    ravi.get_by_role("button", name="Change password").click()
    expect(ravi.get_by_role("status")).to_contain_text("Your password was changed")
    ravi.goto(f"{office.url}/upload")
    expect(ravi.get_by_role("heading", name="Upload")).to_be_visible()
    expect(ravi.get_by_role("link", name="People")).to_have_count(0)
    context.close()

    page.reload()
    expect(row_of(page, "Ravi K.")).not_to_contain_text("never")
    expect(row_of(page, "Ravi K.")).not_to_contain_text("has not chosen")
    history = page.get_by_role("listitem").filter(has_text="Ravi K.")
    expect(history.nth(0)).to_contain_text("chose a new password")
    expect(history.nth(1)).to_contain_text("added as operator")
    expect(history.nth(1)).to_contain_text("by meera")
    kept = office.root.path / "state" / "web" / "people.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    told = kept.read_text("utf-8") + office.service.err_path.read_text("utf-8")
    assert FIRST not in told
    assert SECOND not in told
    assert "$argon2id$" in kept.read_text("utf-8")
    assert "$argon2id$" not in page.content()


def test_another_password_ends_every_other_session_and_not_the_own(office: Live) -> None:
    settled(office, "Two Screens")
    with office.client() as here, office.client() as there:
        assert entered(here, "Two Screens", SECOND) == 303
        assert entered(there, "Two Screens", SECOND) == 303
        assert there.get("/drops").status_code == 200
        form = {"csrf": csrf_of(here, "/account"), "old": SECOND, "new": FIRST, "again": FIRST}
        stolen = dict(here.cookies)
        assert here.post("/account/password", data=form).status_code == 303
        assert here.get("/drops").status_code == 200
        assert there.get("/drops").status_code == 303
        with office.client(cookies=stolen) as thief:
            assert thief.get("/drops").status_code == 303, "the cookie of before is worth nothing"
        assert entered(there, "Two Screens", SECOND) == 403
        assert entered(there, "Two Screens", FIRST) == 303


def test_wrong_passwords_on_the_account_are_slowed_down_as_log_ins_are(open_live: Open) -> None:
    with open_live(toml=USERS) as live:
        settled(live, "Guesser")
        with live.client() as client:
            assert entered(client, "Guesser", SECOND) == 303
            token = {"x-csrf-token": csrf_of(client, "/account")}
            path, new = "/api/v1/account/password", {"new": "entirely new words"}

            def by_machine(guess: str) -> int:
                return client.put(path, json={**new, "old": guess}, headers=token).status_code

            def by_page(guess: str) -> int:
                form = {"csrf": token["x-csrf-token"], "old": guess, **new, "again": new["new"]}
                return client.post("/account/password", data=form).status_code

            answers = [by_machine(f"guess{n}") for n in range(6)]
            assert answers[:5] == [409] * 5
            # Each wrong one that is looked at doubles the wait, whichever way it comes.
            until(lambda: by_machine("guess") == 429, what="a wait by machine")
            until(lambda: by_page("guess") == 429, what="a wait on the page")
        assert "guess" not in live.service.err_path.read_text("utf-8")


def test_a_role_and_off_and_on_hold_at_once(office: Live, page: Page) -> None:
    settled(office, "Sunil")
    by_hand(page, office.url, "meera", FIRST)
    page.goto(f"{office.url}/people")
    with office.client() as client:
        assert entered(client, "Sunil", SECOND) == 303
        assert client.get("/upload").status_code == 200
        row_of(page, "Sunil").get_by_label("Role of Sunil").select_option("Read-only")
        row_of(page, "Sunil").get_by_role("button", name="Save").click()
        expect(page.get_by_role("status")).to_contain_text("Sunil is read-only now")
        assert client.get("/upload").status_code == 403
        assert client.get("/people").status_code == 403
        row_of(page, "Sunil").get_by_role("button", name="Switch off").click()
        expect(row_of(page, "Sunil")).to_contain_text("switched off")
        assert client.get("/drops").status_code == 303
        assert entered(client, "Sunil", SECOND) == 403
        row_of(page, "Sunil").get_by_role("button", name="Switch on").click()
        expect(page.get_by_role("status")).to_contain_text("log in again")
        assert entered(client, "Sunil", SECOND) == 303
        row_of(page, "Sunil").get_by_text("New password").first.click()
        page.get_by_label("New password for Sunil").fill("words of the manager")
        page.get_by_role("button", name="Set password").click()
        expect(page.get_by_role("status")).to_contain_text("is logged out")
        assert client.get("/drops").status_code == 303
        assert entered(client, "Sunil", "words of the manager") == 303
        assert client.get("/drops").headers["location"] == "/account"
    row_of(page, "Sunil").get_by_text("Remove").first.click()
    page.get_by_role("button", name="Remove Sunil").click()
    expect(page.get_by_role("status")).to_contain_text("Sunil is removed")
    expect(row_of(page, "Sunil")).to_have_count(0)


def test_who_is_named_in_the_settings_is_shown_and_changed_nowhere_else(
    office: Live, page: Page
) -> None:
    by_hand(page, office.url, "meera", FIRST)
    page.goto(f"{office.url}/people")
    for name in ("meera", "boss", "robot", "wall"):
        expect(row_of(page, name)).to_contain_text("kept by your administrator")
        expect(row_of(page, name).get_by_role("button")).to_have_count(0)
    page.get_by_role("link", name="Your account").click()
    expect(page.get_by_text("kept by your administrator")).to_be_visible()
    expect(page.get_by_label("New password")).to_have_count(0)
    with office.client(headers=BOSS) as boss:
        for change in ({"role": "look"}, {"off": True}, {"password": SECOND}):
            assert boss.patch("/api/v1/people/meera", json=change).status_code == 409, change
        assert boss.delete("/api/v1/people/meera").status_code == 409
        person = {"name": "Meera", "role": "look", "password": SECOND}
        assert boss.post("/api/v1/people", json=person).status_code == 409, "but for its case"
    with office.client() as client:
        assert entered(client, "meera", FIRST) == 303
        token = {"x-csrf-token": csrf_of(client, "/account")}
        given = {"old": FIRST, "new": SECOND}
        answer = client.put("/api/v1/account/password", json=given, headers=token)
        assert answer.status_code == 409
        assert "administrator" in answer.json()["error"]


def test_each_role_may_what_it_may_by_machine(office: Live) -> None:
    person = {"name": "Matrix", "role": "look", "password": FIRST}
    asked = (
        ("GET", "/api/v1/people", None, 200),
        ("POST", "/api/v1/people", person, 201),
        ("PATCH", "/api/v1/people/Matrix", {"role": "operate"}, 200),
        ("DELETE", "/api/v1/people/Matrix", None, 200),
    )
    for headers in (WORKER, GUEST):
        with office.client(headers=headers) as client:
            for method, path, body, _status in asked:
                assert client.request(method, path, json=body).status_code == 403, path
            assert client.get("/people").status_code == 403
            assert client.get("/api/v1/account").status_code == 200
    with office.client() as nobody:
        for method, path, body, _status in asked:
            assert nobody.request(method, path, json=body).status_code == 401, path
    with office.client(headers=BOSS) as boss:
        for method, path, body, status in asked:
            assert boss.request(method, path, json=body).status_code == status, path
        told = boss.get("/api/v1/account").json()
        assert (told["name"], told["role"], told["session_ends_at"]) == ("boss", "manage", None)
        assert boss.delete("/api/v1/people/Matrix").status_code == 404
        for wrong in (
            {**person, "name": " "},
            {**person, "name": "a/b"},
            {**person, "name": "../x"},
            {**person, "name": "x\u202ey"},
            {**person, "password": "short"},
            {**person, "password": "Matrix 12"},
        ):
            assert boss.post("/api/v1/people", json=wrong).status_code == 409, wrong
        assert boss.post("/api/v1/people", json={**person, "role": "king"}).status_code == 422
        text = boss.get("/api/v1/people").text
        assert "argon2" not in text
        assert "sha256" not in text
        assert [each["did"] for each in json.loads(text)["changes"][:3]] == [
            "removed",
            "made operator",
            "added as read-only",
        ]


def test_a_person_added_twice_by_one_click_is_added_once(office: Live) -> None:
    with office.client(headers=BOSS) as boss:
        person = {"name": "Doubled", "role": "look", "password": FIRST}
        both = [boss.post("/api/v1/people", json=person) for _ in range(2)]
        assert [each.status_code for each in both] == [201, 201]
        other = boss.post("/api/v1/people", json={**person, "password": SECOND})
        assert other.status_code == 409
        changes = boss.get("/api/v1/people").json()["changes"]
        assert sum(each["name"] == "Doubled" for each in changes) == 1
        off = [boss.patch("/api/v1/people/Doubled", json={"off": True}) for _ in range(2)]
        assert [each.json()["off"] for each in off] == [True, True]
        changes = boss.get("/api/v1/people").json()["changes"]
        assert [each["did"] for each in changes if each["name"] == "Doubled"] == [
            "switched off",
            "added as read-only",
        ]


@pytest.mark.console("409")
def test_two_managers_see_each_others_changes_and_never_undo_them(office: Live, page: Page) -> None:
    settled(office, "Between")
    by_hand(page, office.url, "meera", FIRST)
    page.goto(f"{office.url}/people")
    with office.client(headers=BOSS) as boss:
        assert boss.patch("/api/v1/people/Between", json={"role": "look"}).status_code == 200
    row_of(page, "Between").get_by_label("Role of Between").select_option("Manager")
    row_of(page, "Between").get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Between was changed meanwhile")
    expect(row_of(page, "Between").get_by_label("Role of Between")).to_have_value("look")
    with office.client(headers=BOSS) as boss:
        stale = boss.patch("/api/v1/people/Between", json={"off": True, "version": 2})
        assert stale.status_code == 409


def test_the_last_manager_stays_also_when_two_go_at_the_same_time_on_two_machines(
    root: Root,
) -> None:
    (root.path / "shipdrop.toml").write_text(BOSS_ONLY, "utf-8")
    root.configure(web__port=0)
    served = [root.start("serve", "--log-format", "json") for _ in range(2)]
    one, other = (client_of(address_of(each)) for each in served)
    person = {"role": "manage", "password": FIRST}
    for name in ("Asha", "Bela"):
        made = one.post("/api/v1/people", json={**person, "name": name}, headers=BOSS)
        assert made.status_code == 201
        assert entered(other, name, FIRST) == 303, "the other machine knows at once"
        other.cookies.clear()

    def add(number: int) -> int:
        person = {"name": f"Clerk {number}", "role": "look", "password": FIRST}
        client = (one, other)[number % 2]
        return client.post("/api/v1/people", json=person, headers=BOSS).status_code

    def switched(number: int) -> int:
        path, client = f"/api/v1/people/Clerk%20{number}", (one, other)[number % 2]
        return client.patch(path, json={"off": True}, headers=BOSS).status_code

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(add, range(4))) == [201] * 4
        assert list(pool.map(switched, range(4))) == [200] * 4
    listed = other.get("/api/v1/people", headers=BOSS).json()
    clerks = [each["off"] for each in listed["people"] if each["name"].startswith("Clerk")]
    assert clerks == [True] * 4, "no change is lost under another one"
    assert len([each for each in listed["changes"] if each["name"].startswith("Clerk")]) == 8

    def gone(client: httpx.Client, name: str) -> int:
        return client.delete(f"/api/v1/people/{name}", headers=BOSS).status_code

    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(gone, (one, other), ("Asha", "Bela"))
        assert sorted(answers) == [200, 409]
    (left,) = [
        each["name"]
        for each in one.get("/api/v1/people", headers=BOSS).json()["people"]
        if not each["kept_in_settings"] and each["role"] == "manage"
    ]
    for change in ({"off": True}, {"role": "operate"}):
        for client in (one, other):
            answer = client.patch(f"/api/v1/people/{left}", json=change, headers=BOSS)
            assert answer.status_code == 409
            assert "only manager" in answer.json()["error"]
    for client, running in zip((one, other), served, strict=True):
        client.close()
        assert running.end().code == 0


def test_the_first_person_of_all_is_a_manager_and_from_then_on_everybody_logs_in(
    open_live: Open, page: Page
) -> None:
    with open_live() as live, live.client() as client:
        assert client.get("/drops").status_code == 200
        refused = {"name": "Asha", "role": "operate", "password": FIRST}
        assert client.post("/api/v1/people", json=refused).status_code == 409
        page.goto(f"{live.url}/account")
        page.get_by_role("link", name="Add people").click()
        page.get_by_label("Name", exact=True).fill("Asha")
        expect(page.get_by_role("radio", name="Manager")).to_be_checked()
        page.get_by_label("Password", exact=True).fill(FIRST)
        page.get_by_role("button", name="Add").click()
        page.wait_for_url("**/login?next=/people")
        assert client.get("/api/v1/drops").status_code == 401
        page.get_by_label("Name").fill("Asha")
        page.get_by_label("Password").fill(FIRST)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="People")).to_be_visible()


def test_of_several_first_people_at_the_same_time_one_is_added(root: Root) -> None:
    root.configure(web__port=0)
    served = root.start("serve", "--log-format", "json")
    names = [f"First {number}" for number in range(4)]

    def add(name: str) -> int:
        person = {"name": name, "role": "manage", "password": FIRST}
        return client.post("/api/v1/people", json=person).status_code

    with client_of(address_of(served)) as client:
        with ThreadPoolExecutor(len(names)) as pool:
            answers = list(pool.map(add, names))
        assert answers.count(201) == 1, answers
        # Refused: not logged in, no manager, or not the first; it depends on how far the one is.
        assert set(answers) <= {201, 401, 403, 409}
        assert entered(client, names[answers.index(201)], FIRST) == 303
        (there,) = client.get("/api/v1/people").json()["people"]
        assert there["name"] == names[answers.index(201)]
    assert served.end().code == 0


def test_a_list_that_cannot_be_read_lets_nobody_in_who_was_not(root: Root) -> None:
    root.configure(web__port=0)
    people = root.path / "state" / "web" / "people.json"
    served = root.start("serve", "--log-format", "json")
    with client_of(address_of(served)) as client:
        first = {"name": "Asha", "role": "manage", "password": FIRST}
        assert client.post("/api/v1/people", json=first).status_code == 201
        whole = people.read_bytes()
        for broken in (b"", b"{", whole[:-9], b'{"people": 5}'):
            people.write_bytes(broken)
            assert client.get("/api/v1/drops").status_code == 401, broken
            assert entered(client, "Asha", FIRST) == 303
            client.cookies.clear()
        people.unlink()
        assert client.get("/api/v1/drops").status_code == 401
        people.write_bytes(b"{")
    assert served.end().code == 0
    ran = root.run("serve")
    assert ran.code == 2
    assert "people.json cannot be read" in ran.err
    people.write_bytes(whole)
    served = root.start("serve", "--host", "0.0.0.0", "--log-format", "json")
    with client_of(address_of(served)) as client:
        assert client.get("/login").status_code == 200
    assert served.end().code == 0


def test_the_end_of_a_session_is_said_five_minutes_before_and_put_off(
    open_live: Open, page: Page, browser: Browser
) -> None:
    hours = 302 / 3600
    with open_live(toml=USERS, web__session_hours=hours) as live:
        by_hand(page, live.url, "meera", FIRST)
        bar = page.locator("#session")
        expect(bar.get_by_role("alert")).to_contain_text(
            re.compile(r"You will be logged out at \d\d:\d\d\.")
        )
        page.evaluate("window.untouched = true")
        bar.get_by_role("button", name="Stay logged in").focus()
        page.keyboard.press("Enter")
        expect(bar).to_contain_text("You stay logged in until")
        assert page.evaluate("window.untouched"), "no page was loaded"
        assert page.evaluate("document.activeElement.textContent").startswith("You stay")
        expect(bar.get_by_role("alert")).to_be_visible()  # again, before the new end
        assert serious(page) == []
        plain = browser.new_context(java_script_enabled=False)
        without = plain.new_page()
        by_hand(without, live.url, "meera", FIRST)
        expect(without.get_by_role("link", name="Your account")).to_be_visible()

        def is_said() -> bool:
            without.goto(f"{live.url}/account")
            return without.get_by_role("alert").count() == 1

        until(is_said, what="the end is said on a page that is loaded")
        without.get_by_role("button", name="Stay logged in").first.click()
        expect(without.get_by_text("Logged in until")).to_be_visible()
        plain.close()


def test_a_session_that_ends_leads_to_the_log_in_and_back(open_live: Open, page: Page) -> None:
    with open_live(toml=USERS, web__session_hours=3 / 3600) as live:
        by_hand(page, live.url, "meera", FIRST)
        page.goto(f"{live.url}/couriers")
        page.wait_for_url("**/login?next=/couriers")


@pytest.mark.parametrize(
    "name", ["people", "login", pytest.param("account", marks=pytest.mark.soak)]
)
def test_people_and_account_are_sound_in_every_light_and_width(
    office: Live, page: Page, picture, name: str
) -> None:
    with office.client(headers=BOSS) as boss:
        there = {each["name"] for each in boss.get("/api/v1/people").json()["people"]}
    if "Anita Rao" not in there:
        settled(office, "Anita Rao", "manage")
        settled(office, "Prakash")
    page.emulate_media(reduced_motion="reduce")
    page.set_viewport_size(WIDE)
    if name != "login":
        by_hand(page, office.url, "Anita Rao", SECOND)
    page.goto(f"{office.url}/{name}")
    for scheme, size in (("light", WIDE), ("dark", WIDE), ("light", PHONE), ("dark", PHONE)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(size)
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0, (scheme, size)
        if (scheme, size) in (("light", WIDE), ("dark", PHONE)):
            assert serious(page) == [], (scheme, size)
            picture(page, f"{name}{'-phone' if size is PHONE else ''}")


def test_a_person_is_added_and_changed_with_the_keyboard_alone(office: Live, page: Page) -> None:
    by_hand(page, office.url, "meera", FIRST)
    page.goto(f"{office.url}/people")

    def tab_to(what: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            at = page.evaluate("document.activeElement.name || document.activeElement.innerText")
            if at == what:
                return
        raise AssertionError(f"{what} is not reached by the keyboard")

    tab_to("name")
    page.keyboard.type("Keyed")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowUp")  # from Operator to Read-only
    page.keyboard.press("Tab")
    page.keyboard.type(FIRST)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Keyed can log in now")
    expect(row_of(page, "Keyed").get_by_label("Role of Keyed")).to_have_value("look")
    page.get_by_label("Role of Keyed").focus()
    page.keyboard.type("Op")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Keyed is operator now")


def test_the_settings_name_no_person_twice(root: Root) -> None:
    """Whoever the settings name from now on is theirs, whatever the list says."""
    root.configure(web__port=0)
    served = root.start("serve", "--log-format", "json")
    with client_of(address_of(served)) as client:
        first = {"name": "meera", "role": "manage", "password": SECOND}
        assert client.post("/api/v1/people", json=first).status_code == 201
    assert served.end().code == 0
    (root.path / "shipdrop.toml").write_text(USERS, "utf-8")
    served = root.start("serve", "--log-format", "json")
    with client_of(address_of(served)) as client:
        assert entered(client, "meera", SECOND) == 403
        assert entered(client, "meera", FIRST) == 303
    assert served.end().code == 0
