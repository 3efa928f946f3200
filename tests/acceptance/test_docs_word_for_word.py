"""docs/production.md, sftp.md and scale-out.md, followed word for word on a fresh tree.

The machine is a mount namespace with its own /etc, /srv, /run, /opt and /usr/local, a real sshd
and a PostgreSQL; systemd, which cannot run there, is played (``playing_systemctl``). What is
replaced in the pages' lines stands in ``REPLACED``, and is in them, or the test fails.

That takes a minute or two, so it is the soak's: an environment is made and filled, and four
services are started. With ``TEST_STARTS=full`` pip itself fills it, as the page says; that
takes minutes. ``make test`` shows that each line of the pages is one that bash, and the command,
can read, and that the files are there that it names.
"""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from pipeline.cli.app import app
from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import SandboxHandle, running
from tests.acceptance.harness import REPOSITORY, Delivered, Root, orders, until
from tests.acceptance.namespaces import Namespace, namespace
from tests.postgres import missing, private_postgres

PATH = f"/usr/local/sbin:/usr/local/bin:{sys.base_prefix}/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ROOT = Path("/srv/shipdrop")
PIP = "/opt/shipdrop/bin/pip install"
REPLACED = {"https://fyndkonnect.konnect.uat.fyndx1.de": "the sandbox's address"}
pytestmark = pytest.mark.timeout(1_200)  # for pip, and machines that do much else
KINDS = {"sh", "sh build", "sh leaving", "sh move", "sh start", "toml", "text"}


@dataclass
class Page:
    """A page's blocks, in order: kind, text. ``left``: those that were not run yet."""

    name: str
    blocks: list[tuple[str, str]]
    left: list[tuple[str, str]] = field(default_factory=list)

    def next(self, kind: str = "sh") -> str:
        """The next block of a kind."""
        found = next(block for block in self.left if block[0] == kind)
        self.left.remove(found)
        return found[1]


def page(name: str) -> Page:
    text = (REPOSITORY / "docs" / name).read_text()
    blocks = re.findall(r"^```([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    commands = [block for block in blocks if block[0].startswith("sh")]
    return Page(name, blocks, commands)


PAGES = ("production.md", "sftp.md", "scale-out.md")


@pytest.mark.parametrize("name", PAGES)
def test_every_block_says_what_it_is(name: str) -> None:
    assert {kind for kind, _ in page(name).blocks} <= KINDS


@pytest.mark.parametrize("name", PAGES)
def test_every_line_can_be_read_and_names_files_that_there_are(name: str) -> None:
    read = 0
    for kind, block in page(name).blocks:
        if not kind.startswith("sh"):
            continue
        read_by_bash = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True)
        assert read_by_bash.stderr == ""
        for carried in re.findall(r"/opt/shipdrop/(deploy/\S+[^/\s])(?:\s|$)", block):
            assert (REPOSITORY / carried).exists(), carried
        for line in block.splitlines():
            words = shlex.split(line)
            ours = [n for n, word in enumerate(words) if Path(word).name == "shipdrop"]
            for at in ours:
                if words[at + 1 :] and (at == 0 or words[at - 1] == "--"):
                    assert_is_read(words[at + 1 :])
                    read += 1
    assert read >= {"production.md": 8, "sftp.md": 1, "scale-out.md": 2}[name]


def assert_is_read(words: list[str]) -> None:
    """Read the words as the command does: each subcommand, option and argument is one there is."""
    command: Any = typer.main.get_command(app)
    context = None
    while isinstance(command, TyperGroup):
        if words[0] == "--version":
            return
        context = command.make_context(words[0], list(words), parent=context)
        _, found, words = command.resolve_command(context, words)
        assert found is not None, words
        command = found
    command.make_context(str(command.name), list(words), parent=context)


