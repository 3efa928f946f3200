"""The JSON API: common fields and types; a request that OpenAPI does not describe is refused.

OpenAPI describes them at ``/api/v1/openapi.json``.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field, InstanceOf, PlainSerializer
from starlette.datastructures import FormData, UploadFile

from pipeline.core.errors import UsageError
from schemas.similarity import did_you_mean

IN_SHEET: Final = "Empty where the file has only one, or the row's was not noted."
OF_SHEET: Final = (
    "The sheet of these rows, if the file has several: rows of two sheets may have one number."
)


class Order(BaseModel):
    """Base of requests of machines: an unknown field, or one of another kind, is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    """Base of answers to machines; pages show the same records.

    A field with ``exclude`` is for pages alone.
    """

    model_config = ConfigDict(from_attributes=True, frozen=True)


class Problem(BaseModel):
    """Why a request was not carried out."""

    error: str = Field(description="What is wrong, in a sentence.")
    hint: str = Field(default="", description="What to do about it.")


class Message(BaseModel):
    """The result in words."""

    said: str


def plain(text: str) -> str:
    """Return the text as JSON can hold it: a file's name need not be UTF-8."""
    return text.encode("utf-8", "replace").decode()


Text = Annotated[InstanceOf[str], PlainSerializer(plain, return_type=str)]
"""A text that need not be UTF-8: pages have their own way to show it."""
Responses = dict[int | str, dict[str, Any]]

PROBLEMS: Final[Responses] = {
    status: {"model": Problem, "description": words}
    for status, words in {
        401: "No token, or one that is not known.",
        403: "The right operate is missing, or another site sent this.",
        404: "There is no such thing.",
        422: "The request is wrong.",
        503: "A folder or the ledger cannot be used now.",
    }.items()
}
LATER: Final[Responses] = {
    409: {"model": Problem, "description": "The drop is finished: there is nothing left to do."}
}
DropId = Annotated[str, Path(pattern=r"^[a-z0-9]{1,60}$", examples=["d20261123t144123123k7qz"])]
RowNumber = Annotated[int, Field(ge=0, le=2**31)]


def api_router(beside: APIRouter | None = None, *, responses: Responses = PROBLEMS) -> APIRouter:
    """Return a router for one part of the API. ``beside``: that of its pages lists its routes."""
    made = APIRouter(prefix="/api/v1", responses=responses)
    if beside is not None:
        made.routes = beside.routes
    return made


FORM_TEXTS: Final = ("courier", "note", "who")
"""Fields of a form that brings files, beside ``files``."""
_SAYS_NOTHING: Final = len("null")
_JSON: Final = "Send a JSON object, with Content-Type: application/json."
_DESCRIBED: Final = "/api/v1/openapi.json describes the fields of each request."
_WANTED: Final[Mapping[str, str]] = {
    "int_type": "a whole number, without quotes",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false, without quotes",
    "bool_parsing": "true or false",
    "string_type": "a text, in quotes",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "greater_than_equal": "a number of at least {ge}",
    "less_than_equal": "a number of at most {le}",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "too_long": "at most {max_length} of them",
}
_NAME: Final = re.compile(r"[\w.-]+")
_QUOTED: Final = re.compile(r"'([^']*)'")


def check_address(request: Request) -> None:
    """Refuse parameters that the address does not know, and JSON where it takes none.

    Raises UsageError.
    """
    route = request.scope["route"]
    _only({each.alias for each in route.dependant.query_params}, request.query_params)
    length = request.headers.get("content-length", "0")
    is_json = request.headers.get("content-type", "").startswith("application/json")
    if route.body_field is None and is_json and int(length) > _SAYS_NOTHING:
        raise UsageError(
            "This address takes no fields, so nothing was done.",
            hint=f"Send it without a body, if you mean all of it. {_DESCRIBED}",
        )


def check_form(form: FormData) -> None:
    """Refuse fields that a form with files does not have, or has twice. Raises UsageError."""
    _only({"files", *FORM_TEXTS}, form)
    for name, value in form.multi_items():
        if isinstance(value, UploadFile) != (name == "files"):
            wanted = "a file" if name == "files" else "a text"
            raise UsageError(f'"{name}" is wrong: it must be {wanted}. Nothing was done.')
        if name != "files" and len(form.getlist(name)) > 1:
            raise UsageError(f'"{name}" is given twice, so nothing was done.', hint="Give one.")


def _only(known: Collection[str], given: Iterable[str]) -> None:
    for name in given:
        if name not in known:
            message, hint = _unknown(name, known)
            raise UsageError(message, hint=hint)


def _unknown(name: str, known: Collection[str] = ()) -> tuple[str, str]:
    advice = did_you_mean(name, sorted(known)) if known else "Leave it out."
    return f'"{name[:60]}" is not known here, so nothing was done.', advice


def in_words(errors: Sequence[Any], route: Any) -> tuple[str, str]:  # noqa: ANN401 - FastAPI's
    """Return what is wrong with a request, and what to do: of the first field that is wrong.

    A field that is not known comes before all others: they may be missing because of it.
    """
    unknown = [each for each in errors if each["type"] == "extra_forbidden"]
    first = (unknown or errors)[0]
    where, name = first["loc"], _field(first)
    if unknown:
        fields = route.body_field.field_info.annotation.model_fields
        return _unknown(name, fields if where[1:] == (name,) else ())
    if first["type"] == "json_invalid":
        return f"The body is not JSON: it cannot be read from character {where[-1]} on.", _JSON
    if not name:
        return "The body is missing, or no JSON object.", _JSON
    if first["type"] == "missing":
        return f'"{name}" is missing, so nothing was done.', _DESCRIBED
    choices = [
        choice or '""'
        for each in errors
        if _field(each) == name and each["type"] in {"enum", "literal_error"}
        for choice in _QUOTED.findall(each["ctx"]["expected"])
    ]
    if choices:
        return f'"{name}" is wrong: it must be one of {", ".join(choices)}.', _DESCRIBED
    wanted = _WANTED.get(first["type"], "").format(**first.get("ctx", {}))
    return f'"{name}" is wrong: it must be {wanted or "as it is described"}.', _DESCRIBED


def _field(error: Mapping[str, Any]) -> str:
    """Return the name of a field as it is written; "" for the body as a whole."""
    # Parts in brackets name the kinds of value that were tried.
    return ".".join(str(part) for part in error["loc"][1:] if _NAME.fullmatch(str(part)))
