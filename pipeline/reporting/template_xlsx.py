"""An empty manifest for a courier: text cells, drop-down statuses, a sheet that explains.

Cells are text beforehand, since a spreadsheet rounds an order id that it takes for a number.
"""

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import xlsxwriter
from msgspec import Struct
from xlsxwriter.utility import xl_col_to_name

from schemas.courier import Profile
from schemas.limits import REASON_MOST, TEXT_LENGTH
from schemas.statuses import Direction
from schemas.vocabulary import Milestone, Role

ROWS = 5_000
"""Rows prepared as text; below them a pasted id would be a number again."""

_WIDTH = 24
_NOTES_SHEET = "'What to write'"
_WAYS = {"Forward": Direction.FORWARD, "Return": Direction.RETURN, "RTO": Direction.RTO}
_NOTES: dict[Role, str] = {
    Role.ORDER_ID: "Required. The order id, as text, all its digits.",
    Role.STATUS: "Required. One of the statuses of the list.",
    Role.STATUS_TYPE: "What kind of status it is, as the courier's system writes it.",
    Role.AWB: "The courier's tracking number. Not the order id.",
    Role.REASON_CODE: f"A whole number from 0 to {REASON_MOST}, or empty.",
    Role.REMARK: f"Anything a person should know, up to {TEXT_LENGTH} characters.",
    Role.LOCATION: "Where the shipment was last seen.",
    Role.EVENT_TIME: "When it happened: YYYY-MM-DD HH:MM.",
    Role.PROMISED: "The promised delivery date: YYYY-MM-DD.",
    Role.ESTIMATED: "The expected delivery date: YYYY-MM-DD.",
    Role.DIRECTION: "Whether it is a forward shipment, a return, or on its way back (RTO).",
}


class Offer(Struct, frozen=True, kw_only=True):
    """A status with the value it is sent as. ``beside``: the type or direction it needs."""

    status: str
    wire: str
    beside: str = ""


def template(profile: Profile, *, created: datetime) -> bytes:
    """Give the workbook for a courier's profile, as XLSX bytes."""
    buffer = io.BytesIO()
    workbook = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_numbers": False})
    workbook.set_properties({"title": f"{profile.title} manifest", "created": created})
    pair = pair_role(profile)
    roles = [
        role for role in _NOTES if role in (*profile.required, pair) or _is_common(role, profile)
    ]
    offers = offered(profile)
    _manifest_sheet(workbook, profile, roles, offers, pair)
    _notes_sheet(workbook, profile, roles, offers, pair)
    workbook.close()
    return buffer.getvalue()


def pair_role(profile: Profile) -> Role | None:
    """Return the column that a status of this courier needs to have a meaning, if any."""
    table = profile.statuses
    if table.by_type:
        return Role.STATUS_TYPE
    decided = any(meaning > 0 for each in table.by_direction.values() for meaning in each.values())
    return Role.DIRECTION if decided else None


def offered(profile: Profile) -> tuple[Offer, ...]:
    """Return the statuses that are sent.

    With a pair of columns, the pairs that exist, by their first.

    Each is resolved by the courier's own table, as it will be when the file is read.
    """
    table, pair = profile.statuses, pair_role(profile)
    tables = [table.base, *table.by_type.values(), *table.by_direction.values()]
    keys = dict.fromkeys(key for each in tables for key, meaning in each.items() if meaning > 0)
    beside: Mapping[str, Mapping[str, Any]] = {"": {}}
    if pair is Role.STATUS_TYPE:
        beside = {
            table.shown_types.get(kind, kind): {"status_type": kind} for kind in table.by_type
        }
    elif pair is Role.DIRECTION:
        beside = {
            word: {"direction": way}
            for word, way in _WAYS.items()
            if profile.direction(word) is way
        }
    return tuple(
        Offer(status=table.shown.get(key, key), wire=Milestone(ruling.milestone).wire, beside=word)
        for word, given in beside.items()
        for key in keys
        if (ruling := table.rule(key, **given)).milestone
    )


def _is_common(role: Role, profile: Profile) -> bool:
    return role not in {Role.STATUS_TYPE, Role.DIRECTION} and bool(profile.shown_headers.get(role))


def _manifest_sheet(
    workbook: Any,
    profile: Profile,
    roles: Sequence[Role],
    offers: Sequence[Offer],
    pair: Role | None,
) -> None:
    sheet = workbook.add_worksheet("Manifest")
    text = workbook.add_format({"num_format": "@"})
    bold = workbook.add_format(
        {"bold": True, "bg_color": "#DDE6F3", "bottom": 1, "num_format": "@"}
    )
    sheet.freeze_panes(1, 0)
    for at, role in enumerate(roles):
        sheet.set_column(at, at, _WIDTH, text)
        sheet.write_string(0, at, profile.says(role), bold)
        sheet.write_comment(0, at, _NOTES[role])
    for row in range(1, ROWS + 1):
        sheet.write_blank(row, 0, None, text)
    if not offers:
        return
    statuses = f"={_NOTES_SHEET}!$A$2:$A${len(offers) + 1}"
    if pair:
        beside = list(dict.fromkeys(offer.beside for offer in offers))
        first = xl_col_to_name(roles.index(pair))
        column = f"{_NOTES_SHEET}!$C$1:$C${len(offers) + 1}"
        # The pairs are sorted by their first half: offer those that stand beside this row's.
        statuses = (
            f"=OFFSET({_NOTES_SHEET}!$A$1,MATCH(${first}2,{column},0)-1,0,"
            f"COUNTIF({column},${first}2),1)"
        )
        _offer(sheet, roles.index(pair), f"={_NOTES_SHEET}!$H$2:$H${len(beside) + 1}")
    _offer(sheet, roles.index(Role.STATUS), statuses)


def _offer(sheet: Any, column: int, source: str) -> None:
    sheet.data_validation(
        1,
        column,
        ROWS,
        column,
        {
            "validate": "list",
            "source": source,
            "error_type": "warning",
            "error_title": "Not in the list",
            "error_message": "Statuses in the list are sent; others can stay as they are.",
        },
    )


def _notes_sheet(
    workbook: Any,
    profile: Profile,
    roles: Sequence[Role],
    offers: Sequence[Offer],
    pair: Role | None,
) -> None:
    sheet = workbook.add_worksheet(_NOTES_SHEET.strip("'"))
    bold = workbook.add_format({"bold": True})
    beside = f"with {profile.says(pair)}" if pair else ""
    for at, heading in enumerate(("Status", "Sent as", beside, "", "Column", "What to write")):
        sheet.write_string(0, at, heading, bold)
    for row, offer in enumerate(offers, start=1):
        sheet.write_string(row, 0, offer.status)
        sheet.write_string(row, 1, offer.wire)
        sheet.write_string(row, 2, offer.beside)
    for row, role in enumerate(roles, start=1):
        sheet.write_string(row, 4, profile.says(role))
        sheet.write_string(row, 5, _NOTES[role])
    if pair:
        sheet.write_string(0, 7, profile.says(pair), bold)
        for row, word in enumerate(dict.fromkeys(offer.beside for offer in offers), start=1):
            sheet.write_string(row, 7, word)
    sheet.set_column(0, 4, _WIDTH)
    sheet.set_column(5, 5, 60)
    sheet.set_column(7, 7, _WIDTH)
