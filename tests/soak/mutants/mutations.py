"""Mutations of sound manifests, each with the updates that may be sent afterwards.

A mutation narrows ``Line.may`` where it puts something into the file that speaks against an update.
It leaves it as it is where the row's own order, AWB and status are still in the file: whether the
row is held then, is the product's to say; what is sent of it must be true.
"""

import csv
import random
from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import timedelta

from tests.fakes.courier_days import (
    BACK,
    DONE,
    HARMLESS,
    NOTHING,
    PICKED,
    RETURNED,
    RETURNING,
    RowOf,
    cell_of,
)
from tests.soak.mutants.manifest import AGAIN, Cell, Line, Mutant, Special

Mutation = Callable[[Mutant], bool | None]
"""Changes a manifest; false where there is nothing for it to change."""

FINALS = {DONE, BACK, RETURNED}
WORDS_FOR_NOTHING = (
    "nan",
    "NULL",
    "None",
    "N/A",
    "#N/A",
    "NaT",
    "<NA>",
    "\\N",
    "-",
    "--",
    "undefined",
)
OUT, RTO, REVERSE = "out", "rto", "reverse"
DIRECTIONS = {
    OUT: ("Forward", "FWD", "forward shipment"),
    RTO: ("RTO", "rts", "Return to Origin", "RTO Shipment"),
    REVERSE: ("Reverse", "RVP", "Reverse Pickup", "Customer Return", "Return"),
}

HARMLESS_ONES: list[Mutation] = []
OTHERS: list[Mutation] = []


def harmless(mutation: Mutation) -> Mutation:
    """Enter a mutation after which everything is sent as before."""
    HARMLESS_ONES.append(mutation)
    return mutation


def spoiling(mutation: Mutation) -> Mutation:
    """Enter one after which rows may be held, or the file refused."""
    OTHERS.append(mutation)
    return mutation


def mutate(mutant: Mutant) -> None:
    """Do one to three things to a manifest; to one of four, harmless ones alone."""
    rng = mutant.rng
    only_harmless = rng.random() < 0.25
    wanted = rng.choice((1, 1, 2, 3))
    for _ in range(20):
        some = HARMLESS_ONES if only_harmless or rng.random() < 0.3 else OTHERS
        mutation = rng.choice(some)
        name = mutation.__name__.strip("_")
        if name in mutant.done or mutation(mutant) is False:
            continue
        mutant.done.append(name)
        mutant.sound &= some is HARMLESS_ONES
        wanted -= 1
        if not wanted:
            return


# -- what narrows -------------------------------------------------------------------------------


def travels(mutant: Mutant, line: Line, way: str) -> None:
    """Narrow to what agrees with the way that the file says a row travels."""
    if way == OUT:
        line.may -= {RETURNING, RETURNED}
    elif way == RTO:
        # 999 and T-000 are "delivered" on the AWB of the row: on an RTO, back to the seller.
        own = mutant.courier in {"ecomexpress", "bluedart"} and DONE in line.may
        line.may &= {BACK}
        line.may |= {BACK} if own else set()
    else:
        line.may &= {RETURNING, RETURNED}


def some_of(mutant: Mutant, lines: Sequence[Line]) -> list[Line]:
    """Return one to three of these rows."""
    return mutant.rng.sample(lines, min(len(lines), mutant.rng.randint(1, 3)))


def ends(mutant: Mutant) -> list[Line]:
    """Return the rows with a final status."""
    return [line for line in mutant.all_lines if line.status in FINALS]


def a_copy(mutant: Mutant, line: Line, *, order: str | None = None) -> Line:
    """Add a row like this one, right below it, below, or first of all."""
    copy = deepcopy(line)
    copy.above = []
    if order is not None:
        copy.order = order
    lines = mutant.second if line in mutant.second else mutant.lines
    at = lines.index(line)
    lines.insert(mutant.rng.choice((at + 1, len(lines), 0)), copy)
    return copy


def say(mutant: Mutant, line: Line, kind: tuple[str, ...]) -> None:
    """Give a row the status that these cells are."""
    for key, cell in zip(("status", "type"), kind, strict=False):
        at = mutant.at(key)
        assert at is not None
        line.cells[at] = cell
    line.status = mutant.day.kinds[kind]
    line.may = set() if line.status == NOTHING else {line.status}


# -- harmless ones ------------------------------------------------------------------------------


