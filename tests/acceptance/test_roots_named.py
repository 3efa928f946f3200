"""Only `init`, `run` and `worker` make folders; all else says that there is no root. And how it
introduces itself: version, help, a list that fits a terminal.
"""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import app
from pipeline.core.errors import UsageError
from tests.acceptance.harness import Root, orders

ELSEWHERE = [
    "doctor", "drops", "drops show d1", "trace O1", "retry d1", "cancel d1", "why a.csv",
    "submit {file}", "check {file}", "profiles", "template", "map {file} --courier new",
]  # fmt: skip

LEDGER = ["again d1", "ledger check", "ledger backup {file}.db", "ledger new", "drops show latest"]


def refused(command: str, root: Path | None, file: Path) -> str:
    """Run a command in this process; it must end as for wrong usage. Returns its words."""
    file.write_text(orders(1))
    arguments = [each.format(file=file) for each in command.split()]
    with pytest.raises(UsageError) as caught:
        app([*arguments, *(["--root", str(root)] if root else [])], standalone_mode=False)
    return str(caught.value)


@pytest.mark.parametrize("command", ELSEWHERE)
def test_a_mistyped_root_is_told_and_not_made(tmp_path: Path, command: str) -> None:
    wrong = tmp_path / "mistypd"
    told = refused(command, wrong, tmp_path / "a.csv")
    assert told.startswith(f"There is no folder {wrong}.")
    assert "shipdrop init" in told
    assert not wrong.exists()


@pytest.mark.parametrize("named", [True, False], ids=["named", "current"])
@pytest.mark.parametrize("command", [*ELSEWHERE[1:8], *LEDGER])
def test_a_folder_without_an_inbox_is_no_root_and_nothing_is_made_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, *, named: bool
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(other)
    monkeypatch.delenv("SHIPDROP_ROOT", raising=False)
    told = refused(command, other if named else None, tmp_path / "a.csv")
    assert "is not a Shipdrop root: it has no inbox." in told
    assert list(other.iterdir()) == []
    assert [each.name for each in tmp_path.iterdir() if each != other] == ["a.csv"]


def test_a_root_whose_inbox_lies_on_a_share_that_is_away_is_still_one(
    root: Root, tmp_path: Path
) -> None:
    share = tmp_path / "share"
    share.mkdir()
    root.configure(inbox__path=share)
    assert root.once().code == 0
    share.rmdir()
    assert root.run("drops", "--json").json == []


def test_doctor_finds_folders_missing_and_makes_none(root: Root, tmp_path: Path) -> None:
    ran = root.run("doctor")
    assert ran.code == 2
    assert "has no inbox, outbox, work, archive, quarantine, state" in ran.out
    assert root.files("") == []
    mistyped = root.run("drops", "--root", tmp_path / "mistypd")
    assert (mistyped.code, mistyped.out) == (2, "")


def test_run_makes_the_root_it_is_given(root: Root, tmp_path: Path) -> None:
    new = tmp_path / "new" / "root"
    assert root.run("run", "--once", "--root", new).code == 0
    assert (new / "inbox").is_dir()


def test_the_version_is_told(root: Root) -> None:
    ran = root.run("--version")
    assert (ran.code, ran.out.split()[0]) == (0, "shipdrop")
    assert ran.out.split()[1][0].isdigit()


@pytest.mark.parametrize(
    "command", ["run", "check", "submit", "why", "map", "drops", "drops show", "trace", "retry",
                "profiles", "template", "explain", "init", "doctor"],
)  # fmt: skip
def test_help_names_what_each_option_takes(command: str) -> None:
    text = CliRunner().invoke(app, [*command.split(), "--help"]).output
    options = [line for line in text.splitlines() if line.startswith("  -")]
    for raw in ("<path>", "<str>", "<int>", "PATH ", "TEXT ", "INTEGER "):
        assert not [line for line in options if raw in line], f"{raw} says nothing to a clerk"
    assert "--root ROOT" in text


def test_the_list_of_drops_fits_a_terminal_of_80_columns(root: Root) -> None:
    root.drop("a_rather_long_name_of_a_manifest_from_the_northern_warehouse_2026.csv", orders(2))
    root.drop("pins.csv", "Pincode,City\n400001,Mumbai\n")
    root.once()
    listed = root.run("drops").out
    assert max(len(line) for line in listed.splitlines()) <= 80
    assert "generic: 2 accepted" in listed
    assert "HEADER_NOT_FOUND" in listed


def test_a_courier_that_nobody_knows_is_guessed(root: Root) -> None:
    root.run("init")
    (root.path / "a.csv").write_text(orders(1))
    ran = root.run("submit", "a.csv", "--courier", "delhivry")
    assert ran.code == 2
    assert 'There is no profile for the courier "delhivry". Did you mean "delhivery"?' in ran.err
    assert root.files("inbox") == []
    root.drop("b.csv", orders(1), folder="delhivry")
    root.once()
    # Read as Delhivery's, it lacks a column; the sender hears of both.
    refused = root.of("b").summary["refused"]
    assert refused["code"] == "HEADER_NOT_FOUND"
    assert 'There is no profile for the courier "delhivry"' in refused["message"]
    assert 'read as "delhivery"' in refused["message"]
    (root.path / "inbox/no such one").mkdir()
    root.drop("c.csv", orders(1), folder="no such one")
    assert root.once().code == 0
    codes = {each["code"] for each in root.of("c").summary["warnings"]}
    assert "COURIER_UNKNOWN" in codes


def test_doctor_names_a_token_file_that_is_not_there(root: Root) -> None:
    root.run("init")
    root.configure(api__token="", api__token_file="secrets/token")
    ran = root.run("doctor", "--json")
    assert ran.code == 2
    bad = {each["subject"]: each for each in ran.json if not each["fine"]}
    assert set(bad) == {"token file"}
    assert "secrets/token cannot be read: No such file or directory" in bad["token file"]["found"]
