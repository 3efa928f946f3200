"""Columns that complete the dates of a sheet: newer delivery dates, and times of unlisted names."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from pipeline.validation.columns import ColumnMap, data_header
from schemas.courier import DateRule, Profile
from schemas.date_headings import Told, brings_up_to_date, concerned, event_told
from schemas.vocabulary import DATE_ROLES, Role

_EVENT = "event "
_NEWER = "newer "


def with_dates(mapping: ColumnMap, profile: Profile) -> ColumnMap:
    """Return the columns of a sheet with those that complete its dates, among the helpers.

    Newer: "Updated EDD" beside "EDD". Events: columns whose heading speaks of the time of what
    happened, though no profile lists it; those that speak of any status first.
    """
    used = {*mapping.columns.values(), *mapping.helpers.values()}
    used |= {other for others in mapping.twins.values() for other in others}
    helpers = dict(mapping.helpers)
    told = []
    for at, heading in enumerate(mapping.headers):
        folded = data_header(heading)
        if at in used or not folded or folded in profile.nothing:
            continue
        for role in (Role.PROMISED, Role.ESTIMATED):
            if role in mapping.columns and brings_up_to_date(heading, profile.headers[role]):
                helpers.setdefault(f"{_NEWER}{role}", at)
        event = event_told(heading)
        if at not in helpers.values() and event is not None:
            told.append((event, at))
    helpers |= {f"{_EVENT}{number}": at for number, (_, at) in enumerate(sorted(told))}
    return replace(mapping, helpers=helpers)


def newer(mapping: ColumnMap, role: Role) -> int | None:
    """Return the column with the newer dates of a role, None without one."""
    return mapping.helpers.get(f"{_NEWER}{role}")


def events(mapping: ColumnMap) -> Iterator[tuple[int, Told]]:
    """Give the columns that may hold a row's event time, and of which event."""
    for name, at in mapping.helpers.items():
        told = event_told(mapping.headers[at]) if name.startswith(_EVENT) else None
        if told is not None:
            yield at, told


def date_rules(mapping: ColumnMap, profile: Profile) -> dict[int, DateRule]:
    """Return all columns of a sheet that are read as dates, each with the rule for it."""
    columns = [(at, role) for role, at in mapping.columns.items() if role in DATE_ROLES]
    for role in DATE_ROLES:
        column = newer(mapping, role)
        columns += [] if column is None else [(column, role)]
    columns += [(at, Role.EVENT_TIME) for at, _ in events(mapping)]
    return {at: profile.date_rule(role) for at, role in columns}


def concerns(milestones: npt.NDArray[np.int8], told: Told) -> npt.NDArray[np.bool_]:
    """Return the rows for which a time counts; one of any event also for rows without milestone."""
    wanted = [int(each) for each in concerned(told)] + ([0] if told is Told.EVENT else [])
    found: npt.NDArray[np.bool_] = np.isin(milestones, wanted)
    return found
