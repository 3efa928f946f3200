"""Wrong settings in our own messages: key, value, what is allowed, and where each was given."""

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from msgspec import Struct
from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from pipeline.core.errors import SettingsError
from schemas.display import quoted, shown
from schemas.similarity import did_you_mean, nearest
from schemas.toml_reader import line_of

ENV_PREFIX = "SHIPDROP_"
_EXAMPLES: Mapping[object, str] = {tuple: '["…"]', Mapping: '{"…": {…}}'}
_SURELY = 80
"""The similarity at which a key of another section is suggested."""


class Given(Struct, frozen=True, kw_only=True):
    """The sources of the settings. ``text``, ``values``: the file's, as text and parsed.

    ``flags``: nested, as given on the command line. ``secrets``: the folder of secret files.
    """

    path: Path
    text: str
    values: Mapping[str, Any]
    flags: Mapping[str, Any]
    secrets: str | None


def known_keys(settings: type[BaseModel]) -> dict[str, dict[str, FieldInfo]]:
    """Return section → key → field."""
    return {
        name: dict(field.annotation.model_fields)
        for name, field in settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }


class Wrong(Struct, frozen=True, kw_only=True):
    """Hold one wrong setting: in a sentence, and what to do."""

    message: str
    hint: str = ""


def error_of(wrong: Sequence[Wrong]) -> SettingsError:
    """Return one error for all wrong settings: a sentence for one, a line each for several."""
    if len(wrong) == 1:
        return SettingsError(wrong[0].message, hint=wrong[0].hint)
    lines = (f"  {each.message} {each.hint}".rstrip() for each in wrong)
    return SettingsError("\n".join((f"{len(wrong)} settings are wrong:", *lines)))


def explain(error: ValidationError, settings: type[BaseModel], given: Given) -> list[Wrong]:
    """Put all faults into words. A value that may be a secret is left out."""
    return [
        _explained(fault, settings, given)
        for fault in error.errors(include_url=False)
        # A variable that is no setting is reported once, as such.
        if fault["type"] != "extra_forbidden" or not _by_variable(fault["loc"])
    ]


def wrong_kinds(settings: type[BaseModel], given: Given) -> list[Wrong]:
    """Put into words where the file has a text or true for a number, or another value for true.

    Variables and secret files are texts by their nature: only the file says of what kind it is.
    """
    wrong = []
    for section, fields in known_keys(settings).items():
        table = given.values.get(section)
        if not isinstance(table, Mapping):
            continue
        for key, field in fields.items():
            value, kinds = table.get(key), _kinds(field.annotation)
            is_number = not kinds.isdisjoint({int, float})
            place = _place([section, key], given)
            counts = key in table and place.startswith(str(given.path))
            if counts and (
                (is_number and isinstance(value, bool | str))
                or (bool in kinds and not isinstance(value, bool))
            ):
                said, must = _value(field, key, value), _allowed(field, of_list=False)
                wrong.append(Wrong(message=f'{place}: "{section}.{key}" {said}, and must {must}.'))
    return wrong


def explain_text(settings: type[BaseModel], given: Given) -> list[Wrong]:
    """Put into words that lists or tables, given as text, are no JSON; the text is left out."""
    wrong = []
    for where, example, text in _texts(settings, given):
        try:
            json.loads(text)
        except ValueError:
            place, key = _place(where, given), ".".join(where)
            words = f'{place}: "{key}" must be JSON there, such as {example}.'
            wrong.append(Wrong(message=words))
    return wrong or [Wrong(message="A setting that is a list or a table is not JSON.")]


def _texts(settings: type[BaseModel], given: Given) -> Iterator[tuple[list[str], str, str]]:
    """Yield each list or table that was given as text: its key, an example, the text."""
    environ = {name.upper(): text for name, text in os.environ.items()}
    for section, fields in known_keys(settings).items():
        for key, field in fields.items():
            name = f"{section}__{key}"
            example = _EXAMPLES.get(get_origin(field.annotation))
            file = Path(given.secrets or "", name)
            if example is None:
                continue
            if text := environ.get(f"{ENV_PREFIX}{name}".upper()):
                yield [section, key], example, text
            elif given.secrets and file.is_file():
                yield [section, key], example, file.read_text("utf-8", "replace")


def _by_variable(where: Sequence[object]) -> bool:
    variable = f"{ENV_PREFIX}{'__'.join(map(str, where))}".upper()
    return any(each.upper() == variable for each in os.environ)


def _explained(fault: ErrorDetails, settings: type[BaseModel], given: Given) -> Wrong:
    where = [str(part) for part in fault["loc"]]
    key = ".".join(where)
    place = _place(where, given)
    if fault["type"] == "extra_forbidden":
        hint = near_setting(where[-1], _keys_at(settings, where[:-1]), settings)
        return Wrong(message=f'{place}: "{key}" is not a setting.', hint=hint)
    field = _field_at(settings, where)
    if fault["type"] in _NO_TABLE:
        return Wrong(message=f'{place}: "{key}" must be a table, written as [{key}].')
    if field is None:
        return Wrong(message=f'{place}: "{key}" is wrong: {fault["msg"]}.')
    allowed = (
        fault["msg"].removeprefix("Value error, must ")
        if fault["type"] == "value_error"
        else _allowed(field, of_list=where[-1].isdecimal())
    )
    value = _value(field, where[-1], fault["input"])
    return Wrong(message=f'{place}: "{key}" {value}, and must {allowed}.')


