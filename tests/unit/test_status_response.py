"""The meaning of each shape of an answer for the rows of its call. When in doubt: doubt."""

import time
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.ports import Reply
from pipeline.delivery.api.status_response import (
    Answer,
    Meaning,
    is_plain_success,
    parse_status_response,
)
from tests.fakes import answers_table

NOW = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
IDS = ("900000001001", "900000001002", "900000001003", "900000001004")


def _answer(status: int, body: object = b"", **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return parse_status_response(Reply(status=status, headers=named, body=raw), IDS, now=NOW)


def _rows(answer: Answer, size: int = len(IDS)) -> str:
    """A letter per row: accepted, failed, in doubt."""
    if answer.meaning is Meaning.DOUBT:
        return "d" * size
    assert answer.meaning is Meaning.DONE
    assert not answer.failed.keys() & answer.doubtful
    return "".join(
        "f" if pos in answer.failed else "d" if pos in answer.doubtful else "a"
        for pos in range(size)
    )


def _facts(success: object, failed: object, errors: object = (), **more: object) -> dict[str, Any]:
    return {
        "payloadCount": 4,
        "successCount": success,
        "failedCount": failed,
        "errors": list(errors) if isinstance(errors, tuple) else errors,
        **more,
    }


BY_ID = {"orderId": "900000001002", "code": "D422", "message": "cannot move"}
FOREIGN = {"orderId": "9999", "code": "D422", "message": "cannot move"}

TAKEN: list[tuple[str, object, str]] = [
    # Nothing is said to be wrong
    ("an empty object", {}, "dddd"),
    ("empty data and meta", {"data": {}, "meta": {}}, "aaaa"),
    ("nulls", {"data": None, "meta": None, "errors": None, "error": None}, "dddd"),
    ("a message only", {"message": "processed"}, "dddd"),
    ("all counted in data", {"data": _facts(4, 0, status="SUCCESS")}, "aaaa"),
    ("all counted on top", _facts(4, 0, status="SUCCESS"), "aaaa"),
    ("counts as text", {"data": _facts("4", "0")}, "aaaa"),
    ("counts with a fraction of nothing", {"data": _facts(4.0, 0.0)}, "aaaa"),
    ("success true", {"success": True}, "dddd"),
    ("error false", {"error": False}, "dddd"),
    ("status 200 inside", {"status": 200}, "dddd"),
    ("a list of items that went well", {"data": [{"orderId": i} for i in IDS]}, "dddd"),
    ("counts it more than once", {"data": _facts(20, 0)}, "dddd"),
    # Failures that are named
    ("by id in data", {"data": _facts(3, 1, [BY_ID])}, "afaa"),
    ("by id on top", _facts(3, 1, [BY_ID]), "afaa"),
    ("by id, no counts", {"errors": [BY_ID]}, "dfdd"),
    ("by order_id", {"errors": [{"order_id": "900000001003", "error": "no"}]}, "ddfd"),
    ("by id", {"errors": [{"id": "900000001004", "error": "no"}]}, "dddf"),
    ("by an id that is a number", {"errors": [{"orderId": 900000001001, "error": "no"}]}, "fddd"),
    ("by index", {"data": _facts(3, 1, [{"index": 2, "message": "no"}])}, "aafa"),
    (
        "an index and words that differ",
        {"errors": [{"index": 0, "message": f"{IDS[1]} no"}]},
        "dddd",
    ),
    ("by an index as text", {"data": _facts(3, 1, [{"index": "2", "message": "no"}])}, "aafa"),
    ("as text that mentions it", {"data": _facts(3, 1, ["O400: 900000001001: cancelled"])}, "faaa"),
    ("in its message", {"errors": [{"code": "O400", "message": "order 900000001003 no"}]}, "ddfd"),
    ("one error, not a list", {"data": _facts(3, 1, BY_ID)}, "afaa"),
    ("a map of orders", {"data": _facts(3, 1, {"900000001002": "no"})}, "afaa"),
    (
        "a map of orders to objects",
        {"data": _facts(3, 1, {"900000001002": {"message": "no"}})},
        "afaa",
    ),
    ("error instead of errors", {"data": {"error": [BY_ID]}}, "dfdd"),
    ("two of them", {"data": _facts(2, 2, [BY_ID, {"index": 0}])}, "ffaa"),
    ("the same one twice", {"errors": [BY_ID, BY_ID]}, "dfdd"),
    ("partly, and named", {"status": "PARTIAL", "errors": [BY_ID]}, "dfdd"),
    ("an item that failed", {"data": [{"orderId": "900000001002", "status": "FAILED"}]}, "dfdd"),
    (
        "an item with success false",
        {"data": [{"orderId": "900000001002", "success": False}]},
        "dfdd",
    ),
    ("all counted as failed", {"data": _facts(0, 4)}, "ffff"),
    ("all failed, one named", {"data": _facts(0, 4, [BY_ID], status="FAILED")}, "ffff"),
    ("all failed, no success counted", {"failedCount": 4}, "ffff"),
    # Failures that are counted or spoken of, not named
    ("one counted", {"data": _facts(3, 1)}, "dddd"),
    ("two counted, one named", {"data": _facts(2, 2, [BY_ID])}, "dfdd"),
    ("too few taken", {"data": {"successCount": 3}}, "dddd"),
    ("none taken, none failed", {"data": {"successCount": 0, "failedCount": 0}}, "dddd"),
    ("it saw fewer", {"payloadCount": 3}, "dddd"),
    ("a foreign order", {"data": _facts(3, 1, [FOREIGN])}, "dddd"),
    ("a foreign order with an index", {"errors": [{**FOREIGN, "index": 1}]}, "dddd"),
    ("a foreign order and ours", {"data": _facts(2, 2, [FOREIGN, BY_ID])}, "dfdd"),
    ("an index beyond", {"errors": [{"index": 4, "message": "no"}]}, "dddd"),
    ("a negative index", {"errors": [{"index": -1, "message": "no"}]}, "dddd"),
    ("an index that is true", {"errors": [{"index": True, "message": "no"}]}, "dddd"),
    ("text that mentions two", {"errors": ["900000001001 and 900000001002"]}, "dddd"),
    ("text that mentions part of one", {"errors": ["9000000010021 failed"]}, "dddd"),
    ("text that mentions none", {"errors": ["something went wrong"]}, "dddd"),
    ("an error in words", {"error": "something went wrong"}, "dddd"),
    ("error true", {"error": True}, "dddd"),
    ("errors of no kind", {"errors": [None, 7, []]}, "dddd"),
    ("success false", {"success": False}, "dddd"),
    ("success false as text", {"success": "false"}, "dddd"),
    ("status FAILED", {"data": {"status": "FAILED"}}, "dddd"),
    ("status failed on top only", {"status": "failed", "data": {"status": "SUCCESS"}}, "dddd"),
    ("status FAILED, one named", {"status": "FAILED", "errors": [BY_ID]}, "dfdd"),
    ("partly, none named", {"status": "PARTIAL"}, "dddd"),
    ("an error status inside", {"status": 500}, "dddd"),
    ("an error status as text", {"statusCode": "422"}, "dddd"),
    ("a bad word in meta", {"data": {}, "meta": {"status": "ERROR"}}, "dddd"),
    # Counts and names that contradict each other: nobody can be believed
    ("fewer counted than named", {"data": _facts(4, 0, [BY_ID])}, "dddd"),
    ("more failed than there are", {"data": _facts(0, 9)}, "dddd"),
    ("all failed and some taken", {"data": _facts(2, 4)}, "dddd"),
    # No object at all
    ("nothing", b"", "dddd"),
    ("blanks", b"  \n", "dddd"),
    ("a page", b"<!DOCTYPE html><html><body>Welcome</body></html>", "dddd"),
    ("text", b"OK", "dddd"),
    ("cut off", b'{"data":{"payloadCount":4,"succ', "dddd"),
    ("an array", [{"orderId": "900000001001", "status": "SUCCESS"}], "dddd"),
    ("null", b"null", "dddd"),
    ("true", b"true", "dddd"),
    ("a number", b"4", "dddd"),
    ("bytes that are no text", b"\xff\xfe\x00{", "dddd"),
    ("two objects", b"{}{}", "dddd"),
    ("nested too deep", b'{"a":' * 2000 + b"1" + b"}" * 2000, "dddd"),
]


@pytest.mark.parametrize("status", [200, 201, 202, 207])
@pytest.mark.parametrize(("body", "rows"), [t[1:] for t in TAKEN], ids=[t[0] for t in TAKEN])
def test_a_2xx_means_for_each_row(status: int, body: object, rows: str) -> None:
    assert _rows(_answer(status, body)) == rows


#: what the contract says of an answer → its meaning, and a letter per row where there is one
MEANINGS = {
    "both taken": (Meaning.DONE, "aa"),
    "B2 failed, A1 taken": (Meaning.DONE, "af"),
    "B2 failed, A1 in doubt": (Meaning.DONE, "df"),
    "both failed": (Meaning.DONE, "ff"),
    "both in doubt": (None, "dd"),
    "refused whole": (Meaning.REFUSED, ""),
    "a new token, then hold": (Meaning.EXPIRED, ""),
    "hold": (Meaning.HELD, ""),
    "not done, tried again": (Meaning.RETRY, ""),
    "not done, all calls slow down": (Meaning.LIMITED, ""),
    "the answer is lost": (Meaning.LOST, ""),
}
TABLE = answers_table.rows()


@pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])
def test_the_contracts_table_says_what_an_answer_means(row: answers_table.Row) -> None:
    meaning, letters = MEANINGS[row.means]
    reply = Reply(status=row.status, headers={}, body=row.body)
    answer = parse_status_response(reply, answers_table.ORDERS, now=NOW)
    assert meaning in {None, answer.meaning}
    if letters:
        assert _rows(answer, size=2) == letters


