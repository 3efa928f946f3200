"""Names from strangers: they may hold any byte, and never more than one path component."""

import os
import random
import threading
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UsageError
from pipeline.core.file_names import DropIds, ignored_because, numbered, one_component, stem_of
from schemas.display import shown
from tests.fakes.manual_clock import ManualClock

names_on_disk = st.binary(min_size=1, max_size=255).map(os.fsdecode)


def make_ids(clock: ManualClock) -> DropIds:
    return DropIds(clock.now, random.Random(7))


def test_an_id_tells_its_time_and_has_the_promised_shape():
    drop_id = make_ids(ManualClock()).new()
    assert drop_id[:19] == "d20261123t144123123"
    assert len(drop_id) == 23
    assert set(drop_id[19:]) <= set("abcdefghijklmnopqrstuvwxyz234567")


def test_ids_of_one_millisecond_still_sort_in_the_order_they_were_given():
    ids = make_ids(ManualClock())
    given_out = [ids.new() for _ in range(1500)]
    assert given_out == sorted(set(given_out))


def test_ids_still_ascend_when_the_wall_clock_steps_back_an_hour():
    clock = ManualClock()
    ids = make_ids(clock)
    before = ids.new()
    clock.set_wall(clock.now() - timedelta(hours=1))
    assert ids.new() > before


def test_ids_tell_utc_whatever_the_zone_of_the_clock():
    indian = datetime.fromisoformat("2026-11-23T20:11:23.123+05:30")
    assert make_ids(ManualClock(indian)).new().startswith("d20261123t144123123")


def test_ids_sort_across_the_turn_of_a_year():
    clock = ManualClock(datetime(2026, 12, 31, 23, 59, 59, 999000, UTC))
    ids = make_ids(clock)
    assert ids.new() < ids.new() < ids.new()


def test_threads_never_share_an_id():
    ids = make_ids(ManualClock())
    given_out: list[str] = []
    threads = [
        threading.Thread(target=lambda: given_out.extend(ids.new() for _ in range(200)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(given_out)) == 800


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("orders.csv", "orders"),
        ("ORDERS.XLSX", "ORDERS"),
        ("orders.v2.csv", "orders.v2"),
        ("no extension", "no extension"),
        ("a # [b] {c} %s.csv", "a # [b] {c} %s"),
        ("ऑर्डर सूची.csv", "ऑर्डर सूची"),
        ("two\nlines\t.csv", "two_lines_"),
        ("c1\x85\x9b.csv", "c1__"),
        ("-rf.csv", "-rf"),
        (".csv", ".csv"),
        ("a.", "a"),
        ("..", "__"),
        (".", "_"),
        ("", "_"),
        ("...", "___"),
        ("up/../down.csv", "up_.._down"),
        ("nul\0.csv", "nul_"),
        ("lone \ud800.csv", "lone _"),
    ],
)
def test_a_stem_is_the_name_without_its_extension_and_harmless(name: str, stem: str):
    assert stem_of(name) == stem


def test_a_stem_keeps_undecodable_bytes():
    assert os.fsencode(stem_of(os.fsdecode(b"caf\xe9 \xff.csv"))) == b"caf\xe9 \xff"


def test_a_long_stem_is_cut_at_a_character_never_inside_one():
    stem = stem_of("ह" * 80 + ".csv")  # three bytes each, 150 is a multiple of three
    assert stem == "ह" * 50
    assert stem_of("a" + "ह" * 80 + ".csv") == "a" + "ह" * 49


@given(names_on_disk)
def test_any_name_gives_a_stem_that_can_be_written(name: str):
    stem = stem_of(name)
    assert 1 <= len(os.fsencode(stem)) <= 150
    assert stem not in {".", ".."}
    assert "/" not in stem
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in stem)


@given(names_on_disk, st.integers(min_value=2, max_value=99999))
def test_a_numbered_name_is_another_legal_name(name: str, number: int):
    other = numbered(name, number)
    assert other != name
    assert len(os.fsencode(other)) <= 255
    assert f" ({number})" in other


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.csv", "x (2).csv"),
        ("a.b.xlsx", "a.b (2).xlsx"),
        ("plain", "plain (2)"),
        (".csv", ".csv (2)"),
        ("x." + "e" * 252, "x." + "e" * 249 + " (2)"),
        ("ह" * 83 + ".csv", "ह" * 82 + " (2).csv"),
    ],
)
def test_a_number_goes_before_the_extension(name: str, expected: str):
    assert numbered(name, 2) == expected


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "/etc/passwd", "../x.csv", "nul\0", "x" * 256, "ह" * 86, "\ud800"],
)
def test_what_is_not_one_component_gets_nowhere(name: str):
    with pytest.raises(UsageError):
        one_component(name)


@pytest.mark.parametrize(
    "name", ["x" * 255, "-rf", "a\nb", "...", "a\\b", os.fsdecode(b"\xff\xfe"), " "]
)
def test_odd_but_legal_components_pass_unchanged(name: str):
    assert one_component(name) == name


@pytest.mark.parametrize(
    "name",
    [
        ".x.csv",
        "~$x.xlsx",
        "x.csv~",
        "x.csv.part",
        "x.csv.FilePart",
        "x.CRDOWNLOAD",
        "x.tmp",
        "x.bak",
        "x.csv.done",
        "x.inprogress",
        "THUMBS.DB",
        "Desktop.ini",
    ],
)
def test_unfinished_and_foreign_files_are_known_by_name(name: str):
    assert ignored_because(name)


@pytest.mark.parametrize("name", ["x.csv", "part.csv", "x.done.csv", "x~.csv", "thumbs.db.csv"])
def test_manifests_are_not_taken_for_unfinished_files(name: str):
    assert ignored_because(name) is None


def test_a_shown_name_cannot_break_a_line_or_reverse_a_terminal():
    assert shown("a\nb\x1b[31m\u202ecod.exe") == "a\\nb\\x1b[31m\\u202ecod.exe"
    assert shown(os.fsdecode(b"\xff.csv")) == "\\udcff.csv"
    assert shown("x" * 100) == "x" * 59 + "…"
