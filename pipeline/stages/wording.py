"""What a person is told about a cell: the words after "Row 14, Current Status: "."""

from collections.abc import Callable

from pipeline.stages.quoting import quoted
from pipeline.stages.statuses import Seen
from schemas.codes import Code
from schemas.courier import Profile
from schemas.folding import fold
from schemas.likeness import alike
from schemas.rules import Rules
from schemas.statuses import Direction, Doubt, Verdict
from schemas.vocabulary import Role

_MOST_SUGGESTIONS = 200
"""Distinct unknown statuses of a block that get a suggestion; a hostile file may have 50,000."""

_NEAR = 60.0
_EQUAL = 1.0


def about_cell(code: Code, role: Role, profile: Profile, rules: Rules) -> Callable[[str], str]:
    """Return what turns a cell into the words about a fault of an id, date or flag."""
    told = {
        Code.ID_MISSING: _missing_id,
        Code.ID_DAMAGED: lambda cell: (
            f"{quoted(cell)} is an order id that a spreadsheet has rounded. Copy the id again "
            "from its source into a cell formatted as text."
        ),
        Code.ID_INVALID: lambda cell: _invalid_id(cell, profile),
        Code.ID_SUSPECT: lambda cell: (
            f"{quoted(cell)} ends in zeros after the 15th digit, as ids do that a spreadsheet has "
            "rounded. It is sent as it is; compare it with its source."
        ),
        Code.DATE_INVALID: lambda cell: (
            f"{quoted(cell)} is not a date as {profile.title} writes it "
            f"({_order(role, profile)}). Write it like 2026-06-26 14:32."
        ),
        Code.TIME_FUTURE: lambda cell: (
            f"{quoted(cell)} lies more than {rules.future_hours} hours ahead. Correct the date; "
            f"day and month may be swapped ({_order(role, profile)})."
        ),
        Code.DATE_RANGE: lambda cell: (
            f"{quoted(cell)} is more than {rules.range_days} days from today. Correct the date."
        ),
        Code.DATE_DROPPED: lambda cell: (
            f"{quoted(cell)} is not a date within {rules.range_days} days of today "
            f"({_order(role, profile)}), so the row goes without it. Write it like 2026-06-26."
        ),
        Code.NOT_SELF_SHIP: lambda cell: (
            f"{quoted(cell)} says that this order is not self-ship, so its status cannot be "
            "reported here. Remove the row, or correct the column."
        ),
        Code.REASON_NOT_NUMERIC: lambda cell: (
            f"{quoted(cell)} is no reason number, so it is kept in the remark. Write a whole "
            "number from 0 to 999999, or leave it."
        ),
        Code.TEXT_CUT: lambda cell: (
            f"{quoted(cell)} was cut to {rules.text_limit} characters. Shorten it if the end "
            "matters."
        ),
    }
    return told[code]


def _missing_id(cell: str) -> str:
    if not cell.strip():
        return "the order id is missing. Enter it as text."
    return f"{quoted(cell)} is no order id. Enter the order id as text."


def _invalid_id(cell: str, profile: Profile) -> str:
    rule = profile.ids
    kinds = "digits only" if rule.digits_only else "letters and digits, - and _ inside"
    size = (
        f"{rule.min_length} of them"
        if rule.min_length == rule.max_length
        else f"{rule.min_length} to {rule.max_length} of them"
    )
    return (
        f"{quoted(cell)} is not a valid order id ({kinds}, {size}). Enter one order id, exactly "
        "as the order shows it, as text."
    )


def _order(role: Role, profile: Profile) -> str:
    rule = profile.date_rule(role)
    if rule.read_as != "text":
        return rule.read_as.replace("_", " ")
    forms = [f"dd{each}mm" for each in sorted(rule.day_first_with)]
    forms += [f"mm{each}dd" for each in sorted(rule.month_first_with)]
    return ", ".join(forms) if forms else ("day first" if rule.day_first else "month first")


class StatusWords:
    """The words about statuses. One per block: it counts the suggestions it has made."""

    def __init__(self, profile: Profile, type_header: str) -> None:
        self._profile = profile
        self._type_header = type_header
        self._suggested = 0

    def about(self, seen: Seen) -> str:
        """Tell what is wrong, or not to be sent, about one combination."""
        verdict = seen.ruling.verdict
        if verdict is Verdict.MISSING:
            return "the status is missing. Enter the status as the courier gives it."
        if verdict is Verdict.NO_MILESTONE:
            return f"{quoted(seen.status)} is no milestone, so there is nothing to send."
        if verdict is Verdict.AMBIGUOUS:
            return self._ambiguous(seen)
        if verdict is Verdict.UNCONFIRMED:
            return (
                f"{quoted(seen.status)} is not confirmed yet: the profile "
                f'"{self._profile.name}" still marks it as open. Whoever keeps the profile must '
                "say there what it means."
            )
        near = self._suggestion(seen.status)
        return f"{quoted(seen.status)} is not a known status. " + (
            f"Did you mean {near}?"
            if near
            else f"Use one of those that `shipdrop profiles {self._profile.name}` lists."
        )

    def _ambiguous(self, seen: Seen) -> str:
        status = quoted(seen.status)
        if seen.ruling.doubt is Doubt.TYPE:
            pair = (
                f"together with {self._type_header} {quoted(seen.kind)}"
                if seen.kind.strip()
                else f"without a {self._type_header}"
            )
            return f"{status} has no clear meaning {pair}. Correct one of the two."
        if seen.ruling.doubt is Doubt.DIRECTION:
            return f"{status} {self._contradiction(seen)}"
        if seen.ruling.doubt is Doubt.BLANK:
            return (
                f"{status} means one thing on the way out and another on a return, and the row "
                "does not say which. Fill in its direction, or write the status in words."
            )
        if seen.ruling.doubt is Doubt.NUMBER:
            return (
                f"{status} is a bare number that {self._profile.title} gives no meaning. "
                "Write the status in words."
            )
        return (
            f"{status} means different things at different couriers. Write what happened, for "
            'example "RTO Delivered" or "RTO Initiated".'
        )

    def _contradiction(self, seen: Seen) -> str:
        if seen.direction is Direction.UNREADABLE:
            return (
                f"stands beside the direction {quoted(seen.direction_cell)}, which is not known. "
                "Write forward, return or RTO there."
            )
        if seen.direction is Direction.MAYBE_RTO:
            return (
                "may mean delivered to the customer or back to the seller, because the row has an "
                "RTO AWB too. Write which of the two it is."
            )
        return (
            f"contradicts the row's direction, {quoted(seen.direction_cell or seen.direction)}. "
            "Correct one of the two."
        )

    def _suggestion(self, status: str) -> str | None:
        if self._suggested >= _MOST_SUGGESTIONS:
            return None
        self._suggested += 1
        shown = self._profile.statuses.shown
        near = alike(fold(status[:100]), shown, at_least=_NEAR, most=3)
        # As near as makes no difference: naming only one of them would be a guess.
        equal = [key for key, score in near if near[0][1] - score < _EQUAL]
        return " or ".join(quoted(shown[key]) for key in equal) or None
