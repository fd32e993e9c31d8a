"""What PostgreSQL has beside the models: tables that it keeps in one part for each month, and an index."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import sqlalchemy as sa

from trace_app.extensions import db

COUNTED = "ix_batches_counted"
"""On PostgreSQL alone: what the preview of a recall counts of some ten thousand lots, in the index of their numbers."""
_PART = re.compile(r"scans_(default|\d{4}_\d{2})")


def is_ours(name: str | None, kind: str, _parents: Mapping[str, Any]) -> bool:
    """Whether a table or index of the database is one of the models': what Alembic compares."""
    if kind == "index":
        return name != COUNTED
    return kind != "table" or name is None or _PART.fullmatch(name) is None


def month_after(day: date) -> date:
    """The first day of the next month."""
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def add_month(table: str, column: str, day: date) -> None:
    """Make the part of a day's month, where it is not there; rows of it move out of the default part.

    Takes a lock that readers and writers wait for, for as long as that takes: make parts before their month.
    """
    first, after = day.replace(day=1), month_after(day)
    name, default = f"{table}_{first:%Y_%m}", f"{table}_default"
    if sa.inspect(db.session.connection()).has_table(name):
        return
    run = db.session.connection().exec_driver_sql
    within = f"\"{column}\" >= '{first} 00:00+00' AND \"{column}\" < '{after} 00:00+00'"
    run(f"LOCK TABLE {table}")
    run(f"CREATE TABLE {name} (LIKE {default} INCLUDING DEFAULTS)")
    run(f"WITH moved AS (DELETE FROM {default} WHERE {within} RETURNING *) INSERT INTO {name} SELECT * FROM moved")
    run(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{first} 00:00+00') TO ('{after} 00:00+00')")


def drop_months(table: str, before: date) -> None:
    """Drop the parts that lie wholly before a day."""
    connection = db.session.connection()
    for name in sa.inspect(connection).get_table_names():
        if _PART.fullmatch(name) and name.startswith(table) and not name.endswith("default"):
            year, month = name.removeprefix(f"{table}_").split("_")
            if month_after(date(int(year), int(month), 1)) <= before:
                connection.exec_driver_sql(f"DROP TABLE {name}")
