"""An empty manifest for a courier: text cells, drop-down statuses, a sheet that explains.

Cells are text beforehand, since a spreadsheet rounds an order id that it takes for a number.
"""

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import xlsxwriter

from pipeline.milestones import Milestone
from pipeline.model import Role
from schemas.courier import Profile

ROWS = 5_000
"""Rows prepared as text; below them a pasted id would be a number again."""

_WIDTH = 24
_NOTES: dict[Role, str] = {
    Role.ORDER_ID: "Required. The order id, as text, all its digits.",
    Role.STATUS: "Required. One of the statuses of the list.",
    Role.STATUS_TYPE: "What kind of status it is, as the courier's system writes it.",
    Role.AWB: "The courier's tracking number. Not the order id.",
    Role.REASON_CODE: "A whole number from 0 to 999999, or empty.",
    Role.REMARK: "Anything a person should know, up to 500 characters.",
    Role.LOCATION: "Where the shipment was last seen.",
    Role.EVENT_TIME: "When it happened: YYYY-MM-DD HH:MM.",
    Role.PROMISED: "The promised delivery date: YYYY-MM-DD.",
    Role.ESTIMATED: "The expected delivery date: YYYY-MM-DD.",
    Role.DIRECTION: "Whether it is a forward shipment, a return, or on its way back (RTO).",
}


def template(profile: Profile, *, created: datetime) -> bytes:
    """Give the workbook for a courier's profile, as XLSX bytes."""
    buffer = io.BytesIO()
    workbook = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_numbers": False})
    workbook.set_properties({"title": f"{profile.title} manifest", "created": created})
    roles = [role for role in _NOTES if role in profile.required or _is_common(role, profile)]
    statuses = _statuses(profile)
    _manifest_sheet(workbook, profile, roles, statuses)
    _notes_sheet(workbook, profile, roles, statuses)
    workbook.close()
    return buffer.getvalue()


def _is_common(role: Role, profile: Profile) -> bool:
    return role not in {Role.STATUS_TYPE, Role.DIRECTION} and bool(profile.shown_headers.get(role))


def _statuses(profile: Profile) -> dict[str, str]:
    """Status as the courier writes it → what becomes of it; only those that are sent."""
    table = profile.statuses
    tables = [table.base, *table.by_type.values(), *table.by_direction.values()]
    return {
        table.shown.get(key, key): Milestone(meaning).wire
        for each in tables
        for key, meaning in each.items()
        if meaning > 0
    }


def _manifest_sheet(
    workbook: Any, profile: Profile, roles: Sequence[Role], statuses: dict[str, str]
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
    if statuses:
        column = roles.index(Role.STATUS)
        listed = f"='What to write'!$A$2:$A${len(statuses) + 1}"
        sheet.data_validation(
            1,
            column,
            ROWS,
            column,
            {
                "validate": "list",
                "source": listed,
                "error_type": "warning",
                "error_title": "Not a status that is sent",
                "error_message": "Statuses of the list are sent; others may be kept as they are.",
            },
        )


def _notes_sheet(
    workbook: Any, profile: Profile, roles: Sequence[Role], statuses: dict[str, str]
) -> None:
    sheet = workbook.add_worksheet("What to write")
    bold = workbook.add_format({"bold": True})
    for at, heading in enumerate(("Status", "Sent as", "", "Column", "What to write")):
        sheet.write_string(0, at, heading, bold)
    for row, (status, wire) in enumerate(statuses.items(), start=1):
        sheet.write_string(row, 0, status)
        sheet.write_string(row, 1, wire)
    for row, role in enumerate(roles, start=1):
        sheet.write_string(row, 3, profile.says(role))
        sheet.write_string(row, 4, _NOTES[role])
    sheet.set_column(0, 3, _WIDTH)
    sheet.set_column(4, 4, 60)
