"""The one place that builds adapters and hands them over."""

import os
import random
import socket
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pipeline.adapters.child import Child
from pipeline.adapters.clock import SystemClock
from pipeline.adapters.folders import Folders
from pipeline.adapters.inbox import Inbox
from pipeline.adapters.konnect import Credentials, KonnectApi
from pipeline.adapters.ledger import SqlLedger, open_ledger
from pipeline.adapters.naming import DropIds
from pipeline.adapters.present import PresentApi
from pipeline.adapters.profiles import LiveProfiles
from pipeline.adapters.pulse import LATENCY_BOUNDS, Calls, Pulse, PulseWriter, read_pulse
from pipeline.adapters.shelves import Shelves
from pipeline.adapters.swept_file import SweptFile
from pipeline.adapters.watcher import Watcher
from pipeline.admission import Admission
from pipeline.agreement import MB, ReadingRules
from pipeline.claiming import Claimer
from pipeline.closing import Closed, Closer
from pipeline.containment import Readers
from pipeline.delivery.meter import CallCount, Metered
from pipeline.delivery.policy import DeliveryPolicy
from pipeline.delivery.room import DeliveryRoom
from pipeline.errors import SettingsError, UsageError
from pipeline.intake import Intake
from pipeline.latecomers import Latecomers, as_dicts
from pipeline.model import Drop, Limits, stamp
from pipeline.planning import PlanRules
from pipeline.ports import Presence, StatusApi
from pipeline.retention import Keep, Retention
from pipeline.rhythm import Pace
from pipeline.runner import Runner
from pipeline.service import Service
from pipeline.settings import ApiSettings, Settings
from pipeline.stages.choose import did_you_mean, find_profile
from pipeline.stages.report_fix_sheet import Advice
from pipeline.troubles import Troubles
from schemas.codes import load_codes
from schemas.rules import Rules

COURIERS = "couriers"

_GATHER_SECONDS = 0.015
"""A commit on PostgreSQL costs about a millisecond of processor, here and there: more answers share
one than in an embedded ledger. Chunks that are marked ahead keep the callers busy meanwhile."""

_MOST_LATE = 100
"""Files that wait for long, told one by one."""


