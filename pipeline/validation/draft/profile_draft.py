"""Write a starting profile as TOML: guesses, their reasons, and what a person has to confirm.

Every guess is marked with a "?", which the profile reader takes for "not confirmed": it stands for
nothing until the mark is deleted (see ``schemas.status_reader.MARK``).
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

from msgspec.structs import replace

from pipeline.core.draft import RoleChoices
from pipeline.validation.draft.column_profile import ColumnFacts, StatusCount, Survey
from pipeline.validation.draft.role_guess import Guess
from schemas.courier import Profile
from schemas.direction_headings import look_of
from schemas.display import quoted
from schemas.normalise import fold, fold_header
from schemas.status_reader import MARK, MEANINGS
from schemas.statuses import Direction, StatusMeaning
from schemas.vocabulary import DATE_ROLES, Milestone, Role

_NEEDED = (Role.ORDER_ID, Role.STATUS)
_SECTIONS: Mapping[Direction, str] = {
    Direction.RETURN: "statuses.on_return",
    Direction.RTO: "statuses.on_rto",
}
_INTRODUCTION = f"""\
# A draft, made by `shipdrop map`. It can be loaded as it is and is safe: an entry that begins with
# "{MARK}", or stands under "unconfirmed", means nothing yet. Rows with such a status are rejected,
# and a column that is marked is not read. To confirm an entry, delete its "{MARK}"; move it where
# it belongs if the guess is wrong. Then put this file into ROOT/couriers and look at the result:
#   shipdrop check FILE --courier {{name}}
"""
_SIGNATURE = "# As `shipdrop map` wrote it; while nothing is changed, it may write it anew: "
_MEANINGS = """\
# What a status may mean:
#   bag_picked, delivery_done, rto_bag_delivered (undelivered, back at the seller),
#   return_bag_in_transit (a customer's return is picked up), return_bag_delivered: these are sent
#   no_milestone: understood, nothing to send      ambiguous: could be two things, row is rejected
"""


def draft_profile(
    name: str,
    title: str,
    *,
    source: str,
    seen: Survey,
    guesses: Sequence[Guess],
    statuses: Sequence[StatusCount],
    generic: Profile,
    choices: RoleChoices | None = None,
) -> str:
    """Write the profile. ``source`` is the sample's name; ``statuses`` as ``count_statuses`` gave.

    ``choices``: what a person said, which stands in it without a mark. A meaning is suggested only
    where the status is a word of ``generic``'s own table, on its own side of the journey, and
    stands beside no status type.
    """
    choices = choices or RoleChoices()
    of_type = next((guess for guess in guesses if guess.role is Role.STATUS_TYPE), None)
    paired = of_type is not None
    called = _listed(choices.file_names or [f"*{name}*"])
    lines = [
        f"# Made from {_plain(quoted(source))}, {seen.rows} rows.",
        "",
        f"name = {_text(name)}",
        f"title = {_text(title)}",
        *(
            [f"file_names = {called}"]
            if choices.file_names
            else [f"# file_names = {called}   # files that are called so are this courier's"]
        ),
        '# zone = "Asia/Kolkata"   # for times without a zone; without it: manifest.timezone',
    ]
    read = {guess.column for guess in guesses}
    tells = [f.header for at, f in enumerate(seen.columns) if at not in read and look_of(f.header)]
    lines.append(
        f"nothing = {_listed(choices.nothing)}"
        if choices.nothing
        else f"# nothing = {_listed(tells or ['...'])}   # headings, tabs, titles, names of files "
        "and number formats of ids that say nothing about an order"
    )
    if choices.parcels:
        lines.append(f"parcels = {_text(choices.parcels)}")
    if of_type is not None:
        mark = "" if of_type.sure else MARK
        needs = "a status only means something with its type"
        lines.append(f"required = [{_text(mark + 'status_type')}]   # {needs}")
    lines += ["", "[headers]", *_headers(guesses, seen, choices, generic)]
    lines += _dates(guesses, seen, choices)
    lines += _directions(statuses, generic)
    if choices.by:
        lines += ["", "[expect]", f"by = {_text(choices.by)}"]
        lines += [f"days = {_listed(choices.days)}"] if choices.days else []
    lines += ["", *_MEANINGS.splitlines(), *_statuses(statuses, generic, choices, paired=paired)]
    if _is_decided(guesses, statuses, choices):
        return "\n".join(["# Made by Shipdrop; a person confirmed every entry.", *lines]) + "\n"
    introduction = _INTRODUCTION.format(name=name).splitlines()
    return _signed("\n".join([*introduction, *lines]) + "\n")


def _is_decided(
    guesses: Sequence[Guess], statuses: Sequence[StatusCount], choices: RoleChoices
) -> bool:
    """Return whether nothing is left that waits for a person."""
    return (
        bool(statuses)
        and all(guess.sure for guess in guesses)
        and all(choices.meaning_of(each.status, each.kind, each.direction) for each in statuses)
    )


def is_untouched(text: str) -> bool:
    """Return whether a profile is a draft that nobody has changed since it was written."""
    return text == _signed("".join(text.splitlines(keepends=True)[:-1]))


def _signed(text: str) -> str:
    """Return the draft with a last line that only fits to it as it was written."""
    return f"{text}{_SIGNATURE}{sha256(text.encode()).hexdigest()[:16]}\n"


def suggestion(each: StatusCount, generic: Profile) -> str:
    """Return the meaning that the canonical vocabulary gives this status, "" where it has none."""
    if each.kind.strip():
        return ""
    side = generic.direction(each.direction)
    ruling = generic.statuses.rule(each.status, direction=side)
    if ruling.meaning is StatusMeaning.MILESTONE:
        return Milestone(ruling.milestone).wire
    return "no_milestone" if ruling.meaning is StatusMeaning.NO_MILESTONE else ""


def _headers(
    guesses: Sequence[Guess], seen: Survey, choices: RoleChoices, generic: Profile
) -> Iterator[str]:
    by_role = {guess.role: guess for guess in guesses}
    for role in _NEEDED:
        if role not in by_role:
            yield f"# {role.value}: no column was found for it. Name it here; without it no file"
            yield f'# {role.value} = ["..."]   # of this courier can be read.'
    for guess in guesses:
        mark = "" if guess.sure else MARK
        yield f"# {_plain(guess.evidence)}"
        yield f"{guess.role.value} = [{_text(mark + guess.header)}]"
    # An empty list keeps a role from the column that generic would read for it.
    headings = {fold_header(facts.header) for facts in seen.columns}
    for role in Role:
        known = headings.intersection(generic.headers.get(role, ()))
        if known and role in choices.none and role not in (*by_role, *_NEEDED):
            yield f"{role.value} = []   # no column, as you said"
    used = {guess.column for guess in guesses}
    unused = [f for at, f in enumerate(seen.columns) if at not in used and f.header]
    if unused:
        yield "# Not read:"
        for facts in unused:
            yield f"#   {_plain(quoted(facts.header))}{_looks(facts)}"


def _looks(facts: ColumnFacts) -> str:
    if not facts.filled:
        return ", empty"
    for count, what in (
        (max(facts.dates, facts.typed_dates), "dates"),
        (facts.long_ids, "order ids"),
        (facts.awbs, "AWB numbers"),
    ):
        if facts.share(count) > 0.5:
            return f", holds what looks like {what}"
    return ""


def _dates(guesses: Sequence[Guess], seen: Survey, choices: RoleChoices) -> Iterator[str]:
    for guess in guesses:
        if guess.role not in DATE_ROLES:
            continue
        if guess.role in choices.day_first:
            yield ""
            yield f"[dates.{guess.role.value}]"
            yield f"day_first = {str(choices.day_first[guess.role]).lower()}"
            continue
        facts = seen.columns[guess.column]
        day = {each: n for each, n in facts.day_first.items() if not facts.month_first[each]}
        month = {each: n for each, n in facts.month_first.items() if not facts.day_first[each]}
        both = sorted(each for each in facts.day_first if facts.month_first[each])
        unsure = [each for each in sorted(facts.either) if each not in {*day, *month, *both}]
        if not (day or month or both or unsure):
            continue
        yield ""
        yield f"[dates.{guess.role.value}]"
        forms = [f"dd{each}mm{each}yyyy" for each in sorted(day)]
        forms += [f"mm{each}dd{each}yyyy" for each in sorted(month)]
        for each, count in (*sorted(day.items()), *sorted(month.items())):
            order = "day" if each in day else "month"
            yield f"# {count} cells with {quoted(each)} can only be read {order} first."
        for each in both:
            yield f"# Dates with {quoted(each)} are written in both orders: ask which one is right."
        for each in unsure:
            yield f"# Dates with {quoted(each)} could be either; day first is the rule: compare"
            yield f'# them with their source. Otherwise: formats = ["mm{each}dd{each}yyyy"]'
        if forms:
            yield f"formats = [{', '.join(_text(form) for form in forms)}]"


def _directions(statuses: Iterable[StatusCount], generic: Profile) -> Iterator[str]:
    words = {fold(each.direction): each.direction for each in statuses}
    strange = [word for word in words.values() if generic.direction(word) is Direction.UNREADABLE]
    if strange:
        yield ""
        yield "[direction]"
        yield "# These words in the direction column are not known; rows with them are rejected"
        yield "# until they stand in one of the lists: forward, return, rto."
        for word in sorted(strange):
            yield f"#   {_plain(quoted(word))}"


def _statuses(
    statuses: Sequence[StatusCount], generic: Profile, choices: RoleChoices, *, paired: bool
) -> Iterator[str]:
    sections: dict[str, list[StatusCount]] = {"statuses": []}
    for each in statuses:
        sections.setdefault(_section(each, generic, paired=paired), []).append(each)
    for section, listed in sections.items():
        if section != "statuses":
            yield ""
        yield f"[{section}]"
        if not statuses:
            yield "# None was found. List them here, each under what it means."
            yield "unconfirmed = []"
        yield from _by_meaning(listed, generic, choices, paired=paired)


def _by_meaning(
    listed: Sequence[StatusCount], generic: Profile, choices: RoleChoices, *, paired: bool
) -> Iterator[str]:
    grouped: dict[str, dict[str, StatusCount]] = {word: {} for word in MEANINGS}
    said: set[str] = set()
    for each in listed:
        word = choices.meaning_of(each.status, each.kind, each.direction)
        if word:
            said.add(fold(each.status))
        else:
            word = (not paired and suggestion(each, generic)) or "unconfirmed"
        same = grouped[word].get(fold(each.status))
        rows = each.rows + (same.rows if same else 0)
        grouped[word][fold(each.status)] = replace(each, rows=rows)
    for word, found in grouped.items():
        if not found:
            continue
        if word == "unconfirmed":
            yield "# No suggestion: move each into the list of what it means."
        elif not said.issuperset(found):
            yield "# Suggested: this is what the word means everywhere else."
        yield f"{word} = ["
        for status, each in found.items():
            mark = "" if status in said or word == "unconfirmed" else MARK
            unit = "row" if each.rows == 1 else "rows"
            yield f"  {_text(mark + each.status)},   # {each.rows} {unit}"
        yield "]"


def _section(each: StatusCount, generic: Profile, *, paired: bool) -> str:
    if paired:
        return f"types.{_key(each.kind)}" if each.kind.strip() else "statuses"
    return _SECTIONS.get(generic.direction(each.direction), "statuses")


def _key(text: str) -> str:
    return text if text.isascii() and text.replace("_", "").isalnum() else _text(text)


def _listed(values: Iterable[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _text(value: str) -> str:
    """Return a TOML string: JSON's escapes are among TOML's, but for the delete character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _plain(text: str) -> str:
    """Return text fit for a comment: on one line, nothing a terminal or TOML would object to."""
    return "".join(char if char.isprintable() else " " for char in text)
