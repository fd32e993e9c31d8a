"""Which province or city an address lies in, by a table that the operator puts beside the platform.

The table is a CSV file without a header: first address, last address, region, as ``1.24.0.0,1.31.255.255,内蒙古``.
docs/operations.md says how to make one. Without it no region is kept.
"""

from __future__ import annotations

import csv
import ipaddress
import math
import re
from bisect import bisect_right
from functools import cache
from pathlib import Path
from typing import NamedTuple

EARTH_KM = 6371.0
REGION_LENGTH = 20
_PLACES = Path(__file__).parent / "reference" / "regions.csv"


class BadRegionTable(ValueError):
    """A line of the table that can't be read, with its number."""


class Regions:
    """Ranges of addresses in order, IPv4 as mapped into IPv6."""

    def __init__(self, ranges: list[tuple[int, int, str]]) -> None:
        ranges.sort()
        self._first = [first for first, _last, _region in ranges]
        self._last = [last for _first, last, _region in ranges]
        names: dict[str, str] = {}
        self._region = [names.setdefault(region, region) for _first, _last, region in ranges]

    @classmethod
    def read(cls, path: Path) -> Regions:
        """:raises BadRegionTable:"""
        ranges = []
        with path.open(encoding="utf-8-sig", newline="") as file:
            for line, row in enumerate(csv.reader(file), start=1):
                if not row:
                    continue
                try:
                    first, last, region = row[:3]
                    ranges.append((_number(first), _number(last), region.strip()[:REGION_LENGTH]))
                except ValueError as error:
                    raise BadRegionTable(
                        f"{path}, line {line}: expected first address, last address, region; found {row!r}"
                    ) from error
        return cls(ranges)

    def of(self, address: str) -> str:
        """The region of an address; empty where it is not known."""
        try:
            number = _number(address)
        except ValueError:
            return ""
        place = bisect_right(self._first, number) - 1
        return self._region[place] if place >= 0 and number <= self._last[place] else ""


def _number(address: str) -> int:
    parsed = ipaddress.ip_address(address.strip())
    if parsed.version == 4:
        return 0xFFFF_0000_0000 | int(parsed)
    return int(parsed)


class Place(NamedTuple):
    """A region's seat of government, near enough to judge distances of hundreds of kilometres."""

    name: str
    name_en: str
    latitude: float
    longitude: float


@cache
def places() -> dict[str, Place]:
    """Provinces and the cities of Yunnan by their short Chinese names."""
    with _PLACES.open(encoding="utf-8", newline="") as file:
        return {
            row["name"]: Place(row["name"], row["name_en"], float(row["latitude"]), float(row["longitude"]))
            for row in csv.DictReader(file)
        }


@cache
def place_of(region: str) -> Place | None:
    """Where a region lies: the longest known name that it begins with, or has in it."""
    known = [name for name in places() if name in region]
    return places()[max(known, key=lambda name: (region.rfind(name), len(name)))] if known else None


_STATES = re.compile(r"特别行政区|维吾尔自治区|壮族自治区|回族自治区|自治区|自治州|省|市|州")


@cache
def english_region(region: str) -> str | None:
    """A region in English, the narrower place first: Qujing, Yunnan; None where a part of it is not known."""
    left, found = region.strip(), list[str]()
    while left:
        name = max((name for name in places() if left.startswith(name)), key=len, default="")
        if not name:
            return None
        found.insert(0, places()[name].name_en)
        left = left[len(name) :].strip()
        if state := _STATES.match(left):
            left = left[state.end() :].strip()
    return ", ".join(dict.fromkeys(found)) or None


def apart_km(one: str, other: str) -> float | None:
    """The distance between two regions' seats, None where one of them is not known."""
    here, there = place_of(one), place_of(other)
    if here is None or there is None:
        return None
    a, b = math.radians(here.latitude), math.radians(there.latitude)
    turn = math.radians(there.longitude - here.longitude)
    h = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(turn / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, h)))
