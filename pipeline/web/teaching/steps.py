"""Teach a courier step by step: a file, its columns, its words, a look, and the profile.

The answers are kept under an address until the profile is saved. The file is read by the
process that reads all files, with the engine of ``shipdrop map``.
"""

import re
import secrets
import threading
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace
from pydantic import Field

from pipeline.core.draft import ProfileDraft, RoleChoices, Sample, SeenColumn
from pipeline.core.errors import DropRefused, ReaderDied
from pipeline.core.model import Drop, stamp
from pipeline.reading.drop_reader import poison
from pipeline.service.wiring import Site
from pipeline.storage.root_folders import place_of as place_of_file
from pipeline.validation.draft.role_guess import is_no_event
from pipeline.validation.missing_headers import NO_HEADINGS
from pipeline.web import staging
from pipeline.web.api_base import Answer, Text
from pipeline.web.caches import LruCache
from pipeline.web.context import NotPossible, NotThere, not_possible
from pipeline.web.state_files import place_of, read_json, write_json
from pipeline.web.teaching.profile_files import mark_of, source_of
from schemas.codes import Code
from schemas.courier import GENERIC
from schemas.normalise import fold, fold_header
from schemas.statuses import StatusMeaning
from schemas.vocabulary import Milestone, Role

NOTHING: Final = "nothing"
"""Chosen for a column that is not read, and says nothing about the order however it sounds."""
TEACHABLE: Final = frozenset(
    {Code.HEADER_NOT_FOUND, Code.WRONG_COLUMN, Code.ID_COLUMN_AMBIGUOUS, Code.TOO_MANY_REJECTS}
)
"""Codes of a refused file that a courier's profile may mend."""
MOST_WORDS: Final = 300
"""Different words of one file that can be taught together."""
_KEPT: Final = 32
_FIRST_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_NOT_A_NAME: Final = re.compile(r"[^a-z0-9]+")


class Teaching(Struct, frozen=True, kw_only=True):
    """The answers so far about a file, to make a courier's profile from.

    ``drop``, or ``check`` and ``place`` in it: where the file is. ``courier``: the profile that is
    to learn, "" for a new one called ``title`` and ``name``. ``sheet``,
    ``heading``: the sheet and the row of it that have the headings, "" and None where nobody chose.
    ``roles``: column → role, ``nothing`` or "" (not read); None
    where nobody chose. ``day_first``: role → the order of day and month. ``words``: the key of a
    status → its meaning. ``by``, ``days``: when its files are expected. ``base``: mark of the
    profile that it began with. ``version`` grows with every change, which ``who`` made ``at``.
    ``done``: where it led to, once it is saved.
    """

    id: str
    file: str
    drop: str = ""
    check: str = ""
    place: int = 0
    folder: str = ""
    courier: str = ""
    title: str = ""
    name: str = ""
    sheet: str = ""
    heading: int | None = None
    roles: Mapping[str, str] | None = None
    day_first: Mapping[str, bool] = field(default_factory=dict)
    nothing: tuple[str, ...] = ()
    parcels: str = ""
    file_names: tuple[str, ...] = ()
    words: Mapping[str, str] = field(default_factory=dict)
    by: str = ""
    days: tuple[str, ...] = ()
    base: str = ""
    version: int = 0
    who: str = ""
    at: str = ""
    done: str = ""

    @property
    def short(self) -> str:
        """Return the name of the profile."""
        return self.courier or self.name


class SaidWord(Answer):
    """A status as the file writes it, its rows and its meaning; empty: nobody said."""

    status: Text
    status_type: Text
    direction: Text
    rows: int
    means: str
    suggestion: str
    key: Text = Field(exclude=True)
    known: str = Field(exclude=True)
    """As the courier's profile has it."""
    by: str = Field(exclude=True)
    """Other couriers by which the suggestion is."""
    example: Text = Field(exclude=True)
    """The first row that has it."""

    @property
    def mark(self) -> str:
        """Return the name that the word has in a form."""
        return sha256(self.key.encode("utf-8", "replace")).hexdigest()[:12]

    @property
    def beside(self) -> str:
        """Return the type and direction that it stands beside."""
        return ", ".join(filter(None, (self.status_type, self.direction)))


