"""Examine a root before it is needed: each finding says what to do."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct

from pipeline.core.errors import Held, SettingsError, ShipdropError, Transient
from pipeline.core.file_names import as_text
from pipeline.core.model import DropState
from pipeline.core.shipment import Cause
from pipeline.delivery.api.client import KonnectApi
from pipeline.inbox.scan import WaitCause as WaitsFor
from pipeline.service.api_access import credentials_of, has_no_token
from pipeline.service.health import READY, problems_in
from pipeline.service.health_file import is_fresh
from pipeline.service.read_again import in_words, why_open
from pipeline.service.settings import CONFIG_NAME, secrets_in, variable_of
from pipeline.service.wiring import Site
from pipeline.storage.file_systems import NETWORK_SYSTEMS, sees_all_files, writers_of
from pipeline.storage.listing import cannot_read
from schemas.description import contradictions
from schemas.display import counted, shown

_MOST_OPEN = 10
"""Unfinished drops that are listed one by one."""
_SMALL = 1024
"""MiB of free disk that are worth a warning, unless far fewer are kept (inbox.min_free_mb)."""
_SMALLEST, _TIMES_KEPT = 16, 20


class Diagnosis(Struct, frozen=True, kw_only=True):
    """One thing that was looked at. ``code``: the exit code it asks for when it is not fine."""

    subject: str
    found: str
    fine: bool = True
    advice: str = ""
    code: int = 2

    def as_dict(self) -> dict[str, Any]:
        """Return it as ``--json`` shows it."""
        return {
            "subject": self.subject,
            "fine": self.fine,
            "found": self.found,
            "advice": self.advice,
        }


def examine(site: Site, config: Path | None = None) -> list[Diagnosis]:
    """Look at everything, and change nothing; ``config``: the file that ``--config`` names."""
    findings = _guarded(_folders, site)
    complete = all(each.fine for each in findings)
    inside = (_disk, _filesystem, _ledger, _service, _waiting) if complete else (_service,)
    outside = (_profiles, _clock, partial(_secrets, config=config), _page, _token_file, _api)
    for look in (*inside, *outside):
        findings += _guarded(look, site)
    return findings


def _guarded(look: Callable[[Site], Iterator[Diagnosis]], site: Site) -> list[Diagnosis]:
    try:
        return list(look(site))
    except ShipdropError as error:
        subject = getattr(look, "__name__", "settings").strip("_")
        return [Diagnosis(subject=subject, found=error.message, fine=False, advice=error.hint)]


def _folders(site: Site) -> Iterator[Diagnosis]:
    missing = site.folders.missing()
    if missing:
        yield Diagnosis(
            subject="folders",
            found=f"{site.root} has no {', '.join(missing)}",
            fine=False,
            advice=f"If this is the right root, `shipdrop init {site.root}` makes these folders.",
        )
        return
    site.folders.prepare()
    yield Diagnosis(subject="folders", found=f"{site.root} is complete and writable")
    if not site.folders.same_file_system:
        yield Diagnosis(
            subject="inbox",
            found="inbox and work lie on two file systems: a checked copy replaces the rename",
        )


def _disk(site: Site) -> Iterator[Diagnosis]:
    free, kept = site.folders.free_bytes() // 2**20, site.settings.inbox.min_free_mb
    yield Diagnosis(
        subject="disk",
        found=f"{free / 1024:.1f} GiB free" if free >= _SMALL else f"{free} MiB free",
        fine=free >= max(kept, min(_SMALL, max(_SMALLEST, _TIMES_KEPT * kept))),
        advice=f"Make space: with less than {kept} MiB (inbox.min_free_mb) no files are taken.",
    )


def _filesystem(site: Site) -> Iterator[Diagnosis]:
    kind = _system_of(site.inbox_path)
    network = kind in NETWORK_SYSTEMS
    said = "a network share: files are found by scanning only" if network else "local"
    yield Diagnosis(subject="file system", found=f"inbox is on {kind or 'unknown'} ({said})")


def _system_of(path: Path) -> str:
    """Return the type of the mount that holds ``path``, from the kernel's table; "" elsewhere."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    best = ("", "")
    real = os.path.realpath(path)
    for line in lines:
        _, mount, kind, *_ = line.split(" ")
        if (real + "/").startswith(mount.rstrip("/") + "/") and len(mount) >= len(best[0]):
            best = (mount, kind)
    return best[1]


