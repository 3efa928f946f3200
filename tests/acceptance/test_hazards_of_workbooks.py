"""Errors, number formats and hidden rows of workbooks, beside the values of cells."""

import io
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import xlsxwriter

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root
from tests.acceptance.test_hazards_of_reading import sent
from tests.fakes import hostile_files
from tests.fakes.ole2 import ole2, xls
from tests.fakes.workbooks import ods

HEADER = ["Order ID", "Status", "Is Reverse", "Last Scan Date"]
WHEN = "26-11-2026 10:00"


def made(write: Callable[[Any, Any], None]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        write(book, book.add_worksheet())
    return out.getvalue()


def changed(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace bytes in the parts of a workbook, which must be there."""
    out = io.BytesIO()
    found = 0
    with zipfile.ZipFile(io.BytesIO(data)) as was, zipfile.ZipFile(out, "w", 8) as now:
        for name in was.namelist():
            part = was.read(name)
            found += part.count(old)
            now.writestr(name, part.replace(old, new))
    assert found
    return out.getvalue()


def test_error_cells_are_found_where_a_table_does_not_begin_in_column_a(
    root: Root, api: SandboxHandle
) -> None:
    def write(_: Any, sheet: Any, first: int) -> None:
        sheet.write_row(0, first, HEADER)
        for row in range(1, 5):
            sheet.write_row(row, first, [f"A{row}-{first:02}", "Delivered", "No", WHEN])
        sheet.write_formula(2, first + 2, "=NA()", None, "#N/A")
        sheet.write_formula(3, first + 3, "=A1", None, "#REF!")

    firsts = (0, 1, 27)
    for first in firsts:
        root.drop(f"shifted{first}.xlsx", made(partial(write, first=first)))
    assert root.once().code == 3
    assert [order for order, _ in sent(api)] == [f"A{at}-{n:02}" for at in (1, 4) for n in firsts]
    for first in firsts:
        codes = [line["codes"] for line in root.of(f"shifted{first}").lines()]
        assert codes == ["", "CELL_INVALID:direction", "CELL_INVALID:event_time", ""]


def test_an_error_in_a_further_column_of_directions_holds_its_row(
    root: Root, api: SandboxHandle
) -> None:
    def write(_: Any, sheet: Any, first: int) -> None:
        sheet.write_row(4, first, ["Order ID", "Status", "Is RTO", "RTO AWB"])
        for row in range(1, 5):
            sheet.write_row(row + 4, first, [f"A{row}-{first}", "Delivered", "No", ""])
        sheet.write_formula(6, first + 2, "=NA()", None, "#N/A")
        sheet.write_formula(7, first + 2, "=A1", None, "#REF!")
        sheet.write_formula(8, first + 3, "=NA()", None, "#N/A")

    def write_open(_: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, ["Order ID", "Status", "Shipment Type"])
        for row in range(1, 3):
            sheet.write_row(row, 0, [f"F{row}", "Delivered"])
            sheet.write_formula(row, 2, '=IF(B2>1,"RTO","Forward")', None, "?")

    no_results = changed(changed(made(write_open), b"<v>?</v>", b""), b' t="str"', b"")
    root.drop("formula.xlsx", no_results)
    firsts = (0, 1, 3)
    for first in firsts:
        root.drop(f"shifted{first}.xlsx", made(partial(write, first=first)))
    assert root.once().code == 3
    assert [order for order, _ in sent(api)] == [f"A{at}-{n}" for at in (1, 4) for n in firsts]
    for first in firsts:
        assert "#REF!" in root.of(f"shifted{first}").lines()[2]["message"]
    assert "Shipment Type" in root.of("formula").lines()[0]["message"]


def test_a_tab_of_what_was_not_delivered_holds_deliveries(root: Root, api: SandboxHandle) -> None:
    named = {"Cancelled": ["X1"], "Not Delivered": ["X2"], "Lost Nov": ["X3"]}
    root.drop("day.xlsx", tabs(**named, Delivered=["A1"], Cancelled_or_delivered=["A2"]))
    assert root.once().code == 3
    assert [order for order, _ in sent(api)] == ["A1", "A2"]


def test_error_cells_of_xls_and_ods_that_begin_elsewhere(root: Root, api: SandboxHandle) -> None:
    rows: list[Sequence[object]] = [
        ["", *HEADER],
        ["", "A1", "Delivered", "No", WHEN],
        ["", "A2", "Delivered", ValueError("#N/A"), WHEN],
    ]
    root.drop("old.xls", ole2({"Workbook": xls(rows)}))
    root.drop("open.ods", ods([[*row] if row[1] != "A2" else ["", "B2", *row[2:]] for row in rows]))
    assert root.once().code == 3
    assert sent(api) == [("A1", "delivery_done")]
    for stem in ("old", "open"):
        assert root.of(stem).lines()[1]["codes"] == "CELL_INVALID:direction"


def test_an_error_cell_that_closes_itself_hides_no_other(root: Root, api: SandboxHandle) -> None:
    def write(_: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ["A1", "Delivered"])
        sheet.write_formula(1, 2, "=A9", None, "#REF!")
        sheet.write_row(1, 3, [WHEN])

    data = made(write)
    data = changed(data, b'<c r="C2"', b'<c r="B2" t="e"/><c r="C2"')
    data = changed(data, b'<c r="C2" t="e">', b"<c\tt = 'e'\n r='C2'>")
    root.drop("closed.xlsx", data)
    assert root.once().code == 3
    assert sent(api) == []


NOT_WELL_FORMED = {
    "a cell": (b'</v></c></row><row r="4"', b'</row><row r="4"'),
    "a row": (b'</row><row r="3"', b'<row r="3"'),
    "the sheet": (b"</sheetData>", b""),
    "a shared text": (b"<t>A2</t></si>", b"<t>A2</si>"),
    "an attribute twice": (b' r="A3"', b' r="A3" r="A3"'),
}


def test_xml_that_is_not_well_formed_is_refused(root: Root, api: SandboxHandle) -> None:
    def write(_: Any, sheet: Any) -> None:
        for row, cells in enumerate((HEADER[:1], ["A1"], ["A2"], ["A3"])):
            sheet.write_row(row, 0, cells)
            if row != 1:
                sheet.write(row, 1, "Delivered" if row else "Status")

    for name, (old, new) in NOT_WELL_FORMED.items():
        root.drop(f"{name}.xlsx", changed(made(write), old, new))
    assert root.once().code == 4
    for name in NOT_WELL_FORMED:
        refused = root.of(name).summary["refused"]
        assert refused["code"] == "UNREADABLE", name
        assert "not well-formed" in refused["message"], name
    assert sent(api) == []


FORMATS = {
    "0000000000": "0012345679",
    '"FYMP"00000': "FYMP12345679",
    "000-000": "12345-679",
    "#,##0": "12,345,679",
    "0.00E+00": "in the format 0.00E+00",
}


def test_an_id_that_a_number_format_makes_is_damaged(root: Root, api: SandboxHandle) -> None:
    def write(book: Any, sheet: Any, heading: str, at: int) -> None:
        sheet.write_row(0, 1, [heading, "Status", "Amount"])
        for row, code in enumerate([*FORMATS, "0", "@", "General", "[Red]0"], start=1):
            number = 12345679 if code in FORMATS else 12345679 + 10 * at + row
            sheet.write_number(row, 1, number, book.add_format({"num_format": code}))
            sheet.write_row(row, 2, ["Delivered"])
            sheet.write_number(row, 3, 5, book.add_format({"num_format": "0.00"}))

    headings = ("Order ID", "Order d", "Our Order Code")
    for at, heading in enumerate(headings):
        root.drop(f"formats{at}.xlsx", made(partial(write, heading=heading, at=at)))
    assert root.once().code == 3
    sound = [12345679 + 10 * at + row for at in range(len(headings)) for row in (6, 7, 8, 9)]
    assert [order for order, _ in sent(api)] == [str(number) for number in sound]
    for at, heading in enumerate(headings):
        told = root.of(f"formats{at}").lines()
        for line, shown in zip(told, FORMATS.values(), strict=False):
            assert line["codes"] == "ID_DAMAGED:order_id", heading
            assert f"{shown}, stored as 12345679" in line["message"]


def test_a_profile_says_what_a_number_format_of_ids_means(root: Root, api: SandboxHandle) -> None:
    codes = ('"FYMP"00000', "0000000000", "000-000", "0.0000E+00")
    says = f"nothing = ['{codes[0]}', '{codes[3]}']\n[ids]\nas_shown = ['{codes[1]}']\n"
    root.path.joinpath("couriers").mkdir()
    root.path.joinpath("couriers", "acme.toml").write_text(
        f'name = "acme"\n{says}[statuses]\ndelivery_done = ["Delivered"]\n', encoding="utf-8"
    )

    def write(book: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, ["Order ID", "Status"])
        for row, code in enumerate(codes, start=1):
            sheet.write_number(row, 0, 654321 + row, book.add_format({"num_format": code}))
            sheet.write(row, 1, "Delivered")

    root.drop("day.xlsx", made(write), folder="acme")
    assert root.once().code == 3
    done = [(order, "delivery_done") for order in ("0000654323", "654322", "654325")]
    assert sent(api) == done
    assert root.of("day").lines()[2]["codes"] == "ID_DAMAGED:order_id"
    assert "0000000000" in root.run("profiles", "acme").out


WAYS = '[=1]"Forward";[=2]"RTO";0'

#: A cell that a row has other than ``A1, Delivered, Pune, Regular``, its format, what follows.
SHOWN_AS: Sequence[tuple[int, str | int, str, str]] = (
    (0, "1234567", '"FY"@', "rejected"),
    (1, "Delivered", '"RTO "@', "rejected"),
    (1, "Delivered", '"Not "@', "rejected"),
    (1, "Delivered", '0;0;0;"Un"@', "rejected"),
    (1, "Delivered", "@", "accepted"),
    (2, "Pune", '"RTO "@', "accepted"),
    (2, "Pune", '_(* #,##0_);_(* (#,##0);_(* "-"??_);_(@_)', "accepted"),
    (3, "Sale", '"RTO "@', "rejected"),
    (3, 2, WAYS, "rejected"),
    (3, 1, WAYS, "accepted"),
    (3, 3, WAYS, "accepted"),
    (3, 2, '"Rs. "0.00', "accepted"),
)


def test_what_a_format_shows_otherwise_is_no_id_no_status_and_another_way(root: Root) -> None:
    def table(prefix: str) -> list[list[Any]]:
        rows = []
        for at, (column, cell, code, _) in enumerate(SHOWN_AS, start=1):
            row: list[Any] = ["", f"{prefix}{at}", "Delivered", "Pune", "Regular"]
            row[column + 1] = (cell, code)
            rows.append(row)
        return [["", "Order ID", "Status", "City", "Flow"], *rows]

    def write(book: Any, sheet: Any) -> None:
        for row, cells in enumerate(table("A")):
            for column, cell in enumerate(cells):
                if isinstance(cell, tuple):
                    sheet.write(row, column, cell[0], book.add_format({"num_format": cell[1]}))
                else:
                    sheet.write(row, column, cell)

    root.drop("shown.xlsx", made(write))
    root.drop("old.xls", ole2({"Workbook": xls(table("B"))}))
    # The XLSB of these tests has texts only: what the number is shown as is none of its formats.
    binary = [
        (row, column, *(cell if isinstance(cell, tuple) else (cell, "")))
        for row, cells in enumerate(table("C"))
        for column, cell in enumerate(cells)
    ]
    cells = [(row, column, str(text)) for row, column, text, _ in binary if text]
    formats = {(row, column): code for row, column, _, code in binary if code}
    root.drop("binary.xlsb", hostile_files.xlsb(cells, formats=formats))
    root.configure(manifest__max_reject_ratio=1)
    assert root.once().code == 3
    for name, count in (("shown", len(SHOWN_AS)), ("old", len(SHOWN_AS)), ("binary", 8)):
        lines = root.of(name).lines()
        assert lines[0]["codes"] == "ID_DAMAGED:order_id", name
        assert "shown as FY1234567, stored as 1234567" in lines[0]["message"], name
        ends = [line["outcome"] for line in lines][:count]
        assert ends == [each[3] for each in SHOWN_AS][:count], name
        assert "RTO Delivered" in lines[1]["message"], name


def test_an_id_that_a_number_format_makes_is_damaged_in_an_xls_too(
    root: Root, api: SandboxHandle
) -> None:
    rows: list[Sequence[object]] = [
        ["", "Order ID", "Status"],
        ["", (12345679, "0000000000"), "Delivered"],
        ["", (77, "0"), "Delivered"],
    ]
    root.drop("formats.xls", ole2({"Workbook": xls(rows)}))
    assert root.once().code == 3
    assert sent(api) == [("77", "delivery_done")]
    assert "shown as 0012345679, stored as 12345679" in root.of("formats").lines()[0]["message"]


def test_an_id_that_an_ods_shows_is_read_as_it_is_shown(root: Root, api: SandboxHandle) -> None:
    rows = [
        ["Order ID", "Status"],
        [(12345679, "0012345679"), "Delivered"],
        [(77, "77"), "Delivered"],
        [(12345680, "12346"), "Delivered"],  # in thousands
        [(12345681, "ID"), "Delivered"],
    ]
    root.drop("shown.ods", ods(rows))
    assert root.once().code == 3
    assert sent(api) == [("0012345679", "delivery_done"), ("77", "delivery_done")]
    lines = root.of("shown").lines()[2:]
    assert [line["codes"] for line in lines] == ["ID_DAMAGED:order_id"] * 2
    assert "shown as 12346, stored as 12345680" in lines[0]["message"]


def test_hidden_rows_are_sent_and_told(root: Root, api: SandboxHandle) -> None:
    def write(_: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, ["Order ID", "Status"])
        for row in range(1, 6):
            sheet.write_row(row, 0, [f"A{row}", "Delivered"])
        sheet.set_row(2, None, None, {"hidden": True})
        sheet.set_row(4, None, None, {"hidden": True})
        sheet.set_row(40, None, None, {"hidden": True})

    root.drop("filtered.xlsx", made(write))
    assert root.once().code == 0
    assert len(sent(api)) == 5
    (told,) = [
        each for each in root.of("filtered").summary["warnings"] if each["code"] == "HIDDEN_ROWS"
    ]
    assert "2 rows" in told["message"]
    assert "(3, 5)" in told["message"]


def test_a_merged_cell_is_that_of_all_its_rows_but_for_ids_and_statuses(root: Root) -> None:
    def write(_: Any, sheet: Any) -> None:
        sheet.write_row(2, 1, ["Order ID", "Status", "Type", "Is RTO", "City"])
        for row in range(3, 9):
            sheet.write_row(row, 1, [f"A{row}", "Delivered" if row < 8 else ""])
        sheet.merge_range(3, 3, 4, 3, "RTO")
        sheet.merge_range(5, 4, 6, 4, "Yes")
        sheet.merge_range(7, 2, 8, 2, "Delivered")
        sheet.merge_range(3, 5, 40, 5, "Pune")

    root.drop("merged.xlsx", made(write))
    root.configure(manifest__max_reject_ratio=1)
    assert root.once().code == 3
    lines = root.of("merged").lines()
    codes = [line["codes"] for line in lines]
    assert codes == ["STATUS_AMBIGUOUS:status"] * 4 + ["", "STATUS_MISSING:status"]
    assert '"Type" ("RTO")' in lines[1]["message"]


def test_what_a_merged_cell_hides_leaves_its_rows_open(root: Root) -> None:
    def write(_: Any, sheet: Any) -> None:
        sheet.write_row(0, 0, ["Order ID", "AWB", "Type", "Status", "Current Status", "Is RTO"])
        for row in range(1, 10):
            sheet.write_row(row, 0, [f"A{row}", f"W{row}", "Forward", "Delivered"])
        for column, top, hidden in (
            (2, "RTO", "Forward"),
            (3, "RTO Delivered", "Delivered"),
            (4, "RTO Delivered", "Delivered"),
            (5, "Yes", "No"),
        ):
            row = 2 * column - 3
            sheet.merge_range(row, column, row + 1, column, top)
            sheet.write(row + 1, column, hidden)

    root.drop("hidden.xlsx", made(write))
    root.configure(manifest__max_reject_ratio=1)
    assert root.once().code == 3
    outcomes = [line["codes"].partition(":")[0] for line in root.of("hidden").lines()]
    held = "STATUS_AMBIGUOUS"
    assert outcomes == [held, held, "", "STATUS_UNKNOWN", *[held] * 4, ""]


def test_a_row_that_is_crossed_out_and_one_with_a_comment_are_held(root: Root) -> None:
    def write(book: Any, sheet: Any) -> None:
        struck, bold = book.add_format({"font_strikeout": True}), book.add_format({"bold": True})
        sheet.write_row(2, 1, ["Order ID", "Status", "City", "AWB", "Event Time"])
        for row in range(3, 21):
            sheet.write_row(row, 1, [f"A{row}", "Delivered", "Pune", f"W{row}", at], bold)
        sheet.write_row(3, 1, ["A3", "Delivered", "Pune"], struck)
        sheet.write(4, 2, "Delivered", struck)
        sheet.write(5, 3, "Pune", struck)  # says nothing of the shipment
        for row, column, text in (
            (6, 2, "RTO as per Ravi"),
            (7, 1, "Cancelled"),
            (8, 2, "Signed by guard"),
            (9, 3, "RTO hub"),
            (11, 4, "Ravi: wrong AWB"),
            (12, 5, f"{thread} do not upload"),
            (13, 4, "Ops: checked with courier"),
            (13, 2, "Asha: tentative"),
            (14, 4, "old AWB 77001"),
            (15, 5, "POD pending"),
            (17, 4, "RTO cancelled, now delivered"),
            (18, 2, "Ravi: undelivered on 1st attempt"),
            (19, 4, "old AWB 77001 cancelled"),
            (20, 4, "RTO, delivered on 28th"),
        ):
            sheet.write_comment(row, column, text)
        sheet.write(16, 4, "W16", struck)

    at = "2026-11-27 10:15"
    thread = "[Threaded comment] Edits will get removed if it is opened in a newer one. Comment:"
    root.drop("marked.xlsx", made(write))
    root.configure(manifest__max_reject_ratio=1)
    assert root.once().code == 3
    lines = root.of("marked").lines()
    held = "STATUS_AMBIGUOUS:status"
    ends = ["h" if line["codes"] == held else "s" for line in lines if line["codes"] in {held, ""}]
    assert "".join(ends) == "hhshhssshhhsshsssh"
    assert "the line that crosses its cells out" in lines[0]["message"]
    assert "the comment on its cells" in lines[3]["message"]
    rejects = root.of("marked").path("rejects.xlsx").read_bytes()  # has comments of our own
    root.drop("back.xlsx", changed(rejects, b"<t>Delivered<", b"<t>RTO Delivered<"))
    root.once()
    assert root.of("back").counts == {"accepted": 9}


def test_a_comment_on_a_heading_and_the_name_of_a_table_hold_its_rows(root: Root) -> None:
    def write(book: Any, sheet: Any, order: str, comment: str, table: str, name: str) -> None:
        titles = ["Order ID", "AWB", "Status"]
        sheet.write_row(0, 0, titles)
        sheet.write_row(1, 0, [order, f"W{order}", "Delivered"])
        if comment:
            sheet.write_comment(0, 2, comment)
        if table:
            columns = [{"header": title} for title in titles]
            sheet.add_table(0, 0, 1, 2, {"name": table, "columns": columns})
        if name:
            sheet.autofilter(0, 0, 1, 2)  # a name of its own
            book.define_name(name, f"={sheet.get_name()}!$A$1:$C$2")

    held = (
        *(("expected only", "", ""), ("Ravi: These are all RTO", "", ""), ("RTO date", "", "")),
        *(("", "RTO_Shipments", ""), ("", "tblReturns", ""), ("", "", "RTO_Nov")),
    )
    sent = (
        ("Allowed values: Delivered, RTO, Lost", "Table1", ""),
        ("Do not update this column", "Delivered_Nov", ""),
        ("Cancelled orders removed", "", ""),
        *(("Ops: from the portal", "", "RTO_Rate"), ("Delivered, RTO", "", "Delivered_and_RTO")),
    )
    for at, marks in enumerate((*held, *sent)):
        marked = partial(write, order=f"FY100{at}", comment=marks[0], table=marks[1], name=marks[2])
        root.drop(f"day{at}.xlsx", made(marked))
    root.configure(manifest__max_reject_ratio=1)
    assert root.once().code == 3
    found = [root.of(f"day{at}").lines()[0]["codes"] for at in range(len(held + sent))]
    assert found == ["STATUS_AMBIGUOUS:status"] * len(held) + [""] * len(sent)
    message = root.of("day0").lines()[0]["message"]
    assert 'the comment on the heading "Status"' in message


def test_a_row_that_is_crossed_out_is_held_in_other_workbooks_too(root: Root) -> None:
    def rows(name: str) -> list[list[str]]:
        return [["Order ID", "Status"], *([f"FY{name}{at}", "Delivered"] for at in range(4))]

    root.drop("old.xls", ole2({"Workbook": xls(rows("A"), struck=[3])}))
    root.drop("open.ods", ods(rows("B"), struck=[3]))
    # Contents are read in pieces of 1 MiB: one ends within the name of the attribute.
    book, begin, end = ods(rows("C"), struck=[3]), b"<office:automatic-styles>", b"</table:table>"
    with zipfile.ZipFile(io.BytesIO(book)) as parts:
        before = parts.read("content.xml").index(b"through-style=")
    comment = b"<!--%b-->" % (b"x" * (1024 * 1024 - before - 7))
    root.drop("cut.ods", changed(book, begin, comment + begin))
    empty = (
        b'<table:table-row table:number-rows-repeated="10000"><table:table-cell '
        b'table:style-name="ce1" table:number-columns-repeated="16384"/></table:table-row>'
    )
    root.drop("area.ods", changed(ods(rows("D"), struck=[3]), end, empty * 4 + end))
    root.configure(inbox__read_memory_mb=400)
    assert root.once().code == 3
    for name in ("old", "open", "cut", "area"):
        codes = [line["codes"] for line in root.of(name).lines()]
        assert codes == ["", "STATUS_AMBIGUOUS:status", "", ""], name


def test_a_run_of_a_text_that_is_crossed_out_holds_its_row(root: Root) -> None:
    def write(book: Any, sheet: Any, name: str) -> None:
        struck, plain = book.add_format({"font_strikeout": True}), book.add_format({"bold": True})
        sheet.write_row(0, 0, ["Order ID", "Status"])
        sheet.write_row(1, 0, [f"{name}1", "Delivered"])
        sheet.write(2, 0, f"{name}2")
        sheet.write_rich_string(2, 1, struck, "RTO ", plain, "Delivered")
        sheet.write_rich_string(3, 0, struck, "FYA1001", plain, f"{name}3")
        sheet.write(3, 1, "Delivered")
        sheet.write(4, 0, f"{name}4")
        sheet.write_rich_string(4, 1, plain, "Deli", "vered")

    for name, inline in (("shared", False), ("inline", True)):
        out = io.BytesIO()
        with xlsxwriter.Workbook(out, {"constant_memory": inline}) as book:
            write(book, book.add_worksheet(), name)
        root.drop(f"{name}.xlsx", out.getvalue())
    assert root.once().code == 3
    for name in ("shared", "inline"):
        codes = [line["codes"] for line in root.of(name).lines()]
        assert codes == ["", *["STATUS_AMBIGUOUS:status"] * 2, ""], name


def test_a_merged_cell_of_several_columns_is_the_cell_of_all_of_them(root: Root) -> None:
    def write(_: Any, sheet: Any) -> None:
        sheet.write_row(0, 1, ["Order ID", "AWB", "Type", "Status", "City"])
        for row in (1, 2, 3, 5, 6):
            sheet.write(row, 1, f"A{row}")
            sheet.write(row, 4, "Delivered")
        sheet.merge_range(1, 2, 2, 3, "RTO")
        sheet.merge_range(5, 2, 5, 3, "RTO")
        sheet.merge_range(4, 2, 4, 5, "Returns")  # a title

    root.drop("wide.xlsx", made(write))
    root.configure(manifest__max_reject_ratio=1)
    assert root.once().code == 3
    lines = root.of("wide").lines()
    found = {line["order_id"]: line["codes"] for line in lines if line["order_id"]}
    held = "STATUS_AMBIGUOUS:status"
    assert found == {"A1": held, "A2": held, "A3": "", "A5": held, "A6": held}
    messages = {line["order_id"]: line["message"] for line in lines}
    assert '"Type" ("RTO")' in messages["A2"]
    assert '"Type" ("RTO")' in messages["A5"]
    assert '("Returns")' in messages["A6"]


DIRECTED = ["Order ID", "Status", "City", "Type"]
SAID = (("Pune", ""), ("Pune", "RTO"), ("Pune", ""), ("Pune", ""), ("Reverse", ""), ("", ""))


def test_merged_cells_of_an_ods_and_an_xlsb_are_those_of_all_their_rows(root: Root) -> None:
    def rows(name: str) -> list[list[str]]:
        return [[f"{name}{at}", "Delivered", *said] for at, said in enumerate(SAID)]

    cell, kind = b"<table:table-cell", b' office:value-type="string" calcext:value-type="string"'
    spans = b' table:number-columns-spanned="%d" table:number-rows-spanned="%d"'
    # Programs write the attributes in one order or the other.
    for order, name in ((cell + kind + spans, "A"), (cell + spans + kind, "C")):
        book = ods([[""], ["", *DIRECTED], *(["", *row] for row in rows(name))])
        for size, said in (((1, 3), b"><text:p>RTO"), ((2, 2), b"><text:p>Rev")):
            book = changed(book, cell + kind + said, order % size + said)
        root.drop(f"day{name}.ods", book)
    cells = cells_of([DIRECTED, *rows("B")])
    root.drop("day.xlsb", hostile_files.xlsb(cells, merged=[(3, 5, 4, 4), (6, 7, 3, 4)]))
    root.configure(manifest__max_reject_ratio=1)
    assert root.once().code == 3
    for made in root.delivered():
        held = ["STATUS_AMBIGUOUS:status"] * 5
        assert [line["codes"] for line in made.lines()] == ["", *held], made.id


def cells_of(rows: Sequence[Sequence[str]]) -> list[tuple[int, int, str]]:
    """The cells of a table that begins in B2: row and column, from 0, and text."""
    return [
        (row, column, cell)
        for row, line in enumerate(rows, start=1)
        for column, cell in enumerate(line, start=1)
        if cell
    ]


def test_a_hidden_column_of_an_xlsb_stands_back_too(root: Root, api: SandboxHandle) -> None:
    rows = [["Order ID", "Status", "Current Status"], ["A1", "Picked Up", "Delivered"]]
    root.drop("day.xlsb", hostile_files.xlsb(cells_of(rows), hidden=[2]))
    root.once()
    told = {each["code"]: each["message"] for each in root.of("day").summary["warnings"]}
    assert '"Status"' in told["HIDDEN_COLUMN"]
    assert [each["status"] for each in api.orders("A1")["A1"]["history"]] == ["delivery_done"]


def tabs(**rows: Sequence[str]) -> bytes:
    """A workbook with a tab of delivered orders for each keyword, "_" standing for a space."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        for name, orders in rows.items():
            sheet = book.add_worksheet(name.replace("_", " "))
            sheet.write_row(0, 0, ["Order ID", "Status"])
            for row, order in enumerate(orders, start=1):
                sheet.write_row(row, 0, [order, "Delivered"])
    return out.getvalue()


def test_example_tabs_are_passed_over_and_told(root: Root, api: SandboxHandle) -> None:
    named = {
        "Example": ["X1"],
        "Sample_Data": ["X2"],
        "Instructions": ["X3"],
        "How_to_fill": ["X4"],
        "Do not use": ["X6"],
        "Test": ["X7"],
    }
    root.drop("with.xlsx", tabs(**named, Data=["A1"]))
    root.drop("unfilled.xlsx", tabs(Data=[], Example=["X5"]))
    root.drop("alone.xlsx", tabs(Sample=["A2"]))
    root.drop("others.xlsx", tabs(Sample_Pune=["A3"], Helpline=["A4"]))
    assert root.once().code == 0
    assert [order for order, _ in sent(api)] == ["A1", "A2", "A3", "A4"]
    told = [each for each in root.of("with").summary["warnings"] if each["code"] == "EXAMPLE_SHEET"]
    assert sum(each["count"] for each in told) == 6
    assert "EXAMPLE_SHEET" in root.of("unfilled").codes
    assert "EXAMPLE_SHEET" not in root.of("alone").codes | root.of("others").codes


TABS = (
    ("Sheet1", "Corrected", True),
    ("Old", "Data", True),
    ("Previous Day", "Latest", True),
    ("Corrected", "Sheet1", False),
    ("Pune", "Mumbai", False),
    ("27-Nov", "28-Nov", True),
    ("28 Nov", "MIS 27 Nov", False),
    ("Mon", "Tue", True),
    ("Sun", "Mon", True),
    ("Day 2", "Day 1", False),
    ("27", "28", True),
    ("31.12", "01.01", True),
    ("Nov", "Oct", False),
    ("Tue", "28-Nov", False),
)
"""A tab, the one after it, and whether this one holds instead of that."""


def test_a_tab_that_holds_instead_of_another_holds_deliveries(
    root: Root, api: SandboxHandle
) -> None:
    for at, (*names, _) in enumerate(TABS):
        out = io.BytesIO()
        with xlsxwriter.Workbook(out) as book:
            for number, (name, said) in enumerate(
                zip(names, ("Delivered", "Undelivered"), strict=True)
            ):
                sheet = book.add_worksheet(name)
                sheet.write_row(0, 0, ["Order ID", "AWB No", "Status"])
                sheet.write_row(1, 0, [f"A{at:02}", "W1", said])
                sheet.write_row(2, 0, [f"B{at:02}{number}", "W2", "Delivered"])
        root.drop(f"tabs{at}.xlsx", out.getvalue())
    assert root.once().code == 3
    all_sent = {order for order, _ in sent(api)}
    for at, (first, _, held) in enumerate(TABS):
        wanted = {f"B{at:02}0", f"B{at:02}1"} | (set() if held else {f"A{at:02}"})
        assert {order for order in all_sent if order[1:3] == f"{at:02}"} == wanted, first
        if held:
            line = root.of(f"tabs{at}").lines()[0]
            assert line["codes"] == "STATUS_CONFLICT:status"
            assert "Undelivered" in line["message"]


def test_what_a_newer_tab_says_too_or_of_a_return_holds_no_delivery(
    root: Root, api: SandboxHandle
) -> None:
    out = io.BytesIO()
    news = {
        "A1": ("Out For Delivery", "Delivered"),
        "A2": ("Return Picked Up",),
        "A3": ("Picked Up",),
    }
    with xlsxwriter.Workbook(out) as book:
        for name in ("Old", "Latest"):
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, ["Order ID", "AWB No", "Status"])
            said = [
                (order, each)
                for order, words in news.items()
                for each in (words if name == "Latest" else ("Delivered",))
            ]
            for row, (order, each) in enumerate(said, start=1):
                sheet.write_row(row, 0, [order, f"W{order}", each])
    root.drop("tabs.xlsx", out.getvalue())
    assert root.once().code == 3
    found = [(line["order_id"], line["codes"]) for line in root.of("tabs").lines()]
    assert [order for order, codes in found if "STATUS_CONFLICT" in codes] == ["A3"]
    assert {("A1", "delivery_done"), ("A2", "delivery_done"), ("A3", "bag_picked")} <= {*sent(api)}
