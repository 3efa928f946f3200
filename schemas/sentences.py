"""The sentences about a row's faults, as they follow "Row 14, Current Status: ".

Each function takes the evidence (the cell as the file has it, or a record of its own) and the
place it was found in, and says what is wrong and what to do. A sentence about the whole row begins
with the colon that follows "Row 14".
"""

from collections.abc import Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from schemas.courier import GENERIC, Profile
from schemas.directions import DAMAGED
from schemas.display import counted, quoted, shown
from schemas.limits import EXACT_DIGITS, FUTURE_HOURS, RANGE_DAYS, REASON_MOST, TEXT_LENGTH
from schemas.normalise import fold
from schemas.parcels import TO_CONFIRM, goes_back
from schemas.statuses import Direction, Doubt, StatusCase, StatusMeaning
from schemas.suggestions import statuses_meant
from schemas.vocabulary import UNCALCULATED, Milestone, Role

_MOST_SUGGESTIONS = 200
"""Distinct unknown statuses of a block that get a suggestion; a hostile file may have 50,000."""


class Place(Struct, kw_only=True):
    """Where evidence was found: in a column for ``role`` of a sheet that ``profile`` reads.

    ``headings``: role → its column's heading as the file has it, the role's name without a column.
    ``suggestions``: gives a number for each "did you mean" that may still be asked in this block.
    """

    profile: Profile
    headings: Mapping[Role, str]
    role: Role | None = None
    suggestions: Iterator[int] = field(default_factory=lambda: iter(range(_MOST_SUGGESTIONS)))

    def at(self, role: Role | None) -> "Place":
        """Return the sheet's column for another role."""
        return replace(self, role=role)


class RowShape(Struct, frozen=True, kw_only=True):
    """The oddity of a row's cells. ``missing``: how many it lacks, from ``heading`` on.

    ``lacking``: the heading of a needed cell among them, "" when none is needed. ``surplus``: the
    first text beyond the last column, whose heading is ``heading``. ``beyond``: text that still
    stands to the right of the last named column in a rejects file that came back.
    """

    missing: int = 0
    lacking: str = ""
    heading: str = ""
    surplus: str = ""
    beyond: str = ""


def shape(row: RowShape, _: Place) -> str:
    """Tell about cells that a row lacks or has too many."""
    if row.beyond:
        return (
            f": {quoted(row.beyond)} still stands to the right of the last named column, so this "
            "row's cells may be shifted. Move them into their columns and empty the rest."
        )
    if row.surplus:
        return (
            f": {quoted(row.surplus)} stands beyond the last column, {quoted(row.heading)}. The "
            "row has a cell too many, probably because of a comma inside a cell. Put that text "
            "into one cell (in a text editor in double quotes), and what follows under its heading."
        )
    text = (
        f": {counted(row.missing, 'cell')} missing at the end, from {quoted(row.heading)} on. Fill "
        "in the row."
    )
    return f"{text} Without its {row.lacking} it cannot be sent." if row.lacking else text


def wider(_: None, __: Place) -> str:
    """Tell about a row that has more cells than others, though the surplus ones are empty."""
    return (
        ": it has more cells than there are columns, unlike most rows, probably because of a comma "
        "inside a cell. Put that text into one cell (in a text editor in double quotes), and what "
        "follows under its heading."
    )


def status_for_id(said: str, _: Place) -> str:
    """Tell about a row with a status in the column of the order ids."""
    return (
        f": {quoted(said)} stands where the order id should, which is a status, so the cells of "
        "this row may be shifted. Move them into their columns."
    )


def awb_for_id(order: str, _: Place) -> str:
    """Tell about a row whose order id looks as other rows' AWBs do, and the other way round."""
    return (
        f": {quoted(order)} stands where the order id should, but other rows have their order ids "
        "and AWBs the other way round. Put each into its own column, and upload the row again."
    )


