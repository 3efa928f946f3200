"""``shipdrop``, and ``python -m pipeline``.

The process that reads is started before anything else is even imported: its own imports are the
longest part of a start, and so happen beside all of ours.
"""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from pipeline.reading.process.child_process import Child

_READS = ("run", "check")

_NOT_NEEDED = {
    "OPENBLAS_NUM_THREADS": "1",  # numpy's threads spin as they start; nothing here multiplies
    "PYDANTIC_DISABLE_PLUGINS": "__all__",  # it looks through every installed package for some
}


def main() -> NoReturn:
    """Run the command line; never returns."""
    for name, value in _NOT_NEEDED.items():
        os.environ.setdefault(name, value)
    child = _reader_for(sys.argv[1:])
    from pipeline.cli import app

    app.main(child)


def _reader_for(words: Sequence[str]) -> Child | None:
    """Return the process that reads, if this command will need it.

    Nothing is lost by a wrong guess.
    """
    if not words[:1] or words[0] not in _READS or {"-h", "--help"} & {*words}:
        return None
    try:
        return Child()
    except OSError:  # the command tries again, and says why it fails
        return None


if __name__ == "__main__":
    main()
