"""Alembic's environment: the application's database and models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from alembic import context
from flask import current_app

from trace_app.extensions import db

LOCK_TIMEOUT = "5s"
LOCK_NOT_AVAILABLE = "55P03"


@contextmanager
def without_foreign_keys(connection: sa.Connection) -> Iterator[None]:
    """On SQLite a table is changed by making it anew, while others refer to it.

    The pragma holds only where it is set outside of a transaction.
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys=ON")


def check_references(connection: sa.Connection) -> None:
    """Refuse to commit what left rows that refer to nothing."""
    if connection.dialect.name == "sqlite":
        lost = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if lost:
            raise RuntimeError(f"rows refer to what is not there: {lost[:5]}")


# No worker serves meanwhile, and the table of epochs may not be there yet.
MIGRATING = {"no_scans_meanwhile": True}


@contextmanager
def without_queueing(connection: sa.Connection) -> Iterator[None]:
    """On PostgreSQL a migration that waits for a table holds up all who come after: it gives up, and says so."""
    if connection.dialect.name != "postgresql":
        yield
        return
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    try:
        yield
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        raise RuntimeError("a table is in use: stop the servers, wait for backups, and start again") from error


with db.engine.connect().execution_options(**MIGRATING) as connection, without_foreign_keys(connection):
    context.configure(
        connection=connection,
        target_metadata=db.metadata,
        **current_app.extensions["migrate"].configure_args,
    )
    with context.begin_transaction(), without_queueing(connection):
        context.run_migrations()
        check_references(connection)
    connection.commit()
