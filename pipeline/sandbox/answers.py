"""Word the answers: JSON in the shape asked for, and the pages of a proxy in between."""

from typing import Any, Final, Literal

from pipeline.sandbox.core import RowError, Verdict

Shape = Literal["data", "top", "strings", "index", "counts"]

PROXY_PAGE: Final = (
    "<!DOCTYPE html>\n<html><head><title>Gateway</title></head>"
    "<body><h1>Your request is being handled</h1><p>edge-7</p></body></html>\n"
)


def outcome(verdict: Verdict, shape: Shape, call: int) -> dict[str, Any]:
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


def _worded(error: RowError, shape: Shape) -> dict[str, Any] | str:
    if shape == "strings":
        return f"{error.code}: {error.order_id}: {error.message}"
    if shape == "index":
        return {"index": error.index, "code": error.code, "message": error.message}
    return {"orderId": error.order_id, "code": error.code, "message": error.message}
