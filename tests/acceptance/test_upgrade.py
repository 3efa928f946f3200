"""A root of the build of 2026-11-27, as it was left: one drop through, one open. Then this build.

``upgrade/make_root.py`` made it, with that build's own code and packages.
"""

import tarfile
from pathlib import Path

import pytest

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, orders, rooted

OLD = Path(__file__).with_name("upgrade") / "root-2026-11-27.tar.gz"


@pytest.fixture
def old(tmp_path: Path, api: SandboxHandle):
    with tarfile.open(OLD) as archive:
        archive.extractall(tmp_path, filter="data")
    with rooted(tmp_path / "root", api.url, api.token) as root:
        yield root


def test_what_was_open_goes_on_and_what_was_accepted_is_remembered(
    old: Root, api: SandboxHandle
) -> None:
    ran = old.run("doctor", "--json")
    assert ran.code == 0, ran.out
    listed = {each["source_file"]: each for each in old.run("drops", "--json").json}
    assert {name: each["state"] for name, each in listed.items()} == {
        "accepted.csv": "completed",
        "unsent.csv": "open",
    }
    assert old.once().code == 0
    assert old.of("unsent").counts == {"accepted": 4}
    assert api.stats()["accepted"] == 4, "nothing of the drop that was through"
    old.drop("again.csv", orders(3, prefix="OLDA") + "OLDB000000,Delivered\nNEW1,Delivered\n")
    assert old.once().code == 0
    assert old.of("again").counts == {"accepted": 1, "duplicate": 4}
    assert api.stats()["accepted"] == 5
    assert old.run("ledger", "check").code == 0
    story = old.run("trace", "OLDA000000").out
    assert "accepted.csv" in story
    assert "again.csv" in story


def test_its_rejects_may_come_back(old: Root, api: SandboxHandle) -> None:
    rejects = old.of("accepted").path("rejects.csv").read_text("utf-8-sig")
    assert "Nonesuch" in rejects
    old.drop("fixed.csv", rejects.replace("Nonesuch", "Delivered"))
    assert old.once().code == 0
    assert old.of("fixed").counts == {"accepted": 1}
    assert old.of("fixed").summary["parent"] == old.of("accepted").id
