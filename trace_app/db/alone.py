"""One process at a time, on whichever machine, for what two at once would both begin."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from trace_app.extensions import db
from trace_app.settings import settings

_LOCK = 5_303_009
"""The number of PostgreSQL's advisory lock on setting up."""


@contextmanager
def alone_in_setting_up() -> Iterator[None]:
    """Wait until no other process sets this database up, and keep others waiting meanwhile."""
    if db.engine.dialect.name != "postgresql":
        with (settings().folder / "setup.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        return
    # A connection of its own: migrations commit theirs.
    with db.engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        yield
