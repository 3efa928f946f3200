"""A real OpenSSH server, set up by our own script and configuration, and the real ``sftp`` client.

All of it happens in a mount namespace with its own ``/etc``, ``/srv`` and ``/run``: the accounts
that are made are gone with it.
"""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.sandbox.server import SandboxHandle
from tests.acceptance.harness import REPOSITORY, Root, orders, rooted, sheet, until
from tests.acceptance.namespaces import Namespace, namespace

SRV = Path("/srv")
PROGRAMS = ("sftp", "ssh-keygen", "useradd", "setpriv")


@dataclass(frozen=True)
class Door:
    """The SFTP server: where it listens, and the couriers' keys."""

    inside: Namespace
    port: int
    keys: Path

    def options(self, courier: str) -> list[str]:
        chosen = {
            "StrictHostKeyChecking": "accept-new",
            "UserKnownHostsFile": str(self.keys / "known_hosts"),
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
        }
        return ["-i", str(self.keys / courier), *(f"-o{k}={v}" for k, v in chosen.items())]

    def command(self, courier: str, *more: str, account: str = "") -> list[str]:
        login = f"courier-{account or courier}@127.0.0.1"
        return ["sftp", "-q", *more, *self.options(courier), f"-P{self.port}", login]

    def sftp(
        self,
        courier: str,
        *lines: object,
        here: Path,
        account: str = "",
        more: tuple[str, ...] = (),
    ) -> "subprocess.CompletedProcess[str]":
        """Run the client with these commands; it stops at the first that fails."""
        return subprocess.run(
            self.command(courier, "-b-", *more, account=account),
            input="".join(f"{line}\n" for line in lines),
            capture_output=True,
            text=True,
            cwd=here,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    sshd = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/local/sbin")
    if absent or sshd is None:
        pytest.skip(f"needs {', '.join(absent) or 'sshd'} (Debian: openssh-server, openssh-client)")
    keys = tmp_path_factory.mktemp("keys")
    with namespace() as inside:
        etc = tmp_path_factory.mktemp("etc") / "etc"
        subprocess.run(["cp", "-a", "/etc", etc], check=True)
        inside.bind(etc, Path("/etc"))
        for place in ("/srv", "/run"):
            inside.run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", place)
        inside.run("mkdir", "/run/sshd")
        inside.run("useradd", "--system", "--user-group", "--no-log-init", "-M", "shipdrop")
        (etc / "ssh" / "sshd_config.d").mkdir(parents=True, exist_ok=True)
        shutil.copy(
            REPOSITORY / "deploy/sftp/sshd_shipdrop.conf", etc / "ssh/sshd_config.d/shipdrop.conf"
        )
        for name in ("host", "acme", "speedy"):
            key = keys / name
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        config = keys / "sshd_config"
        config.write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {keys / 'host'}\nPidFile none\n"
            "UsePAM no\nSubsystem sftp internal-sftp\n"
            "Include /etc/ssh/sshd_config.d/shipdrop.conf\n"
        )
        log = (keys / "sshd.log").open("wb")
        server = subprocess.Popen([*inside.prefix, sshd, "-D", "-e", "-f", config], stderr=log)
        try:
            said = keys / "sshd.log"
            until(lambda: server.poll() is not None or b"listening" in said.read_bytes(), what="it")
            assert server.poll() is None, said.read_text()
            yield Door(inside, port, keys)
        finally:
            server.terminate()
            server.wait(10)
            log.close()


@pytest.fixture
def root(door: Door, api: SandboxHandle) -> Iterator[Root]:
    """``/srv/shipdrop`` with two couriers, as docs/sftp.md sets it up."""
    number = len(list(door.inside.inside(SRV).iterdir()))
    place = SRV / f"shipdrop-{number}"
    seen = door.inside.inside(place)
    seen.mkdir()
    with rooted(seen, api.url, api.token) as made:
        made.env["SHIPDROP_ROOT"] = str(place)
        made.prefix = (*door.inside.prefix, "sh", "-c", 'umask 027; exec "$@"', "sh")
        assert made.run("init").code == 0
        door.inside.run("chown", "-R", "shipdrop:shipdrop", place)
        for courier in ("acme", "speedy"):
            for _ in range(1 if number else 2):  # doing it again changes nothing
                door.inside.run(
                    REPOSITORY / "deploy/sftp/add-courier",
                    *("--root", place, courier, door.keys / f"{courier}.pub"),
                )
        try:
            yield made
        finally:
            for courier in ("acme", "speedy"):
                for folder in ("upload", "results"):
                    door.inside.run("umount", f"/srv/sftp/courier-{courier}/{folder}")
            fstab = door.inside.inside(Path("/etc/fstab"))
            lines = fstab.read_text().splitlines(keepends=True)
            assert len(set(lines)) == len(lines)
            fstab.write_text("".join(line for line in lines if str(place) not in line))


