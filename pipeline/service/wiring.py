"""The one place that builds the parts of a root and hands them over.

A part is loaded by the property that builds it: commands load only their own.
"""

import random
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from pipeline.core.clock import Clock
from pipeline.core.errors import LedgerLost, SettingsError, UsageError
from pipeline.core.file_names import DropIds
from pipeline.core.model import Drop, Limits
from pipeline.core.ports import Presence
from pipeline.core.profile_by_name import did_you_mean, find_profile
from pipeline.delivery.thread import DeliveryThread
from pipeline.inbox.claim import Claimer
from pipeline.inbox.scan import Inbox
from pipeline.reading.drop_reader import ClaimedFiles
from pipeline.reading.process.child_process import Child
from pipeline.reading.process.protocol import MB, ReadingRules
from pipeline.reading.process.reader_process import ReaderPool
from pipeline.service.api_access import api_maker, credentials_of, policy_of
from pipeline.service.health_file import CallCount, HealthFile, read_health_file
from pipeline.service.retention import Retention, RetentionFiles
from pipeline.service.settings import Settings
from pipeline.storage.changed_file_notes import ChangedFileNotes
from pipeline.storage.courier_profiles import LiveProfiles
from pipeline.storage.ledger import SqlLedger, open_ledger
from pipeline.storage.root_folders import Folders
from pipeline.storage.spool import Spools
from schemas.courier import Profile
from schemas.display import shown

if TYPE_CHECKING:
    from pipeline.planning.freeze import PlanRules
    from pipeline.reporting.close_drop import Closer
    from pipeline.service.drop_steps import DropSteps
    from pipeline.service.planner import Planner

COURIERS = "couriers"
_LATEST = "latest"
_SHORTEST_ID = 4
_NAMED = 6
"""Drops that are named where an id is not enough, and one more."""


