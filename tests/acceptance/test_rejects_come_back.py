"""The rejects file is corrected in place and dropped back as it is."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.harness import Delivered, Root, orders, rooted, sheet
from tests.acceptance.stories import Part, together

HEADER = ("Order ID", "Status", "Remark")
WAYS = ["csv", "xlsx", "rounded"]
EATEN = 25


def good(way: str) -> str:
    return f"17328629784861{WAYS.index(way)}46350"


def bad(way: str) -> list[tuple[str, str, str]]:
    number = WAYS.index(way)
    return [
        (f"17328629784861{number}46351", "Deliverd", "=cmd|' /C calc'!A0"),
        (f"17328629784861{number}46352", "Wat", "'quoted"),
        ("", "Delivered", "+91 98"),
    ]


def as_csv(lines: list[dict[str, str]]) -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(lines[0]))
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


class Corrected:
    """Files with bad rows, and the rejects files of each, corrected in one way and dropped back.

    ``first``, ``back``: way → drop. ``sent_of_eaten``: of the file that was refused, before it was
    corrected.
    """

    def __init__(self, root: Root, api: SandboxHandle) -> None:
        self.root = root
        self.api = api
        for way in WAYS:
            rows = [(good(way), "Delivered", "fine"), *bad(way)]
            root.drop(f"{way}.csv", sheet(rows, header=HEADER), folder="xpressbees")
        rows = [("1.77881E+19", "Delivered")] * EATEN
        rows += [(f"GOOD{n}", "Delivered") for n in range(5)]
        root.drop("eaten.csv", sheet([*rows, ("G9", "In Transit")]))
        root.drop("fine.csv", orders(1))
        assert root.once().code == 4
        self.first = {way: root.of(way) for way in WAYS}
        self.eaten = root.of("eaten")
        self.sent_of_eaten = [order for order in api.orders() if order.startswith("GOOD")]
        for way, change in (("csv", in_csv), ("xlsx", in_workbook), ("rounded", rounded)):
            name, content = change(self.first[way])
            root.drop(name, content)
        root.drop("fixed.csv", filled_in(self.eaten))
        assert root.once().code == 3
        parents = {each.summary["parent"]: each for each in root.delivered()}
        self.back = {way: parents[self.first[way].id] for way in WAYS}


def in_csv(first: Delivered) -> tuple[str, str]:
    lines = first.lines("rejects.csv")
    lines[0]["Status"] = lines[1]["Status"] = "Delivered"
    return first.path("rejects.csv").name, as_csv(lines)


def in_workbook(first: Delivered) -> tuple[str, bytes]:
    book = load_workbook(first.path("rejects.xlsx"))
    table = book.worksheets[0]
    header = [cell.value for cell in table[1]]
    for row in (2, 3):
        cell = table.cell(row=row, column=header.index("Status") + 1)
        assert cell.comment is not None
        cell.value = "Delivered"
    out = io.BytesIO()
    book.save(out)
    return first.path("rejects.xlsx").name, out.getvalue()


def rounded(first: Delivered) -> tuple[str, str]:
    """As Excel saves it: the ids lost their digits."""
    lines = first.lines("rejects.csv")
    for line in lines:
        line["Order ID"] = "1.73286E+19" if line["Order ID"] else ""
        line["Status"] = "Delivered"
    return "saved by excel.csv", as_csv(lines)


def filled_in(eaten: Delivered) -> str:
    """The messages quote the damaged value too: the column is corrected, not the text."""
    lines = eaten.lines("rejects.csv")
    for number, line in enumerate(lines[:EATEN]):
        line["Order ID"] = f"FIXED{number}"
    return as_csv(lines)


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corrected]:
    place = tmp_path_factory.mktemp("corrected")
    with running(SandboxConfig()) as api, rooted(place, api.url, api.token) as root:
        yield Corrected(root, api)


@pytest.mark.parametrize("way", WAYS)
def test_what_is_sound_goes_out_at_once(corrected: Corrected, way: str) -> None:
    assert corrected.first[way].counts == {"accepted": 1, "rejected": 3}


@pytest.mark.parametrize("way", ["csv", "xlsx"])
def test_a_corrected_file_sends_only_what_was_corrected(corrected: Corrected, way: str) -> None:
    first, back = corrected.first[way], corrected.back[way]
    back.assert_sound(3)
    assert back.summary["parent"] == first.id
    assert back.summary["courier"] == "xpressbees", "its parent's, though it lies elsewhere"
    assert back.counts == {"accepted": 2, "rejected": 1}
    ids = [good(way), bad(way)[0][0], bad(way)[1][0]]
    sent = [order for call in corrected.api.calls() for order, _ in call["updates"]]
    assert [order for order in sent if order in ids] == ids
    (still,) = back.lines("rejects.csv")
    assert still["_reject_drop"] == back.id
    assert still["_reject_codes"] == "ID_MISSING:order_id"
    assert still["Remark"] == "'+91 98"
    assert [name for name in still if name.startswith("_reject")] == [
        "_reject_row",
        "_reject_codes",
        "_reject_message",
        "_reject_drop",
    ]
    meta = corrected.api.orders(ids[1])[ids[1]]["history"][-1]["meta"]
    assert "=cmd|' /C calc'!A0" in str(meta), "guards of our CSV never reach the API"


def test_ids_that_a_spreadsheet_rounded_on_the_way_are_restored(corrected: Corrected) -> None:
    back = corrected.root.of("saved by excel")
    assert back.counts == {"accepted": 2, "rejected": 1}
    assert "ID_RESTORED" in back.codes
    assert [x["order_id"] for x in back.lines()][:2] == [row[0] for row in bad("rounded")[:2]]


def test_an_id_column_eaten_by_excel_refuses_the_file_and_gives_it_back(
    corrected: Corrected,
) -> None:
    refused = corrected.eaten
    assert refused.summary["refused"]["code"] == "TOO_MANY_REJECTS"
    assert set(refused.summary["rows"].values()) == {0}
    assert corrected.sent_of_eaten == []
    lines = refused.lines("rejects.csv")
    assert len(lines) == 30, "every row but the ignored one: the corrected file replaces it"
    assert [line["_reject_codes"] for line in lines] == ["ID_DAMAGED:order_id"] * 25 + [""] * 5
    told = refused.path("REFUSED.txt").read_text()
    assert f"Rejects:   {refused.path('rejects.xlsx').name}" in told
    assert "  25 rows: ID_DAMAGED. Row 2, " in told
    fixed = corrected.root.of("fixed")
    assert fixed.summary["parent"] == refused.id
    assert fixed.counts == {"accepted": 30}
    assert fixed.summary["corrections"] == {"rows": 30, "fixed": 30}
    # The parent counts no rows of its own; its sender sees all the same how much is mended.
    parent = corrected.root.of(Path(refused.summary["source_file"]).stem)
    assert parent.summary["corrections"] == {"rows": 30, "fixed": 30}


def test_the_workbook_says_what_each_status_means(corrected: Corrected) -> None:
    sheet_of_words = load_workbook(corrected.first["xlsx"].path("rejects.xlsx"))["What to fix"]
    told = {
        word.value: means.value
        for word, means in sheet_of_words.iter_rows(min_row=2, min_col=10, max_col=11)
        if word.value
    }
    assert told["Delivered"] == "Delivered to the customer"
    assert all(told.values())


def test_nothing_to_correct_is_no_correction(corrected: Corrected) -> None:
    assert corrected.root.of("fine").summary["parent"] is None
    assert corrected.root.of("fine").summary["corrections"] is None


def test_nothing_is_sent_twice(corrected: Corrected) -> None:
    stats = corrected.api.stats()
    assert stats["accepted"] == stats["orders"] == 3 * 3 + 30 + 1


def workbook(names: tuple[str, str], ids: tuple[str, str]) -> bytes:
    """A workbook with a wrong row 2 in each of two sheets."""
    book, data = Workbook(), io.BytesIO()
    book.remove(book.active)
    for name, order in zip(names, ids, strict=True):
        tab = book.create_sheet(name)
        tab.append(["Order ID", "Status"])
        tab.append([order, "Nonesuch"])
    book.save(data)
    return data.getvalue()


@together
def test_damaged_ids_of_two_sheets_with_one_row_number_are_told_apart(part: Part) -> Iterator[None]:
    ids = ("12345678901234567", "12345678901234571")
    part.drop("tabs.xlsx", workbook(("North", "South"), ids))
    yield
    text = part.of("tabs").path("rejects.csv").read_text("utf-8-sig")
    assert all(each in text for each in ids)
    for each in ids:  # as a spreadsheet saves them
        text = text.replace(each, "12345678901234600")
    text = text.replace("Nonesuch", "Delivered")
    part.drop("open.csv", text.replace(",North,", ",,").replace(",South,", ",,"))
    yield
    open_lines = part.of("open").lines()
    assert [line["outcome"] for line in open_lines] == ["rejected", "rejected"]
    assert all("ID_DAMAGED:order_id" in line["codes"] for line in open_lines)
    assert all(each in open_lines[0]["message"] for each in ids)
    part.drop("back.csv", text)
    yield
    assert [line["order_id"] for line in part.of("back").lines()] == [*ids]
    assert part.of("back").counts == {"accepted": 2}


@together
def test_what_other_rows_left_open_does_not_go_out_as_it_was(part: Part) -> Iterator[None]:
    """Its rejects file has the group's first row, the tab and the title no more."""
    ways = ("Forward", "RTO", "", "", "Forward", "RTO", "")
    rows = [(f"A{at}", "Delivered", way) for at, way in enumerate(ways)]
    part.drop_rows("legs", rows, ("Order ID", "Status", "Leg"))
    yield
    assert [line["outcome"] for line in part.of("legs").lines()].count("accepted") == 2
    lines = part.of("legs").lines("rejects.csv")
    assert {line["_reject_codes"] for line in lines} == {"STATUS_AMBIGUOUS:status"}
    bare = [each for each in lines if not each["Leg"]]
    said, confirmed = bare[:2]
    said["Status"], confirmed["_reject_codes"] = "RTO Delivered", "CONFIRMED"
    part.drop("back.csv", as_csv(bare))
    copied = [
        {**bare[2], "Order ID": f"B{at}", "_reject_codes": codes}
        for at, codes in enumerate(("CONFIRMED", "STATUS_AMBIGUOUS:status;CONFIRMED"))
    ]
    part.drop("copied.csv", as_csv(copied))
    yield
    assert part.of("copied").counts == {"rejected": 2}, "nobody's word"
    back = part.of("back").lines()
    assert [line["outcome"] for line in back] == ["accepted", "accepted", "rejected"]
    assert back[2]["codes"] == "STATUS_AMBIGUOUS:status"
    assert "it came back as it was" in back[2]["message"]
    part.drop("again.csv", part.of("back").path("rejects.csv").read_text("utf-8-sig"))
    yield
    assert part.of("again").counts == {"rejected": 1}


