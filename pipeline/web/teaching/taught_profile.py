"""The profile that results from a teaching: as text, tried on real rows, and saved."""

import csv
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import structlog
import tomlkit
from msgspec import Struct

from pipeline.core.draft import DraftStatus, ProfileDraft, RoleChoices
from pipeline.core.drop_lines import DropLine, Search
from pipeline.core.errors import SettingsError, StorageError
from pipeline.core.model import stamp
from pipeline.core.profile_by_name import profile_of_name
from pipeline.service.check import Checked, check_files
from pipeline.service.wiring import COURIERS, Site
from pipeline.storage.courier_profiles import LiveProfiles, profile_files, read_profile
from pipeline.storage.root_folders import place_of
from pipeline.web.api_base import Answer, Text
from pipeline.web.context import NotPossible
from pipeline.web.teaching.profile_files import (
    PROFILES,
    Word,
    keep_words,
    last_saved,
    mark_of,
    source_of,
    understood,
    words_of,
    write_profile,
)
from pipeline.web.teaching.steps import Teaching, Teachings
from schemas.courier import Profile
from schemas.normalise import fold, fold_header
from schemas.status_reader import MARK, MEANINGS
from schemas.statuses import Direction
from schemas.vocabulary import Role

log = structlog.get_logger(__name__)

_NAME: Final = re.compile(r"^name[ \t]*=.*\n", re.MULTILINE)
_OTHERS: Final = 6
"""Refused files that are tried with a new profile."""
_LOOKED_THROUGH: Final = 200
_EXAMPLES: Final = 5


class KindObject(Answer):
    """One row for each word: what is sent for it. ``means``: no_milestone: nothing."""

    status: Text
    means: str
    rows: int
    row: str
    order_id: Text
    cells: list[Text]


class Preview(Struct, frozen=True, kw_only=True):
    """A file as it would be read by the profile that is being taught.

    ``others``: refused files that can be read with it, each with the rows that would be sent.
    """

    checked: Checked
    counts: Mapping[str, int]
    shown: tuple[KindObject, ...]
    back: tuple[Mapping[str, str], ...]
    others: tuple[tuple[DropLine, int], ...]


class BuiltProfile(Struct, frozen=True, kw_only=True):
    """A profile that is not saved yet, and where it will lie."""

    path: Path
    text: str
    profile: Profile


def build_profile(site: Site, teachings: Teachings, teaching: Teaching) -> BuiltProfile:
    """Return the profile that was taught so far. Raises NotPossible, NotThere."""
    for fault in teachings.faults(teaching):
        raise NotPossible(fault)
    draft, said = teachings.read(teaching), teachings.said(teaching)
    if teaching.courier:
        path, text = source_of(site, teaching.courier)
        text = merged(text, site.profiles[teaching.courier], said, draft.statuses)
    else:
        if teaching.name in site.profiles:
            raise NotPossible(
                f"There is a courier called {site.profiles[teaching.name].title} already.",
                hint="Choose it in the list of couriers, or give the new one another name.",
            )
        path, text = site.root / COURIERS / f"{teaching.name}.toml", draft.text
    with understood("This cannot be taught"):
        profile = read_profile(text, origin=path.name)
    for each in draft.statuses:
        _is_read_so(profile, each, said)
    return BuiltProfile(path=path, text=text, profile=profile)


def _is_read_so(profile: Profile, each: DraftStatus, said: RoleChoices) -> None:
    word = said.meaning_of(each.status, each.status_type, each.direction)
    if not word:
        return
    way = profile.direction(each.direction)
    ruling = profile.statuses.rule(each.status, status_type=each.status_type, direction=way)
    wanted = MEANINGS[word]
    if max(wanted, 0) != ruling.milestone and way in {Direction.BLANK, Direction.FORWARD}:
        raise NotPossible(
            f'"{each.status[:60]}" cannot mean that: the profile would read it otherwise.',
            hint="Two spellings of one word, or a word beside two directions, have one meaning.",
        )


