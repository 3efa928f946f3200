"""Parts of the web page by themselves: expectations, log-in pace, our own CSV, drafts, words."""

import hashlib
import os
import random
import socket
import subprocess
from datetime import UTC, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from argon2 import PasswordHasher
from msgspec.structs import replace

from pipeline import web
from pipeline.core.clock import Clock
from pipeline.core.errors import SettingsError
from pipeline.reporting.results_csv import csv_cells, csv_header, csv_lines
from pipeline.service.health_file import (
    LATENCY_BOUNDS,
    Calls,
    HealthFile,
    HealthFileWriter,
    has_scanned,
    is_fresh,
    read_minutes,
)
from pipeline.service.health_file import read_health_file as read
from pipeline.service.settings import WebSettings, load
from pipeline.service.wiring import Site
from pipeline.storage.courier_profiles import LiveProfiles
from pipeline.web import passwords
from pipeline.web.access import Access, Right, Throttle, User, Visitor
from pipeline.web.context import NotPossible
from pipeline.web.correct_rows.draft import Draft, Rule
from pipeline.web.passwords import hash_password, password_fits
from pipeline.web.people import NotChanged, People
from pipeline.web.sheets import SheetFiles
from pipeline.web.teaching.profile_files import remember
from pipeline.web.uploads import clean_name
from pipeline.web.words import ago, size
from schemas.courier import Expectation
from schemas.profile import load_profile
from schemas.toml_reader import ProfileError
from tests.fakes.manual_clock import ManualClock

INDIA = ZoneInfo("Asia/Kolkata")


def at(day: int, hour: int) -> datetime:
    """November 2026; the 23rd is a Monday."""
    return datetime(2026, 11, day, hour, tzinfo=INDIA)


@pytest.mark.parametrize(
    ("now", "last", "late"),
    [
        (at(23, 17), at(20, 12), False),  # Monday, before the time; Friday's came
        (at(23, 19), at(20, 12), True),
        (at(23, 19), at(23, 1), False),  # came early
        (at(24, 9), at(20, 12), True),  # still missing on the next morning
        (at(22, 19), at(20, 12), False),  # Sunday: nothing expected since Friday
        (at(23, 19), None, True),
    ],
)
def test_a_file_is_late_when_none_came_on_the_last_day_it_was_due(now, last, late) -> None:
    expect = Expectation(by=time(18), days=frozenset(range(5)))
    assert expect.is_late(now, last) is late


def test_expectations_are_read_strictly() -> None:
    text = 'name = "x"\n[statuses]\ndelivery_done = ["D"]\n[expect]\n'
    profile = load_profile(text + 'by = "18:30"\ndays = ["mon", "Sat"]\n', origin="x.toml")
    assert profile.expect == Expectation(by=time(18, 30), days=frozenset({0, 5}))
    assert load_profile(text, origin="x.toml").expect is None
    for wrong in ('by = "24:00"', 'by = "6"', 'days = ["mon"]', 'by = "1:00"', 'by="06:00"\nday=1'):
        with pytest.raises(ProfileError):
            load_profile(text + wrong, origin="x.toml")
    with pytest.raises(ProfileError, match="mondy"):
        load_profile(text + 'by = "06:00"\ndays = ["mondy"]', origin="x.toml")


def test_wrong_tries_cost_a_growing_wait_and_a_right_one_forgets_them() -> None:
    now = 0.0
    throttle = Throttle(lambda: now)
    waits = []
    for _ in range(12):
        throttle.failed("user a", "address 1")
        waits.append(throttle.wait("user a", "address 2"))
    assert waits[:4] == [0, 0, 0, 0]
    assert waits[4:8] == [1, 2, 4, 8]
    assert max(waits) <= 300
    assert throttle.wait("user b", "address 1") > 0
    assert throttle.wait("user b", "address 2") == 0
    now = 1_000.0
    assert throttle.wait("user a") <= 0
    throttle.succeeded("user a")
    throttle.failed("user a")
    assert throttle.wait("user a") == 0


@pytest.fixture
def quick_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a password's hash cost little, where it is only compared."""
    little = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
    monkeypatch.setattr(passwords, "_HASHER", little)


