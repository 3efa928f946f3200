"""A courier's profile as its page shows it: columns, status words, taught words."""

import csv
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import tomlkit
from msgspec import Struct

from pipeline.core.drop_lines import Search
from pipeline.service.wiring import Site
from pipeline.web import drop_view, words
from pipeline.web.context import NotPossible
from pipeline.web.teaching.profile_files import (
    PROFILES,
    learned,
    profile_of,
    source_of,
    understood,
    word_of,
    write_profile,
)
from schemas.courier import DAYS, GENERIC, Profile
from schemas.normalise import fold
from schemas.statuses import WILDCARD, Direction, Meaning
from schemas.vocabulary import DATE_ROLES

COUNTED_DAYS: Final = 90
_FILES: Final = 300
_BYTES: Final = 24 * 1024 * 1024
"""Files and bytes of results that are looked through for one page, the newest first."""


class Used(Struct, frozen=True, kw_only=True):
    """Rows by folded word, in ``files`` results files. ``whole``: all of the last days were."""

    rows: Counter[str]
    sent: Counter[str]
    files: int
    whole: bool


def words_used(site: Site, courier: str) -> Used:
    """Count the words of a courier's files of the last days, as far as their results are there."""
    since = site.clock.now() - timedelta(days=COUNTED_DAYS)
    rows, sent, files, left = Counter[str](), Counter[str](), 0, _BYTES
    drops = site.ledger.overview.search(Search(courier=courier, limit=_FILES))
    for drop in drops:
        path = drop_view.outbox_file(site, drop, "results")
        if drop.received_at < since or not path.is_file():
            continue
        status = path.stat()
        left -= status.st_size
        if left < 0:
            break
        of_file, of_sent = _counted(path, status.st_mtime_ns, status.st_size)
        rows.update(of_file)
        sent.update(of_sent)
        files += 1
    whole = left >= 0 and len(drops) < _FILES
    return Used(rows=rows, sent=sent, files=files, whole=whole)


@lru_cache(maxsize=2_000)
def _counted(path: Path, _changed: int, _size: int) -> tuple[Counter[str], Counter[str]]:
    """Count one results file; the arguments tell one state of it from another."""
    rows, sent = Counter[str](), Counter[str]()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line in csv.DictReader(file):
                word = fold(line.get("source_status") or "")
                rows[word] += 1
                sent[word] += line.get("outcome") == "accepted"
    except (OSError, ValueError, csv.Error):
        return Counter(), Counter()
    return rows, sent


_WAYS: Final[Mapping[Direction, str]] = {
    Direction.BLANK: "without a direction",
    Direction.FORWARD: "on the way to the customer",
    Direction.RETURN: "on a customer's return",
    Direction.RTO: "on the way back to us",
}


class WordLine(Struct, frozen=True, kw_only=True):
    """A status word of a courier. ``means``: "" where nobody said. ``beside``: what it goes with.

    ``rows``, ``sent``: of the last days. ``who``, ``at``: who taught it, "" where it came with the
    profile.
    """

    said: str
    means: str
    beside: str
    rows: int
    sent: int
    who: str = ""
    at: str = ""


def columns_of(profile: Profile) -> list[dict[str, Any]]:
    """Return a line per role that the profile has headings for."""
    found = []
    for role, headings in profile.shown_headers.items():
        if not headings:
            continue
        note = ""
        if role in DATE_ROLES:
            rule = profile.date_rule(role)
            note = "day before month" if rule.day_first else "month before day"
            note = "the file's own dates show the order" if rule.auto else note
        found.append(
            {
                "role": words.ROLES[role.value],
                "needed": role in profile.required,
                "headings": list(headings),
                "own": role in profile.orders,
                "note": note,
            }
        )
    return sorted(found, key=lambda each: (not each["needed"], not each["own"]))


def words_in(site: Site, profile: Profile, used: Used) -> list[WordLine]:
    """Return the words of the profile itself, those that were taught and the most used first."""
    taught = {fold(each.said): each for each in learned(site, profile.name)}
    table = profile.statuses
    found: list[WordLine] = []
    tables: list[tuple[str, Mapping[str, Meaning], bool]] = [
        ("", table.base, True),
        *((_WAYS.get(way, str(way)), each, False) for way, each in table.by_direction.items()),
        *(
            (f"with {table.shown_types.get(kind, kind)}", each, False)
            for kind, each in table.by_type.items()
        ),
    ]
    for beside, entries, base in tables:
        for key, meaning in entries.items():
            word = taught.get(key) if base else None
            found.append(
                WordLine(
                    said=word.said
                    if word
                    else "any other word"
                    if key == WILDCARD
                    else table.shown.get(key, key),
                    means=word_of(meaning),
                    beside=beside,
                    rows=used.rows[key],
                    sent=used.sent[key],
                    who=word.who if word else "",
                    at=word.at if word else "",
                )
            )
    return sorted(found, key=lambda each: (not each.at, bool(each.means), -each.rows))


def next_due(site: Site, profile: Profile) -> datetime | None:
    """Return when the next file is to be here; None: no time is set."""
    if profile.expect is None:
        return None
    now = site.clock.now().astimezone(ZoneInfo(profile.zone or site.settings.manifest.timezone))
    for ahead in range(8):
        due = profile.expect.last_due(now + timedelta(days=ahead))
        if due is not None and due > now:
            return due
    return profile.expect.last_due(now + timedelta(days=8))


def expect(site: Site, courier: str, *, by: str, days: tuple[str, ...], who: str) -> Profile:
    """Set the time by which a courier's files are expected; "" for none.

    Raises NotThere, NotPossible.
    """
    profile_of(site, courier)
    if courier == GENERIC:
        raise NotPossible("Which courier? The general rules are those of every one.")
    with PROFILES:
        path, text = source_of(site, courier)
        document = tomlkit.parse(text)
        document.pop("expect", None)
        if by:
            section = tomlkit.table()
            section["by"] = by
            if days and len(days) < len(DAYS):
                section["days"] = list(days)
            document["expect"] = section
        with understood("It cannot be saved"):
            return write_profile(site, path, tomlkit.dumps(document), who=who)
