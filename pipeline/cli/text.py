"""A courier profile, a summary and a preflight in words, for people on a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.display import quoted


def in_words(summary: Mapping[str, Any]) -> str:
    """Return the object of a summary.json as one line."""
    if summary["refused"]:
        return f"refused, {summary['refused']['code']}: {summary['refused']['message']}"
    rows = summary["rows"]
    counts = [f"{count} {name}" for name, count in rows.items() if count and name != "total"]
    return ", ".join(counts) or "no rows"


def describe_check(
    name: str, why: str, summary: Mapping[str, Any], more: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the lines about one checked file: outcome, profile, columns, faults, statuses.

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
        yield f"  {where}{_direction(sheet)}"
        yield from (f"  {where}{line}" for line in _unused(sheet))


def _direction(sheet: Mapping[str, Any]) -> str:
    """Say where the direction was taken from."""
    own = [each["column"] for each in sheet["used"] if each["role"] == "direction"]
    named = [f"the column {quoted(heading)}" for heading in own]
    named += [name for name, about in sheet["heard"].items() if about == "direction"]
    if not named:
        return "direction: nothing says one, so shipments are taken to travel forward"
    return f"direction from: {', '.join(named)}"


def _unused(sheet: Mapping[str, Any]) -> Iterator[str]:
    """Tell of the columns that are not read, and whether that matters."""
    uses = {name: f"looked at for the {about}" for name, about in sheet["heard"].items()}
    heard = [
        f"{heading} ({uses[name]})"
        for heading in sheet["unused"]
        if (name := f"the column {quoted(heading)}") in uses
    ]
    others = [each for each in sheet["unused"] if f"the column {quoted(each)}" not in uses]
    if heard:
        yield f"columns that only hold what they contradict: {', '.join(heard)}"
    if others:
        yield (
            f"columns not read: {', '.join(others)}; their cells say nothing of a status or a "
            "direction"
        )


def _statuses(statuses: Any, sound: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    for outcome, said in (("unsent", sound), ("duplicate", ""), ("ignored", "")):
        rows = [each for each in statuses if each["outcome"] == outcome]
        shares = [
            f"{each['count']}× {each['status']}"
            + (f" as {each['order_status']}" if each["order_status"] else "")
            for each in rows
        ]
        if shares:
            yield f"  {said or outcome}: {', '.join(shares)}"


def _remarks(summary: Mapping[str, Any], faults: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Yield faults and warnings, by column; the first example in words, further ones as rows."""
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


def _further(column: Mapping[str, Any], fault: Mapping[str, Any]) -> str:
    examples = next((c["examples"] for c in column["codes"] if c["code"] == fault["code"]), ())
    others = [str(each["row"]) for each in examples if each["row"] != fault["example_row"]]
    return f" Also row{'' if len(others) == 1 else 's'} {', '.join(others)}." if others else ""