def _ledger(site: Site) -> Iterator[Diagnosis]:
    site.check_ledger(thoroughly=True)
    counts = site.ledger.counts()
    said = ", ".join(f"{count} {state.value}" for state, count in counts.items()) or "no drops yet"
    if counts.get(DropState.OPEN):
        said += ". `shipdrop run` continues open drops; `shipdrop cancel DROP` ends one"
    yield Diagnosis(subject="ledger", found=said)
    health_file = site.health_file()
    unfinished = site.ledger.unfinished()
    for drop in unfinished[:_MOST_OPEN]:
        open_reason = why_open(drop, health_file, site.clock)
        if open_reason is None or not open_reason["cause"]:
            continue
        ours = open_reason["cause"] in {Cause.STORAGE, Cause.BUG}
        yield Diagnosis(
            subject="drop",
            found=f"{shown(drop.source_file)} ({drop.drop_id}) is open: {in_words(open_reason)}",
            fine=not ours,
            advice="Fix the cause, then the drop goes on by itself; `shipdrop cancel "
            f"{drop.drop_id}` gives up what is left of it."
            if ours
            else "",
            code=1 if open_reason["cause"] == Cause.BUG else 2,
        )
    if len(unfinished) > _MOST_OPEN:
        yield Diagnosis(
            subject="drop", found=f"{len(unfinished) - _MOST_OPEN:,} more are not finished"
        )


def _profiles(site: Site) -> Iterator[Diagnosis]:
    yield Diagnosis(subject="profiles", found=", ".join(site.profiles))
    for profile in site.profiles.values():
        if profile.unconfirmed:
            yield Diagnosis(
                subject="profiles",
                found=f"{profile.name} is a draft: {len(profile.unconfirmed)} entries are not "
                f"confirmed, and are ignored until they are (`shipdrop profiles {profile.name}`)",
            )
        if against := [*contradictions(profile)]:
            yield Diagnosis(
                subject="profiles",
                found=f"in {profile.name}: {'; '.join(against[:_MOST_OPEN])}",
                fine=False,
                advice=f"Correct the profile {profile.name} if the courier means something else.",
                code=0,
            )


def _waiting(site: Site) -> Iterator[Diagnosis]:
    scan = site.inbox.scan()
    yield Diagnosis(
        subject="inbox", found=f"{counted(len(scan.ready) + len(scan.waiting), 'file')} waiting"
    )
    for strange in scan.left_alone:
        if strange.strange:
            yield Diagnosis(
                subject="inbox", found=f"{shown(strange.name)} is left alone: {strange.reason}"
            )
    lying = {(as_text(folder), as_text(name)) for folder, name in scan.lying}
    late = {(each["folder"], each["file"]): each for each in _late(site)}
    for file in scan.waiting:
        if (reason := cannot_read(file.path)) and (file.folder, as_text(file.name)) not in late:
            yield _waits_long(file.folder, file.name, reason)
    for place in lying & late.keys():
        reason = f"{late[place]['reason']} (waiting since {late[place]['since']})"
        if late[place]["cause"] == WaitsFor.WRITTEN:
            holders = writers_of(site.inbox.path_of(*place))
            reason += f". It is held open by {', '.join(holders)}" if holders else ""
        yield _waits_long(*place, reason)


def _waits_long(folder: str, name: str, reason: str) -> Diagnosis:
    return Diagnosis(
        subject="inbox",
        found=f"{shown(name)} is not picked up: {reason}",
        fine=False,
        advice=f"`shipdrop why {shown(f'{folder}/{name}' if folder else name)}` says more.",
        code=3,
    )


def _late(site: Site) -> list[Mapping[str, str]]:
    """Return what a running service reports of files that wait for too long."""
    health_file = site.health_file()
    return list(health_file.waiting) if health_file else []


