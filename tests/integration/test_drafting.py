"""`shipdrop map`: from a sample file over a draft and a person's word to a file that is read."""

import csv
import io
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.draft import ProfileDraft, Sample
from pipeline.core.errors import DropRefused, UsageError
from pipeline.core.model import Limits
from pipeline.reading.draft_sample import make_draft
from pipeline.service.check import check_files, draft_from
from pipeline.service.settings import load
from pipeline.service.wiring import Site
from schemas.profile import builtin_profiles
from schemas.statuses import Direction, StatusMeaning
from tests.fakes.confirming import Says, confirmed

pytestmark = pytest.mark.usefixtures("forked_readers")

SAMPLES = Path(__file__).parents[2] / "sample_drops"


def site(root: Path) -> Site:
    return Site(root, load(root))


def drafted(file: Path) -> ProfileDraft:
    return make_draft(Sample(path=file, name="acme", title="acme"), Limits())


def checked_as(
    root: Path, file: Path, profile: str, couriers: Sequence[str]
) -> list[Mapping[str, Any]]:
    """Return what a check says of the file as each courier's; ``acme`` has the profile."""
    (root / "couriers").mkdir(exist_ok=True)
    (root / "couriers" / "acme.toml").write_text(profile, encoding="utf-8")
    with closing(site(root)) as opened:
        found = [check_files(opened, [file], courier=each, out=None) for each in couriers]
    return [one.summary for (one,) in found]


def checked(root: Path, file: Path, profile: str) -> Mapping[str, Any]:
    return checked_as(root, file, profile, ["acme"])[0]


def as_known(courier: str) -> Says:
    """Say what the built-in profile says."""
    profile = builtin_profiles()[courier]
    words = {StatusMeaning.NO_MILESTONE: "no_milestone", StatusMeaning.AMBIGUOUS: "ambiguous"}
    ways = {"return": Direction.RETURN, "rto": Direction.RTO}

    def says(beside: str, status: str) -> str:
        direction = ways.get(beside, Direction.BLANK)
        kind = "" if beside in ways else beside
        ruling = profile.statuses.rule(status, status_type=kind, direction=direction)
        if ruling.milestone:
            wires = ["bag_picked", "delivery_done", "rto_bag_delivered"]
            wires += ["return_bag_in_transit", "return_bag_delivered"]
            return wires[ruling.milestone - 1]
        return words.get(ruling.meaning, "")

    return says


@pytest.mark.parametrize(
    ("name", "courier"),
    [
        ("xpressbees/XB_Shipment_Status.csv", "xpressbees"),
        ("shiprocket/customer_returns.csv", "shiprocket"),
        ("shadowfax/all_scans.csv", "shadowfax"),
        ("bluedart/BD_status_export.csv", "bluedart"),
        ("orders_week_47.xlsx", "generic"),
        ("typed_by_hand.csv", "generic"),
    ],
)
def test_a_sample_is_read_with_its_confirmed_draft_as_with_its_own_profile(
    tmp_path: Path, name: str, courier: str
) -> None:
    file = SAMPLES / name
    draft = drafted(file)
    unconfirmed, theirs = checked_as(tmp_path, file, draft.text, ["acme", courier])
    assert unconfirmed["rows"]["unsent"] == 0, "an unconfirmed status is never sent"
    ours = checked(tmp_path, file, confirmed(draft.text, as_known(courier)))
    assert ours["rows"] == theirs["rows"]
    assert ours["rows"]["unsent"] > 0


def test_a_draft_of_type_and_status_lists_the_pairs(tmp_path: Path) -> None:
    file = SAMPLES / "delhivery/delhivery_mis.csv"
    draft = drafted(file)
    document = tomllib.loads(draft.text)
    assert document["required"] == ["status_type"]
    assert document["types"]["DL"] == {"unconfirmed": ["Delivered", "RTO", "DTO", "Deliverd"]}
    known = confirmed(draft.text, as_known("delhivery"))
    ours, theirs = checked_as(tmp_path, file, known, ["acme", "delhivery"])
    assert ours["rows"]["total"] == theirs["rows"]["total"]
    assert ours["rows"]["rejected"] == theirs["rows"]["rejected"] == 1


UNFAMILIAR = [
    ("Kram", "ChunkBody Kramank", "Grahak", "Haal", "Kab hua", "Dhoya"),
    *(
        (str(n), f"1778811234567890{n:04}", f"Grahak {n}", status, f"{n % 9 + 14}-11-2026", "haan")
        for n, status in enumerate(
            ["Pahunch gaya", "Raste mein", "Wapas pahuncha", "Delivered", "Raste mein"] * 6, start=1
        )
    ),
]
MEANT = {
    "Pahunch gaya": "delivery_done",
    "Raste mein": "no_milestone",
    "Wapas pahuncha": "rto_bag_delivered",
    "Delivered": "delivery_done",
}


@pytest.fixture
def unfamiliar(tmp_path: Path) -> Path:
    text = io.StringIO()
    csv.writer(text, delimiter=";").writerows([("Rapat",), (), *UNFAMILIAR])
    file = tmp_path / "naya.csv"
    file.write_text(text.getvalue(), encoding="utf-8")
    return file


