#!/usr/bin/env python3
"""``systemctl`` played on a test's machine that has no systemd: starts what a unit says.

Units are read from /etc/systemd/system when they are reloaded, and not before. What systemd's
sandbox forbids is not played; user, group, rights, umask, environment and credentials are.
"""

import os
import select
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

UNITS = Path("/etc/systemd/system")
STATE = Path("/run/played")
LOADED = STATE / "loaded"


def main(words: list[str]) -> int:
    verb, names = words[0], [word for word in words[1:] if not word.startswith("--")]
    now = "--now" in words
    STATE.mkdir(exist_ok=True)
    if verb == "daemon-reload":
        shutil.rmtree(LOADED, ignore_errors=True)
        shutil.copytree(UNITS, LOADED)
    elif verb == "reload" and names == ["ssh"]:
        os.kill(int(Path("/run/sshd.pid").read_text()), signal.SIGHUP)
    elif verb == "start" or (verb == "enable" and now):
        for name in names:
            start(name)
    elif verb == "stop" or (verb == "disable" and now):
        for name in names:
            stop(name)
    elif verb == "is-active":
        told = ["active" if process_of(name) else "inactive" for name in names]
        sys.stdout.write("\n".join(told) + "\n")
        return 0 if set(told) == {"active"} else 3
    else:
        sys.exit(f"this systemctl does not play {' '.join(words)}")
    return 0


def start(name: str) -> None:
    if process_of(name):
        return
    plain, _, instance = name.partition("@")
    file = LOADED / (f"{plain}@.service" if instance else f"{plain}.service")
    credentials = Path("/run/credentials") / name
    values: dict[str, list[str]] = {}
    for line in file.read_text().splitlines():
        key, found, value = line.partition("=")
        if found and not line.startswith("#"):
            value = value.replace("%d", str(credentials)).replace("%i", instance)
            values.setdefault(key, []).append(value)
    user, group = values["User"][-1], values["Group"][-1]
    give(credentials, values, user)
    capability = values["AmbientCapabilities"][-1].removeprefix("CAP_").lower()
    assert values["CapabilityBoundingSet"] == values["AmbientCapabilities"]
    locked_in = [
        *("setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups", "--no-new-privs"),
        *(f"--bounding-set=-all,+{capability}", f"--inh-caps=-all,+{capability}"),
        *(f"--ambient-caps=-all,+{capability}",),
    ]
    command = (
        f"umask {values['UMask'][-1]}; exec {shlex.join(shlex.split(values['ExecStart'][-1]))}"
    )
    given = dict(each.split("=", 1) for each in values["Environment"])
    with (STATE / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            [*locked_in, "sh", "-c", command],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", **given},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (STATE / f"{name}.pid").write_text(str(process.pid))


def give(credentials: Path, values: dict[str, list[str]], user: str) -> None:
    shutil.rmtree(credentials, ignore_errors=True)
    credentials.mkdir(parents=True)
    defaults = dict(each.split(":", 1) for each in values.get("SetCredential", []))
    for each in values.get("LoadCredential", []):
        name, _, source = each.partition(":")
        there = Path(source)
        if not there.exists() and name not in defaults:
            sys.exit(f"there is no {source} for the credential {name}")
        content = there.read_text() if there.exists() else defaults[name].replace("\\n", "\n")
        (credentials / name).write_text(content)
        (credentials / name).chmod(0o400)
        shutil.chown(credentials / name, user)


def process_of(name: str) -> int:
    """Its process, or 0 when it has ended."""
    try:
        pid = int((STATE / f"{name}.pid").read_text())
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, ValueError):
        return 0
    return 0 if state == "Z" else pid


def stop(name: str) -> None:
    if pid := process_of(name):
        ended = os.pidfd_open(pid)
        os.kill(pid, signal.SIGTERM)
        assert select.select([ended], [], [], 90)[0], f"{name} does not stop"
        os.close(ended)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