@dataclass(frozen=True)
class Site:
    """One root with its settings; adapters are built when first asked for.

    ``child``: a process to read files in that was started before all this was imported.
    """

    root: Path
    settings: Settings
    clock: SystemClock = field(default_factory=SystemClock)
    child: Child | None = None
    presence: Presence | None = None

    @cached_property
    def inbox_path(self) -> Path:
        """Where files are dropped."""
        return self.root / self.settings.inbox.path

    @cached_property
    def outbox_path(self) -> Path:
        """Where results go."""
        return self.root / self.settings.outbox.path

    @cached_property
    def spools(self) -> Path:
        """Where drops keep rows, plan and bodies."""
        return self.root / "state" / "drops"

    @cached_property
    def folders(self) -> Folders:
        """The folders of the contract."""
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
        """The scanner of the inbox."""
        inbox = self.settings.inbox
        return Inbox(
            self.inbox_path,
            settle_seconds=inbox.settle_seconds,
            incomplete_seconds=inbox.incomplete_seconds,
            done_marker=inbox.done_marker,
            monotonic=self.clock.monotonic,
        )

    def pulse(self) -> Pulse | None:
        """How the run on this root said it is doing, the last time."""
        return read_pulse(self.root / "state")

    @cached_property
    def ledger(self) -> SqlLedger:
        """The ledger, opened and migrated."""
        return open_ledger(self.settings.ledger.url, root=self.root)

    def close(self) -> None:
        """Let go of what was opened."""
        if "readers" in self.__dict__:
            self.readers.close()
        if "ledger" in self.__dict__:
            self.ledger.close()

    @cached_property
    def profiles(self) -> LiveProfiles:
        """Built-in profiles, overlaid by those in ROOT/couriers. Raises SettingsError."""
        profiles = LiveProfiles(self.root / COURIERS, monotonic=self.clock.monotonic)
        wanted = self.settings.manifest.courier
        if find_profile(wanted, profiles) is None:
            raise SettingsError(
                f'The setting "manifest.courier" names "{wanted}", which has no profile.',
                hint=did_you_mean(wanted, profiles),
            )
        return profiles

    @property
    def limits(self) -> Limits:
        """How large a file may be."""
        inbox = self.settings.inbox
        return Limits(max_bytes=inbox.max_file_mb * MB, max_rows=inbox.max_rows)

    @cached_property
    def readers(self) -> Readers:
        """Has files read, in other processes. Raises SettingsError for a wrong profile."""
        return Readers(
            self._reading_rules,
            self.child,
            own_profiles=self.profiles.own,
            at_once=1 if self.presence else 2,  # a worker reads one file at a time
        )

    @cached_property
    def _reading_rules(self) -> ReadingRules:
        inbox, manifest = self.settings.inbox, self.settings.manifest
        return ReadingRules(  # what is wrong with a profile is told here, not by the other process
            profiles=self.profiles.own(),
            default=manifest.courier,
            limits=self.limits,
            rules=Rules(timezone=manifest.timezone),
            spools=self.spools,
            seconds=inbox.read_seconds,
            memory=inbox.read_memory_mb * MB,
        )

    def check_sending(self) -> None:
        """Raise SettingsError unless address and token are configured."""
        credentials_of(self.settings.api, self.root)

    def check_courier(self, name: str) -> None:
        """Raise UsageError for a courier without a profile and without a folder in the inbox."""
        if find_profile(name, self.profiles) is None and not (self.inbox_path / name).is_dir():
            hint = did_you_mean(name, self.profiles)
            raise UsageError(f'There is no profile for the courier "{name}".', hint=hint)

    def drop(self, drop_id: str) -> Drop:
        """The drop with this id. Raises UsageError if there is none."""
        found = self.ledger.find(drop_id)
        if found is None:
            raise UsageError(f"There is no drop {drop_id}.", hint="`shipdrop drops` lists them.")
        return found

    @cached_property
    def plan_rules(self) -> PlanRules:
        """How drops are planned here."""
        manifest = self.settings.manifest
        return PlanRules(
            chunk_size=self.settings.api.chunk_size,
            fill_missing_pickup=manifest.fill_missing_pickup,
            max_reject_ratio=manifest.max_reject_ratio,
        )

    def service(self, on_closed: Callable[[Closed], None] = lambda _closed: None) -> Service:
        """The loop over this root. Raises SettingsError when sending is not configured."""
        self.folders.prepare()
        room = self.room
        troubles = Troubles(clock=self.clock)
        pulse = self.pulse_writer(troubles)
        return Service(
            intake=lambda wake: self.intake(troubles, wake),
            folders=self.folders,
            ledger=self.ledger,
            claimer=self.claimer,
            closer=self.closer,
            admission=self.admission,
            runner=self.runner,
            room=room,
            clock=self.clock,
            pace=Pace(
                scan=self.settings.inbox.scan_seconds, settle=self.settings.inbox.settle_seconds
            ),
            troubles=troubles,
            retention=self.retention,
            on_closed=on_closed,
            on_turn=pulse.beat,
            on_end=pulse.end,
        )

    def pulse_writer(self, troubles: Troubles) -> PulseWriter:
        """What tells others on this root how the service, or a worker that looks, is doing."""
        every = self.settings.inbox.scan_seconds
        pulse = PulseWriter(
            self.root / "state",
            _looking_at(self.room, self.calls, self.clock, every, troubles),
            now=self.clock.now,
            monotonic=self.clock.monotonic,
        )
        troubles.on_scan = pulse.scanned
        return pulse

    def intake(self, troubles: Troubles, wake: Callable[[], None]) -> Intake:
        """The inbox as a loop uses it. ``wake`` is called when something happens there."""
        inbox = self.settings.inbox
        return Intake(
            inbox=self.inbox,
            watcher=Watcher(self.inbox_path, wake),
            folders=self.folders,
            claimer=self.claimer,
            latecomers=Latecomers(
                outbox=self.folders.outbox, clock=self.clock, after_seconds=inbox.late_seconds
            ),
            troubles=troubles,
            clock=self.clock,
            profiles=self.profiles,
            min_free_bytes=inbox.min_free_mb * 1024 * 1024,
        )

    @cached_property
    def retention(self) -> Retention:
        """What removes old originals, reports and rows."""
        keep = self.settings.retention
        return Retention(
            keep=Keep(
                archive_days=keep.archive_days,
                outbox_days=keep.outbox_days,
                rows_days=keep.rows_days,
            ),
            shelves=Shelves(self.root, self.folders.outbox),
            ledger=self.ledger,
            swept=SweptFile(self.root),
            clock=self.clock,
        )

    @cached_property
    def claimer(self) -> Claimer:
        """Takes files out of the inbox."""
        return Claimer(
            folders=self.folders,
            ledger=self.ledger,
            clock=self.clock,
            new_id=DropIds(self.clock.now, random.SystemRandom()).new,
        )

    @cached_property
    def admission(self) -> Admission:
        """Takes claimed drops to where they can be delivered."""
        return Admission(
            folders=self.folders,
            ledger=self.ledger,
            claimer=self.claimer,
            closer=self.closer,
            readers=self.readers,
            profiles=self.profiles,
            rules=self.plan_rules,
            clock=self.clock,
            turn=self.ledger.planning_turn if self.presence else nullcontext,
        )

    @cached_property
    def runner(self) -> Runner:
        """Takes planned drops to their end, and closed ones up again."""
        return Runner(ledger=self.ledger, closer=self.closer, rules=self.plan_rules)

    @cached_property
    def _advice(self) -> Mapping[str, Advice]:
        return {
            str(code): Advice(meaning=entry.what, fix=entry.fix, right=entry.right)
            for code, entry in load_codes().items()
        }

    def advice(self) -> Mapping[str, Advice]:
        """How to fix what each code says."""
        return self._advice

    @cached_property
    def room(self) -> DeliveryRoom:
        """The delivery room. Raises SettingsError when sending is not configured."""
        return DeliveryRoom(
            make_api=self._api_maker(),
            ledger=self.ledger,
            policy=_policy(self.settings.api, self.ledger),
            clock=self.clock,
            rng=random.Random(),  # noqa: S311 - jitter, not a secret
        )

    @cached_property
    def calls(self) -> CallCount:
        """The calls of the delivery room, counted."""
        return CallCount(LATENCY_BOUNDS)

    def _api_maker(self) -> Callable[[], StatusApi]:
        """Checked now, made later: inside the delivery room's loop."""
        api = self.settings.api
        credentials = credentials_of(api, self.root)

        def make() -> StatusApi:
            konnect = KonnectApi(
                base_url=api.base_url, credentials=credentials, timeout=api.timeout_seconds
            )
            metered = Metered(konnect, self.calls, monotonic=self.clock.monotonic)
            return PresentApi(metered, self.presence) if self.presence else metered

        return make

    def progress(self) -> tuple[int, int]:
        """Rows answered and rows in all, of the drops being delivered."""
        return self.room.progress()

    @cached_property
    def closer(self) -> Closer:
        """Reports drops and puts them away."""
        return Closer(
            folders=self.folders,
            ledger=self.ledger,
            spools=self.spools,
            clock=self.clock,
            profiles=self.profiles,
            advice=self.advice,
            part=self.presence.name if self.presence else "",
        )


