"""The settings that decide what becomes of a row."""

from msgspec import Struct

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class Rules(Struct, frozen=True, kw_only=True):
    """What a profile does not say about the judging of rows.

    ``timezone``: IANA name, for times without a zone when the profile names none.
    ``text_limit``: code points kept of a remark or location. ``future_hours``: how far ahead an
    event time may lie. ``range_days``: how far from now any date may lie, either way.
    """

    timezone: str = "Asia/Kolkata"
    text_limit: int = 500
    future_hours: int = 24
    range_days: int = 180