def nul(headings: tuple[str, ...], _: Place) -> str:
    """Tell about cells with a NUL character in them."""
    named = ", ".join(shown(heading) for heading in headings)
    return f", {named}: the cell holds a NUL character, so it is damaged. Export the row again."


def restored_id(damaged: str, _: Place) -> str:
    """Tell that the id of a row that came back was put back."""
    return (
        f"{quoted(damaged)} is how a spreadsheet shows the id of the rejected row; the id was "
        "taken from there."
    )


def still_blocked(_: str, __: Place) -> str:
    """Tell that a row which came back says nothing new of why it was held."""
    return (
        ": it came back as it was held. Where its status is true of the whole order, tick it "
        f"{TO_CONFIRM}."
    )


def moved(where: tuple[str, str], _: Place) -> str:
    """Tell that a row which came back has a date under another heading than in its own file."""
    column, cell = where
    return (
        f": {quoted(cell)} stands in {column}, and stood in another one in the file that it was "
        "rejected from: its columns have another order. Upload the rejects of each file by "
        f"themselves; where the row is right as it is, tick it {TO_CONFIRM}."
    )


def still_unclear(against: tuple[str, ...] | None, _: Place) -> str:
    """Tell why the status of a row that came back is open: as it was, or by what its file said.

    ``against``: where that file said otherwise, and its words; None for a row that came back as it
    was, () for one that does not name its drop any more.
    """
    if against == ():
        return (
            ": its _reject_drop is empty, and other rows have one: whose word the status is, and "
            "what else its file said, is not known. Copy the cell from the rejects file that the "
            "row is from, or upload that file by itself."
        )
    if against is not None:
        source, words = against
        return (
            f": the file that it was rejected from says {quoted(words)} in {source}, which speaks "
            "against this status. Write what happened; where the status is true as it is, tick "
            f"the row {TO_CONFIRM}."
        )
    return (
        ": it came back as it was, and the file that it was rejected from left open what happened. "
        f"Write what happened; where the status is true as it is, tick the row {TO_CONFIRM}."
    )


def error_cell(cell: str, _: Place) -> str:
    """Tell about a formula's error, or a result that was not stored."""
    if cell == UNCALCULATED:
        return (
            "the result of this cell's formula is not stored in the file. Open it in a spreadsheet "
            "program, save it and upload that."
        )
    if DAMAGED in cell:
        return f"{quoted(cell)} has a byte that is no text. Write yes or no."
    return (
        f"{quoted(cell)} is the error of a formula, not a value. Correct the formula, or type the "
        "value in."
    )


def missing_id(cell: str, _: Place) -> str:
    """Tell that there is no order id."""
    if not cell.strip():
        return (
            "the order id is missing. Enter it as text. Delete the line if it is a title, a note "
            "or a total."
        )
    return f"{quoted(cell)} is not an order id. Enter the order id as text."


def damaged_id(cell: str, _: Place) -> str:
    """Tell about an id that a spreadsheet has rounded."""
    return (
        f"{quoted(cell)} is an order id that a spreadsheet has rounded: its last digits are lost. "
        "Copy the full id from the order's page into a cell formatted as text."
    )


def shown_id(seen: tuple[str, str], _: Place) -> str:
    """Tell about an id that is a number which the sheet shows in another way."""
    shown, stored = seen
    return (
        f"the order id is shown {shown}, stored as {stored}, so it is not certain which is meant. "
        "Format the cells as text and enter the ids as the orders show them, or say in the "
        "courier's profile what the number format means (nothing, or [ids] as_shown)."
    )


def invalid_id(cell: str, place: Place) -> str:
    """Tell about an id of the wrong shape."""
    rule = place.profile.ids
    kinds = "digits only" if rule.digits_only else "letters and digits, - and _ inside"
    size = (
        f"{rule.min_length} of them"
        if rule.min_length == rule.max_length
        else f"{rule.min_length} to {rule.max_length} of them"
    )
    return (
        f"{quoted(cell)} is not a valid order id ({kinds}, {size}). Enter one order id, exactly as "
        "the order shows it, as text."
    )


