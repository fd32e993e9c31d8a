"""What is done to a lot of each kind over a season, as ``data/seasons.toml`` says."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from pydantic import BaseModel, Field, TypeAdapter

from trace_app.records.forms import VALUE_PREFIX


class SeasonStep(NamedTuple):
    """One record: its type, its stage where it has one, the day, and the form's values."""

    type: str
    stage: str | None
    day: date
    values: dict[str, Any]


class Draw(BaseModel):
    """What chance decides: a day, one of some values, or a number between two."""

    name: str
    start: str = Field("", alias="from")
    years: int = 0
    within: int = 0
    one_of: list[int | str] = []
    between: tuple[int, int] | tuple[float, float] | None = None

    def made(self, year: int, chance: Random) -> date | int | float | str:
        if self.one_of:
            return chance.choice(self.one_of)
        if self.between is None:
            return _day(year + self.years, self.start) + timedelta(days=chance.randint(0, self.within))
        least, most = self.between
        if isinstance(least, int) and isinstance(most, int):
            return chance.randint(least, most)
        return round(chance.uniform(least, most), 1)


class Reckoned(BaseModel):
    """A number that follows from one that was drawn."""

    of: str
    over: int = 1
    times: int | float = 1
    plus: int = 0

    def worked_out(self, drawn: dict[str, Any]) -> float:
        drawn_number: int = drawn[self.of]
        return round(drawn_number // self.over * self.times + self.plus, 1)


Values = dict[str, Reckoned | int | float | str]


class Step(BaseModel):
    type: str = "stage"
    stage: str | None = None
    day: str
    years: int = 0
    days: int = 0
    operator: bool = True
    values: Values = {}
    fields_: Values = Field({}, alias="fields")


class Season(BaseModel):
    prefix: str
    unit: str
    shelf_days: int
    begins: str
    finishes: str
    quantity: tuple[str, str]
    draws: list[Draw]
    steps: list[Step]


SEASONS = TypeAdapter(dict[str, Season]).validate_python(
    tomllib.loads((Path(__file__).parent / "data" / "seasons.toml").read_text("utf-8"))
)


def last_autumn(today: date) -> int:
    """The year of the latest season that is over."""
    return today.year if today >= date(today.year, 11, 20) else today.year - 1


def season(kind: str, year: int, chance: Random, operator: str) -> Iterator[SeasonStep]:
    """The records of one lot of a kind in the season of a year."""
    drawn: dict[str, Any] = {"year": year, "year_before": year - 1, "two_years_before": year - 2}
    for draw in SEASONS[kind].draws:
        drawn[draw.name] = draw.made(year, chance)
    for step in SEASONS[kind].steps:
        values = step.values | {VALUE_PREFIX + name: value for name, value in step.fields_.items()}
        day = drawn[step.day] if step.day in drawn else _day(year + step.years, step.day)
        yield SeasonStep(
            step.type,
            step.stage,
            day + timedelta(days=step.days),
            {name: _filled_in(value, drawn) for name, value in values.items()}
            | ({"operator": operator} if step.operator else {}),
        )


def _day(year: int, month_and_day: str) -> date:
    return date.fromisoformat(f"{year}-{month_and_day}")


def _filled_in(value: Reckoned | int | float | str, drawn: dict[str, Any]) -> int | float | str:
    if isinstance(value, Reckoned):
        return value.worked_out(drawn)
    return value.format_map(drawn) if isinstance(value, str) else value
