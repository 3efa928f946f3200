"""Messages between the service and the process that reads: lines of JSON.

The service tells once what holds for all files, then asks for a file, or for several small ones,
at a time; each is answered for by a line of its own. An answer is checked against
``ReaderMessage`` before it is believed, for the process at the other end has been reading what
strangers wrote. That end is ``pipeline.reading.process.child_main``.
"""

import os
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Annotated

import msgspec
import orjson
from msgspec import Meta, Struct
from msgspec.structs import asdict

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

_BURST = 512 * MB
"""Memory beyond its limit that it may take between two looks; past that the system refuses it."""

_GRACE = 5
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


def introduction(rules: ReadingRules) -> bytes:
    """Build the first message to the process: what holds for all files."""
    return orjson.dumps(
        {
            "profiles": rules.profiles,
            "default": rules.default,
            "limits": asdict(rules.limits),
            "timezone": rules.timezone,
            "spools": _wire(rules.spools),
            "memory": rules.memory + _BURST,
        }
    )


def request(jobs: Sequence[Job], seconds: float) -> bytes:
    """Build the message that asks for some files, which may take so much processor time in all.

    They are answered for one by one, in this order.
    """
    files = [
        {
            "path": _wire(job.source.path),
            "name": _wire(job.source.name),
            "named": job.source.named and _wire(job.source.named),
            "now": job.source.now.isoformat(),
            "spool": _wire(job.spool.folder),
        }
        for job in jobs
    ]
    return orjson.dumps({"files": files, "seconds": ceil(seconds) + _GRACE})


def draft_request(sample: Sample, seconds: float) -> bytes:
    """Build the message that asks for a starting profile, made from a sample file."""
    wanted = {
        "path": _wire(sample.path),
        "name": sample.name,
        "title": sample.title,
        "choices": msgspec.to_builtins(sample.choices),
    }
    return orjson.dumps({"draft": wanted, "seconds": ceil(seconds) + _GRACE})


def reply(courier: str | None) -> bytes:
    """Build the answer to its question for an earlier drop: how that drop was read, or None."""
    return orjson.dumps({"courier": courier})


def _wire(text: str | Path) -> str:
    """Return a name or path as it travels: they are bytes, not always text."""
    return os.fsencode(text).decode("latin-1")
