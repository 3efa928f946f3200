"""Retention as a service does it: old files and rows go, and nothing is sent a second time."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import Root, orders, sheet, until


def make_old(root: Root, days: int) -> None:
    """As if everything that is closed had been closed so many days ago."""
    then = datetime.now(UTC) - timedelta(days=days)
    with sqlite3.connect(root.path / "state" / "ledger.db") as ledger:
        ids = [row[0] for row in ledger.execute("SELECT drop_id FROM drops")]
        for drop_id in ids:
            new = f"d{then:%Y%m%dt%H%M%S}{drop_id[16:]}"
            ledger.execute("UPDATE drops SET drop_id = ? WHERE drop_id = ?", (new, drop_id))
            for path in [*root.path.glob(f"**/*{drop_id}*")]:
                path.rename(path.with_name(path.name.replace(drop_id, new)))
        ledger.execute(
            "UPDATE drops SET received_at = ?1, finished_at = ?1 WHERE finished_at IS NOT NULL",
            (then.isoformat(),),
        )
    ledger.close()
    shelf = root.path / "archive" / f"{then:%Y}" / f"{then:%m}" / f"{then:%d}"
    shelf.mkdir(parents=True)
    for folder in root.path.glob("archive/*/*/*/*"):
        folder.rename(shelf / folder.name)
    (root.path / "state" / "swept.json").unlink()


def test_old_files_and_rows_go_and_what_was_accepted_is_not_sent_again(
    root: Root, api: SandboxHandle
) -> None:
    root.configure(retention__archive_days=30, retention__outbox_days=30)
    root.drop("a.csv", orders(60))
    root.drop("b.csv", orders(10, prefix="IT", status="In Transit"))
    assert root.once().code == 0
    make_old(root, 200)
    root.drop("c.csv", orders(60))
    ran = root.once()
    assert ran.code == 0
    assert root.of("c").counts == {"duplicate": 60}
    (swept,) = [line for line in ran.logs if line["event"] == "retention.swept"]
    assert (swept["originals"], swept["reports"], swept["drops"]) == (2, 6, 2)
    assert [Path(path).name for path in root.files("archive")] == ["c.csv"]
    assert {path.name.partition("__")[0] for path in root.outbox.iterdir()} == {"c"}
    root.drop("d.csv", orders(60))
    assert root.once().code == 0
    assert root.of("d").counts == {"duplicate": 60}
    assert api.stats()["accepted"] == 60
    assert api.stats()["repeats"] == 0
    traced = root.run("trace", "ORD000000", "--json").json
    assert traced[0]["outcome"] == "accepted"
    assert "no longer kept" in traced[0]["story"][0]
    assert "no longer kept" in root.run("trace", "ORD000000").out
    unknown = root.run("trace", "IT000000")  # nothing was accepted of it, so nothing is kept
    assert (unknown.code, unknown.err) == (
        2,
        "shipdrop: No file named the order or AWB IT000000.\n",
    )


def test_of_an_old_file_counts_stay_and_its_summary_in_the_outbox(root: Root) -> None:
    root.drop("a.csv", orders(20) + "ORD999999,Nonesuch\n,Delivered\n")
    root.drop("no.csv", "a,b\n1,2\n")
    assert root.once().code == 4
    make_old(root, 200)
    young = {each["source_file"]: each for each in root.run("drops", "--json").json}
    assert root.once().code == 0
    old = {each["source_file"]: each for each in root.run("drops", "--json").json}
    for name, before in young.items():
        after, told = old[name]["summary"], before["summary"]
        assert (before["tidied_at"], old[name]["tidied_at"] is None) == (None, False)
        counts = ("rows", "calls", "skipped", "state", "source_file", "corrections")
        assert {key: after[key] for key in counts} == {key: told[key] for key in counts}
        assert set(told) - set(after) <= {"courier_why", "columns", "open"}
        place = root.of(name.partition(".")[0]).place
        assert after["files"].keys() == told["files"].keys()
        assert all((place / each).is_file() for each in after["files"].values())
        assert {e["code"]: e["count"] for e in after["errors"]} == {
            e["code"]: e["count"] for e in told["errors"]
        }
        assert (after["refused"] or {}).get("code") == (told["refused"] or {}).get("code")
        assert not any(each["example_row"] for each in after["errors"])
    full = root.of("a").summary
    assert full["errors"][0]["example_row"], "its report stays as it was"
    drop_id, read_as = old["a.csv"]["drop_id"], full["drop_id"]
    shown = root.run("drops", "show", drop_id)
    assert "rows and details are gone" in " ".join(shown.out.split())
    with sqlite3.connect(root.path / "state" / "ledger.db") as ledger:
        sizes = [row[0] for row in ledger.execute("SELECT length(facts) FROM drops")]
    ledger.close()
    assert max(sizes) < 400

    # The rows of an old file that come back corrected are counted with it all the same.
    rejects = (root.outbox / old["a.csv"]["summary"]["files"]["rejects"]).read_text("utf-8-sig")
    root.drop("mended.csv", rejects.replace("Nonesuch", "Delivered").replace(read_as, drop_id))
    assert root.once().code == 3
    assert root.of("mended").summary["parent"] == drop_id
    assert root.of("a").summary == {**full, "corrections": {"rows": 2, "fixed": 1}}
    again = root.run("drops", "show", drop_id, "--json").json
    assert again["summary"]["corrections"] == {"rows": 2, "fixed": 1}


def test_whole_old_drops_go_and_what_was_accepted_is_not_sent_again(
    root: Root, api: SandboxHandle
) -> None:
    root.configure(retention__archive_days=30, retention__outbox_days=30, retention__drops_days=300)
    root.drop("a.csv", orders(60))
    root.drop("bad.csv", orders(2, prefix="B") + "BX,Nonesuch\n")
    root.drop("no.csv", "a,b\n1,2\n")
    assert root.once().code == 4
    make_old(root, 400)
    old = {each["source_file"]: each["drop_id"] for each in root.run("drops", "--json").json}
    root.drop("new.csv", orders(1, prefix="N"))
    (swept,) = [line for line in root.once().logs if line["event"] == "retention.swept"]
    assert (swept["drops"], swept["forgotten"]) == (3, 1)
    # Somebody still has to see to the other two.
    listed = {each["source_file"] for each in root.run("drops", "--json").json}
    assert listed == {"bad.csv", "no.csv", "new.csv"}
    assert root.run("drops", "show", old["a.csv"]).code == 2
    assert root.run("ledger", "check").code == 0
    assert root.run("doctor").code == 0
    traced = root.run("trace", "ORD000000", "--json").json
    assert [(each["outcome"], each["drop_id"]) for each in traced] == [("accepted", "")]
    told = root.run("trace", "ORD000000").out
    assert told.startswith("a file that is no longer listed: delivery_done → accepted")
    root.drop("b.csv", orders(60))
    assert root.once().code == 0
    again = root.of("b")
    assert again.counts == {"duplicate": 60}
    assert again.summary["same_as"] is None
    assert again.lines()[0]["message"].endswith(
        "delivery_done was accepted from a file that is no longer listed."
    )
    assert api.stats()["accepted"] == 63
    assert api.stats()["repeats"] == 0


def test_an_old_file_is_read_again_where_it_is_kept_and_nothing_goes_twice(
    root: Root, api: SandboxHandle
) -> None:
    root.configure(retention__outbox_days=30)
    courier = root.path / "couriers" / "raftaar.toml"
    courier.parent.mkdir(exist_ok=True)
    profile = 'name = "raftaar"\n[headers]\norder_id = ["Ref"]\nstatus = ["Position"]\n[statuses]\n'
    courier.write_text(profile + 'delivery_done = ["Cnee signed"]\n')
    rows = [["RAF1", "Cnee signed"], ["RAF2", "Cnee ok"], ["RAF3", "Nonesuch"]]
    root.drop("part.csv", sheet(rows, ("Ref", "Position")), "raftaar")
    root.drop("refused.csv", "Consignment,Position\nRAF9,Cnee signed\n", "raftaar")
    assert root.once().code == 4
    make_old(root, 200)
    assert root.once().code == 0
    old = {each["source_file"]: each["drop_id"] for each in root.run("drops", "--json").json}
    assert root.delivered() == [], "rows, details and reports are gone"
    text = profile.replace('"Ref"', '"Ref", "Consignment"')
    courier.write_text(text + 'delivery_done = ["Cnee signed", "Cnee ok"]\n')
    for drop in old.values():
        asked = root.run("again", drop)
        assert asked.code == 0, asked.err
    assert root.once().code == 3
    assert root.of("part").counts == {"duplicate": 1, "accepted": 1, "rejected": 1}
    assert root.of("part").summary["same_as"] == old["part.csv"]
    assert root.of("refused").counts == {"accepted": 1}
    assert api.stats()["accepted"] == 3
    assert api.stats()["repeats"] == 0
    shown = root.run("drops", "show", old["refused.csv"], "--json").json
    assert shown["read_again_as"] == root.of("refused").id


def test_an_old_file_that_is_not_kept_is_not_read_again_and_a_person_is_told_what_to_do(
    root: Root,
) -> None:
    root.configure(retention__archive_days=30)
    root.drop("part.csv", orders(2) + "BX,Nonesuch\n")
    root.drop("refused.csv", "a,b\n1,2\n")
    assert root.once().code == 4
    make_old(root, 200)
    assert root.once().code == 0
    for each in root.run("drops", "--json").json:
        asked = root.run("again", each["drop_id"])
        assert asked.code == 2
        assert "not kept any more" in asked.err
        assert "upload it again" in asked.err
        assert root.files("inbox") == []
        assert root.run("drops", "show", each["drop_id"], "--json").json["read_again_as"] is None


def test_days_of_drops_are_not_fewer_than_those_of_their_files(root: Root) -> None:
    root.configure(retention__archive_days=30, retention__drops_days=300)
    told = root.once()
    assert told.code == 2
    assert '"retention.drops_days" is "300"' in told.err
    assert "outbox_days" in told.err
    root.configure(retention__archive_days=30, retention__outbox_days=30, retention__drops_days=100)
    assert "rows_days" in root.once().err


def test_a_running_service_tidies_up_and_goes_on(root: Root) -> None:
    root.configure(retention__archive_days=30, retention__outbox_days=30)
    root.drop("a.csv", orders(2))
    assert root.once().code == 0
    make_old(root, 200)
    service = root.start("run", "--log-format", "json")
    until(lambda: not root.files("archive") and not root.files("outbox"), what="old files gone")
    root.drop("b.csv", orders(3, prefix="B"))
    until(root.delivered, what="the next file")
    ran = service.end()
    assert ran.code == 0
    assert root.of("b").counts == {"accepted": 3}
    (swept,) = [line for line in ran.logs if line["event"] == "retention.swept"]
    assert (swept["originals"], swept["reports"], swept["drops"]) == (1, 3, 1)


def test_by_default_files_stay(root: Root) -> None:
    root.drop("a.csv", orders(2))
    assert root.once().code == 0
    make_old(root, 170)
    assert root.once().code == 0
    assert [Path(path).name for path in root.files("archive")] == ["a.csv"]
    assert len(list(root.outbox.iterdir())) == 3
    assert root.run("trace", "ORD000000", "--json").json[0]["chunk"] == 0
