"""A wrong setting in our own words: key, value, what is allowed, and where it was given."""

import os
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from msgspec import Struct
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from pipeline.core.errors import SettingsError
from schemas.display import quoted, shown
from schemas.likeness import did_you_mean
from schemas.toml_reader import line_of


class Given(Struct, frozen=True, kw_only=True):
    """What the settings were read from. ``text``, ``values``: the file's, as text and parsed.

    ``flags``: nested, as given on the command line. ``secrets``: the folder of secret files.
    """

    path: Path
    text: str
    values: Mapping[str, Any]
    flags: Mapping[str, Any]
    secrets: str | None


def known_keys(settings: type[BaseModel]) -> dict[str, dict[str, FieldInfo]]:
    """Section → key → field."""
    return {
        name: dict(field.annotation.model_fields)
        for name, field in settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


def explain(
    error: ValidationError, settings: type[BaseModel], given: Given, *, env_prefix: str
) -> SettingsError:
    """Put the first fault into words. A value that may be a secret is left out."""
    sections = known_keys(settings)
    fault = error.errors(include_url=False)[0]
    where = [str(part) for part in fault["loc"]][:2]
    key = ".".join(where)
    place = _place(where, given, env_prefix)
    if fault["type"] == "extra_forbidden":
        known = [*sections.get(where[0], sections)] if len(where) > 1 else [*sections]
        return SettingsError(
            f'{place}: "{key}" is not a setting.', hint=did_you_mean(where[-1], known)
        )
    if len(where) < 2:
        return SettingsError(f'{place}: "{key}" must be a table, written as [{key}].')
    field = sections[where[0]][where[1]]
    allowed = (
        fault["msg"].removeprefix("Value error, must ")
        if fault["type"] == "value_error"
        else f"be {_allowed(field)}"
    )
    return SettingsError(
        f'{place}: "{key}" {_value(field, where[1], fault["input"])}, and must {allowed}.'
    )


def _place(where: list[str], given: Given, env_prefix: str) -> str:
    """Where the value that counts was given: the first of flag, variable, secret file, file."""
    if _held(given.flags, where):
        return "On the command line"
    variable = f"{env_prefix}{'__'.join(where)}".upper()
    name = next((each for each in os.environ if each.upper() == variable), None)
    if name is not None:
        return f"Environment variable {name}"
    if given.secrets and not _held(given.values, where):
        return f"Secret file {Path(given.secrets) / '__'.join(where)}"
    *table, key = where
    line = line_of(given.text, ".".join(table), key)
    return f"{given.path}, line {line}" if line else str(given.path)


def _held(values: Mapping[str, Any], where: list[str]) -> bool:
    found: object = values
    for part in where:
        if not isinstance(found, Mapping) or part not in found:
            return False
        found = found[part]
    return True


def _value(field: FieldInfo, key: str, value: object) -> str:
    """``is "x"``; a secret, or an address that may hold one, is not shown."""
    if SecretStr in (field.annotation, *get_args(field.annotation)):
        return "is wrong"
    if isinstance(value, str) and "@" in value and key in {"base_url", "url"}:
        return "is wrong"
    if isinstance(value, bool):
        return f"is {str(value).lower()}"
    return f"is {quoted(value) if isinstance(value, str) else shown(value)}"


class _Kind(Enum):
    """What a value of a type is called."""

    WHOLE = "a whole number"
    NUMBER = "a number"
    FLAG = "true or false"
    TEXT = "a text in quotes"
    PATH = "a path in quotes"


_KINDS: Mapping[type, _Kind] = {
    bool: _Kind.FLAG,
    int: _Kind.WHOLE,
    float: _Kind.NUMBER,
    Path: _Kind.PATH,
}


def _allowed(field: FieldInfo) -> str:
    """What a field takes, from its type and its bounds."""
    kind = field.annotation
    if get_origin(kind) is Literal:
        return " or ".join(f'"{choice}"' for choice in get_args(kind))
    plain = next((each for each in (kind, *get_args(kind)) if each in _KINDS), str)
    words = _KINDS.get(plain, _Kind.TEXT).value
    low = _bound(field, "ge")
    above = _bound(field, "gt")
    high = _bound(field, "le")
    if low is not None and high is not None:
        return f"{words} from {low:g} to {high:g}"
    if low is not None:
        return f"{words} of at least {low:g}"
    if above is not None:
        return f"{words} above {above:g}"
    return words


def _bound(field: FieldInfo, name: str) -> float | None:
    """A bound of the field itself, or of the type it was annotated with."""
    for each in field.metadata:
        for part in (each, *getattr(each, "metadata", ())):
            bound = getattr(part, name, None)
            if bound is not None:
                return float(bound)
    return None
