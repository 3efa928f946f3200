"""What lies in the outbox: its kinds of files and their names, as the contract has them."""

from typing import Protocol

from pipeline.storage.file_names import stem_of

RESULTS = "results.csv"
REJECTS = "rejects.csv"
REJECTS_TWIN = "rejects.xlsx"
REFUSED = "REFUSED.txt"
SUMMARY = "summary.json"
RECEIVED = "received.json"


class Named(Protocol):
    """A drop, as far as the names of its files need it."""

    @property
    def drop_id(self) -> str:
        """Its id."""

    @property
    def source_file(self) -> str:
        """The name it was dropped under."""


def file_name(drop: Named, kind: str) -> str:
    """``<stem>__<id>.<kind>``, as the contract names what lies in the outbox."""
    return f"{stem_of(drop.source_file)}__{drop.drop_id}.{kind}"