@harmless
def _columns_in_another_order(mutant: Mutant) -> None:
    mutant.reorder(mutant.rng.sample(range(len(mutant.keys)), len(mutant.keys)))


@harmless
def _two_columns_swapped(mutant: Mutant) -> bool | None:
    if len(mutant.keys) < 2:
        return False
    places = [*range(len(mutant.keys))]
    first, second = mutant.rng.sample(places, 2)
    places[first], places[second] = second, first
    mutant.reorder(places)
    return None


@harmless
def _harmless_columns(mutant: Mutant) -> None:
    free = [each for each in HARMLESS if not mutant.has(each) and each != "RTO AWB"]
    for heading in mutant.rng.sample(free, min(4, len(free))):

        def cell(line: Line, heading: str = heading) -> str:
            about = RowOf(at=mutant.lines.index(line), when=line.when, status=line.status)
            return cell_of(HARMLESS[heading], about)

        if not mutant.second:
            mutant.insert(heading, cell)


@harmless
def _headings_written_otherwise(mutant: Mutant) -> None:
    def otherwise(heading: str) -> str:
        return mutant.rng.choice(
            (
                heading,
                heading.upper(),
                heading.lower(),
                f" {heading} ",
                heading.replace(" ", "_"),
                heading.replace(" ", "  "),
                heading.replace(" ", "\n"),
                f"{heading} *",
                heading.replace(" ", "\u00a0"),
            )
        )

    mutant.headings = [otherwise(each) for each in mutant.headings]


@harmless
def _wrapped_ids(mutant: Mutant) -> None:
    wrap = mutant.rng.choice(('="{}"', "'{}", "`{}", " {} ", "\u00a0{}", "\ufeff{}", "{}\u200b"))
    at = mutant.at("id")
    assert at is not None
    for line in mutant.all_lines:
        if isinstance(line.cells[at], str):
            line.cells[at] = wrap.format(line.cells[at])


@harmless
def _blank_rows(mutant: Mutant) -> None:
    for line in some_of(mutant, mutant.lines):
        line.above.append([""] * len(mutant.headings))


@harmless
def _titles_above(mutant: Mutant) -> None:
    titles: list[list[Cell]] = [["Daily Status Report"], ["Date", "28-11-2026"], []]
    mutant.top += mutant.rng.sample(titles, mutant.rng.randint(1, 3))


@harmless
def _a_footer(mutant: Mutant) -> None:
    mutant.bottom.append(
        mutant.rng.choice(
            (
                [f"Total: {len(mutant.lines)}"],
                [f"Total records: {len(mutant.lines)}"],
                ["Generated by: admin"],
                ["*** End of report ***"],
            )
        )
    )


@harmless
def _headings_repeated(mutant: Mutant) -> bool | None:
    if mutant.below_headings:
        return False
    for line in some_of(mutant, mutant.lines[1:] or mutant.lines):
        line.above.append([AGAIN])
    return None


@harmless
def _hidden_rows(mutant: Mutant) -> bool | None:
    if not mutant.book:
        return False
    for line in some_of(mutant, mutant.lines):
        line.hidden = True
    return None


@harmless
def _hidden_columns(mutant: Mutant) -> bool | None:
    free = {key for key in mutant.keys if key in HARMLESS}
    if not mutant.book or not free:
        return False
    mutant.hidden |= free
    return None


@harmless
def _begins_elsewhere(mutant: Mutant) -> bool | None:
    if not mutant.book:
        return False
    mutant.origin = (mutant.rng.randrange(6), mutant.rng.randrange(5))
    return None


@harmless
def _another_dialect(mutant: Mutant) -> bool | None:
    if mutant.book:
        return False
    rng = mutant.rng
    mutant.delimiter = rng.choice((",", ";", "\t", "|", "^", "~"))
    mutant.ends = rng.choice(("\r\n", "\n", "\r"))
    mutant.quoting = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    if mutant.ends == "\r":
        # The module leaves a line feed in a cell without quotes then.
        mutant.quoting = csv.QUOTE_ALL
    if mutant.delimiter == ";":
        mutant.first = rng.choice(("", "sep=;\r\n"))
    return None


