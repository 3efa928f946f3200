"""Give the parts of the JSON API their common fields and types.

OpenAPI describes them at ``/api/v1/openapi.json``.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field, InstanceOf, PlainSerializer

IN_SHEET: Final = "Empty where the file has only one, or the row's was not noted."
OF_SHEET: Final = "Of these rows, where the file has several: their numbers may be those of others."


class Order(BaseModel):
    """Base of what machines send: a field that is not known, or not of its kind, is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Answer(BaseModel):
    """Base of what machines are told; pages show the same records.

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
