"""Files that deploy/ names exist, and its commands are commands of ours."""

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.service.run_outcome import Exit
from tests.acceptance.harness import REPOSITORY, Root, below, until
from tests.acceptance.systemd import DEPLOY, SERVICE, WORKER, unit

yaml = pytest.importorskip("yaml", reason="PyYAML, which schemathesis brings")

DOCKERFILES = {"container/Dockerfile": REPOSITORY, "container/sftp.Dockerfile": DEPLOY}
RECIPES = ("systemd", "worker", "sftp", "compose", "prometheus")
BUILT = "dist/shipdrop-*.whl"
"""What a Dockerfile takes that a build has to make first."""
KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "STOPSIGNAL", "HEALTHCHECK"}
KNOWN |= {"ENTRYPOINT", "CMD", "EXPOSE"}


def instructions(file: Path) -> list[tuple[str, str]]:
    joined = re.sub(r"\\\n", " ", file.read_text())
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in lines)]


def test_the_unit_starts_a_command_that_there_is(root: Root) -> None:
    (command,) = unit()["Service.ExecStart"]
    program, *arguments = shlex.split(command)
    assert program.endswith("/bin/shipdrop")
    service = root.start(*arguments)
    until(lambda: (root.path / "state/health.json").exists(), what="its first beat")
    assert service.end().code == 0


def test_the_unit_does_not_restart_what_no_restart_mends() -> None:
    (codes,) = unit()["Service.RestartPreventExitStatus"]
    assert {int(code) for code in codes.split()} == {Exit.USAGE}
    assert unit()["Unit.StartLimitIntervalSec"] == ["0"], "it never gives up"
    assert unit()["Service.ReadWritePaths"] == ["/srv/shipdrop"]
    assert "SHIPDROP_ROOT=/srv/shipdrop" in unit()["Service.Environment"]
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read(DEPLOY / "systemd/shipdrop.service")
    assert parser.sections() == ["Unit", "Service", "Install"]


def test_a_worker_that_was_drained_stays_away_and_one_that_fails_comes_back() -> None:
    worker = unit(WORKER)
    assert worker["Service.Restart"] == ["on-failure"], "a drain ends with 0"
    assert worker["Service.RestartPreventExitStatus"] == [str(int(Exit.USAGE))]
    assert worker["Unit.StartLimitIntervalSec"] == ["0"]


def test_both_units_lock_their_service_in_alike() -> None:
    texts = [(DEPLOY / name).read_text() for name in (SERVICE, WORKER)]
    service, worker = (
        re.split(r"# -- From here on [^\n]* has the same lines\.\n", text)[1] for text in texts
    )
    assert service == worker
    for each in (unit(SERVICE), unit(WORKER)):
        assert each["Service.UMask"] == ["0027"]
        assert "api__token:/etc/shipdrop/token" in each["Service.LoadCredential"]


@pytest.mark.parametrize("name", [SERVICE, WORKER])
def test_systemd_finds_nothing_wrong_with_a_unit_and_little_that_it_may_do(name: str) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze (Debian: systemd)")
    verified = subprocess.run(
        ["systemd-analyze", "verify", DEPLOY / name], capture_output=True, text=True, check=False
    )
    wrong = [line for line in verified.stderr.splitlines() if "is not executable" not in line]
    assert wrong == []
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", DEPLOY / name],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
    assert found is not None, told
    assert float(found[1]) <= 2.0, told


@pytest.mark.parametrize("recipe", RECIPES)
def test_deploy_writes_what_the_repository_has(root: Root, tmp_path: Path, recipe: str) -> None:
    out = tmp_path / "out"
    ran = root.run("deploy", recipe, "--out", out, "--json")
    assert ran.code == 0, ran.err
    written = [Path(each) for each in ran.json["written"]]
    assert sorted(written) == sorted(path for path in out.rglob("*") if path.is_file())
    assert any(path.is_relative_to(out / "deploy") for path in written)
    assert out / "docs/production.md" in written
    for path in written:
        source = REPOSITORY / path.relative_to(out)
        assert path.read_bytes() == source.read_bytes()
        assert bool(path.stat().st_mode & 0o111) == path.read_bytes().startswith(b"#!")
    assert root.run("deploy", recipe, "--out", out, "--json").json["written"] == []


def test_deploy_replaces_nothing_unless_it_is_told_to(root: Root, tmp_path: Path) -> None:
    changed = tmp_path / "deploy/sftp/add-courier"
    changed.parent.mkdir(parents=True)
    changed.write_text("mine")
    ran = root.run("deploy", "sftp", "--out", tmp_path)
    assert ran.code == 2
    assert "deploy/sftp/add-courier" in ran.err
    assert changed.read_text() == "mine"
    assert not (tmp_path / "docs").exists(), "nothing is written"
    assert root.run("deploy", "sftp", "--out", tmp_path, "--replace").code == 0
    assert changed.read_bytes() == (DEPLOY / "sftp/add-courier").read_bytes()


