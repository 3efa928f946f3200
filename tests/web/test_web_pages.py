"""Every page, in light and dark and at phone width: sound for screen readers, nothing cut off.

With SHIPDROP_SCREENSHOTS=1 each is kept in docs/screenshots.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from axe_playwright_python.base import AXE_SCRIPT as AXE
from playwright.sync_api import Browser, Page

from tests.acceptance.harness import orders, sheet
from tests.web.conftest import Live
from tests.web.test_web_edge import asked_for
from tests.web.test_web_teaching import manifest

SAMPLES = Path(__file__).parents[2] / "sample_drops"
WIDE, PHONE = {"width": 1280, "height": 1000}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def shop(live: Live) -> dict[str, str]:
    """A root with some history: what each page is called → its path."""
    (live.root.path / "couriers").mkdir()
    (live.root.path / "couriers" / "acme.toml").write_text(
        'name = "acme"\ntitle = "Acme Logistics"\n[statuses]\ndelivery_done = ["Delivered"]\n'
        '[expect]\nby = "00:00"\n',
        "utf-8",
    )
    for path in sorted(SAMPLES.glob("*.csv")):
        live.root.drop(path.name, path.read_bytes())
    bad = [[f"SHOP{n:03}", "DELIVERD" if n % 12 == 0 else "Delivered"] for n in range(60)]
    live.root.drop("tuesday_run.csv", sheet(bad))
    live.root.drop("refused.csv", "a,b\n1,2\n")
    with live.client() as client:
        both = [
            ("files", ("sound.csv", orders(3, prefix="CHK"))),
            ("files", ("odd.csv", manifest("ODD"))),
        ]
        check = client.post("/api/v1/checks", files=both).json()["check"]
        files = {"files": ("wednesday.csv", orders(40, prefix="WED"))}
        made = client.post("/api/v1/drops", files=files, data={"note": "evening", "who": "Asha"})
    drop, refused = live.drop_id("tuesday_run.csv"), live.drop_id("refused.csv")
    lost = live.drop_id("saved_again_by_excel.csv")
    live.root.drop("raftaar_monday.csv", manifest("RAF"))
    strange = live.drop_id("raftaar_monday.csv")
    with live.client() as client:
        teach = client.post("/api/v1/teachings", json={"drop": strange}).json()["teaching"]
    live.drop_id("wednesday.csv")
    return {
        "to-do": "/",
        "drops": "/drops",
        "day": f"/days/{datetime.now(ZoneInfo('Asia/Kolkata')):%Y-%m-%d}",
        "waiting": "/waiting",
        "drop": f"/drops/{drop}",
        "drop-refused": f"/drops/{refused}",
        "fix": f"/drops/{drop}/fix?column=1&value=DELIVERD",
        "fix-lost": f"/drops/{lost}/fix",
        "drop-strange": f"/drops/{strange}",
        "teach": f"/teach/{teach}",
        "teach-words": f"/teach/{teach}/words",
        "teach-look": f"/teach/{teach}/look",
        "check": f"/checks/{check}",
        "upload": "/upload",
        "uploaded": f"/uploads/{made.json()['upload']}",
        "find": "/find?q=SHOP001",
        "couriers": "/couriers",
        "courier": "/couriers/acme",
        "courier-general": "/couriers/generic",
        "reports": "/reports",
        "people-none": "/people",
        "account-none": "/account",
        "problem": "/drops/d20010101t000000000aaaa",
    }


PAGES = (
    "to-do",
    "day",
    "waiting",
    "drops",
    "drop",
    "drop-refused",
    "fix",
    "fix-lost",
    "drop-strange",
    "teach",
    "teach-words",
    "teach-look",
    "upload",
    "uploaded",
    "find",
    "couriers",
    "courier",
    "courier-general",
    "check",
    "reports",
    "people-none",
    "account-none",
    "problem",
)


ELSEWHERE = {
    "/login",
    "/people",
    "/account",
    "/workers",
    "/healthz",
    "/readyz",
    "/metrics",
}
"""Seen with axe where there are people and workers, or read by machines."""
PARTS = ("/list", "/live", "/strip", "/session", "/here", ".csv", ".xlsx", "/files/{kind}")
"""Tell the fetches of a page from what is saved as a file."""
ONWARD = {"/next", "/pictures"}


def test_no_page_is_missing_here(shop: dict[str, str]) -> None:
    paths = {path.partition("?")[0] for name, path in shop.items() if name in PAGES}
    patterns = {path for path, _ in asked_for() if not path.startswith("/api/")}
    missing = {
        pattern
        for pattern in patterns - ELSEWHERE - ONWARD
        if not pattern.endswith(PARTS)
        and not any(re.fullmatch(re.sub(r"{.*?}", "[^/]+", pattern), path) for path in paths)
    }
    assert missing == set()
    assert {*shop} == {*PAGES}


@pytest.fixture
def page(page: Page) -> Page:
    page.emulate_media(reduced_motion="reduce")
    return page


SHAPES = ("to-do", "drop", "fix", "teach-words", "courier")
"""A list, a file, a grid, questions, tables: the others are built of the same parts."""


@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[] if each in SHAPES else pytest.mark.soak) for each in PAGES]
)
@pytest.mark.console("404")
def test_a_page_is_sound_in_every_light_and_width(
    live: Live, shop: dict[str, str], page: Page, picture, name: str
) -> None:
    page.set_viewport_size(WIDE)
    page.goto(live.url + shop[name])
    for scheme, size in (("light", WIDE), ("dark", WIDE), ("light", PHONE), ("dark", PHONE)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size(size)
        overflow = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert overflow <= 0, f"{name} is {overflow}px wider than the window ({scheme}, {size})"
        if (scheme, size) in (("light", WIDE), ("dark", PHONE)):
            assert serious(page) == [], f"{scheme}, {size}"
            picture(page, f"{name}{'-phone' if size is PHONE else ''}")


RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
}
"""Violations alone: axe describes all else at length, and nobody reads that."""


def serious(page: Page) -> list[str]:
    """Return axe's findings against WCAG 2.2, A and AA: rule, element, why."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    found = page.evaluate("rules => axe.run(rules).then(all => all.violations)", RULES)
    return [
        f"{each['id']}: {node['html']} {node['failureSummary']}"
        for each in found
        for node in each["nodes"]
    ]


