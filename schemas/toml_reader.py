"""Strict reading of TOML: every key is known, every value has its type, every fault its place."""

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from schemas.similarity import did_you_mean


class ProfileError(ValueError):
    """A courier's profile cannot be read.

    ``message`` names file, line and key and says why, ``hint`` what to do.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


_LINE = re.compile(r"at line (\d+)")


class Section:
    """One table of a TOML document. Take the known keys, then ``done()`` refuses the rest.

    Each ``take`` removes its key and raises ``ProfileError`` with the file, the line (best
    effort) and the dotted key when the value has the wrong type.
    """

    def __init__(self, data: Mapping[str, Any], *, text: str, origin: str, path: str = "") -> None:
        self._left = dict(data)
        self._known: list[str] = []
        self._text = text
        self.origin = origin
        self.path = path

    def text(self, key: str, default: str = "") -> str:
        """Take a string."""
        value: str = self._typed(key, str, "a text in quotes", default)
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Take true or false."""
        value: bool = self._typed(key, bool, "true or false", default)
        return value

    def flag_or(self, key: str, word: str, *, default: bool) -> bool | None:
        """Take true or false, or the one word that stands for neither: None."""
        if self._left.get(key) == word:
            self._typed(key, str, "", "")
            return None
        value: bool = self._typed(key, bool, f'true, false or "{word}"', default)
        return value

    def count(self, key: str, default: int) -> int:
        """Take a positive whole number."""
        value: int = self._typed(key, int, "a whole number", default)
        if isinstance(value, bool) or value < 1:
            raise self.error(key, "must be a whole number of at least 1")
        return value

    def whole(self, key: str) -> int:
        """Take a whole number of at least 0."""
        value: int = self._typed(key, int, "a whole number", None)
        if isinstance(value, bool) or value < 0:
            raise self.error(key, "must be a whole number of at least 0")
        return value

    def texts(self, key: str) -> tuple[str, ...] | None:
        """Take a list of strings, or None when the key is not there."""
        value = self._typed(key, list, "a list of texts", None)
        if value is None:
            return None
        if not all(isinstance(entry, str) for entry in value):
            raise self.error(key, "must be a list of texts in quotes")
        if not all(entry.strip() for entry in value):
            raise self.error(key, "has an empty text in its list", hint="Delete it.")
        return tuple(value)

    def peek(self, key: str) -> tuple[str, ...]:
        """Return the texts of a list that will be taken later; empty if it is missing or no
        list.
        """
        value = self._left.get(key)
        return tuple(each for each in value or () if isinstance(each, str))

    def peek_table(self, key: str, entry: str) -> bool:
        """Return whether a table that will be taken later has an entry."""
        value = self._left.get(key)
        return isinstance(value, dict) and entry in value

    def holds(self, key: str) -> bool:
        """Return whether a key is there and has not been taken yet."""
        return key in self._left

    def section(self, key: str) -> "Section":
        """Take a table; an empty one when the key is not there."""
        value = self._typed(key, dict, f"a table [{self._dotted(key)}]", {})
        return Section(value, text=self._text, origin=self.origin, path=self._dotted(key))

    def keys(self) -> tuple[str, ...]:
        """Return the keys that have not been taken yet."""
        return tuple(self._left)

    def done(self, why: str = "is not a known key") -> None:
        """Refuse keys that nobody took, with the reason ``why``."""
        for key, value in self._left.items():
            raise self.error(
                key,
                "is not a known key" if isinstance(value, dict) else why,
                hint=did_you_mean(key, self._known),
            )

    def error(
        self, key: str, why: str, *, hint: str = "", value: str | None = None
    ) -> ProfileError:
        """Build the error that names file, line and key; the line of ``value`` in a long list."""
        line = self._line(key, value)
        place = f"{self.origin}, line {line}" if line else self.origin
        return ProfileError(f'{place}: "{self._dotted(key)}" {why}.', hint=hint)

    def _typed(self, key: str, kind: type, wanted: str, default: Any) -> Any:  # noqa: ANN401 - TOML
        self._known.append(key)
        value = self._left.pop(key, default)
        if value is not default and not isinstance(value, kind):
            raise self.error(key, f"must be {wanted}")
        return value

    def _dotted(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def _line(self, key: str, value: str | None = None) -> int | None:
        return line_of(self._text, self.path, key, value)


def line_of(text: str, table: str, key: str, value: str | None = None) -> int | None:
    """Find the line of a key in TOML text, below its table's heading when there is one.

    Of a list over several lines, the one that holds ``value``. Best effort; None when not found.
    """
    lines = text.splitlines()
    start = 0
    if table:
        heading = re.compile(rf"\s*\[\s*{re.escape(table)}\s*\]")
        start = next((at for at, line in enumerate(lines) if heading.match(line)), 0)
    entry = re.compile(rf"""\s*(\[.*)?["']?{re.escape(key)}["']?\s*[=\].]""")
    at = next((at for at in range(start, len(lines)) if entry.match(lines[at])), None)
    if at is None:
        return None
    if value is not None:
        written = (f'"{value}"', f"'{value}'")
        within = range(at, len(lines))
        at = next((n for n in within if any(each in lines[n] for each in written)), at)
    return at + 1


def parse(text: str, *, origin: str) -> Section:
    """Parse TOML text; ``ProfileError`` with the line when it is not TOML."""
    try:
        return Section(tomllib.loads(text), text=text, origin=origin)
    except tomllib.TOMLDecodeError as error:
        raise no_toml(error, text, origin=origin) from error


def no_toml(error: tomllib.TOMLDecodeError, text: str, *, origin: str) -> ProfileError:
    """Build the error of a file that is not TOML: file, line, and the parser's reason."""
    said, _, _ = str(error).partition(" (at ")
    line = _LINE.search(str(error))
    number = line.group(1) if line else str(len(text.splitlines()))  # "at end of document"
    return ProfileError(
        f"{origin}, line {number}: this is not valid TOML: {said}.",
        hint='Texts need quotes (key = "text"), lists brackets (key = ["a", "b"]).',
    )
