"""The database's driver itself, for what is done at each scan and goes past SQLAlchemy.

psycopg takes 9 MB of a process, and is loaded where PostgreSQL is used.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

from config import Settings

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True, slots=True)
class Driver:
    """Where the database is, and what its driver raises.

    :ivar address: of SQLite the file's path, else what libpq connects to.
    """

    is_sqlite: bool
    address: str
    error: type[Exception]


def driver_of(settings: Settings) -> Driver:
    url = make_url(settings.sqlalchemy_url)
    if url.get_backend_name() == "sqlite":
        return Driver(True, url.database or "", sqlite3.Error)
    import psycopg

    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return Driver(False, address, psycopg.Error)


def connect_postgresql(address: str, options: str = "") -> psycopg.Connection:
    """A connection on which each statement stands for itself, and is planned once."""
    import psycopg

    return psycopg.connect(address, autocommit=True, prepare_threshold=0, options=options)