@dataclass
class Machine:
    """A fresh machine, and the folder that an administrator stands in."""

    inside: Namespace
    here: Path
    api: SandboxHandle

    def follow(self, block: str, *, stdin: str = "") -> str:
        """Run the lines of a block; each has to succeed. Returns what the last printed."""
        told = ""
        for line in block.splitlines():
            ran = self.run(line, stdin=stdin)
            assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
            told = ran.stdout
        return told

    def run(self, line: str, *, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        """Run one line in a shell as root, with the environment of a log-in."""
        if os.environ.get("TEST_STARTS") != "full" and line.startswith(PIP):
            # As pip does it, in a tenth of the time.
            line = line.replace(PIP, f"{UV} pip install --quiet --python /opt/shipdrop/bin/python")
        # The registry that this machine is set up for, if it is for one.
        set_up = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "UV_", "SSL_"))}
        return subprocess.run(
            [*self.inside.prefix, "bash", "-c", f"cd {self.here}; {line}"],
            env={
                "PATH": PATH,
                "HOME": "/root",
                "LANG": "C.UTF-8",
                **set_up,
                "UV_LINK_MODE": "copy",
            },
            input=stdin,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )

    def seen(self, path: str | Path) -> Path:
        """A path of the machine, as the test sees it."""
        return self.inside.inside(Path(path))

    @property
    def root(self) -> Root:
        return Root(self.seen(ROOT))

    def active(self, *units: str) -> bool:
        return self.run(f"systemctl is-active {' '.join(units)}").returncode == 0

    def sends(self, name: str) -> Delivered:
        """Drop a file, and wait until its rows were taken by the API."""
        text = orders(3, prefix=name.upper())
        self.follow(f"install -o shipdrop /dev/stdin {ROOT}/inbox/{name}.csv", stdin=text)
        until(lambda: self._summary(name), what=f"the summary of {name}: {self.logs()}")
        found = self.root.of(name)
        assert found.counts == {"accepted": 3}
        return found

    def _summary(self, name: str) -> bool:
        return bool(list(self.seen(ROOT / "outbox").glob(f"{name}__*.summary.json")))

    def logs(self) -> str:
        logs = sorted(self.seen("/run/played").glob("*.log"))
        return "\n".join(log.read_text()[-1500:] for log in logs)


UV = REPOSITORY / ".venv" / "bin" / "uv"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    if not UV.exists():
        pytest.skip("needs the .venv of `make setup`")
    with namespace() as inside, running(SandboxConfig()) as api:
        place = tmp_path_factory.mktemp("machine")
        place.parent.chmod(0o755)
        for folder in ("/root", "/etc", "/srv", "/opt", "/usr/local", "/var/backups"):
            inside.overlay(Path(folder), place / folder.strip("/").replace("/", "-"))
        inside.run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
        inside.run("mkdir", "/run/sshd")
        inside.run("chmod", "755", "/root")  # where this Python may lie: the service's user runs it
        played = Path(__file__).with_name("playing_systemctl.py")
        inside.run("install", "-m", "755", played, "/usr/local/sbin/systemctl")
        here = place / "here"
        here.mkdir()
        made = Machine(inside, here, api)
        try:
            yield made
        finally:
            made.run("for unit in /run/played/*.pid; do kill $(cat $unit); done")
            made.run("umount /srv/sftp/*/*")


PYTHON_TREE = ("pyproject.toml", "hatch_build.py", "README.md", "pipeline", "schemas")
TREE = (
    *PYTHON_TREE,
    "sample_drops",
    "deploy",
    "docs",
    *(f"requirements{n}.lock" for n in ("", "-cluster")),
)
"""What a wheel is built from."""


@pytest.fixture(scope="module")
def production(machine: Machine) -> Page:
    """docs/production.md, followed up to a service that runs; the page, with the blocks left."""
    follows = page("production.md")
    first, build = follows.next("sh build").splitlines()
    assert first == "make setup", "which has made what this test runs in"
    checkout = machine.here / "checkout"
    checkout.mkdir()
    (checkout / ".venv").symlink_to(REPOSITORY / ".venv")
    for name in TREE:
        source = REPOSITORY / name
        copy = shutil.copytree if source.is_dir() else shutil.copy2
        copy(source, checkout / name)
    subprocess.run(build.split(), cwd=checkout, check=True, capture_output=True)
    for each in (*checkout.glob("dist/*.whl"), checkout / "requirements.lock"):
        shutil.copy2(each, machine.here)
    told = machine.follow(follows.next())
    assert "deploy/systemd/shipdrop.service" in told
    machine.follow(follows.next(), stdin=f"{machine.api.token}\n")
    (settings,) = (text for kind, text in follows.blocks if kind == "toml")
    for old in REPLACED:
        assert old in settings
        settings = settings.replace(old, machine.api.url)
    config = machine.seen(ROOT / "shipdrop.toml")
    assert config.read_text().count("[api]\n") == 1
    config.write_text(config.read_text().replace("[api]\n", settings))
    assert "BAD" not in machine.follow(follows.next()), "the doctor, as the service's user"
    assert machine.follow(follows.next()) == "active\n"
    return follows


@pytest.mark.soak
def test_production(machine: Machine, production: Page) -> None:
    machine.sends("first")
    doctor = f"runuser -u shipdrop -- shipdrop doctor --root {ROOT}"
    assert "BAD" not in machine.follow(doctor), "nor beside the service"
    backup, restore, upgrade = (production.next() for _ in range(3))
    machine.follow(backup)
    machine.sends("second")
    machine.follow(restore)
    assert machine.active("shipdrop")
    machine.sends("third")
    machine.follow(upgrade)
    machine.sends("fourth")
    assert machine.active("shipdrop")
    assert production.left == [], "blocks that nobody followed"
    log = machine.logs()
    assert "Traceback" not in log, log


