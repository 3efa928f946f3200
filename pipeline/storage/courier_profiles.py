"""The courier profiles of a root: the built-in ones, overlaid by those in ``ROOT/couriers``.

They are read again when a file there changes, so that a running service uses newly taught
words. A change that cannot be understood is logged and ignored: the service goes on with the old
profile.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import structlog

from pipeline.core.errors import SettingsError, StorageError
from pipeline.storage.durable_files import storing
from schemas.courier import Profile
from schemas.profile import builtin_profiles, load_profile
from schemas.toml_reader import ProfileError

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 1.0

OwnProfiles = tuple[tuple[str, str], ...]

_Marks = tuple[tuple[str, int, int], ...]


class LiveProfiles(Mapping[str, Profile]):
    """Name → profile. Safe from several threads. Raises SettingsError when it is made, only.

    ``fault``: the message of a change that cannot be read, "" where all is read.
    """

    def __init__(
        self, folder: Path, *, monotonic: Callable[[], float], forgiving: bool = False
    ) -> None:
        """Take ROOT/couriers, which need not exist.

        ``forgiving``: leave out a profile that cannot be read, with a ``fault``, and do not raise.
        """
        self._folder = folder
        self._monotonic = monotonic
        self.fault = ""
        self._marks = self._look()
        try:
            self._own, self._known = self._read()
        except SettingsError as error:
            if not forgiving:
                raise
            self.fault = error.message
            self._own = _readable(folder)
            self._known = {**builtin_profiles(), **_by_name(self._own)}
        self._due = monotonic() + _LOOK_SECONDS

    def __getitem__(self, name: str) -> Profile:
        """Return the profile of this name."""
        return self._fresh()[name]

    def __iter__(self) -> Iterator[str]:
        """Yield their names, ``generic`` first."""
        return iter(self._fresh())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._fresh())

    def own(self) -> OwnProfiles:
        """Return the root's own, as (path, text), for the process that reads.

        Looked at anew: a file dropped right after its profile was saved is read by it.
        """
        self.refresh()
        self._fresh()
        return self._own

    def refresh(self) -> None:
        """Read them again at once: one was just written."""
        self._due = float("-inf")

    def _fresh(self) -> Mapping[str, Profile]:
        now = self._monotonic()
        if now >= self._due:
            self._due = now + _LOOK_SECONDS
            try:
                marks = self._look()
                if marks != self._marks:
                    self._marks = marks
                    self._own, self._known = self._read()
                    self.fault = ""
                    log.info("profiles.read_again", couriers=len(self._known))
            except (SettingsError, StorageError) as error:
                self.fault = error.message
                log.warning("profiles.not_read", reason=error.message)
        return self._known

    def _look(self) -> _Marks:
        with storing("look at", self._folder):
            found = []
            for path in profile_files(self._folder):
                status = path.stat()
                found.append((path.name, status.st_mtime_ns, status.st_size))
            return tuple(found)

    def _read(self) -> tuple[OwnProfiles, Mapping[str, Profile]]:
        own = tuple((str(path), text_of(path)) for path in profile_files(self._folder))
        return own, {**builtin_profiles(), **_by_name(own)}


def read_profile(text: str, *, origin: str) -> Profile:
    """Read a profile from TOML; ``origin`` names its file in messages. Raises SettingsError."""
    try:
        return load_profile(text, origin=origin)
    except ProfileError as error:
        raise SettingsError(error.message, hint=error.hint) from error


def profile_files(folder: Path) -> list[Path]:
    """Return the profiles in ``ROOT/couriers``, by name.

    Not names that begin with a dot: temporary files, and what macOS leaves beside a file
    (``._acme.toml``).
    """
    return sorted(folder.glob("[!.]*.toml"))


def text_of(path: Path) -> str:
    """Return a profile's text. Raises SettingsError."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SettingsError(
            f"{path} cannot be read: {reason}.", hint="Mend the file, or take it away."
        ) from error


def _readable(folder: Path) -> OwnProfiles:
    """Return a user's profiles but for those with an error."""
    found: OwnProfiles = ()
    for path in profile_files(folder):
        with suppress(SettingsError):
            more = (*found, (str(path), text_of(path)))
            _by_name(more)
            found = more
    return found


def _by_name(own: OwnProfiles) -> Mapping[str, Profile]:
    """Return the profiles a user keeps, by name. Raises SettingsError."""
    profiles: dict[str, Profile] = {}
    origins: dict[str, str] = {}
    for origin, text in own:
        profile = read_profile(text, origin=origin)
        if profile.name in origins:
            raise SettingsError(
                f'{origin}: "name" is "{profile.name}", as in {Path(origins[profile.name]).name}.',
                hint="Give one of the two another name.",
            )
        profiles[profile.name], origins[profile.name] = profile, origin
    return profiles
