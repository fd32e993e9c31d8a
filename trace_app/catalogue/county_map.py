"""Where a lot comes from, as a small schematic map of Qujing's counties: SVG, without tiles or scripts.

Borders are simplified to a few corners each; neighbours share theirs. It shows where in the city a place lies, and is
no map of boundaries.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markupsafe import Markup
from pydantic import BaseModel

from trace_app.language import language


class County(BaseModel):
    """A county-level division: its corners by letter, and where its name stands."""

    code: str
    name: str
    name_en: str
    corners: str
    seat: tuple[float, float]


class CityMap(BaseModel):
    corners: dict[str, tuple[float, float]]
    counties: list[County]


MAP = CityMap.model_validate(tomllib.loads((Path(__file__).parent / "reference" / "counties.toml").read_text("utf-8")))
WIDTH, HEIGHT = 180, 300
_WEST, _NORTH, _SCALE = 103.0, 27.08, 108.0
_SQUEEZE = math.cos(math.radians(25.7))


def counties(division_code: str) -> Markup:
    """The counties as shapes of SVG with their names, that of a division marked."""
    return _counties(division_code[:6], language())


@cache
def _counties(here: str, language: str) -> Markup:
    shapes = []
    for county in MAP.counties:
        x, y = place(*county.seat)
        shapes.append(
            Markup('<g{here}><polygon points="{points}"/><text x="{x}" y="{y}">{name}</text></g>').format(
                here=Markup(' class="here"') if county.code == here else "",
                points=" ".join("{:.0f},{:.0f}".format(*place(*MAP.corners[corner])) for corner in county.corners),
                x=x,
                y=y,
                name=county.name_en if language == "en" else county.name,
            )
        )
    return Markup("\n").join(shapes)


@dataclass(frozen=True)
class Outline:
    """A county on the ground: its name, where that stands, and its corners, all as longitude and latitude."""

    code: str
    name: str
    seat: tuple[float, float]
    corners: tuple[tuple[float, float], ...]


def outlines() -> list[Outline]:
    """The counties with their names in the reader's language, for maps of other scales."""
    english = language() == "en"
    return [
        Outline(
            county.code,
            county.name_en if english else county.name,
            county.seat,
            tuple(MAP.corners[corner] for corner in county.corners),
        )
        for county in MAP.counties
    ]


def place(longitude: float, latitude: float) -> tuple[float, float]:
    """Where a point lies in the picture."""
    return round((longitude - _WEST) * _SQUEEZE * _SCALE, 1), round((_NORTH - latitude) * _SCALE, 1)


def mark(longitude: float | None, latitude: float | None) -> tuple[float, float] | None:
    """The site's place in the picture, None where it is not known or lies outside."""
    if longitude is None or latitude is None:
        return None
    x, y = place(longitude, latitude)
    return (x, y) if 0 <= x <= WIDTH and 0 <= y <= HEIGHT else None


@dataclass(frozen=True)
class CountyMap:
    """The counties with one of them set off, and a site's place among them."""

    counties: Markup
    mark: tuple[float, float] | None
    size: tuple[int, int] = (WIDTH, HEIGHT)


def map_of(division_code: str, position: tuple[float | None, float | None]) -> CountyMap:
    """The map of a division.

    :param position: longitude and latitude of the site, None where they are not known.
    """
    return CountyMap(counties(division_code), mark(*position))