@harmless
def _another_encoding(mutant: Mutant) -> bool | None:
    if mutant.book:
        return False
    mutant.encoding, mutant.mark = mutant.rng.choice(
        (
            ("utf-8", b"\xef\xbb\xbf"),
            # Behind two marks a quote is data, and a heading over two lines would be two.
            ("utf-8", b"\xef\xbb\xbf" * (1 if "\n" in "".join(mutant.headings) else 2)),
            ("utf-16-le", b"\xff\xfe"),
            ("utf-16-be", b"\xfe\xff"),
        )
    )
    return None


@harmless
def _a_space_before_quotes(mutant: Mutant) -> bool | None:
    mutant.space = not mutant.book
    return mutant.space


@harmless
def _a_delimiter_at_every_end(mutant: Mutant) -> bool | None:
    mutant.trailing = not mutant.book
    return mutant.trailing


@harmless
def _words_for_nothing_in_remarks(mutant: Mutant) -> bool | None:
    at = mutant.at("Remarks")
    if at is None:
        return False
    for line in mutant.all_lines:
        line.cells[at] = mutant.rng.choice(WORDS_FOR_NOTHING)
    return None


@harmless
def _two_tabs(mutant: Mutant) -> bool | None:
    if not mutant.book or len(mutant.lines) < 4 or mutant.second:
        return False
    if any(line.above for line in mutant.lines):  # a title says nothing of the rows of another tab
        return False
    half = len(mutant.lines) // 2
    mutant.second, mutant.lines = mutant.lines[half:], mutant.lines[:half]
    mutant.second_tab = mutant.rng.choice(("Sheet2", "South", "COD"))
    return None


# -- a direction elsewhere ----------------------------------------------------------------------

_WAYS = (OUT, OUT, OUT, RTO, REVERSE)


def _directed(mutant: Mutant, line: Line, way: str) -> None:
    """Let a row travel its way where this one is the way out and it came back."""
    travels(mutant, line, way)


@spoiling
def _a_direction_in_a_column(mutant: Mutant) -> bool | None:
    rng = mutant.rng
    heading = rng.choice(
        (
            "Leg",
            "Direction",
            "Journey",
            "Flow",
            "Forward/Reverse",
            "Trip Type",
            "Kya hua",
            "Movement",
        )
    )
    if mutant.has(heading):
        return False
    told = {id(line): rng.choice(_WAYS) for line in mutant.all_lines}
    mutant.insert(heading, lambda line: rng.choice(DIRECTIONS[told[id(line)]]))
    for line in mutant.all_lines:
        _directed(mutant, line, told[id(line)])
    return None


@spoiling
def _yes_and_no(mutant: Mutant) -> bool | None:
    rng = mutant.rng
    heading, way = rng.choice(
        (
            ("Is RTO", RTO),
            ("RTO Flag", RTO),
            ("Is Reverse Shipment", REVERSE),
            ("RVP Flag", REVERSE),
        )
    )
    if mutant.has(heading):
        return False
    yes, no = rng.choice((("Yes", "No"), ("Y", "N"), ("1", "0"), ("TRUE", "FALSE"), ("true", "")))
    back = {id(line) for line in some_of(mutant, mutant.all_lines)}
    mutant.insert(heading, lambda line: yes if id(line) in back else no)
    for line in mutant.all_lines:
        if id(line) in back:
            travels(mutant, line, way)
    return None


@spoiling
def _filled_where_it_came_back(mutant: Mutant) -> bool | None:
    rng = mutant.rng
    heading = rng.choice(
        ("RTO AWB", "Return AWB", "RTO Delivered Date", "Return Tracking No", "RTO Docket No")
    )
    if mutant.has(heading) or mutant.courier in {"bluedart", "ecomexpress"}:
        return False
    back = {id(line) for line in some_of(mutant, mutant.all_lines)}
    filled = "27-11-2026" if "Date" in heading else "46000099881"
    mutant.insert(heading, lambda line: filled if id(line) in back else "")
    for line in mutant.all_lines:
        if id(line) in back:
            line.may -= {DONE}
            if heading == "RTO AWB":  # the last of the headings for an AWB
                line.awb = line.awb or filled
    return None


@spoiling
def _titles_of_sections(mutant: Mutant) -> bool | None:
    if len(mutant.lines) < 3 or mutant.at("status") == 0:
        return False
    rng = mutant.rng
    at = sorted(rng.sample(range(1, len(mutant.lines)), min(2, len(mutant.lines) - 1)))
    again = rng.random() < 0.5
    way = rng.choice((RTO, REVERSE))
    title = {RTO: "RTO SHIPMENTS", REVERSE: "Reverse Pickups", OUT: "FORWARD"}
    now: str | None = None
    for number, line in enumerate(mutant.lines):
        if number in at:
            now = OUT if now else way
            line.above += [[""] * len(mutant.headings), [title[now]]]
            line.above += [[AGAIN]] if again else []
        if now is not None:
            travels(mutant, line, now)
    return None


