"""Each library we depend on is imported, and has a line that says what for."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs/decisions/0052-what-each-library-is-for.md"

MODULE = {"argon2-cffi": "argon2", "python-multipart": "fastapi"}
"""Modules whose name is not that of their library; FastAPI imports the latter for a form."""


def dependencies() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["cluster"]]
    return [re.split(r"[\[<>=;~ ]", each)[0] for each in wanted]


@pytest.fixture(scope="module")
def sources() -> str:
    return "\n".join(
        path.read_text("utf-8")
        for package in ("pipeline", "schemas")
        for path in (ROOT / package).rglob("*.py")
    )


@pytest.mark.parametrize("name", dependencies())
def test_it_is_imported_and_the_table_says_what_for(name: str, sources: str) -> None:
    module = MODULE.get(name, name.replace("-", "_").casefold())
    assert re.search(rf"^\s*(?:import|from) {module}\b", sources, re.MULTILINE)
    named = re.findall(r"^\| ([^|]+) \|", TABLE.read_text("utf-8"), re.MULTILINE)
    assert name in {each.strip() for line in named for each in line.split(",")}


def test_the_table_names_nothing_else() -> None:
    text = TABLE.read_text("utf-8").partition("Written here")[0]
    named = {
        each.strip()
        for line in re.findall(r"^\| ([^|]+) \|", text, re.MULTILINE)[1:]
        for each in line.split(",")
    }
    assert named == set(dependencies())