def test_a_courier_uploads_a_file_and_fetches_its_results(
    door: Door, root: Root, tmp_path: Path
) -> None:
    root.configure(inbox__settle_seconds=0.5, inbox__scan_seconds=0.1)
    service = root.start("run")
    (tmp_path / "day.csv").write_text(orders(30) + "BAD,Wat\n")
    put = door.sftp("acme", "put day.csv", here=tmp_path)
    assert put.returncode == 0, put.stderr
    until(lambda: root.delivered(), what="its summary")
    got = door.sftp("acme", "cd /results", "ls -1", "get *", here=tmp_path)
    assert got.returncode == 0, got.stderr
    assert service.end().code == 0
    kinds = {path.name.partition(".")[2] for path in tmp_path.glob("day__*")}
    assert kinds == {
        "received.json",
        "results.csv",
        "rejects.csv",
        "rejects.xlsx",
        "summary.json",
    }
    (results,) = tmp_path.glob("*.results.csv")
    assert results.read_text("utf-8-sig").count("accepted") == 30
    assert root.delivered()[0].codes == {
        "COURIER_UNKNOWN",
        "NO_EVENT_TIME",
        "STATUS_UNKNOWN",
    }
    assert root.files("inbox") == []


def test_an_upload_under_a_temporary_name_is_taken_when_it_is_renamed(
    door: Door, root: Root, api: SandboxHandle, tmp_path: Path
) -> None:
    (tmp_path / "day.csv").write_text(orders(5))
    door.sftp("speedy", "put day.csv day.csv.filepart", here=tmp_path)
    assert root.once().code == 0
    assert api.stats()["calls"] == 0
    renamed = door.sftp("speedy", "rename day.csv.filepart day.csv", here=tmp_path)
    assert renamed.returncode == 0, renamed.stderr
    assert root.once().code == 0
    assert root.of("day").counts == {"accepted": 5}


@pytest.mark.parametrize(
    "asking",
    [
        pytest.param(True, id="by lease"),
        pytest.param(False, id="by events", marks=pytest.mark.soak),
    ],
)
def test_a_slow_upload_under_its_own_name_is_taken_whole_at_default_settings(
    door: Door, root: Root, api: SandboxHandle, tmp_path: Path, asking: bool
) -> None:
    """Ten seconds, for ``sftp -l 400`` sends a burst, and pauses for longer than a file settles."""
    del root.env["SHIPDROP_INBOX__SETTLE_SECONDS"]
    if not asking:  # the file is the courier's: without CAP_LEASE the kernel does not tell of it
        without = ("setpriv", "--bounding-set=-lease", "--inh-caps=-lease")
        root.prefix = (*door.inside.prefix, *without, *root.prefix[len(door.inside.prefix) :])
    rows = 3_000
    remark = "Delivered to the consignee in person on the 2nd floor opposite the bus stand"
    table = sheet(
        ((f"ORD{number:06}", "Delivered", remark) for number in range(rows)),
        header=("Order ID", "Status", "Remarks"),
    )
    (tmp_path / "day.csv").write_text(table)
    service = root.start("run", "--log-format", "json")
    until(lambda: (root.path / "state/health.json").exists(), what="the service")
    put = door.sftp("acme", "put day.csv", here=tmp_path, more=("-l", "400"))
    assert put.returncode == 0, put.stderr
    until(lambda: root.delivered(), what="its summary")
    assert service.end().code == 0
    root.of("day").assert_sound(rows)
    assert root.of("day").counts == {"accepted": rows}
    assert len(root.delivered()) == 1
    stats = api.stats()
    assert stats["accepted"] == rows
    assert stats["repeats"] == stats["duplicates"] == 0


