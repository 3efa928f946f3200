"""CSV, record by record, where the quoting is not provably regular.

Python's ``csv`` module in strict mode does the work. What it refuses is looked at once more by a
slower reading that knows two things the module does not: where a broken quote began, and that
blanks between a closing quote and the delimiter are harmless (``"a" ,b`` reads ``a␠``, ``b``, as
the module's lenient mode has it). Any other text after a closing quote is refused: whether
``"5" pipe"`` means one cell or a broken one cannot be known. A quote inside a cell that does not
begin with one is data.
"""

import csv
import re
from collections.abc import Iterator

#: CRCRLF is one terminator: what text-mode writers make of CRLF. U+2028 and its kin are data.
_LINE = re.compile(r"[^\r\n]*(?:\r\r\n|\r\n|\r|\n|\Z)")
_END = re.compile(r"\r\r\n|\r\n|\r|\n|\Z")
_QUOTED = re.compile(r'"([^"]*(?:""[^"]*)*)"')


class BrokenQuote(Exception):
    """A quoted cell that does not end properly.

    ``at`` is where its quote stands in the text. ``closed``: a quote ends it, but more text
    follows. ``cut``: the text ends in the very line it began in.
    """

    def __init__(self, at: int, *, closed: bool = False, cut: bool = False) -> None:
        super().__init__(at)
        self.at = at
        self.closed = closed
        self.cut = cut


def tokenize(
    text: str, delimiter: str, *, last: bool, spaced: bool = False
) -> Iterator[tuple[list[str], int]]:
    """Yield each record's cells and the position just after it.

    ``spaced``: spaces before a cell are not part of it, so that a quote may stand behind them.
    ``last``: the text ends here; otherwise the last record is left out unless it is certainly
    complete. A blank line is a record with one empty cell. Raises ``BrokenQuote``.
    """
    lines = _Lines(text, len(text) if last else _certain_end(text))
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=spaced)
    start = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            if lines.dry and not last:
                return
            found = _careful(text, start, lines.stop, delimiter, last=last, spaced=spaced)
            if found is None:
                return
            cells, lines.at = found
            lines.dry = False
        start = lines.at
        yield cells or [""], start


class _Lines:
    """Feeds physical lines to ``csv.reader`` and knows how far it has read."""

    def __init__(self, text: str, stop: int) -> None:
        self._text = text
        self.stop = stop
        self.at = 0
        self.dry = False

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        found = _LINE.match(self._text, self.at)
        if self.at >= self.stop or found is None:
            self.dry = True
            raise StopIteration
        self.at = found.end()
        return found.group()


def _certain_end(text: str) -> int:
    """Return where the last terminator ends that more text could not change."""
    return max(text.rfind("\n"), text.rfind("\r", 0, max(0, len(text) - 2))) + 1


def _is_data(text: str, quote: int, stop: int, delimiter: str, blanks: str) -> bool:
    """Return whether more text follows a quoted word, so that its quotes are part of a cell."""
    quoted = _QUOTED.match(text, quote, stop)
    if quoted is None or "\n" in quoted[0] or "\r" in quoted[0]:
        return False
    after = text[quoted.end() : stop].lstrip(blanks)[:1]
    return after not in {"", delimiter, "\r", "\n"}


def _careful(
    text: str, start: int, stop: int, delimiter: str, *, last: bool, spaced: bool
) -> tuple[list[str], int] | None:
    """Read one record by hand; None if it goes on past the text.

    A quote behind spaces is data where more text follows the quote that closes it in its line.
    """
    blanks = " " if delimiter == "\t" else " \t"
    cells, at = [], start
    plain = re.compile(rf"[^{re.escape(delimiter)}\r\n]*")
    while True:
        begin = at
        while spaced and text.startswith(" ", at, stop):
            at += 1
        quote = at
        if text.startswith('"', at, stop) and not (
            at > begin and _is_data(text, at, stop, delimiter, blanks)
        ):
            quoted = _QUOTED.match(text, at, stop)
            if quoted is None:
                if last:
                    cut = "\n" not in text[quote:] and "\r" not in text[quote:]
                    raise BrokenQuote(quote, cut=cut)
                return None
            at = quoted.end()
            while at < stop and text[at] in blanks:
                at += 1
            cells.append(quoted.group(1).replace('""', '"') + text[quoted.end() : at])
        else:
            found = plain.match(text, at, stop)
            at = found.end() if found else at
            cells.append(text[quote:at])
        if text.startswith(delimiter, at, stop):
            at += 1
            continue
        end = _END.match(text, at, stop)
        if end is None:
            raise BrokenQuote(quote, closed=True)
        return cells, end.end()