@spoiling
def _a_tab_of_its_own(mutant: Mutant) -> bool | None:
    if not mutant.book or "a_tab_that_is_none" in mutant.done:
        return False
    if not mutant.second and _two_tabs(mutant) is False:
        return False
    way = mutant.rng.choice((RTO, REVERSE))
    mutant.second_tab = mutant.rng.choice(
        {RTO: ("RTO", "rto shipments"), REVERSE: ("Reverse Pickup", "RVP")}[way]
    )
    for line in mutant.second:
        travels(mutant, line, way)
    return None


@spoiling
def _a_name_of_a_file(mutant: Mutant) -> bool | None:
    told_by_column = {"ecomexpress", "shiprocket", "clickpost", "unicommerce"}
    if mutant.done or mutant.courier in told_by_column:
        return False
    way = mutant.rng.choice((RTO, REVERSE))
    mutant.stem = mutant.rng.choice(
        {RTO: ("RTO list", "rto_day"), REVERSE: ("reverse pickups", "Return mis")}[way]
    )
    mutant.named_after_rtos = way == RTO
    if way == REVERSE:
        _narrow_by_name(mutant)
    # A column that says a direction would go before it.
    mutant.done += [
        "a_direction_in_a_column",
        "yes_and_no",
        "titles_of_sections",
        "a_tab_of_its_own",
    ]
    return None


def _narrow_by_name(mutant: Mutant) -> None:
    for line in mutant.lines:
        # A row's own words go before the name: of the other statuses only these have none.
        line.may -= {DONE, PICKED}


def _tells_ways_apart(mutant: Mutant) -> bool:
    """Tell whether a sheet has RTOs, pickups and failed attempts (hazard H131).

    A name of RTOs is that of a whole day's file then, and says nothing of its rows.
    """
    at = mutant.at("status")
    assert at is not None
    failed = any("undelivered" in str(line.cells[at]).casefold() for line in mutant.lines)
    return failed and {BACK, PICKED} <= {line.status for line in mutant.lines}


@spoiling
def _an_error_in_a_direction(mutant: Mutant) -> bool | None:
    heading = "RVP/ Forward identifier"
    if not mutant.book or mutant.has(heading):
        return False
    if mutant.courier not in {"generic", "xpressbees", "dtdc", "increff"}:
        return False
    hit = {id(line) for line in some_of(mutant, mutant.all_lines)}
    error = Special(mutant.rng.choice(("#N/A", "#REF!", "=Z99")))
    mutant.insert(heading, lambda line: error if id(line) in hit else "")
    for line in mutant.all_lines:
        if id(line) in hit:
            line.may.clear()
    return None


# -- statuses -----------------------------------------------------------------------------------

_PLAIN = {
    PICKED: "Picked Up",
    DONE: "Delivered",
    BACK: "RTO Delivered",
    RETURNING: "Return Picked Up",
    RETURNED: "Return Delivered",
    NOTHING: "In Transit",
}


@spoiling
def _a_second_status(mutant: Mutant) -> bool | None:
    rng = mutant.rng
    heading = rng.choice(("Latest Scan", "Status Now", "Last Event", "Stage"))
    if mutant.has(heading) or not ends(mutant):
        return False
    hit = {id(line) for line in some_of(mutant, ends(mutant))}

    def cell(line: Line) -> str:
        if id(line) not in hit:
            return _PLAIN[line.status]
        against = "Delivered" if line.status == BACK else "RTO Delivered"
        # Where another column gives the way, Delivered is its end as much as the code is.
        one = line.status == BACK and len(mutant.day.decides) > 1
        return rng.choice(("Undelivered", "Cancelled", "Cancelled" if one else against))

    mutant.insert(heading, cell)
    if rng.random() < 0.2 and mutant.book:
        mutant.hidden.add(mutant.keys[mutant.headings.index(heading)])
        return None
    for line in mutant.all_lines:
        # What is read as another courier's bare words may be nothing to this one.
        if id(line) in hit and mutant.courier != "delhivery":
            line.may -= FINALS
    return None