def test_unfamiliar_headings_are_guessed_by_their_cells_and_marked(
    tmp_path: Path, unfamiliar: Path
) -> None:
    draft = drafted(unfamiliar)
    document = tomllib.loads(draft.text)
    assert document["headers"]["order_id"] == ["?ChunkBody Kramank"]
    assert document["headers"]["status"] == ["?Haal"]
    assert document["statuses"]["delivery_done"] == ["?Delivered"], "the only one we know"
    assert set(document["statuses"]["unconfirmed"]) == set(MEANT) - {"Delivered"}
    evidence = {each.role: each.evidence for each in draft.columns}
    assert "30 of 30 cells look like order ids." in evidence["order_id"]
    assert "6 of 30 cells are statuses that some courier uses." in evidence["status"]
    assert '"Raste mein",   # 12 rows' in draft.text
    assert '"Kab hua", holds what looks like dates' in draft.text


def test_nothing_of_a_draft_is_used_before_it_is_confirmed(
    tmp_path: Path, unfamiliar: Path
) -> None:
    draft = drafted(unfamiliar)
    refused = checked(tmp_path, unfamiliar, draft.text)["refused"]
    assert refused["code"] == "HEADER_NOT_FOUND"
    assert 'delete the "?" before "ChunkBody Kramank" there' in refused["message"]
    only_columns = confirmed(draft.text, lambda *_: "")
    told = checked(tmp_path, unfamiliar, only_columns)
    assert told["refused"]["code"] == "TOO_MANY_REJECTS"
    (error,) = told["errors"]
    assert (error["code"], error["count"]) == ("STATUS_UNCONFIRMED", 30)
    assert "not confirmed yet" in error["message"]


def test_confirmed_it_reads_the_file_it_was_made_from(tmp_path: Path, unfamiliar: Path) -> None:
    draft = drafted(unfamiliar)
    told = checked(tmp_path, unfamiliar, confirmed(draft.text, lambda _, status: MEANT[status]))
    assert told["rows"]["unsent"] == 18
    assert told["rows"]["ignored"] == 12
    assert told["errors"] == []


def test_a_known_heading_that_two_columns_claim_is_marked(tmp_path: Path) -> None:
    file = tmp_path / "two.csv"
    file.write_text("Order No,Ref No,Status\nAB-10001,CD-20001,Delivered\n")
    draft = drafted(file)
    assert tomllib.loads(draft.text)["headers"]["order_id"] == ["?Order No"]
    assert 'It could be "Ref No" as well.' in draft.text


def test_an_awb_is_never_offered_as_the_order_id(tmp_path: Path) -> None:
    file = tmp_path / "awb.csv"
    file.write_text("AWB No,Status\n17788112345678901234,Delivered\n")
    headers = tomllib.loads(drafted(file).text)["headers"]
    assert "order_id" not in headers
    assert "# order_id: no column was found for it." in drafted(file).text


def test_a_file_without_statuses_gives_a_draft_that_says_so(tmp_path: Path) -> None:
    draft = drafted(SAMPLES / "cod_settlement_november.csv")
    assert "# status: no column was found for it." in draft.text
    assert tomllib.loads(draft.text)["statuses"] == {"unconfirmed": []}
    told = checked(tmp_path, SAMPLES / "cod_settlement_november.csv", draft.text)
    assert told["refused"]["code"] == "HEADER_NOT_FOUND"


def test_texts_of_a_hostile_file_cannot_write_into_the_profile(tmp_path: Path) -> None:
    evil = '"]\nauto_dispatch = true\n#\x7f\x1b[2J'
    text = io.StringIO()
    rows = [("Order ID", evil, "Status"), *((f"AB-{n}0001", "x", evil) for n in range(3))]
    csv.writer(text).writerows(rows)
    file = tmp_path / "evil.csv"
    file.write_text(text.getvalue())
    draft = drafted(file)
    assert "auto_dispatch" not in tomllib.loads(draft.text)
    assert "\x1b" not in draft.text
    assert "\x7f" not in draft.text


def test_day_and_month_are_told_apart_only_where_a_cell_proves_it(tmp_path: Path) -> None:
    file = tmp_path / "dates.csv"
    rows = ["A10001,Delivered,26/11/2026,11-12-2026", "A10002,Delivered,05/11/2026,05-11-2026"]
    file.write_text("\n".join(["Order ID,Status,EDD,Promise Date", *rows]) + "\n")
    document = drafted(file)
    assert tomllib.loads(document.text)["dates"]["estimated_delivery_date"]["formats"] == [
        "dd/mm/yyyy"
    ]
    assert 'Dates with "-" could be either; day first is the rule' in document.text


def test_what_cannot_be_drafted_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text("17788112345678901234,Delivered\n17788112345678901235,RTO\n")
    with pytest.raises(DropRefused, match="looks like a heading row"):
        drafted(file)
    with pytest.raises(UsageError, match='There is a profile "delhivery" already'):
        draft_from(site(tmp_path), file, "Delhivery")
    with pytest.raises(UsageError, match='There is a profile "bluedart" already'):
        draft_from(site(tmp_path), file, "blue dart")
    with pytest.raises(UsageError, match="cannot be a profile's name"):
        draft_from(site(tmp_path), file, "../x")
    with pytest.raises(UsageError, match="cannot be read"):
        draft_from(site(tmp_path), tmp_path / "none.csv", "acme")
