"""A wrong setting in our own words: key, value, what is allowed, and where it was given."""

import json
import os
from collections.abc import Iterator, Mapping
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

_EXAMPLES: Mapping[object, str] = {tuple: '["…"]', Mapping: '{"…": {…}}'}


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
    parts = [str(part) for part in fault["loc"]]
    where, fields = parts[:2], sections.get(parts[0], {})
    inner = _model_in(fields.get(parts[1])) if len(parts) > 2 else None
    if inner is not None:
        where, fields = parts[:4], dict(inner.model_fields)
    key = ".".join(where)
    place = _place(where, given, env_prefix)
    if fault["type"] == "extra_forbidden":
        hint = did_you_mean(where[-1], [*(fields or sections)])
        return SettingsError(f'{place}: "{key}" is not a setting.', hint=hint)
    if len(where) in {1, 3}:
        return SettingsError(f'{place}: "{key}" must be a table, written as [{key}].')
    field = fields[where[-1]]
    allowed = (
        fault["msg"].removeprefix("Value error, must ")
        if fault["type"] == "value_error"
        else _allowed(field)
    )
    return SettingsError(
        f'{place}: "{key}" {_value(field, where[-1], fault["input"])}, and must {allowed}.'
    )


def explain_text(settings: type[BaseModel], given: Given, *, env_prefix: str) -> SettingsError:
    """Put into words that a list or a table, given as text, is no JSON; the text is left out."""
    for where, example, text in _texts(settings, given, env_prefix):
        try:
            json.loads(text)
        except ValueError:
            place = _place(where, given, env_prefix)
            return SettingsError(
                f'{place}: "{".".join(where)}" must be JSON there, such as {example}.'
            )
    return SettingsError("A setting that is a list or a table is no JSON.")


def _texts(
    settings: type[BaseModel], given: Given, env_prefix: str
) -> Iterator[tuple[list[str], str, str]]:
    """Yield each list or table that was given as text: its key, an example, the text."""
    environ = {name.upper(): text for name, text in os.environ.items()}
    for section, fields in known_keys(settings).items():
        for key, field in fields.items():
            name = f"{section}__{key}"
            example = _EXAMPLES.get(get_origin(field.annotation))
            file = Path(given.secrets or "", name)
            if example is None:
                continue
            if text := environ.get(f"{env_prefix}{name}".upper()):
                yield [section, key], example, text
            elif given.secrets and file.is_file():
                yield [section, key], example, file.read_text("utf-8", "replace")


def _model_in(field: FieldInfo | None) -> type[BaseModel] | None:
    """Return the model of a table's tables, None for any other field."""
    parts = get_args(field.annotation) if field else ()
    return next(
        (each for each in parts if isinstance(each, type) and issubclass(each, BaseModel)), None
    )


def _place(where: list[str], given: Given, env_prefix: str) -> str:
    """Where the value that counts was given: the first of flag, variable, secret file, file."""
    if _held(given.flags, where):
        return "On the command line"
    variable = f"{env_prefix}{'__'.join(where[:2])}".upper()
    name = next((each for each in os.environ if each.upper() == variable), None)
    if name is not None:
        return f"Environment variable {name}"
    if given.secrets and not _held(given.values, where):
        return f"Secret file {Path(given.secrets) / '__'.join(where[:2])}"
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
    if SecretStr in (field.annotation, *get_args(field.annotation)) or _model_in(field):
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
    """Say what a field must be, from its type and its bounds."""
    kind = field.annotation
    if get_origin(kind) is Literal:
        return "be " + " or ".join(f'"{choice}"' for choice in get_args(kind))
    if example := _EXAMPLES.get(get_origin(kind)):
        return f"look like {example}"
    plain = next((each for each in (kind, *get_args(kind)) if each in _KINDS), str)
    words = f"be {_KINDS.get(plain, _Kind.TEXT).value}"
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