@pytest.mark.console("ERR_", "Failed to load")
def test_axe_is_awake(page: Page) -> None:
    page.set_content("<html><body><img src='x'><input></body></html>")
    assert len(serious(page)) >= 2


def test_the_keyboard_reaches_the_list_and_its_focus_is_seen(
    live: Live, shop: dict[str, str], page: Page
) -> None:
    page.goto(f"{live.url}/drops")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    row = page.locator("tbody a:focus")
    for _ in range(60):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            "(({outlineStyle, outlineWidth}) => [outlineStyle, parseFloat(outlineWidth)])"
            "(getComputedStyle(document.activeElement))"
        )
        assert outline[0] == "solid"
        assert outline[1] >= 2
        if row.count():
            break
    assert row.count() == 1
    name = row.inner_text()
    with page.expect_response("**/drops/list*"):
        pass  # the list was looked at again meanwhile
    assert page.locator("tbody a:focus").inner_text() == name
    page.keyboard.press("Enter")
    page.wait_for_url("**/drops/d*")


OPENS_A_LIST = "▾"
"""The button of a script's: without it the cell is typed into."""


def shown(page: Page) -> dict[str, object]:
    """Return the texts of a page, as far as they do not change by themselves."""
    main = page.locator("main")
    return {
        "headings": main.locator("h1, h2").all_inner_texts(),
        "verdict": main.locator(".verdict").all_inner_texts(),
        "tables": [
            [word for word in row.split() if word != OPENS_A_LIST]
            for row in main.locator("tr").all_inner_texts()
        ],
        "links": main.locator("a").evaluate_all("links => links.map(a => a.getAttribute('href'))"),
        "forms": main.locator("form").evaluate_all("forms => forms.map(f => f.action)"),
        "fields": main.locator("input:visible, select:visible, textarea:visible").count(),
    }


@pytest.mark.parametrize(
    "names",
    [("drop", "fix", "find", "upload"), pytest.param(PAGES, marks=pytest.mark.soak)],
    ids=len,
)
def test_without_javascript_every_page_shows_the_same(
    live: Live, shop: dict[str, str], browser: Browser, names: Sequence[str]
) -> None:
    """Everything but drag and drop and the live updates."""
    contexts = [browser.new_context(java_script_enabled=script) for script in (True, False)]
    pages = [context.new_page() for context in contexts]
    without = {}
    for name in names:
        path = shop[name]
        for last in (False, True):
            for page in pages:
                page.goto(live.url + path)
            with_it, without[name] = map(shown, pages)
            # A minute may have ended between the two visits: its calls show from then on.
            if last or without[name] == with_it:
                break
        assert without[name] == with_it, name
    for context in contexts:
        context.close()
    assert sum(bool(each["tables"]) for each in without.values()) >= len(names) // 4
    assert without["drop"]["verdict"]
    assert without["fix"]["fields"] >= 2