_WAYS_AROUND = {
    "title.csv": "RTO SHIPMENTS,,\nOrder ID,AWB No,Status\n{},1,Dlvrdd\n{},2,RTO Delivered\n",
    "note.csv": "Order ID,AWB No,Status\n{},1,Dlvrdd\n{},2,RTO Delivered\nAll above are RTO\n",
    "RTO list.csv": "Order ID,AWB No,Status\n{},1,Dlvrdd\n{},2,RTO Delivered\n",
    "group.csv": "Order ID,AWB No,Status,Leg\n{},1,Picked Up,Forward\nZ{},2,RTO Delivered,RTO\n"
    "Y{},3,Dlvrdd,\n",
}


def test_what_a_file_says_around_a_row_holds_it_when_it_comes_back_corrected(root: Root) -> None:
    """It was rejected for another fault, and its rejects file has no title, note, tab or name."""
    for at, (name, text) in enumerate(_WAYS_AROUND.items()):
        root.drop(name, text.replace("{}", f"A{at}", 1).replace("{}", f"B{at}"))
    book = Workbook()
    book.active.title = "RTO"
    for row in (
        ("Order ID", "AWB No", "Status"),
        ("A9", "1", "Dlvrdd"),
        ("B9", "2", "RTO Delivered"),
    ):
        book.active.append(row)
    data = io.BytesIO()
    book.save(data)
    root.drop("tab.xlsx", data.getvalue())
    assert root.once().code == 3
    names = [*(name.removesuffix(".csv") for name in _WAYS_AROUND), "tab"]
    lines = {
        name: [line for line in root.of(name).lines("rejects.csv") if line["Status"] == "Dlvrdd"]
        for name in names
    }
    assert {line["_reject_codes"] for each in lines.values() for line in each} == {
        "STATUS_UNKNOWN:status"
    }
    for at, (line,) in enumerate(lines.values()):
        line["Status"] = "Delivered"
        root.drop(f"corrected {at}.csv", as_csv([line]))
    other = {"_reject_row": "99", "_reject_codes": "STATUS_UNKNOWN:status"}
    root.drop("sorted.csv", as_csv([{**lines["tab"][0], **other}]))
    bare = {k: v for k, v in lines["title"][0].items() if k in WITHOUT_WORDS}
    root.drop("tidied.csv", as_csv([bare]))
    root.once()
    for name in [f"corrected {at}" for at in range(len(names))] + ["tidied", "sorted"]:
        (line,) = root.of(name).lines()
        assert (line["outcome"], line["codes"]) == ("rejected", "STATUS_AMBIGUOUS:status"), name
        assert 'says "' in line["message"], name
    for at, (line,) in enumerate(lines.values()):
        line["_reject_codes"] = "CONFIRMED"
        root.drop(f"meant {at}.csv", as_csv([line]))
    root.once()
    assert {root.of(f"meant {at}").counts["accepted"] for at in range(len(names))} == {1}


