"""Where a lot comes from, as a small schematic map of Qujing's counties: SVG, without tiles or scripts.

Borders are simplified to a few corners each; neighbours share theirs. It shows where in the city a place lies, and is
no map of boundaries.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from markupsafe import Markup

from trace_app.language import language

# Corners as longitude and latitude, by letter, from the northwest around, then those inside.
_CORNERS = {
    "A": (103.15, 26.30), "B": (103.05, 26.60), "C": (103.28, 26.88), "D": (103.60, 27.04), "E": (103.78, 26.75),
    "F": (103.70, 26.45), "G": (104.02, 26.60), "H": (104.35, 26.72), "I": (104.57, 26.55), "J": (104.66, 26.30),
    "K": (104.47, 26.10), "L": (104.40, 25.95), "M": (104.55, 25.78), "N": (104.80, 25.62), "O": (104.68, 25.35),
    "P": (104.55, 25.10), "Q": (104.70, 24.92), "R": (104.64, 24.66), "S": (104.54, 24.52), "T": (104.38, 24.40),
    "U": (104.10, 24.36), "V": (103.93, 24.53), "W": (103.72, 24.72), "X": (103.50, 24.78), "Y": (103.38, 25.00),
    "Z": (103.42, 25.18), "a": (103.28, 25.34), "b": (103.31, 25.56), "c": (103.45, 25.66), "d": (103.50, 25.80),
    "e": (103.55, 25.94), "f": (103.22, 25.88), "g": (103.10, 26.08), "h": (103.74, 26.03), "i": (104.15, 25.90),
    "j": (104.10, 25.54), "k": (103.70, 25.57), "l": (103.66, 25.22), "m": (104.00, 25.16), "n": (104.20, 25.22),
    "o": (103.98, 24.97), "p": (104.16, 24.76),
}  # fmt: skip


class County(NamedTuple):
    """A county-level division: its corners, and where its name stands."""

    code: str
    name: str
    name_en: str
    corners: str
    seat: tuple[float, float]


COUNTIES = [
    County("530326", "会泽", "Huize", "ABCDEFhefg", (103.40, 26.35)),
    County("530381", "宣威", "Xuanwei", "FGHIJKLih", (104.13, 26.26)),
    County("530303", "沾益", "Zhanyi", "cdehijk", (103.83, 25.76)),
    County("530325", "富源", "Fuyuan", "iLMNOPnj", (104.38, 25.50)),
    County("530302", "麒麟", "Qilin", "kjnml", (103.90, 25.36)),
    County("530304", "马龙", "Malong", "Zabckl", (103.50, 25.40)),
    County("530322", "陆良", "Luliang", "WXYZlmo", (103.68, 24.99)),
    County("530324", "罗平", "Luoping", "nPQRSpom", (104.36, 24.90)),
    County("530323", "师宗", "Shizong", "opSTUVW", (104.12, 24.57)),
]
WIDTH, HEIGHT = 180, 300
_WEST, _NORTH, _SCALE = 103.0, 27.08, 108.0
_SQUEEZE = math.cos(math.radians(25.7))


def counties(division_code: str) -> Markup:
    """The counties as shapes of SVG with their names, that of a division marked."""
    return _counties(division_code[:6], language())


@cache
def _counties(here: str, language: str) -> Markup:
    shapes = []
    for county in COUNTIES:
        x, y = place(*county.seat)
        shapes.append(
            Markup('<g{here}><polygon points="{points}"/><text x="{x}" y="{y}">{name}</text></g>').format(
                here=Markup(' class="here"') if county.code == here else "",
                points=" ".join("{:.0f},{:.0f}".format(*place(*_CORNERS[corner])) for corner in county.corners),
                x=x,
                y=y,
                name=county.name_en if language == "en" else county.name,
            )
        )
    return Markup("\n").join(shapes)


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
