"""Make a root as an older build leaves it: a drop that is through, and one that is open.

git archive COMMIT | tar x -C OLD
uv venv OLD/.venv && uv pip install -p OLD/.venv/bin/python -r OLD/requirements.lock
python -m tests.acceptance.upgrade.make_root OLD tests/acceptance/upgrade/root-DATE.tar.gz
"""

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from pipeline.sandbox.config import SandboxConfig
from pipeline.sandbox.server import running
from tests.acceptance.harness import orders


def main(old: Path, archive: Path) -> None:
    with tempfile.TemporaryDirectory() as place, running(SandboxConfig()) as api:
        root = Path(place) / "root"
        (root / "inbox").mkdir(parents=True)
        clean = {k: v for k, v in os.environ.items() if not k.startswith("SHIPDROP_")}
        env = clean | {
            "PYTHONPATH": str(old),
            "SHIPDROP_ROOT": str(root),
            "SHIPDROP_API__BASE_URL": api.url,
            "SHIPDROP_API__TOKEN": api.token,
            "SHIPDROP_API__GIVE_UP_SECONDS": "1",
            "SHIPDROP_INBOX__SETTLE_SECONDS": "0",
        }
        command = [old / ".venv/bin/python", "-m", "pipeline", "run", "--once"]

        def run(name: str, text: str) -> int:
            (root / "inbox" / name).write_text(text)
            return subprocess.run(command, env=env, cwd=root, check=False).returncode

        assert run("accepted.csv", orders(3, prefix="OLDA") + "OLDX,Nonesuch\n") == 3
        api.set_faults(status_all=503)
        assert run("unsent.csv", orders(4, prefix="OLDB")) == 5
        with tarfile.open(archive, "w:gz") as packed:
            packed.add(root, "root")


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), Path(sys.argv[2]))
