"""A file is read again once its courier is known: its bytes, its folder, nothing sent twice."""

from pathlib import Path

from tests.acceptance.harness import Delivered, Root, sheet

PROFILE = """\
name = "raftaar"
[headers]
order_id = ["Consignment Ref"]
status = ["Position"]
[statuses]
delivery_done = ["Cnee signed"]
"""
UNKNOWN = sheet([["RAF1", "Cnee signed"], ["RAF2", "Cnee signed"]], ("Consignment Ref", "Position"))


def taught(root: Root, text: str = PROFILE) -> None:
    (root.path / "couriers").mkdir(exist_ok=True)
    (root.path / "couriers" / "raftaar.toml").write_text(text, "utf-8")


def shown(root: Root, drop: str) -> dict[str, object]:
    found: dict[str, object] = root.run("drops", "show", drop, "--json").json
    return found


def only(root: Root) -> Delivered:
    (found,) = root.delivered()
    return found


def test_a_refused_file_is_read_again_with_its_folder_and_its_bytes(root: Root) -> None:
    root.drop("raftaar.csv", UNKNOWN, "raftaar")
    assert root.once().code == 4
    old = only(root)
    taught(root)
    asked = root.run("again", old.id)
    assert asked.code == 0, asked.err
    assert root.files("inbox") == ["raftaar/raftaar.csv"]
    assert shown(root, old.id)["read_again_as"] is None
    assert root.once().code == 0
    new = root.delivered()[1]
    assert new.summary["same_as"] == old.id
    assert new.place == root.outbox / "raftaar"
    assert new.counts == {"accepted": 2}
    assert shown(root, old.id)["read_again_as"] == new.id
    # What was refused stays where it was.
    assert root.files("quarantine") == [f"{old.id}/raftaar.csv"]
    again = root.run("again", old.id)
    assert again.code == 2
    assert new.id in again.err


def test_rejected_rows_are_read_again_and_the_others_are_duplicates(root: Root) -> None:
    taught(root)
    rows = [["RAF1", "Cnee signed"], ["RAF2", "Cnee ok"], ["RAF3", "Cnee signed"]]
    root.drop("raftaar.csv", sheet(rows, ("Consignment Ref", "Position")), "raftaar")
    assert root.once().code == 3
    old = only(root)
    assert old.counts == {"accepted": 2, "rejected": 1}
    taught(root, PROFILE.replace('"Cnee signed"', '"Cnee signed", "Cnee ok"'))
    told = root.run("again", old.id, "--json")
    assert told.code == 0, told.err
    assert told.json["drop_id"] == old.id
    assert root.once().code == 0
    new = root.delivered()[1]
    assert new.counts == {"accepted": 1, "duplicate": 2}
    new.assert_sound(3)


def test_what_was_corrected_or_cannot_be_understood_still_is_told_once(root: Root) -> None:
    taught(root)
    rows = [["RAF1", "Cnee signed"], ["RAF2", "Cnee ok"], ["RAF3", "Nonesuch"]]
    root.drop("raftaar.csv", sheet(rows, ("Consignment Ref", "Position")), "raftaar")
    root.once()
    old = only(root)
    rejects = old.path("rejects.csv").read_text("utf-8-sig")
    kept = [line for line in rejects.splitlines() if "Cnee ok" not in line]
    root.drop("mended.csv", "\r\n".join(kept).replace("Nonesuch", "Cnee signed"), "raftaar")
    assert root.once().code == 0
    taught(root, PROFILE.replace('"Cnee signed"', '"Cnee signed", "Cnee ok"'))
    assert root.run("again", old.id).code == 0
    # Row 4 is rejected once more, and needs nobody: it was corrected by then.
    root.once()
    new = root.delivered()[-1]
    assert new.counts == {"accepted": 1, "duplicate": 1, "rejected": 1}
    assert new.summary["corrections"] == {"rows": 1, "fixed": 1}


def test_rows_of_a_refused_file_that_were_corrected_stay_so(root: Root) -> None:
    root.drop("whole.csv", sheet([(f"A{at:03}", "Nonesuch") for at in range(24)]))
    root.once()
    old = only(root)
    assert old.summary["refused"]["code"] == "TOO_MANY_REJECTS"
    text = old.path("rejects.csv").read_text("utf-8-sig")
    root.drop("back.csv", text.replace("Nonesuch", "Delivered"))
    root.once()
    assert root.run("drops", "--json", "--state", "to_do").json == []
    root.run("again", old.id)
    root.once()
    assert shown(root, old.id)["read_again_as"]
    assert root.run("drops", "--json", "--state", "to_do").json == []


def test_what_cannot_be_read_again_says_why(root: Root) -> None:
    taught(root)
    root.drop("sound.csv", sheet([["RAF1", "Cnee signed"]], ("Consignment Ref", "Position")))
    root.drop("refused.csv", "a,b\n1,2\n")
    root.once()
    sound, refused = root.of("sound"), root.of("refused")
    told = root.run("again", sound.id)
    assert told.code == 2
    assert "nothing" in told.err
    assert root.run("again", "d20010101t000000000aaaa").code == 2
    assert root.run("again", refused.id).code == 0
    told = root.run("again", refused.id)
    assert told.code == 2
    assert "waits in the inbox" in told.err
    (root.inbox / "refused.csv").unlink()
    (root.path / "quarantine" / refused.id / "refused.csv").unlink()
    told = root.run("again", refused.id)
    assert told.code == 2
    assert "not kept any more" in told.err
    assert not Path(root.inbox / "refused.csv").exists()
