"""The declarative base and column types that behave alike on SQLite and PostgreSQL."""

from __future__ import annotations

import enum
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase

Id = sa.SQLColumnExpression[int | None]


class Base(DeclarativeBase):
    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


NOT_IN_MODELS = {
    "ix_batches_counted",
    "uq_batches_lot_number_alike",
    "uq_certificates_number_alike",
    "uq_input_products_registration_number_alike",
    "uq_stock_lots_lot_number_alike",
}
"""Indexes that the models don't have. On PostgreSQL alone: what the preview of a recall counts of some ten thousand
lots, in the index of their numbers. On both: that an owner has a number once, however it is written, which either
database says in its own way (`trace_app.db.text.same_number`).
"""


def is_of_the_models(name: str | None, kind: str, _parents: object) -> bool:
    """Whether a table or index of the database is one of the models': what Alembic compares."""
    return kind != "index" or name not in NOT_IN_MODELS


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """A moment, stored in UTC. Only aware datetimes go in, only UTC ones come out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class UnixTime(sa.types.TypeDecorator[datetime]):
    """A moment by the second, stored as seconds since 1970: a third of the bytes that SQLite takes for a date."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        return int(value.timestamp())

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else datetime.fromtimestamp(value, UTC)


MANY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""The number of a row of which a province has more than four bytes count; SQLite's own numbers are as long."""


def gs1_number(column: str, length: int) -> str:
    """The condition, in SQL of both databases, that a column has so many digits, the last of them GS1's check digit."""
    weights = (3 if (length - place) % 2 else 1 for place in range(1, length + 1))
    total = " + ".join(f"{weight} * CAST(substr({column}, {n}, 1) AS INTEGER)" for n, weight in enumerate(weights, 1))
    checked = f"CASE WHEN ltrim({column}, '0123456789') = '' THEN ({total}) % 10 = 0 ELSE FALSE END"
    return f"{column} IS NULL OR (length({column}) = {length} AND {checked})"


def one_of(values: type[enum.StrEnum], name: str) -> sa.Enum:
    """A column type for a `StrEnum`, stored as its value and checked by the database."""
    return sa.Enum(
        values,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=max(len(value) for value in values),
        values_callable=lambda kind: [member.value for member in kind],
    )


def utc_now() -> datetime:
    return datetime.now(UTC)