WITHOUT_WORDS = ("Order ID", "AWB No", "Status", "_reject_row", "_reject_drop")


def test_a_row_that_a_direction_left_open_goes_when_the_direction_is_corrected(root: Root) -> None:
    header = ("Order ID", "AWB No", "Status", "Shipment Type")
    root.drop("day.csv", sheet([("A1", "1", "Delivered", "RTO")], header))
    assert root.once().code == 3
    (line,) = root.of("day").lines("rejects.csv")
    bare = {k: v for k, v in line.items() if k not in {"_reject_codes", "_reject_message"}}
    root.drop("tidied.csv", as_csv([bare]))
    without = {k: v for k, v in bare.items() if k != "Shipment Type"}
    root.drop("tidier.csv", as_csv([without]))
    lost = {k: v for k, v in line.items() if k not in {"_reject_row", "Shipment Type"}}
    root.drop("lost.csv", as_csv([lost]))
    root.drop("mended.csv", as_csv([{**line, "Shipment Type": "Forward"}]))
    root.once()
    for name in ("tidied", "tidier", "lost"):
        assert root.of(name).codes == {"STATUS_AMBIGUOUS"}, name
    assert root.of("mended").counts == {"accepted": 1}


_DELETED = {
    "Is RTO": ("Yes", "No"),
    "Shipment Type": ("RTO", "Forward"),
    "Is Reverse": ("Yes", "No"),
    "RTO AWB": ("99887766", ""),
    "Live Status": ("RTO Initiated", "Delivered"),
}
"""Columns that may speak against a delivery: a cell that does, and one that does not."""


