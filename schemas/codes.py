"""What every code means and what a person does about it, from ``schemas/codes.toml``."""

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from importlib import resources

from msgspec import Struct

from pipeline.codes import Code


class Kind(StrEnum):
    """What a code does to the row or file that gets it."""

    REJECT = "reject"  # the row is rejected
    WARNING = "warning"  # the row goes on
    SKIP = "skip"  # the row is understood; there is nothing to send for it
    RESULT = "result"  # what became of a row that was, or was to be, sent
    REFUSE = "refuse"  # the whole file is refused
    NOTICE = "notice"  # a remark about the whole file


class Explanation(Struct, frozen=True, kw_only=True):
    """``what`` happened in one sentence, how to ``fix`` it in the sheet, and an ``example`` of it.

    ``right``: what such a cell should look like, "" where the code is not about a cell.
    """

    code: Code
    kind: Kind
    what: str
    fix: str
    example: str
    right: str = ""


@cache
def load_codes() -> Mapping[Code, Explanation]:
    """Every code's explanation. Raises ``KeyError`` or ``ValueError`` when the table is wrong."""
    file = resources.files("schemas") / "codes.toml"
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    return {
        Code(name): Explanation(code=Code(name), kind=Kind(entry.pop("kind")), **entry)
        for name, entry in table.items()
    }


def kind_of(code: Code) -> Kind:
    """What a code does to the row or file that gets it."""
    return load_codes()[code].kind


def is_warning(code: Code) -> bool:
    """Tell whether a row with this code goes on, or the code is a remark about the file."""
    return kind_of(code) in {Kind.WARNING, Kind.NOTICE}
