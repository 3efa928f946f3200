"""Done markers: a file's size or hash, or nothing, and whether the file fits.

``x.csv.done`` may be empty, or hold what the sender's tools write: a size in bytes (as ``wc -c``
does, too), the line of ``sha256sum`` (or ``md5sum``, ``sha1sum``, ``sha512sum``), ``size=123``, or
JSON with such fields.
"""

import hashlib
import os
import re
from pathlib import Path

from msgspec import Struct

from pipeline.storage.listing import Identity, identity_of, open_regular

_MOST = 4096
_PIECE = 1024 * 1024
_BETWEEN = re.compile(r"[^0-9A-Za-z]+")
_SIZE_WORDS = frozenset({"size", "bytes", "length"})
_HASHES = {32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}
_HEX = frozenset("0123456789abcdefABCDEF")


class Marked(Struct, frozen=True, kw_only=True):
    """The content of a marker; ``size`` in bytes, ``hashes``: algorithm → lower-case hex."""

    size: int | None
    hashes: tuple[tuple[str, str], ...]


def read_marker(path: Path) -> bytes:
    """Return the content of a marker (its first 4 KiB). Raises OSError."""
    with open_regular(path) as file:
        return file.read(_MOST)


def parse_marker(content: bytes, name: str) -> Marked:
    """Find size and hashes of the file called ``name`` in its marker's content.

    A number is a size where it stands alone, before the file's name, or after ``size``, ``bytes``
    or ``length``; hex digits are a hash where there are as many as a hash has. Anything else (a
    date, a word) is passed over.
    """
    text = content.decode("utf-8", "surrogateescape").strip("\ufeff \t\r\n\0")
    number, _, rest = text.partition(" ")
    alone = number.isascii() and number.isdigit() and rest.strip(" *") in {"", name}
    size = int(number) if alone and len(number) not in _HASHES else None
    hashes: list[tuple[str, str]] = []
    before = ""
    for word in _BETWEEN.split(text):
        if len(word) in _HASHES and _HEX.issuperset(word):
            hashes.append((_HASHES[len(word)], word.lower()))
        elif word.isascii() and word.isdigit() and before in _SIZE_WORDS and size is None:
            size = int(word)
        before = word.casefold()
    return Marked(size=size, hashes=tuple(hashes))


def marker_mismatch(marked: Marked, path: Path, identity: Identity) -> str | None:
    """Say how the file differs from its marker, or None. Reads the whole file for a hash.

    Raises:
        OSError: it cannot be read.
    """
    if marked.size is not None and marked.size != identity[2]:
        return f"its done marker says {marked.size:,} bytes, and it has {identity[2]:,}"
    if not marked.hashes:
        return None
    found = {name: hashlib.new(name, usedforsecurity=False) for name, _ in marked.hashes}
    with open_regular(path) as file:
        for piece in iter(lambda: file.read(_PIECE), b""):
            for digest in found.values():
                digest.update(piece)
        if identity_of(os.fstat(file.fileno())) != identity:
            return "it is changing at this moment"
    for name, wanted in marked.hashes:
        if found[name].hexdigest() != wanted:
            return f"its {name.upper()} is not the one that its done marker says"
    return None
