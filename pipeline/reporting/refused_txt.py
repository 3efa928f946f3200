"""``REFUSED.txt``: why a whole file was refused and what to do, for the person who sent it."""

from collections.abc import Iterable
from datetime import datetime, tzinfo

from pipeline.core.model import Notice
from schemas.codes import Code
from schemas.display import clock_time, counted, one_line

_DEFAULT_HINT = "Correct the file and send it again."
#: Only a file that failed on the way may have been sent in part.
_WHAT_WAS_SENT = {Code.PROCESSING_FAILED: "Its results file says what was sent before that."}


def refusal_text(
    *,
    source_file: str,
    code: Code,
    message: str,
    hint: str,
    received_at: datetime,
    drop_id: str,
    zone: tzinfo,
    rejects: str = "",
    faults: Iterable[Notice] = (),
) -> bytes:
    """Give the text as UTF-8 with CRLF: the reason, what to do, then the details.

    ``rejects`` names the file with the rows to correct, where there is one; ``faults`` says what
    is wrong with them. Control and direction characters of file names and values are escaped: the
    text is shown in terminals. ``received_at`` is shown in ``zone``; raises ValueError if it has
    none itself.
    """
    wrong = [
        f"  {counted(each.count, 'row')}: {each.code}. {one_line(each.message)}" for each in faults
    ]
    lines = (
        one_line(message),
        "",
        f"What to do: {one_line(hint) or _DEFAULT_HINT}",
        "",
        _WHAT_WAS_SENT.get(code, "Nothing of this file was sent."),
        "",
        *(["The most frequent faults, each with its first row:", *wrong, ""] if wrong else []),
        f"File:      {one_line(source_file)}",
        *([f"Rejects:   {one_line(rejects)}"] if rejects else []),
        f"Received:  {clock_time(received_at, zone)}",
        f"Code:      {code}",
        f"Drop:      {one_line(drop_id)}",
        "",
    )
    return "\r\n".join(lines).encode()