def _service(site: Site) -> Iterator[Diagnosis]:
    """Yield the state of the service on this root, by its own last report."""
    health_file = site.health_file()
    if health_file is None or health_file.stopped_at:
        yield Diagnosis(subject="service", found="not running")
        return
    who = f"process {health_file.pid} on {health_file.host or 'this machine'}"
    if not is_fresh(health_file, site.clock.now()):
        yield Diagnosis(
            subject="service",
            found=f"{who} last reported at {health_file.at}: it was killed, or hangs",
            fine=False,
            advice="Look at its log; start `shipdrop run` again if it is gone.",
        )
        return
    if sees_all_files(health_file.pid) is False and health_file.host == socket.gethostname():
        yield Diagnosis(
            subject="uploads",
            found="the service has no CAP_LEASE: who has files of other users open for writing "
            "it only knows by what it hears (docs/sftp.md)",
        )
    scanned = f"last good look at the inbox at {health_file.scanned_at}"
    if not health_file.scanned_at:
        scanned = "has not looked at the inbox yet"
    yield Diagnosis(subject="service", found=f"{who}, {scanned}")
    for each in problems_in(health_file, site.clock.now()):
        if each.what == "service":  # said above; it has just started
            continue
        since = f" (since {each.since})" if each.since else ""
        yield Diagnosis(
            subject=each.what,
            found=f"{each.reason}{since}",
            fine=each.what not in READY,
            advice=each.hint,
            code=5 if each.what == "api" else 2,
        )


def _trouble_of_service(site: Site) -> Diagnosis | None:
    """Report the API's state for the running service, whose token only the service may read."""
    health_file = site.health_file()
    if health_file is None or health_file.stopped_at or not is_fresh(health_file, site.clock.now()):
        return None
    held = health_file.api == "held"
    said = f"{health_file.api}: {health_file.reason}" if health_file.reason else health_file.api
    return Diagnosis(
        subject="api",
        found=f"no token is known here; the running service has one, and reports: {said}",
        fine=not held,
        advice=health_file.hint or "Get a new token and set it; the service goes on by itself.",
        code=5,
    )


def _clock(site: Site) -> Iterator[Diagnosis]:
    yield Diagnosis(subject="clock", found=site.clock.now().isoformat(timespec="seconds"))


def _token_file(site: Site) -> Iterator[Diagnosis]:
    name = site.settings.api.token_file
    if name is None:
        return
    path = site.root / name
    try:
        found = path.read_text(encoding="utf-8").strip()
        said = "" if found else f"the token file {path} is empty"
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        said = f"the token file {path} cannot be read: {reason}"
    if said and not site.settings.api.token:
        yield Diagnosis(
            subject="token file",
            found=said,
            fine=False,
            advice="Put the token into it, readable for this user, or correct api.token_file.",
        )


def _secrets(site: Site, *, config: Path | None) -> Iterator[Diagnosis]:
    for key in secrets_in(site.root, config=config):
        name = CONFIG_NAME if config is None else shown(config, 300)
        yield Diagnosis(
            subject="settings",
            found=f"{key} stands in {name}, which gets copied and shown to people",
            advice=f"Give it by {variable_of(key)}, by a file, or by SHIPDROP_SECRETS_DIR.",
        )


def _page(site: Site) -> Iterator[Diagnosis]:
    """Yield the reasons why the page would not start, if any."""
    from pipeline.web.access import check_listening
    from pipeline.web.people import People

    try:
        check_listening(site.settings.web, People(site.root, site.settings.web, site.clock).users())
    except SettingsError as error:
        yield Diagnosis(subject="page", found=error.message, fine=False, advice=error.hint)


def _api(site: Site) -> Iterator[Diagnosis]:
    if has_no_token(site.settings.api) and (diagnosis := _trouble_of_service(site)):
        yield diagnosis
        return
    credentials = credentials_of(site.settings.api, site.root)
    if any(_token_file(site)):
        return  # reported already; without a token the API cannot be asked
    api = site.settings.api
    yield Diagnosis(subject="api", found=f"sending to {api.base_url}")

    async def ask() -> int:
        konnect = KonnectApi(
            base_url=api.base_url, credentials=credentials, timeout=min(10.0, api.timeout_seconds)
        )
        try:
            return (await konnect.order_info("shipdrop-doctor")).status
        finally:
            await konnect.close()

    try:
        status = asyncio.run(ask())
    except (Transient, Held, socket.gaierror) as error:
        yield Diagnosis(
            subject="api",
            found=f"no answer: {error}",
            fine=False,
            advice="Check api.base_url, the network, and the token settings.",
            code=5,
        )
        return
    refused = status in {401, 403, 407}
    yield Diagnosis(
        subject="token",
        found=f"the API answered {status}",
        fine=not refused,
        advice="Get a new token and set it; the service goes on by itself.",
        code=5,
    )