@together
def test_a_cell_that_spoke_against_a_row_holds_it_also_when_its_column_was_deleted(
    part: Part,
) -> Iterator[None]:
    header = ("Order ID", "AWB No", "Status")
    for at, (heading, cells) in enumerate(_DELETED.items()):
        rows = [(f"{name}{at}", f"{name}9{at}", "Dlvrdd", cells[name == "B"]) for name in "ABC"]
        part.drop_rows(f"day{at}", rows, (*header, heading))
    rows = [("T", "", ""), ("D1", "7701", "Dlvrdd"), ("D2", "7702", "")]
    text = sheet([(order and part.order(order), *rest) for order, *rest in rows], header)
    part.drop("title.csv", text.replace(part.order("T"), "RTO SHIPMENTS"))
    yield
    for at, heading in enumerate(_DELETED):
        lines = [
            line | {"Status": "Delivered"} for line in part.of(f"day{at}").lines("rejects.csv")
        ]
        bare = [{k: v for k, v in line.items() if k != heading} for line in lines]
        part.drop(f"back{at}.csv", as_csv(bare[:2]))
        part.drop(f"lost{at}.csv", as_csv([_without(bare[2], "_reject_row")]))
    under = [
        line | {"Status": "Delivered"}
        for line in part.of("title").lines("rejects.csv")
        if line["AWB No"]
    ]
    for line, lost in zip(under, ("_reject_row", "_reject_drop"), strict=True):
        part.drop(f"title{lost}.csv", as_csv([_without(line, lost)]))
    yield
    for at, (heading, (cell, _)) in enumerate(_DELETED.items()):
        held, sound = part.of(f"back{at}").lines()
        assert (held["outcome"], held["codes"]) == ("rejected", "STATUS_AMBIGUOUS:status"), heading
        assert f'says "{cell}" in the column "{heading}"' in held["message"]
        assert sound["outcome"] == "accepted", heading
        assert part.of(f"lost{at}").counts == {"rejected": 1}, heading
    for lost in ("_reject_row", "_reject_drop"):
        assert part.of(f"title{lost}").counts == {"rejected": 1}, lost


