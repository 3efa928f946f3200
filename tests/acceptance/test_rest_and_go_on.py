"""One drop's trouble is its own: the others go on, and `--once` comes to an end."""

import subprocess
import sys

from tests.acceptance.harness import Root, orders

CLOSED_PORT = "http://127.0.0.1:9"


def test_an_open_drop_whose_bodies_are_gone_stops_nobody(root: Root) -> None:
    root.drop("first.csv", orders(3, prefix="A"))
    assert root.once(SHIPDROP_API__BASE_URL=CLOSED_PORT, SHIPDROP_API__MAX_ATTEMPTS="1").code == 5
    first = root.of("first")
    (root.path / "state" / "drops" / first.id / "bodies.json").unlink()
    root.drop("second.csv", orders(3, prefix="B"))
    ran = root.once()
    assert ran.code == 2, "it is not the API's matter"
    assert "bodies.json" in ran.err
    assert root.of("second").counts["accepted"] == 3
    assert "accepted" not in root.of("first").counts


def test_a_name_is_shown_as_it_is_and_cannot_steer_the_terminal(root: Root) -> None:
    root.drop("[red].csv", "foo [/b],bar\n1,2\n")
    root.drop("\x1b[31mred.csv", orders(1, prefix="ESC"))
    assert root.once().code == 4
    listed = root.run("drops")
    assert listed.code == 0, listed.err
    assert "[red].csv" in listed.out
    assert "\x1b" not in listed.out
    (refused,) = (d for d in root.run("drops", "--json").json if d["source_file"] == "[red].csv")
    assert "foo [/b]" in root.run("drops", "show", refused["drop_id"], "--json").out
    told = root.run("trace", "ESC000000")
    assert "red.csv" in told.out
    assert "\x1b" not in told.out


def test_a_traceback_on_a_terminal_shows_no_cells() -> None:
    program = (
        "import structlog\n"
        "from pipeline.service.logging_setup import configure\n"
        "configure(level='INFO', form='console')\n"
        "def fail():\n"
        "    cell = 'Remark ' + 'of a customer'\n"
        "    raise ValueError('no')\n"
        "try:\n"
        "    fail()\n"
        "except ValueError:\n"
        "    structlog.get_logger().exception('drop.bug')\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert "ValueError: no" in ran.stderr
    assert "Remark of a customer" not in ran.stderr
