"""Every template, rendered by the page it is of, from what a run left; and each name in it.

A field that is renamed in a record and not in a template fails here, not before somebody's eyes.
"""

import asyncio
import csv
import re
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from jinja2 import StrictUndefined, Undefined, meta, nodes

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import running
from pipeline.service.settings import load
from pipeline.service.wiring import Site
from pipeline.web.app import create_app
from pipeline.web.context import WebContext
from tests.acceptance.harness import Root, rooted, sheet

HEADER = ("Order ID", "Status", "AWB")
GOOD = sheet([(f"ORD{n}", "Delivered", f"AWB{n}77") for n in range(20)], HEADER)
MIXED = sheet(
    [
        *((f"ORD5{n}", "Delivered", f"AWB5{n}8") for n in range(8)),
        ("1.77E+16", "Delivered", "AWB9001"),
        ("1.78E+16", "Delivered", "AWB9002"),
        ("ORD61", "Raste mein", "AWB9003"),
        ("ORD62", "Raste mein", "AWB9004"),
        ("ORD63", "In Transit", "AWB9005"),
    ],
    HEADER,
)
REFUSED = sheet([(f"ORD9{n}", "Raste mein" if n else "Delivered", "") for n in range(30)], HEADER)
STRANGE = sheet([(f"FYMP{n}00{n}", "pahuncha") for n in range(30)], ("Parcel Kramank", "Halat"))
DELHIVERY = Path(__file__).parents[2] / "sample_drops" / "delhivery" / "delhivery_mis.csv"
ELSEWHERE = {"workers.html"}
"""Shown where workers share a ledger in PostgreSQL alone: tests/web/test_web_workers.py."""

Ask = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Root]:
    """A root with files that were sent, rejected in part and refused, and with some that wait."""
    place = tmp_path_factory.mktemp("pages")
    with running(SandboxConfig()) as api, rooted(place, api.url, api.token) as made:
        made.new_interpreter = True
        files = {"good": GOOD, "mixed": MIXED, "refused": REFUSED, "strange": STRANGE}
        for name, content in files.items():
            made.drop(f"{name}.csv", content)
        told = made.once()
        assert told.code == 4, told.err
        for name in ("waits.csv", "never.tmp"):
            made.drop(name, GOOD)
        yield made


class Pages:
    """What the pages of a root were rendered from: per template the names, and all attributes."""

    def __init__(self, ctx: WebContext) -> None:
        self.environment = ctx.templates.env
        self.values: dict[str, set[str]] = {}
        self.found: set[str] = set()
        self._getattr, self._respond = self.environment.getattr, ctx.templates.TemplateResponse
        vars(self.environment)["getattr"] = self.noted
        vars(ctx.templates)["TemplateResponse"] = self.responded

    def noted(self, thing: object, name: str) -> Any:
        value = self._getattr(thing, name)
        if not isinstance(value, Undefined):
            self.found.add(name)
        return value

    def responded(self, request: Any, name: str, given: Mapping[str, Any], **more: Any) -> Any:
        self.values.setdefault(name, {*given}).intersection_update(given)
        return self._respond(request, name, given, **more)

    def loaded(self) -> set[str]:
        """Return the templates that were needed: nothing compiles them beforehand here."""
        assert self.environment.cache is not None
        return {name for _, name in self.environment.cache}


def visit(root: Root, ask: Callable[[Ask, Ask], Awaitable[None]]) -> Pages:
    """Ask the page of a root as a browser does: ``get`` and ``post``, and no page may fail."""
    site = Site(root.path, load(root.path))
    app = create_app(site)
    seen = Pages(app.state.ctx)

    async def asked() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:

            async def get(path: str, status: int = 200) -> httpx.Response:
                told = await client.get(path, follow_redirects=True)
                assert told.status_code == status, (path, told.text[-2_000:])
                return told

            async def post(path: str, *, status: int = 200, **more: Any) -> httpx.Response:
                page = await client.get("/account", follow_redirects=True)
                token = re.findall(r'X-CSRF-Token": "(\w+)"', page.text)[0]
                headers = {"x-csrf-token": token}
                told = await client.post(path, headers=headers, follow_redirects=True, **more)
                assert told.status_code == status, (path, told.text[-2_000:])
                return told

            await ask(get, post)

    with closing(site):
        asyncio.run(asked())
    return seen


