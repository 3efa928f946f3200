"""One's own profiles win over built-in ones, and a wrong one stops what reads profiles."""

import json
from pathlib import Path

import openpyxl
import pytest

from tests.acceptance.harness import Root, orders, sheet

WRONG = 'name = "acme"\n[statuses]\ndelivered = ["Done"]\n'
TOLD = (
    'acme.toml, line 3: "statuses.delivered" is not a meaning of a status. '
    'Did you mean "delivery_done"?'
)


@pytest.fixture
def own(root: Root) -> Path:
    folder = root.path / "couriers"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("command", ["run --once", "check a.csv", "profiles", "doctor"])
def test_a_wrong_profile_is_told_with_file_line_and_key(
    root: Root, own: Path, command: str
) -> None:
    (own / "acme.toml").write_text(WRONG)
    root.drop("a.csv", orders(1))
    (root.path / "a.csv").write_text(orders(1))
    ran = root.run(*command.split())
    assert ran.code == 2
    told = ran.out if command == "doctor" else ran.err
    assert TOLD.replace('"?', '"') in told.replace("  → Did", " Did").replace('"?', '"')
    assert "Traceback" not in ran.err
    assert root.files("inbox") == ["a.csv"], "nothing is taken with a wrong profile"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"a.toml": 'name = "acme"', "b.toml": 'name = "acme"'}, 'b.toml: "name" is "acme", as in'),
        ({"a.toml": b"\xff\xfe"}, "a.toml cannot be read: it is not UTF-8 text."),
    ],
    ids=["two of one name", "not text"],
)
def test_files_that_are_no_single_sound_profile(
    root: Root, own: Path, files: dict[str, str | bytes], told: str
) -> None:
    for name, text in files.items():
        rest = b'\n[statuses]\ndelivery_done = ["Done"]\n'
        (own / name).write_bytes(text if isinstance(text, bytes) else text.encode() + rest)
    ran = root.run("profiles")
    assert ran.code == 2
    assert told in ran.err


def test_ones_own_profile_of_a_built_in_name_replaces_it_and_says_why(
    root: Root, own: Path
) -> None:
    text = 'name = "delhivery"\ntitle = "Ours"\n[statuses]\ndelivery_done = ["Khatam"]\n'
    (own / "d.toml").write_text("\ufeff" + text, encoding="utf-8")
    root.drop("a.csv", sheet([("A1", "Khatam")]), folder="delhivery")
    assert root.once().code == 0
    summary = root.of("a").summary
    assert (summary["courier"], summary["courier_why"]) == ("delhivery", "it was named")
    assert summary["columns"] == [
        {
            "sheet": "",
            "used": [
                {"column": "Order ID", "role": "order_id", "matched": "exact"},
                {"column": "Status", "role": "status", "matched": "exact"},
            ],
            "unused": [],
            "heard": {},
        }
    ]
    keys = list(summary)
    assert keys.index("columns") < keys.index("open") == len(keys) - 1, "new keys come last"
    assert "Ours (delhivery)" in root.run("profiles", "delhivery").out


def test_a_profile_against_the_words_of_all_couriers_is_told(root: Root, own: Path) -> None:
    text = """name = "acme"
[direction]
rto = ["Forward"]
forward = ["RTO", "Bheja"]
[statuses]
delivery_done = ["RTO ho gaya", "Done"]
rto_bag_delivered = ["Delivered"]
"""
    (own / "acme.toml").write_text(text, encoding="utf-8")
    ran = root.run("doctor", "--json")
    told = [e["found"] for e in ran.json if e["subject"] == "profiles" and not e["fine"]]
    assert len(told) == 1
    assert told[0].startswith("in acme: ")
    for each in (
        'the status "RTO ho gaya" counts as delivery_done, though it names another way',
        'the status "Delivered" counts as rto_bag_delivered, and is delivery_done everywhere else',
        'the direction "forward" counts as rto',
        'the direction "rto" counts as forward',
    ):
        assert each in told[0]


