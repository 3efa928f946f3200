"""Bytes → other bytes: flips, cuts, splices; of a zip also its parts, sound checksums included.

A flip in a zip nearly always ends at its checksum; only a part that was changed and packed again
gets as far as the reader behind it.
"""

import io
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from functools import lru_cache
from random import Random

_TOKENS = (
    *(b'"', b'""', b"'", b",", b";", b"\t", b"|", b"\r", b"\n", b"\r\r\n", b"\0", b"\x1a", b"\xff"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xff\xfe\0\0", b"\xc3\x28", "\u2028".encode(), b"sep=;\n"),
    *(
        b"<c",
        b"</c>",
        b"<row",
        b"/>",
        b"<!DOCTYPE x>",
        b"]]>",
        b"&#0;",
        b"&lt;",
        b' r="XFD1048576"',
    ),
    *(b"-1", b"0", b"1e309", b"99999999999999999999", b"NaN", b"2958466", b"\x7f\xff\xff\xff"),
)
_NUMBERS = re.compile(rb"\d+")
_EXTREMES = (b"0", b"-1", b"1", b"65536", b"1048577", b"4294967295", b"9" * 30, b"1e400", b"")
_SIGNATURE = b"PK\x03\x04"


def mutated(data: bytes, other: bytes, chance: Random) -> bytes:
    """Return ``data`` after one to four changes; ``other`` is what it may be spliced with."""
    for _ in range(chance.randint(1, 4)):
        if data.startswith(_SIGNATURE) and chance.random() < 0.75:
            data = _repacked(data, other, chance)
        else:
            data = chance.choice(_CHANGES)(data, other, chance)
    return data


def _flip(data: bytes, _other: bytes, chance: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randint(1, 8)):
        if changed:
            changed[_at(changed, chance)] ^= 1 << chance.randint(0, 7)
    return bytes(changed)


def _overwrite(data: bytes, _other: bytes, chance: Random) -> bytes:
    at, word = _at(data, chance), chance.choice([0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])
    return data[:at] + struct.pack("<I", word) + data[at + 4 :]


def _cut(data: bytes, _other: bytes, chance: Random) -> bytes:
    start = _at(data, chance)
    return data[:start] + data[start + chance.randint(1, max(1, len(data) // 4)) :]


def _truncate(data: bytes, _other: bytes, chance: Random) -> bytes:
    return data[: _at(data, chance)]


def _repeat(data: bytes, _other: bytes, chance: Random) -> bytes:
    start = _at(data, chance)
    piece = data[start : start + chance.randint(1, 400)]
    return data[:start] + piece * chance.randint(2, 40) + data[start:]


def _insert(data: bytes, _other: bytes, chance: Random) -> bytes:
    at = _at(data, chance)
    return data[:at] + chance.choice(_TOKENS) * chance.choice([1, 1, 1, 50]) + data[at:]


def _splice(data: bytes, other: bytes, chance: Random) -> bytes:
    return data[: _at(data, chance)] + other[_at(other, chance) :]


def _number(data: bytes, _other: bytes, chance: Random) -> bytes:
    found = list(_NUMBERS.finditer(data, _at(data, chance)))[:200]
    if not found:
        return data
    number = chance.choice(found)
    return data[: number.start()] + chance.choice(_EXTREMES) + data[number.end() :]


_CHANGES: tuple[Callable[[bytes, bytes, Random], bytes], ...] = (
    *(_flip, _overwrite, _cut, _truncate, _repeat, _insert, _splice, _number),
)


def _at(data: bytes | bytearray, chance: Random) -> int:
    return chance.randint(0, max(0, len(data) - 1))


def _repacked(data: bytes, other: bytes, chance: Random) -> bytes:
    """Change one part of a zip and pack it anew; as it was if it is no sound zip."""
    try:
        parts = dict(_parts(data))
        name = chance.choice(_interesting(parts))
        change = chance.choice([*_CHANGES, _number, _number, _drop])
        parts[name] = change(parts[name], _part_of(other, name) or parts[name], chance)
        store = io.BytesIO()
        packed = zipfile.ZipFile(store, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
        with warnings.catch_warnings(), packed:
            warnings.simplefilter("ignore")
            for part, content in parts.items():
                packed.writestr(part, content)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError, IndexError):
        return _flip(data, other, chance)
    except Exception:  # noqa: BLE001 - zlib.error and others of zipfile's: the bytes are broken already
        return _flip(data, other, chance)
    return store.getvalue()


@lru_cache(maxsize=256)
def _parts(data: bytes) -> Mapping[str, bytes]:
    """Name → content of the parts of a zip: the same few files are taken apart again and again."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _interesting(parts: dict[str, bytes]) -> list[str]:
    """Sheets, strings, styles and the workbook more often than pictures and themes."""
    telling = ("sheet", "sharedStrings", "styles", "workbook", "content.xml", "Content_Types")
    chosen = [name for name in parts if any(each in name for each in telling)]
    return [*chosen, *chosen, *chosen, *parts]


def _part_of(data: bytes, name: str) -> bytes:
    try:
        return _parts(data)[name]
    except Exception:  # noqa: BLE001 - no zip, or no such part: then there is nothing to splice with
        return b""


def _drop(_data: bytes, _other: bytes, _chance: Random) -> bytes:
    return b""
