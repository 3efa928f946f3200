"""The flags, the orders file, and a process that ends when told to."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import fields
from inspect import signature
from pathlib import Path

import httpx
import pytest
import typer
from typer.testing import CliRunner

from pipeline.sandbox.config import Faults, SandboxConfig, load_orders
from pipeline.sandbox.options import add_command, config_from, sandbox

SERVE = """
from pipeline.sandbox.config import Faults, SandboxConfig
from pipeline.sandbox.server import serve
config = SandboxConfig(faults=Faults(stall_rate=1, stall_seconds=60))
serve(config, ready=lambda url: print(url, flush=True))
"""


def app() -> typer.Typer:
    commands = typer.Typer()
    add_command(commands)
    commands.command("other")(lambda: None)
    return commands


def test_the_flags_without_arguments_are_the_defaults() -> None:
    defaults = {name: flag.default for name, flag in signature(sandbox).parameters.items()}
    assert config_from(defaults) == SandboxConfig(port=8899)


def test_every_fault_and_setting_has_a_flag() -> None:
    flags = set(signature(sandbox).parameters)
    renamed = {"refuse_orders": "refuse_order", "poison_orders": "poison_order"}
    assert {renamed.get(field.name, field.name) for field in fields(Faults)} <= flags
    others = {field.name for field in fields(SandboxConfig)} - {"faults", "orders", "access_log"}
    assert others <= flags


def test_flags_become_a_configuration(tmp_path: Path) -> None:
    orders = tmp_path / "orders.json"
    orders.write_text('{"1": "bag_picked"}')
    config = config_from(
        {
            "port": 0,
            "fail_status": [502, 503],
            "refuse_order": ["7"],
            "down_seconds": "1:2.5",
            "orders_file": orders,
            "verbose": True,
        }
    )
    assert config.faults == Faults(
        fail_status=(502, 503), refuse_orders=frozenset({"7"}), down_seconds=(1, 2.5)
    )
    assert config.orders == {"1": "bag_picked"}
    assert config.access_log


@pytest.mark.parametrize(
    "flags",
    [
        ["--fail-rate", "2"],
        ["--status-all", "42"],
        ["--down-seconds", "5"],
        ["--down-seconds", "5:1"],
        ["--port", "99999"],
        ["--orders", "/no/such/file.csv"],
        ["--partial-shape", "round"],
    ],
)
def test_wrong_flags_end_with_2_and_a_sentence(flags: list[str]) -> None:
    result = CliRunner().invoke(app(), ["sandbox", *flags])
    assert result.exit_code == 2
    assert result.stderr.strip()
    assert result.stdout == ""


def test_the_command_needs_nothing_heavy_to_be_registered() -> None:
    script = (
        "import sys, pipeline.sandbox.options;"
        "print([m for m in ('aiohttp', 'pydantic', 'orjson') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("o.json", '{"0017": "dp_assigned", "2": "cancelled"}'),
        (
            "o.json",
            (
                '[{"order_id": "0017", "state": "dp_assigned"},'
                '{"order_id": "2", "state": "cancelled"}]'
            ),
        ),
        ("o.csv", "\ufefforder_id,state\n0017,dp_assigned\n2,cancelled\n"),
    ],
)
def test_orders_are_read_from_a_file(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert load_orders(path) == {"0017": "dp_assigned", "2": "cancelled"}


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("o.json", '{"1": "lost"}', "1"),
        ("o.json", '[{"order_id": 1, "state": "dp_assigned"}]', "entry 0"),
        ("o.json", "3", "neither"),
        ("o.json", "{", "JSON|unexpected|EOF"),
        ("o.csv", "order_id,state\n1,dp_assigned\n2,lost\n", "line 3"),
        ("o.csv", "id,status\n1,dp_assigned\n", "line 2"),
    ],
)
def test_a_wrong_orders_file_names_the_place(
    tmp_path: Path, name: str, text: str, place: str
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=place):
        load_orders(path)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_serving_at_once_with_calls_in_flight(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVE], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with httpx.Client(base_url=url, timeout=0.2) as client:
            assert client.get("/_sandbox/stats").status_code == 200
            with pytest.raises(httpx.ReadTimeout):
                client.put(
                    "/oms/v3/shipment/status",
                    json=[{"orderId": "1", "orderStatus": "bag_picked"}],
                    headers={"x-access-token": "sandbox-token"},
                )
            client.get("/_sandbox/stats")  # leaves an idle connection open
            process.send_signal(number)
            assert process.wait(timeout=5) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_says_where_it_listens(as_json: bool) -> None:
    script = (
        "import typer; from pipeline.sandbox.options import add_command;"
        "app = typer.Typer(); add_command(app); app.command('other')(lambda: None); app()"
    )
    flags = ["sandbox", "--port", "0", *(["--json"] if as_json else [])]
    with subprocess.Popen(
        [sys.executable, "-c", script, *flags], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        process.terminate()
        assert process.wait(timeout=5) == 0
        assert process.stdout.read() == ""
    if as_json:
        assert json.loads(line)["token"] == "sandbox-token"
    else:
        assert line.startswith("Sandbox listening on http://127.0.0.1:")
        assert line.endswith("  token: sandbox-token")


def test_the_command_collects_its_garbage(tmp_path: Path) -> None:
    """It runs for days; what commands switch off while they load is on again."""
    (tmp_path / "sitecustomize.py").write_text(
        "import gc, signal\n"
        "signal.signal(signal.SIGUSR1, lambda *_: print(gc.isenabled(), flush=True))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "sandbox", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
    )
    with process:
        assert "listening" in process.stdout.readline()
        process.send_signal(signal.SIGUSR1)
        said = process.stdout.readline()
        process.kill()
    assert said == "True\n"