class Teachings:
    """The teachings of one root. Safe from several threads."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._drafts = LruCache[tuple[object, ...], ProfileDraft](_KEPT)

    def start(
        self, *, drop: str = "", check: str = "", place: int = 0, courier: str = "", who: str = ""
    ) -> Teaching:
        """Begin with a file, or continue a teaching that was begun with it.

        Raises NotThere, NotPossible, StorageError.
        """
        if courier and (courier == GENERIC or courier not in self._site.profiles):
            raise NotThere("There is no courier of that name that could be taught.")
        if drop:
            closed = self._drop(drop)
            file, folder = closed.source_file, closed.folder
        else:
            file, folder = self._of_check(check, place)
        with self._lock:
            for begun in self._all():
                same = (begun.drop, begun.check, begun.place) == (drop, check, place)
                if same and not begun.done and (not courier or begun.courier == courier):
                    return begun
            known = folder in self._site.profiles and folder != GENERIC
            guessed = courier or (folder if known else "")
            title = "" if guessed else _title_of(folder or file)
            made = Teaching(
                id=secrets.token_hex(8),
                file=file,
                drop=drop,
                check=check,
                place=place,
                folder=folder,
                courier=guessed,
                title=title,
                name=name_of(title) if title else "",
                file_names=() if guessed else patterns_of(file),
                base=self._base(guessed),
                who=who[:100],
                at=stamp(self._site.clock.now()),
            )
            self._keep(made)
        return made

    def get(self, teaching: str) -> Teaching:
        """Return the answers so far. Raises NotThere."""
        found = read_json(self._card(teaching), Teaching) if teaching.isalnum() else None
        if found is None:
            raise NotThere("There is nothing under this address.")
        return found

    def change(self, teaching: str, version: int, who: str, **values: Any) -> Teaching:  # noqa: ANN401 - as Teaching has them
        """Keep an answer. Raises NotThere; NotPossible where another user was faster."""
        with self._lock:
            now = self.get(teaching)
            if now.done:
                raise NotPossible("This was saved already.", hint="The courier's page shows it.")
            if now.version != version:
                at = self._clock(now.at)
                raise NotPossible(
                    f"{now.who or 'Somebody else'} changed this at {at}.",
                    hint="Load the page again to see it, then say what is to be different.",
                )
            if "courier" in values and values["courier"] != now.courier:
                values["base"] = self._base(values["courier"])
            made = replace(
                now,
                **values,
                version=version + 1,
                who=who[:100],
                at=stamp(self._site.clock.now()),
            )
            self._keep(made)
        return made

    def end(self, teaching: Teaching, target: str) -> None:
        """Note the page that a finished teaching leads to. Raises StorageError."""
        with self._lock:
            self._keep(replace(self.get(teaching.id), done=target))

    def _clock(self, at: str) -> str:
        return f"{datetime.fromisoformat(at).astimezone(self._site.zone):%H:%M}"

    # -- the file ----------------------------------------------------------------------------

    def path(self, teaching: Teaching) -> Path:
        """Return where the file lies. Raises NotThere."""
        if teaching.drop:
            path = self._site.folders.kept(place_of_file(self._drop(teaching.drop)))
        else:
            kept = staging.staged(self._site, teaching.check)
            path = kept.paths(self._site)[teaching.place]
        if path.is_symlink() or not path.is_file():
            raise NotThere("The file is not kept any more.", hint="Upload it again.")
        return path

    def surveyed(self, teaching: Teaching) -> ProfileDraft:
        """Return the file as it looks, with the roles that its columns probably have."""
        return self._draft(teaching, RoleChoices(sheet=teaching.sheet, heading=teaching.heading))

    def read(self, teaching: Teaching) -> ProfileDraft:
        """Return the file as it is read by the answers; its words are the statuses."""
        return self._draft(teaching, self.said(teaching))

    def said(self, teaching: Teaching) -> RoleChoices:
        """Return the answers in the form of the engine."""
        seen = self.surveyed(teaching).seen
        roles = self.roles(teaching)
        columns = {Role(role): seen[at].heading for at, role in roles.items() if role != NOTHING}
        nothing = [seen[at].heading for at, role in roles.items() if role == NOTHING]
        return RoleChoices(
            columns=columns,
            none=frozenset(Role) - columns.keys(),
            sheet=teaching.sheet,
            heading=teaching.heading,
            means=teaching.words,
            day_first={
                Role(role): first
                for role, first in teaching.day_first.items()
                if Role(role) in columns
            },
            nothing=tuple(dict.fromkeys([*nothing, *teaching.nothing])),
            parcels=teaching.parcels,
            file_names=teaching.file_names,
            by=teaching.by,
            days=teaching.days,
        )

    def roles(self, teaching: Teaching) -> dict[int, str]:
        """Return column → role, chosen or guessed."""
        draft = self.surveyed(teaching)
        if teaching.roles is not None:
            chosen = {int(at): role for at, role in teaching.roles.items() if role}
            return {at: role for at, role in chosen.items() if at < len(draft.seen)}
        found: dict[int, str] = {}
        profile = self._site.profiles.get(teaching.courier)
        headings = [fold_header(column.heading) for column in draft.seen]
        for role, known in profile.headers.items() if profile else ():
            at = next((headings.index(each) for each in known if each in headings), None)
            if at is not None and at not in found:
                found[at] = role.value
        for column in draft.columns:
            at = headings.index(fold_header(column.column))
            if at not in found and column.role not in found.values():
                found[at] = column.role
        return {**found, **_by_cells(draft, found)}

    def faults(self, teaching: Teaching) -> list[str]:
        """Return the faults of the chosen columns, in sentences."""
        roles, seen = self.roles(teaching), self.surveyed(teaching).seen
        found = []
        if not teaching.short:
            found.append("Give the new courier a name.")
        for role, words in ((Role.ORDER_ID, "order id"), (Role.STATUS, "status")):
            if role.value not in roles.values():
                found.append(f"Choose the column of the {words}: without it nothing can be sent.")
        for chosen in dict.fromkeys(roles.values()):
            named = [seen[at].heading for at, each in roles.items() if each == chosen]
            if chosen != NOTHING and len(named) > 1:
                several = " and ".join(f'"{heading[:60]}"' for heading in named)
                found.append(f"{several} are chosen for one thing. Keep one of them.")
        headings = [fold_header(seen[at].heading) for at, each in roles.items() if each != NOTHING]
        if len(set(headings)) < len(headings) and not found:
            found.append("Two of the chosen columns have the same heading: only one can be read.")
        return found

    def known(self, teaching: Teaching, draft: ProfileDraft) -> dict[str, str]:
        """Return the meanings that the courier's profile has already: key → meaning."""
        profile = self._site.profiles.get(teaching.courier)
        if profile is None:
            return {}
        found = {}
        for each in draft.statuses:
            ruling = profile.statuses.rule(
                each.status,
                status_type=each.status_type,
                direction=profile.direction(each.direction),
            )
            word = _word_of(ruling.meaning, ruling.milestone)
            if word:
                found[each.key] = word
        return found

    def words(self, teaching: Teaching) -> list[SaidWord]:
        """Return the status words of the file as it is read by the answers."""
        draft = self.read(teaching)
        known = self.known(teaching, draft)
        return [
            SaidWord(
                key=each.key,
                status=each.status,
                status_type=each.status_type,
                direction=each.direction,
                rows=each.rows,
                means=teaching.words.get(each.key) or known.get(each.key, ""),
                known=known.get(each.key, ""),
                suggestion=each.suggestion or each.elsewhere or "",
                by="" if each.suggestion else each.elsewhere_by,
                example=" · ".join(cell for cell in each.example if cell.strip())[:300],
            )
            for each in draft.statuses
        ]

    def _draft(self, teaching: Teaching, said: RoleChoices) -> ProfileDraft:
        path = self.path(teaching)
        status = path.stat()
        name, title = teaching.short or "new", teaching.title or teaching.short or "New"
        key = (
            str(path),
            status.st_mtime_ns,
            status.st_size,
            name,
            title,
            msgspec.json.encode(said),
        )
        if kept := self._drafts.get(key):
            return kept
        sample = Sample(path=path, name=name, title=title, choices=said)
        try:
            with not_possible():
                made = self._site.readers.draft(sample)
        except ReaderDied:
            raise _cannot_be_read(poison()) from None
        except DropRefused as refusal:
            raise _cannot_be_read(refusal) from refusal
        return self._drafts.put(key, made)

    # -- on disk -------------------------------------------------------------------------------

    def _card(self, teaching: str) -> Path:
        return place_of(self._site.root) / "teaching" / teaching / "card.json"

    def _keep(self, teaching: Teaching) -> None:
        write_json(self._card(teaching.id), teaching)

    def _all(self) -> list[Teaching]:
        cards = self._card("any").parent.parent.glob("*/card.json")
        return [found for card in cards if (found := read_json(card, Teaching))]

    def _drop(self, drop_id: str) -> Drop:
        found = self._site.ledger.find(drop_id)
        if found is None or not found.state.closed:
            raise NotThere("There is no such file that could be taught from.")
        return found

    def _of_check(self, check: str, place: int) -> tuple[str, str]:
        kept = staging.staged(self._site, check)
        if not 0 <= place < len(kept.names):
            raise NotThere("There is no such file in this check.")
        return kept.names[place], kept.courier_of(place)

    def _base(self, courier: str) -> str:
        return mark_of(source_of(self._site, courier)[1]) if courier else ""


