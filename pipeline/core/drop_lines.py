"""Drops as lists and sums show them, and which of them are wanted."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from pipeline.core.model import DropState
from schemas.vocabulary import FOR_A_PERSON


class DropLine(Struct, frozen=True, kw_only=True):
    """A drop as a list shows it: without the facts that only its report needs.

    ``summary``: the object of its summary.json, as far as it was reported. ``total``: its data
    rows once it was read; ``to_correct``: of a file refused for its many bad rows those in its
    rejects file. ``fixed``, ``aside``: its rows that were corrected elsewhere, and that
    somebody left as they are; ``returned``: rows that need a person in the drop it corrects.
    ``again_at``, ``again_folder``, ``again_name``: when its file was put into the inbox to be read
    again, and its place there; "" where it was not. ``again_as``: the drop that it became.
    ``need``: its rows that need a person now; ``to_do``: whether anything of it is left to do;
    ``put_off``: reason, who and when, where it was set aside.
    ``tidied_at``: when its details were removed with its rows, and only counts stayed; "": not yet.
    """

    seq: int
    drop_id: str
    folder: str
    source_file: str
    state: DropState
    received_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None
    size: int
    sha256: str
    courier: str
    parent: str | None
    same_as: str | None
    request: str
    closing: int
    summary: Mapping[str, Any] | None
    total: int | None
    to_correct: int = 0
    fixed: int = 0
    aside: int = 0
    returned: int = 0
    again_at: str = ""
    again_folder: str = ""
    again_name: str = ""
    again_as: str | None = None
    need: int = 0
    to_do: bool = False
    put_off: tuple[str, str, str] | None = None
    tidied_at: str = ""

    @property
    def troubled(self) -> int:
        """Return rows that needed a person when it was reported, wherever they are corrected."""
        rows = self.summary["rows"] if self.summary else {}
        return sum(rows.get(each, 0) for each in FOR_A_PERSON) or self.to_correct


class DropCounts(Struct, frozen=True, kw_only=True):
    """Hold the sums of one drop.

    ``rows``: by outcome; ``codes``: those of its rows' faults with their rows, or the one that it
    was refused for. ``closing``: see ``drops.closing``.
    """

    seq: int
    drop_id: str
    source_file: str
    courier: str
    state: DropState
    received_at: datetime
    finished_at: datetime | None
    closing: int
    rows: Mapping[str, int]
    codes: Mapping[str, int]


class Search(Struct, frozen=True, kw_only=True):
    """Which drops are wanted; "" is any. ``needs``: an outcome of which it has rows.

    ``words`` stand in the file's name or the drop's id. ``before``, ``after``: older or newer
    than the drop with that ``seq``. ``to_do``: where something is left for people to do, and its
    file was not read again since.
    ``since``, ``until``: received in this time, from the one moment to before the other.
    ``sort``: "" by number, else file, courier, state, rows or need; ``backward``: the
    largest first, but by number the oldest first. ``offset``: how many to leave out.
    ``group_corrections``: drops that correct another only where there is something to do in them.
    """

    words: str = ""
    state: str = ""
    courier: str = ""
    needs: str = ""
    until: datetime | None = None
    sort: str = ""
    backward: bool = False
    offset: int = 0
    before: int | None = None
    after: int | None = None
    limit: int = 50
    to_do: bool = False
    since: datetime | None = None
    group_corrections: bool = False