@spoiling
def _headings_in_two_rows(mutant: Mutant) -> bool | None:
    at = mutant.at("status")
    if mutant.below_headings or at is None or len(mutant.day.decides) > 1:
        return False
    hit = {id(line) for line in some_of(mutant, mutant.all_lines)}
    mutant.insert("", lambda line: "Undelivered" if id(line) in hit else line.cells[at], at=at + 1)
    mutant.below_headings = [""] * len(mutant.headings)
    mutant.below_headings[at : at + 2] = ["Previous", "Current"]
    for line in mutant.all_lines:
        if id(line) in hit:
            line.may.clear()
    return None


@spoiling
def _nothing_for_a_status(mutant: Mutant) -> bool | None:
    at = mutant.at("status")
    assert at is not None
    for line in some_of(mutant, mutant.all_lines):
        line.cells[at] = mutant.rng.choice(WORDS_FOR_NOTHING)
        line.may.clear()
    return None


@spoiling
def _an_error_in_a_status(mutant: Mutant) -> bool | None:
    if not mutant.book:
        return False
    at = mutant.at("status")
    assert at is not None
    for line in some_of(mutant, mutant.all_lines):
        line.cells[at] = Special(mutant.rng.choice(("#N/A", "#REF!", "=Z99", "#VALUE!")))
        line.may.clear()
    return None


@spoiling
def _letters_in_a_status(mutant: Mutant) -> None:
    """Undelivered, Not Delivered, To be delivered, Deliverd: a status by nearly the same word."""
    at = mutant.at("status")
    assert at is not None
    rng = mutant.rng
    for line in some_of(mutant, mutant.all_lines):
        text = str(line.cells[at])
        line.cells[at] = rng.choice(
            (
                f"Un{text}",
                f"Not {text}",
                f"To be {text}",
                f"Partially {text}",
                f"{text}?",
                f"{text} attempt",
                f"{text}, RTO",
            )
        )
        line.may.clear()


@spoiling
def _not_self_ship(mutant: Mutant) -> bool | None:
    if mutant.has("Self Ship") or mutant.has("Is Self Ship"):
        return False
    hit = {id(line) for line in some_of(mutant, mutant.all_lines)}
    mutant.insert("Is Self Ship", lambda line: "No" if id(line) in hit else "Yes")
    for line in mutant.all_lines:
        if id(line) in hit:
            line.may.clear()
    return None


# -- ids ----------------------------------------------------------------------------------------


@spoiling
def _ids_that_a_spreadsheet_rounded(mutant: Mutant) -> None:
    at = mutant.at("id")
    assert at is not None
    how = mutant.rng.randrange(3)
    for line in some_of(mutant, mutant.all_lines):
        digits = f"1{''.join(filter(str.isdigit, line.order))}".ljust(20, "7")[:20]
        rounded = int(digits[:15] + "00000")
        text = f"{rounded / 10**19:.5f}E+19"
        line.cells[at] = rounded if mutant.book and how == 0 else (text, str(rounded))[how % 2]
        line.may.clear()


@spoiling
def _ids_that_a_format_makes(mutant: Mutant) -> bool | None:
    at = mutant.at("id")
    if not mutant.book or at is None:
        return False
    mutant.id_format = mutant.rng.choice(("0" * 11, '"FY"00000000', "000-000-000", "#,##0", "0.00"))
    for number, line in enumerate(mutant.all_lines):
        line.cells[at] = 1_000_000 + mutant.number * 100 + number
        line.order = f"00{line.cells[at]}"
        line.may.clear()
    return None


@spoiling
def _nothing_for_an_id(mutant: Mutant) -> None:
    at = mutant.at("id")
    assert at is not None
    for line in some_of(mutant, mutant.all_lines):
        line.cells[at] = mutant.rng.choice((*WORDS_FOR_NOTHING, ""))
        line.may.clear()


@spoiling
def _an_error_in_an_id(mutant: Mutant) -> bool | None:
    at = mutant.at("id")
    if not mutant.book or at is None:
        return False
    for line in some_of(mutant, mutant.all_lines):
        line.cells[at] = Special(mutant.rng.choice(("#N/A", "#REF!", "=Z99")))
        line.may.clear()
    return None


