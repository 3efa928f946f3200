"""What deploy/ names is there, and the commands in it are commands of ours."""

import configparser
import json
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.service.run_outcome import Exit
from tests.acceptance.harness import REPOSITORY, Root, until
from tests.acceptance.systemd import DEPLOY, unit

DOCKERFILES = {"container/Dockerfile": REPOSITORY, "sftp/Dockerfile": DEPLOY / "sftp"}
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


@pytest.mark.parametrize("name", DOCKERFILES)
def test_a_dockerfile_copies_only_what_is_there(name: str) -> None:
    context = DOCKERFILES[name]
    found = instructions(DEPLOY / name)
    assert {word for word, _ in found} <= KNOWN
    for word, rest in found:
        if word == "COPY" and not rest.startswith("--from"):
            *sources, _target = rest.split()
            for source in sources:
                assert (context / source).exists(), source
    ignored = (REPOSITORY / ".dockerignore").read_text().split()
    if context is REPOSITORY:
        copied = {s for w, r in found if w == "COPY" and "--from" not in r for s in r.split()[:-1]}
        assert all(
            any(s.startswith(kept[1:]) for kept in ignored if kept[0] == "!") for s in copied
        )


def test_the_image_s_default_command_is_one_of_ours(root: Root) -> None:
    found = dict(instructions(DEPLOY / "container/Dockerfile"))
    assert json.loads(found["ENTRYPOINT"]) == ["shipdrop"]
    command = json.loads(found["CMD"])
    assert root.run(*command, "--help").code == 0


@pytest.mark.parametrize("script", ["sftp/add-courier", "sftp/start-sshd"])
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
    assert "300 s ago" in words
    assert root.once().code == 0
    assert healthy(root) == (1, "stopped\n")