def test_to_check_a_password_of_nobody_takes_as_long_as_of_somebody() -> None:
    assert not passwords._HASHER.check_needs_rehash(passwords._NOBODY)


@pytest.mark.usefixtures("quick_hashing")
def test_a_session_lasts_so_many_hours_and_no_longer() -> None:
    now = 1_000.0
    stored = hash_password("correct horse")
    users = {"asha": User(name="asha", right=Right.OPERATE, password=stored)}
    access = Access(lambda: users, lambda: now, hours=2)
    session = access.log_in("asha", "correct horse")
    assert session is not None
    now += 2 * 3600 - 1
    assert access.visitor(session, "") == Visitor(name="asha", right=Right.OPERATE)
    now += 2
    assert access.visitor(session, "") is None
    again = access.log_in("asha", "correct horse")
    assert again is not None
    assert again != session
    access.log_out(again)
    assert access.visitor(again, "") is None
    assert access.log_in("asha", "wrong horse") is None


@pytest.mark.usefixtures("quick_hashing")
def test_a_log_out_while_the_session_is_put_off_stays() -> None:
    stored = hash_password("correct horse")
    users = {"asha": User(name="asha", right=Right.OPERATE, password=stored)}
    meanwhile: list[str] = []

    def looked_up() -> dict[str, User]:
        for session in meanwhile:
            access.log_out(session)
        return users

    access = Access(looked_up, lambda: 0.0, hours=2)
    session = access.log_in("asha", "correct horse")
    assert session is not None
    access.stay(session)
    assert access.visitor(session, "") is not None
    meanwhile.append(session)
    access.stay(session)
    meanwhile.clear()
    assert access.visitor(session, "") is None


@pytest.mark.usefixtures("quick_hashing")
def test_nobody_but_the_first_person_is_added_or_changed_without_a_log_in(tmp_path: Path) -> None:
    people = People(tmp_path, WebSettings(), Clock())
    for _ in range(2):  # the second click on a button
        people.add("", "Asha", Right.MANAGE, "three odd words")
    with pytest.raises(NotChanged, match="added meanwhile"):
        people.add("", "Bela", Right.MANAGE, "three odd words")
    with pytest.raises(NotChanged, match="added meanwhile"):
        people.change("", "Asha", password="other odd words")
    people.add("Asha", "Bela", Right.LOOK, "three odd words")
    assert {each.name: each.right for each in people.everybody()} == {
        "Asha": Right.MANAGE,
        "Bela": Right.LOOK,
    }


def test_a_form_is_of_one_session_and_outlives_a_restart() -> None:
    access = Access(dict, lambda: 0.0, hours=12, secret=b"s" * 32)
    token = access.form_token("mine")
    assert access.is_form_token("mine", token)
    assert not access.is_form_token("another", token)
    assert not access.is_form_token("", access.form_token(""))
    assert Access(dict, lambda: 0.0, hours=12, secret=b"s" * 32).is_form_token("mine", token)
    assert not Access(dict, lambda: 0.0, hours=12).is_form_token("mine", token)


def test_a_password_fits_its_own_hash_only() -> None:
    stored = hash_password("correct horse")
    assert password_fits("correct horse", stored)
    assert not password_fits("correct hors", stored)
    assert not password_fits("anything", None)


def write(path: Path, header: list[str], rows: list[list[str]]) -> Path:
    columns = [csv_cells(pa.array(column, pa.string())) for column in zip(*rows, strict=True)]
    path.write_bytes(csv_header(header) + csv_lines(columns))
    return path


def test_any_line_of_our_csv_is_found_again_whatever_its_cells_hold(tmp_path: Path) -> None:
    dice = random.Random(5)
    parts = ["a", '"', ",", "\r\n", "\n", "'", "=1", "é", ";", " ", "", "\ufeff", "x" * 40]
    rows = [
        ["".join(dice.choices(parts, k=dice.randrange(6))) for _ in range(3)] + [f"{n % 7}"]
        for n in range(3_000)
    ]
    path = write(tmp_path / "x.csv", ["a", "b", "c", "d"], rows)
    sheet = SheetFiles().open(path, ["d"])
    assert len(sheet) == len(rows)
    some = dice.sample(range(3_000), 300)
    assert [list(cells) for cells in sheet.records(some)] == [rows[n] for n in some]
    assert sheet.where("d", lambda each: each == "3").tolist() == list(range(3, 3_000, 7))