def odd_id(cell: str, _: Place) -> str:
    """Tell about an id that is a count, a word, a date or two, while the others are none."""
    return (
        f"{quoted(cell)} is unlike the other order ids of the file. Delete the row if it is a "
        "total or a summary; else enter the order id as the order shows it. If this is the order "
        "id, upload the row in a file of its own."
    )


def suspect_id(cell: str, _: Place) -> str:
    """Tell about an id that may have been rounded."""
    return (
        f"{quoted(cell)} ends in zeros after the {EXACT_DIGITS}th digit, as ids do that a "
        "spreadsheet has rounded. It is sent as it is; compare it with its source."
    )


def invalid_time(cell: str, place: Place) -> str:
    """Tell about an event time that is no date, or one of a column that mixes dates."""
    whose = "" if place.profile.name == GENERIC else f"{place.profile.title}: "
    return (
        f"{quoted(cell)} is not a valid date ({whose}{_order(place)}). Write it like "
        "2026-06-26 14:32."
    )


def future_time(cell: str, place: Place) -> str:
    """Tell about an event that has not happened yet."""
    return (
        f"{quoted(cell)} is more than {FUTURE_HOURS} hours in the future. Correct the date; day "
        f"and month may be swapped ({_order(place)})."
    )


def far_time(cell: str, _: Place) -> str:
    """Tell about an event too long ago, or too far ahead."""
    return (
        f"{quoted(cell)} is more than {RANGE_DAYS} days from today, so it is not reported. "
        "Correct the date, or leave the row out."
    )


def dropped_date(cell: str, place: Place) -> str:
    """Tell about a delivery date that the update goes without."""
    return (
        f"{quoted(cell)} is not a date within {RANGE_DAYS} days of today ({_order(place)}), so the "
        "row is sent without it. Write it like 2026-06-26."
    )


def early_date(cell: str, _: Place) -> str:
    """Tell about a delivery date of long before its row's event, or past beside one ahead."""
    return (
        f"{quoted(cell)} is months before what the row reports, or has passed while that lies "
        "ahead, as where two columns are exchanged. The row is sent without it. Write it like "
        "2026-06-26."
    )


def two_way_time(cell: str, place: Place) -> str:
    """Say that day and month of an event time are ambiguous."""
    return f"{_two_way(cell, place)} Write it like 2026-06-26 14:32."


def two_way_date(cell: str, place: Place) -> str:
    """Say that day and month of a delivery date are ambiguous."""
    return f"{_two_way(cell, place)} The row is sent without it. Write it like 2026-06-26."


def _two_way(cell: str, place: Place) -> str:
    role = place.role or Role.EVENT_TIME
    said = (
        "no date of its column shows which"
        if place.profile.date_rule(role).auto
        else f"other cells of the file contradict the profile ({_order(place)})"
    )
    return f"{quoted(cell)} can be read day first and month first, and {said}."


def stale_reason(cell: str, _: Place) -> str:
    """Tell about the reason of a failed attempt beside a delivery."""
    return f"{quoted(cell)} is the reason of a failed attempt; the delivery is sent without it."


def not_self_ship(cell: str, _: Place) -> str:
    """Tell that the order is not self-ship."""
    return (
        f"{quoted(cell)} says that this order is not self-shipped, so it is not reported here. "
        "Leave the row out, or correct the column."
    )


def reason_in_words(cell: str, _: Place) -> str:
    """Tell about a reason that is no number."""
    return (
        f"{quoted(cell)} is not a reason number, so it was put into the remark. Write a whole "
        f"number from 0 to {REASON_MOST}, or leave it as it is."
    )


def cut_text(cell: str, _: Place) -> str:
    """Tell about a text that is too long."""
    return f"{quoted(cell)} was cut to {TEXT_LENGTH} characters. Shorten it if the end matters."