def _policy(api: ApiSettings, ledger: SqlLedger) -> DeliveryPolicy:
    gather = {} if ledger.is_embedded else {"gather": _GATHER_SECONDS}
    return DeliveryPolicy(
        concurrency=api.concurrency,
        rate=api.rate_per_second,
        timeout=api.timeout_seconds,
        max_attempts=api.max_attempts,
        give_up_after=api.give_up_seconds,
        reconcile=api.reconcile,
        when_in_doubt=api.when_in_doubt,
        **gather,
    )


def _looking_at(
    room: DeliveryRoom, calls: CallCount, clock: SystemClock, every: float, troubles: Troubles
) -> Callable[[], Pulse]:
    """What tells how the service is, whenever it has looked at its inbox."""
    started_at = stamp(clock.now())

    def look() -> Pulse:
        now = stamp(clock.now())
        state, reason, hint, status = "ok", room.slowed, "", None
        shut = room.shut
        if shut is not None:
            state = "held" if shut.held else "paused"
            reason, hint, status = shut.reason, shut.hint, shut.status
        elif reason:
            state = "slowed"
        return Pulse(
            pid=os.getpid(),
            host=socket.gethostname(),
            started_at=started_at,
            at=now,
            every=every,
            api=state,
            reason=reason,
            hint=hint,
            api_status=status,
            calls=Calls(
                by_status=dict(calls.by_status), by_time=list(calls.by_time), seconds=calls.seconds
            ),
            trouble=troubles.now(),
            waiting=as_dicts(troubles.late[:_MOST_LATE]),
            waiting_long=len(troubles.late),
        )

    return look


def credentials_of(api: ApiSettings, root: Path) -> Credentials:
    """How to get a token. Raises SettingsError when address or token are not configured."""
    if not api.base_url:
        raise SettingsError(
            'The setting "api.base_url" is missing: where to send.',
            hint="Set it in shipdrop.toml or by SHIPDROP_API__BASE_URL; `shipdrop sandbox` starts "
            "a local stand-in.",
        )
    credentials = Credentials(
        token=api.token.get_secret_value() if api.token else None,
        token_file=root / api.token_file if api.token_file else None,
        username=api.username,
        password=api.password.get_secret_value() if api.password else None,
    )
    login = credentials.username is not None and credentials.password is not None
    if not (credentials.token or credentials.token_file or login):
        raise SettingsError(
            'The setting "api.token" is missing: nothing is taken without a token.',
            hint="Set api.token, api.token_file, or api.username and api.password; best by "
            "environment (SHIPDROP_API__TOKEN) or a file.",
        )
    return credentials
