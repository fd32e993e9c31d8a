"""How a use case writes: everything or nothing, in one transaction."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from trace_app.extensions import db

REPEATS = 2
"""How often a use case is done again that the database broke off in favour of another."""
_BROKEN_OFF = {"40P01", "40001"}
"""PostgreSQL's deadlock_detected and serialization_failure."""
_BUSY_MS = 10_000
_LONG_WAL = 32 * 1024 * 1024
"""The size in bytes from which on the write-ahead log is long."""


first_of_all: list[Callable[[], None]] = []
"""What every transaction begins with."""

Answer = TypeVar("Answer")

log = structlog.get_logger()


@contextmanager
def transaction() -> Iterator[None]:
    """Commit what is done inside, or roll all of it back.

    What the request read before is let go first, so that inside everything is read anew. On SQLite the
    write lock is taken at once: a reader that turns writer half-way would fail under load.
    """
    begin_writing()
    try:
        for step in first_of_all:
            step()
        yield
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise


def begin_writing() -> None:
    """Begin the session's transaction anew, as one that writes; for libraries that commit by themselves."""
    db.session.rollback()
    db.session.connection(execution_options={"sqlite_begin": "BEGIN IMMEDIATE"})


def was_broken_off(error: sa.exc.DBAPIError) -> bool:
    """Whether the database ended a transaction because it and another stood in each other's way."""
    return getattr(error.orig, "sqlstate", None) in _BROKEN_OFF


@dataclass(slots=True)
class _Attempt:
    committed: bool = False


_attempt: ContextVar[_Attempt | None] = ContextVar("attempt", default=None)


def repeated(use_case: Callable[[], Answer], before_repeating: Callable[[], None] = lambda: None) -> Answer:
    """Do a whole use case, and up to twice more where the database broke its transaction off in favour of another.

    A transaction can't be repeated from within: what was read before it began, and what was decided by that, has to be
    done anew. Done anew is only what has committed nothing yet; of what is left, files in the store have names that no
    row knows, and jobs and answers come after the commit.

    :param before_repeating: puts back what the first attempt used up.
    """
    outer = _attempt.get()
    for left in reversed(range(REPEATS + 1)):
        attempt = _Attempt()
        token = _attempt.set(attempt)
        try:
            return use_case()
        except sa.exc.DBAPIError as error:
            if not left or attempt.committed or not was_broken_off(error):
                raise
            log.info("done again: the database broke it off", left=left, error=type(error.orig).__name__)
            db.session.rollback()
            before_repeating()
            # Not all at once again.
            time.sleep(random.uniform(0.01, 0.1))  # noqa: S311
        finally:
            _attempt.reset(token)
            if outer is not None and attempt.committed:
                outer.committed = True
    raise AssertionError("unreachable")


@event.listens_for(Session, "after_commit")
def _note_commit(session: Session) -> None:
    if (attempt := _attempt.get()) is not None and not session.in_nested_transaction():
        attempt.committed = True


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
