"""Sums of one courier's drops of one day, and the file in which they outlive the page.

Without the file the first look after a start would read every drop there is.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.core.drop_lines import DropCounts
from pipeline.core.model import DropState
from pipeline.web.state_files import write

_EXAMPLES: Final = 5
_FORM: Final = 1
"""Grows when what is in the file changes; a file of another form is not read."""


if TYPE_CHECKING:
    _Seconds = array[float]
else:
    _Seconds = array  # Python 3.11 takes no type of its items, and msgspec reads this one


class Counted(Struct, frozen=True, kw_only=True):
    """One of the drops that were counted."""

    seq: int
    drop_id: str
    source_file: str
    received_at: datetime
    day: date


class Sums(Struct, kw_only=True):
    """Hold the sums of one courier's drops of one day.

    ``rows`` by outcome, ``states`` in files, ``codes`` in rows; ``seconds``: from the arrival of
    each to its end; ``examples``: the newest drops that have a code, the newest first.
    """

    day: date
    courier: str
    files: int = 0
    first: datetime | None = None
    last: Counted | None = None
    rows: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    seconds: _Seconds = field(default_factory=lambda: array("d"))
    examples: dict[str, Sequence[Counted]] = field(default_factory=dict)

    def copy(self) -> "Sums":
        """Return one that can be added to while others read this one."""
        return replace(
            self,
            rows=self.rows.copy(),
            states=self.states.copy(),
            codes=self.codes.copy(),
            seconds=self.seconds[:],
            examples=self.examples.copy(),
        )

    def add(self, drop: DropCounts) -> None:
        """Add a drop of this day and courier."""
        one = Counted(
            seq=drop.seq,
            drop_id=drop.drop_id,
            source_file=drop.source_file,
            received_at=drop.received_at,
            day=self.day,
        )
        self.files += 1
        self.first = min(self.first or drop.received_at, drop.received_at)
        self.last = max(self.last or one, one, key=by_number)
        self.states[drop.state.value] += 1
        self.rows.update(drop.rows)
        self.codes.update(drop.codes)
        if drop.state is DropState.COMPLETED and drop.finished_at is not None:
            self.seconds.append((drop.finished_at - drop.received_at).total_seconds())
        for code in drop.codes:
            self.examples[code] = newest((*self.examples.get(code, ()), one))


def newest(some: Iterable[Counted]) -> Sequence[Counted]:
    """Return the newest few of these, the newest first."""
    return sorted(some, key=by_number, reverse=True)[:_EXAMPLES]


def by_number(each: Counted) -> int:
    """Return the drop's number."""
    return each.seq


class SavedTotals(Struct, frozen=True, kw_only=True):
    """The sums of closed drops, and how far they go.

    ``newest``: the highest number of a drop, ``closing``: the highest ``drops.closing`` in them;
    ``under_way``: the numbers of drops up to ``newest`` that are not in them; ``zone``: that of the
    days. ``form``: that of the file.
    """

    zone: str
    newest: int
    closing: int
    under_way: Sequence[int]
    sums: Sequence[Sums]
    form: int = _FORM

    def write(self, path: Path) -> None:
        """Write the file as a whole. Raises StorageError."""
        write(path, msgspec.msgpack.encode(self, enc_hook=bytes))


def read_saved(path: Path, zone: str) -> SavedTotals | None:
    """Return what was written for days of this zone; None: nothing that can be used."""
    try:
        saved = msgspec.msgpack.decode(path.read_bytes(), type=SavedTotals, dec_hook=_decoded)
    except (OSError, msgspec.MsgspecError):
        return None
    return saved if (saved.form, saved.zone) == (_FORM, zone) else None


def _decoded(kind: type, value: Any) -> object:  # noqa: ANN401 - as msgspec hands it over
    """Return a value of a type that msgspec does not know itself: seconds, and counts by name."""
    return array("d", value) if kind is array else Counter(msgspec.convert(value, dict[str, int]))
