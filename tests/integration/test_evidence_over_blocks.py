"""Evidence counts for all rows of a sheet, in however many blocks it is read."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from pipeline.core.model import Disposition, Facts, Limits, ReadingSettings, Source
from pipeline.reading.csv import reader
from pipeline.reading.process.protocol import Job
from pipeline.reading.read_file import prepare, prepare_together
from pipeline.storage.spool import Spool
from schemas.profile import builtin_profiles
from tests.acceptance.test_evidence_by_hand import FILES, HEADER, OF_OTHERS, WHEN

READING = ReadingSettings(
    profiles=builtin_profiles(), default="generic", limits=Limits(), timezone="Asia/Kolkata"
)
NOW = datetime(2026, 11, 29, tzinfo=UTC)

#: Of these one row alone looks like a column of directions or statuses: more is held.
MORE_HELD = {
    "Delivered, Type = WHS": "shh",
    "Delivered, Bucket = RTO": "hh",
    "Delivered, Sub Status = parat aala": "hhs",
    "Delivered, Type = RTN": "hhh",
    "Delivered, Row Labels = Delivered": "sh",
    "Delivered, Remarks = Customer coming back tomorrow": "sshssssss",
    "a signature below": "sshh",  # lines of their own blocks, as any
    "Delivered, Direction = RP": "hhh",
    "Delivered, Brand = Reverse": "hhhh",
    "Delivered, Refund ID = R1, again": "hs",  # filled in all rows of its block
    "Delivered, Charge Head = RTO Charges": "hh",
    "Delivered, Txn Type = Cust Return": "hhhh",
    "Delivered, Zone = A-RTO": "hhhhh",
    "Delivered, Aana/Jaana = Wapas": "hhh",
    "Delivered, Narration = RTO received": "hhh",
    **{
        f"Delivered, {name} = Return Challan": "hhhh"
        for name in ("Document", "Doc Type", "Voucher Type")
    },
    **{f"Delivered, {name} Status = RTO Received": "hhhhhh" for name in ("WH", "Inventory")},
    **{
        f"Delivered, {name} = 27-11-2026": "hss"
        for name in ("Refund Date", "Refunded On", "Exchange ID", "Credit Note No")
    },
    "an order's parcels with a part of it each": "hhh",
    **{
        f"Delivered, {said}": "hh"
        for said in (
            "Type = Ret-Del",
            "Type = Back2Seller",
            "Type = Return2Origin",
        )
    },
    **{f"Delivered, {name} = Regular": "shh" for name in OF_OTHERS},
}
#: Whether another table begins shows by rows of one block, of which a real one has some 18,000.
LESS_HELD = {
    f"{count} rows of a second table, id and AWB the other way round": "s" * (6 + count)
    for count in (1, 5)
} | {
    "shifted: near temple": "ssss",
    "Delivered, Delivered Qty = 0": "ssss",
    "Delivered, Items Accepted = 0": "ss",
    "Delivered, Qty,Delivered = 2,1": "sss",
    "Delivered, Accepted Qty = 0": "ss",
    "Delivered, Qty,Received Qty = 1,0, again": "ss",
    "a status put in": "ssss",
    "a status put in, where the last column is empty": "sss",
    "a status put in, where a remark is empty": "sss",
    "a short row without its way": "sss",
}


class _NoFamily:
    def courier(self, drop_id: str) -> None:
        return None

    def rejected_ids(self, drop_id: str) -> dict[str, str]:
        return {}


def ends(path: Path, text: Sequence[str], name: str = "day.csv") -> str:
    """The ends of a file's rows but for footers: s sent, h held."""
    job = written(path, text, name)
    prepare(job.source, READING, job.spool, _NoFamily())
    return judged(job.spool)


def written(path: Path, text: Sequence[str], name: str) -> Job:
    file = path / name
    file.write_text("\n".join(text) + "\n", encoding="utf-8")
    source = Source(path=file, name=file.name, named=None, now=NOW)
    return Job(source=source, spool=Spool(path / f"{name} spool"))