@pytest.fixture(scope="module")
def pages(root: Root) -> Pages:
    """All pages, shown in the states that their templates tell apart."""
    drops = {each.summary["source_file"].partition(".")[0]: each.id for each in root.delivered()}

    async def all_of_them(get: Ask, post: Ask) -> None:
        for path in (
            "/",
            "/drops",
            "/drops?q=ORD61",
            "/drops?sort=rows",
            "/drops?when=today",
            "/drops/list",
            "/strip",
            "/session",
            "/waiting",
            "/couriers",
            "/reports",
            "/couriers/delhivery",
            "/couriers/generic",
            "/account",
            "/people",
            "/upload",
            "/find",
            "/find?q=ORD61",
            "/find?q=ORD61+ORD50+zzzz",
            "/find?q=AWB508",
        ):
            await get(path)
        await get("/nothing", 404)
        day = csv.DictReader((await get("/reports/days.csv")).text.lstrip("\ufeff").splitlines())
        await get(f"/days/{next(day)['day']}")
        for drop in drops.values():
            await get(f"/drops/{drop}")
            await get(f"/drops/{drop}?outcome=rejected&code=STATUS_UNKNOWN:status")
        mixed, refused = drops["mixed"], drops["refused"]
        await get(f"/drops/{mixed}/fix")
        await get(f"/drops/{mixed}/fix?column=1&value=Raste+mein&more=1&show=untouched")
        await get(f"/drops/{refused}/fix?sort=wrong")
        await post(
            f"/drops/{refused}/fix/replace",
            data={"column": 1, "old": "Raste mein", "new": "Delivered", "who": "Asha"},
        )
        await post(
            f"/drops/{mixed}/fix/cell",
            data={"line": 2, "column": 1, "value": "Delivered", "had": "Raste mein"},
        )
        stale = {"cell-2-1": "Returned", "had-2-1": "Raste mein", "go": "1"}
        await post(f"/drops/{mixed}/fix", data=stale, status=409)
        await post(f"/drops/{mixed}/fix/ids", data={"ids": "1\n2\n3"}, status=409)
        aside = {"fault": "STATUS_UNKNOWN:status", "reason": "other", "who": "Asha"}
        await post(f"/drops/{mixed}/aside", data=aside)
        await get(f"/drops/{mixed}/fix")
        for kind, key in (("refused", drops["strange"]), ("rows", mixed)):
            await post("/to-do/aside", data={"kind": kind, "key": key, "reason": "other"})
        await get(f"/drops/{mixed}")
        contents = (MIXED, REFUSED, STRANGE, GOOD, DELHIVERY.read_bytes())
        files = [("files", (f"{at}.csv", content)) for at, content in enumerate(contents)]
        checked = await post("/upload", files=files, data={"what": "check", "note": "n"})
        batch = str(checked.url).rpartition("/")[2]
        await post(f"/checks/{batch}/files/3", data={"go": "leave"})
        await post(f"/checks/{batch}/files/4", data={"go": "check", "courier": "dtdc"})
        await post(f"/upload/{batch}/send", data={})
        await get(f"/uploads/{batch}/live")
        await post("/upload", data={"what": "send"}, status=422)
        await teach(get, post, drops["strange"])

    async def teach(get: Ask, post: Ask, drop: str) -> None:
        begun = await post("/teach", data={"drop": drop})
        place = begun.url.path
        said = {"title": "Raftaar", "version": "0", "who": "Asha", "go": "words"}
        await post(place, data={**said, "title": ""}, status=422)
        said |= {"version": "1", "role-0": "order_id", "role-1": "status"}
        words = await post(place, data=said)
        word = re.findall(r'name="(word-\w+)"', words.text)[0]
        look = await post(f"{place}/words", data={"version": "2", word: "delivery_done"})
        assert "One row of each kind" in look.text
        await post(f"{place}/save", data={"version": "3", "go": "save", "by": "18:00", "on-mon": 1})
        await get("/couriers/raftaar")

    return visit(root, all_of_them)