@spoiling
def _another_id_beside_it(mutant: Mutant) -> bool | None:
    rng = mutant.rng
    at = mutant.at("id")
    assert at is not None
    ours = "order" in mutant.headings[at].casefold()
    heading = rng.choice(
        ("Shipment ID", "Reference No", "Ref No") if ours else ("Order No", "Sale Order No")
    )
    of_ids = [
        "ids_that_a_spreadsheet_rounded",
        "ids_that_a_format_makes",
        "nothing_for_an_id",
        "an_error_in_an_id",
    ]
    if {*mutant.done} & {*of_ids}:
        return False
    # Those would be in a column that is no id any more.
    mutant.done += of_ids
    if mutant.has(heading) or mutant.courier == "unicommerce":
        return False
    orders = dict.fromkeys(line.order for line in mutant.all_lines)
    new = {order: f"{mutant.number:05}{rng.randrange(100)}-{at}" for at, order in enumerate(orders)}
    mutant.insert(heading, lambda line: new[line.order])
    if not ours:
        for line in mutant.all_lines:
            line.order = new[line.order]
    return None


_LOSES_ROWS = [
    "cut_off",
    "a_stray_byte",
    "an_open_quote",
    "shifted_rows",
    "nothing_for_an_id",
    "an_error_in_an_id",
    "ids_that_a_spreadsheet_rounded",
    "ids_that_a_format_makes",
]
"""Mutations that may leave a file with nothing that says of which order a row is."""


def _may_have_two_rows_of_an_order(mutant: Mutant) -> bool:
    """Tell whether each row still says of which order it is; see to it that it stays so."""
    if {*mutant.done} & {*_LOSES_ROWS}:
        return False
    mutant.done += _LOSES_ROWS
    return True


@spoiling
def _an_id_twice_with_two_ends(mutant: Mutant) -> bool | None:
    both = [kind for kind, status in mutant.day.kinds.items() if status in {DONE, BACK}]
    found = [line for line in mutant.lines if line.status in {DONE, BACK}]
    if not found or not _may_have_two_rows_of_an_order(mutant):
        return False
    for line in some_of(mutant, found):
        other = [kind for kind in both if mutant.day.kinds[kind] != line.status]
        if other:
            say(mutant, a_copy(mutant, line), mutant.rng.choice(other))
    return None


@spoiling
def _two_parcels_of_an_order(mutant: Mutant) -> bool | None:
    at = mutant.at("awb")
    found = [line for line in mutant.lines if line.status in {DONE, BACK}]
    still = mutant.day.some(NOTHING)
    if at is None or not found or not still or not _may_have_two_rows_of_an_order(mutant):
        return False
    for line in some_of(mutant, found):
        other = a_copy(mutant, line)
        other.awb = f"55{mutant.number:06}{mutant.rng.randrange(10**4):04}"
        other.cells[at] = other.awb
        say(mutant, other, mutant.rng.choice(still))
        if mutant.courier in {"delhivery", "unicommerce"}:
            # A parcel that was never picked, or a customer's own return, is another matter.
            continue
        line.may -= {line.status}
    return None


@spoiling
def _taken_back_later(mutant: Mutant) -> bool | None:
    at = mutant.at("when")
    found = [line for line in mutant.lines if line.status in {DONE, BACK}]
    still = mutant.day.some(NOTHING)
    if at is None or not found or not still or not _may_have_two_rows_of_an_order(mutant):
        return False
    if "two_headings_swapped" in mutant.done:
        return False
    # Nothing tells which scan was the last where the time's heading is another column's.
    mutant.done.append("two_headings_swapped")
    heading = next(
        h for h in mutant.day.own if h in {"Status Date", "Last Updated At", "Event Time"}
    )
    for line in some_of(mutant, found):
        later = a_copy(mutant, line)
        later.when = line.when + timedelta(hours=26)
        later.cells[at] = cell_of(
            mutant.day.own[heading], RowOf(at=0, when=later.when, status=NOTHING)
        )
        say(mutant, later, mutant.rng.choice(still))
        line.may -= {line.status}
    return None


# -- times --------------------------------------------------------------------------------------


