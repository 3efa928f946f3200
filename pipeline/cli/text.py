"""A courier profile, a summary and a preflight in words, for people on a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.courier import Profile
from schemas.statuses import NOTHING, UNCLEAR, UNCONFIRMED, WILDCARD, Meaning
from schemas.vocabulary import Milestone

_WORDS = {
    NOTHING: "No milestone, ignored",
    UNCLEAR: "Ambiguous, rejected",
    UNCONFIRMED: "Not confirmed yet, rejected",
}


def describe_profile(profile: Profile) -> dict[str, list[str]]:
    """Heading → lines: how it is chosen, columns by role, dates, statuses by what they lead to."""
    columns = [
        f"{role.value}{' (required)' if role in profile.required else ''}: {', '.join(headers)}"
        for role, headers in profile.shown_headers.items()
        if headers
    ]
    described = {f"{profile.title} ({profile.name})": _about(profile)}
    if profile.unconfirmed:
        described["Not confirmed yet, so it means nothing"] = list(profile.unconfirmed)
    described["Columns, the preferred heading first"] = columns
    table = profile.statuses
    described |= _by_meaning("", table.base, table.shown)
    if table.nothing_begins:
        begins = ", ".join(table.nothing_begins)
        described["No milestone, ignored, for every other status that begins with"] = [begins]
    for direction, statuses in table.by_direction.items():
        where = f" when the direction is {direction.value or 'blank'}"
        described |= _by_meaning(where, statuses, table.shown)
    for kind, statuses in table.by_type.items():
        where = f" with type {table.shown_types.get(kind, kind)}"
        described |= _by_meaning(where, statuses, table.shown)
    return described


def _about(profile: Profile) -> list[str]:
    """What does not concern single statuses."""
    told = []
    if profile.file_names:
        told.append(f"files called: {', '.join(profile.file_names)}")
    told.append(f"times without a zone: {profile.zone or 'as manifest.timezone says'}")
    for role, rule in profile.dates.items():
        if role not in profile.shown_headers:
            continue
        forms = [f"dd{each}mm" for each in sorted(rule.day_first_with)]
        forms += [f"mm{each}dd" for each in sorted(rule.month_first_with)]
        order = "day first" if rule.day_first else "month first"
        if rule.read_as != "text":
            order = rule.read_as.replace("_", " ")
        told.append(f"{role.value}: {', '.join([*forms, 'else ' * bool(forms) + order])}")
    ids = profile.ids
    if ids.digits_only or (ids.min_length, ids.max_length) != (1, 50):
        kind = "digits" if ids.digits_only else "characters"
        told.append(f"order ids: {ids.min_length} to {ids.max_length} {kind}")
    if profile.auto_dispatch:
        told.append("every order is auto-dispatched: pickups are not sent")
    if profile.reasons:
        told.append(f"reasons: {', '.join(f'{t} = {n}' for t, n in profile.reasons.items())}")
    return told


def _by_meaning(
    where: str, statuses: Mapping[str, Meaning], shown: Mapping[str, str]
) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for key, meaning in statuses.items():
        word = "any other status" if key == WILDCARD else shown.get(key, key)
        grouped.setdefault(_words(meaning) + where, []).append(word)
    return {heading: [", ".join(words)] for heading, words in grouped.items()}


def _words(meaning: Meaning) -> str:
    if meaning > 0:
        return f"Sent as {Milestone(meaning).wire}"
    return _WORDS[meaning]


def in_words(summary: Mapping[str, Any]) -> str:
    """The object of a summary.json as one line."""
    if summary["refused"]:
        return f"refused, {summary['refused']['code']}: {summary['refused']['message']}"
    rows = summary["rows"]
    counts = [f"{count} {name}" for name, count in rows.items() if count and name != "total"]
    return ", ".join(counts) or "no rows"


def describe_check(
    name: str, why: str, summary: Mapping[str, Any], more: Mapping[str, Any]
) -> Iterator[str]:
    """The lines about one checked file: outcome, profile, columns, faults by column, statuses.

    ``more``: see ``pipeline.reporting.check_report``.
    """
    yield f"{name}: {in_words(summary).replace('unsent', 'to be sent')}"
    if more:
        yield f"  read as {summary['courier'] or 'nothing'}: {why}"
    yield from _columns(summary.get("columns", ()))
    sound = "sound" if summary["refused"] else "to be sent"
    yield from _statuses(more.get("statuses", ()), sound)
    yield from _remarks(summary, more.get("faults", ()))


def _columns(sheets: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    for sheet in sheets:
        where = f"sheet {sheet['sheet']}: " if sheet["sheet"] else ""
        used = [f"{each['column']} → {each['role']} ({each['matched']})" for each in sheet["used"]]
        yield f"  {where}columns read: {', '.join(used)}"
        if sheet["unused"]:
            yield f"  {where}columns not read: {', '.join(sheet['unused'])}"


def _statuses(statuses: Any, sound: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    for outcome, said in (("unsent", sound), ("duplicate", ""), ("ignored", "")):
        rows = [each for each in statuses if each["outcome"] == outcome]
        told = [
            f"{each['count']}× {each['status']}"
            + (f" as {each['order_status']}" if each["order_status"] else "")
            for each in rows
        ]
        if told:
            yield f"  {said or outcome}: {', '.join(told)}"


def _remarks(summary: Mapping[str, Any], faults: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Faults and warnings, by column; the first example in words, further ones as rows."""
    said = [*summary["errors"], *summary["warnings"]]
    columns = {each["role"]: each for each in faults}
    for role in dict.fromkeys(each["column"] for each in said):
        column = columns.get(role)
        if column and role:
            rows = column["rows"]
            count = f"{rows} row{'' if rows == 1 else 's'} with a fault" if rows else "warnings"
            yield f"  {column['column']}: {count}"
        else:
            yield "  Whole rows and the file:"
        for each in said:
            if each["column"] != role:
                continue
            label = ":".join(part for part in (each["code"], role) if part)
            further = _further(column, each) if column else ""
            yield f"    {each['count']}× {label}: {each['message']}{further}"


def _further(column: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    examples = next((c["examples"] for c in column["codes"] if c["code"] == told["code"]), ())
    others = [str(each["row"]) for each in examples if each["row"] != told["example_row"]]
    return f" Also row{'' if len(others) == 1 else 's'} {', '.join(others)}." if others else ""
