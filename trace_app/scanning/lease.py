"""Short leases on what stops lots and labels: a worker that holds one need not ask the database for each scan.

A lease says that no recall, hold or voiding is committed until it runs out. Who writes one takes the lock first, and
commits no sooner than a lease's length after that: by then every lease that was given before has run out, and none is
given while the lock is held. Where the writer dies, its lock is gone with it, and its transaction too.

So what a worker has read under a lease may be used while it holds one of the same epoch; each commit under the lock
begins a new epoch. The lock is PostgreSQL's own (advisory), and of SQLite a file beside the database: all of its
processes are on one machine. Decision 22 has the reasoning.

Nobody has to remember the lock. The tables that may stop a label are those that the statement behind every scan reads
(`reading.RUNS`), and each statement that writes to one of them is noticed on its way to the database, whoever sends it.
"""

from __future__ import annotations

import fcntl
import os
import re
import threading
import time
from collections.abc import Callable

import sqlalchemy as sa
import structlog
from sqlalchemy import event
from sqlalchemy.sql import visitors

from trace_app.db.session import insert_into
from trace_app.scanning.models import StopEpoch
from trace_app.scanning.reading import RUNS, reading_connection

LOCK_KEY = 5_303_004
LATE_IS_FINE = {"batches", "lot_links"}
"""Tables behind a scan of which no change stops a label: those of a lot's version, which may come `FRESH_S` late."""
NEW_ROWS_STOP_NOTHING = {"label_runs"}
"""Tables of which new rows stop no label: only changes and deletions do."""
SETTING_STOPS_NOTHING = {"tasks_made_at"}
"""Columns of which the change alone stops no label."""
_MARGIN = 1.2
"""Writers wait a little longer than a lease lasts: clocks of two processes run alike, not the same."""
_RENEWED = 0.4
"""Part of its length after which a lease is renewed."""
_IDLE_S = 1.0
"""Seconds without a scan after which no lease is renewed."""

log = structlog.get_logger()


# ---- the writer's side


def tables_behind(statement: sa.ClauseElement) -> set[str]:
    """The names of the tables that a statement reads."""
    return {part.name for part in visitors.iterate(statement) if isinstance(part, sa.TableClause)}


def writes_to(tables: set[str]) -> re.Pattern[str]:
    """A pattern that finds, in the text of a statement, that it writes to one of the tables in a way that may stop a
    label. What is in none of the lists above stops one."""
    stopping = sorted(tables - LATE_IS_FINE)
    changed, added = "|".join(stopping), "|".join(sorted(set(stopping) - NEW_ROWS_STOP_NOTHING))
    harmless = "|".join(SETTING_STOPS_NOTHING)
    return re.compile(
        rf"\bUPDATE\s+\"?(?:{changed})\b(?!\s+SET\s+(?:{harmless})\s*=[^,]*\sWHERE\b)"
        rf"|\bDELETE\s+FROM\s+\"?(?:{changed})\b|\bTRUNCATE\b.*\b(?:{changed})\b|\bINTO\s+\"?(?:{added})\b",
        re.IGNORECASE,
    )


_STOPS = writes_to(tables_behind(RUNS))


@event.listens_for(sa.Engine, "before_cursor_execute")
def _notice(connection: sa.Connection, _cursor: object, statement: str, *_: object) -> None:
    if _STOPS.search(statement) and not connection.get_execution_options().get("no_scans_meanwhile"):
        stop_leases(connection)


def stop_leases(connection: sa.Connection) -> None:
    """Have a connection's transaction take the lock, raise the epoch, and wait all leases out before it commits."""
    if "fence" in connection.info:
        return
    fence = connection.info["fence"] = _Fence()
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK_KEY)))
    elif path := _lock_file(connection.engine):
        fence.lock(path)
    further = sa.update(StopEpoch).values(number=StopEpoch.number + 1).returning(StopEpoch.lease_ms)
    lease_ms = connection.execute(further).scalar() or 0
    fence.until = time.monotonic() + lease_ms / 1000 * _MARGIN


class _Fence:
    """The lock of a transaction, and until when it has to be held before the commit."""

    def __init__(self) -> None:
        self._file: int | None = None
        self.until = 0.0

    def lock(self, path: str) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def wait_out(self) -> None:
        time.sleep(max(0.0, self.until - time.monotonic()))

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _lock_file(engine: sa.Engine) -> str | None:
    """Where the lock of an SQLite database is; None of one in memory, which has no other process."""
    path = engine.url.database
    return f"{path}-stops" if path and path != ":memory:" else None


