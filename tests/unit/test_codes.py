"""One list of codes: every one can be explained, and the contract's tables say what it says."""

import re
from pathlib import Path

import msgspec
import pytest

from schemas.codes import ERRORS, INFORMATION, Code, Kind

CONTRACT = Path(__file__).parents[2] / "docs" / "contract.md"
HEADINGS = {
    "The row is rejected": {Kind.REJECT},
    "The row goes on, with a warning": {Kind.WARNING},
    "The row is understood; nothing is sent": {Kind.SKIP},
    "What became of a row that was, or was to be, sent": {Kind.FAILED, Kind.OPEN, Kind.SETTLED},
    "The whole file is refused": {Kind.REFUSE},
    "A remark about the file": {Kind.NOTICE},
}


@pytest.mark.parametrize("code", list(Code))
def test_each_code_says_what_and_how_to_fix_it(code: Code) -> None:
    assert code.what.endswith(".")
    assert code.fix.rstrip("`").endswith(".")
    assert code.example
    assert code.value == code.name == str(code)


def test_a_code_travels_as_its_name() -> None:
    assert msgspec.json.encode(Code.STALE) == b'"STALE"'
    assert msgspec.json.decode(b'"STALE"', type=Code) is Code.STALE


@pytest.mark.parametrize(("heading", "kinds"), HEADINGS.items())
def test_the_contract_lists_every_code_with_the_meaning_that_is_explained(
    heading: str, kinds: set[Kind]
) -> None:
    _, _, below = CONTRACT.read_text(encoding="utf-8").partition(f"**{heading}**\n")
    table = re.split(r"\n(?:\*\*|## )", below)[0]
    listed = re.findall(r"^\| `(\w+)` \| (.+) \|$", table, flags=re.MULTILINE)
    assert listed == [(code.value, code.what) for code in Code if code.kind in kinds]


def test_errors_are_what_a_person_must_see_to() -> None:
    assert {Code.ID_DAMAGED, Code.API_REFUSED, Code.EMPTY_FILE} <= ERRORS
    assert {Code.NO_MILESTONE, Code.RECONCILED} <= INFORMATION
    assert not (ERRORS | INFORMATION) & {Code.ID_SUSPECT, Code.NOT_SENT, Code.HEADER_GUESSED}