def test_a_record_may_lie_across_the_pieces_a_file_is_read_in(tmp_path: Path) -> None:
    long = 'word, "quoted"\n' * 9_000
    rows = [[f"{n}", long, "end"] for n in range(12)]
    path = write(tmp_path / "long.csv", ["n", "text", "e"], rows)
    assert path.stat().st_size > 1 << 20
    sheet = SheetFiles().open(path, ["e"])
    assert [list(cells) for cells in sheet.records(range(12))] == rows


def test_a_file_that_was_written_anew_is_indexed_anew(tmp_path: Path) -> None:
    files = SheetFiles()
    path = write(tmp_path / "x.csv", ["a"], [["1"], ["2"]])
    assert len(files.open(path, ["a"])) == 2
    write(path, ["a"], [["1"], ["2"], ["3"]])
    assert len(files.open(path, ["a"])) == 3


def test_a_value_has_one_rule_in_each_column() -> None:
    draft = Draft()
    for column, new in ((1, "y"), (2, "z"), (1, "w")):
        draft = draft.with_rule(Rule(column=column, old="x", new=new))
    assert [draft.value(0, column, "x") for column in (0, 1, 2)] == ["x", "w", "z"]
    assert len(draft.rules) == 2
    assert draft.with_rule(Rule(column=1, old="x", new="x")).value(0, 1, "x") == "x"


def test_a_single_cell_wins_over_a_rule_and_both_can_be_taken_back() -> None:
    draft = Draft().with_rule(Rule(column=1, old="x", new="y"))
    assert draft.value(0, 1, "x") == "y"
    assert draft.value(0, 0, "x") == "x"
    draft = draft.with_cells([(0, 1, "z", "x")], who="Asha", at="")
    assert draft.value(0, 1, "x") == "z"
    assert draft.with_cells([(0, 1, "y", "x")], who="Asha", at="").cells == {}
    draft = draft.with_rule(Rule(column=1, old="x", new="x"))
    assert draft.rules == ()
    assert draft.value(5, 1, "x") == "x"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a.csv", "a.csv"),
        ("../../etc/passwd", "passwd"),
        ("C:\\fakepath\\a b.csv", "a b.csv"),
        ("/", "upload.csv"),
        ("..", "upload.csv"),
        (".hidden.csv", "hidden.csv"),
        ("~$book.xlsx", "$book.xlsx"),
        ("a\x00b\u202ecsv", "a_b_csv"),
        ("न" * 200 + ".csv", "न" * 80 + ".csv"),
    ],
)
def test_a_name_from_a_browser_becomes_one_plain_name(given: str, kept: str) -> None:
    assert clean_name(given) == kept
    assert len(clean_name(given).encode()) <= 255


ACME = 'name = "acme"\n[statuses]\ndelivery_done = ["Done"]\n'


@pytest.mark.parametrize("beside", [b"\x00\x05\x16\x07Mac OS X \xff\xfe", ACME.encode()])
def test_what_macos_leaves_beside_a_profile_is_none(tmp_path: Path, beside: bytes) -> None:
    couriers = tmp_path / "couriers"
    couriers.mkdir()
    (couriers / "acme.toml").write_text(ACME)
    (couriers / "._acme.toml").write_bytes(beside)
    site = Site(tmp_path, load(tmp_path))
    remember(site, "acme", said="Handed over", means="Done", who="")
    assert (couriers / "._acme.toml").read_bytes() == beside
    assert "Handed over" in (couriers / "acme.toml").read_text()
    (couriers / "acme.toml").unlink()
    assert "acme" not in LiveProfiles(couriers, monotonic=lambda: 0.0)


