"""Charts as SVG, made on the server: columns by day, and regions as circles where they lie."""

from __future__ import annotations

import math
from datetime import date
from typing import NamedTuple

from trace_app.scanning.regions import Place, place_of

CHART_WIDTH, CHART_HEIGHT = 720, 180
MAP_WIDTH, MAP_HEIGHT = 560, 400
NAME_WIDTH, NAME_HEIGHT = 96, 22
_WEST, _EAST, _SOUTH, _NORTH = 73.0, 136.0, 17.0, 54.0


class ChartColumn(NamedTuple):
    day: date
    scans: int
    x: float
    y: float
    width: float
    height: float


class MapCircle(NamedTuple):
    place: Place
    scans: int
    x: float
    y: float
    radius: float
    labelled: bool
    """Whether there is room for its name beside the larger ones'."""


def columns(by_day: list[tuple[date, int]]) -> list[ChartColumn]:
    """A column for each day, the highest as high as the chart."""
    most = max((scans for _day, scans in by_day), default=0) or 1
    width = CHART_WIDTH / max(len(by_day), 1)
    found = []
    for number, (day, scans) in enumerate(by_day):
        height = scans / most * CHART_HEIGHT
        found.append(
            ChartColumn(
                day,
                scans,
                round(number * width, 1),
                round(CHART_HEIGHT - height, 1),
                round(width * 0.8, 1),
                round(height, 1),
            )
        )
    return found


def circles(by_region: list[tuple[str, int]]) -> list[MapCircle]:
    """A circle for each region that is known, as large as it has scans, the large ones first."""
    sums: dict[Place, int] = {}
    for region, scans in by_region:
        if (place := place_of(region)) is not None:
            sums[place] = sums.get(place, 0) + scans
    most = max(sums.values(), default=1)
    found: list[MapCircle] = []
    for place, scans in sorted(sums.items(), key=lambda item: -item[1]):
        x = (place.longitude - _WEST) / (_EAST - _WEST) * MAP_WIDTH
        y = (_NORTH - place.latitude) / (_NORTH - _SOUTH) * MAP_HEIGHT
        radius = 6 + 24 * math.sqrt(scans / most)
        top = y - radius
        room = all(abs(x - c.x) > NAME_WIDTH or abs(top - (c.y - c.radius)) > NAME_HEIGHT for c in found if c.labelled)
        found.append(MapCircle(place, scans, round(x, 1), round(y, 1), round(radius, 1), room))
    return found
