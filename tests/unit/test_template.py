"""The empty manifest a courier can be sent: what is written into it is read back as meant."""

import io
from datetime import UTC, datetime

import openpyxl
import pytest

from pipeline.core.model import Limits, ReadTally
from pipeline.reading.read_file import read_manifest
from pipeline.reporting.template_xlsx import template
from pipeline.validation.profile_choice import ProfileHeaderFinder
from schemas.profile import builtin_profiles

MADE = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize("name", sorted(builtin_profiles()))
def test_every_courier_has_a_template_whose_header_its_profile_finds(name: str) -> None:
    profile = builtin_profiles()[name]
    data = template(profile, created=MADE)
    manifest = read_manifest(
        data, name="t.xlsx", limits=Limits(), header=ProfileHeaderFinder((profile,))
    )
    assert profile.says(profile.required[0]) in manifest.sheets[0].headers
    assert [len(block) for block in manifest.sheets[0].blocks(ReadTally())] == []


def test_a_filled_template_keeps_the_twenty_digits_of_an_id() -> None:
    profile = builtin_profiles()["generic"]
    book = openpyxl.load_workbook(io.BytesIO(template(profile, created=MADE)))
    sheet = book["Manifest"]
    headers = [cell.value for cell in sheet[1]]
    sheet.cell(2, headers.index("Order ID") + 1).value = "17328629784861446350"
    sheet.cell(2, headers.index("Status") + 1).value = "Delivered"
    saved = io.BytesIO()
    book.save(saved)
    manifest = read_manifest(
        saved.getvalue(),
        name="filled.xlsx",
        limits=Limits(),
        header=ProfileHeaderFinder((profile,)),
    )
    (block,) = manifest.sheets[0].blocks(ReadTally())
    assert block.cells[headers.index("Order ID")].to_pylist() == ["17328629784861446350"]
    assert sheet.cell(2, 1).number_format == "@"


def test_statuses_that_are_sent_are_offered_in_a_list() -> None:
    book = openpyxl.load_workbook(io.BytesIO(template(builtin_profiles()["generic"], created=MADE)))
    offered = {row[0].value for row in book["What to write"].iter_rows(min_row=2)}
    assert {"Delivered", "RTO Delivered"} <= offered
    assert book["Manifest"].data_validations.dataValidation[0].type == "list"
