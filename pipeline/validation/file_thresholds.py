"""Whether a file as a whole can be trusted, from the counts of its rows."""

from pipeline.core.errors import DropRefused
from schemas.codes import Code
from schemas.display import quoted

SMALL_FILE = 20
"""Files with fewer data rows are never refused for their ratio of bad rows."""


def judge(
    *, id_header: str, total: int, id_bad: int, rejected: int, ratio: float
) -> DropRefused | None:
    """Return the refusal of a file with too many bad rows, or None.

    ``id_header``: what the column of the order ids is called; ``total``: data rows; ``id_bad``:
    those with ``ID_MISSING`` or ``ID_INVALID`` (not ``ID_DAMAGED``: a damaged id is in the right
    column); ``rejected``: all rejected rows; ``ratio``: ``manifest.max_reject_ratio``.
    ``WRONG_COLUMN`` goes before ``TOO_MANY_REJECTS``.
    """
    if total < SMALL_FILE:
        return None
    if id_bad * 2 > total:
        return DropRefused(
            Code.WRONG_COLUMN,
            f"{id_bad} of {total} rows have no usable order id in the column {quoted(id_header)}, "
            "so it is probably the wrong column or another kind of file.",
            hint="Check which column holds the order ids, correct its heading or contents, and "
            "drop the file again.",
        )
    if rejected > ratio * total:
        return DropRefused(
            Code.TOO_MANY_REJECTS,
            f"{rejected} of {total} rows have faults, more than the {ratio:.0%} up to which a file "
            "is taken, so none of its rows is sent.",
            hint="Correct the rows in the rejects file and drop that file instead of this one.",
        )
    return None
