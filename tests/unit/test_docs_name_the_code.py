"""Pages that lead a reader through the code name modules, classes and tests that are there."""

import re
from pathlib import Path

import pytest

TREE = Path(__file__).parents[2]
PAGES = ("architecture", "faults-put-in", "glossary", "state", "testing")

_QUOTED = re.compile(r"`([A-Za-z_][\w./-]*)`")
_MODULE = re.compile(r"[\w/]+\.py")
_OF_THE_CODE = re.compile(r"test_\w+|[A-Z]\w*[a-z]\w*(\.[a-z]\w*)?|[A-Z]+_[A-Z_]+")
_LOGGED = re.compile(
    r"log\.(?:info|warning|error|exception|critical)\(\s*(?:#[^\n]*\n\s*)?\"([a-z_.]+)\""
)
_STEPS = "inbox|validation|reading|planning|delivery|reporting|service|cluster"
_DOTTED = re.compile(rf"``((?:pipeline|schemas|core|storage|{_STEPS})(?:\.[a-z_]+)+)")
_DEFINED = re.compile(r"^ *(?:class|def|async def) (\w+)|^ *(\w+)(?:: [^=\n]+)? = ", re.MULTILINE)


@pytest.fixture(scope="module")
def defined() -> dict[Path, frozenset[str]]:
    """Give what each module defines: classes, functions, values."""
    folders = ("pipeline", "schemas", "tests", "benchmarks")
    return {
        path: frozenset(
            name for pair in _DEFINED.findall(path.read_text("utf-8")) for name in pair if name
        )
        for folder in folders
        for path in (TREE / folder).rglob("*.py")
    }


@pytest.mark.parametrize("page", PAGES)
def test_each_module_class_and_test_that_a_page_names_is_there(
    page: str, defined: dict[Path, frozenset[str]]
) -> None:
    text = (TREE / "docs" / f"{page}.md").read_text("utf-8")
    quoted = set(_QUOTED.findall(text))
    modules = sorted(name for name in quoted if _MODULE.fullmatch(name))
    names = sorted(filter(_OF_THE_CODE.fullmatch, quoted - {"Thumbs.db"}))
    assert [
        name
        for name in modules
        if not any(path.as_posix().endswith(f"/{name}") for path in defined)
    ] == []
    assert [
        name
        for name in names
        if not any(
            path.stem == name or there.issuperset(name.split("."))
            for path, there in defined.items()
        )
    ] == []
    if page == "architecture":
        assert len(modules) > 20
        assert len(names) > 10


def test_each_module_that_any_page_or_docstring_names_is_there(
    defined: dict[Path, frozenset[str]],
) -> None:
    there = {path.relative_to(TREE).with_suffix("").as_posix() for path in defined}
    folders = {path.rsplit("/", 1)[0] for path in there}
    named: dict[str, set[str]] = {}
    for page in (TREE / "docs").rglob("*.md"):
        for name in _QUOTED.findall(page.read_text("utf-8")):
            if _MODULE.fullmatch(name):
                named.setdefault(name.removesuffix(".py"), set()).add(page.name)
    for path in defined:
        if path.relative_to(TREE).parts[0] in {"pipeline", "schemas"}:
            for name in _DOTTED.findall(path.read_text("utf-8")):
                named.setdefault(name.replace(".", "/"), set()).add(path.name)
    assert len(named) > 100
    gone = {
        name: pages
        for name, pages in named.items()
        if not any(
            each == part or each.endswith(f"/{part}")
            for part in (name, name.rsplit("/", 1)[0])
            for each in there | folders
        )
    }
    assert gone == {}


def test_each_event_of_the_log_is_in_the_table_of_production() -> None:
    logged = {
        event
        for path in (TREE / "pipeline").rglob("*.py")
        for event in _LOGGED.findall(path.read_text("utf-8"))
    }
    table = (TREE / "docs" / "production.md").read_text("utf-8")
    assert len(logged) > 50
    assert sorted(event for event in logged if f"`{event}`" not in table) == []
