"""A request to the process that reads."""

from msgspec import Struct

from pipeline.core.file_facts import Source
from pipeline.storage.spool import Spool


class Job(Struct, frozen=True, kw_only=True):
    """A file to read, and the spool for its rows."""

    source: Source
    spool: Spool
