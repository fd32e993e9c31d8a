"""Short leases on what stops lots and labels: a worker that holds one need not ask the database for each scan.

A lease says that no recall, hold or voiding is committed until it runs out. Who writes one takes the lock first, and
commits no sooner than a lease's length after that: by then every lease that was given before has run out, and none is
given while the lock is held. Where the writer dies, its lock is gone with it, and its transaction too.

So what a worker has read under a lease may be used while it holds one of the same epoch; each commit under the lock
begins a new epoch. The lock is PostgreSQL's own (advisory), and of SQLite a file beside the database: all of its
processes are on one machine. Decision 22 has the reasoning.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, Protocol

import sqlalchemy as sa
import structlog
from flask import current_app
from sqlalchemy import event
from sqlalchemy.orm import Mapped, Session, mapped_column

from config import Settings
from trace_app.db.driver import connect_postgresql, driver_of
from trace_app.extensions import Model, db

LOCK_KEY = 5_303_004
_EPOCH = "SELECT number FROM stop_epochs"
_REGISTER = (
    "INSERT INTO stop_epochs (id, number, lease_ms) VALUES (1, 0, {}) ON CONFLICT (id) DO UPDATE SET lease_ms ="
    " CASE WHEN excluded.lease_ms > stop_epochs.lease_ms THEN excluded.lease_ms ELSE stop_epochs.lease_ms END"
)
"""Before it gives itself a lease a worker says how long: who writes meanwhile has the row, or finds it so."""
_MARGIN = 1.2
"""Writers wait a little longer than a lease lasts: clocks of two processes run alike, not the same."""
_RENEWED = 0.4
"""Part of its length after which a lease is renewed."""
_IDLE_S = 1.0
"""Without a scan for so long no lease is renewed."""

log = structlog.get_logger()


class StopEpoch(Model):
    """One row: how many transactions have changed what stops lots or labels, and how long to wait before the next."""

    __tablename__ = "stop_epochs"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(sa.BigInteger)
    lease_ms: Mapped[int]
    """The longest lease that any worker has given itself."""


def _lock_file(settings: Settings) -> Path:
    return settings.folder / "stops.lock"


# ---- the writer's side


def stops_change() -> None:
    """Call before what this transaction changes of recalls, holds and void labels: it will wait out all leases.

    The earlier in the transaction, the less there is left to wait at its end.
    """
    session = db.session()
    if "stops" in session.info:
        return
    fence = session.info["stops"] = _Fence()
    if db.engine.dialect.name == "postgresql":
        session.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
    else:
        fence.lock(_lock_file(current_app.config["SETTINGS"]))
    further = sa.update(StopEpoch).values(number=StopEpoch.number + 1).returning(StopEpoch.lease_ms)
    lease_ms = session.execute(further, execution_options={"synchronize_session": False}).scalar()
    fence.until = time.monotonic() + (lease_ms or 0) / 1000 * _MARGIN


class _Fence:
    """The lock of a transaction, and until when it has to be held before the commit."""

    def __init__(self) -> None:
        self._file: int | None = None
        self.until = 0.0

    def lock(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def wait_out(self) -> None:
        time.sleep(max(0.0, self.until - time.monotonic()))

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


@event.listens_for(Session, "before_commit")
def _wait_out(session: Session) -> None:
    if (fence := session.info.get("stops")) is not None:
        session.flush()
        fence.wait_out()


@event.listens_for(Session, "after_commit")
@event.listens_for(Session, "after_rollback")
def _release(session: Session) -> None:
    if (fence := session.info.pop("stops", None)) is not None:
        fence.release()


# ---- the reader's side


class StopReader(Protocol):
    def epoch(self) -> int | None:
        """The epoch, read after it was seen that nobody holds the lock; None where someone does."""
        ...


class SqliteStops:
    def __init__(self, settings: Settings, path: str) -> None:
        self._file = os.open(_lock_file(settings), os.O_RDWR | os.O_CREAT, 0o600)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA busy_timeout=10000")
        self._connection.execute(_REGISTER.format("?"), (settings.scan_lease_ms,))

    def epoch(self) -> int | None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return None
        fcntl.flock(self._file, fcntl.LOCK_UN)
        row = self._connection.execute(_EPOCH).fetchone()
        return row[0] if row else 0

    def close(self) -> None:
        self._connection.close()
        os.close(self._file)


class PostgresqlStops:
    _HELD = (
        "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 0 AND objid = %s AND objsubid = 1"
        " AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
    )

    def __init__(self, settings: Settings, address: str) -> None:
        self._connection = connect_postgresql(address)
        self._connection.execute(_REGISTER.format("%s"), (settings.scan_lease_ms,))

    def epoch(self) -> int | None:
        held = self._connection.execute(self._HELD, (LOCK_KEY,)).fetchone()
        if held is None or held[0]:
            return None
        # Only now: a snapshot taken before could miss who released the lock in between.
        row = self._connection.execute(_EPOCH).fetchone()
        return row[0] if row else 0

    def close(self) -> None:
        self._connection.close()


class StopLease:
    """A worker's lease, renewed beside the scans for as long as there are any."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._driver = driver_of(settings)
        self._length = settings.scan_lease_ms / 1000
        self._until = 0.0
        self._epoch = 0
        self._wanted_at = 0.0
        self._wanted = threading.Event()
        self._beginning = threading.Lock()
        self._thread: threading.Thread | None = None

    def epoch(self, now: float) -> int | None:
        """The epoch of the lease held at a moment of the monotonic clock; None without one."""
        if not self._length:
            return None
        self._wanted_at = now
        if now < self._until:
            return self._epoch
        if not self._wanted.is_set():
            self._wanted.set()
            if self._thread is None:
                self._begin()
        return None

    def _begin(self) -> None:
        with self._beginning:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="stop-lease", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        reader: Any = None
        while True:
            self._wanted.wait()
            try:
                reader = reader or self._reader()
                while time.monotonic() - self._wanted_at < _IDLE_S:
                    self._renew(reader)
                    time.sleep(self._length * _RENEWED)
            except (self._driver.error, OSError) as error:
                # Without a lease each scan is read from the database.
                log.warning("no lease", error=type(error).__name__)
                if reader is not None:
                    reader.close()
                    reader = None
                time.sleep(1.0)
            self._wanted.clear()

    def _renew(self, reader: StopReader) -> None:
        begun = time.monotonic()
        epoch = reader.epoch()
        if epoch is None:
            self._until = 0.0
        else:
            # In this order: who sees the new end sees the new epoch.
            if epoch != self._epoch:
                self._until, self._epoch = 0.0, epoch
            self._until = begun + self._length

    def _reader(self) -> StopReader:
        stops = SqliteStops if self._driver.is_sqlite else PostgresqlStops
        return stops(self._settings, self._driver.address)
