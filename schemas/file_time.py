"""How a courier writes a time into its file names: a profile's ``file_time``."""

import re

_DIRECTIVES = {
    "%Y": r"\d{4}",
    "%y": r"\d{2}",
    "%m": r"\d{2}",
    "%d": r"\d{2}",
    "%H": r"\d{2}",
    "%M": r"\d{2}",
    "%S": r"\d{2}",
    "%b": r"[A-Za-z]{3}",
}
_PART = re.compile(r"%.|[^%]+")


def pattern_of(file_time: str) -> str:
    """Return a regular expression for what ``file_time`` (``%Y%m%d_%H%M``) writes.

    Raises:
        ValueError: it has another directive than ``%Y %y %m %d %H %M %S %b``, or no day.
    """
    parts = _PART.findall(file_time)
    if "".join(parts) != file_time or not {"%Y", "%y"} & {*parts} or "%d" not in parts:
        raise ValueError('must name year and day, e.g. "%Y%m%d_%H%M"')
    unknown = [part for part in parts if part.startswith("%") and part not in _DIRECTIVES]
    if unknown:
        raise ValueError(f"must be made of {' '.join(_DIRECTIVES)}, not {unknown[0]}")
    inner = "".join(_DIRECTIVES.get(part) or re.escape(part) for part in parts)
    return rf"(?<!\d){inner}(?!\d)"