@pytest.fixture(scope="module")
def people(root: Root) -> Pages:
    """The pages of a root where people log in."""

    async def logged_in(get: Ask, post: Ask) -> None:
        first = {"name": "Asha", "role": "manage", "password": "three plain words"}
        await post("/people", data=first)
        await get("/")
        form = await get("/login")
        token = re.findall(r'name="csrf" value="(\w+)"', form.text)[0]
        login = {"name": "Asha", "password": "three plain words", "csrf": token}
        await post("/login", data={**login, "password": "wrong"}, status=403)
        await post("/login", data=login)
        for path in ("/people", "/account", "/session?said=stays"):
            await get(path)

    return visit(root, logged_in)


def test_no_template_is_unused(pages: Pages, people: Pages) -> None:
    names = {*pages.environment.list_templates()} - ELSEWHERE
    assert names - pages.loaded() - people.loaded() == set()


def test_an_undefined_name_is_an_error(pages: Pages) -> None:
    assert pages.environment.undefined is StrictUndefined


def test_every_name_in_a_template_is_given_by_its_page(pages: Pages, people: Pages) -> None:
    """Also where it stands in a branch that no page above took."""
    known = {*pages.environment.globals, "request"}
    for name, given in (pages.values | people.values).items():
        parts = whole(pages, name)
        made = {each for part in parts for each in made_in(pages, part)}
        missing = {part: asked_for(pages, part) - given - known - made for part in parts}
        assert not any(missing.values()), (name, missing)


def test_a_page_gives_nothing_that_its_template_does_not_use(pages: Pages, people: Pages) -> None:
    """But what is given to every page; a part of a page is given what the whole is."""
    every = set.intersection(*pages.values.values())
    for name, given in (pages.values | people.values).items():
        used = {each for part in whole(pages, name) for each in asked_for(pages, part)}
        assert name.startswith("_") or given - every <= used, (name, given - every - used)


def test_every_attribute_in_a_template_is_one_of_a_record(pages: Pages, people: Pages) -> None:
    """It was found when a page was shown, or a record of the product has it."""
    known = pages.found | people.found | of_records()
    for name in {*pages.environment.list_templates()} - ELSEWHERE:
        asked = {each.attr for each in parsed(pages, name).find_all(nodes.Getattr)}
        assert asked <= known, (name, asked - known)


@cache
def parsed(pages: Pages, name: str) -> nodes.Template:
    assert pages.environment.loader is not None
    return pages.environment.parse(pages.environment.loader.get_source(pages.environment, name)[0])


def asked_for(pages: Pages, name: str) -> set[str]:
    return meta.find_undeclared_variables(parsed(pages, name))


def made_in(pages: Pages, name: str) -> set[str]:
    """Return the names that a template itself gives: imports, macros, and what is set."""
    tree = parsed(pages, name)
    stored = {each.name for each in tree.find_all(nodes.Name) if each.ctx == "store"}
    macros = {each.name for each in tree.find_all(nodes.Macro)}
    return stored | macros | {each.target for each in tree.find_all(nodes.Import)}


def whole(pages: Pages, name: str) -> set[str]:
    """Return a template with those that it extends, and those that it includes."""
    tree = parsed(pages, name)
    near = [*tree.find_all(nodes.Extends), *tree.find_all(nodes.Include)]
    names = [each.template.as_const() for each in near]
    return {name}.union(*(whole(pages, each) for each in names))


def of_records() -> set[str]:
    """Return the fields and properties of all records of the product."""
    modules = [
        each for name, each in sys.modules.items() if name.startswith(("pipeline", "schemas"))
    ]
    kinds = [each for module in modules for each in vars(module).values() if isinstance(each, type)]
    return {
        name
        for kind in kinds
        if kind.__module__.startswith(("pipeline", "schemas"))
        for name in (*dir(kind), *getattr(kind, "model_fields", ()))
    }
