"""Files that came by the page: put into the inbox as ``submit`` does, with a note of who and why.

The drop that a file becomes has no name yet when it is put into the inbox. So the record
of an upload is kept beside the ledger, under the hash of its bytes.
"""

import secrets
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from hashlib import file_digest
from pathlib import Path
from typing import Final

from msgspec import Struct

from pipeline.core.drop_lines import DropLine
from pipeline.core.file_names import NAME_BYTES
from pipeline.core.model import stamp
from pipeline.service.wiring import Site
from pipeline.web.state_files import place_of, read_json, write_json

_LONGEST_NOTE: Final = 1000


class Upload(Struct, frozen=True, kw_only=True):
    """One file that was put into the inbox. ``name``: as it lies there; ``at``: UTC, ISO 8601.

    ``batch``: the same for files that came together.
    """

    batch: str
    sha256: str
    folder: str
    name: str
    who: str
    note: str
    at: str
    size: int


def put(
    site: Site,
    file: Path,
    given_name: str,
    *,
    folder: str,
    who: str,
    note: str,
    batch: str,
) -> Path:
    """Put a file into the inbox and keep its note; return its place there.

    Raises UsageError for a name or folder the inbox would leave alone, StorageError.
    """
    with file.open("rb") as opened:
        sha256 = file_digest(opened, "sha256").hexdigest()
    name = clean_name(given_name)
    upload = Upload(
        batch=batch,
        sha256=sha256,
        folder=folder,
        name=name,
        who=who[:100],
        note=note.strip()[:_LONGEST_NOTE],
        at=stamp(site.clock.now()),
        size=file.stat().st_size,
    )
    # Before the file: the service may take it at once, and the note is to be there then.
    _keep(site, upload)
    return site.folders.put(file, folder, name=name)


def new_batch() -> str:
    """Return a name for files that come together; it cannot be guessed."""
    return secrets.token_hex(12)


def clean_name(given: str) -> str:
    """Return a name for the inbox: the last part of the name given, and nothing hidden."""
    last = given.replace("\\", "/").rpartition("/")[2]
    plain = "".join(
        "_" if unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else each
        for each in last
    ).strip()
    while len(plain.encode("utf-8", "replace")) > NAME_BYTES - 10:
        stem, dot, ending = plain.rpartition(".")
        plain = f"{stem[:-1]}{dot}{ending}" if stem and len(ending) < 10 else plain[:-1]
    return plain.lstrip(".~") or "upload.csv"


def batch_of(site: Site, batch: str) -> list[Upload]:
    """Return the files that came together, in the order of their names; none: it is not known."""
    if not batch.isalnum():
        return []
    found = _read(_batch_place(site, batch).glob("*.json"))
    return sorted(found, key=lambda upload: upload.name)


def note_of(site: Site, drop: DropLine) -> Upload | None:
    """Return the upload that became this drop, or None: it came another way."""
    if not drop.sha256:
        return None
    fits = [
        upload
        for upload in _read(_hash_place(site, drop.sha256).glob(f"{drop.sha256}-*.json"))
        if upload.sha256 == drop.sha256
        and upload.folder == drop.folder
        and datetime.fromisoformat(upload.at) <= drop.received_at
    ]
    return max(fits, key=lambda upload: upload.at, default=None)


def drop_of(site: Site, upload: Upload) -> DropLine | None:
    """Return the drop that an upload became, or None: it still waits in the inbox."""
    at = datetime.fromisoformat(upload.at)
    later = [
        drop
        for drop in site.ledger.overview.of_same_content(upload.sha256)
        if drop.received_at >= at and drop.folder == upload.folder
    ]
    return min(later, key=lambda drop: drop.seq, default=None)


def _hash_place(site: Site, sha256: str) -> Path:
    return place_of(site.root) / "uploads" / "by-hash" / sha256[:2]


def _batch_place(site: Site, batch: str) -> Path:
    return place_of(site.root) / "uploads" / "by-batch" / batch[:2] / batch


def _keep(site: Site, upload: Upload) -> None:
    """Keep the note under its hash and under its batch, so that neither is ever searched for."""
    name = f"{upload.sha256}-{secrets.token_hex(6)}.json"
    for place in (_hash_place(site, upload.sha256), _batch_place(site, upload.batch)):
        write_json(place / name, upload)


def _read(paths: Iterable[Path]) -> list[Upload]:
    return [found for path in paths if (found := read_json(path, Upload))]