def merged(text: str, profile: Profile, said: RoleChoices, statuses: Sequence[DraftStatus]) -> str:
    """Return a profile's text with the answers of a teaching added; the rest is unchanged."""
    document = tomlkit.parse(text)
    own: dict[str, object] = {}
    _add_headings(document, profile, said)
    for each in statuses:
        word = said.meaning_of(each.status, each.status_type, each.direction)
        if word:
            _add_status(document, profile, each, word)
    for key, values in (("nothing", said.nothing), ("file_names", said.file_names)):
        had = [str(each) for each in document.get(key, ())]
        new = [each for each in values if fold(each) not in map(fold, had)]
        if new:
            own[key] = [*had, *new]
    if said.parcels:
        own["parcels"] = said.parcels
    if said.by:
        document["expect"] = {"by": said.by, **({"days": list(said.days)} if said.days else {})}
    for role, first in said.day_first.items():
        dates: Any = document.setdefault("dates", tomlkit.table())
        dates.setdefault(role.value, tomlkit.table())["day_first"] = first
    new_lines = tomlkit.document()
    for key, value in own.items():
        (document if key in document else new_lines)[key] = value
    made = tomlkit.dumps(document)
    # Keys of the profile itself stand before its first section: beside its name.
    return _NAME.sub(lambda name: name[0] + tomlkit.dumps(new_lines), made, count=1)


def _add_headings(document: tomlkit.TOMLDocument, profile: Profile, said: RoleChoices) -> None:
    headers: Any = document.setdefault("headers", tomlkit.table())
    for role, heading in said.columns.items():
        folded = fold_header(heading)
        for other in Role:
            kept = [each for each in headers.get(other.value, ()) if not _is(each, folded)]
            if other is not role and len(kept) < len(headers.get(other.value, ())):
                headers[other.value] = kept
        own = headers.get(role.value)
        listed = list(own if own is not None else profile.shown_headers.get(role, ()))
        if folded not in map(fold_header, listed):
            headers[role.value] = [heading, *(each for each in listed if not _is(each, folded))]


def _is(entry: str, folded: str) -> bool:
    return fold_header(entry.removeprefix(MARK).strip()) == folded


def _add_status(
    document: tomlkit.TOMLDocument, profile: Profile, each: DraftStatus, word: str
) -> None:
    table = _table_of(document, profile, each)
    folded = fold(each.status)
    for key in MEANINGS:
        kept = [one for one in table.get(key, ()) if fold(one.removeprefix(MARK)) != folded]
        if len(kept) < len(table.get(key, ())):
            table[key] = kept
    table[word] = [*table.get(word, ()), each.status]


def _table_of(document: tomlkit.TOMLDocument, profile: Profile, each: DraftStatus) -> Any:  # noqa: ANN401 - tomlkit's tables
    if each.status_type.strip():
        types: Any = document.setdefault("types", tomlkit.table())
        known = next((key for key in types if fold(key) == fold(each.status_type)), None)
        return types.setdefault(known or each.status_type, tomlkit.table())
    statuses: Any = document.setdefault("statuses", tomlkit.table())
    side = {Direction.RETURN: "on_return", Direction.RTO: "on_rto"}.get(
        profile.direction(each.direction)
    )
    return statuses.setdefault(side, tomlkit.table()) if side else statuses


@contextmanager
def _with(site: Site, made: BuiltProfile) -> Iterator[Site]:
    """Yield a view of the root in which the profile is saved; nothing else sees it."""
    with tempfile.TemporaryDirectory(prefix="shipdrop-teach-") as folder:
        place = Path(folder)
        for path in profile_files(site.root / COURIERS):
            if path != made.path:
                place.joinpath(path.name).write_bytes(path.read_bytes())
        place.joinpath(made.path.name).write_text(made.text, encoding="utf-8")
        shadow = Site(site.root, site.settings, site.clock)
        shadow.__dict__["profiles"] = LiveProfiles(place, monotonic=site.clock.monotonic)
        shadow.__dict__["ledger"] = site.ledger
        try:
            yield shadow
        finally:
            shadow.readers.close()


def folder_of(profiles: Mapping[str, Profile], profile: Profile, file: str, folder: str) -> str:
    """Return the inbox sub-folder in which a file is read with this profile, its own if it is."""
    found = profile_of_name(file, folder or None, profiles)
    return folder if found is not None and found.name == profile.name else profile.name


