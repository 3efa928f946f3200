"""``python -m benchmarks [NAME …] [--quick] [--repeat N]`` prints the measures as a table."""

import argparse
import os
import platform
import sys
import tempfile
from pathlib import Path

from benchmarks.alive import alive
from benchmarks.cases import CASES as CASES_OF_FILES
from benchmarks.cases import Bench
from benchmarks.inbox import INBOX_CASES
from benchmarks.measure import RunBrokeError
from benchmarks.months import MONTHS_CASES
from benchmarks.table import Line, shown

CASES = {**CASES_OF_FILES, **INBOX_CASES, **MONTHS_CASES, "alive": alive}


def main() -> int:
    """Run the cases; 1 only when a run broke. A missed target is a result, not an error."""
    arguments = _arguments()
    lines: list[Line] = []
    broken = False
    with tempfile.TemporaryDirectory(prefix="shipdrop-bench-") as base:
        bench = Bench(base=Path(base), quick=arguments.quick, repeat=arguments.repeat)
        for name in arguments.names or CASES:
            _say(f"{name} …", sys.stderr.isatty())
            try:
                lines += CASES[name](bench)
            except RunBrokeError as error:
                broken = True
                lines.append(Line(case=name, measure="BROKEN", result="", met=False))
                sys.stderr.write(f"{name}: {error}\n")
            _sweep(bench.base)
    note = "\nQuick: a tenth of the rows; the targets are meant for all of them." * arguments.quick
    sys.stdout.write(_machine() + note + "\n\n" + shown(lines) + "\n")
    return int(broken)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CASES))
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    parser.add_argument("--repeat", type=int, default=3, help="runs of noisy cases (median)")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - CASES.keys():
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    return arguments


def _say(text: str, terminal: bool) -> None:
    if terminal:
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def _sweep(base: Path) -> None:
    """Roots of a case that is over are of no use; the manifests are made once."""
    import shutil

    for path in base.iterdir():
        if path.is_dir():
            shutil.rmtree(path)


def _machine() -> str:
    load = os.getloadavg()[0]
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, "
        f"Python {platform.python_version()}, load before the end {load:.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
