"""deploy/prometheus: each expression names a measure that the page serves, with its labels."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import running
from tests.acceptance.crew import crew_on
from tests.acceptance.harness import orders, until
from tests.acceptance.systemd import DEPLOY
from tests.postgres import PrivatePostgres

HOME = DEPLOY / "prometheus"
OF_PROMETHEUS = {"instance", "job", "le"}

Series = dict[str, list[dict[str, str]]]
"""Measure → the labels of each of its series."""

EXPECTED = 'name = "acme"\n[statuses]\ndelivery_done = ["Delivered"]\n[expect]\nby = "00:00"\n'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, postgres: PrivatePostgres) -> Iterator[Series]:
    """All that the page serves, with a worker, a drop, and a courier that is expected."""
    place = tmp_path_factory.mktemp("watched")
    with (
        running(SandboxConfig()) as api,
        crew_on(place, api.url, api.token, postgres.database()) as crew,
    ):
        (place / "couriers").mkdir()
        (place / "couriers" / "acme.toml").write_text(EXPECTED)
        crew.root.configure(web__port=0)
        crew.start(1)
        crew.root.drop("a.csv", orders(3) + "X,Wat\n")
        crew.closed(1)
        page = crew.root.start("serve", "--log-format", "json")
        found = until(
            lambda: re.search(r'"address": "(http[^"]+?)/?"', page.err_path.read_text()),
            what="the page",
        )
        text = until(lambda: told_of_calls(f"{found[1]}/metrics"), what="calls that were counted")
        series: Series = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                series.setdefault(sample.name, []).append(sample.labels)
        yield series


def told_of_calls(address: str) -> str:
    """The page's measures, once the worker has said how its calls went; "" before."""
    with urlopen(address) as answer:
        text = answer.read().decode()
    return text if "shipdrop_api_calls_total{" in text else ""


def rules() -> list[str]:
    text = (HOME / "shipdrop.rules.yml").read_text()
    found = re.findall(r"expr: (?:>-\n((?: {10}.*\n)+)|(.*))", text)
    return [folded or plain for folded, plain in found]


def board() -> list[str]:
    panels = json.loads((HOME / "shipdrop.dashboard.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.mark.parametrize("expressions", [rules, board])
def test_each_expression_names_measures_and_labels_that_the_page_serves(
    served: Series, expressions
) -> None:
    found = expressions()
    assert len(found) > 10
    for expression in found:
        names = re.findall(r"\bshipdrop_\w+|\bup\b", expression)
        assert names, expression
        for name in names:
            assert name == "up" or name in served, name
        known = {label for name in names for each in served.get(name, []) for label in each}
        used = {
            *re.findall(r'(\w+)(?:=~|!~|!=|=)"', expression),
            *re.findall(r"\w+", " ".join(re.findall(r"(?:by|on) \(([^)]*)\)", expression))),
        }
        assert used <= known | OF_PROMETHEUS, expression


def test_each_value_that_a_rule_asks_for_is_served(served: Series) -> None:
    told = {value for series in served.values() for each in series for value in each.values()}
    asked = set(re.findall(r'="(\w+)"', " ".join(rules())))
    assert {"silent", "200"} <= asked <= told


def test_every_measure_of_the_page_is_in_docs_web(served: Series) -> None:
    page = (DEPLOY.parent / "docs" / "web.md").read_text()
    names = {re.sub(r"_(bucket|sum|count)$", "", name) for name in served}
    assert {name for name in names if f"`{name}" not in page} == set()


def test_each_alert_has_its_test() -> None:
    alerts = re.findall(r"alert: (\w+)", (HOME / "shipdrop.rules.yml").read_text())
    fired = re.findall(
        r"alertname: (\w+)\n +exp_alerts:\n", (HOME / "shipdrop.rules.test.yml").read_text()
    )
    assert set(alerts) == set(fired)


def test_promtool_passes_the_rules_and_their_tests(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("needs promtool (Debian: prometheus)")
    for arguments in (
        ["check", "rules", "shipdrop.rules.yml"],
        ["test", "rules", "shipdrop.rules.test.yml"],
    ):
        ran = subprocess.run(
            ["promtool", *arguments], cwd=HOME, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
