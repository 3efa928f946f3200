"""The words about missing headings: which they are, which were seen, and the nearest."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from pipeline.core.errors import DropRefused
from schemas.codes import Code
from schemas.courier import GENERIC, Profile
from schemas.direction_headings import is_of_returns
from schemas.display import quoted
from schemas.headings import is_earlier, speaks_of_other
from schemas.normalise import fold, fold_header, is_absent
from schemas.profile import is_awb_like
from schemas.similarity import PROBABLY, alike
from schemas.vocabulary import Role

NO_HEADINGS = "None of its rows looks like a heading row."
_MOST_SEEN = 20
_MOST_NEAR = 2
_LONGEST = 60
"""Headings are short; a longer cell is a remark or an address."""

_DATA = re.compile(r"[0-9]{4,}|^[\W0-9]*[0-9][\W0-9]*$|[0-9]{1,2}[-/.:][0-9]{1,2}")
"""Data, by its look, and no heading: ids, amounts, dates, times of day."""

_TITLE = 2
"""So many cells a line above a table may have."""


_ID = re.compile(r"['#=\"]*[A-Za-z0-9][A-Za-z0-9_/-]{2,49}\"?")
"""How an order id may look in a sheet, its wrappers included."""


def header_missing(
    missing: Sequence[Role],
    headings: Sequence[str],
    profile: Profile,
    *,
    below: Sequence[Sequence[str]] = (),
) -> DropRefused:
    """Build the refusal of a file without a column for some roles.

    ``headings``: the row that is taken for the header; empty when no row looks like one. ``below``:
    rows below it. The message names every missing role and the headings, the hint how to call the
    columns and which headings may have been meant: never one that holds another subject, nor one
    whose cells do not fit.
    """
    wanted = " and ".join(f"the {spoken(role)}" for role in missing)
    shown = [quoted(" ".join(cell.split())) for cell in headings if cell.strip()]
    listed = ", ".join(shown[:_MOST_SEEN])
    if len(shown) > _MOST_SEEN:
        listed += f" and {len(shown) - _MOST_SEEN} more"
    needs = "" if profile.name == GENERIC else f", which files of {profile.title} have"
    seen = f"Columns in the file: {listed}." if listed else NO_HEADINGS
    advice = [_advice(role, headings, profile, below) for role in missing]
    if Role.ORDER_ID in missing and any(is_awb_like(fold_header(cell)) for cell in headings):
        advice.append("an AWB cannot stand in for the order id, so add a column if there is none")
    begin = "" if listed else "put a row of headings above the data: "
    return DropRefused(
        Code.HEADER_NOT_FOUND,
        f"We could not find a column for {wanted}{needs}. {seen}",
        hint=_capitalised(begin + "; ".join(advice)) + ". Then upload the file again.",
    )


def of_messages(why: str) -> DropRefused:
    """Build the refusal of a report on messages to customers; ``why``: what shows that it is."""
    return DropRefused(
        Code.HEADER_NOT_FOUND,
        f"{why}: the statuses are those of messages, not of shipments, and a message that was "
        "delivered is no parcel.",
        hint="Upload the courier's report. If the rows are shipments, add their AWB No.",
    )


def heading_row(
    rows: Sequence[Sequence[str]], known: Collection[str], statuses: Collection[str]
) -> Sequence[str]:
    """Return the row that is most probably the header, () if none looks like one.

    ``known``: folded headings; ``statuses``: folded statuses. The row with the most known headings
    wins, of several the first. A row without any is taken only if nothing in it looks like data:
    no cell with an id, number or date, none that stands in another row as well (cities and names
    repeat, headings do not), and no status, but in a row of several cells above all data (Booked,
    RTO).
    """
    repeated = Counter(word for row in rows for word in {fold(cell) for cell in row})
    best: tuple[int, Sequence[str]] = (-1, ())
    above = True  # of all that looks like data
    for row in rows:
        cells = [cell.strip() for cell in row if cell.strip()]
        if len(cells) > 1 and any(map(looks_like_data, cells)):
            above = False
        held = sum(fold_header(cell) in known for cell in cells if len(cell) <= _LONGEST)
        if held > best[0] and _is_heading_row(
            cells, held, repeated, () if above and len(cells) > _TITLE else statuses
        ):
            best = (held, row)
    return best[1]


def _is_heading_row(
    cells: Sequence[str], held: int, repeated: Mapping[str, int], statuses: Collection[str]
) -> bool:
    data = sum(looks_like_data(cell) for cell in cells)
    if held:  # Order ID, AWB, Status 27-11-2026, Status 28-11-2026
        return data * 2 < len(cells) or 1 < held >= data
    return (
        len(cells) > 1
        and not data
        and len({fold_header(cell) for cell in cells}) == len(cells)
        and not any(repeated[fold(cell)] > 1 or fold(cell) in statuses for cell in cells)
    )


def looks_like_data(cell: str) -> bool:
    """Return whether a cell is none of a heading: an id, an amount, a date, a long text."""
    return len(cell) > _LONGEST or bool(_DATA.search(cell))


def spoken(role: Role) -> str:
    """Return a role as a sentence says it."""
    return "AWB" if role is Role.AWB else role.value.replace("_", " ")


def _advice(
    role: Role, headings: Sequence[str], profile: Profile, below: Sequence[Sequence[str]]
) -> str:
    open_marks = profile.unconfirmed_headers.get(role, ())
    if open_marks and not profile.headers.get(role):
        listed = ", ".join(quoted(mark) for mark in open_marks)
        return (
            f"the column for the {spoken(role)} is not confirmed yet in the profile "
            f'"{profile.name}": delete the "?" before {listed} there if that is the column'
        )
    names = [quoted(name) for name in profile.shown_headers.get(role, ())[:3]]
    advice = f"name the column of the {spoken(role)} {' or '.join(names) or quoted(role.value)}"
    if role is Role.STATUS and is_of_returns(headings):
        return (
            f"{advice} and write what happened, such as Return Picked Up or Return Delivered: the "
            "headings are those of returns"
        )
    several = _all_statuses(headings, profile, below) if role is Role.STATUS else []
    if len(several) > 1:
        listed = " and ".join(map(quoted, several[:_MOST_NEAR]))
        return (
            f"{advice} and write the newest status of each row there: the file has several, such "
            f"as {listed}. If they are of several parcels, give each parcel a row of its own"
        )
    near = _nearest(role, headings, profile, below)
    if near:
        advice += f" (did you mean {' or '.join(quoted(each) for each in near)}?)"
    return advice


def _all_statuses(
    headings: Sequence[str], profile: Profile, below: Sequence[Sequence[str]]
) -> list[str]:
    """Return the headings whose cells are all statuses: Scan 1 and Scan 2, 27-Nov and 28-Nov."""
    found = []
    for at, heading in enumerate(headings):
        cells = [fold(row[at]) for row in below if at < len(row) and not is_absent(fold(row[at]))]
        if heading.strip() and cells and all(cell in profile.statuses.shown for cell in cells):
            found.append(" ".join(heading.split()))
    return [each for each in found if not (speaks_of_other(each) or is_earlier(each))]


def _nearest(
    role: Role, headings: Sequence[str], profile: Profile, below: Sequence[Sequence[str]]
) -> list[str]:
    """Return the headings that come closest to what the role is called, the nearest first."""
    taken = {
        alias
        for other, aliases in profile.headers.items()
        if other is not role
        for alias in aliases
    }
    cells = {
        folded: " ".join(cell.split())
        for at, cell in enumerate(headings)
        if (folded := fold_header(cell))
        and folded not in taken
        and not speaks_of_other(cell)
        and may_hold(role, [row[at] for row in below if at < len(row)], profile)
    }
    if role is Role.ORDER_ID:
        cells = {folded: cell for folded, cell in cells.items() if not is_awb_like(folded)}
    scores: dict[str, float] = {}
    for alias in profile.headers.get(role, ()):
        for folded, score in alike(alias, cells, at_least=PROBABLY, most=_MOST_NEAR):
            scores[folded] = max(score, scores.get(folded, 0.0))
    best = sorted(scores, key=lambda folded: -scores[folded])
    return [cells[folded] for folded in best[:_MOST_NEAR]]


def may_hold(role: Role, cells: Sequence[str], profile: Profile) -> bool:
    """Return whether cells can be those of a role: most of them ids, or one of them a status.

    A column without any, and one for another role, may hold anything.
    """
    filled = [cell.strip() for cell in cells if not is_absent(fold(cell))]
    if not filled:
        return True
    if role is Role.ORDER_ID:
        ids = sum(bool(_ID.fullmatch(cell)) and any(map(str.isdigit, cell)) for cell in filled)
        return ids * 2 > len(filled)
    if role is Role.STATUS:
        return any(fold(cell) in profile.statuses.shown for cell in filled)
    return True


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]
