"""A template offers what is sent: single statuses, or the pairs that exist of two columns."""

import io
from datetime import UTC, datetime

import openpyxl
import pytest

from pipeline.reporting.template_xlsx import Offer, offered, pair_role, template
from schemas.profile import builtin_profiles
from schemas.vocabulary import Role
from tests.fakes.courier_sheet import sheet

MADE = datetime(2026, 11, 23, tzinfo=UTC)
OFFERS = [
    pytest.param(name, offer, id=f"{name}: {offer.beside} {offer.status}")
    for name, profile in builtin_profiles().items()
    for offer in offered(profile)
]


@pytest.mark.parametrize(("name", "offer"), OFFERS)
def test_each_offer_filled_in_is_sent_as_the_template_says(name: str, offer: Offer) -> None:
    profile = builtin_profiles()[name]
    pair = pair_role(profile)
    beside = [profile.says(pair)] if pair else []
    headers = [profile.says(Role.ORDER_ID), *beside, profile.says(Role.STATUS)]
    row = ["AB12345", *([offer.beside] if pair else []), offer.status]
    assert sheet(headers, row, courier=name).update["orderStatus"] == offer.wire


def test_delhivery_offers_its_pairs_and_only_those() -> None:
    pairs = {(each.beside, each.status) for each in offered(builtin_profiles()["delhivery"])}
    assert {("DL", "Delivered"), ("DL", "RTO"), ("PU", "Dispatched")} <= pairs
    assert ("UD", "Dispatched") not in pairs


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("delhivery", Role.STATUS_TYPE),
        ("clickpost", Role.DIRECTION),
        ("ecomexpress", Role.DIRECTION),
        ("generic", None),
        ("xpressbees", None),
    ],
)
def test_the_second_column_is_there_where_it_decides(name: str, role: Role | None) -> None:
    assert pair_role(builtin_profiles()[name]) is role


def test_the_list_of_statuses_follows_the_type_of_its_row() -> None:
    profile = builtin_profiles()["delhivery"]
    book = openpyxl.load_workbook(io.BytesIO(template(profile, created=MADE)))
    headers = [cell.value for cell in book["Manifest"][1]]
    lists = {
        str(each.sqref).partition("2:")[0]: each.formula1
        for each in book["Manifest"].data_validations.dataValidation
    }
    letters = {name: "ABCDEFGHIJKLMN"[headers.index(name)] for name in ("Status Type", "Status")}
    assert lists[letters["Status Type"]] == "'What to write'!$H$2:$H$4"
    assert f"MATCH(${letters['Status Type']}2," in lists[letters["Status"]]
    notes = book["What to write"]
    beside = [row[2].value for row in notes.iter_rows(min_row=2) if row[2].value]
    assert beside == sorted(beside, key=list(dict.fromkeys(beside)).index), "one type after another"