def test_every_file_of_deploy_is_in_a_recipe(root: Root, tmp_path: Path) -> None:
    for recipe in RECIPES:
        assert root.run("deploy", recipe, "--out", tmp_path / "out").code == 0
    written = {path.relative_to(tmp_path / "out/deploy") for path in below(tmp_path / "out/deploy")}
    assert written == {path.relative_to(DEPLOY) for path in below(DEPLOY)}


@pytest.mark.parametrize("name", DOCKERFILES)
def test_a_dockerfile_copies_only_what_is_there(name: str) -> None:
    context = DOCKERFILES[name]
    found = instructions(DEPLOY / name)
    assert {word for word, _ in found} <= KNOWN
    for word, rest in found:
        if word == "COPY" and not rest.startswith("--from"):
            *sources, _target = rest.split()
            for source in sources:
                assert source == BUILT or (context / source).exists(), source
    ignored = DEPLOY / f"{name}.dockerignore"
    if ignored.exists():
        copied = {s for w, r in found if w == "COPY" and "--from" not in r for s in r.split()[:-1]}
        kept = [line[1:] for line in ignored.read_text().split() if line[0] == "!"]
        assert all(s.startswith(tuple(kept)) for s in copied)


def test_the_image_s_default_command_is_one_of_ours(root: Root) -> None:
    found = dict(instructions(DEPLOY / "container/Dockerfile"))
    assert json.loads(found["ENTRYPOINT"]) == ["shipdrop"]
    command = json.loads(found["CMD"])
    assert root.run(*command, "--help").code == 0


@pytest.mark.parametrize("name", ["compose.yaml", "compose.workers.yaml"])
def test_what_a_compose_file_names_is_there_and_our_commands_take_it(
    root: Root, tmp_path: Path, name: str
) -> None:
    """Both are valid by the schema of compose-spec (2026-06); here: what no schema knows."""
    place = DEPLOY / "container"
    text = (place / name).read_text()
    found = yaml.safe_load(text)
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    image = instructions(place / "Dockerfile")
    of_image = dict(re.findall(r"(SHIPDROP_\w+)=(\S+)", dict(image)["ENV"]))
    for service in found["services"].values():
        for volume in service.get("volumes", ()):
            source = volume["source"] if isinstance(volume, dict) else volume.partition(":")[0]
            assert source in found["volumes"] or f"{source[2:]}:/etc/ssh/shipdrop-couriers" in text
        assert {*service.get("secrets", ())} <= found.get("secrets", {}).keys()
        assert {*service.get("depends_on", ())} <= found["services"].keys()
        if "build" not in service:
            continue
        context = (place / service["build"]["context"]).resolve()
        dockerfile = context / service["build"]["dockerfile"]
        assert DOCKERFILES[str(dockerfile.relative_to(DEPLOY))] == context
        if dockerfile.name != "Dockerfile":
            continue
        words = service.get("command", json.loads(dict(image)["CMD"]))
        assert root.run(*words, "--help").code == 0
        given = {**of_image, **service["environment"], "SHIPDROP_ROOT": str(root.path)}
        for secret in service.get("secrets", ()):
            (secrets / secret).write_text("a token")
        if given["SHIPDROP_SECRETS_DIR"]:
            given["SHIPDROP_SECRETS_DIR"] = str(secrets)
        filled = {
            key: re.sub(r"\$\{.*?\}", "https://a.example", each) for key, each in given.items()
        }
        told = root.run("profiles", env=filled)  # reads its settings, and asks nobody
        assert told.code == 0, told.err


SCRIPTS = ["sftp/add-courier", "sftp/remove-courier", "container/start-sshd"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_shell_scripts_are_sound_to_the_shell(script: str) -> None:
    path = DEPLOY / script
    shell = path.read_text().splitlines()[0].split("/")[-1].split()[-1]
    subprocess.run([shell, "-n", path], check=True)
    assert path.stat().st_mode & 0o111


def healthy(root: Root) -> tuple[int, str]:
    ran = subprocess.run(
        [sys.executable, DEPLOY / "container/healthy"],
        env={"SHIPDROP_ROOT": str(root.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout


def test_the_image_s_health_is_that_of_the_service(root: Root) -> None:
    assert healthy(root)[0] == 1
    service = root.start("run")
    path = root.path / "state/health.json"
    until(lambda: path.exists() and json.loads(path.read_text())["scanned_at"], what="a scan")
    assert healthy(root)[0] == 0
    service.kill()
    health = json.loads(path.read_text())
    health["scanned_at"] = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    path.write_text(json.dumps(health))
    code, words = healthy(root)
    assert code == 1
    assert int(words.split(" s ago")[0].split()[-1]) >= 300, words
    assert root.once().code == 0
    assert healthy(root) == (1, "stopped\n")
