"""Messages between the service and the process that reads: a line each.

The service tells once what holds for all files (``ReadingRules``), then asks for a file, or for
several small ones, at a time (``Request``); each is answered for by a line of its own. What the
service says is pickled, as names of files may be no text; an answer is JSON and checked against
``ReaderMessage`` before it is believed, for the process at the other end has been reading what
strangers wrote. That end is ``pipeline.reading.process.child_main``.
"""

import base64
import pickle
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from pipeline.core.draft import ProfileDraft, Sample
from pipeline.core.model import Facts, Limits, Source
from pipeline.storage.spool import Spool
from schemas.codes import Code


class Job(Struct, frozen=True, kw_only=True):
    """A file to read, and the spool for its rows."""

    source: Source
    spool: Spool


MB = 1024 * 1024

OwnProfiles = tuple[tuple[str, str], ...]
"""The profiles of a root: each file's path and text."""

BURST = 512 * MB
"""Memory beyond its limit that it may take between two looks; past that the system refuses it."""

GRACE = 5
"""Seconds after which the system ends a process that we should have ended."""


class ReadingRules(Struct, frozen=True, kw_only=True):
    """All that the other process has to know, and what it may use.

    ``profiles``: the root's own, as (origin, TOML text). ``timezone``: for times
    without a zone. ``spools``: the folder of all spools.
    ``seconds``: processor time, to which a file's size adds; ``memory``: bytes.
    """

    profiles: OwnProfiles
    default: str
    limits: Limits
    timezone: str
    spools: Path
    seconds: float
    memory: int


class Request(Struct, frozen=True, kw_only=True):
    """Files to read, or a sample to make a starting profile from, in so much processor time.

    They are answered for one by one, in this order.
    """

    seconds: float
    jobs: tuple[Job, ...] = ()
    sample: Sample | None = None


class _Words(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    message: str
    hint: str


class _Refusal(_Words, frozen=True, kw_only=True, forbid_unknown_fields=True):
    code: Code


class ReaderMessage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message of the other process: exactly one of these."""

    ask: Annotated[str, Meta(max_length=100_000)] | None = None
    facts: Facts | None = None
    draft: ProfileDraft | None = None
    usage: _Words | None = None
    refused: _Refusal | None = None
    storage: _Words | None = None
    memory: bool = False
    bug: str | None = None


def answer_of(line: bytes) -> ReaderMessage:
    """Parse a message of the other process. Raises ValueError when it has another form."""
    return msgspec.json.decode(line, type=ReaderMessage)


def asked(what: ReadingRules | Request | str | None) -> bytes:
    """Return what the service says as a line. A text or None answers a question (``ask``)."""
    return base64.b64encode(pickle.dumps(what))


def as_asked(line: bytes) -> Any:  # noqa: ANN401 - what was given to ``asked``
    """Return what the service said. Only for the process that it started, on the pipe from it."""
    return pickle.loads(base64.b64decode(line))  # noqa: S301 - the service's own words
