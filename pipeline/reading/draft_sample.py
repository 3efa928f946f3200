"""From a sample file to a starting profile: read, survey, guess, write.

It runs in the process that reads (``pipeline.reading.process.child_main``): a sample is a
stranger's file like any other.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.core.draft import (
    DraftColumn,
    DraftStatus,
    ProfileDraft,
    RoleChoices,
    Sample,
    SeenColumn,
    Tab,
)
from pipeline.core.errors import DropRefused, SettingsError, StorageError, UsageError
from pipeline.core.model import Limits
from pipeline.reading.read_file import read_manifest
from pipeline.storage.courier_profiles import read_profile
from pipeline.validation.draft.column_profile import (
    Collector,
    ColumnFacts,
    HeadingWords,
    StatusCount,
    count_statuses,
    likely_header,
    no_headings,
    survey,
)
from pipeline.validation.draft.profile_draft import draft_profile, suggestion
from pipeline.validation.draft.role_guess import guess_roles
from schemas.courier import GENERIC, Profile
from schemas.display import quoted
from schemas.normalise import fold
from schemas.profile import builtin_profiles
from schemas.vocabulary import Role

_LINES, _WIDE, _LONGEST = 8, 40, 80
"""The first rows of a file as they are shown: so many, so wide, cells so long."""

_Sheets = Mapping[str, Sequence[Sequence[str]]]
"""A sheet's name → its first rows."""


def make_draft(
    sample: Sample, limits: Limits, known: Mapping[str, Profile] | None = None
) -> ProfileDraft:
    """Make a starting profile from a sample.

    ``known``: profiles; the draft says what these mean by its statuses. Raises
    DropRefused for a file that cannot be read, UsageError for a column that is not there.
    """
    profiles = builtin_profiles()
    generic = profiles[GENERIC]
    data = _bytes(sample)
    sheets = _first_rows(data, sample, limits)
    sheet, header = _header(sheets, sample.choices)
    first = sheets[sheet]
    heading = HeadingWords(header)
    manifest = read_manifest(data, name=sample.path.name, limits=limits, header=heading)
    seen = survey(manifest)
    guesses = guess_roles(seen, profiles, sample.choices)
    at: Mapping[Role, int] = {guess.role: guess.column for guess in guesses}
    statuses = (
        count_statuses(manifest, at[Role.STATUS], at.get(Role.STATUS_TYPE), at.get(Role.DIRECTION))
        if Role.STATUS in at
        else ()
    )
    text = draft_profile(
        sample.name,
        sample.title,
        source=sample.path.name,
        seen=seen,
        guesses=guesses,
        statuses=statuses,
        generic=generic,
        choices=sample.choices,
    )
    try:
        made = read_profile(text, origin=f"{sample.name}.toml")
    except SettingsError as error:  # what we write can be read, what a person says may not fit
        raise UsageError(error.message, hint=error.hint) from error
    return ProfileDraft(
        courier=sample.name,
        text=text,
        rows=seen.rows,
        columns=tuple(
            DraftColumn(
                column=guess.header,
                role=guess.role.value,
                confirmed=guess.sure,
                evidence=guess.evidence,
            )
            for guess in guesses
        ),
        statuses=tuple(
            DraftStatus(
                status=each.status,
                status_type=each.kind,
                direction=each.direction,
                rows=each.rows,
                suggestion=suggestion(each, generic) or None,
                **_elsewhere(each, known or profiles),
                example=each.example,
            )
            for each in statuses
        ),
        unconfirmed=made.unconfirmed,
        seen=tuple(_seen(facts) for facts in seen.columns),
        lines=tuple(tuple(cell[:_LONGEST] for cell in row[:_WIDE]) for row in first[:_LINES]),
        heading=next((at for at, row in enumerate(first) if row == header), 0),
        sheet=sheet,
        sheets=tuple(sheets),
        tabs=tuple(Tab(name=name, rows=rows) for name, rows in seen.tabs),
    )


def _seen(facts: ColumnFacts) -> SeenColumn:
    return SeenColumn(
        heading=facts.header,
        cells=tuple(cell[:_LONGEST] for cell in facts.cells),
        filled=facts.filled,
        distinct=None if facts.values is None else len(facts.values),
        looks={
            "order_id": facts.ids,
            "awb": facts.awbs,
            "date": max(facts.dates, facts.typed_dates),
        },
        order=facts.order,
    )


def _elsewhere(each: StatusCount, profiles: Mapping[str, Profile]) -> dict[str, Any]:
    """Return what other couriers mean by a status, where all that know it mean one thing."""
    if each.kind.strip():
        return {}
    meanings: dict[str, list[str]] = {}
    for profile in profiles.values():
        if fold(each.status) in profile.statuses.base:
            meanings.setdefault(suggestion(each, profile), []).append(profile.title)
    if len(meanings) != 1:
        return {}
    ((meaning, titles),) = meanings.items()
    return {"elsewhere": meaning or None, "elsewhere_by": ", ".join(titles[:2])}


def _header(sheets: _Sheets, choices: RoleChoices) -> tuple[str, Sequence[str]]:
    """Return the row of headings and its sheet.

    Raises UsageError where there is no such sheet or row, DropRefused where nothing looks like one.
    """
    if choices.sheet and choices.sheet not in sheets:
        raise UsageError(f"There is no sheet {quoted(choices.sheet)} with rows in the file.")
    looked = {choices.sheet: sheets[choices.sheet]} if choices.sheet else sheets
    # Whoever chose sheet or row has seen it: a row that does not look like headings will do.
    chosen = bool(choices.sheet) or choices.heading is not None
    found = likely_header(looked, builtin_profiles().values(), choices.columns.values())
    if found is None and not chosen:
        raise no_headings()
    sheet, row = found or next((name, rows[0]) for name, rows in looked.items())
    if choices.heading is None:
        return sheet, row
    if not 0 <= choices.heading < len(sheets[sheet]):
        raise UsageError("There is no such row among the first ones of the file.")
    return sheet, sheets[sheet][choices.heading]


def _first_rows(data: bytes, sample: Sample, limits: Limits) -> _Sheets:
    """Return the first rows of each sheet as the reader cuts them."""
    collector = Collector()
    try:
        read_manifest(data, name=sample.path.name, limits=limits, header=collector)
    except DropRefused:
        if not collector.rows:
            raise
    return collector.by_sheet()


def _bytes(sample: Sample) -> bytes:
    try:
        return sample.path.read_bytes()
    except OSError as error:
        raise StorageError(f"{sample.path.name} cannot be read: {error.strerror}.") from error
