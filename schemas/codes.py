"""Every code that a row or a file can get: its kind, its meaning, and what a person does about it.

This is the only list of them. ``shipdrop explain``, the fix sheet, the page and the tables of
docs/contract.md are made from it; ``schemas.manifest`` says when a row gets which. The names are
part of the outside contract and do not change.
"""

from enum import Enum, StrEnum

from schemas.limits import (
    EXACT_DIGITS,
    FUTURE_HOURS,
    ID_LENGTH,
    RANGE_DAYS,
    REASON_MOST,
    TEXT_LENGTH,
)


class Kind(Enum):
    """The effect of a code on the row or file that gets it."""

    REJECT = "reject"  # the row is rejected
    WARNING = "warning"  # the row goes on
    SKIP = "skip"  # the row is understood; there is nothing to send for it
    FAILED = "failed"  # an update that a person must see to: refused, or its answer is in doubt
    OPEN = "open"  # an update that was not sent
    SETTLED = "settled"  # an update that was taken in the end
    REFUSE = "refuse"  # the whole file is refused
    NOTICE = "notice"  # a remark about the whole file


class Code(StrEnum):
    """A fault, warning or reason. Results and rejects files show the value.

    ``what`` happened in one sentence, how to ``fix`` it in the sheet, and an ``example`` of it.
    ``right``: what such a cell should look like, "" where the code is not about a cell.
    """

    kind: Kind
    what: str
    fix: str
    example: str
    right: str

    def __new__(
        cls, name: str, kind: Kind, what: str, fix: str, example: str, right: str = ""
    ) -> "Code":
        """Make the member whose value is ``name``."""
        code = str.__new__(cls, name)
        code._value_ = name
        code.kind, code.what, code.fix, code.example, code.right = kind, what, fix, example, right
        return code

    # A row is rejected
    ID_DAMAGED = (
        "ID_DAMAGED",
        Kind.REJECT,
        (
            f"The order id was rounded by a spreadsheet, which keeps {EXACT_DIGITS} digits of a "
            "number, or is a number whose format shows more than is stored, such as leading zeros."
        ),
        (
            "Copy the id again from its source into a cell formatted as text. A damaged id cannot "
            "be restored from the cell itself."
        ),
        "1.77881E+19",
        "all digits of the order's own id",
    )
    ID_INVALID = (
        "ID_INVALID",
        Kind.REJECT,
        (
            f"The order id is not a single id of at most {ID_LENGTH} letters, digits, - and _, or "
            "it is a count, a word, a date or an AWB while the file's other ids are none."
        ),
        (
            "Enter exactly one order id, as text, without spaces, commas or slashes inside. Type "
            "it again if it looks right: a look-alike letter may hide in it."
        ),
        "17 788 112",
        "one order's own id, nothing else",
    )
    ID_MISSING = (
        "ID_MISSING",
        Kind.REJECT,
        "The row has no order id.",
        "Enter the order id. Merged cells must be split, so that each row has its own.",
        "#N/A",
        "the order's own id",
    )
    STATUS_MISSING = (
        "STATUS_MISSING",
        Kind.REJECT,
        "The row has no status.",
        "Enter the status as the courier gives it, or delete the row.",
        "(empty)",
        "one of the known statuses",
    )
    STATUS_UNKNOWN = (
        "STATUS_UNKNOWN",
        Kind.REJECT,
        "This status word is not known.",
        (
            "Correct the spelling, or write a known status; rejects.xlsx lists them in the cell. "
            "If the courier really uses it, teach it: on the page, while correcting, or in the "
            "courier's profile."
        ),
        "DELIVERD",
        "one of the known statuses",
    )
    STATUS_AMBIGUOUS = (
        "STATUS_AMBIGUOUS",
        Kind.REJECT,
        (
            "The status can mean different things, or contradicts the status type, the direction "
            "or another status of its row."
        ),
        (
            "Do what the row's message says. Where the word is unclear, write what really "
            'happened, for example "RTO Delivered" instead of "RTO". Where something else speaks '
            "against a status that is true, correct that or confirm the row; do not change the "
            "status."
        ),
        "RTO",
        "what happened, such as RTO Delivered or Return Delivered",
    )
    STATUS_UNCONFIRMED = (
        "STATUS_UNCONFIRMED",
        Kind.REJECT,
        "The courier's profile is a draft: nobody has confirmed yet what this status means.",
        (
            "Ask whoever keeps the courier's profile to say there what the status means. Then "
            "upload the rejects file as it is."
        ),
        "Gadi Nikli",
    )
    STATUS_CONFLICT = (
        "STATUS_CONFLICT",
        Kind.REJECT,
        (
            "The order has two endings that exclude each other: delivered, and delivered back to "
            "the seller; or a later scan takes its ending or pickup back, or the parcel was on its "
            "way back to the seller."
        ),
        "Find out which is true and delete the other rows of this order.",
        "Delivered and RTO Delivered",
        "one final status for the order",
    )
    PARCELS_OPEN = (
        "PARCELS_OPEN",
        Kind.REJECT,
        "Another parcel of the order has not reached this final status.",
        (
            "Upload a file in which all parcels of the order have reached it. If they all have, "
            "tick the row on the page, or write CONFIRMED under _reject_codes and upload it again."
        ),
        "one AWB Delivered, another In Transit",
    )
    TIME_FUTURE = (
        "TIME_FUTURE",
        Kind.REJECT,
        f"The event is more than {FUTURE_HOURS} hours in the future.",
        "Correct the date. Day and month may be swapped.",
        "2031-01-01",
        "a past time like 2026-06-26 14:32",
    )
    DATE_INVALID = (
        "DATE_INVALID",
        Kind.REJECT,
        "The event time is not a date as this courier writes it.",
        "Write the date like 2026-06-26 14:32, in a cell formatted as text.",
        "31/02/2026",
        "a time like 2026-06-26 14:32",
    )
    DATE_RANGE = (
        "DATE_RANGE",
        Kind.REJECT,
        f"The event time is more than {RANGE_DAYS} days from today.",
        "Correct the date; the year may be wrong.",
        "26-06-2006",
        "a recent time like 2026-06-26 14:32",
    )
    NOT_SELF_SHIP = (
        "NOT_SELF_SHIP",
        Kind.REJECT,
        "The row says that its order is not self-ship, so its status cannot be reported here.",
        "Delete the row, or correct the self-ship column.",
        "false",
        "true",
    )
    ROW_RAGGED = (
        "ROW_RAGGED",
        Kind.REJECT,
        (
            "The row has cells beyond the last column or lacks cells that are needed; an unquoted "
            "comma may have shifted it."
        ),
        (
            "Put a text that a comma cut in two back into one cell (in a text editor in double "
            "quotes), or fill in the cells that are missing."
        ),
        "Picked, late",
        '"Picked, late"',
    )
    CELL_INVALID = (
        "CELL_INVALID",
        Kind.REJECT,
        (
            "A cell that decides what is sent has no value: it shows a formula's error (#N/A, "
            "#REF!), its formula's result was not stored in the file, or it holds a NUL character."
        ),
        (
            "Correct the formula, or type the value in. Where results are missing, open the file "
            "in a spreadsheet program and save it; where a NUL is, export the row again."
        ),
        "#REF!",
        "the value itself",
    )

    # A row goes on with a warning
    ID_SUSPECT = (
        "ID_SUSPECT",
        Kind.WARNING,
        (
            f"The order id ends in one or two zeros after its {EXACT_DIGITS}th digit, as rounded "
            "ids do. It was sent as it is."
        ),
        "Compare the id with its source.",
        "1778812345678900",
        "all digits of the order's own id",
    )
    ID_RESTORED = (
        "ID_RESTORED",
        Kind.WARNING,
        "A spreadsheet damaged the order id in the rejects file; the original id was put back.",
        "Nothing. Format the id column as text next time.",
        "1.77881E+19",
    )
    REASON_NOT_NUMERIC = (
        "REASON_NOT_NUMERIC",
        Kind.WARNING,
        "The reason is not a whole number, so it was kept in the remark.",
        (
            f"Nothing, or write a reason number from 0 to {REASON_MOST}. A profile can give texts "
            "a number."
        ),
        "EOD-6",
        "a whole number, or empty",
    )
    REASON_DROPPED = (
        "REASON_DROPPED",
        Kind.WARNING,
        "The reason is about a failed attempt; the row reports a delivery and was sent without it.",
        "Nothing, if the order was delivered.",
        "Delivered, Customer not contactable",
    )
    DATE_DROPPED = (
        "DATE_DROPPED",
        Kind.WARNING,
        (
            "A promised or estimated delivery date could not be read, is out of range or long "
            "before the row, or may be day or month first; the row was sent without it."
        ),
        "Write the date like 2026-06-26.",
        "45469",
        "a date like 2026-06-26",
    )
    DATE_MIXED = (
        "DATE_MIXED",
        Kind.WARNING,
        (
            "A column mixes date cells with dates typed as text; day and month may have been "
            "swapped in the date cells."
        ),
        "Compare the dates with their source, and format the whole column as text before pasting.",
        "26/06/2026 beside a date cell",
    )
    TIME_ORDER = (
        "TIME_ORDER",
        Kind.WARNING,
        (
            "The event times of an order contradict the order of its statuses; the statuses were "
            "sent in their usual order."
        ),
        "Check the event times of this order.",
        "delivered before picked up",
    )
    ROW_SHORT = (
        "ROW_SHORT",
        Kind.WARNING,
        "The row lacks cells at its end; they were taken as empty.",
        "Nothing, if the last columns are meant to be empty.",
        "A1001,Delivered",
    )
    TEXT_CUT = (
        "TEXT_CUT",
        Kind.WARNING,
        f"A remark or location was longer than {TEXT_LENGTH} characters and was cut.",
        "Shorten the text if its end matters.",
        "Customer said that…",
    )

    # A row is understood, and there is nothing to send for it
    NO_MILESTONE = (
        "NO_MILESTONE",
        Kind.SKIP,
        "The status is understood and is no milestone, so there is nothing to tell the API.",
        "Nothing.",
        "In Transit",
    )
    AUTO_DISPATCHED = (
        "AUTO_DISPATCHED",
        Kind.SKIP,
        "The pickup was already reported when the AWB was pushed with auto dispatch.",
        "Nothing.",
        "Picked Up, auto dispatch true",
    )
    REPEATED_IN_FILE = (
        "REPEATED_IN_FILE",
        Kind.SKIP,
        (
            "Another row of the file reports the same status of this order; the row shares its "
            "outcome."
        ),
        "Nothing.",
        "one row per SKU",
    )
    ALREADY_ACCEPTED = (
        "ALREADY_ACCEPTED",
        Kind.SKIP,
        "The API has already accepted this status of the order.",
        "Nothing.",
        "the same file again",
    )
    STALE = (
        "STALE",
        Kind.SKIP,
        "The API has already accepted a later status of the order.",
        "Nothing.",
        "Picked Up after Delivered",
    )

    # What became of a row that was, or was to be, sent
    API_REFUSED = (
        "API_REFUSED",
        Kind.FAILED,
        "The API refused the update.",
        (
            "Read the API's answer in the message. Correct the row in the rejects file, or see "
            "that the order is in the right state, and upload it again."
        ),
        "D422",
    )
    ANSWER_LOST = (
        "ANSWER_LOST",
        Kind.FAILED,
        "The API's answer was lost, and asking did not show whether the update was accepted.",
        "Look the order up, then retry the file if it was not taken.",
        "timeout",
    )
    ANSWER_UNCLEAR = (
        "ANSWER_UNCLEAR",
        Kind.FAILED,
        "The API's answer does not say whether it accepted the update.",
        (
            "Nothing while the row is `unsent`: it is asked about, and sent again only where it "
            "was not taken. `unknown`: look the order up, then retry the file if it "
            "was not taken."
        ),
        "1 failed, none named",
    )
    EARLIER_FAILED = (
        "EARLIER_FAILED",
        Kind.FAILED,
        "An earlier status of the order failed, so this one was not sent.",
        "Correct the earlier row first; both are in the rejects file.",
        "Delivered after a failed Picked Up",
    )
    EARLIER_OPEN = (
        "EARLIER_OPEN",
        Kind.OPEN,
        (
            "An earlier update of the order, in this file or another, is not settled yet; this one "
            "waits."
        ),
        (
            "Nothing: it goes as soon as the earlier one is settled. Where that ended as "
            "`unknown`: look the order up, and retry the file that has it."
        ),
        "Delivered while Picked Up waits",
    )
    NOT_SENT = (
        "NOT_SENT",
        Kind.OPEN,
        "The update is not sent yet because the API could not be reached.",
        "Nothing: it goes out when the API is back.",
        "API down",
    )
    CANCELLED = (
        "CANCELLED",
        Kind.OPEN,
        "Sending was stopped before this update was sent.",
        "Upload the file again if the update is still wanted.",
        "stopped by somebody",
    )
    RECONCILED = (
        "RECONCILED",
        Kind.SETTLED,
        "The API's answer was lost or unclear; asking for the order showed that it was taken.",
        "Nothing.",
        "timeout, then found",
    )
    ALREADY_THERE = (
        "ALREADY_THERE",
        Kind.SETTLED,
        "The API refused it because the order has this status already, and asking showed that.",
        "Nothing.",
        "order is already in delivery_done",
    )
    RESENT = (
        "RESENT",
        Kind.SETTLED,
        (
            "The API's answer was lost or unclear, and asking did not show the update, so it was "
            "sent again."
        ),
        "Nothing.",
        "timeout, then sent again",
    )

    # The whole file is refused
    EMPTY_FILE = (
        "EMPTY_FILE",
        Kind.REFUSE,
        "The file has no content.",
        "Export the file again and upload it again.",
        "0 bytes",
    )
    TRUNCATED = (
        "TRUNCATED",
        Kind.REFUSE,
        "The file ends in the middle: it was not copied completely.",
        "Copy the file again, completely.",
        "an upload that broke off",
    )
    UNSUPPORTED_TYPE = (
        "UNSUPPORTED_TYPE",
        Kind.REFUSE,
        "The file is not a CSV file or a workbook, whatever its name says.",
        "Save it as CSV or XLSX and upload that.",
        "a PDF named orders.csv",
    )
    PASSWORD_PROTECTED = (
        "PASSWORD_PROTECTED",
        Kind.REFUSE,
        "The workbook is protected by a password.",
        "Save a copy without a password and upload that.",
        "orders.xlsx",
    )
    UNSAFE_WORKBOOK = (
        "UNSAFE_WORKBOOK",
        Kind.REFUSE,
        "The workbook is built in a way that could harm the service.",
        "Open it, save it as a new XLSX and upload that.",
        "a zip bomb",
    )
    FILE_TOO_LARGE = (
        "FILE_TOO_LARGE",
        Kind.REFUSE,
        "The file is larger than the limit.",
        "Split it into several files.",
        "2 GB",
    )
    TOO_MANY_ROWS = (
        "TOO_MANY_ROWS",
        Kind.REFUSE,
        "The file has more rows than the limit.",
        "Split it into several files.",
        "3,000,000 rows",
    )
    TOO_MANY_REJECTS = (
        "TOO_MANY_REJECTS",
        Kind.REFUSE,
        "More rows were rejected than the limit allows, so nothing was sent.",
        "Correct the rows in the rejects file and upload that file instead of the original.",
        "80 of 100 rows",
    )
    WRONG_COLUMN = (
        "WRONG_COLUMN",
        Kind.REFUSE,
        "The order ids are missing, words or another column's: probably the wrong column or file.",
        "Check which column holds the order ids, correct its heading, and upload the file again.",
        "names in the order id column",
    )
    HEADER_NOT_FOUND = (
        "HEADER_NOT_FOUND",
        Kind.REFUSE,
        "The file has no column for something that is needed, or no heading row.",
        (
            "Add a heading row with at least an order id and a status column, named as the "
            "courier's page and its empty manifest show."
        ),
        "no header",
    )
    HEADER_AMBIGUOUS = (
        "HEADER_AMBIGUOUS",
        Kind.REFUSE,
        "Two different rows look like the heading row, or a shipment stands above it.",
        "Keep one heading row per sheet, above its rows.",
        "two tables in one sheet",
    )
    HEADER_DUPLICATE = (
        "HEADER_DUPLICATE",
        Kind.REFUSE,
        "Two columns have the same heading but differ.",
        "Delete or rename the column that is wrong.",
        "Status and Status",
    )
    ID_COLUMN_AMBIGUOUS = (
        "ID_COLUMN_AMBIGUOUS",
        Kind.REFUSE,
        "Two columns could be the order id, or the AWB, and they differ.",
        (
            "Leave only the column with the orders' own ids, or rename the other. If the courier's "
            "files always have both, list the right heading under order_id, or awb, in its profile."
        ),
        "Order No, Sale Order Code",
    )
    CSV_BROKEN = (
        "CSV_BROKEN",
        Kind.REFUSE,
        "A double quote is opened and never closed, which swallows the rest of the file.",
        "Close or remove the quote in the line that the message names.",
        '"Andheri',
    )
    UNREADABLE = (
        "UNREADABLE",
        Kind.REFUSE,
        "The file could not be read.",
        "Open it, save it again and upload it again.",
        "a damaged workbook",
    )
    READ_TOO_LONG = (
        "READ_TOO_LONG",
        Kind.REFUSE,
        "Reading the file took longer than the limit, so it was given up.",
        "Save the table as CSV (UTF-8), or split it into several files.",
        "a workbook built to be read for hours",
    )
    READ_TOO_LARGE = (
        "READ_TOO_LARGE",
        Kind.REFUSE,
        "Reading the file needs more memory than the limit, so it was given up.",
        "Save the table as CSV (UTF-8), which takes little memory, or split it into several files.",
        "a workbook of 500 wide columns and a million rows",
    )
    PROCESSING_FAILED = (
        "PROCESSING_FAILED",
        Kind.REFUSE,
        "The file could not be processed because of an error in the service.",
        "Tell whoever runs the service; the log has the details.",
        "-",
    )

    # A remark about the whole file
    ENCODING_GUESSED = (
        "ENCODING_GUESSED",
        Kind.NOTICE,
        "The file is not UTF-8; its encoding was guessed.",
        "Save the file as UTF-8 if names look wrong.",
        "cp1252",
    )
    HEADER_GUESSED = (
        "HEADER_GUESSED",
        Kind.NOTICE,
        "A heading is not known; it was read as the known one that it is closest to.",
        "Rename the column if that is wrong.",
        "Order Numbr",
    )
    EXAMPLE_SHEET = (
        "EXAMPLE_SHEET",
        Kind.NOTICE,
        "The workbook has a sheet called Example, Sample or Instructions, which was not read.",
        "If its rows are shipments, give the sheet another name and upload the file again.",
        "Sample Data",
    )
    SHEET_NOT_READ = (
        "SHEET_NOT_READ",
        Kind.NOTICE,
        "The workbook has a sheet with rows like shipments and no known header: it was not read.",
        "Give the sheet the heading row of the one that was read and upload the file again.",
        "Sheet2",
    )
    HIDDEN_ROWS = (
        "HIDDEN_ROWS",
        Kind.NOTICE,
        "Rows of a sheet are hidden, perhaps by a filter; they were read and sent like the others.",
        (
            "If hidden rows should not be sent, delete them or copy the visible rows into a new "
            "file."
        ),
        "a filter on Status",
    )
    HIDDEN_SHEET = (
        "HIDDEN_SHEET",
        Kind.NOTICE,
        "The workbook has a hidden sheet with data, which was not read.",
        "Unhide the sheet and upload the file again if it belongs to the manifest.",
        "Sheet2",
    )
    HIDDEN_COLUMN = (
        "HIDDEN_COLUMN",
        Kind.NOTICE,
        "The sheet has hidden columns; where a visible one says the same, they were not read.",
        "Unhide or delete the hidden columns, so that everybody sees what is read.",
        "Status",
    )
    NO_EVENT_TIME = (
        "NO_EVENT_TIME",
        Kind.NOTICE,
        (
            "No event time was read, so nothing shows whether the statuses of the file are old, or "
            "still to come."
        ),
        (
            "Compare the file's dates with what it reports. Give the column of the event time a "
            "heading that the profile knows, or add its heading to the profile."
        ),
        "a file without a column Status Date",
    )
    NO_ROWS = (
        "NO_ROWS",
        Kind.NOTICE,
        "The file has a header and no data rows.",
        "Nothing, or export the file again with its rows.",
        "only headings",
    )
    COURIER_UNKNOWN = (
        "COURIER_UNKNOWN",
        Kind.NOTICE,
        "The named courier has no profile that fits; the file was read as a generic sheet.",
        "Rename the sub-folder to a courier that is known, or add a profile.",
        "inbox/acme/",
    )
    FILE_CHANGED = (
        "FILE_CHANGED",
        Kind.NOTICE,
        (
            "The file was written to after it was taken. Its present version came back into the "
            "inbox and is processed as a file of its own."
        ),
        (
            "Nothing: rows that were sent come out of the other file as duplicates. Next time, "
            "upload under a name that ends in .part, then rename: such a file is never taken early."
        ),
        "an upload that paused for a minute",
    )
    FILE_CONTINUED = (
        "FILE_CONTINUED",
        Kind.NOTICE,
        "This file was taken before it was complete, and written to after that.",
        "Nothing: rows that were reported the first time are duplicates here.",
        "the whole of an upload that paused",
    )


ERRORS = frozenset(code for code in Code if code.kind in {Kind.REJECT, Kind.FAILED, Kind.REFUSE})
"""The codes of which a person must see to something. A summary lists them as errors."""

INFORMATION = frozenset(code for code in Code if code.kind in {Kind.SKIP, Kind.SETTLED})
"""The codes of what is as it should be. A summary lists them as notices, all others as warnings."""