@pytest.mark.parametrize("marker", ["", ".done"], ids=["temporary name", "done marker"])
def test_an_interrupted_upload_is_not_taken_and_comes_whole_when_it_is_resumed(
    door: Door, root: Root, api: SandboxHandle, tmp_path: Path, marker: str
) -> None:
    root.configure(inbox__done_marker=marker, inbox__scan_seconds=0.1)
    service = root.start("run")
    rows, note = 1_000, "x" * 400
    content = sheet(
        [(f"A{row}", "Delivered", note) for row in range(rows)], ("Order ID", "Status", "Note")
    )
    (tmp_path / "day.csv").write_text(content)
    name = "day.csv" if marker else "day.csv.part"
    there = root.path / "inbox" / "acme" / name
    # 500 kbit/s: six seconds for it all. It is cut off after the first piece.
    upload = subprocess.Popen(
        door.command("acme", "-b-", "-l", "500"),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    assert upload.stdin is not None
    upload.stdin.write(f"put day.csv {name}\n".encode())
    upload.stdin.flush()
    until(lambda: there.exists() and there.stat().st_size > 50_000, what="the first piece")
    upload.send_signal(signal.SIGKILL)
    upload.stdin.close()
    upload.wait()
    assert there.stat().st_size < len(content)
    last = ["put day.csv.done"] if marker else ["rename day.csv.part day.csv"]
    (tmp_path / "day.csv.done").write_text(str(len(content)))
    resumed = door.sftp("acme", f"reput day.csv {name}", *last, here=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    until(lambda: root.delivered(), what="its summary")
    assert service.end().code == 0
    (found,) = root.delivered()
    assert found.counts == {"accepted": rows}
    assert api.stats()["accepted"] == rows


def test_a_courier_sees_its_own_two_folders_and_nothing_else(
    door: Door, root: Root, tmp_path: Path
) -> None:
    (tmp_path / "mine.csv").write_text(orders(1))
    assert door.sftp("acme", "put mine.csv", here=tmp_path).returncode == 0
    listed = door.sftp("acme", "ls -1a /", "ls -1a /../../..", here=tmp_path).stdout
    names = {line.strip("/. ") for line in listed.splitlines() if not line.startswith("sftp>")}
    assert names - {""} == {"upload", "results"}
    other = door.sftp("speedy", "ls -1 /upload", here=tmp_path)
    assert "mine.csv" not in other.stdout
    for forbidden in (
        "get /etc/passwd",
        "get ../../../../etc/passwd",
        "put mine.csv /results/mine.csv",
        "put mine.csv /mine.csv",
        "mkdir /new",
        f"ls {root.env['SHIPDROP_ROOT']}",
    ):
        assert door.sftp("acme", forbidden, here=tmp_path).returncode != 0, forbidden
    # A link leads no further than the chroot, and the service follows none.
    door.sftp("acme", "symlink /etc/passwd link.csv", here=tmp_path)
    assert root.once().code == 0
    assert not [d for d in root.delivered() if d.summary["source_file"] == "link.csv"]


def test_keys_open_their_own_account_only_and_no_shell(
    door: Door, root: Root, tmp_path: Path
) -> None:
    assert door.sftp("acme", "pwd", here=tmp_path).returncode == 0
    assert door.sftp("speedy", "pwd", here=tmp_path, account="acme").returncode != 0
    login = f"-p{door.port}", "courier-acme@127.0.0.1"
    shell = subprocess.run(
        ["ssh", *door.options("acme"), *login, "id"],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert "uid=" not in shell.stdout


def test_the_service_s_user_may_read_and_move_what_was_uploaded_and_no_other_courier_may(
    door: Door, root: Root, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(orders(1))
    (tmp_path / "a.csv").chmod(0o644)  # the client sends it along
    assert door.sftp("acme", "put a.csv", here=tmp_path).returncode == 0
    place = Path(root.env["SHIPDROP_ROOT"])
    upload = place / "inbox/acme/a.csv"

    def as_user(user: str, *command: object) -> int:
        privileges = ("setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups")
        full = [*door.inside.prefix, *privileges, *map(str, command)]
        return subprocess.run(full, capture_output=True, check=False).returncode

    assert as_user("courier-speedy", "cat", upload) != 0
    assert as_user("courier-speedy", "ls", place / "outbox/acme") != 0
    assert as_user("shipdrop", "cat", upload) == 0
    assert as_user("shipdrop", "mv", upload, place / "work") == 0
    assert as_user("shipdrop", "touch", place / "outbox/acme/a.summary.json") == 0


def test_the_script_refuses_what_it_cannot_do_before_it_changes_anything(
    door: Door, root: Root
) -> None:
    place = ["--root", root.env["SHIPDROP_ROOT"]]
    script = REPOSITORY / "deploy/sftp/add-courier"
    key = str(door.keys / "speedy.pub")
    for arguments, words in (
        (["../etc", key], "small letters"),
        (["UPPER", key], "small letters"),
        (["third", "/dev/null"], "no public key"),
        (["--root", "relative", "third", key], "begin with /"),
        (["--root", "/nowhere", "third", key], "is no root"),
        (["--user", "nobody-at-all", "third", key], "there is no user"),
        (["--account", "root", "third", key], "no courier's account"),
        (["--unknown", "third", key], "unknown option"),
    ):
        ran = subprocess.run(
            [*door.inside.prefix, str(script), *place, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 2, arguments
        assert words in ran.stderr, arguments
        assert not (root.path / "inbox/third").exists(), arguments
