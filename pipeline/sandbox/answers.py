"""Word the answers: JSON in the shape asked for, and the pages of a proxy in between."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

if TYPE_CHECKING:
    from pipeline.sandbox.core import CallResult, RowError

Shape = Literal["data", "top", "strings", "index", "counts"]

PROXY_PAGE: Final = (
    "<!DOCTYPE html>\n<html><head><title>Gateway</title></head>"
    "<body><h1>Your request is being handled</h1><p>edge-7</p></body></html>\n"
)


LOG_IN_PAGE: Final = (
    "<!DOCTYPE html>\n<html><head><title>Log in</title></head>"
    "<body><form action='/login'>Please log in</form></body></html>\n"
)

Unclear = Literal[
    "log-in page",
    "error code",
    "message",
    "ok false",
    "success 0",
    "result failure",
    "error in meta",
    "maintenance",
    "empty object",
    "data null",
    "list",
    "string",
    "empty",
    "no content",
]
UNCLEAR: Final[tuple[Unclear, ...]] = get_args(Unclear)

_UNCLEAR_JSON: Final[Mapping[Unclear, object]] = {
    "error code": {"code": 401, "message": "unauthorised"},
    "message": {"message": "Please log in"},
    "ok false": {"ok": False},
    "success 0": {"success": 0},
    "result failure": {"result": "failure"},
    "error in meta": {"data": {}, "meta": {"code": 500, "message": "try later"}},
    "maintenance": {"maintenance": True},
    "empty object": {},
    "data null": {"data": None},
    "list": [],
    "string": "OK",
}


def unclear(shape: Unclear) -> object:
    """Return an answer under 200 that says nothing: JSON, a page, "", or None for 204."""
    if shape == "no content":
        return None
    if shape == "log-in page":
        return LOG_IN_PAGE.encode()
    return _UNCLEAR_JSON.get(shape, b"")


def outcome(verdict: "CallResult", shape: Shape, call: int) -> dict[str, Any]:
    """Return the answer to a call that was taken, with its refused items in the given shape."""
    failed = len(verdict.errors)
    facts: dict[str, Any] = {
        "payloadCount": verdict.count,
        "successCount": verdict.count - failed,
        "failedCount": failed,
        "status": "SUCCESS" if not failed else "FAILED" if failed == verdict.count else "PARTIAL",
        "errors": [_worded(error, shape) for error in verdict.errors if shape != "counts"],
    }
    if shape == "top":
        return {**facts, "meta": meta(call)}
    return {"data": facts, "meta": meta(call)}


def refusal(message: str, call: int) -> dict[str, Any]:
    """Return the answer to a call that was refused as a whole."""
    return {"message": message, "meta": meta(call)}


def meta(call: int) -> dict[str, Any]:
    """Return the part that every answer carries."""
    return {"requestId": f"sandbox-{call:08d}"}


def _worded(error: "RowError", shape: Shape) -> dict[str, Any] | str:
    if shape == "strings":
        return f"{error.code}: {error.order_id}: {error.message}"
    if shape == "index":
        return {"index": error.index, "code": error.code, "message": error.message}
    return {"orderId": error.order_id, "code": error.code, "message": error.message}
