"""Find out how a CSV file is written: its delimiter, and where its header is.

The header decides: the delimiter is the one with which a header is found, and among several the
one that cuts the records after it most evenly.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from pipeline.core.errors import DropRefused
from pipeline.core.model import Limits
from pipeline.reading.csv.encoding import Text, line_at, truncated
from pipeline.reading.csv.tokenizer import BrokenQuote, tokenize
from pipeline.reading.header_row import (
    HeaderFinder,
    Record,
    check_width,
    find_header,
    is_blank,
    title_above,
    two_headers,
)
from schemas.codes import Code
from schemas.display import counted
from schemas.headings import trimmed

_USUAL, _RARE = ",;\t|", "^~\x01"
DELIMITERS = _USUAL + _RARE
MAX_RECORD = 16 * 1024 * 1024
"""Bytes; a longer record is a quote that is never closed, or no table."""

_HEAD = 64 * 1024
#: Excel's own hint in the first line. Excel hides the line, so it counts as no record.
_SEP = re.compile(r'"?sep=([^\w\s"]|\t)"?(?:\r\r\n|\r\n|\r|\n|\Z)', re.IGNORECASE)
_QUOTE_HINT = (
    'Close the quote, or write a quote inside a cell twice (""), and upload the file again. '
    "Saving it again from a spreadsheet program does both."
)


class Dialect(Struct, frozen=True, kw_only=True):
    """The delimiter of a file, and where its data starts.

    ``row``: the header's record number. ``at``: UTF-8 position just after the header. ``title``:
    as in ``pipeline.core.model.Sheet``. ``spaced``: as in ``tokenizer.tokenize``.
    """

    delimiter: str
    row: int
    headers: tuple[str, ...]
    at: int
    title: str = ""
    spaced: bool = False


class _Trial(Struct, frozen=True, kw_only=True):
    """The first records as one delimiter cuts them. ``ends``: positions in characters."""

    delimiter: str
    records: tuple[Record, ...]
    ends: tuple[int, ...]
    broken: BrokenQuote | None
    spaced: bool


def choose_dialect(open_text: Callable[[], Text], limits: Limits, header: HeaderFinder) -> Dialect:
    """Find the delimiter and the header in the first ``limits.header_search_rows`` records.

    Raises ``DropRefused``: the header's own refusal if none fits, ``HEADER_AMBIGUOUS`` if two rows
    do, ``CSV_BROKEN`` if a broken quote hides what follows.
    """
    head, trials = _trials(open_text(), limits.header_search_rows)
    fitting: list[tuple[_Trial, Record]] = []
    ambiguous: DropRefused | None = None
    for trial in trials:
        try:
            found = find_header(trial.records, header, where="")
        except DropRefused as refusal:
            ambiguous = ambiguous or refusal
            continue
        if found is not None:
            fitting.append((trial, found))
    if fitting:
        trial, found = max(fitting, key=lambda fit: _evenness(*fit))
        _check_above(found, fitting)
        return _settle(head, trial, found, limits)
    if ambiguous is not None:
        raise ambiguous
    likely = max(trials, key=_likelihood)
    if likely.broken is not None:
        raise broken_quote(open_text(), _bytes(head[: likely.broken.at]), likely.broken)
    raise header.refusal([each.cells for each in likely.records if not is_blank(each.cells)])


def _check_above(found: Record, fitting: Sequence[tuple[_Trial, Record]]) -> None:
    """Raise ``DropRefused`` if a table that another delimiter cuts has rows above the header."""
    for trial, header in fitting:
        between = trial.records[header.number : found.number - 1]
        if not all(is_blank(each.cells) for each in between):
            raise two_headers(header.number, found.number, where="")


def broken_quote(text: Text, at: int, broken: BrokenQuote) -> DropRefused:
    """Return the refusal for a quote at UTF-8 position ``at``, naming its line.

    ``CSV_BROKEN``; ``TRUNCATED`` if the file ends in the quote's own line.
    """
    line = line_at(text, at)
    if broken.cut:
        return truncated(f"The file ends in the middle of a quoted cell, in line {line}.")
    why = "is followed by more text after its closing quote" if broken.closed else "is never closed"
    return DropRefused(
        Code.CSV_BROKEN, f"The quoted cell that begins in line {line} {why}.", hint=_QUOTE_HINT
    )


def endless(text: Text, at: int) -> DropRefused:
    """Return the refusal of a record that does not end within ``MAX_RECORD``."""
    line = line_at(text, at)
    return DropRefused(
        Code.CSV_BROKEN,
        f"The record that begins in line {line} is longer than {counted(MAX_RECORD >> 20, 'MB')}: "
        "a quote in it is probably never closed.",
        hint=_QUOTE_HINT,
    )


def _trials(text: Text, rows: int) -> tuple[str, list[_Trial]]:
    """Cut the first records with every delimiter, looking further as long as they do not end."""
    size = _HEAD
    while True:
        window, last = text.load(0, size)
        head = window.decode("utf-8", errors="ignore")
        sep = _SEP.match(head)
        delimiters = sep.group(1) if sep else _USUAL + "".join(filter(head.count, _RARE))
        trials = [_try(head, sep.end() if sep else 0, each, rows, last=last) for each in delimiters]
        full = last or all(len(trial.records) >= rows or trial.broken for trial in trials)
        if full or size >= MAX_RECORD:
            return head, trials
        size *= 4


def _try(head: str, start: int, delimiter: str, rows: int, *, last: bool) -> _Trial:
    records: list[Record] = []
    ends: list[int] = []
    broken = None
    spaced = has_spaced_quotes(head, delimiter)
    try:
        found = tokenize(head[start:], delimiter, last=last, spaced=spaced)
        for cells, end in _first(found, rows):
            records.append(Record(number=len(records) + 1, cells=cells))
            ends.append(start + end)
    except BrokenQuote as error:
        broken = BrokenQuote(start + error.at, closed=error.closed, cut=error.cut)
    return _Trial(
        delimiter=delimiter,
        records=tuple(records),
        ends=tuple(ends),
        broken=broken,
        spaced=spaced,
    )


def has_spaced_quotes(text: str, delimiter: str) -> bool:
    """Return whether a quote stands behind a delimiter and spaces somewhere in a text."""
    if ' "' not in text:
        return False
    return re.search(re.escape(delimiter) + ' +"', text) is not None


def _first(records: Iterator[tuple[list[str], int]], rows: int) -> Iterator[tuple[list[str], int]]:
    for _, record in zip(range(rows), records, strict=False):
        yield record


def _settle(head: str, trial: _Trial, found: Record, limits: Limits) -> Dialect:
    check_width(found.cells, limits.max_columns, where="")
    return Dialect(
        delimiter=trial.delimiter,
        row=found.number,
        headers=tuple(found.cells),
        at=_bytes(head[: trial.ends[found.number - 1]]),
        title=title_above(trial.records, found),
        spaced=trial.spaced,
    )


def _evenness(trial: _Trial, found: Record) -> tuple[float, int, int]:
    """Rate a delimiter by the share of records after the header that are as wide as it."""
    after = [each for each in trial.records[found.number :] if not is_blank(each.cells)]
    even = sum(len(each.cells) == len(found.cells) for each in after) / max(1, len(after))
    return even, len(trimmed(found.cells)), -DELIMITERS.find(trial.delimiter)


def _likelihood(trial: _Trial) -> tuple[int, int, int]:
    """Rate a delimiter without a header by how many records it cuts alike, into how many cells."""
    widths = Counter(len(each.cells) for each in trial.records if len(each.cells) > 1)
    width, times = max(widths.items(), key=lambda item: item[1], default=(0, 0))
    return times, width, -DELIMITERS.find(trial.delimiter)


def _bytes(text: str) -> int:
    return len(text.encode())
