"""Bytes → text table, whatever the format. Every cell stays text, every row keeps its number.

``HeaderFinder``: how validation says which row is the header.
"""

from pipeline.core.errors import DropRefused
from pipeline.core.model import Limits, Manifest
from pipeline.reading.csv.reader import read_csv
from pipeline.reading.excel.reader import read_excel
from pipeline.reading.file_type import Buffer, Nature, nature_of
from pipeline.reading.header_row import HeaderFinder
from schemas.codes import Code
from schemas.display import quoted

__all__ = ["Buffer", "HeaderFinder", "read_manifest"]


def read_manifest(data: Buffer, *, name: str, limits: Limits, header: HeaderFinder) -> Manifest:
    """Open a manifest by its content; ``name`` only appears in messages.

    ``data``: the whole file, best as a memory map (then a CSV of any size takes the same memory).
    It must stay open and unchanged while blocks are read.

    Returns the sheets that have a header. Their rows are read as ``Sheet.blocks(tally)`` is
    iterated, any number of times; several sheets in their order, because the row limit counts
    over all of them.

    Raises ``DropRefused``, here or while blocks are iterated, so exhaust all blocks before
    anything is sent. Codes: ``EMPTY_FILE``, ``FILE_TOO_LARGE``, ``UNSUPPORTED_TYPE``,
    ``PASSWORD_PROTECTED``, ``UNSAFE_WORKBOOK``, ``UNREADABLE``, ``TRUNCATED``, ``CSV_BROKEN``,
    ``TOO_MANY_ROWS``, ``HEADER_NOT_FOUND``, ``HEADER_AMBIGUOUS``.
    """
    if len(data) > limits.max_bytes:
        raise DropRefused(
            Code.FILE_TOO_LARGE,
            f"{quoted(name)} has {len(data) / 1e6:,.0f} MB; "
            f"at most {limits.max_bytes / 1e6:,.0f} MB are read.",
            hint="Split it into several files, or raise inbox.max_file_mb.",
        )
    nature = nature_of(data, name=name)
    if nature is Nature.TEXT:
        return read_csv(data, name=name, limits=limits, header=header)
    return read_excel(data, nature, name=name, limits=limits, header=header)