@spoiling
def _long_ago_or_to_come(mutant: Mutant) -> bool | None:
    at = mutant.at("when")
    if at is None or {*mutant.done} & {"a_heading_misspelt", "two_headings_swapped"}:
        return False
    # Nothing tells of a time whose heading is another thing's.
    mutant.done += ["a_heading_misspelt", "two_headings_swapped"]
    rng = mutant.rng
    heading = next(
        h for h in mutant.day.own if h in {"Status Date", "Last Updated At", "Event Time"}
    )
    hit = some_of(mutant, mutant.all_lines)
    for line in hit:
        line.when += timedelta(days=rng.choice((-400, -2000, 30, 300)))
        line.cells[at] = cell_of(
            mutant.day.own[heading], RowOf(at=0, when=line.when, status=line.status)
        )
        line.may.clear()
    if rng.random() < 0.5 and not mutant.has("Actual Delivery Dt"):
        mutant.headings[at] = rng.choice(
            ("Status Update Dt", "status_ts", "Event Dt", "Last Scan Ts")
        )
    return None


@spoiling
def _month_first(mutant: Mutant) -> bool | None:
    at = mutant.at("when")
    if at is None or mutant.courier in {"ekart", "increff"}:
        return False
    for line in mutant.all_lines:
        line.cells[at] = f"{line.when:%m/%d/%Y %H:%M}"
    return None


# -- the table ----------------------------------------------------------------------------------


_BY_A_COLUMN = [
    "a_direction_in_a_column",
    "yes_and_no",
    "filled_where_it_came_back",
    "an_error_in_a_direction",
    "a_second_status",
    "headings_in_two_rows",
    "the_same_heading_twice",
    "not_self_ship",
    "another_id_beside_it",
    "long_ago_or_to_come",
    "month_first",
]
"""Mutations that speak against an update from a cell of its row, which a shift puts elsewhere."""


@spoiling
def _shifted_rows(mutant: Mutant) -> bool | None:
    if {*mutant.done} & {*_BY_A_COLUMN}:
        return False
    mutant.done += _BY_A_COLUMN
    for line in some_of(mutant, mutant.lines):
        more = mutant.rng.choice((True, True, "", "near temple", "Delivered", "RTO", "12"))
        line.shift = mutant.rng.randrange(len(line.cells)), more
    return None


@spoiling
def _a_second_table_in_another_order(mutant: Mutant) -> bool | None:
    if len(mutant.lines) < 2 or len(mutant.headings) < 2:
        return False
    mutant.turned = mutant.rng.randrange(1, len(mutant.lines))
    if mutant.rng.random() < 0.5:
        mutant.lines[mutant.turned].above.append([""])
    return None


@spoiling
def _another_table_below(mutant: Mutant) -> None:
    rng = mutant.rng
    orders = [line.order for line in some_of(mutant, mutant.lines)]
    table: list[list[Cell]] = rng.choice(
        (
            [
                ["Return ID", "Order ID", "Return Status"],
                *(["501", each, "Delivered"] for each in orders),
            ],
            [
                ["Pincode", "City", "Status"],
                ["560001", "Pune", "Delivered"],
                ["411001", "Goa", "Delivered"],
            ],
            [["Status", "Count"], ["Delivered", 12], ["RTO", 3]],
            [
                ["AWB", "Status", "Amount"],
                ["36999", "Delivered", "12"],
                ["36998", "Delivered", "4"],
            ],
        )
    )
    mutant.bottom += [[""] * len(mutant.headings), *table]


@spoiling
def _a_heading_misspelt(mutant: Mutant) -> None:
    rng = mutant.rng
    at = rng.randrange(len(mutant.headings))
    heading = mutant.headings[at]
    if len(heading) > 3:
        place = rng.randrange(1, len(heading) - 1)
        mutant.headings[at] = heading[:place] + heading[place + 1 :]


@spoiling
def _two_headings_swapped(mutant: Mutant) -> bool | None:
    # What a mutation has put there is meant as it stands.
    meant = ("id", "awb", "status", "type", "more ")
    free = [at for at, key in enumerate(mutant.keys) if not key.startswith(meant)]
    if len(free) < 2:
        return False
    first, second = mutant.rng.sample(free, 2)
    headings = mutant.headings
    headings[first], headings[second] = headings[second], headings[first]
    return None


@spoiling
def _a_status_of_something_else(mutant: Mutant) -> bool | None:
    at = mutant.at("status")
    if at is None or "the_same_heading_twice" in mutant.done:
        return False
    mutant.headings[at] = mutant.rng.choice(
        ("Return Status", "Payment Status", "Refund Status", "Previous Status")
    )
    for line in mutant.all_lines:
        line.may.clear()
    return None