def auto_dispatched(_: str, __: Place) -> str:
    """Tell about a pickup that was reported when the AWB was pushed."""
    return "the pickup was already reported by auto dispatch."


def status(case: StatusCase, place: Place) -> str:
    """Say why a status with its type and direction is rejected or not sent."""
    wording = _ABOUT_STATUS.get(case.ruling.meaning, _unknown)
    return wording(case, place)


def _missing(_: StatusCase, __: Place) -> str:
    return (
        "the status is missing. Enter the status as the courier gives it. Delete the line if it is "
        "a summary."
    )


def _no_milestone(case: StatusCase, _: Place) -> str:
    return f"{quoted(case.status)} does not need to be reported."


def _unconfirmed(case: StatusCase, place: Place) -> str:
    return (
        f'{quoted(case.status)} is not confirmed yet: the profile "{place.profile.name}" still '
        "marks it as open. Whoever keeps the profile must say there what it means."
    )


def _unknown(case: StatusCase, place: Place) -> str:
    near = _suggestion(case.status, place)
    return f"{quoted(case.status)} is not a known status. " + (
        f"Did you mean {near}?"
        if near
        else f"Write what happened in a known word{_such_as(place)}."
    )


def _such_as(place: Place) -> str:
    """Name statuses of several meanings, as the profile writes them in words."""
    plain = ("picked up", "out for delivery", "delivered", "rto delivered")
    known = place.profile.statuses.shown
    named = [quoted(known[word]) for word in plain if word in known]
    return f", such as {' or '.join(named)}" if named else ""


def _ambiguous(case: StatusCase, place: Place) -> str:
    said = quoted(case.status)
    if case.ruling.doubt is Doubt.TYPE:
        type_heading = place.headings[Role.STATUS_TYPE]
        pair = (
            f"together with {type_heading} {quoted(case.kind)}"
            if case.kind.strip()
            else f"without a {type_heading}"
        )
        return f"{said} has no clear meaning {pair}. Correct one of the two."
    if case.ruling.doubt is Doubt.OTHER:
        return (
            f"{said} is another status than {quoted(case.direction_cell)} in {case.source}, and "
            "nothing says which of the two holds. Correct the one that is wrong and upload the "
            "file again; if it is always the same one, the courier's profile can say so."
        )
    if case.ruling.doubt is Doubt.COURIER:
        return (
            f"{said} does not mean that at {case.source}. If it is that courier's file, put it "
            "into its folder."
        )
    if case.ruling.doubt is Doubt.EVIDENCE:
        return f"{said} {_elsewhere(case, place)}"
    if case.ruling.doubt is Doubt.DIRECTION:
        return f"{said} {_elsewhere(case, place) if case.source else _contradiction(case)}"
    if case.ruling.doubt is Doubt.BLANK:
        return (
            f"{said} means one thing on the way out and another on a return, and the row does not "
            "say which. Fill in its direction, or write the status in words."
        )
    if case.ruling.doubt is Doubt.NUMBER:
        return (
            f"{said} is a bare number that {place.profile.title} gives no meaning. Write the "
            "status in words."
        )
    return f"{said} means different things at different couriers. {_what_happened(case, place)}"


def _what_happened(case: StatusCase, place: Place) -> str:
    way = case.way or case.direction
    if way in {Direction.RETURN, Direction.MAYBE_RETURN}:
        such = f", for example {_WORDS_OF_WAY[way]}"
    elif fold(case.status) == "returned":
        such = f", for example {_WORDS_OF_WAY[Direction.BACK]}"
    elif goes_back(case.status):
        such = ', for example "RTO Delivered" or "RTO Initiated"'
    else:
        such = _such_as(place)
    return f"Write what happened{such}."


_ABOUT_STATUS = {
    StatusMeaning.MISSING: _missing,
    StatusMeaning.NO_MILESTONE: _no_milestone,
    StatusMeaning.AMBIGUOUS: _ambiguous,
    StatusMeaning.UNCONFIRMED: _unconfirmed,
}