@together
def test_a_corrected_parcel_names_the_row_of_another_that_came_back_as_it_was_held(
    part: Part,
) -> Iterator[None]:
    rows = [("A1", "X1", "Delivered"), ("A1", "X2", "Dlvrdd")]
    part.drop_rows("day", rows, ("Order ID", "AWB No", "Status"))
    yield
    lines = part.of("day").lines("rejects.csv")
    assert [line["_reject_codes"] for line in lines] == [
        "PARCELS_OPEN:awb",
        "STATUS_UNKNOWN:status",
    ]
    lines[1]["Status"] = "Delivered"
    part.drop("back.csv", as_csv(lines))
    lines[0]["_reject_codes"] = "CONFIRMED"
    part.drop("settled.csv", as_csv(lines))
    yield
    held = part.of("back").lines()[1]
    assert (held["outcome"], held["codes"]) == ("rejected", "PARCELS_OPEN:awb")
    assert 'because row 2 is not sent itself, and is about "X1"' in held["message"]
    assert "rejected" not in part.of("settled").counts


@together
def test_the_advice_beside_the_rows_of_a_workbook_says_nothing_of_them(
    part: Part,
) -> Iterator[None]:
    """Its list of statuses stands in the same lines as AWBs from the file: one beside "RTO…"."""
    header = ("Order ID", "AWB No", "Status")
    rows = [(f"W{at}", f"78000{at:05}", f"Nonesuch{'x' * at}") for at in range(11)]
    parcels = [(f"P{at}", f"88100{at:05}") for at in range(5)]
    rows += [(order, awb, "Delivered") for order, awb in parcels]
    rows += [(order, f"9{awb}", "In Transit") for order, awb in parcels]
    part.drop_rows("day", rows, header)
    yield
    book, data = load_workbook(part.of("day").path("rejects.xlsx")), io.BytesIO()
    head, *lines = book.worksheets[0].iter_rows()
    names = [cell.value for cell in head]
    codes, awb_no, status = (names.index(name) for name in ("_reject_codes", *header[1:]))
    for line in lines:
        if str(line[awb_no].value).startswith("881"):
            line[codes].value = "CONFIRMED"
        else:
            line[status].value = "In Transit"
    book.save(data)
    part.drop("back.xlsx", data.getvalue())
    yield
    back = part.of("back")
    assert back.counts["accepted"] == len(parcels), back.lines()
    assert {each["code"] for each in back.summary["warnings"]} == {"NO_EVENT_TIME"}


def _without(line: dict[str, str], name: str) -> dict[str, str]:
    return {heading: cell for heading, cell in line.items() if heading != name}


def test_a_date_that_other_rows_left_open_is_not_sent_when_its_row_comes_back(
    root: Root, api: SandboxHandle
) -> None:
    """Another row had shown that the month comes first, and is not in the rejects file."""
    header = ("Order ID", "AWB No", "Status", "EDD", "Event Time")
    rows = [
        ("A1", "1", "Picked Up", "11/27/2026", "11/25/2026 10:00"),
        ("A2", "2", "Dlvrdd", "11/12/2026", "25 Nov 2026 10:00"),
        ("A3", "3", "Dlvrdd", "11/12/2026", "25 Nov 2026 10:00"),
        ("A4", "4", "Picked Up", "11/27/2026", "11/10/2026 10:00"),
    ]
    root.drop("day.csv", sheet(rows, header))
    root.once()
    lines = {line["Order ID"]: line for line in root.of("day").lines("rejects.csv")}
    assert {"A2", "A3", "A4"} <= lines.keys()
    for order in ("A2", "A3"):
        lines[order]["Status"] = "Picked Up"
    lines["A3"]["EDD"] = "2026-12-11"
    root.drop("back.csv", as_csv([lines[order] for order in ("A2", "A3", "A4")]))
    root.once()
    found = {line["order_id"]: line for line in root.of("back").lines()}
    assert {order: line["outcome"] for order, line in found.items()} == {
        "A2": "accepted", "A3": "accepted", "A4": "rejected",
    }  # fmt: skip
    assert found["A2"]["codes"] == "DATE_DROPPED:estimated_delivery_date"
    assert found["A4"]["codes"].startswith("DATE_INVALID:event_time")
    metas = {order: told["history"][0]["meta"] for order, told in api.orders().items()}
    assert "estimated_delivery_date" not in (metas["A2"] or {})
    assert metas["A3"]["estimated_delivery_date"] == "2026-12-11"


