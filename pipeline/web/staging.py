"""Files on their way from a browser into the inbox: kept whole beside it, checked if that is asked.

A file that is only checked waits here for the word to send it, a day at most.
"""

import os
import shutil
import tempfile
import threading
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, Final

import orjson
from msgspec import Struct
from msgspec.structs import replace
from starlette.datastructures import UploadFile

from pipeline.core.errors import UsageError
from pipeline.service.wiring import Site
from pipeline.storage.durable_files import storing
from pipeline.web import uploads
from pipeline.web.context import NotThere
from pipeline.web.state_files import place_of, read_json, write, write_json

_KEPT_SECONDS: Final = 86_400.0
_SURE_SECONDS: Final = 3600.0
_UPLOADS_KEPT: Final = 5
"""The number of uploads of the largest size that may wait to be sent; where there are more, those
that have waited for ``_SURE_SECONDS`` go."""
_CARD: Final = "card.json"
_CHECK: Final = "checked.json"
_SENDING: Final = threading.Lock()


class Staged(Struct, frozen=True, kw_only=True):
    """Files of one upload that are not in the inbox yet. ``names``: as they were given.

    ``courier``: "" where it is to be recognised; ``couriers``: the courier of
    each file, where it was chosen since. ``left_out``: places of files that are not to be sent.
    """

    batch: str
    names: tuple[str, ...]
    courier: str
    who: str
    note: str
    couriers: tuple[str, ...] = ()
    left_out: tuple[int, ...] = ()

    def courier_of(self, place: int) -> str:
        """Return the courier that a file is to be read as, "" where it is to be recognised."""
        return self.couriers[place] if self.couriers else self.courier

    @property
    def left_in(self) -> list[int]:
        """Return the places of the files that are to be sent."""
        return [place for place in range(len(self.names)) if place not in self.left_out]

    def paths(self, site: Site) -> list[Path]:
        """Return where the files lie, each under the name it will have in the inbox."""
        place = _place(site, self.batch)
        return [
            place / str(number) / uploads.clean_name(name) for number, name in enumerate(self.names)
        ]

    def mark(self, site: Site) -> str:
        """Return a hash of all that was given: names, bytes, courier, note."""
        whole = sha256(repr((self.names, self.courier, self.who, self.note)).encode())
        for path in self.paths(site):
            with path.open("rb") as file:
                whole.update(file_digest(file, "sha256").digest())
        return whole.hexdigest()


def stage(site: Site, files: Sequence[UploadFile], *, courier: str, who: str, note: str) -> Staged:
    """Keep the files of a form. Raises UsageError, StorageError."""
    _tidy(site)
    _check_sum(site)
    if courier:
        site.check_courier(courier)
    most = site.settings.inbox.max_file_mb * 1024 * 1024
    staged = Staged(
        batch=uploads.new_batch(),
        names=tuple(file.filename or "" for file in files),
        courier=courier,
        who=who,
        note=note,
    )
    try:
        for file, path in zip(files, staged.paths(site), strict=True):
            with storing("write", path):
                path.parent.mkdir(parents=True)
                with path.open("wb") as target:
                    shutil.copyfileobj(file.file, target, 1 << 20)
                if path.stat().st_size > most:
                    raise UsageError(
                        f"{path.name} is too large: at most {site.settings.inbox.max_file_mb} MB."
                    )
        keep(site, staged)
    except BaseException:
        discard(site, staged)
        raise
    return staged


def has_room(site: Site, size: int) -> bool:
    """Return whether an upload of so many bytes finds room, in the server and then staged."""
    least = site.settings.inbox.min_free_mb * 1024 * 1024
    try:
        free = [shutil.disk_usage(place).free for place in (site.root, tempfile.gettempdir())]
    except OSError:
        return True  # the upload itself reports it
    return min(free) >= least + 2 * size


def staged(site: Site, batch: str) -> Staged:
    """Return the staged files of this name. Raises NotThere."""
    found = read_json(_place(site, batch) / _CARD, Staged) if batch.isalnum() else None
    if found is None:
        raise NotThere(
            "These files are not kept any more: they waited too long.",
            hint="Choose them again.",
        )
    return found


def keep(site: Site, kept: Staged) -> None:
    """Save the record of these files. Raises StorageError."""
    write_json(_place(site, kept.batch) / _CARD, kept)


