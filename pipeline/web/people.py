"""The people who may use the page: those of the settings, and those that a manager added.

The latter are in ``state/web/people.json`` with the history of what was changed; it is written as a
whole, under a lock that all machines of a root share, and read again when it changed. Users named
in the settings are shown, and can only be changed there.
"""

import fcntl
import hashlib
import os
import re
import threading
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
import structlog
from msgspec import Struct, field
from msgspec.structs import replace

from pipeline.core.clock import Clock
from pipeline.core.errors import SettingsError, ShipdropError
from pipeline.core.model import stamp
from pipeline.service.settings import WebSettings, WebUser
from pipeline.storage.durable_files import make_directory, storing, sync_directory, write_synced
from pipeline.web.access import Right, User
from pipeline.web.passwords import hash_password, password_fits, password_problem
from pipeline.web.state_files import place_of

log = structlog.get_logger(__name__)

_NAME: Final = re.compile(r"[^\W_][\w.@+ -]{0,58}[\w.@+-]|[^\W_]")
_OWNER_ONLY: Final = 0o600
_SEEN_SECONDS: Final = 60.0
_CHANGES: Final = 2_000
"""Changes that the history keeps, the newest ones."""


KEPT: Final = "This person is kept by your administrator, in the settings, and is not changed here."
ROLES: Final[Mapping[Right, str]] = {
    Right.LOOK: "Read-only",
    Right.OPERATE: "Operator",
    Right.MANAGE: "Manager",
}


class NotChanged(ShipdropError):
    """Raised for a change of people that cannot be made: nothing was changed."""


class NobodyThere(NotChanged):
    """There is nobody of that name."""


class WrongPassword(NotChanged):
    """The current password, which has to be given with a new one, does not fit."""


class Change(Struct, frozen=True, kw_only=True):
    """A change of who may do what: who made it (``by``, "" where nobody logs in), and to whom.

    ``at``: UTC, ISO 8601.
    """

    at: str
    by: str
    name: str
    did: str


class _Book(Struct, frozen=True, kw_only=True):
    people: tuple[User, ...] = ()
    changes: tuple[Change, ...] = ()


class _Changing(Struct, kw_only=True):
    """The list while it is changed: people by name, and what was done, in words."""

    people: dict[str, User]
    did: list[str] = field(default_factory=list)


class _Read(Struct, frozen=True, kw_only=True):
    """The list as a thread read it: replaced as a whole, since others may read at the same time."""

    identity: tuple[int, ...] | None
    book: _Book
    users: Mapping[str, User]