def judged(spool: Spool) -> str:
    found = [
        (disposition, footer)
        for batch in spool.blocks(0, ["disposition", "footer"])
        for disposition, footer in zip(*(cells.to_pylist() for cells in batch), strict=True)
    ]
    while found and found[-1][1]:
        found.pop()
    return "".join("s" if each == Disposition.SEND else "h" for each, _ in found)


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have one row in each block."""
    monkeypatch.setattr(reader, "CsvBlocks", partial(reader.CsvBlocks, segment=1))


def test_rows_are_held_and_sent_as_a_clerk_would(tmp_path: Path) -> None:
    """All together, as a service reads many small files: what is alike is judged at once."""
    jobs = [written(tmp_path, text, f"day{at}.csv") for at, (text, _) in enumerate(FILES.values())]
    ended = prepare_together(jobs, READING, _NoFamily())
    found = {
        name: judged(job.spool) if isinstance(end, Facts) else repr(end)
        for name, job, end in zip(FILES, jobs, ended, strict=True)
    }
    assert found == {name: wanted for name, (_, wanted) in FILES.items()}


@pytest.mark.usefixtures("in_pieces")
@pytest.mark.parametrize("every", [12, pytest.param(1, marks=pytest.mark.soak)])
def test_rows_are_held_and_sent_alike_in_blocks_of_one_row(tmp_path: Path, every: int) -> None:
    """Every twelfth of the files; in the soak all of them."""
    chosen = dict([*FILES.items()][::every])
    found = {name: ends(tmp_path, text) for name, (text, _) in chosen.items()}
    otherwise = MORE_HELD | LESS_HELD
    assert found == {name: otherwise.get(name, wanted) for name, (_, wanted) in chosen.items()}


MIS = ("Delivered", "RTO Delivered", "Picked Up", "Undelivered", "RTO In Transit", "In Transit")
#: Name → statuses, and which rows are held: a delivery and a pickup, or none.
NAMED = (
    *(
        (name, MIS, "ssshhh")
        for name in ("RTO.csv", "NDR_RTO_MIS_29.csv", "Daily (RTO-NDR-DEL).csv", "rto desk.csv")
    ),
    ("RTO.csv", MIS[:3], "hsh"),  # merged lists of RTOs, some with a new AWB for the way back
    ("RTO.csv", (*MIS[:2], "In Transit", "Undelivered"), "hshh"),
    ("RTO.csv", ("Delivered", "Picked Up", "Undelivered"), "hhh"),
    ("RTO Delivered.csv", MIS[:3], "hsh"),
    ("NDR_RTO.csv", MIS[:3], "sss"),
    ("NDR_RTO.csv", MIS[:2], "hs"),
    ("Return Gifts Pvt Ltd 28 Nov.csv", MIS, "ssshhh"),
    ("Return Gift Shop returns.csv", MIS, "hhhhhh"),
    ("Returns.csv", MIS, "hhhhhh"),  # RTOs and customers' returns are one to many
    ("reverse pickup.csv", MIS, "hhhhhh"),
)


@pytest.mark.usefixtures("in_pieces")
def test_a_name_of_rtos_says_nothing_where_the_statuses_tell_the_ways_apart(tmp_path: Path) -> None:
    found = []
    for name, statuses, _ in NAMED:
        rows = [f"A{at},W{at}00,{status},{WHEN}" for at, status in enumerate(statuses)]
        found.append((name, statuses, ends(tmp_path, [",".join(HEADER), *rows], name)))
    assert found == [*NAMED]


#: What only later rows show, or what flows down: heading, cells, ends.
COLUMNS = (
    ("Leg", ("RTO", "", "", "Forward", ""), "hhhss"),  # forward is written below the group
    ("Leg", ("Forward", "RTO", "", "", "", ""), "shhhhh"),
    ("Leg", ("Forward", "Forward", "RTO", "Forward", ""), "sshss"),
    ("Flow", ("R", "F", "R"), "hsh"),
    ("RTO / Forward", ("RTO", "", "Forward", ""), "hhss"),
    ("RVP/Forward Identifier", ("RVP", "", "Forward", ""), "hhss"),  # the profile's own column
    ("Notes", ("", "Undelivered at door", "RTO"), "ssh"),
    ("Remark 2", ("RTO", "Forward"), "hs"),
)


@pytest.mark.usefixtures("in_pieces")
def test_what_a_column_shows_in_one_block_counts_in_all(tmp_path: Path) -> None:
    found = []
    for heading, cells, _ in COLUMNS:
        lines = [",".join((*HEADER, heading))]
        lines += [f"A{at},W{at}00,Delivered,{WHEN},{cell}" for at, cell in enumerate(cells)]
        found.append((heading, cells, ends(tmp_path, lines)))
    assert found == list(COLUMNS)


@pytest.mark.usefixtures("in_pieces")
def test_a_note_below_holds_the_rows_of_every_block_and_forward_takes_none_back(
    tmp_path: Path,
) -> None:
    rows = [f"A{at},W{at}00,Delivered,{WHEN}" for at in range(4)]
    note, forward = "All of the above are RTO shipments", "The above shipments are forward"
    titles = ",".join(HEADER)
    assert ends(tmp_path, [titles, *rows, note]) == "hhhhh"
    assert ends(tmp_path, [titles, *rows[:2], note, *rows[2:]]) == "hhhss"
    assert ends(tmp_path, [titles, *rows[:2], note, *rows[2:], forward]) == "hhhssh"
    assert ends(tmp_path, [titles, *rows[:2], forward, *rows[2:], note]) == "hhhhhh"
    assert ends(tmp_path, [titles, *rows, "A1 is RTO"]) == "hhhhh"
    assert ends(tmp_path, [titles, *rows[:2], "A1 is RTO", *rows[2:]]) == "sshhh"


@pytest.mark.parametrize("words", ["x", "not ", "1/", "rto, "])
def test_a_cell_of_a_megabyte_is_judged_at_once(tmp_path: Path, words: str) -> None:
    """No expression over a cell may take the square of its length."""
    cell = words * (1_000_000 // len(words))
    rows = [f"FYA{n:04},AW{n:04},Delivered,{WHEN},ok" for n in range(30)]
    began = time.process_time()
    text = [
        "Order ID,AWB No,Status,Event Time,Remarks",
        *rows,
        f'FYA9999,AW9999,Delivered,,"{cell}"',
    ]
    ends(tmp_path, text)
    assert time.process_time() - began < 1
