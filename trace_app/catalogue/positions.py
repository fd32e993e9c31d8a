"""Where a site lies, as people write it, and whether that is where its county is. All positions are of WGS 84."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trace_app.catalogue.boundary import METRES_PER_DEGREE, contains
from trace_app.catalogue.county_map import MAP
from trace_app.catalogue.models import Site
from trace_app.plain_text import half_width

FAR_KM = 10.0
"""How far outside of its county's outline a site is doubted: the outlines are simplified to a few corners."""
_AXES = {"N": ("lat", 1), "北纬": ("lat", 1), "S": ("lat", -1), "南纬": ("lat", -1)}
_AXES |= {"E": ("lon", 1), "东经": ("lon", 1), "W": ("lon", -1), "西经": ("lon", -1)}
_SIDE = "北纬|南纬|东经|西经|[NSEW]"
_PLAIN = re.compile(rf"({_SIDE})?:?\s*([+-]?[0-9]{{1,3}}(?:\.[0-9]+)?)\s*[°度]?\s*({_SIDE})?")
_PARTS = re.compile(
    rf"({_SIDE})?:?\s*([0-9]{{1,3}})\s*[°度]\s*([0-9]{{1,2}}(?:\.[0-9]+)?)\s*['′’分]"
    rf"(?:\s*([0-9]{{1,2}}(?:\.[0-9]+)?)\s*(?:\"|″|”|''|秒))?\s*({_SIDE})?"
)
_SPACED = re.compile(r"([0-9]{1,3})\s+([0-9]{1,2})\s+([0-9]{1,2}(?:\.[0-9]+)?)")
"""Degrees, minutes and seconds with nothing but spaces between them."""
_BETWEEN = re.compile(r"[,;、/\s]+")


class NotAPosition(ValueError):
    """A text is neither a coordinate nor a pair of them."""


@dataclass(frozen=True, slots=True)
class Coordinate:
    """A number of degrees; ``axis`` is ``lat`` or ``lon`` where the text says which."""

    degrees: Decimal
    axis: str | None = None
    is_exact: bool = True
    """Whether it has decimals or minutes, so that a comma beside it stands between two."""


@dataclass(frozen=True, slots=True)
class Position:
    """What a text says: one coordinate, or latitude and longitude."""

    latitude: Decimal | None = None
    longitude: Decimal | None = None


def read_position(text: str, axis: str) -> Position:
    """One coordinate or a pair of them, as decimal degrees or as degrees, minutes and seconds.

    :param axis: ``lat`` or ``lon``, which a single number means.
    :raises NotAPosition:
    """
    plain = half_width(text).strip().upper()
    one = _coordinate(plain)
    if one is not None:
        if one.axis not in (None, axis):
            raise NotAPosition
        return Position(latitude=one.degrees) if axis == "lat" else Position(longitude=one.degrees)
    for gap in _BETWEEN.finditer(plain):
        first, second = _coordinate(plain[: gap.start()]), _coordinate(plain[gap.end() :])
        if first is not None and second is not None and first.is_exact and second.is_exact:
            return _pair(first, second)
    raise NotAPosition


def _pair(first: Coordinate, second: Coordinate) -> Position:
    """Latitude stands first, unless the text or the size of a number says otherwise."""
    swapped = first.axis == "lon" or second.axis == "lat" or (first.axis is None and abs(first.degrees) > 90)
    latitude, longitude = (second, first) if swapped else (first, second)
    if latitude.axis == "lon" or longitude.axis == "lat":
        raise NotAPosition
    return Position(latitude.degrees, longitude.degrees)


def _coordinate(text: str) -> Coordinate | None:
    if found := _SPACED.fullmatch(text):
        text = "{}°{}′{}″".format(*found.groups())
    if found := _PARTS.fullmatch(text):
        before, degrees, minutes, seconds, behind = found.groups()
        if Decimal(minutes) >= 60 or Decimal(seconds or 0) >= 60 or (before and behind):
            return None
        axis, sign = _AXES.get(before or behind or "", (None, 1))
        value = Decimal(degrees) + Decimal(minutes) / 60 + Decimal(seconds or 0) / 3600
        return Coordinate(round(sign * value, 5), axis)
    if found := _PLAIN.fullmatch(text):
        before, degrees, behind = found.groups()
        if before and behind:
            return None
        axis, sign = _AXES.get(before or behind or "", (None, 1))
        return Coordinate(round(sign * Decimal(degrees), 5), axis, "." in degrees or axis is not None)
    return None


def km_outside(division_code: str, longitude: float, latitude: float) -> float:
    """How far outside of its county's outline a point lies; 0 within it, and where there is no outline."""
    county = next((one for one in MAP.counties if one.code == division_code[:6]), None)
    if county is None:
        return 0.0
    return _km_from_outline([MAP.corners[corner] for corner in county.corners], longitude, latitude)


def km_from_site(site: Site, longitude: float, latitude: float) -> float | None:
    """How far a point lies from a site's boundary, or from its position where it has none; None where it has neither.

    Within the boundary it is 0.
    """
    if site.boundary:
        return _km_from_outline(site.boundary, longitude, latitude)
    if site.longitude is None or site.latitude is None:
        return None
    corner = (float(site.longitude), float(site.latitude))
    return _km_from_outline([corner], longitude, latitude)


def _km_from_outline(corners: Sequence[Sequence[float]], longitude: float, latitude: float) -> float:
    if len(corners) > 1 and contains(corners, longitude, latitude):
        return 0.0
    squeeze = math.cos(math.radians(latitude))
    km = METRES_PER_DEGREE / 1000
    plane = [((x - longitude) * squeeze * km, (y - latitude) * km) for x, y in corners]
    return min(_from_origin(one, other) for one, other in zip(plane, [*plane[1:], plane[0]], strict=True))


def _from_origin(one: Sequence[float], other: Sequence[float]) -> float:
    """How far a line between two points is from the origin."""
    (x, y), (dx, dy) = one, (other[0] - one[0], other[1] - one[1])
    along = max(0.0, min(1.0, -(x * dx + y * dy) / ((dx * dx + dy * dy) or 1.0)))
    return math.hypot(x + along * dx, y + along * dy)
