"""``REFUSED.txt``: why a whole file was refused and what to do, for the person who dropped it."""

import unicodedata
from datetime import UTC, datetime

from pipeline.core.display import encodable
from schemas.codes import Code

_DEFAULT_HINT = "Correct the file and drop it again."
#: Only a file that failed on the way may have been sent in part.
_WHAT_WAS_SENT = {
    Code.PROCESSING_FAILED: "What had been sent before stands in its results file and in `trace`."
}
#: Marks, embeddings, overrides and isolates: they make a terminal show a line in another order.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def refusal_text(
    *,
    source_file: str,
    code: Code,
    message: str,
    hint: str,
    received_at: datetime,
    drop_id: str,
) -> bytes:
    """Give the text as UTF-8 with CRLF: the reason, what to do, then the details.

    Control and direction characters of file names and values are escaped: the text is shown in
    terminals. ``received_at`` is shown in UTC; raises ValueError if it has no zone.
    """
    if received_at.tzinfo is None:
        raise ValueError(f"the time {received_at} has no zone")
    received = received_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    lines = (
        one_line(message),
        "",
        f"What to do: {one_line(hint) or _DEFAULT_HINT}",
        "",
        _WHAT_WAS_SENT.get(code, "Nothing of this file was sent."),
        "",
        f"File:      {one_line(source_file)}",
        f"Received:  {received}",
        f"Code:      {code} (shipdrop explain {code})",
        f"Drop:      {one_line(drop_id)}",
        "",
    )
    return "\r\n".join(lines).encode()


def one_line(text: str) -> str:
    """The text on one line, with what a terminal would obey escaped."""
    joined = " ".join(encodable(text).split("\n"))
    return "".join(_shown(char) for char in joined).strip()


def _shown(char: str) -> str:
    if char in _BIDI or unicodedata.category(char) in {"Cc", "Zl", "Zp"}:
        return char.encode("unicode_escape").decode()
    return char