def test_map_writes_a_draft_that_check_reads_once_it_is_confirmed(root: Root, own: Path) -> None:
    sample = root.path / "naya.csv"
    rows = [(f"1778811234567890{n:04}", "Delivered") for n in range(1, 4)]
    sample.write_text(sheet(rows, header=("ChunkBody", "Haal")))
    ran = root.run("map", sample, "--courier", "Naya Express", "-o", own / "naya.toml")
    assert ran.code == 0, ran.err
    assert "? ChunkBody → order_id: " in ran.out
    assert "shipdrop check FILE --courier naya-express" in ran.out
    text = (own / "naya.toml").read_text().replace('"?', '"')
    (own / "naya.toml").write_text(text)
    (told,) = root.run("check", sample, "--courier", "Naya Express", "--json").json
    assert told["rows"]["unsent"] == 3
    again = root.run("map", sample, "--courier", "third", "-o", own / "naya.toml")
    assert again.code == 2
    assert (own / "naya.toml").read_text() == text, "a profile is never written over"
    as_json = root.run("map", sample, "--courier", "third", "--json").json
    assert [each["role"] for each in as_json["columns"]] == ["order_id", "status"]
    assert as_json["statuses"][0]["suggestion"] == "delivery_done"
    assert (root.path / "third.toml").is_file()


def test_check_tells_faults_per_column_with_first_examples(root: Root) -> None:
    file = root.path / "m.csv"
    rows = [
        ("A1", "Wat", "x"), ("A2", "Wut", "x"), ("", "Delivered", "x"), ("A4", "Delivered", "x"),
        ("A4", "delivered", "x"), ("A5", "NDR", "x"), ("A6", "Wit", ""), ("A7", "Wyt", ""),
    ]  # fmt: skip
    file.write_text(sheet(rows, header=("Order No", "Status", "Ci\x1b[7mty")))
    ran = root.run("check", file, "--json", "--out", root.path / "out")
    (told,) = ran.json
    assert ran.code == 3
    (written,) = (root.path / "out").glob("*.summary.json")
    assert {
        k: v for k, v in told.items() if k not in {"faults", "statuses", "first"}
    } == json.loads(written.read_bytes())
    assert told["columns"][0]["unused"] == ["Ci\x1b[7mty"]
    assert told["columns"][0]["used"][0] == {
        "column": "Order No", "role": "order_id", "matched": "alias",
    }  # fmt: skip
    status, order = told["faults"]
    assert (status["column"], status["role"], status["rows"]) == ("Status", "status", 4)
    assert status["codes"] == [
        {
            "code": "STATUS_UNKNOWN",
            "count": 4,
            "error": True,
            "examples": [
                {"sheet": "", "row": 2, "value": "Wat"},
                {"sheet": "", "row": 3, "value": "Wut"},
                {"sheet": "", "row": 8, "value": "Wit"},
            ],
        }
    ]
    assert (order["column"], order["rows"]) == ("Order No", 1)
    counted = {(s["status"], s["outcome"]): s["count"] for s in told["statuses"]}
    assert counted["Delivered", "unsent"] == 1
    assert counted["delivered", "duplicate"] == 1
    assert counted["NDR", "ignored"] == 1
    spoken = root.run("check", file).out
    assert "columns read: Order No → order_id (alias), Status → status (exact)" in spoken
    assert r"columns not read: Ci\x1b[7mty" in spoken, "nothing of a file steers a terminal"
    assert "to be sent: 1× Delivered as delivery_done" in spoken
    assert "Status: 4 rows with a fault" in spoken
    assert "Also rows 3, 8." in spoken


def test_a_template_is_written_once_and_never_over_a_file_that_is_there(root: Root) -> None:
    ran = root.run("template", "--courier", "delhivery", "--json")
    assert ran.code == 0
    made = root.path / ran.json["file"]
    assert made.name == "delhivery-manifest.xlsx"
    header, *_ = openpyxl.load_workbook(made).worksheets[0].iter_rows(values_only=True)
    assert "Status" in header
    checked = root.run("check", made, "--courier", "delhivery", "--json")
    assert checked.json[0]["refused"] is None, "its headings are read as they stand"
    before = made.read_bytes()
    again = root.run("template", "--courier", "delhivery")
    assert again.code == 2
    assert "is there already" in again.err
    mine = root.path / "mine.xlsx"
    mine.write_text("not to be lost")
    assert root.run("template", "-o", "mine.xlsx").code == 2
    assert (made.read_bytes(), mine.read_text()) == (before, "not to be lost")
    assert root.run("template", "-o", "mine.csv").code == 2
    assert "delhivery" in root.run("template", "--courier", "delivery").err