@spoiling
def _the_same_heading_twice(mutant: Mutant) -> bool | None:
    at = mutant.at("status")
    assert at is not None
    hit = {id(line) for line in some_of(mutant, mutant.lines)}
    mutant.insert(
        mutant.headings[at],
        lambda line: "Undelivered" if id(line) in hit else line.cells[at],
        at=mutant.rng.choice((at + 1, len(mutant.headings))),
    )
    for line in mutant.lines:
        if id(line) in hit:
            # An attempt that failed is later than the pickup, and says nothing against it.
            line.may &= {PICKED}
    mutant.done.append("a_status_of_something_else")
    return None


@spoiling
def _a_tab_that_is_none(mutant: Mutant) -> bool | None:
    if not mutant.book or (not mutant.second and _two_tabs(mutant) is False):
        return False
    # Nobody reads such a tab, so no other parcel of an order of the first tab may stand there.
    if {line.order for line in mutant.lines} & {line.order for line in mutant.second}:
        return False
    mutant.second_tab = mutant.rng.choice(("Example", "Sample", "Hidden"))
    mutant.second_hidden = mutant.second_tab == "Hidden"
    for line in mutant.second:
        line.may.clear()
    mutant.done.append("a_tab_of_its_own")
    return None


# -- bytes --------------------------------------------------------------------------------------


@spoiling
def _a_stray_byte(mutant: Mutant) -> bool | None:
    if mutant.book or mutant.encoding != "utf-8":
        return False
    byte = mutant.rng.choice((b"\x92", b"\x80", b"\xe9", b"\xff", b"\x00", b"\xc3"))
    share = mutant.rng.random()

    def spoil(data: bytes) -> bytes:
        place = int(share * len(data))
        return data[:place] + byte + data[place:]

    mutant.spoil.append(spoil)
    return None


@spoiling
def _cut_off(mutant: Mutant) -> bool | None:
    if mutant.book and mutant.rng.random() < 0.8:
        return False
    # Where others lack cells too, nothing tells that the last row was cut in its last ones.
    mutant.done.append("shifted_rows")
    if any(line.shift for line in mutant.lines):
        return False
    if len(mutant.lines) < _TO_COMPARE:
        return False  # of a single row nothing tells how long its last cell was
    share = mutant.rng.uniform(0.3 if len(mutant.lines) >= 2 * _TO_COMPARE else 0.7, 1.0)
    mutant.spoil.append(lambda data: data[: int(share * len(data))])
    return None


_TO_COMPARE = 4
"""Rows of a file of which two or more are left when it is cut."""


@spoiling
def _an_open_quote(mutant: Mutant) -> bool | None:
    if mutant.book or mutant.encoding != "utf-8":
        return False
    share = mutant.rng.random()

    def spoil(data: bytes) -> bytes:
        place = data.rfind(mutant.delimiter.encode(), 0, int(share * len(data)))
        return data if place < 0 else data[: place + 1] + b'"' + data[place + 1 :]

    mutant.spoil.append(spoil)
    return None


# -- folders ------------------------------------------------------------------------------------


@spoiling
def _a_folder_without_a_profile(mutant: Mutant) -> bool | None:
    if not mutant.folder or mutant.done:
        return False
    rng = mutant.rng
    name = mutant.folder
    place = rng.randrange(1, len(name) - 1)
    mutant.folder = rng.choice(
        (
            f"{name}-blr",
            f"{name.title()} Surface",
            f"{name}_2",
            name[:place] + name[place + 1 :],
            "acme",
        )
    )
    _keep_the_headings(mutant)
    return None


@spoiling
def _no_folder(mutant: Mutant) -> bool | None:
    if not mutant.folder or mutant.done:
        return False
    mutant.folder = ""
    _keep_the_headings(mutant)
    return None


def _keep_the_headings(mutant: Mutant) -> None:
    """Leave the headings alone, by which alone the courier is told."""
    mutant.done += ["a_heading_misspelt", "two_headings_swapped", "a_status_of_something_else"]


def made(seed: int, number: int, begin: Callable[[int, int], Mutant]) -> Mutant:
    """Make the mutant of this number: the same whenever it is asked for."""
    mutant = begin(seed, number)
    mutate(mutant)
    if mutant.named_after_rtos and not _tells_ways_apart(mutant):
        _narrow_by_name(mutant)
    mutant.rng = random.Random(f"bytes {seed} {number}")
    return mutant
