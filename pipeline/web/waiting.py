"""Files that lie in the inbox: why each is not taken yet, what to do, and what is never taken."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from pipeline.core.file_names import as_text
from pipeline.service.health import Health
from pipeline.service.wiring import Site
from pipeline.storage.listing import Entry, list_inbox

#: Seconds after which a file that is not taken is worth a word.
LATE_SECONDS: Final = 30.0
_SOON: Final = "It is taken in a moment."
_STOPPED: Final = (
    "The service is stopped, so nothing is taken. Tell whoever looks after Shipdrop; the file can "
    "stay where it is."
)


class WaitingFile(Struct, frozen=True, kw_only=True):
    """A file that waits. ``why``: what it waits for and what to do, in sentences.

    ``mark`` tells this state of the file from any other.
    """

    folder: str
    name: str
    size: int
    since: datetime
    why: str
    late: bool
    mark: str


class NeverTaken(Struct, frozen=True, kw_only=True):
    """A thing in the inbox that is no file to take. ``why`` says so in a sentence."""

    folder: str
    name: str
    why: str


class Waiting(Struct, frozen=True, kw_only=True):
    """Everything that lies in the inbox, the longest waiting first."""

    files: list[WaitingFile]
    never: list[NeverTaken]


def waiting_in(site: Site, health: Health) -> Waiting:
    """Look into the inbox, and at the service's report of it. Raises StorageError."""
    listing = list_inbox(site.inbox_path, site.settings.inbox.done_marker)
    reasons = _reasons(health)
    files = [_file(entry, reasons, health) for entry in listing.files]
    return Waiting(
        files=sorted(files, key=lambda each: each.since),
        never=[
            NeverTaken(
                folder=as_text(each.folder), name=as_text(each.name), why=_sentence(each.reason)
            )
            for each in listing.left_alone
        ],
    )


def _reasons(health: Health) -> Mapping[tuple[str, str], Mapping[str, str]]:
    if health.pulse is None or not health.alive:
        return {}
    return {
        (each["folder"], each["file"]): each
        for each in (*health.pulse.lying, *health.pulse.waiting)
    }


def _file(
    entry: Entry, reasons: Mapping[tuple[str, str], Mapping[str, str]], health: Health
) -> WaitingFile:
    size, changed_at = entry.identity[2:]
    folder, name = as_text(entry.folder), as_text(entry.name)
    known = reasons.get((folder, name), {})
    changed = datetime.fromtimestamp(changed_at / 1e9, UTC)
    since = datetime.fromisoformat(known["since"]) if known else min(changed, health.at)
    why = _sentence(known["reason"]) if known else (_SOON if health.alive else _STOPPED)
    return WaitingFile(
        folder=folder,
        name=name,
        size=size,
        since=since,
        why=why,
        late=(health.at - since).total_seconds() >= LATE_SECONDS,
        mark=f"{size}-{changed_at}",
    )


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}."
