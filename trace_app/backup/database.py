"""The database into a file and out of it, as it was at one moment, with the number of rows of each table."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from trace_app.backup.faults import BackupFault
from trace_app.extensions import db
from trace_app.settings import settings

Rows = dict[str, int]
"""How many rows each table has."""

FILES = {"sqlite": "database.sqlite", "postgresql": "database.dump"}
"""What the database is called in a backup."""


def dump(path: Path) -> tuple[Rows, str]:
    """Write the database into a file. Returns the rows of each table and the revision of the schema at that moment.

    :raises BackupFault:
    """
    return _dump_sqlite(path) if _kind() == "sqlite" else _dump_postgresql(path)


def restore(path: Path) -> None:
    """Fill the empty database from a file, all of it or nothing.

    :raises BackupFault:
    """
    if _kind() == "sqlite":
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(_sqlite_file())) as target:
            source.backup(target)
        return
    _run("pg_restore", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", "--dbname", "", path)


def is_empty() -> bool:
    return not _tables()


def rows_now(tables: Iterable[str]) -> Rows:
    """How many rows these tables have at present: an older schema has others than the release."""
    with db.engine.connect() as connection:
        return _count(tables, lambda statement: connection.exec_driver_sql(statement).scalar_one())


def _tables() -> list[str]:
    return sa.inspect(db.engine).get_table_names()


def _dump_sqlite(path: Path) -> tuple[Rows, str]:
    tables = _tables()
    with closing(sqlite3.connect(_sqlite_file())) as source, closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
        # One file, without a write-ahead log beside it.
        copy.execute("PRAGMA journal_mode=DELETE")
        if (found := copy.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise BackupFault(f"The database is damaged: {found}. Restore the last backup that is whole.")

        def one(statement: str) -> object:
            return copy.execute(statement).fetchone()[0]

        return _count(tables, one), _revision(one)


def _dump_postgresql(path: Path) -> tuple[Rows, str]:
    """pg_dump sees the moment that our transaction sees, so the numbers of rows are those of the file."""
    tables = _tables()
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        moment = connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
        options = ["--format=custom", "--no-owner", "--no-privileges", f"--snapshot={moment}"]
        _run("pg_dump", *options, "--dbname", "", path)

        def one(statement: str) -> object:
            return connection.exec_driver_sql(statement).scalar_one()

        return _count(tables, one), _revision(one)


def _count(tables: Iterable[str], one: Callable[[str], object]) -> Rows:
    return {name: int(str(one(f'SELECT count(*) FROM "{name}"'))) for name in sorted(tables)}  # noqa: S608


def _revision(one: Callable[[str], object]) -> str:
    return str(one("SELECT version_num FROM alembic_version"))


def _run(program: str, *arguments: str | Path) -> None:
    """Run one of PostgreSQL's programs on our database; the last argument is the file.

    The password goes by the environment, which other users of the machine can't read.
    """
    url = db.engine.url
    address = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    *options, file = [address if argument == "" else str(argument) for argument in arguments]
    place = ["--file", file] if program == "pg_dump" else [file]
    environment = dict(os.environ) | ({"PGPASSWORD": str(url.password)} if url.password else {})
    command = [_program(program), *options, *place]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join(done.stderr.split())[:400]
        advice = " PG_BIN names the folder of another version." if "version mismatch" in said else ""
        raise BackupFault(f"{program} ended with {done.returncode}: {said}{advice}")


def _program(name: str) -> str:
    folder = settings().pg_bin
    found = shutil.which(name, path=str(folder) if folder else None)
    if found is None:
        raise BackupFault(
            f"{name} is not there: install PostgreSQL's client programs of the server's version,"
            " or name their folder in PG_BIN."
        )
    return found


def _kind() -> str:
    return db.engine.dialect.name


def _sqlite_file() -> str:
    return str(db.engine.url.database)
