"""The measures of Shipdrop: ``python -m benchmarks`` prints them, each with its target."""

import compileall
import os
from pathlib import Path

# As pip leaves a package: compiled. Where the first line is needed, a third of every start was
# spent on compiling all of ours anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
for _package in ("pipeline", "schemas"):
    compileall.compile_dir(Path(__file__).parents[1] / _package, quiet=1)
