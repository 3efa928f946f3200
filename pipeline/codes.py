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
    PROCESSING_FAILED = "PROCESSING_FAILED"

    # A remark about the whole file
    ENCODING_GUESSED = "ENCODING_GUESSED"
    HEADER_GUESSED = "HEADER_GUESSED"
    HIDDEN_SHEET = "HIDDEN_SHEET"
    NO_ROWS = "NO_ROWS"
    COURIER_UNKNOWN = "COURIER_UNKNOWN"