_NO_TABLE = frozenset({"model_type", "model_attributes_type"})


def near_setting(word: str, beside: Collection[str], settings: type[BaseModel]) -> str:
    """Suggest a setting for an unknown key: a similar one of its section, else of another."""
    if nearest(word, beside) is None:
        sections = known_keys(settings)
        near = nearest(word, {key for keys in sections.values() for key in keys}, at_least=_SURELY)
        there = [f'"{section}.{near}"' for section, keys in sections.items() if near in keys]
        if there:
            return f"Did you mean {' or '.join(there)}?"
    return did_you_mean(word, beside)


def _keys_at(settings: type[BaseModel], where: Sequence[str]) -> list[str]:
    """Return the keys that a table may have."""
    field = _field_at(settings, where) if where else None
    model = settings if field is None else _model_in(field.annotation)
    return [*model.model_fields] if model else []


def _field_at(settings: type[BaseModel], where: Sequence[str]) -> FieldInfo | None:
    """Return the field that a place in the settings is, or lies in; None where there is none."""
    model: type[BaseModel] | None = settings
    field: FieldInfo | None = None
    for part in where:
        if model is not None and part in model.model_fields:
            field = model.model_fields[part]
            is_table = isinstance(field.annotation, type)
            model = _model_in(field.annotation) if is_table else None
        elif field is not None and model is None:
            model = _model_in(field.annotation)  # the name of one of several tables
        else:
            return None
    return field


def _model_in(kind: object) -> type[BaseModel] | None:
    """Return the table that a type is, or holds several of by name."""
    for each in (kind, *get_args(kind)):
        if isinstance(each, type) and issubclass(each, BaseModel):
            return each
    return None


def _place(where: list[str], given: Given) -> str:
    """Return where the value that counts was given: flag, variable, secret file, file."""
    if _contains(given.flags, where):
        return "On the command line"
    for length in range(min(2, len(where)), 0, -1):
        variable = f"{ENV_PREFIX}{'__'.join(where[:length])}".upper()
        name = next((each for each in os.environ if each.upper() == variable), None)
        if name is not None:
            return f"Environment variable {name}"
    if given.secrets and not _contains(given.values, where):
        return f"Secret file {Path(given.secrets) / '__'.join(where[:2])}"
    while len(where) > 1 and where[-1].isdecimal():
        where = where[:-1]  # of a list the line that begins it
    *table, key = where
    line = line_of(given.text, ".".join(table), key)
    return f"{given.path}, line {line}" if line else str(given.path)


def _contains(values: Mapping[str, Any], where: list[str]) -> bool:
    found: object = values
    for part in where:
        if not isinstance(found, Mapping) or part not in found:
            return False
        found = found[part]
    return True


def _value(field: FieldInfo, key: str, value: object) -> str:
    """Return ``is "x"``; a secret, what may hold one, and what is no single value are not shown."""
    hidden = is_secret(field) or _model_in(field.annotation)
    if hidden or not isinstance(value, str | int | float):
        return "is wrong"
    if isinstance(value, str) and "@" in value and key in {"base_url", "url"}:
        return "is wrong"
    if isinstance(value, bool):
        return f"is {str(value).lower()}"
    return f"is {quoted(value) if isinstance(value, str) else shown(value)}"


def is_secret(field: FieldInfo) -> bool:
    """Return whether a setting is a secret, or a list of them."""
    return SecretStr in _kinds(field.annotation)


def _kinds(kind: object) -> set[object]:
    """Return a type and all that it is made of."""
    return {kind}.union(*(_kinds(each) for each in get_args(kind)))


_KINDS: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Path: "a path in quotes",
}


def _allowed(field: FieldInfo, *, of_list: bool) -> str:
    """Describe the values of a field, from its type and bounds; ``of_list``: one of its values."""
    kind = field.annotation
    if get_origin(kind) is Literal:
        *others, last = [f'"{choice}"' for choice in get_args(kind)]
        return f"be {', '.join(others)} or {last}"
    if not of_list and (example := _EXAMPLES.get(get_origin(kind))):
        return f"look like {example}"
    plain = next((each for each in (kind, *get_args(kind)) if each in _KINDS), str)
    words = f"be {_KINDS.get(plain, 'a text in quotes')}"
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
    """Return a bound of the field itself, or of the type it was annotated with."""
    for each in field.metadata:
        for part in (each, *getattr(each, "metadata", ())):
            bound = getattr(part, name, None)
            if bound is not None:
                return float(bound)
    return None
