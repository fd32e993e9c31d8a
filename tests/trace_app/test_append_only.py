"""What is written down stays: SQL that changes or deletes it is refused by the database itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from trace_app.db import guards
from trace_app.db.append_only import APPEND_ONLY, AppendOnly, lifted
from trace_app.extensions import db

pytestmark = pytest.mark.both_databases

TABLES = {one.table: one for one in APPEND_ONLY}
FIT: dict[str, dict[str, Any]] = {
    "collected_commitments": {"photo_id": None},
    "lot_moves": dict.fromkeys(("link_id", "line_id", "receipt_id", "loss_id", "report_id", "undoes_id")),
    "password_slips": {"expires_at": datetime(2026, 1, 2, tzinfo=UTC)},
    "recall_filings": {"filed_by_id": None},
    "records": {
        "type": "care",
        "stage_code": None,
        "site_id": None,
        "stock_id": None,
        "season_until": None,
        "replaces_id": None,
        "correction_reason": None,
    },
    "shipments": {"returns_id": None, "report_id": None},
    "test_reports": {"site_id": None, "replaces_id": None, "correction_reason": ""},
    "weighings": {"replaces_id": None, "reason": ""},
}
"""What the checks of a table ask for beside values of the right type."""


@contextmanager
def _referring_to_nothing() -> Iterator[sa.Connection]:
    """A connection on which rows may be written that refer to what is not there: a test needs one of a table, alone."""
    with db.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        postgresql = connection.dialect.name == "postgresql"
        driver.execute("SET session_replication_role = replica" if postgresql else "PRAGMA foreign_keys=OFF")
        try:
            yield connection
            connection.commit()
        finally:
            connection.rollback()
            driver.execute("RESET session_replication_role" if postgresql else "PRAGMA foreign_keys=ON")
            if postgresql:
                driver.commit()


def _value(column: sa.Column[Any]) -> Any:
    kind = column.type
    if isinstance(kind, sa.Enum):
        return kind.enums[0]
    if isinstance(kind, sa.JSON):
        return {}
    if isinstance(kind, sa.DateTime | sa.types.TypeDecorator):
        return datetime(2026, 1, 1, tzinfo=UTC)
    return {int: 1, str: "一", Decimal: Decimal(1), float: 1.0, bool: False, date: date(2026, 1, 1)}[kind.python_type]


@pytest.fixture(params=sorted(TABLES))
def kept(request: pytest.FixtureRequest, app: Flask) -> Iterator[tuple[AppendOnly, sa.Table]]:
    """A table with one row."""
    one = TABLES[request.param]
    table = db.metadata.tables[one.table]
    given = [column for column in table.columns if column.name not in one.once and column.computed is None]
    values = {column.name: _value(column) for column in given} | FIT.get(one.table, {})
    with app.app_context():
        with _referring_to_nothing() as connection:
            connection.execute(sa.insert(table), values)
        yield one, table
        db.session.remove()


def _refused(statement: sa.Executable) -> None:
    with pytest.raises(sa.exc.IntegrityError, match="append-only"), db.engine.begin() as connection:
        connection.execute(statement)


def test_a_row_is_neither_rewritten_nor_deleted(kept: tuple[AppendOnly, sa.Table]) -> None:
    one, table = kept
    given = [column for column in table.columns if column.computed is None]
    for column in given:
        if column.name in (one.fixed or [c.name for c in table.columns]):
            other = f'"{column.name}" + 1' if _is_number(column) else "'x'"
            value = other if column.primary_key else "NULL"
            if one.fixed and column.name in (given_as := FIT.get(one.table, {})) and given_as[column.name] is None:
                value = "7"
            _refused(sa.text(f'UPDATE {table.name} SET "{column.name}" = {value}'))
    _refused(sa.delete(table))
    if db.engine.dialect.name == "postgresql":
        _refused(sa.text(f"TRUNCATE {table.name} CASCADE"))
    else:
        names = ", ".join(f'"{column.name}"' for column in given)
        _refused(sa.text(f"INSERT OR REPLACE INTO {table.name} ({names}) SELECT {names} FROM {table.name}"))
    with db.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 1


def test_what_is_filled_in_once_stays(kept: tuple[AppendOnly, sa.Table]) -> None:
    one, table = kept
    if not one.once:
        return
    # All together: some are there all or none.
    filled = {name: 2 if _is_number(table.c[name]) else _value(table.c[name]) for name in one.once}
    with _referring_to_nothing() as connection:
        connection.execute(sa.update(table).values(filled))
    for name in one.once:
        for value in (3, None) if _is_number(table.c[name]) else (None,):
            _refused(sa.update(table).values({name: value}))


def _is_number(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.Integer)


def test_only_who_owns_the_tables_lets_rows_go_and_for_the_while_alone(kept: tuple[AppendOnly, sa.Table]) -> None:
    _one, table = kept
    with _referring_to_nothing() as connection, lifted(connection):
        connection.execute(sa.delete(table))
    with db.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0
    assert _triggers() == _wanted()


def test_what_is_let_go_and_rolled_back_is_kept_again(app: Flask) -> None:
    with app.app_context():
        with pytest.raises(ZeroDivisionError), db.engine.begin() as connection, lifted(connection):
            raise ZeroDivisionError
        assert _triggers() == _wanted()


def test_every_table_has_its_triggers_after_all_migrations(app: Flask) -> None:
    with app.app_context():
        assert _triggers() == _wanted()


def _wanted() -> set[str]:
    events = ["update", "delete"] + (["truncate"] if db.engine.dialect.name == "postgresql" else [])
    return (
        {f"append_only_{name}_{event}" for name in TABLES for event in events}
        | {"lot_moves_make_holdings", "site_tenures_agree", "weighings_agree", "receipt_lines_make_sums"}
        | guards.triggers()
    )


def _triggers() -> set[str]:
    query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    if db.engine.dialect.name == "postgresql":
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled = 'O'"
    with db.engine.connect() as connection:
        return set(connection.scalars(sa.text(query)))
