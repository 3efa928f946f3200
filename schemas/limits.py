"""The thresholds of the manifest's rules. Each is said here and nowhere else."""

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

CLOCKS_OFF_MS = 7 * DAY_MS
"""By how much the clocks of two scanners may differ: a pickup that much later than its delivery."""

REUSED_DAYS = 60
"""After which couriers give an AWB to another parcel."""

ID_LENGTH = 50
"""Characters of the longest order id."""

ID_SHAPE = rf"^[A-Za-z0-9][A-Za-z0-9_-]{{0,{ID_LENGTH - 1}}}$"
"""An order id, of whatever courier."""

EXACT_DIGITS = 15
"""Digits that a spreadsheet keeps of a number; it rounds what is longer."""

FUTURE_HOURS = 24
"""How far ahead an event time may lie."""

RANGE_DAYS = 180
"""How far from today any date may lie, either way."""

TEXT_LENGTH = 500
"""Characters (code points) kept of a remark or location."""

USUAL_SHARE = 0.9
"""Share of a table's whole rows that must have cells beyond the last column, where these are empty,
for them to mean nothing: the lines end with a separator. In fewer rows they show a shifted row."""

REASON_MOST = 999_999
"""The largest number that is sent as a reason."""