def test_the_contracts_table_has_every_meaning() -> None:
    assert {row.means for row in TABLE} == MEANINGS.keys()


#: Beside the published shape: ``data`` as it is here, ``meta`` empty. None is a success of all.
NOT_ALL: tuple[dict[str, Any], ...] = (
    {"message": "No orders updated"},
    {"message": "0 of 4 orders updated"},
    {"message": "0 orders updated"},
    {"message": "upstream answered with status 502"},
    {"message": "3 of 4 orders updated"},
    {"message": "Invalid token"},
    {"message": "Internal server error"},
    {"message": "Couldn't be processed now, try again later"},
    {"errorMessage": "boom"},
    {"exception": "NullPointer"},
    {"note": "java.lang.NullPointerException"},
    {"hasErrors": True},
    {"isError": True},
    {"isSuccess": False},
    {"accepted": False},
    {"success_count": 3, "failed_count": 1},
    {"FailedCount": 1, "SuccessCount": 3},
    {"success": 3, "failed": 1},
    {"failureCount": 1},
    {"errorCount": 1},
    {"rejectedCount": 1},
    {"processed": 3, "total": 4},
    {"updated": 0},
    {"modifiedCount": 0},
    {"failedOrders": [IDS[1]]},
    {"invalidOrders": [IDS[1]]},
    {"rejected": [IDS[1]]},
    {"skipped": [IDS[1]]},
    {"notFound": [IDS[1]]},
    {"unsuccessful": [IDS[1]]},
    {"warnings": [{"orderId": IDS[1], "message": "status was kept"}]},
    {"successful": [IDS[0]]},
    {"updatedOrders": list(IDS[:3])},
    {"orders": [{"orderId": IDS[1], "updated": False, "message": "order not found"}]},
    {"results": [{"orderId": each, "statusCode": 200 + 204 * (each == IDS[1])} for each in IDS]},
    {"results": [{"orderId": each, "status": 422} for each in IDS]},
    {"items": [{"orderId": each, "status": "IGNORED"} for each in IDS]},
    {"items": [{"orderId": each, "status": "NOT_FOUND"} for each in IDS]},
    {"items": [{"orderId": each, "status": "PENDING"} for each in IDS]},
    {**dict.fromkeys(IDS, "success"), IDS[1]: "failed"},
    {IDS[1]: "order not found"},
    {"results": {IDS[1]: {"success": False}}},
    {"orders": [{"orderId": each, "orderStatus": "bag_picked"} for each in IDS]},
    {"orders": [{"orderId": "OTHER-9", "success": True}]},
    {"status": "QUEUED"},
    {"status": "PENDING"},
    {"status": "PROCESSING"},
    {"jobId": "77"},
    {"message": "1 order updated"},
    {"message": "Updated 1 order"},
    {"message": f"{IDS[0]} updated"},
    {"message": f"Updated orders: {IDS[0]}."},
    {"message": "We will process your request shortly"},
    {"message": "Request received"},
    {"message": "Process started"},
    {"message": "scheduled"},
    {"message": "Valid payload"},
    {"message": "Validation only"},
    {"message": "dry run"},
    {"message": "Rate limit exceeded"},
    {"message": "Something went wrong"},
    {"title": "Bad Request"},
    {"description": "Deprecated endpoint"},
    {"dryRun": True},
    {"simulated": True},
    {"async": True},
    {"validated": 4},
    {"affected": 0},
    {"remaining": 1},
    {"orders": 0},
    {"results": [1, 0, 1, 1]},
    {"status": "N"},
    {"fault": "x"},
    {"reason": "x"},
    {"code": 207},
    {"shipments": [{"id": each, "status": "dp_assigned"} for each in IDS]},
    {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": "too deep to see"}}}}}}}},
    {"notUpdated": 4},
    {"unchanged": 4},
    {"discarded": 4},
    {"dropped": 1},
    {"maintenance": True},
    {"locked": True},
    {"unauthorized": True},
    {"login": True},
    {"rollback": True},
    {"timeout": True},
    {"mode": "dry-run"},
    {"retryAfter": 30},
    {"retryAt": "2026-11-30T10:00:00Z"},
    {"next": "poll"},
    {"redirect": "/login"},
    {"location": "/login"},
    {"statusUrl": "/x/7"},
    {"items": 4, "ok": 1},
    {"updated": []},
    {**dict.fromkeys(IDS, 200), IDS[1]: 404},
    {**dict.fromkeys(IDS, "success"), IDS[1]: None},
    {"wrongState": list(IDS)},
    *(
        {"message": words}
        for words in (
            "success=false",
            "will be processed",
            "status will be updated soon",
            "orders to be updated",
            "Orders are being updated",
            "accepted, update in progress",
            "successfully scheduled",
            "updated shortly",
            "accepted; check status at /x",
            "Update ok but rolled back",
            "successfully rolled back",
            "Successfully validated",
            "updated in dry run",
            "successfully deleted",
            "successfully logged out",
            "orders updated?",
            "x" * 5000,
        )
    ),
)

ALL_TAKEN: tuple[dict[str, Any], ...] = (
    {"requestId": "7f3", "timestamp": "2026-11-29T10:00:00Z", "durationMs": 404},
    {"traceId": "no-404-0", "processedAt": "2026-11-29 10:00:00.500", "totalTimeMs": 35},
    {"apiVersion": "v1.0", "node": "eu-500", "message": "OK"},
    {"message": "Shipment status updated successfully"},
    {"message": "4 of 4 orders updated, no errors"},
    {"message": "4 orders processed", "affectedRows": 4, "remaining": 0, "dryRun": False},
    {"message": f"Updated: {', '.join(IDS)}", "location": "Mumbai_Andheri", "validUntil": ""},
    {"status": "SUCCESS", "code": 200},
    {"statusCode": 200, "success": True, "hasMore": False, "errors": [], "failed": 0},
    {"updated": 4, "total": "4"},
    {"updatedOrders": list(IDS)},
    {"orders": [{"orderId": each, "success": True} for each in IDS]},
    {"results": [{"orderId": each, "statusCode": 200, "message": "OK"} for each in IDS]},
    dict.fromkeys(IDS, "success"),
    {"errorCount": 0, "failedOrders": [], "warnings": None, "failed": [], "error": None},
    {"message": "updated successfully", "request_id": "ab-cd", "dpLocation": "Pune (West)"},
    {"message": "Bulk update request processed: 4 shipments"},
    dict.fromkeys(IDS, 200),
    dict.fromkeys(IDS, True),
)


@pytest.mark.parametrize("place", ["data", "meta"])
@pytest.mark.parametrize("facts", NOT_ALL, ids=lambda facts: str(facts)[:50])
def test_whatever_speaks_against_a_success_leaves_no_row_accepted(
    facts: dict[str, Any], place: str
) -> None:
    """A field of ``data`` or ``meta`` that tells of a failure under whatever name."""
    assert "a" not in _rows(_answer(200, {"data": {}, "meta": {}, place: facts}))
    counted = {"data": _facts(4, 0), "meta": {}, "result": facts}
    assert _rows(_answer(200, counted)) != "aaaa", "also beside counts that add up"


@pytest.mark.parametrize("place", ["data", "meta"])
@pytest.mark.parametrize("facts", ALL_TAKEN, ids=lambda facts: str(facts)[:50])
def test_harmless_fields_leave_a_success_a_success(facts: dict[str, Any], place: str) -> None:
    """Numbers of requests, times, counts that add up and words of success are no reason to ask."""
    assert _rows(_answer(200, {"data": {}, "meta": {}, place: facts})) == "aaaa"


LONG = 3_000_000


@pytest.mark.parametrize("status", [200, 404, 422])
@pytest.mark.parametrize(
    "body",
    [
        b'{"data": {}, "meta": {"pad": "' + b"x" * LONG + b'"}}',
        b'{"data": {}, "meta": {"message": "' + b"updated " * (LONG // 8) + b'"}}',
        b'{"data": {}, "meta": {"message": "' + b"x" * 200_000 + b'"}}',
        b'{"data": {}, "meta": {"total": "' + b"4" * 200_000 + b'"}}',
        b'{"data": {}, "meta": {"orders": [' + b"4," * 100_000 + b"4]}}",
        b'{"errors": [' + b'{"id": 1},' * (LONG // 10) + b"1]}",
        b"{" + b'"a":1,' * 40_000 + b'"a": 1}',
        b"\"' " * (LONG // 3),
        b"<" * LONG,
        b"[" * LONG,
    ],
    ids=lambda body: f"{body[:40]}",
)
def test_a_long_answer_is_judged_at_once_and_not_believed(status: int, body: bytes) -> None:
    """All calls wait while one answer is looked at."""
    began = time.process_time()
    answer = _answer(status, body)
    assert time.process_time() - began < 0.5
    if status == 200:
        assert _rows(answer) == "dddd"


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": {"failedCount": 4}, "data": {}, "meta": {}}',
        b'{"data": {"failedCount": 4, "failedCount": 0, "successCount": 4, "errors": []}}',
        b'{"data": {}, "meta": {"success": false, "success": true}}',
    ],
)
def test_an_answer_with_a_key_twice_is_in_doubt(body: bytes) -> None:
    assert _rows(_answer(200, body)) == "dddd"


def test_a_byte_order_mark_before_an_answer_is_no_fault() -> None:
    """Some gateways put one before JSON."""
    assert _rows(_answer(200, b'\xef\xbb\xbf{"data": {}, "meta": {}}')) == "aaaa"


def test_a_204_and_part_of_an_answer_are_in_doubt() -> None:
    assert _answer(204).meaning is Meaning.DOUBT
    assert _answer(206, {"data": {}, "meta": {}}).meaning is Meaning.DOUBT


REFUSED: list[tuple[str, int, object, Meaning]] = [
    ("continue", 100, b"", Meaning.HELD),
    ("moved", 301, b"", Meaning.HELD),
    ("found", 302, b"<a href='/login'>", Meaning.HELD),
    ("not modified", 304, b"", Meaning.HELD),
    ("temporary redirect", 307, b"", Meaning.HELD),
    ("permanent redirect", 308, b"", Meaning.HELD),
    ("bad request", 400, {"message": "no"}, Meaning.REFUSED),
    ("unauthorised", 401, {"message": "token"}, Meaning.EXPIRED),
    ("payment", 402, b"", Meaning.REFUSED),
    ("forbidden", 403, b"", Meaning.HELD),
    ("not found", 404, {"message": "no such path"}, Meaning.HELD),
    ("not found, a page", 404, b"<html>404 9000000010011</html>", Meaning.HELD),
    (
        "not found, naming an order",
        404,
        {"message": "order 900000001002 not found"},
        Meaning.REFUSED,
    ),
    ("method", 405, b"", Meaning.HELD),
    ("method, naming an order", 405, {"orderId": "900000001001"}, Meaning.REFUSED),
    ("proxy", 407, b"", Meaning.HELD),
    ("timeout", 408, b"", Meaning.RETRY),
    ("conflict", 409, {"message": "no"}, Meaning.REFUSED),
    ("gone", 410, b"", Meaning.REFUSED),
    ("too large", 413, b"", Meaning.REFUSED),
    ("type", 415, b"", Meaning.REFUSED),
    ("unprocessable", 422, {"message": "no"}, Meaning.REFUSED),
    ("too early", 425, b"", Meaning.RETRY),
    ("too many", 429, b"", Meaning.LIMITED),
    ("server error", 500, b"<html>", Meaning.RETRY),
    ("not implemented", 501, b"", Meaning.LOST),
    ("bad gateway", 502, b"<html>", Meaning.LOST),
    ("unavailable", 503, b"", Meaning.RETRY),
    ("gateway timeout", 504, b"", Meaning.LOST),
    ("of a cdn", 520, b"", Meaning.LOST),
]


@pytest.mark.parametrize(
    ("status", "body", "meaning"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_other_answers(status: int, body: object, meaning: Meaning) -> None:
    answer = _answer(status, body)
    assert answer.meaning is meaning
    assert not answer.doubtful


def test_a_refusal_of_the_whole_tells_whom_it_names() -> None:
    answer = _answer(422, {"errors": [BY_ID], "message": "some are wrong"})
    assert answer.message == "some are wrong"
    assert answer.failed[1].code == "D422"
    assert answer.failed[1].message == "cannot move"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("Mon, 23 Nov 2026 12:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 11:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2026 17:31:00 +0530", 60.0),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("1e9", None),
        ("٣", None),
        ("Mon, 99 Nov 99999 12:00:00 GMT", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503, 502])
def test_retry_after_in_both_forms(status: int, value: str, seconds: float | None) -> None:
    assert _answer(status, b"", retry_after=value).retry_after == seconds


@pytest.mark.parametrize(
    ("order_id", "words", "named"),
    [
        ("ORD123456789", "order ORD123456789 is cancelled", True),
        ("ORD12345678", "order ORD12345678 is cancelled", False),
        ("ORD123", "order 'ORD123' is cancelled", True),
        ("RD123", "order 'RD123' is cancelled", False),
        ("ORD123", "ORD123", True),
    ],
    ids=["12 letters", "11 letters", "6 in quotes", "5 in quotes", "nothing else"],
)
def test_an_order_is_named_by_words_that_are_long_enough(
    order_id: str, words: str, named: bool
) -> None:
    body = orjson.dumps({"data": _facts(1, 1, [words])})
    reply = Reply(status=200, headers={}, body=body)
    answer = parse_status_response(reply, ["A-NOTHER-ONE", order_id], now=NOW)
    assert set(answer.failed) == ({1} if named else set())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"message": "all wrong"}, "all wrong"),
        ({"data": {"error": {"detail": "deep"}}}, "deep"),
        ({"errors": [{"code": "O400", "reason": "listed"}]}, "listed"),
        (b"<html><b>Bad</b> gateway\x1b[31m\n</html>", "Bad gateway [31m"),
        (b"", ""),
        (b"x" * 5000, "x" * 299 + "…"),
    ],
)
def test_the_words_are_short_plain_and_without_controls(body: object, words: str) -> None:
    assert _answer(400, body).message == words