def preview(site: Site, teachings: Teachings, teaching: Teaching) -> Preview:
    """Read the file with the profile that is being taught, to its end, and send nothing.

    Raises NotPossible, NotThere, StorageError.
    """
    made = build_profile(site, teachings, teaching)
    draft = teachings.read(teaching)
    path = teachings.path(teaching)
    with _with(site, made) as shadow, tempfile.TemporaryDirectory(prefix="shipdrop-teach-") as out:
        folder = folder_of(shadow.profiles, made.profile, path.name, teaching.folder)
        (checked,) = check_files(shadow, [path], courier=folder or None, out=Path(out))
        results = _results(Path(out))
        others = tuple(_others(shadow, made, teaching))
    counts = {
        outcome: count
        for outcome, count in checked.summary["rows"].items()
        if count and outcome != "total"
    }
    return Preview(
        checked=checked,
        counts=counts,
        shown=_shown(draft, results),
        back=tuple([each for each in results if each["outcome"] == "rejected"][:_EXAMPLES]),
        others=others,
    )


def _results(out: Path) -> list[dict[str, str]]:
    for path in out.glob("*.results.csv"):
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    return []


def _shown(draft: ProfileDraft, results: Sequence[Mapping[str, str]]) -> tuple[KindObject, ...]:
    """Return one row for each word that is sent or passed over, the most frequent first."""
    examples = {fold(each.status): each.example for each in reversed(draft.statuses)}
    found: dict[tuple[str, str], KindObject] = {}
    for line in results:
        if line["outcome"] not in {"unsent", "ignored", "duplicate"}:
            continue
        key = (fold(line["source_status"]), line["order_status"])
        before = found.get(key)
        found[key] = KindObject(
            means=line["order_status"] or "no_milestone",
            status=line["source_status"],
            rows=before.rows + 1 if before else 1,
            cells=list(examples.get(key[0], ())),
            order_id=before.order_id if before else line["order_id"],
            row=before.row if before else line["row"],
        )
    return tuple(sorted(found.values(), key=lambda each: -each.rows))


def _others(shadow: Site, made: BuiltProfile, teaching: Teaching) -> Iterator[tuple[DropLine, int]]:
    """Yield refused files that can be read with the profile, and the rows that would be sent."""
    tried = 0
    for line in shadow.ledger.overview.search(Search(state="refused", limit=_LOOKED_THROUGH)):
        likely = line.folder in {teaching.folder, made.profile.name} - {""} or any(
            fnmatchcase(line.source_file.casefold(), pattern) for pattern in made.profile.file_names
        )
        if line.drop_id == teaching.drop or line.again_as or not likely or tried >= _OTHERS:
            continue
        drop = shadow.ledger.find(line.drop_id)
        path = shadow.folders.kept(place_of(drop)) if drop else None
        if path is None or not path.is_file():
            continue
        tried += 1
        folder = folder_of(shadow.profiles, made.profile, line.source_file, line.folder)
        (checked,) = check_files(shadow, [path], courier=folder or None, out=None)
        if not checked.summary["refused"]:
            yield line, checked.summary["rows"]["unsent"]


def save(
    site: Site, teachings: Teachings, teaching: Teaching, *, who: str, note: str
) -> BuiltProfile:
    """Save a teaching as a courier's profile; the one before is kept.

    Raises NotPossible where somebody saved the same courier meanwhile, StorageError.
    """
    with PROFILES:
        made = build_profile(site, teachings, teaching)
        if teaching.courier and mark_of(source_of(site, teaching.courier)[1]) != teaching.base:
            saved = last_saved(site, teaching.courier)
            by = f"{saved.who or 'Somebody'} saved" if saved else "Somebody changed"
            raise NotPossible(
                f"{by} the courier {made.profile.title} meanwhile.",
                hint="Load the page again: it shows the courier as it is now.",
            )
        try:
            write_profile(site, made.path, made.text, who=who, note=note)
        except SettingsError as error:
            raise StorageError(error.message, hint=error.hint) from error
        _keep_words(site, made.profile.name, teachings, teaching, who)
    log.info("web.taught", courier=made.profile.name, user=who)
    return made


def _keep_words(
    site: Site, courier: str, teachings: Teachings, teaching: Teaching, who: str
) -> None:
    draft, said = teachings.read(teaching), teachings.said(teaching)
    at = stamp(site.clock.now())
    new = {
        fold(each.status): Word(said=each.status, means=word, who=who[:100], at=at)
        for each in draft.statuses
        if (word := said.meaning_of(each.status, each.status_type, each.direction))
        and each.key in teaching.words
    }
    before = [each for each in words_of(site, courier) if fold(each.said) not in new]
    keep_words(site, courier, [*before, *new.values()])