class People:
    """Knows the users of a root's page. Safe from several threads and machines."""

    def __init__(self, root: Path, web: WebSettings, clock: Clock) -> None:
        """Read the list. Raises SettingsError where it cannot be read."""
        self._path = place_of(root) / "people.json"
        self._clock = clock
        self._kept = {name: _kept(name, user) for name, user in web.users.items()}
        self._lock = threading.Lock()
        self._read = _Read(identity=None, book=_Book(), users=self._kept)
        self._seen_at: dict[str, float] = {}
        if self._path.exists():
            try:
                with self._path.open("rb") as file:
                    self._take_over(_identity(file.fileno()), _decoded(file.read()))
            except (OSError, msgspec.MsgspecError) as error:
                raise SettingsError(
                    f"The list of people {self._path} cannot be read, so nobody could log in.",
                    hint="Put a backup in its place, or take it away: then those of web.users "
                    "alone may log in.",
                ) from error

    def users(self) -> Mapping[str, User]:
        """Return everybody by name, as it stands now; whoever is switched off, too."""
        return self._look().users

    def everybody(self) -> list[User]:
        """List everybody for managers, by name."""
        return sorted(self.users().values(), key=lambda each: each.name.casefold())

    def changes(self) -> list[Change]:
        """List the changes, the newest first."""
        return list(reversed(self._look().book.changes))

    def is_kept(self, name: str) -> bool:
        """Return whether somebody is named in the settings."""
        return name in self._kept

    def saw(self, name: str) -> None:
        """Note the visit of a user. Nothing fails where that cannot be kept."""
        now = self._clock.monotonic()
        with self._lock:
            if not name or now - self._seen_at.get(name, -_SEEN_SECONDS) < _SEEN_SECONDS:
                return
            self._seen_at[name] = now
        path, at = self._seen_path(name), self._clock.now().timestamp()
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.utime(path, (at, at))

    def add(self, by: str, name: str, role: Right, password: str) -> None:
        """Add somebody, who has to choose another password after the first log-in.

        Asked for twice it is done once. Raises NotChanged, StorageError.
        """
        name = unicodedata.normalize("NFC", name.strip())
        if not _NAME.fullmatch(name):
            raise NotChanged(
                "A name begins with a letter or a digit, and has up to 60 letters, digits, spaces "
                "or any of . - + @ _ in it."
            )
        _check_password(password, name)
        stored = hash_password(password)
        made = User(name=name, right=role, password=stored, must_choose=bool(by))
        with self._changing(by, name) as now:
            there = {each.casefold(): each for each in self._with(now.people)}
            if same := there.get(name.casefold()):
                known = now.people.get(name)
                if known and known.right is role and password_fits(password, known.password):
                    return  # the second click on a button
                raise NotChanged(f"There is somebody called {same} already.")
            if not there and role is not Right.MANAGE:
                raise NotChanged(
                    "The first person has to be a manager, or nobody could add others."
                )
            now.people[name] = made
            now.did.append(f"added as {ROLES[role].lower()}")

    def change(
        self,
        by: str,
        name: str,
        *,
        role: Right | None = None,
        off: bool | None = None,
        password: str | None = None,
        version: int | None = None,
    ) -> None:
        """Change what is given of somebody; a new password or *off* ends their sessions.

        ``version``: as it was when ``by`` looked. Raises NotChanged, StorageError.
        """
        stored = ""
        if password is not None:
            _check_password(password, name)
            stored = hash_password(password)

        with self._changing(by, name) as now:
            person = before = self._person(now.people, name)
            if role not in {None, person.right}:
                person = replace(person, right=role)
                now.did.append(f"made {ROLES[person.right].lower()}")
            if off not in {None, person.off}:
                person = replace(person, off=off)
                now.did.append("switched off" if off else "switched on")
            if password is not None and not password_fits(password, person.password):
                person = replace(person, password=stored, must_choose=by != name)
                now.did.append("given a new password")
            if now.did:
                _current(before, version)
                now.people[name] = replace(person, version=before.version + 1)

    def choose_password(self, name: str, old: str, new: str) -> None:
        """Change one's own password, by the one before; all sessions of it end.

        Raises NotChanged, StorageError.
        """
        user = self.users().get(name)
        if user is None or not password_fits(old, user.password):
            raise WrongPassword("The current password is wrong.")
        if self.is_kept(name):
            raise NotChanged(KEPT)
        _check_password(new, name)
        if new == old:
            raise NotChanged("This is the password you have. Choose another one.")
        stored = hash_password(new)
        with self._changing(name, name, own=True) as now:
            person = self._person(now.people, name)
            if person.password != user.password:
                raise NotChanged("Your password was changed a moment ago. Log in again.")
            version = person.version + 1
            now.people[name] = replace(person, password=stored, must_choose=False, version=version)
            now.did.append("chose a new password")

    def remove(self, by: str, name: str, version: int | None = None) -> None:
        """Take somebody off the list. Raises NotChanged, StorageError."""
        with self._changing(by, name) as now:
            _current(self._person(now.people, name), version)
            del now.people[name]
            now.did.append("removed")

    @contextmanager
    def _changing(self, by: str, name: str, *, own: bool = False) -> Iterator[_Changing]:
        """Yield the list to be changed, and write it, under its lock."""
        with self._alone():
            book = self._look().book
            before = {each.name: each for each in book.people}
            if not own and by and not self._may_manage(before, by):
                raise NotChanged("You are not a manager any more, so nothing was changed.")
            now = _Changing(people=before.copy())
            yield now
            if not now.did:
                return
            if not by and self._with(before):
                raise NotChanged(
                    "Somebody was added meanwhile, so nothing was changed.",
                    hint="From now on a manager logs in to say who may do what.",
                )
            if self._has_manager(before) and not self._has_manager(now.people):
                raise NotChanged(
                    f"{name} is the only manager who can log in, so nothing was changed.",
                    hint="Make somebody else a manager first.",
                )
            at = stamp(self._clock.now())
            notes = [Change(at=at, by=by, name=name, did=each) for each in now.did]
            changes = (*book.changes, *notes)[-_CHANGES:]
            self._write(_Book(people=tuple(now.people.values()), changes=changes))
        log.info("web.people_changed", user=by, person=name, did=now.did)

    def _may_manage(self, people: Mapping[str, User], name: str) -> bool:
        user = self._with(people).get(name)
        return user is not None and not user.off and user.right is Right.MANAGE

    def _has_manager(self, people: Mapping[str, User]) -> bool:
        """Return whether a manager can log in: without one, nobody could let anybody in."""
        users = self._with(people).values()
        return any(each.password and self._may_manage(people, each.name) for each in users)

    def _person(self, people: Mapping[str, User], name: str) -> User:
        if self.is_kept(name):
            raise NotChanged(KEPT)
        if name not in people:
            raise NobodyThere(
                "There is nobody of that name.", hint="Somebody else may have removed them."
            )
        return people[name]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        path = self._path.with_suffix(".lock")
        with storing("write", path):
            make_directory(path.parent)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _OWNER_ONLY)
        with os.fdopen(handle, "r+b") as file:
            with storing("lock", path):
                fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _look(self) -> _Read:
        """Return the list, read again where it changed. One that cannot be read changes nothing."""
        known = self._read
        try:
            with self._path.open(
                "rb"
            ) as file:  # opened, so that a network share gives the present state
                identity = _identity(file.fileno())
                if identity == known.identity:
                    return known
                data = file.read()
            return self._take_over(identity, _decoded(data))
        except FileNotFoundError:
            return known
        except OSError as error:
            log.warning("web.people_unreadable", reason=error.strerror)
        except msgspec.MsgspecError:
            # Logged once, and looked at again when it changes.
            self._read = known = replace(known, identity=identity)
            log.warning("web.people_unreadable", reason="it is not a list of people")
        return known

    def _take_over(self, identity: tuple[int, ...], book: _Book) -> _Read:
        users = self._with({each.name: each for each in book.people})
        self._read = read = _Read(identity=identity, book=book, users=users)
        return read

    def _write(self, book: _Book) -> None:
        temporary = self._path.with_name(f".{self._path.name}.tmp")
        with storing("write", self._path):
            write_synced(temporary, [msgspec.json.encode(book)], mode=_OWNER_ONLY)
            temporary.replace(self._path)
            sync_directory(self._path.parent)
        self._look()

    def _with(self, people: Mapping[str, User]) -> dict[str, User]:
        """Return everybody; the settings go before the list."""
        return {**people, **self._kept}

    def seen(self, name: str) -> datetime | None:
        """Return a user's last visit, None where unknown."""
        try:
            return datetime.fromtimestamp(self._seen_path(name).stat().st_mtime, UTC)
        except OSError:
            return None

    def _seen_path(self, name: str) -> Path:
        """Return the file whose modification time is a user's last visit; it stays empty."""
        return self._path.parent / "seen" / hashlib.sha256(name.encode()).hexdigest()[:32]


def _kept(name: str, user: WebUser) -> User:
    password, token = user.password_hash, user.token_hash
    return User(
        name=name,
        right=Right(user.role),
        password=password.get_secret_value() if password else "",
        token=token.get_secret_value() if token else "",
        kept=True,
        version=0,
    )


def _identity(handle: int) -> tuple[int, ...]:
    found = os.fstat(handle)
    return found.st_ino, found.st_size, found.st_mtime_ns


def _decoded(data: bytes) -> _Book:
    return msgspec.json.decode(data, type=_Book)


def _current(person: User, version: int | None) -> None:
    """Refuse a change of somebody who was changed since they were shown. Raises NotChanged."""
    if version is not None and version != person.version:
        raise NotChanged(
            f"{person.name} was changed meanwhile, so nothing was done.",
            hint="Look at the current entry, then decide.",
        )


def _check_password(password: str, name: str) -> None:
    if problem := password_problem(password, name):
        raise NotChanged(problem)