class Site(Struct, frozen=True, dict=True):
    """Hold one root with its settings; build its parts when they are first asked for.

    ``child``: a process to read files in that was started before all this was imported.
    ``forgiving``: a courier's profile with an error is left out, or missing, where others raise.
    """

    root: Path
    settings: Settings
    clock: Clock = field(default_factory=Clock)
    child: Child | None = None
    presence: Presence | None = None
    forgiving: bool = False

    @cached_property
    def inbox_path(self) -> Path:
        """Return where files are dropped."""
        return self.root / self.settings.inbox.path

    @cached_property
    def outbox_path(self) -> Path:
        """Return where results go."""
        return self.root / self.settings.outbox.path

    @cached_property
    def spools(self) -> Spools:
        """Return where drops keep rows, plan and bodies."""
        part = self.presence.name if self.presence else ""
        return Spools(self.root / "state" / "drops", part=part)

    @cached_property
    def folders(self) -> Folders:
        """Return the folders of the contract."""
        marker = self.settings.inbox.done_marker
        return Folders(
            self.root,
            self.inbox_path,
            self.outbox_path,
            done_marker=marker,
            presence=self.presence,
        )

    @cached_property
    def inbox(self) -> Inbox:
        """Return the scanner of the inbox."""
        inbox = self.settings.inbox
        return Inbox(
            self.inbox_path,
            settle_seconds=inbox.settle_seconds,
            incomplete_seconds=inbox.incomplete_seconds,
            done_marker=inbox.done_marker,
            monotonic=self.clock.monotonic,
            came_back=lambda: {
                (b.folder, b.inode) for b in self.changed_file_notes.back().values()
            },
        )

    @cached_property
    def changed_file_notes(self) -> ChangedFileNotes:
        """Return the notes on drops whose files may be written to after they were read."""
        return ChangedFileNotes(self.root)

    def health_file(self) -> HealthFile | None:
        """Return the last report of the run on this root."""
        return read_health_file(self.root / "state")

    @cached_property
    def ledger(self) -> SqlLedger:
        """Return the ledger, opened and migrated."""
        return open_ledger(self.settings.ledger.url, root=self.root)

    def close(self) -> None:
        """Close everything that was opened."""
        if "readers" in self.__dict__:
            self.readers.close()
        if "ledger" in self.__dict__:
            self.ledger.close()

    @cached_property
    def profiles(self) -> LiveProfiles:
        """Return built-in profiles, overlaid by those in ROOT/couriers. Raises SettingsError."""
        profiles = LiveProfiles(
            self.root / COURIERS, monotonic=self.clock.monotonic, forgiving=self.forgiving
        )
        wanted = self.settings.manifest.courier
        if find_profile(wanted, profiles) is None and not self.forgiving:
            raise SettingsError(
                f'The setting "manifest.courier" names "{wanted}", which has no profile.',
                hint=did_you_mean(wanted, profiles),
            )
        return profiles

    @property
    def limits(self) -> Limits:
        """Return how large a file may be."""
        inbox = self.settings.inbox
        return Limits(max_bytes=inbox.max_file_mb * MB, max_rows=inbox.max_rows)

    @cached_property
    def readers(self) -> ReaderPool:
        """Return the readers, in processes of their own.

        Raises SettingsError for a wrong profile.
        """
        return ReaderPool(
            self._reading_rules,
            self.child,
            own_profiles=self.profiles.own,
            at_once=1 if self.presence else 2,  # a worker reads one file at a time
        )

    @cached_property
    def _reading_rules(self) -> ReadingRules:
        inbox, manifest = self.settings.inbox, self.settings.manifest
        return ReadingRules(  # errors in a profile are found here, not by the other process
            profiles=self.profiles.own(),
            default=manifest.courier,
            limits=self.limits,
            timezone=manifest.timezone,
            spools=self.spools.folder,
            seconds=inbox.read_seconds,
            memory=inbox.read_memory_mb * MB,
        )

    def check_ledger(self, *, thoroughly: bool) -> None:
        """Raise LedgerLost for a ledger that knows nothing of the root's past.

        ``thoroughly``: also for one that is damaged, which means reading all of it.
        """
        if thoroughly:
            self.ledger.examine()
        if self.ledger.has_begun():
            return
        for drop_id, path in RetentionFiles(self.root, self.folders.outbox).traces():
            if self.ledger.find(drop_id) is None:  # else it is another root's, of the same ledger
                raise LedgerLost(
                    f"The ledger knows no drop of this root, but {shown(path, 200)} shows that "
                    "files were processed here: it was lost, or it is another one. Without it "
                    "orders that were reported would be reported again, so nothing is sent.",
                    hint=f"{self.ledger.restore_hint} If there is no backup, `shipdrop ledger "
                    "new` begins a new ledger that knows nothing of the past.",
                )

    def check_sending(self) -> None:
        """Raise SettingsError unless address and token are configured."""
        credentials_of(self.settings.api, self.root)

    def check_courier(self, name: str) -> None:
        """Raise UsageError for a courier without a profile and without a folder in the inbox."""
        if find_profile(name, self.profiles) is None and not (self.inbox_path / name).is_dir():
            hint = did_you_mean(name, self.profiles)
            raise UsageError(f'There is no profile for the courier "{name}".', hint=hint)

    def drop(self, name: str) -> Drop:
        """Return the drop with this id, with an id that begins or ends so, or the ``latest``.

        Raises UsageError if there is none, or more than one.
        """
        found = self.ledger.find(name)
        if found is None and (name == _LATEST or len(name) >= _SHORTEST_ID):
            like = self.ledger.overview.named_like("" if name == _LATEST else name, limit=_NAMED)
            if len(like) > 1 and name != _LATEST:
                more = ", …" if len(like) == _NAMED else ""
                raise UsageError(f"{name} is more than one drop: {', '.join(like)}{more}.")
            found = self.ledger.find(like[0]) if like else None
        if found is None:
            raise UsageError(f"There is no drop {name}.", hint="`shipdrop drops` lists them.")
        return found

    @cached_property
    def plan_rules(self) -> "PlanRules":
        """Return how drops are planned here."""
        from pipeline.planning.freeze import PlanRules

        manifest = self.settings.manifest
        return PlanRules(
            chunk_size=self.settings.api.chunk_size,
            fill_missing_pickup=manifest.fill_missing_pickup,
            max_reject_ratio=manifest.max_reject_ratio,
            timezone=manifest.timezone,
        )

    @cached_property
    def retention(self) -> Retention:
        """Return the retention, which removes old originals, reports and rows."""
        return Retention(
            keep=self.settings.retention,
            files=RetentionFiles(self.root, self.folders.outbox),
            ledger=self.ledger,
            clock=self.clock,
        )

    @cached_property
    def claimer(self) -> Claimer:
        """Return the claimer, which takes files out of the inbox."""
        return Claimer(
            folders=self.folders,
            ledger=self.ledger,
            notes=self.changed_file_notes,
            clock=self.clock,
            new_id=DropIds(self.clock.now, random.SystemRandom()).new,
        )

    @cached_property
    def files(self) -> ClaimedFiles:
        """Return the reader of claimed drops' files."""
        return ClaimedFiles(
            folders=self.folders,
            ledger=self.ledger,
            spools=self.spools,
            readers=self.readers,
        )

    @cached_property
    def planner(self) -> "Planner":
        """Return the planner of drops that were read."""
        from pipeline.service.planner import Planner

        return Planner(self)

    @cached_property
    def drop_steps(self) -> "DropSteps":
        """Return the steps that take planned drops to their end, and closed ones up again."""
        from pipeline.service.drop_steps import DropSteps

        return DropSteps(self)

    @cached_property
    def delivery(self) -> DeliveryThread:
        """Return the delivery thread. Raises SettingsError when sending is not configured."""
        return DeliveryThread(
            make_api=api_maker(self.settings.api, self.root, self.calls, self.clock, self.presence),
            ledger=self.ledger,
            policy=policy_of(self.settings.api, is_embedded=self.ledger.is_embedded),
            clock=self.clock,
            rng=random.Random(),  # noqa: S311 - jitter, not a secret
        )

    @cached_property
    def calls(self) -> CallCount:
        """Return the calls of the delivery thread, counted."""
        return CallCount()

    @property
    def zone(self) -> ZoneInfo:
        """Return the zone of the times that people read."""
        return ZoneInfo(self.settings.manifest.timezone)

    def zone_of(self, profile: Profile) -> ZoneInfo:
        """Return the zone of a courier's times."""
        return ZoneInfo(profile.zone) if profile.zone else self.zone

    @cached_property
    def closer(self) -> "Closer":
        """Return the closer, which reports drops and puts them away."""
        from pipeline.reporting.close_drop import Closer

        return Closer(
            folders=self.folders,
            ledger=self.ledger,
            notes=self.changed_file_notes,
            spools=self.spools,
            clock=self.clock,
            profiles=self.profiles,
            again_seconds=self.settings.api.probe_seconds,
            zone=self.zone,
        )
