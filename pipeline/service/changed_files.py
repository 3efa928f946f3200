"""Files that were written to after they were read: they come back into the inbox as they are now.

Files that may still have a writer are looked at for an hour, at growing intervals, and as long as
a process has them open. The others are not looked at.
"""

from datetime import datetime, timedelta

import structlog
from msgspec import Struct

from pipeline.core.errors import StorageError
from pipeline.core.file_names import SUMMARY, file_name
from pipeline.core.model import Drop
from pipeline.core.summary import json_text
from pipeline.reporting.summary_json import with_changed_file
from pipeline.service.wiring import Site
from pipeline.storage.changed_file_notes import ReturnedFile
from pipeline.storage.file_systems import Writer
from pipeline.storage.root_folders import inode_of, place_of
from schemas.display import shown

log = structlog.get_logger(__name__)

_WATCHED_FOR = timedelta(hours=1)


class _Watched(Struct):
    """A closed drop, and when its file is looked at next."""

    drop: Drop
    due: datetime


class ChangedFiles:
    """Owned by the thread that claims. ``look`` raises StorageError where notes cannot be read."""

    def __init__(self, site: Site) -> None:
        self._folders = site.folders
        self._ledger = site.ledger
        self._notes = site.changed_file_notes
        self._clock = site.clock
        self._known: dict[str, _Watched] = {}

    def look(self) -> list[tuple[str, str]]:
        """Give back the files that were written to; return folder and name of each."""
        back, watched = self._notes.back(), self._notes.watched()
        self._known = {each: self._known[each] for each in watched if each in self._known}
        now = self._clock.now()
        given_back = []
        for drop_id in watched:
            given_back += self._look_at(drop_id, back.get(drop_id), now)
        for drop_id, each in back.items():
            if drop_id not in watched and not self._folders.holds(each.folder, each.inode):
                self._notes.is_back(drop_id)
        return given_back

    def _look_at(
        self, drop_id: str, begun: ReturnedFile | None, now: datetime
    ) -> list[tuple[str, str]]:
        """Look at one drop's file; an error with it does not affect the others."""
        try:
            if begun is not None or self._was_written_to(drop_id, now):
                return self._give_back(drop_id, begun)
        except StorageError as error:
            log.warning("drop.not_compared", drop=drop_id, reason=error.message, hint=error.hint)
            if known := self._known.get(drop_id):
                self._put_off(known, now)
        return []

    def _put_off(self, known: _Watched, now: datetime, writer: Writer = Writer.UNKNOWN) -> None:
        """Look again later, or stop watching."""
        age = now - (known.drop.finished_at or now)
        known.due = now + age / 2
        if age > _WATCHED_FOR and writer is not Writer.SOMEBODY:
            self._notes.watch_no_more(known.drop.drop_id)

    def _was_written_to(self, drop_id: str, now: datetime) -> bool:
        """Compare a file with what was read of it, if it is time; end watching if that is over."""
        known = self._known.get(drop_id)
        if known is None:
            drop = self._ledger.find(drop_id)
            if drop is None:
                self._notes.watch_no_more(drop_id)
            if drop is None or not drop.state.closed:
                return False
            known = self._known[drop_id] = _Watched(drop=drop, due=now)
        if now < known.due or self._folders.claimed_path(drop_id, known.drop.source_file):
            return False  # in the second case it is about to be put away
        path = self._folders.kept(place_of(known.drop))
        since = self._folders.since_read(path, known.drop)
        if since is not None and since.changed:
            return True
        if since is None or since.is_final:
            self._notes.watch_no_more(drop_id)
        else:
            self._put_off(known, now, since.writer)
        return False

    def _give_back(self, drop_id: str, begun: ReturnedFile | None) -> list[tuple[str, str]]:
        """Give a file back, or finish what a crash interrupted; steps that are done are skipped."""
        drop = self._ledger.find(drop_id)
        if drop is None or not drop.state.closed:
            return []  # retried since: it is closed again before long
        given_back, place = [], place_of(drop)
        inode = inode_of(self._folders.kept(place))
        if inode and (begun is None or inode == begun.inode):
            self._notes.gives_back(drop_id, ReturnedFile(folder=drop.folder, inode=inode))
            target = self._folders.back_to_inbox(drop)
            there = inode_of(target)
            if there != inode:
                self._notes.gives_back(drop_id, ReturnedFile(folder=drop.folder, inode=there))
            given_back.append((drop.folder, target.name))
        kept = self._folders.keep_what_was_read(place)
        self._tell(drop, kept=kept)
        self._notes.watch_no_more(drop_id)
        return given_back

    def _tell(self, drop: Drop, *, kept: bool) -> None:
        """Add to the summary that the file was written to, unless it says so already."""
        log.warning(
            "drop.file_changed",
            drop=drop.drop_id,
            file=shown(drop.source_file),
            kept=kept,
            hint="It came back into the inbox as it is now, and goes on as a file of its own.",
        )
        if drop.facts.changed or drop.facts.tidied or not drop.facts.summary:
            return
        summary = with_changed_file(drop.facts.summary)
        name = file_name(drop, SUMMARY)
        self._folders.outbox.write(drop.folder, name, [json_text(summary)])
        self._ledger.save(drop.noting(changed=True, summary=summary))