@event.listens_for(sa.Engine, "commit")
def _wait_out(connection: sa.Connection) -> None:
    if (fence := connection.info.get("fence")) is not None:
        fence.wait_out()


@event.listens_for(sa.Engine, "begin")
@event.listens_for(sa.Engine, "rollback")
def _release(connection: sa.Connection) -> None:
    if not connection.invalidated:
        _let_go(connection.info)


@event.listens_for(sa.Pool, "checkin")
@event.listens_for(sa.Pool, "invalidate")
def _release_in_pool(_connection: object, record: sa.PoolProxiedConnection, *_: object) -> None:
    """A session gives its connection back as soon as it has committed; one that is lost has lost its lock."""
    _let_go(record.info)


def _let_go(info: dict[str, _Fence]) -> None:
    if (fence := info.pop("fence", None)) is not None:
        fence.release()


# ---- the reader's side


class _Stops:
    """What a worker that wants a lease looks at."""

    def __init__(self, engine: sa.Engine, lease_ms: int) -> None:
        self._connection = reading_connection(engine)
        path = _lock_file(engine) if engine.dialect.name == "sqlite" else None
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600) if path else None
        self._register(lease_ms)

    def _register(self, lease_ms: int) -> None:
        """Say how long this worker's leases are before it gives itself one: who writes meanwhile has the row, or finds
        it so."""
        new = insert_into(StopEpoch, self._connection.dialect.name).values(id=1, number=0, lease_ms=lease_ms)
        longer = sa.case((new.excluded.lease_ms > StopEpoch.lease_ms, new.excluded.lease_ms), else_=StopEpoch.lease_ms)
        self._connection.execute(new.on_conflict_do_update(index_elements=["id"], set_={"lease_ms": longer}))

    def epoch(self) -> int | None:
        """The epoch, read after it was seen that nobody holds the lock; None where someone does."""
        if self._is_held():
            return None
        # Only now: a snapshot taken before could miss who released the lock in between.
        return self._connection.execute(sa.select(StopEpoch.number)).scalar() or 0

    def _is_held(self) -> bool:
        if self._file is not None:
            try:
                fcntl.flock(self._file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            fcntl.flock(self._file, fcntl.LOCK_UN)
            return False
        return bool(self._connection.execute(_HELD, {"key": LOCK_KEY}).scalar())

    def close(self) -> None:
        self._connection.close()
        if self._file is not None:
            os.close(self._file)


_HELD = sa.text(
    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 0 AND objid = :key AND objsubid = 1"
    " AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
)


class StopLease:
    """A worker's lease, renewed beside the scans for as long as there are any.

    :param lease_ms: its length; 0 for none at all.
    """

    def __init__(self, engine: sa.Engine, lease_ms: int) -> None:
        self._engine = engine
        self._lease_ms = lease_ms
        self._length = lease_ms / 1000
        self._until = 0.0
        self._epoch = 0
        self._wanted_at = 0.0
        self._wanted = threading.Event()
        self._beginning = threading.Lock()
        self._thread: threading.Thread | None = None
        self.between: Callable[[int, float], bool] = lambda _epoch, _now: False
        """What else there is to do in the lease's thread, under an epoch and at a moment: some of it at a time, as it
        must not keep the lease from being renewed. It returns whether there is more to do."""

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
        stops: _Stops | None = None
        while True:
            self._wanted.wait()
            try:
                stops = stops or _Stops(self._engine, self._lease_ms)
                while time.monotonic() - self._wanted_at < _IDLE_S:
                    self._renew(stops)
                    self._spend(self._length * _RENEWED)
            except (sa.exc.SQLAlchemyError, OSError) as error:
                # Without a lease each scan is read from the database.
                log.warning("no lease", error=type(error).__name__)
                time.sleep(1.0)
            finally:
                if stops is not None:
                    stops.close()
                    stops = None
            self._wanted.clear()

    def _renew(self, stops: _Stops) -> None:
        begun = time.monotonic()
        epoch = stops.epoch()
        if epoch is None:
            self._until = 0.0
        else:
            # In this order: who sees the new end sees the new epoch.
            if epoch != self._epoch:
                self._until, self._epoch = 0.0, epoch
            self._until = begun + self._length

    def _spend(self, seconds: float) -> None:
        """Do what there is to do beside, until it is time to renew."""
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end and now < self._until:
            if not self.between(self._epoch, now):
                break
        time.sleep(max(0.0, end - time.monotonic()))
