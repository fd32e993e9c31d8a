"""A site's boundary: corners as they are typed or drawn, and the area inside."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from decimal import Decimal

METRES_PER_DEGREE = 111_320.0
"""A degree of latitude in metres, and of longitude at the equator (WGS 84, mean)."""
MU_M2 = 2000 / 3
LEAST, MOST = 3, 200
"""Corners."""
WIDEST_DEGREES = 0.5


class BadBoundary(ValueError):
    """A text is no boundary. ``line`` is where, from 1 on; None for the whole."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def parse_boundary(text: str, *, widest: float = WIDEST_DEGREES) -> list[list[float]] | None:
    """Corners from lines of latitude and longitude; None where there are none.

    :param widest: degrees from side to side.

    :raises BadBoundary: with ``number``, ``range``, ``few``, ``many``, ``wide`` or ``crossing`` as the reason.
    """
    corners: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        parts = re.split(r"[,，;；\s]+", line.strip(" ,，"))
        try:
            latitude, longitude = (float(part) for part in parts)
        except ValueError as error:
            raise BadBoundary("number", number) from error
        if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
            raise BadBoundary("range", number)
        corners.append([round(longitude, 6), round(latitude, 6)])
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners.pop()
    if not corners:
        return None
    if len(corners) < LEAST:
        raise BadBoundary("few")
    if len(corners) > MOST:
        raise BadBoundary("many")
    if any(max(values) - min(values) > widest for values in zip(*corners, strict=True)):
        raise BadBoundary("wide")
    if crosses_itself(corners):
        raise BadBoundary("crossing")
    return corners


def boundary_text(corners: Sequence[Sequence[float]]) -> str:
    """Corners as lines of latitude and longitude."""
    return "\n".join(f"{latitude:.6f}, {longitude:.6f}" for longitude, latitude in corners)


def area_mu(corners: Sequence[Sequence[float]]) -> Decimal:
    """The area inside, in mu, on a plane that touches the earth there (good to a per mille at the size of farms)."""
    middle = math.radians(sum(corner[1] for corner in corners) / len(corners))
    plane = [
        (lon * METRES_PER_DEGREE * math.cos(middle), lat * METRES_PER_DEGREE)
        for lon, lat in ((c[0], c[1]) for c in corners)
    ]
    doubled = sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(plane, [*plane[1:], plane[0]], strict=True))
    return Decimal(str(round(abs(doubled) / 2 / MU_M2, 2)))


def centre(corners: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Latitude and longitude in the middle of the corners."""
    longitudes, latitudes = zip(*corners, strict=True)
    return sum(latitudes) / len(corners), sum(longitudes) / len(corners)


def contains(corners: Sequence[Sequence[float]], longitude: float, latitude: float) -> bool:
    """Whether a point lies inside (even-odd rule)."""
    inside = False
    for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], *corners[:1]], strict=True):
        if (y1 > latitude) != (y2 > latitude) and longitude < (x2 - x1) * (latitude - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside


def crosses_itself(corners: Sequence[Sequence[float]]) -> bool:
    """Whether two sides that don't meet at a corner cut each other."""
    count = len(corners)
    sides = [(corners[n], corners[(n + 1) % count]) for n in range(count)]
    return any(
        _cut(*sides[one], *sides[other])
        for one in range(count)
        for other in range(one + 2, count)
        if (other + 1) % count != one
    )


def _cut(a: Sequence[float], b: Sequence[float], c: Sequence[float], d: Sequence[float]) -> bool:
    def turn(p: Sequence[float], q: Sequence[float], r: Sequence[float]) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return turn(a, b, c) * turn(a, b, d) < 0 and turn(c, d, a) * turn(c, d, b) < 0
