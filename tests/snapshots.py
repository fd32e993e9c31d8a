"""What a database holds at a moment, to go back to it in some thousandths of a second.

SQLite copies its file by its own backup. On PostgreSQL rows are copied out and in again, those of the tables that have
any; a template database would take a fifth of a second for each copy.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from trace_app.extensions import db


class SQLiteSnapshot:
    """The whole file."""

    def __init__(self) -> None:
        self._copy = sqlite3.connect(":memory:", check_same_thread=False)
        _driver().backup(self._copy)

    def restore(self) -> None:
        self._copy.backup(_driver())
        _let_go()

    def close(self) -> None:
        self._copy.close()


class PostgreSQLSnapshot:
    """The rows of all tables but ``kept`` ones, and the numbers that come next."""

    def __init__(self, kept: frozenset[str]) -> None:
        self._tables = [table for table in db.metadata.sorted_tables if table.name not in kept]
        self._rows: dict[str, bytes] = {}
        with _driver().cursor() as cursor:
            for table in self._tables:
                columns = ", ".join(f'"{column.name}"' for column in table.columns if not column.computed)
                with cursor.copy(f"COPY {table.name} ({columns}) TO STDOUT (FORMAT BINARY)") as copy:
                    rows = b"".join(bytes(part) for part in copy)
                if len(rows) > _EMPTY_COPY:
                    self._rows[f"{table.name} ({columns})"] = rows
            self._next = {
                table.name: cursor.execute(
                    f"SELECT last_value, is_called FROM {table.name}_{column.name}_seq"
                ).fetchone()
                for table in self._tables
                if (column := table.autoincrement_column) is not None
            }
        _let_go()

    def restore(self) -> None:
        deleted = " ".join(f"DELETE FROM {table.name};" for table in reversed(self._tables))
        begun = " ".join(
            f"PERFORM setval('{name}_{_column(name)}_seq', {last}, {called});"
            for name, (last, called) in self._next.items()
        )
        with _driver().cursor() as cursor:
            # No trigger fires, and no row asks for another: all of them were there together.
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute(f"DO $$ BEGIN {deleted} {begun} END $$")
            for into, rows in self._rows.items():
                with cursor.copy(f"COPY {into} FROM STDIN (FORMAT BINARY)") as copy:
                    copy.write(rows)
        db.session.commit()
        db.session.remove()

    def close(self) -> None:
        """Nothing is open."""


Snapshot = SQLiteSnapshot | PostgreSQLSnapshot
_EMPTY_COPY = 21
"""The bytes of a binary copy without rows: its head and its end."""


def snapshot(kept: frozenset[str]) -> Snapshot:
    """What the database of the current application holds; ``kept`` names the tables that no test changes."""
    return SQLiteSnapshot() if db.engine.dialect.name == "sqlite" else PostgreSQLSnapshot(kept)


def _column(table: str) -> str:
    column = db.metadata.tables[table].autoincrement_column
    assert column is not None
    return column.name


def _driver() -> Any:
    """The driver's own connection, in the session's transaction on PostgreSQL and in none on SQLite."""
    _let_go()
    if db.engine.dialect.name == "sqlite":
        return db.session.connection(execution_options={"sqlite_begin": ""}).connection.driver_connection
    return db.session.connection().connection.driver_connection


def _let_go() -> None:
    db.session.rollback()
    db.session.remove()
