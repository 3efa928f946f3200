"""Each library we depend on is imported, and has a line that says what for."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs/decisions/0052-libraries-and-own-code.md"

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


def loaded_with(modules: str) -> set[str]:
    script = f"import sys, {modules}; print(*sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return set(told.stdout.split())


def test_nothing_of_ours_is_loaded_before_the_process_that_reads_is_started() -> None:
    loaded = loaded_with("pipeline.reading.process.child_process")
    assert not loaded & {"structlog", "msgspec", "orjson", "asyncio", "numpy", "pyarrow"}


def test_the_process_that_reads_loads_nothing_of_the_service() -> None:
    loaded = loaded_with("pipeline.reading.process.child_main, pipeline.reading.read_file")
    assert "pyarrow" in loaded
    assert not loaded & {
        "structlog",
        "rich",
        "sqlalchemy",
        "pipeline.reading.process.reader_process",
    }
