"""Every line of docs/hazards.md names tests that exist, and no line of the reference is missing."""

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from tests.acceptance import test_hazards_seen_by_a_user as seen

REPOSITORY = Path(__file__).parents[2]
TABLE = REPOSITORY / "docs" / "hazards.md"
#: What the table was made from. It lies beside the repository, not in it.
REFERENCE = REPOSITORY.parent / "shared" / "reference" / "hazards.md"
LINES = {"A": 11, "B": 14, "C": 4, "D": 11, "E": 15, "F": 15, "G": 3}
_CELLS = re.compile(r"(?<!\\)\|")


def lines_of(path: Path) -> list[list[str]]:
    """The cells of all table lines below a heading A to G, without the heads of the tables."""
    found, inside = [], False
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            inside = re.match(r"## [A-G]\. ", line) is not None
        elif inside and line.startswith("|"):
            cells = [cell.strip() for cell in _CELLS.split(line.strip().strip("|"))]
            if "hazard" not in cells and not set(line) <= set("|- "):
                found.append(cells)
    return found


def rows() -> list[list[str]]:
    return lines_of(TABLE)


@cache
def known_tests() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for path in (REPOSITORY / "tests").rglob("test_*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                found[path.stem].add(node.name)
            elif isinstance(node, ast.ClassDef):
                found[path.stem] |= {
                    f"{node.name}::{each.name}"
                    for each in node.body
                    if isinstance(each, ast.FunctionDef)
                }
    return found


def cases_seen() -> set[str]:
    rows = {f"rows {each.name}" for each in seen.IN_CSV}
    cells = {f"cells {each.name}" for each in seen.IN_XLSX}
    return rows | cells | set(seen.REFUSED)


def test_there_is_a_line_for_each_hazard_in_its_place() -> None:
    keys = [
        f"{section}{number}" for section, count in LINES.items() for number in range(1, count + 1)
    ]
    assert [cells[0] for cells in rows()] == keys
    assert all(len(cells) == 4 for cells in rows())


@pytest.mark.parametrize("cells", [pytest.param(cells, id=cells[0]) for cells in rows()])
def test_the_tests_of_a_hazard_exist(cells: list[str]) -> None:
    named = re.findall(r"`([^`]+)`", cells[3])
    assert named
    for name in named:
        file, _, test = name.partition("::")
        test, _, case = test.partition("[")
        assert test in known_tests()[file], name
        if case and file == seen.__name__.rpartition(".")[2]:
            assert case.removesuffix("]") in cases_seen(), name


def test_every_case_that_a_user_sees_belongs_to_a_hazard() -> None:
    named = set(re.findall(r"hazard_says\[([^\]`]+)\]`", TABLE.read_text(encoding="utf-8")))
    assert cases_seen() == named


def test_the_table_says_what_the_reference_says() -> None:
    # Alone, the table is the only copy; its keys are held to be complete by the test above.
    expected = lines_of(REFERENCE) if REFERENCE.is_file() else [cells[1:3] for cells in rows()]
    assert [cells[1:3] for cells in rows()] == expected