def test_an_id_that_was_damaged_or_became_a_date_is_not_sent_as_it_came_back(root: Root) -> None:
    book = Workbook()
    for row in (("Order ID", "Status"), (1234567, "Delivered"), (True, "Delivered")):
        book.active.append(row)
    book.active["A2"].number_format = '"FY"0'
    data = io.BytesIO()
    book.save(data)
    root.drop("book.xlsx", data.getvalue())
    ids = {"MAR-12": "12-Mar", "1-2": "01-Feb", "12-34": "Dec-34", "2026-11-28": "28-11-2026"}
    root.drop("ids.csv", sheet([(each, "Dlvrdd") for each in ids], ("Order ID", "Status")))
    assert root.once().code == 3
    root.drop("book back.csv", as_csv(root.of("book").lines("rejects.csv")))
    lines = root.of("ids").lines("rejects.csv")
    for line in lines:
        line |= {"Order ID": ids[line["Order ID"]], "Status": "Delivered"}
    root.drop("ids back.csv", as_csv(lines))
    for line in lines:
        line["Order ID"] = {shown: each for each, shown in ids.items()}[line["Order ID"]]
    root.drop("ids right.csv", as_csv(lines))
    root.once()
    assert root.of("book back").counts == {"rejected": 2}
    assert root.of("ids back").codes == {"ID_DAMAGED"}
    assert root.of("ids right").counts == {"accepted": 4}


@together
def test_rows_of_two_drops_in_one_rejects_file_are_each_read_as_their_own_drop_was(
    part: Part,
) -> Iterator[None]:
    header = ("Order ID", "AWB No", "Status")
    # PICKED is no milestone at Unicommerce, and one on people's own sheets.
    first = [("A1", "X1", "DELIVRD"), ("A2", "X2", "PICKD")]
    part.drop_rows("a", first, header, "unicommerce")
    part.drop_rows("b", [("B1", "Y1", "Pickd"), ("B2", "Y2", "Pickd")], header)
    yield
    lines = [*part.of("a").lines("rejects.csv"), *part.of("b").lines("rejects.csv")]
    status = {"A1": "DELIVERED", "A2": "PICKED", "B1": "Picked", "B2": "Pickd"}
    status = {part.order(order): word for order, word in status.items()}
    part.drop("both.csv", as_csv([{**each, "Status": status[each["Order ID"]]} for each in lines]))
    yield
    both = part.of("both")
    outcomes = [line["outcome"] for line in both.lines()]
    assert outcomes == ["accepted", "ignored", "accepted", "rejected"]
    # What is still wrong belongs to the drop it came from, so it is read as that again.
    (left,) = both.lines("rejects.csv")
    assert (left["_reject_drop"], left["_reject_row"]) == (part.of("b").id, "3")
    part.drop("last.csv", as_csv([{**left, "Status": "Picked"}]))
    yield
    assert part.of("last").counts == {"accepted": 1}


