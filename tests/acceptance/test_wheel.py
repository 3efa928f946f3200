"""The wheel holds everything that `shipdrop demo` needs, away from the repository."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def python(site: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python beside the unpacked wheel, away from the repository."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=site.parent,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_demo_runs_from_an_unpacked_wheel(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for folder in ("templates", "static"):  # the web page is more than code
        for path in (ROOT / "pipeline" / "web" / folder).rglob("*"):
            assert (site / path.relative_to(ROOT)).exists()
    ran = python(site, "-m", "pipeline", "demo", "--root", str(tmp_path / "root"))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "typed_by_hand.csv" in ran.stdout
    ran = python(site, "-m", "pipeline", "deploy", "worker", "--out", str(tmp_path / "out"))
    assert ran.returncode == 0, ran.stderr
    for name in ("deploy/worker/shipdrop-worker@.service", "requirements-cluster.lock"):
        assert (tmp_path / "out" / name).read_bytes() == (ROOT / name).read_bytes()
    ran = python(site, "-m", "pipeline", "--version")
    head = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    assert ran.stdout.startswith(f"shipdrop {wheel.name.split('-')[1]} ({head or 'unknown'}")
    where = python(site, "-c", "import pipeline; print(pipeline.__file__)")
    assert str(site) in where.stdout
