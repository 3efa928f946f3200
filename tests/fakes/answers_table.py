"""The table of docs/contract.md that says what the API's answers mean, row by row."""

import re
from dataclasses import dataclass
from pathlib import Path

ORDERS = ("ORDER-A1", "ORDER-B2")
_CONTRACT = Path(__file__).parents[2] / "docs" / "contract.md"
_ROW = re.compile(r"\| (\d{3}) \| (`.*`|\(empty\)) \| (.*) \|")


@dataclass(frozen=True)
class Row:
    """An answer, and its meaning in the contract's words."""

    status: int
    body: bytes
    means: str

    @property
    def name(self) -> str:
        return f"{self.status} {self.body.decode()[:60] or 'empty'}"


def rows() -> list[Row]:
    """All rows of the table, in its order."""
    text = _CONTRACT.read_text("utf-8")
    section = text.partition("## What the API's answers mean\n")[2].partition("\n## ")[0]
    table = [line for line in section.splitlines() if line.startswith("|")][2:]
    found = [_ROW.fullmatch(line) for line in table]
    assert all(found), [line for line, each in zip(table, found, strict=True) if not each]
    return [
        Row(int(each[1]), b"" if each[2] == "(empty)" else each[2][1:-1].encode(), each[3])
        for each in found
        if each
    ]