@pytest.mark.parametrize("broken", [b"name = ", b"\xff\xfe"])
def test_beside_a_profile_that_cannot_be_read_nothing_is_remembered(
    tmp_path: Path, broken: bytes
) -> None:
    couriers = tmp_path / "couriers"
    couriers.mkdir()
    (couriers / "acme.toml").write_text(ACME)
    site = Site(tmp_path, load(tmp_path))
    assert "acme" in site.profiles
    (couriers / "aaa.toml").write_bytes(broken)
    with pytest.raises(NotPossible, match=r"aaa\.toml"):
        remember(site, "acme", said="Handed over", means="Done", who="")


def test_profiles_are_read_again_and_a_broken_one_leaves_what_was_known(tmp_path: Path) -> None:
    now = 0.0
    profiles = LiveProfiles(tmp_path / "couriers", monotonic=lambda: now)
    assert "acme" not in profiles
    (tmp_path / "couriers").mkdir()
    path = tmp_path / "couriers" / "acme.toml"
    path.write_text('name = "acme"\n[statuses]\ndelivery_done = ["Done"]\n')
    now = 5.0
    assert profiles["acme"].statuses.base == {"done": 2}
    path.write_text("name = ")
    now = 10.0
    assert profiles["acme"].statuses.base == {"done": 2}
    with pytest.raises(SettingsError):
        LiveProfiles(tmp_path / "couriers", monotonic=lambda: now)


def test_the_pulse_keeps_a_line_for_each_minute_with_calls(tmp_path: Path) -> None:
    clock, made, scanned_at = ManualClock(datetime(2026, 11, 23, 10, 0, tzinfo=UTC)), 0, ""
    slow = (0,) * len(LATENCY_BOUNDS)

    def look() -> HealthFile:
        calls = Calls(by_status={"200": made}, by_time=(*slow, made), seconds=made * 2.0)
        told = clock.now().isoformat()
        return HealthFile(pid=1, started_at=told, at=told, scanned_at=scanned_at, calls=calls)

    writer = HealthFileWriter(tmp_path, look, clock)
    for minute, count in enumerate((0, 5, 5, 9)):
        clock.advance(60 if minute else 0)
        made = count
        if minute == 1:
            scanned_at = clock.now().isoformat()
        writer.beat()
    now = clock.now()
    kept = read_minutes(tmp_path, now.date())
    assert [(moment.minute, calls.total) for moment, calls in kept] == [(0, 5), (2, 4)]
    assert kept[1][1].seconds == 8.0
    health_file = read(tmp_path)
    assert health_file.calls.total == 9
    assert is_fresh(health_file, now)
    assert not has_scanned(health_file, now)
    assert has_scanned(health_file, now.replace(minute=1))
    assert not is_fresh(health_file, now.replace(minute=4))
    ended = subprocess.Popen(["/bin/true"])
    ended.wait()
    here = replace(health_file, host=socket.gethostname())
    assert is_fresh(replace(here, pid=os.getpid()), now)
    assert not is_fresh(replace(here, pid=ended.pid), now)
    assert is_fresh(replace(here, pid=ended.pid, host="elsewhere"), now)
    (tmp_path / "health.json").write_bytes(b"{}")
    assert read(tmp_path) is None


def test_words_for_times_and_sizes() -> None:
    assert [ago(n) for n in (0, 59, 600, 7200, 200_000)] == [
        "1 s",
        "59 s",
        "10 min",
        "2 h",
        "2 days",
    ]
    assert [size(n) for n in (1, 900, 1_280, 5_400_000)] == [
        "1 byte",
        "900 bytes",
        "1.28 kB",
        "5.4 MB",
    ]


def test_what_is_not_ours_is_what_it_was_when_it_was_looked_at() -> None:
    vendor = Path(web.__file__).parent / "static" / "vendor"
    told = dict(
        reversed(line.split("  ")) for line in (vendor / "SHA256SUMS").read_text().splitlines()
    )
    assert told.keys() == {path.name for path in vendor.glob("*") if path.suffix in {".js", ".css"}}
    for name, digest in told.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest
    base = (vendor.parents[1] / "templates" / "base.html").read_text()
    assert "vendor/htmx-2.0.11.min.js" in base
    assert "://" not in base
