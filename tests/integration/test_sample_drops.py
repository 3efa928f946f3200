"""Every sample comes out of the real pipeline, against a real sandbox, as its README line says."""

import csv
import importlib.util
import io
import json
from collections import Counter
from pathlib import Path

import openpyxl
import pytest
from rich.console import Console

from pipeline.cli.demo import compare, find_samples, lay_out, read_table, run_demo, run_once
from pipeline.core.errors import UsageError

pytestmark = [pytest.mark.timeout(60), pytest.mark.usefixtures("forked_readers")]

SAMPLES = find_samples()
EXPECTED = read_table((SAMPLES / "README.md").read_text(encoding="utf-8"))
PATHS = [each.path for each in EXPECTED]
SOUND = [each.path for each in EXPECTED if each.ends_as == "completed"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    root = tmp_path_factory.mktemp("samples")
    lay_out(SAMPLES, EXPECTED, root / "inbox")
    outcome, closed = run_once(root)
    return root, outcome, {each.expected.path: each for each in compare(EXPECTED, closed)}


def results_of(site, path):
    root, _, compared = site
    closed = compared[path].closed
    file = root / "outbox" / closed.drop.folder / closed.summary["files"]["results"]
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("path", PATHS)
def test_a_sample_comes_out_as_the_readme_says(site, path):
    assert site[2][path].differences == ()


@pytest.mark.parametrize("path", SOUND)
def test_every_data_row_is_on_one_results_line(site, path):
    lines = results_of(site, path)
    rows = site[2][path].closed.summary["rows"]
    assert len(lines) == rows["total"] == sum(n for name, n in rows.items() if name != "total")
    assert Counter(line["outcome"] for line in lines) == Counter(
        {name: n for name, n in rows.items() if n and name != "total"}
    )


@pytest.mark.parametrize("path", [path for path in SOUND if path.endswith(".csv")])
def test_rows_are_numbered_as_a_spreadsheet_shows_them(site, path):
    lines = results_of(site, path)
    assert [int(line["row"]) for line in lines] == list(range(2, len(lines) + 2))
    skipped = site[2][path].closed.summary["skipped"]
    assert skipped == {"blank": 0, "header": 0, "footer": 0}


@pytest.mark.parametrize("path", PATHS)
def test_the_summary_in_the_outbox_is_the_one_that_was_reported(site, path):
    root, _, compared = site
    closed = compared[path].closed
    outbox = root / "outbox" / closed.drop.folder
    assert json.loads((outbox / closed.summary["files"]["summary"]).read_bytes()) == closed.summary
    for name in closed.summary["files"].values():
        assert (outbox / name).stat().st_size > 0


def test_the_inbox_is_empty_and_every_file_is_put_away_unchanged(site):
    root, _, compared = site
    assert [path for path in (root / "inbox").rglob("*") if path.is_file()] == []
    for each in compared.values():
        drop = each.closed.drop
        kept = [
            path
            for place in ("archive", "quarantine")
            for path in (root / place).rglob(drop.source_file)
            if path.parent.name == drop.drop_id
        ]
        original = SAMPLES.joinpath(drop.folder, drop.source_file)
        assert [path.read_bytes() for path in kept] == [original.read_bytes()]


def test_a_refused_file_outranks_rows_that_need_a_person(site):
    outcome = site[1]
    assert (int(outcome.exit), outcome.why) == (4, "a file was refused")


def test_hand_typed_rows_show_twelve_different_faults(site):
    codes = {
        label.partition(":")[0]
        for line in results_of(site, "typed_by_hand.csv")
        if line["outcome"] == "rejected"
        for label in line["codes"].split(";")
    }
    assert codes == {
        "DATE_INVALID",
        "DATE_RANGE",
        "ID_DAMAGED",
        "ID_INVALID",
        "ID_MISSING",
        "NOT_SELF_SHIP",
        "ROW_RAGGED",
        "STATUS_AMBIGUOUS",
        "STATUS_CONFLICT",
        "STATUS_MISSING",
        "STATUS_UNKNOWN",
        "TIME_FUTURE",
    }


def test_a_picked_row_below_its_delivered_row_still_goes_first(site):
    lines = results_of(site, "shadowfax/all_scans.csv")
    delivered, picked = lines[6], lines[7]
    assert delivered["order_id"] == picked["order_id"]
    assert (delivered["order_status"], picked["order_status"]) == ("delivery_done", "bag_picked")
    assert int(picked["chunk"]) < int(delivered["chunk"])


def test_the_same_bytes_again_name_the_first_drop_and_make_no_call(site):
    first = site[2]["delhivery/delhivery_mis.csv"].closed
    again = site[2]["delhivery/delhivery_mis (1).csv"].closed
    assert again.summary["same_as"] == first.drop.drop_id
    assert again.summary["calls"] == {"sent": 0, "retried": 0}


def test_rounded_ids_come_back_in_a_rejects_file_that_can_replace_the_original(site):
    root, _, compared = site
    summary = compared["saved_again_by_excel.csv"].closed.summary
    assert "18 of 24 rows" in summary["refused"]["message"]
    with (root / "outbox" / summary["files"]["rejects"]).open(
        encoding="utf-8-sig", newline=""
    ) as lines:
        codes = Counter(line["_reject_codes"] for line in csv.DictReader(lines))
    assert codes["ID_DAMAGED:order_id"] == 18
    assert codes[""] > 0


def test_no_order_stands_in_two_samples_unless_that_is_meant(site):
    seen: dict[str, set[str]] = {}
    for path in SOUND:
        for line in results_of(site, path):
            if len(line["order_id"]) == 20:
                seen.setdefault(line["order_id"], set()).add(path)
    shared = {frozenset(paths) for paths in seen.values() if len(paths) > 1}
    assert shared == {
        frozenset({"delhivery/delhivery_mis.csv", "delhivery/delhivery_mis (1).csv"}),
        frozenset(
            {
                "xpressbees/XB_Shipment_Status.csv",
                "xpressbees/XB_Shipment_Status_next_day.csv",
            }
        ),
    }


def test_the_kept_workbook_is_what_its_script_makes(tmp_path):
    script = Path(str(SAMPLES / "make_workbook.py"))
    spec = importlib.util.spec_from_file_location("make_workbook", script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.make(tmp_path / module.NAME)
    made = openpyxl.load_workbook(tmp_path / module.NAME)
    kept = openpyxl.load_workbook(script.with_name(module.NAME))
    assert [list(sheet.values) for sheet in made] == [list(sheet.values) for sheet in kept]
    assert made.sheetnames == kept.sheetnames == ["North", "South"]


def test_the_demo_keeps_to_its_root_whatever_the_environment_says(tmp_path, monkeypatch):
    away = tmp_path / "away"
    monkeypatch.setenv("SHIPDROP_OUTBOX__PATH", str(away))
    monkeypatch.setenv("SHIPDROP_INBOX__PATH", str(away))
    monkeypatch.setenv("SHIPDROP_LEDGER__URL", f"sqlite:///{away}/ledger.db")
    monkeypatch.setenv("SHIPDROP_API__BASE_URL", "https://konnect.example")
    monkeypatch.setenv("SHIPDROP_MANIFEST__MAX_REJECT_RATIO", "0")
    root = tmp_path / "demo"
    told = io.StringIO()
    assert run_demo(root=root, out=Console(file=told)) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    text = told.getvalue()
    assert "\x1b" not in text
    assert f"Everything is in {root}" in text
    assert "would return 4 here: a file was refused." in text
    assert "11 samples; every one came out as sample_drops/README.md says." in text


def test_the_demo_says_which_sample_differs(site):
    closed = site[2]["typed_by_hand.csv"].closed
    text = (SAMPLES / "README.md").read_text(encoding="utf-8")
    wrong = read_table(text.replace("| 17 | 3 | 0 | 1 | 13 |", "| 17 | 4 | 0 | 0 | 13 |"))
    compared = {each.expected.path: each.differences for each in compare(wrong, [closed])}
    assert compared["typed_by_hand.csv"] == ("accepted 3 instead of 4", "ignored 1 instead of 0")
    assert compared["orders_week_47.xlsx"] == ("it was not finished",)


def test_the_demo_leaves_a_folder_with_something_in_it_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        run_demo(root=tmp_path, out=Console(file=io.StringIO()))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
