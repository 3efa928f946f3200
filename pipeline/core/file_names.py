"""Names of drops, of reports, and of files in the inbox.

File names come from strangers. Any bytes Linux allows in a name work here (undecodable ones
travel as surrogate escapes), but a name is always one path component: nothing else gets through.
The names of reports are the contract's.
"""

import random
import re
import threading
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

from pipeline.core.drop_lines import DropLine
from pipeline.core.errors import UsageError
from pipeline.core.model import Drop
from schemas.display import quoted

STEM_BYTES = 150
"""The outside contract's cap on ``<stem>``; leaves room for the id and the longest suffix."""

NAME_BYTES = 255
"""Longest name that Linux file systems allow, in bytes."""

_LONGEST_EXTENSION = 16

_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

_UNFINISHED = (
    ".part",
    ".filepart",
    ".partial",
    ".crdownload",
    ".download",
    ".tmp",
    ".temp",
    ".swp",
    ".lock",
    ".bak",
    ".writing",
    ".uploading",
    ".inprogress",
    ".done",
)
_RANDOM_END = re.compile(
    r"\.(?:csv|tsv|txt|xls[xmb]?|ods|zip)\.(?=\d*[a-f])[0-9a-f]{8}\Z", re.IGNORECASE
)
_FURNITURE = frozenset({"thumbs.db", "desktop.ini"})


class DropIds:
    """Hand out drop ids such as ``d20261123t144123123k7qz``.

    A letter, the UTC time to the millisecond, four random characters: sorts by time, is no number
    and no date to a spreadsheet, and has only ``[a-z0-9]``. Ids of one process are strictly
    ascending, even within a millisecond or when the clock steps back; safe from several threads.
    """

    def __init__(self, now: Callable[[], datetime], rng: random.Random) -> None:
        """Take the wall clock (aware) and the source of the random characters."""
        self._now = now
        self._rng = rng
        self._last = -1
        self._lock = threading.Lock()

    def new(self) -> str:
        """Return an id that was never returned before and sorts after all that were."""
        with self._lock:
            # A millisecond is lent from the future rather than letting two ids sort by chance.
            self._last = max((self._now() - _EPOCH) // _MILLISECOND, self._last + 1)
            moment = _EPOCH + self._last * _MILLISECOND
            tail = "".join(self._rng.choices(_BASE32, k=4))
        return f"d{moment:%Y%m%dt%H%M%S}{moment.microsecond // 1000:03d}{tail}"


@lru_cache(maxsize=256)
def stem_of(name: str) -> str:
    """Return the name without its last extension, fit to begin the names of reports.

    Control characters and separators become ``_``, the rest stays as dropped (undecodable bytes
    too), cut to ``STEM_BYTES`` bytes at a character. Never empty, ``.`` or ``..``.
    """
    head, dot, _ = name.rpartition(".")
    # ".csv" and "..." have no stem before the dot: the whole name is the stem, as for a shell.
    stem = head if dot and head.strip(".") else name
    clean = "".join("_" if _unwritable(char) else char for char in stem)
    cut = _cut(clean, STEM_BYTES)
    return cut if cut.strip(".") else "_" * max(len(cut), 1)


def numbered(name: str, number: int) -> str:
    """Return the name with ``" (number)"`` before its extension, still one legal component."""
    head, dot, extension = name.rpartition(".")
    if not dot or not head.strip("."):
        head, extension = name, ""
    tail = f" ({number})" + (f".{extension}" if extension else "")
    if len(_bytes(tail)) >= NAME_BYTES:
        head, tail = name, f" ({number})"
    return _cut(head, NAME_BYTES - len(_bytes(tail))) + tail


def one_component(name: str) -> str:
    """Return ``name`` unchanged if it can be one path component.

    Raises:
        UsageError: it is empty, ``.``, ``..``, longer than ``NAME_BYTES`` bytes, not encodable,
            or holds ``/`` or NUL.
    """
    try:
        fits = len(_bytes(name)) <= NAME_BYTES
    except UnicodeEncodeError:
        fits = False
    if not fits or name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise UsageError(
            f"{quoted(name)} cannot be the name of a file or folder.",
            hint="Use a name without / that is at most 255 bytes long.",
        )
    return name


def ignored_because(name: str) -> str | None:
    """Return why a file of this name is left alone in the inbox, or None if it is not.

    Uploading programs and spreadsheets mark their unfinished files by name.
    """
    folded = name.casefold()
    if folded.startswith("."):
        return "names that begin with . are hidden or unfinished files"
    if folded.startswith("~"):
        return "names that begin with ~ are lock files of spreadsheet programs"
    if folded.endswith("~"):
        return "names that end in ~ are backups of text editors"
    if folded in _FURNITURE:
        return "a file of the Windows desktop, not a manifest"
    for suffix in _UNFINISHED:
        if folded.endswith(suffix):
            return f"names that end in {suffix} are unfinished, backup or marker files"
    return None


def may_be_renamed(name: str) -> bool:
    """Return whether a name is that of a manifest with eight random hex digits behind it.

    Some tools (the AWS CLI among them) write a file so and rename it at the end. Eight decimal
    digits are a date.
    """
    return _RANDOM_END.search(name) is not None


def is_text(name: str) -> bool:
    """Return whether a name from the file system is UTF-8; else it has surrogate escapes."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_text(name: str) -> str:
    """Return a name as text that can be written down anywhere, still one legal component.

    Bytes that are not UTF-8 are read as Windows wrote them: E9 becomes ``é`` (cp1252; a byte that
    it does not know is named by its number). Its extension stays.
    """
    if is_text(name):
        return name
    text = "".join(_as_windows(char) for char in name)
    head, dot, extension = text.rpartition(".")
    tail = f"{dot}{extension}"
    if not head or len(_bytes(tail)) > _LONGEST_EXTENSION:
        return _cut(text, NAME_BYTES)
    return _cut(head, NAME_BYTES - len(_bytes(tail))) + tail


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _as_windows(char: str) -> str:
    if not "\udc80" <= char <= "\udcff":
        return char
    byte = ord(char) - 0xDC00
    try:
        return bytes([byte]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(byte)


def _unwritable(char: str) -> bool:
    lone_surrogate = "\ud800" <= char <= "\udc7f" or "\udd00" <= char <= "\udfff"
    return char == "/" or lone_surrogate or (unicodedata.category(char) == "Cc")


def _cut(text: str, limit: int) -> str:
    size = 0
    for position, char in enumerate(text):
        size += len(_bytes(char))
        if size > limit:
            return text[:position]
    return text


RESULTS = "results.csv"
REJECTS = "rejects.csv"
REJECTS_XLSX = "rejects.xlsx"
REFUSED = "REFUSED.txt"
SUMMARY = "summary.json"
RECEIVED = "received.json"

REPORTS: Final[Mapping[str, str]] = {
    "results": RESULTS,
    "rejects": REJECTS,
    "rejects_xlsx": REJECTS_XLSX,
    "refused": REFUSED,
    "summary": SUMMARY,
}
"""Key of a report in the summary → the end of its name."""


def file_name(drop: Drop | DropLine, kind: str) -> str:
    """Return ``<stem>__<id>.<kind>``, the contract's name of a file in the outbox."""
    return f"{stem_of(drop.source_file)}__{drop.drop_id}.{kind}"
