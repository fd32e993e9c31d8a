"""How the database is connected to: one engine for all, and on PostgreSQL a second for pages that are only read."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from flask_sqlalchemy.session import Session
from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError

READING = "reading"
"""The second engine's name among Flask-SQLAlchemy's binds."""
TRUSTED_S = 1.0
"""Seconds for which a connection that lay idle is taken to be there still."""
_PLANNED_ONCE: dict[str, Any] = {
    "isolation_level": "AUTOCOMMIT",
    "pool_reset_on_return": None,
    "connect_args": {"prepare_threshold": 0, "options": "-c plan_cache_mode=force_generic_plan"},
}


def binds(url: str) -> dict[str, dict[str, Any]]:
    """The engines beside the first.

    A trace page's statements take PostgreSQL ten times as long to plan as to answer, and psycopg forgets what it has
    prepared with each rollback, which is how reading ends elsewhere. So they have connections that know none: each
    statement is prepared at once, planned once, and reads from the latest commit.
    """
    return {READING: {"url": url, **_PLANNED_ONCE}} if sa.make_url(url).get_backend_name() == "postgresql" else {}


class RoutedSession(Session):
    """The session: on the second engine, where there is one, once `trace_app.db.session.only_reading` says so."""

    def get_bind(
        self, mapper: Any | None = None, clause: Any | None = None, bind: Any | None = None, **kwargs: Any
    ) -> sa.Engine | sa.Connection:
        if bind is None and READING in self.info:
            bind = self._db.engines.get(READING)
        return super().get_bind(mapper, clause, bind, **kwargs)


def look_before_use(engines: Mapping[str | None, sa.Engine]) -> None:
    """Have PostgreSQL's connections looked at before they are used again, as `pool_pre_ping` does; but for those that
    have just been used, for which it would be a way to the server and back with each request."""
    for engine in engines.values():
        if engine.dialect.name == "postgresql":
            _look_before_use(engine)


def _look_before_use(engine: sa.Engine) -> None:
    def rest(_connection: Any, record: Any) -> None:
        record.info["rests_since"] = time.monotonic()

    def look(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("rests_since", math.inf) < TRUSTED_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error

    event.listen(engine, "checkin", rest)
    event.listen(engine, "checkout", look)
