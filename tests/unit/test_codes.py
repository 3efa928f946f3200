"""The table of codes and the vocabulary are the same set, and every code can be explained."""

import tomllib
from importlib import resources

import pytest

from pipeline.codes import ERRORS, INFORMATION, Code
from schemas.codes import Kind, is_warning, kind_of, load_codes


def test_the_table_explains_every_code_and_no_other() -> None:
    text = (resources.files("schemas") / "codes.toml").read_text(encoding="utf-8")
    assert set(tomllib.loads(text)) == set(Code.__members__)
    assert set(load_codes()) == set(Code)


@pytest.mark.parametrize("code", list(Code))
def test_each_code_says_what_and_how_to_fix_it(code: Code) -> None:
    told = load_codes()[code]
    assert told.what.endswith(".")
    assert told.fix.rstrip("`").endswith(".")
    assert told.example
    assert isinstance(told.kind, Kind)


def test_kinds_agree_with_what_a_summary_lists_as_errors() -> None:
    for code in Code:
        kind = kind_of(code)
        if kind in {Kind.REJECT, Kind.REFUSE}:
            assert code in ERRORS
        if kind in {Kind.WARNING, Kind.NOTICE}:
            assert code not in ERRORS | INFORMATION
        if kind is Kind.SKIP:
            assert code in INFORMATION


def test_warnings_are_rows_that_go_on_and_remarks_about_the_file() -> None:
    assert is_warning(Code.ID_SUSPECT)
    assert is_warning(Code.HEADER_GUESSED)
    assert not is_warning(Code.ID_DAMAGED)
    assert not is_warning(Code.NO_MILESTONE)