def _contradiction(case: StatusCase) -> str:
    if case.direction is Direction.UNREADABLE:
        return (
            f"stands beside the direction {quoted(case.direction_cell)}, which is not known. Write "
            "forward, return or RTO there."
        )
    if case.direction is Direction.MAYBE_RTO:
        return (
            "may mean delivered to the customer or back to the seller, because the row has an RTO "
            "AWB too. Write which of the two it is."
        )
    return (
        f"contradicts the row's direction, {quoted(case.direction_cell or case.direction)}. "
        "Correct one of the two."
    )


_WAYS = {
    Direction.FORWARD: "the shipment travels forward",
    Direction.RETURN: "the shipment is a customer's return",
    Direction.RTO: "the shipment went back to the seller",
    Direction.MAYBE_RTO: "the shipment may have gone back to the seller",
    Direction.MAYBE_RETURN: "the shipment may be a customer's return",
    Direction.BACK: "the shipment came back",
    Direction.UNDELIVERED: "the shipment was not delivered",
    Direction.WITHDRAWN: "somebody took the row back",
    Direction.DENIED: "this did not happen",
}


_WORDS_OF_WAY = {
    Direction.RTO: '"RTO Delivered"',
    Direction.MAYBE_RTO: '"RTO Delivered"',
    Direction.RETURN: '"Return Picked Up" or "Return Delivered"',
    Direction.MAYBE_RETURN: '"Return Picked Up" or "Return Delivered"',
    Direction.BACK: '"RTO Delivered" or "Return Delivered"',
}
"""Direction → statuses that name it; none of where nothing says which way was taken."""


def _elsewhere(case: StatusCase, place: Place) -> str:
    """Tell that something in the file speaks against the status."""
    said = quoted(case.direction_cell) if case.direction_cell else ""
    cell = "" if said in case.source else f" ({said})"  # a tab "RTO" is named once
    if case.direction is Direction.UNREADABLE:
        return (
            f"stands beside {case.source}{cell}, which is not a known direction. Write "
            "forward, return or RTO there. Where the column means nothing, whoever keeps the "
            "courier's profile says so there."
        )
    against = f"does not fit {case.source}{cell}, which says that {_WAYS[case.direction]}."
    words = _WORDS_OF_WAY.get(case.direction)
    such = f", such as {words}" if words else ""
    if case.source.startswith("the column "):
        return (
            f"{against} If that is so, write what happened{such}. If it is wrong, correct that "
            "cell and upload the file again, with its column."
        )
    delivered = place.profile.statuses.rule(case.status).milestone == Milestone.DELIVERY_DONE
    true = "the customer has it" if delivered else "the status is true as it is"
    return (
        f"{against} If that is so, write what happened{such}. If {true}, tick the row "
        f"{TO_CONFIRM}. {_CLEARED.get(case.source, _NOT_CLEARED)}"
    )


_NOT_CLEARED = (
    "Where that holds for many rows, fill CONFIRMED down the column; removing the words from the "
    "file is not enough."
)
_CLEARED = {
    "the name of the file": "If only the name is wrong, rename the file and upload it again.",
    "the name of its folder": "If only the folder is wrong, upload the file into another one.",
}


def _suggestion(said: str, place: Place) -> str | None:
    if next(place.suggestions, None) is None:
        return None
    table = place.profile.statuses
    meant = [
        word
        for word in statuses_meant(said[:100], table.shown)
        if table.rule(word).doubt is not Doubt.LISTED
    ]
    return " or ".join(map(quoted, meant)) or None


def _order(place: Place) -> str:
    rule = place.profile.date_rule(place.role or Role.EVENT_TIME)
    if rule.read_as != "text":
        return rule.read_as.replace("_", " ")
    forms = [f"dd{each}mm" for each in sorted(rule.day_first_with)]
    forms += [f"mm{each}dd" for each in sorted(rule.month_first_with)]
    return ", ".join(forms) if forms else ("day first" if rule.day_first else "month first")
