"""The web page as people meet it: a running service with its page, and a browser before it.

Pages are shown by Debian's Chromium. Whatever it says on its console fails the test.
"""

import os
import re
import shutil
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    ViewportSize,
    WebError,
    expect,
    sync_playwright,
)

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.harness import Root, Running, rooted, until
from tests.fakes.mailbox import Mailbox
from tests.forked import HASHING

expect.set_options(timeout=30_000)
"""Milliseconds until what should be seen in a moment counts as never, on however slow a machine."""

SEND = re.compile("^Send ")
"""The button of corrected rows, whatever their number."""

BROWSERS = ("chromium-headless-shell", "chromium")
"""Without the parts of a browser that nobody sees a page costs a third."""

FLAGS = (
    "--disable-gpu",
    "--renderer-process-limit=1",
    "--disable-features=SpareRendererForSitePerProcess",
)
"""A new process for each tab would cost more than what the tab shows."""

USUAL: ViewportSize = {"width": 1280, "height": 720}

QUICKLY = """
const later = window.setTimeout;
const sooner = (ms) => ms >= 1000 ? Math.max(ms / 5, 400) : ms;
window.setTimeout = (act, ms, ...more) => later(act, sooner(ms), ...more);
"""
"""Let a page that keeps itself up to date ask up to five times as often: a test waits for it."""

A_MOMENT = 0.04
"""Seconds between two questions to a service, which does its work meanwhile."""

CERTIFICATES = ssl.create_default_context()
"""Made once: to read them costs more than what a client asks for."""

LOGGED_OUT = (
    "Failed to load resource: the server responded with a status of 401",
    "Response Status Error Code 401",
)
AWAY = ("Failed to load resource: net::ERR_", "htmx:sendError", "htmx:afterRequest")

SCREENSHOTS = Path(__file__).parents[2] / "docs" / "screenshots"


def client_of(url: str, **more: Any) -> httpx.Client:
    """A client of a page, with a cookie jar of its own."""
    return httpx.Client(base_url=url, timeout=30, verify=CERTIFICATES, **more)


def hashed(password: str) -> str:
    """Hash a password as the settings have it, but so that to check it takes no time."""
    return PasswordHasher(**HASHING).hash(password)


@dataclass(frozen=True)
class Live:
    """A root with its service, its page, and the API it sends to."""

    root: Root
    url: str
    api: SandboxHandle
    service: Running

    def client(self, **more: Any) -> httpx.Client:
        """A client of the page, with a cookie jar of its own."""
        return client_of(self.url, **more)

    def drop_id(self, name: str) -> str:
        """The id of the newest drop of a file, once it is through and put away."""

        def look() -> str | None:
            asked = client.get("/api/v1/drops", params={"q": name})
            for drop in asked.json()["drops"]:
                if drop["source_file"] == name and drop["state"] in {"completed", "refused"}:
                    found = str(drop["drop_id"])
                    work = self.root.path / "work" / found / name
                    return None if work.exists() else found
            return None

        with self.client() as client:
            return str(until(look, what=f"{name} through", rest=A_MOMENT))


def address_of(service: Running) -> str:
    """Where the page of a running service listens, as its log says."""

    def look() -> str | None:
        found = re.search(r'"address": "(http[^"]+?)/?"', service.err_path.read_text())
        return found[1] if found else None

    return str(until(look, what="the page listens"))


Open = Callable[..., AbstractContextManager[Live]]


@contextmanager
def opened(
    place: Path,
    api: SandboxConfig | None = None,
    toml: str = "",
    *,
    may_be_killed: bool = False,
    **settings: object,
) -> Iterator[Live]:
    """A service with its page over a fresh root."""
    with running(api or SandboxConfig()) as handle:
        place.mkdir(parents=True)
        (place / "shipdrop.toml").write_text(toml, "utf-8")
        with rooted(place, handle.url, handle.token) as root:
            root.configure(web__port=0, inbox__scan_seconds=0.2, **settings)
            service = root.start("run", "--web", "--log-format", "json")
            address = address_of(service)
            until(
                lambda: (place / "state" / "health.json").exists(), what="the service's first word"
            )
            yield Live(root, address, handle, service)
            ended = service.end()
            assert ended.code == 0 or may_be_killed, ended.err
            assert "web.bug" not in ended.err, ended.err


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """One service for all tests of a module."""
    with opened(tmp_path_factory.mktemp("live") / "root") as made:
        yield made


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    """A fresh root that sends nowhere."""
    place = tmp_path / "root"
    place.mkdir()
    with rooted(place, "http://127.0.0.1:9", "token") as made:
        yield made


@pytest.fixture
def open_live(tmp_path: Path) -> Open:
    """Makes a service of its own, with other settings."""
    return lambda **settings: opened(tmp_path / "own", **settings)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, not one that Playwright fetches."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip("chromium-headless-shell is not installed (.ci/debian-packages)")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=found, args=[*FLAGS, *as_root])
        yield made
        made.close()


@pytest.fixture(scope="session")
def window(browser: Browser) -> Iterator[BrowserContext]:
    """A browser's window with a tab that stays: to open one costs more than what it shows."""
    made = browser.new_context()
    made.add_init_script(QUICKLY)
    made.new_page()
    yield made
    made.close()


@pytest.fixture
def context(window: BrowserContext) -> Iterator[BrowserContext]:
    """A window without cookies, whose tab is made empty in the end, and all others closed.

    A test that listens to what its tab asks opens another one.
    """
    yield window
    tab, *others = window.pages
    for other in others:
        other.close()
    tab.unroute_all()
    try:
        tab.goto("about:blank")
    except Error:  # a form of the test was still on its way
        tab.goto("about:blank")
    tab.set_viewport_size(USUAL)
    tab.emulate_media(color_scheme="light", reduced_motion="no-preference")
    window.clear_cookies()
    window.set_offline(False)


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page."""
    return context.pages[0]


@pytest.fixture(autouse=True)
def no_words_on_the_console(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test whose page writes to the browser's console, or throws.

    A page asks by itself, at any moment: also when its log-in is over, and when the test has just
    ended the service. The first is answered by 401, whereupon the page goes to the log-in, where no
    test is by mistake. The mark ``console`` names more that a test brings about.
    """
    if "context" not in request.fixturenames:
        yield
        return
    said: list[str] = []
    context: BrowserContext = request.getfixturevalue("context")

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            said.append(message.text)

    def thrown(error: WebError) -> None:
        said.append(str(error.error))

    context.on("console", note)
    context.on("weberror", thrown)
    ended = Running.ended
    yield
    context.remove_listener("console", note)
    context.remove_listener("weberror", thrown)
    allowed = [text for mark in request.node.iter_markers("console") for text in mark.args]
    known = LOGGED_OUT if Running.ended == ended else (*LOGGED_OUT, *AWAY)
    assert not [
        words
        for words in said
        if not (any(each in words for each in allowed) or words.startswith(known))
    ]


@pytest.fixture
def picture(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """Keeps a screenshot for docs/screenshots, when SHIPDROP_SCREENSHOTS is set."""

    def take(page: Page, name: str) -> None:
        if os.environ.get("SHIPDROP_SCREENSHOTS"):
            SCREENSHOTS.mkdir(exist_ok=True)
            page.screenshot(path=SCREENSHOTS / f"{name}.png")

    return take


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    made = Mailbox()
    yield made
    made.close()
