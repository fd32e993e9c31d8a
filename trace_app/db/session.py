"""How a use case writes: everything or nothing, in one transaction."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine

from trace_app.extensions import db

_BUSY_MS = 10_000
_LONG_WAL = 32 * 1024 * 1024
"""The size in bytes from which on the write-ahead log is long."""


@contextmanager
def transaction() -> Iterator[None]:
    """Commit what is done inside, or roll all of it back.

    What the request read before is let go first, so that inside everything is read anew. On SQLite the
    write lock is taken at once: a reader that turns writer half-way would fail under load.
    """
    begin_writing()
    try:
        yield
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


def begin_writing() -> None:
    """Begin the session's transaction anew, as one that writes; for libraries that commit by themselves."""
    db.session.rollback()
    db.session.connection(execution_options={"sqlite_begin": "BEGIN IMMEDIATE"})


def insert_into(table: Any, database: str) -> Any:
    """An INSERT that can say what to do where a row is there already (``ON CONFLICT``).

    :param database: the name of the dialect; each has a construct of its own.
    """
    return (postgresql if database == "postgresql" else sqlite).insert(table)


def count_written(statement: sa.Executable, values: dict[str, object] | None = None) -> int:
    """Execute a statement that writes; how many rows it wrote."""
    options = {"synchronize_session": False, "preserve_rowcount": True}
    result: Any = db.session.execute(statement, values, execution_options=options)
    return int(result.rowcount)


def shorten_wal() -> None:
    """Have SQLite begin its write-ahead log anew where it has grown long.

    By itself it does so when nobody happens to be reading as a writer begins, which under load is never: the log
    would grow without end, and each read would look through all of it. Waits for readers no longer than a moment.
    """
    if db.engine.dialect.name != "sqlite" or not (path := db.engine.url.database):
        return
    with contextlib.suppress(OSError):
        if Path(f"{path}-wal").stat().st_size < _LONG_WAL:
            return
        with db.engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA busy_timeout=200")
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            driver.execute(f"PRAGMA busy_timeout={_BUSY_MS}")


@event.listens_for(Engine, "connect")
def _prepare_sqlite(connection: object, _record: object) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        # So that a row that takes another's place (INSERT OR REPLACE) deletes that one, which triggers may refuse.
        "recursive_triggers=ON",
        f"busy_timeout={_BUSY_MS}",
        "cache_size=-2000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@event.listens_for(Engine, "begin")
def _begin_sqlite(connection: sa.Connection) -> None:
    begin = connection.get_execution_options().get("sqlite_begin", "BEGIN")
    if connection.dialect.name == "sqlite" and begin:
        connection.exec_driver_sql(begin)
