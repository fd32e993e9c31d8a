"""Places: Qujing, where the platform works, and the rest of China, where goods go."""

from __future__ import annotations

import re
from collections.abc import Iterable

from trace_app.accounts.access import HOME
from trace_app.accounts.models import Division
from trace_app.extensions import db
from trace_app.language import language, named

_SUFFIX = re.compile("(壮族自治区|回族自治区|维吾尔自治区|特别行政区|自治区|省|市)$")
"""What a province's name is written without, too."""
_DISTRICT = re.compile("[^路街道]{1,5}[区县]")


def provinces() -> list[Division]:
    return list(db.session.scalars(db.select(Division).filter_by(level="province").order_by(Division.code)))


def cities_elsewhere() -> list[Division]:
    """The prefectures of all provinces but Qujing."""
    query = db.select(Division).where(Division.level == "city", ~Division.code.startswith(HOME))
    return list(db.session.scalars(query.order_by(Division.code)))


def consignee_places() -> list[tuple[str, list[Division]]]:
    """Where goods may go, in groups with a name: Qujing and its counties, then each province with its cities."""
    here = db.select(Division).where(Division.code.startswith(HOME), Division.level.in_(("city", "county")))
    home = list(db.session.scalars(here.order_by(Division.code)))
    return [(named(home[0]), home)] * bool(home) + places_elsewhere()


def places_elsewhere() -> list[tuple[str, list[Division]]]:
    """Provinces with their cities, each province itself the first of its group; the own province before the others."""
    cities: dict[str | None, list[Division]] = {}
    for city in cities_elsewhere():
        cities.setdefault(city.parent_code, []).append(city)
    ordered = sorted(provinces(), key=lambda province: (province.code[:2] != HOME[:2], province.code))
    return [(named(province), [province, *cities.get(province.code, [])]) for province in ordered]


def region_names(codes: Iterable[str], in_language: str | None = None) -> list[str]:
    """Places as provinces with their cities: 上海市, 云南省（昆明市、曲靖市）.

    :param codes: of divisions of any level.
    :param in_language: ``zh`` or ``en``; the reader's where it isn't said.
    """
    chosen = in_language or language()
    wanted: dict[str, set[str]] = {}
    for code in codes:
        of_province = wanted.setdefault(f"{code[:2]}0000", set())
        if not code.endswith("0000"):
            # The counties right under a province have a code of their own; all others go by their city.
            of_province.add(code[:6] if code[2:4] == "90" else f"{code[:4]}00")
    every = {*wanted, *(city for cities in wanted.values() for city in cities)}
    rows = db.session.scalars(db.select(Division).where(Division.code.in_(every)))
    known = {row.code: row.name if chosen == "zh" else row.name_en for row in rows}
    between, brackets = ("、", "{}（{}）") if chosen == "zh" else (", ", "{} ({})")
    found = []
    for province in sorted(wanted):
        name = known.get(province, province)
        cities = [known[code] for code in sorted(wanted[province]) if code in known]
        found.append(brackets.format(name, between.join(cities)) if cities else name)
    return found


def place_in_address(address: str) -> str | None:
    """The code of the place that a Chinese address begins with: a county of Qujing, a city, or a province.

    None where the address does not say it beyond doubt: 云南昆明市 does, 云南路 is a street.
    """
    plain = "".join(address.split()).removeprefix("中国")
    for province in provinces():
        if plain.startswith(province.name):
            rest = plain.removeprefix(province.name)
            return (_city_or_county(rest, province) or province).code
        short = _SUFFIX.sub("", province.name)
        if plain.startswith(short):
            rest = plain.removeprefix(short)
            if (below := _city_or_county(rest, province)) is not None:
                return below.code
            if province.name.endswith("市") and _DISTRICT.match(rest):
                return province.code
    below = _city_or_county(plain, None)
    return below.code if below is not None else None


def _city_or_county(text: str, province: Division | None) -> Division | None:
    """The city that a text begins with, or the county of Qujing that stands behind it or at the beginning."""
    rows = db.select(Division).where(Division.level.in_(("city", "county")))
    if province is not None:
        rows = rows.where(Division.code.startswith(province.code[:2]))
    below = list(db.session.scalars(rows))
    city = next((row for row in below if row.level == "city" and text.startswith(row.name)), None)
    rest = text.removeprefix(city.name) if city is not None else text
    counties = (row for row in below if row.level == "county" and (city is None or row.parent_code == city.code))
    return next((row for row in counties if rest.startswith(row.name)), city)