def _by_cells(draft: ProfileDraft, taken: Mapping[int, str]) -> dict[int, str]:
    """Offer the only column of AWBs, and the only one of dates, whatever their headings."""
    found = {}
    free = [(at, each) for at, each in enumerate(draft.seen) if at not in taken and each.heading]
    for role, shape in ((Role.AWB, "awb"), (Role.EVENT_TIME, "date")):
        like = [
            at
            for at, each in free
            if each.filled
            and each.looks.get(shape) == each.filled
            and not (is_no_event(each.heading) if shape == "date" else _repeats(each))
        ]
        if len(like) == 1 and role.value not in taken.values():
            found[like[0]] = role.value
    return found


def _repeats(column: SeenColumn) -> bool:
    return column.distinct is not None and column.distinct < 0.9 * column.filled


def can_be_taught(refused: Mapping[str, str]) -> bool:
    """Return whether a profile may fix why a file was refused; none fixes missing headings."""
    return refused["code"] in TEACHABLE and NO_HEADINGS not in refused["message"]


def name_of(title: str) -> str:
    """Return the short name of a new courier, made from its name."""
    plain = _NOT_A_NAME.sub("-", fold(title)).strip("-")[:40].strip("-")
    return plain or f"courier-{sha256(title.encode()).hexdigest()[:6]}"


def patterns_of(file: str) -> tuple[str, ...]:
    """Return the common beginning of the names of files like this one; "" if it is no word."""
    word = re.match(r"[^\W\d_]{3,}", file.rpartition(".")[0] or file)
    return (f"{word[0].casefold()}*",) if word else ()


def _title_of(text: str) -> str:
    found = _FIRST_WORD.search(text.rpartition(".")[0] or text)
    return found[0].capitalize() if found else ""


def _word_of(meaning: StatusMeaning, milestone: int) -> str:
    if meaning is StatusMeaning.MILESTONE:
        return Milestone(milestone).wire
    return {StatusMeaning.NO_MILESTONE: "no_milestone", StatusMeaning.AMBIGUOUS: "ambiguous"}.get(
        meaning, ""
    )


def _cannot_be_read(refusal: DropRefused) -> NotPossible:
    return NotPossible(f"This file cannot be read. {refusal.message}", hint=refusal.hint)
