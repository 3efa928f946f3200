"""The codes a user sees, as one vocabulary.

What each means and how to fix it is told by ``schemas/codes.toml`` (shown by ``shipdrop explain``);
a test holds both to the same set. Most names come from the outside contract and are fixed.
"""

from enum import StrEnum


class Code(StrEnum):
    """A fault, warning or reason. The value is what results and rejects files show."""

    # A row is rejected
    ID_DAMAGED = "ID_DAMAGED"
    ID_INVALID = "ID_INVALID"
    ID_MISSING = "ID_MISSING"
    STATUS_MISSING = "STATUS_MISSING"
    STATUS_UNKNOWN = "STATUS_UNKNOWN"
    STATUS_AMBIGUOUS = "STATUS_AMBIGUOUS"
    STATUS_UNCONFIRMED = "STATUS_UNCONFIRMED"
    STATUS_CONFLICT = "STATUS_CONFLICT"
    TIME_FUTURE = "TIME_FUTURE"
    DATE_INVALID = "DATE_INVALID"
    DATE_RANGE = "DATE_RANGE"
    NOT_SELF_SHIP = "NOT_SELF_SHIP"
    ROW_RAGGED = "ROW_RAGGED"
    CELL_INVALID = "CELL_INVALID"

    # A row goes on with a warning
    ID_SUSPECT = "ID_SUSPECT"
    ID_RESTORED = "ID_RESTORED"
    REASON_NOT_NUMERIC = "REASON_NOT_NUMERIC"
    DATE_DROPPED = "DATE_DROPPED"
    DATE_MIXED = "DATE_MIXED"
    TIME_ORDER = "TIME_ORDER"
    ROW_SHORT = "ROW_SHORT"
    TEXT_CUT = "TEXT_CUT"

    # A row is understood, and there is nothing to send for it
    NO_MILESTONE = "NO_MILESTONE"
    AUTO_DISPATCHED = "AUTO_DISPATCHED"
    REPEATED_IN_FILE = "REPEATED_IN_FILE"
    ALREADY_ACCEPTED = "ALREADY_ACCEPTED"
    STALE = "STALE"

    # What became of a row that was, or was to be, sent
    API_REFUSED = "API_REFUSED"
    ANSWER_LOST = "ANSWER_LOST"
    ANSWER_UNCLEAR = "ANSWER_UNCLEAR"
    EARLIER_FAILED = "EARLIER_FAILED"
    EARLIER_OPEN = "EARLIER_OPEN"
    NOT_SENT = "NOT_SENT"
    CANCELLED = "CANCELLED"
    RECONCILED = "RECONCILED"
    RESENT = "RESENT"

    # The whole file is refused
    EMPTY_FILE = "EMPTY_FILE"
    TRUNCATED = "TRUNCATED"
    UNSUPPORTED_TYPE = "UNSUPPORTED_TYPE"
    PASSWORD_PROTECTED = "PASSWORD_PROTECTED"  # noqa: S105 - a code's name, not a secret
    UNSAFE_WORKBOOK = "UNSAFE_WORKBOOK"
    FILE_TOO_LARGE = "FILE_TOO_LARGE"
    TOO_MANY_ROWS = "TOO_MANY_ROWS"
    TOO_MANY_REJECTS = "TOO_MANY_REJECTS"
    WRONG_COLUMN = "WRONG_COLUMN"
    HEADER_NOT_FOUND = "HEADER_NOT_FOUND"
    HEADER_AMBIGUOUS = "HEADER_AMBIGUOUS"
    HEADER_DUPLICATE = "HEADER_DUPLICATE"
    CSV_BROKEN = "CSV_BROKEN"
    UNREADABLE = "UNREADABLE"
    READ_TOO_LONG = "READ_TOO_LONG"
    READ_TOO_LARGE = "READ_TOO_LARGE"
    PROCESSING_FAILED = "PROCESSING_FAILED"

    # A remark about the whole file
    ENCODING_GUESSED = "ENCODING_GUESSED"
    HEADER_GUESSED = "HEADER_GUESSED"
    HIDDEN_SHEET = "HIDDEN_SHEET"
    NO_ROWS = "NO_ROWS"
    COURIER_UNKNOWN = "COURIER_UNKNOWN"


#: What a person must see to: a row was rejected or failed, an answer is in doubt, or the whole file
#: was refused. A summary lists these as errors; every other code is a warning or information.
ERRORS: frozenset[Code] = frozenset(
    {
        Code.ID_DAMAGED,
        Code.ID_INVALID,
        Code.ID_MISSING,
        Code.STATUS_MISSING,
        Code.STATUS_UNKNOWN,
        Code.STATUS_AMBIGUOUS,
        Code.STATUS_UNCONFIRMED,
        Code.STATUS_CONFLICT,
        Code.TIME_FUTURE,
        Code.DATE_INVALID,
        Code.DATE_RANGE,
        Code.NOT_SELF_SHIP,
        Code.ROW_RAGGED,
        Code.CELL_INVALID,
        Code.API_REFUSED,
        Code.ANSWER_LOST,
        Code.ANSWER_UNCLEAR,
        Code.EARLIER_FAILED,
        Code.EMPTY_FILE,
        Code.TRUNCATED,
        Code.UNSUPPORTED_TYPE,
        Code.PASSWORD_PROTECTED,
        Code.UNSAFE_WORKBOOK,
        Code.FILE_TOO_LARGE,
        Code.TOO_MANY_ROWS,
        Code.TOO_MANY_REJECTS,
        Code.WRONG_COLUMN,
        Code.HEADER_NOT_FOUND,
        Code.HEADER_AMBIGUOUS,
        Code.HEADER_DUPLICATE,
        Code.CSV_BROKEN,
        Code.UNREADABLE,
        Code.READ_TOO_LONG,
        Code.READ_TOO_LARGE,
        Code.PROCESSING_FAILED,
    }
)

#: What is as it should be and only told for completeness. A summary lists these as notices.
INFORMATION: frozenset[Code] = frozenset(
    {
        Code.NO_MILESTONE,
        Code.AUTO_DISPATCHED,
        Code.REPEATED_IN_FILE,
        Code.ALREADY_ACCEPTED,
        Code.STALE,
        Code.RECONCILED,
        Code.RESENT,
    }
)
