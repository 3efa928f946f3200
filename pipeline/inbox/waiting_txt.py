"""``WAITING.txt``: what keeps a file in the inbox, for the person who dropped it."""

from datetime import UTC, datetime

from pipeline.core.display import one_line


def waiting_text(
    *, source_file: str, reason: str, since: datetime, told_at: datetime, picked_up: str
) -> bytes:
    """Give the text as UTF-8 with CRLF: that it waits and why, then the details.

    ``reason`` says what the file waits for and what to do; ``picked_up`` what happens once it is
    ready. Times are aware, and shown in UTC. Control and direction characters are escaped.
    """
    lines = (
        "This file has not been picked up yet. Nothing of it was read or sent.",
        "",
        f"Why, and what to do: {one_line(reason)}.",
        "",
        one_line(picked_up),
        "",
        f"File:     {one_line(source_file)}",
        f"Waiting:  since {_shown(since)} at the latest",
        f"Written:  {_shown(told_at)}",
        "",
    )
    return "\r\n".join(lines).encode()


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