@together
def test_a_cell_that_spoke_still_speaks_where_it_was_pasted_under_another_heading(
    part: Part,
) -> Iterator[None]:
    header = ("Order ID", "AWB No", "Status")
    rows = {"a": [("A1", "X1", "Dlvx", "No", "Yes")], "b": [("B1", "Y1", "Dlvx", "No", "Yes")]}
    rows["b"] += [("B2", "Y2", "Dlvx", "Yes", "No"), ("B3", "Y3", "Dlvx", "No", "No")]
    rows["b"] += [("B4", "Y4", "Dlvx", "Yes", "No")]
    part.drop_rows("a", rows["a"], (*header, "Is RTO", "Is COD"))
    part.drop_rows("b", rows["b"], (*header, "Is COD", "Is RTO"))
    yield
    whole = [part.of(name).lines("rejects.csv") for name in "ab"]
    # The second file's lines without its header, below the first one's.
    moved = [dict(zip(whole[0][0], line.values(), strict=True)) for line in whole[1][:3]]
    pasted = [{**line, "Status": "Delivered"} for line in (*whole[0], *moved)]
    part.drop("pasted.csv", as_csv(pasted))
    yield
    outcomes = {line["order_id"]: line["outcome"] for line in part.of("pasted").lines()}
    assert outcomes == {
        part.order("A1"): "accepted",
        part.order("B1"): "rejected",
        part.order("B2"): "rejected",  # Is COD, under Is RTO
        part.order("B3"): "accepted",
    }
    aligned = [{**line, "Status": "Delivered"} for line in (whole[1][3], whole[0][0])]
    part.drop("aligned.csv", as_csv(aligned))
    yield
    assert part.of("aligned").counts.get("rejected", 0) == 0


@together
def test_dates_that_were_pasted_under_each_other_s_headings_are_not_sent(
    part: Part,
) -> Iterator[None]:
    header = ("Order ID", "AWB No", "Status")
    days = ("20-11-2026", "22-11-2026")
    part.drop_rows("a", [("A1", "X1", "Dlvx", *days)], (*header, "EDD", "PDD"))
    rows = [(f"B{at}", f"Y{at}", "Dlvx", *days) for at in range(3)]
    part.drop_rows(
        "b", [*rows, ("B3", "Y3", "Dlvx", days[0], "31-12-1999")], (*header, "PDD", "EDD")
    )
    yield
    (first,), (*moved, aligned, mended) = (part.of(name).lines("rejects.csv") for name in "ab")
    pasted = [dict(zip(first, line.values(), strict=True)) for line in moved]
    pasted[1]["Status"] = "Picked Up"
    rows = [
        {**line, "Status": line["Status"].replace("Dlvx", "Delivered")} for line in (first, *pasted)
    ]
    rows += [{**aligned, "Status": "Delivered"}, {**mended, "Status": "Delivered", "EDD": days[0]}]
    part.drop("pasted.csv", as_csv(rows))
    yield
    assert (
        part.ends("pasted")
        == [("accepted", ""), *[("rejected", "ROW_RAGGED")] * 2] + [("accepted", "")] * 2
    )
    left = part.of("pasted").lines("rejects.csv")
    part.drop("again.csv", as_csv(left[:1]))
    part.drop("meant.csv", as_csv([{**left[1], "_reject_codes": "CONFIRMED"}]))
    yield
    assert part.ends("again") == [("rejected", "ROW_RAGGED")]
    assert part.ends("meant") == [("accepted", "")]


@together
def test_a_row_of_nobodys_drop_among_those_of_several_couriers_is_read_with_care(
    part: Part,
) -> Iterator[None]:
    header = ("Order ID", "AWB No", "Status")
    part.drop_rows("a", [("A1", "X1", "DELIVRD")], header, "unicommerce")
    part.drop_rows("b", [("B1", "Y1", "Pickd")], header, "xpressbees")
    yield
    lines = [*part.of("a").lines("rejects.csv"), *part.of("b").lines("rejects.csv")]
    known = [{**line, "Status": "Delivered"} for line in lines]
    # DISPATCHED is a pickup at Unicommerce, and out for delivery at Delhivery.
    lost = [
        {**lines[0], "_reject_drop": drop, "Order ID": order, "Status": "Dispatched"}
        for drop, order in (("", part.order("C1")), ("d20200101t000000000abcd", part.order("C2")))
    ]
    alone = [{**each, "Order ID": part.order(f"D{at}")} for at, each in enumerate(lost)]
    part.drop("all.csv", as_csv([*known, *lost]))
    added = {**dict.fromkeys(lines[0], ""), "Order ID": part.order("E1"), "Status": "Dispatched"}
    part.drop("alone.csv", as_csv([known[0], *alone, added]))
    yield
    codes = [line["codes"] for line in part.of("all").lines()]
    assert codes == ["", "", *["STATUS_AMBIGUOUS:status"] * 2]
    assert part.ends("alone")[1:] == [
        ("rejected", "STATUS_AMBIGUOUS:status"),
        *[("accepted", "")] * 2,
    ]
    assert "its _reject_drop is empty" in part.of("alone").lines()[1]["message"]