def as_courier(site: Site, kept: Staged, place: int, courier: str) -> Staged:
    """Have one of the files read as another courier's. Raises UsageError, StorageError."""
    if courier:
        site.check_courier(courier)
    couriers = [kept.courier_of(at) for at in range(len(kept.names))]
    couriers[place] = courier
    made = replace(kept, couriers=tuple(couriers))
    keep(site, made)
    return made


def keep_out(site: Site, kept: Staged, places: Collection[int]) -> None:
    """Leave these files out of what is sent. Raises StorageError."""
    keep(site, replace(kept, left_out=tuple(sorted(places))))


def split(site: Site, kept: Staged, wanted: Sequence[int]) -> str:
    """Take the other files out into a check of their own; return its name, "" for no others.

    Raises StorageError.
    """
    rest = [place for place in range(len(kept.names)) if place not in wanted]
    if not rest:
        keep_out(site, kept, ())
        return ""
    other = replace(
        kept,
        batch=uploads.new_batch(),
        names=tuple(kept.names[place] for place in rest),
        couriers=tuple(kept.courier_of(place) for place in rest),
        left_out=(),
    )
    checked, paths = check_of(site, kept), kept.paths(site)
    for place, path in zip(rest, other.paths(site), strict=True):
        with storing("write", path):
            path.parent.mkdir(parents=True)
            os.link(paths[place], path)
    keep(site, other)
    keep_check(site, other, [checked[place] for place in rest])
    keep_out(site, kept, rest)
    return other.batch


def keep_check(site: Site, kept: Staged, checked: Sequence[Mapping[str, Any]]) -> None:
    """Keep the findings of a check beside its files. Raises StorageError."""
    write(_place(site, kept.batch) / _CHECK, orjson.dumps(checked))


def check_of(site: Site, kept: Staged) -> list[dict[str, Any]]:
    """Return the findings of a check of these files. Raises NotThere."""
    found = read_json(_place(site, kept.batch) / _CHECK, list[dict[str, Any]])
    if found is None:
        raise NotThere("These files were not checked.", hint="Choose them again.")
    return found


def send_once(site: Site, batch: str) -> None:
    """Send the files that were kept under this name, unless that was done before.

    Raises NotThere, UsageError, StorageError.
    """
    with _SENDING:
        if was_sent(site, batch):
            return
        kept = staged(site, batch)
        try:
            send(site, kept)
        except UsageError:
            discard(site, kept)
            raise


def was_sent(site: Site, batch: str) -> bool:
    """Return whether the files that were kept under this name are all in the inbox by now."""
    return bool(uploads.batch_of(site, batch)) and not (_place(site, batch) / _CARD).is_file()


def send(site: Site, kept: Staged, *, folder: str | None = None) -> None:
    """Put the files into the inbox, as ``submit`` does; then remove them here.

    ``folder``: the inbox sub-folder, else the courier's. Raises UsageError, StorageError.
    """
    paths = kept.paths(site)
    for place in kept.left_in:
        uploads.put(
            site,
            paths[place],
            kept.names[place],
            folder=kept.courier_of(place) if folder is None else folder,
            who=kept.who,
            note=kept.note,
            batch=kept.batch,
        )
    discard(site, kept)


def discard(site: Site, kept: Staged) -> None:
    """Remove the files."""
    shutil.rmtree(_place(site, kept.batch), ignore_errors=True)


def _place(site: Site, batch: str) -> Path:
    return place_of(site.root) / "staged" / batch


def _check_sum(site: Site) -> None:
    """Raise UsageError while as much waits to be sent as may be kept; the older ones give way."""
    if not _is_full(site):
        return
    _tidy(site, seconds=_SURE_SECONDS)
    if _is_full(site):
        raise UsageError(
            "Too many files were checked and not sent.", hint="Send them, or wait an hour."
        )


def _is_full(site: Site) -> bool:
    with suppress(OSError):
        place = place_of(site.root) / "staged"
        kept = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        return kept >= _UPLOADS_KEPT * site.settings.web.max_upload_mb * 1024 * 1024
    return False


def _tidy(site: Site, *, seconds: float = _KEPT_SECONDS) -> None:
    """Remove what waited too long."""
    long_ago = site.clock.now().timestamp() - seconds
    with suppress(OSError):
        for folder in (place_of(site.root) / "staged").iterdir():
            if folder.stat().st_mtime < long_ago:
                shutil.rmtree(folder, ignore_errors=True)
