"""What a file holds beside its rows, and how it is written: seen by what is sent and told of it."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
import xlsxwriter

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root


def sent(api: SandboxHandle) -> list[tuple[str, str]]:
    """Every update that the API was sent, in no order."""
    return sorted(tuple(update) for call in api.calls() for update in call["updates"])


def lines(*rows: str) -> str:
    return "".join(f"{row}\n" for row in rows)


def many(prefix: str, form: str, count: int = 60) -> str:
    """Return rows that are sound; ``form`` has the order id as ``{}``."""
    return lines(*(form.format(f"{prefix}{number:03}") for number in range(count)))


def workbook(rows: Sequence[Sequence[object]]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    return out.getvalue()


_SECOND_HEADERS = {
    "order.csv": 62,
    "wider.csv": 62,
    "unknown.csv": 62,
    "other.csv": 63,
    "misspelt.csv": 63,
    "returns.csv": 62,
    "book.xlsx": 83,
    "way.csv": 62,
    "date.csv": 62,
    "nobody.csv": 62,
    "semicolons.csv": 4,
    "tabs.csv": 4,
}


def test_a_second_table_below_the_first_is_refused_at_any_depth(
    root: Root, api: SandboxHandle
) -> None:
    first = "Order ID,AWB No,Status\n" + many("A", "{},X1,Picked Up")
    root.drop("order.csv", first + "AWB No,Order ID,Status\n" + many("W", "{},A1,Delivered"))
    root.drop("wider.csv", first + "AWB No,City,Hub,Status,Order ID\nW1,Pune,H,Delivered,A1\n")
    root.drop("unknown.csv", first + "AWB No,Order Code,Status\nW2,A2,Delivered\n")
    other = first + ",,\nPincode,City,Status\n560001,Pune,Delivered\n"
    root.drop("other.csv", other)
    root.drop("misspelt.csv", other.replace("No,Status", "No,Stats"))
    root.drop("returns.csv", first + "Return ID,Order ID,Return Status\n501,A1,Delivered\n")
    root.drop("way.csv", first + "Order ID,AWB No,Status,Shipment Type\n" + "W3,X,Delivered,RTO\n")
    root.drop("nobody.csv", first + "Docket,Cust Ref,Stage\n99110000,FYZ0000,Delivered\n")
    dated = many("D", "{},X1,Delivered,26-11-2026")
    root.drop(
        "date.csv",
        f"Order ID,AWB No,Status,Delivered Date\n{dated}"
        f"Order ID,AWB No,Status,RTO Delivered Date\nW4,X1,Delivered,26-11-2026\n",
    )
    few = "Order ID,AWB No,Status\nE0001,X1,Picked Up\nE0002,X2,Picked Up\n"
    other = "AWB No,Order ID,Status\nW5,F0001,Delivered\nW6,F0002,Delivered\nW7,F0003,Delivered\n"
    root.drop("semicolons.csv", few + other.replace(",", ";"))
    root.drop("tabs.csv", few + other.replace(",", "\t"))
    table = [["Order ID", "AWB No", "Status"], *([f"B{n}", "X", "Delivered"] for n in range(80))]
    table += [[], ["", "Tracking No", "ORDER_ID", "Status"], ["", "W3", "C1", "Delivered"]]
    root.drop("book.xlsx", workbook(table))
    assert root.once().code == 4
    told = {each.summary["source_file"]: each.summary["refused"] for each in root.delivered()}
    assert {each["code"] for each in told.values()} == {"HEADER_AMBIGUOUS"}
    for name, row in _SECOND_HEADERS.items():
        assert f"Rows 1 and {row}" in told[name]["message"]
    assert sent(api) == []


def test_shipments_above_the_header_are_not_passed_over(root: Root, api: SandboxHandle) -> None:
    head, rows = "Order ID,AWB No,Status\n", "FYG0001,X1,Undelivered\nFYG0002,X2,Delivered\n"
    root.drop("sorted.csv", rows + head + "FYG0001,X1,Delivered\n")
    root.drop("last.csv", rows.replace("FYG", "17788112345") + head)
    root.drop(
        "book.xlsx", workbook([each.split(",") for each in (rows + head + rows).splitlines()])
    )
    summary = "Delivered,24,\nRTO Delivered,3,\nPeriod,27-11-2026 to 28-11-2026,Delivered\n"
    root.drop("titles.csv", f"MIS of ACME00012,,\n{summary}\n{head}FYG0003,X3,Delivered\n")
    assert root.once().code == 4
    told = {each.summary["source_file"]: each.summary["refused"] for each in root.delivered()}
    assert {each["code"] for each in told.values() if each} == {"HEADER_AMBIGUOUS"}
    assert [name for name, each in told.items() if each is None] == ["titles.csv"]
    assert "Row 1 (" in told["sorted.csv"]["message"]
    assert sent(api) == [("FYG0003", "delivery_done")]


def test_a_text_that_stops_in_an_order_id_is_cut(root: Root, api: SandboxHandle) -> None:
    text = "Status,Order ID\n" + "".join(f"Delivered,ORD-{n:04}\n" for n in range(5))
    root.drop("cut.csv", text + "Delivered,ORD-0")
    root.drop("whole.csv", text.replace("ORD", "FY") + "Delivered,FY-0005")
    assert root.once().code == 4
    assert root.of("cut").summary["refused"]["code"] == "TRUNCATED"
    assert root.of("whole").counts == {"accepted": 6}


STOPS = (
    # The last column, its cells, and whether the text stops in the last one.
    ("Direction", ("Forward", "RTO", ""), True),
    ("Is RTO", ("No", "Yes", ""), True),
    ("Type", ("Forward", "Return", "Re"), True),
    ("Current Status", ("Delivered", "Undelivered", "Un"), True),
    ("Stage", ("In Transit", "Picked Up", "Can"), True),
    ("RTO AWB", ("7712345678", "7712345679", ""), True),
    ("EDD", ("2026-11-28", "2026-11-29", "2026-11-2"), True),
    ("Waybill 2", ("7712345678", "7712345679", "771234567"), False),
    ("Mobile", ("9812345678", "9812345679", "981234567"), False),
    ("Event Time", ("28-11-2026 10:15:10", "28-11-2026 11:15:10", "28-11-2026 12:15"), False),
    ("Event Time", ("28-11-2026 10:15", "28-11-2026 11:15", "28-11-20"), True),
    ("Is RTO", ("No", "", ""), False),
    ("Type", ("Forward", "COD", "FWD"), False),
    ("Payment Mode", ("COD", "Prepaid", ""), False),
    ("Remarks", ("ok thanks", "left", "o"), False),
    ("EDD", ("28/11/2026", "29/11/2026", "1/12/2026"), False),
    ("Event Time", ("28-11-2026 10:15", "28-11-2026 11:15", "28-11-2026"), False),
    ("Amount", ("1299.00", "899.00", "9.00"), False),
)


def test_a_text_that_stops_in_its_last_cell_is_cut(root: Root, api: SandboxHandle) -> None:
    for at, (heading, cells, _) in enumerate(STOPS):
        rows = [f"FYA{at:02}{n},W{at:02}{n},Delivered,{cell}" for n, cell in enumerate(cells)]
        text = "\n".join((f"Order ID,AWB No,Status,{heading}", *rows))
        root.drop(f"day {at}.csv", text)
        root.drop(f"whole {at}.csv", text.replace("FYA", "FYB").replace(",W", ",X") + "\n")
    root.drop("ids.csv", "Status,Order ID\nDelivered,FYA10012\nDelivered,FYA10013\nDelivered,FYA1")
    header = "Order ID,Status,AWB,Remarks"
    text = f"RTO\n{header}\nFYD1,RTO Delivered,W1,\nFORWARD\n{header}\nFYD2,Delivered,W2,ok\n"
    root.drop("titles.csv", text + "FYD3,Delivered")
    root.drop("two.csv", "Status,Order ID\r\nDelivered,177161300149000\r\nPicked Up,17716130")
    kinds = "".join(f"Delivered,FYK{n}0012\nDelivered,1771613001490{n}0012\n" for n in range(2))
    root.drop("kinds.csv", f"Status,Order ID\n{kinds}Delivered,1771613001490")
    root.drop("more.csv", f"Status,Order ID\n{kinds}Delivered,FYK70012".replace("490", "491"))
    # Lines that end with a separator, and lines that lack a cell, all of them.
    for at, (heads, end) in enumerate((("Order ID,", ","), ("Order ID,Remarks", ""))):
        ended = "".join(f"Delivered,FYN{at}0{n}{end}\n" for n in range(4))
        root.drop(f"ended{at}.csv", f"Status,{heads}\n{ended}Delivered,FYN")
        root.drop(f"sound{at}.csv", f"Status,{heads}\n{ended}Delivered,FYN{at}09{end}")
    root.drop("other.csv", "Status,Order ID\r\nDelivered,FYC10012\r\nDelivered,FYC101")
    root.once()
    found = [
        (root.of(f"day {at}").summary["refused"] or {}).get("code") for at in range(len(STOPS))
    ]
    assert "add an empty line at its end" in (root.of("day 0").summary["refused"] or {})["message"]
    assert found == ["TRUNCATED" if is_cut else None for *_, is_cut in STOPS]
    assert all(root.of(f"whole {at}").summary["refused"] is None for at in range(len(STOPS)))
    assert root.of("more").summary["refused"] is None
    assert all(root.of(f"sound{at}").summary["refused"] is None for at in range(2))
    for name in ("ids", "two", "kinds", "ended0", "ended1"):
        assert root.of(name).summary["refused"]["code"] == "TRUNCATED", name
    assert root.of("other").counts == {"accepted": 2}


def test_a_summary_below_the_rows_holds_none_of_them(root: Root, api: SandboxHandle) -> None:
    text = "Order ID,Status\nA1,Delivered\nA2,Delivered\n,\nStatus,Count\nDelivered,2\nRTO,0\n"
    root.drop("day.csv", text)
    assert root.once().code == 3
    assert sent(api) == [("A1", "delivery_done"), ("A2", "delivery_done")]


def test_a_header_that_comes_again_is_one_whatever_its_case_and_marks(
    root: Root, api: SandboxHandle
) -> None:
    rows = many("A", "{},X1,Delivered")
    again = (
        "\ufeffOrder ID,AWB No,Status",
        "ORDER_ID,Waybill,* status *",
        '\ufeff"Order ID",AWB No,Status',
    )
    text = "Order ID,AWB No,Status\n" + rows
    for number, header in enumerate(again):
        text += f"{header}\n" + many(f"B{number}", "{},X1,Delivered", 2)
    root.drop("pasted.csv", "\ufeff" + text)
    root.drop(
        "early.csv",
        "\ufeff"
        + lines("Order ID,Status", "C1,Delivered", again[0][:9] + ",Status", "C2,Delivered"),
    )
    root.drop(
        "headings.csv",
        lines("Order ID,AWB No,Status", "D1,Status,Delivered", "Delivered,D2,In Transit"),
    )
    assert root.once().code == 0
    assert root.of("pasted").counts == {"accepted": 66}
    assert root.of("pasted").summary["skipped"]["header"] == 3
    assert root.of("early").counts == {"accepted": 2}
    assert root.of("headings").counts == {"accepted": 1, "ignored": 1}


def test_quotes_that_a_mark_made_part_of_a_heading_come_off(root: Root, api: SandboxHandle) -> None:
    root.drop("marked.csv", '\ufeff\ufeff"Order ID","Status"\n"A1","Delivered"\n')
    assert root.once().code == 0
    assert sent(api) == [("A1", "delivery_done")]


def test_a_quote_behind_spaces_is_a_quote(root: Root, api: SandboxHandle) -> None:
    header = "Order ID, Remarks, Status, Hub\n"
    # The remark's commas shift the status where the quotes hold nothing together.
    root.drop("spaced.csv", f'{header}B1, "x, Delivered, y",NDR,\nB2,  "a",Delivered,H\n')
    far = many("C", "{},x,In Transit,H", 120_000)
    root.drop("far.csv", header + far + 'D1, "x, Delivered, y", NDR, H\n')
    root.drop("data.csv", header + 'E1, "leave" at door, Delivered, H\n')
    root.drop("open.csv", header + 'F1, "leave, Delivered, H\nF2,x,Delivered,"y"\n')
    assert root.once().code == 4
    assert sent(api) == [("B2", "delivery_done"), ("E1", "delivery_done")]
    assert root.of("spaced").counts == {"accepted": 1, "ignored": 1}
    assert root.of("far").counts == {"ignored": 120_001}
    assert root.of("open").summary["refused"]["code"] == "CSV_BROKEN"


def test_lines_in_quotes_as_a_whole_are_read(root: Root, api: SandboxHandle) -> None:
    rows = '"A1,""said """"ok"""", then"",Delivered"\r\n"A2,x,Delivered"\r\nA3,y,Delivered\r\n'
    root.drop("whole.csv", '"Order ID,Remarks,Status"\r\n' + rows)
    assert root.once().code == 0
    assert [order for order, _ in sent(api)] == ["A1", "A2", "A3"]


def test_rarer_delimiters_are_read(root: Root, api: SandboxHandle) -> None:
    delimiters = ("^", "~", "\x01", ";", "\t", "|")
    for at, delimiter in enumerate(delimiters):
        cells = (f"A{at}{n},7,Delivered,a - b" for n in range(9))
        rows = lines("Order ID,AWB No,Status,Remarks", *cells)
        root.drop(f"cells{at}.csv", rows.replace(",", delimiter))
    assert root.once().code == 0
    assert len(sent(api)) == 9 * len(delimiters)


def test_tabs_written_as_two_characters_are_named(root: Root, api: SandboxHandle) -> None:
    root.drop("tabs.csv", r"Order ID\tStatus" + "\n" + r"A1\tDelivered" + "\n")
    assert root.once().code == 4
    assert "a backslash and a t" in root.of("tabs").summary["refused"]["message"]


def test_one_stray_byte_in_utf8_costs_its_own_character_only(
    root: Root, api: SandboxHandle
) -> None:
    rows = many("A", "{},Delivered,ग्राहक को सौंप दिया", 20)
    text = f"Order ID,Status,Remarks\n{rows}".encode()
    for line in (b"B1,Delivered,caf\xe9", b"B2,Livr\xe9,x", b"B3\xe9,Delivered,x"):
        text += line + b"\n"
    root.drop("pasted.csv", text)
    root.drop(
        "old.csv", "Order ID,Status,Remarks\nC1,Delivered,café à la Müller\n".encode("cp1252")
    )
    assert root.once().code == 3
    assert [order for order, _ in sent(api)] == [*(f"A{n:03}" for n in range(20)), "B1", "C1"]
    told = root.of("pasted")
    assert [line["codes"] for line in told.lines()][-2:] == [
        "STATUS_UNKNOWN:status",
        "ID_INVALID:order_id",
    ]
    (warned,) = [each for each in told.summary["warnings"] if each["code"] == "ENCODING_GUESSED"]
    assert "line 22" in warned["message"]
    assert "Windows-1252" not in warned["message"]
    assert "Windows-1252" in str(root.of("old").summary["warnings"])


FOOTERS = (
    *("Total: 3", "Total,3", "Grand Total,3,,", "Total rows 3", "(3 rows affected)", "3 rows"),
    *("End of file", "EOF", "#EOF", "*** End of Report ***", "Count,3 shipments,,", "3"),
    *("Report generated on 28-11-2026 by ops,,,", "Page 1 of 1", "Record Count: 3"),
    *("Rows: 3", "Records Count : 3", "*****", "-----", "-- end --", "***END***", "Source: WMS"),
    *("RTO count,0", "Delivered Order Count: 3"),
    *("Last updated: 28-11-2026", "Checked By,,,", "Authorised Signatory,,,", "Regards,,,"),
    *("Total,,,3", "Completed at 28-11-2026 10:15"),
)


@pytest.mark.parametrize("end", ["\n", ""], ids=["with a line end", "without"])
def test_a_last_line_that_reads_as_a_footer_is_one(
    root: Root, api: SandboxHandle, end: str
) -> None:
    now = datetime.now(tz=UTC)
    rows = "Order ID,Status,City,Time\n" + many(
        "{}", f"{{}},Delivered,Pune,{now:%d-%m-%Y %H:%M}", 3
    )
    for number, footer in enumerate(FOOTERS):
        if footer != "3" or not end:
            root.drop(f"foot{number}.csv", rows.replace("{}", f"F{number:02}") + footer + end)
    assert root.once().code == 0
    for drop in root.delivered():
        assert drop.counts == {"accepted": 3}, drop.summary["source_file"]
        assert drop.summary["skipped"]["footer"] == 1


def test_a_last_line_that_is_cut_is_no_footer(root: Root, api: SandboxHandle) -> None:
    rows = "Order ID,Status,City,Remarks\n" + many("A", "{},Delivered,Pune,x", 3)
    for number, cut in enumerate(("4", "TOTAL-7", "A1", "COUNT9,Deliv")):
        root.drop(f"cut{number}.csv", rows + cut)
    root.drop("within.csv", rows + "Total,,,\nEOF-1,,,\nB1,Delivered,,\n")
    assert root.once().code == 4
    for number in range(4):
        assert root.of(f"cut{number}").summary["refused"]["code"] == "TRUNCATED"
    assert root.of("within").counts == {"accepted": 4, "rejected": 2}


def test_a_line_of_dashes_below_the_headings_is_passed_over(root: Root, api: SandboxHandle) -> None:
    root.drop(
        "sqlcmd.csv",
        lines(
            "Order ID    ,Status     ",
            "------------,-----------",
            "A1          ,Delivered  ",
            "",
            "(1 rows affected)",
        ),
    )
    assert root.once().code == 0
    assert sent(api) == [("A1", "delivery_done")]


def test_a_backtick_before_an_id_comes_off(root: Root, api: SandboxHandle) -> None:
    root.drop("ticks.csv", lines("Order ID,Status", "`A1,Delivered", "`A2`,Delivered"))
    assert root.once().code == 0
    assert [order for order, _ in sent(api)] == ["A1", "A2"]
