"""The invented organisations of the demonstration, as ``data/people.toml`` says."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from trace_app.accounts.models import OrganisationKind, RoleName


class Regulator(BaseModel):
    username: str
    person: str
    role: RoleName
    facts: dict[str, str]


class Colleague(BaseModel):
    """A further officer of the office that ``of`` acts for."""

    username: str
    person: str
    role: RoleName
    of: str


class Visitor(BaseModel):
    username: str
    person: str
    kind: OrganisationKind
    facts: dict[str, str]


class Producer(BaseModel):
    name: str
    name_en: str
    username: str
    person: str
    division: str
    address: str
    sites: list[dict[str, Any]]
    products: list[str]
    gtin: str | None = None
    lots: int


class People(BaseModel):
    """Everyone. ``products`` are what producers sell, by kind."""

    regulators: list[Regulator]
    colleagues: list[Colleague]
    visitors: list[Visitor]
    products: dict[str, dict[str, str]]
    producers: list[Producer]


PEOPLE = People.model_validate(tomllib.loads((Path(__file__).parent / "data" / "people.toml").read_text("utf-8")))