def test_words_nested_without_end_do_not_end_us() -> None:
    body = b'{"error":' * 900 + b'"x"' + b"}" * 900
    for status in (200, 400):
        assert _answer(status, body).meaning in {Meaning.DOUBT, Meaning.REFUSED}
    deep = b'{"errors":[{"orderId":"900000001002","what":' + b"[" * 900 + b"]" * 900 + b"}]}"
    assert _rows(_answer(200, deep)) == "dfdd"


@given(
    st.fixed_dictionaries(
        {
            "payloadCount": st.sampled_from([4, 3]),
            "successCount": st.sampled_from([4, 4, "4", 3, True]),
            "failedCount": st.sampled_from([0, 0, 1, False, None]),
            "errors": st.sampled_from([[], [], None, [BY_ID], "no"]),
            "status": st.sampled_from(["SUCCESS", "FAILED", None]),
        },
        optional={"error": st.sampled_from([True, None]), "success": st.booleans()},
    ),
    st.sampled_from([{}, {"meta": {}}, {"meta": {"status": "FAILED"}}, {"error": "no"}]),
)
def test_the_short_cut_for_good_answers_says_what_the_long_way_says(
    data: dict[str, Any], more: dict[str, Any]
) -> None:
    body = {"data": data, **more}
    reply = Reply(status=200, headers={}, body=orjson.dumps(body))
    assert _rows(_answer(200, body)) == "aaaa" or not is_plain_success(reply, len(IDS))


_KEYS = [
    "data",
    "meta",
    "errors",
    "error",
    "orderId",
    "id",
    "index",
    "message",
    "code",
    "900000001002",
]
_KEYS += ["successCount", "failedCount", "payloadCount", "status", "success"]
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 30)
    | st.floats(allow_nan=False)
    | st.sampled_from([*IDS, "FAILED", "SUCCESS", "", "4", "9999"])
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(_KEYS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@given(
    st.integers(100, 599),
    _JSON.map(orjson.dumps) | st.binary(max_size=40),
    st.text(alphabet="0123456789 -:,.GMTMonJan+", max_size=30),
)
def test_no_answer_is_too_strange(status: int, body: bytes, value: str) -> None:
    answer = _answer(status, body, retry_after=value)
    places = set(range(len(IDS)))
    assert answer.failed.keys() <= places
    assert answer.doubtful <= places
    assert not answer.failed.keys() & answer.doubtful
    if 200 <= status < 300:
        assert answer.meaning in {Meaning.DONE, Meaning.DOUBT}
    else:
        assert answer.meaning not in {Meaning.DONE, Meaning.DOUBT}
    assert answer.retry_after is None or answer.retry_after >= 0