@pytest.fixture(scope="module")
def sshd(machine: Machine, production: Page) -> Iterator[int]:
    """An OpenSSH server of the machine's own, with Debian's configuration; its port."""
    program = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/local/sbin")
    if program is None or shutil.which("sftp") is None:
        pytest.skip("needs sshd and sftp (Debian: openssh-server, openssh-client)")
    machine.follow("ssh-keygen -A")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = (f"Port={port}", "ListenAddress=127.0.0.1", "PidFile=/run/sshd.pid", "UsePAM=no")
    server = subprocess.Popen(
        [*machine.inside.prefix, program, "-D", "-e", *(f"-o{each}" for each in options)],
        stderr=subprocess.DEVNULL,
    )
    until(lambda: machine.seen("/run/sshd.pid").exists(), what="sshd")
    yield port
    server.terminate()
    server.wait(20)


@pytest.mark.soak
def test_sftp(machine: Machine, sshd: int) -> None:
    follows, key = page("sftp.md"), machine.here / "delhivery"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    set_up, add, leave = follows.next(), follows.next(), follows.next("sh leaving")
    assert follows.left == []
    machine.follow(set_up)
    machine.follow(add)

    def sftp(lines: str) -> "subprocess.CompletedProcess[str]":
        options = "-oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null -oBatchMode=yes"
        login = f"-P {sshd} -i {key} courier-delhivery@127.0.0.1"
        return machine.run(f"sftp -q {options} -b- {login}", stdin=lines)

    sample = REPOSITORY / "sample_drops/delhivery/delhivery_mis.csv"
    shutil.copy2(sample, machine.here / "day.csv")
    put = sftp("put day.csv day.csv.part\nrename day.csv.part day.csv\n")
    assert put.returncode == 0, put.stderr
    outbox = machine.seen(ROOT / "outbox/delhivery")
    until(lambda: list(outbox.glob("day__*.summary.json")), what=f"its summary: {machine.logs()}")
    assert machine.root.of("day").counts["accepted"] > 5
    got = sftp("get /results/day__*.summary.json .\n")
    assert got.returncode == 0, got.stderr
    assert list(machine.here.glob("day__*.summary.json"))
    fstab = machine.seen("/etc/fstab")
    assert fstab.read_text().count("courier-delhivery") == fstab.read_text().count("nofail") == 2

    assert sftp("put day.csv late.csv.part\n").returncode == 0
    for _ in range(2):  # doing it again is fine
        machine.follow(leave)
    assert sftp("ls\n").returncode != 0
    assert "courier-delhivery" not in fstab.read_text()
    assert not machine.seen("/srv/sftp/courier-delhivery").exists()
    assert machine.run("id courier-delhivery").returncode != 0
    assert "courier-delhivery" not in machine.seen("/proc/mounts").read_text()
    assert (machine.root.inbox / "delhivery/late.csv.part").exists(), "what it sent stays"
    names = machine.follow(
        f"stat -c %U {ROOT}/inbox/delhivery {ROOT}/inbox/delhivery/late.csv.part"
    )
    assert names.split() == ["shipdrop", "shipdrop"]


@pytest.mark.soak
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_scale_out(machine: Machine, production: Page) -> None:
    assert machine.active("shipdrop"), "what docs/production.md leaves behind"
    follows = page("scale-out.md")
    install, address = follows.next(), follows.next()
    start, move = follows.next("sh start"), follows.next("sh move")
    assert follows.left == []
    with private_postgres() as postgres:
        url = postgres.database()
        machine.follow(install)
        machine.follow(address, stdin=f"{url}\n")
        machine.follow(move)
        assert machine.follow(start) == "active\nactive\n"
        machine.sends("crew")
        told = machine.run(f"SHIPDROP_LEDGER__URL='{url}' shipdrop drops --json --root {ROOT}")
        assert told.stdout.count('"drop_id"') > 1, "what the embedded ledger knew"
        status = f"SHIPDROP_LEDGER__URL='{url}' shipdrop cluster status --root {ROOT} --json"
        names = re.findall(r'"id": "([^"]+)"', machine.follow(status))
        assert len(names) == 2
        machine.follow(
            f"SHIPDROP_LEDGER__URL='{url}' shipdrop cluster drain {names[0]} --root {ROOT}"
        )
        units = ("shipdrop-worker@1", "shipdrop-worker@2")
        until(lambda: [machine.active(each) for each in units].count(True) == 1, what="one left")
        machine.sends("last")
        machine.follow("systemctl stop shipdrop-worker@1 shipdrop-worker@2")
