"""Counting scans beside the pages: in memory first, then together into the database, never in a page's way."""

from __future__ import annotations

import atexit
import multiprocessing.util
import re
import threading
from collections import Counter
from datetime import date
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
import structlog
from flask import Flask
from sqlalchemy.dialects import postgresql, sqlite

from trace_app.clock import today
from trace_app.db.session import transaction
from trace_app.extensions import db
from trace_app.scans.models import ScanDay

EVERY_S = 1.0
"""Seconds between writes: what a worker that is killed can lose."""
MOST = 100_000
"""Lots that wait to be written; scans of further ones are not counted until then."""
_NOT_PEOPLE = re.compile(r"bot|crawl|spider|preview|externalhit|curl|wget|python|werkzeug|monitor|probe", re.IGNORECASE)

log = structlog.get_logger()


@lru_cache(maxsize=4096)
def is_person(user_agent: str) -> bool:
    """Whether a client is not a robot or a link preview, as far as it says what it is."""
    return bool(user_agent) and _NOT_PEOPLE.search(user_agent) is None


class ScanLog:
    """Scans of a worker on their way into the database. Its thread begins with the first scan, in the worker itself."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._waiting: Counter[tuple[int, str]] = Counter()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, batch_id: int, user_agent: str, region: str = "") -> None:
        """Count a scan."""
        if not is_person(user_agent):
            return
        with self._lock:
            key = (batch_id, region)
            if key in self._waiting or len(self._waiting) < MOST:
                self._waiting[key] += 1
            if self._thread is None:
                self._begin()

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._run, name="scan-log", daemon=True)
        self._thread.start()
        # Nothing is lost on a normal stop: of a plain process, or of one of a server's.
        atexit.register(self.close)
        multiprocessing.util.Finalize(self, self.close, exitpriority=100)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self.write()

    def close(self) -> None:
        """Write what waits, and write no more by itself."""
        self._stop.set()
        self.write()

    def write(self) -> None:
        """Write what waits; where that fails it waits on."""
        with self._lock:
            counted, self._waiting = self._waiting, Counter()
        if not counted:
            return
        try:
            with self._app.app_context():
                add_scans(today(), counted)
        except sa.exc.IntegrityError:
            # A lot that is no longer there, as after the demonstration was built anew.
            log.warning("scans of unknown lots dropped", lots=len(counted))
        except sa.exc.SQLAlchemyError as error:
            log.warning("scans not written", error=type(error).__name__)
            with self._lock:
                self._waiting.update(counted)


def add_scans(day: date, counted: Counter[tuple[int, str]]) -> None:
    """Add scans by lot and region to those of a day."""
    insert = postgresql.insert if db.engine.dialect.name == "postgresql" else sqlite.insert
    statement: Any = insert(ScanDay)
    statement = statement.on_conflict_do_update(
        index_elements=[ScanDay.batch_id, ScanDay.day, ScanDay.region],
        set_={"scans": ScanDay.scans + statement.excluded.scans},
    )
    # In order, so that two workers never wait for one another.
    rows = [
        {"batch_id": lot, "day": day, "region": region, "scans": count}
        for (lot, region), count in sorted(counted.items())
    ]
    with transaction():
        db.session.execute(statement, rows)
