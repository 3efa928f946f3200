"""Manifests for the benchmarks: the same for the same seed and day, every row sendable."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

HEADER = (
    "AWB No,Order ID,Status,Remarks,Last Scan Location,Last Scan Date,Reason Code,"
    "Promise Date,Expected Date,Customer Name"
)
_STATUSES = ["Delivered"] * 7 + ["Picked Up"] * 2 + ["RTO Delivered"]
_REMARKS = (
    "Delivered to consignee",
    "Delivered to {name} at the door",
    "Left with security guard, gate {n}",
    "Delivered to neighbour flat {n}",
    "Shipment picked from seller",
    "Received by {name} (relation: family)",
    "OTP verified, handed to {name}",
    "Returned to seller warehouse bay {n}",
    "",
)
_FIRST = (
    "Aarav",
    "Priya",
    "Rohan",
    "Neha",
    "Imran",
    "Lakshmi",
    "Gurpreet",
    "Ananya",
    "José",
    "शिव",
)
_LAST = ("Sharma", "Patel", "Khan", "Iyer", "Singh", "Das", "Reddy", "Mehta", "Fernandes", "Rao")
_CITIES = (
    "Mumbai",
    "Delhi",
    "Bengaluru",
    "Pune",
    "Kolkata",
    "Hyderabad",
    "Jaipur",
    "Kochi",
    "Surat",
)
_AREAS = ("Andheri", "Sector 18", "Whitefield", "Hub 2", "Airport Rd", "Old Town", "DC", "Central")
_BLOCK = 50_000


def write_manifest(path: Path, rows: int, *, seed: int = 1) -> None:
    """Write a CSV of ``rows`` rows and ten columns: every order and AWB once, ids of 20 digits."""
    rng = random.Random(seed)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(HEADER + "\r\n")
        for start in range(0, rows, _BLOCK):
            numbers = range(start, min(start + _BLOCK, rows))
            file.writelines(_lines(rng, seed, numbers))


def _lines(rng: random.Random, seed: int, numbers: range) -> Iterator[str]:
    today = datetime.now().replace(microsecond=0)  # noqa: DTZ005 - couriers write local times
    days = [(today + timedelta(days=n)).strftime("%Y-%m-%d") for n in range(-3, 8)]
    names = [f"{first} {last}" for first in _FIRST for last in _LAST]
    places = [f"{city}_{area}" for city in _CITIES for area in _AREAS]
    for number in numbers:
        bits = rng.getrandbits(64)
        # No id ends in 000: such an id looks like one that a spreadsheet has rounded.
        order = f"{100 + seed % 800}{number:09}{bits % 10_000_000:07}{1 + bits % 9}"
        name = names[bits % 97]
        remark = _REMARKS[(bits >> 8) % 9].format(name=name, n=1 + (bits >> 12) % 30)
        if "," in remark:
            remark = f'"{remark}"'
        moment = today - timedelta(seconds=(bits >> 16) % 200_000)
        yield (
            f"14{seed:05}{number:07},{order},{_STATUSES[(bits >> 20) % 10]},{remark},"
            f"{places[(bits >> 24) % 72]},{moment:%Y-%m-%d %H:%M:%S},{(bits >> 32) % 40},"
            f"{days[(bits >> 40) % 11]},{days[(bits >> 44) % 11]},{name}\r\n"
        )
