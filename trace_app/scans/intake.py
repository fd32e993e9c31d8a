"""Scans into the database: what the workers of this machine have put into the spool, each scan once.

Rows of the log, first and last time and number of each label, and the sums of lot and day go in together, and with
them how far each file has been taken in: who is killed in between begins where the last transaction ended. Where many
wait, many go together: a label that is scanned again is written once, and so is a page of the table on which several
labels lie.

The job consumer takes in what comes. Where none runs on a machine, its web workers do, in turns.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
import structlog
from flask import Flask

from config import Settings
from trace_app.clock import local
from trace_app.db.driver import driver_of
from trace_app.db.session import shorten_wal, transaction
from trace_app.extensions import db
from trace_app.scans import spool
from trace_app.scans.models import Outcome, SpoolFile

EVERY_S = 0.5
"""Seconds between looks at the spool."""
AT_A_TIME = 30_000
"""Scans of a transaction, about."""
FILES = 100
"""That are looked at for them."""
IN_TURN = 4
"""Transactions in a row of a web worker."""
REST = 3
"""Times as long as a full transaction took, the next one waits: scans that are being answered come first."""
SHORTENED_EVERY = 10
"""Looks after which SQLite's write-ahead log is looked at."""
INDEX_BITS = 32
"""Of a label's index in a number that holds its run above it."""
_INDEX = (1 << INDEX_BITS) - 1

log = structlog.get_logger()


class Row(NamedTuple):
    """A scan as it is kept, in the order of the table's columns."""

    at: str
    outcome: str
    run_id: int | None
    item: int | None
    batch_id: int | None
    region: str
    client: str
    language: str
    source: int


class Intake:
    """Takes in what the spool of this machine has."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = app
        self._folder = spool_folder(settings)
        self._driver_error = driver_of(settings).error

    def take_turn(self) -> None:
        """Take in what waits, unless another process is at it."""
        with self._turn() as mine:
            if mine:
                for _ in range(IN_TURN):
                    if not self._take_some():
                        break
                self._shorten_wal()

    def run(self, stop: threading.Event) -> None:
        """Take in what comes until told to stop, as the only one on this machine; wait for a turn before."""
        while not stop.is_set():
            with self._turn() as mine:
                if mine:
                    self._run(stop)
            stop.wait(EVERY_S)
        # Web workers that have just stopped left their last.
        self.take_turn()

    def _run(self, stop: threading.Event) -> None:
        for look in itertools.count(1):
            begun = time.monotonic()
            taken = self._take_some()
            if look % SHORTENED_EVERY == 0:
                self._shorten_wal()
            if stop.wait(REST * (time.monotonic() - begun) if taken >= AT_A_TIME else EVERY_S):
                return

    def _shorten_wal(self) -> None:
        with self._app.app_context():
            shorten_wal()

    @contextlib.contextmanager
    def _turn(self) -> Iterator[bool]:
        """The lock on taking in, where it is free; whether it was."""
        self._folder.mkdir(exist_ok=True, mode=0o700)
        file = os.open(self._folder / "intake.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True
        finally:
            os.close(file)

    def _take_some(self) -> int:
        """Take in the next scans; how many. Where that fails they wait on."""
        try:
            with self._app.app_context():
                return self._take(spool.waiting(self._folder)[:FILES])
        except (sa.exc.SQLAlchemyError, self._driver_error, OSError) as error:
            log.warning("scans not taken in", error=type(error).__name__)
            return 0

    def _take(self, files: list[Path]) -> int:
        if not files:
            return 0
        names = [path.name for path in files]
        known = db.session.execute(sa.select(SpoolFile.name, SpoolFile.taken).where(SpoolFile.name.in_(names)))
        taken: dict[str, int] = {row.name: row.taken for row in known}
        db.session.rollback()
        rows, ends = _read(files, taken)
        if rows:
            with transaction():
                _add(rows)
                for name, end in ends.items():
                    db.session.merge(SpoolFile(name=name, taken=end))
        places = taken | ends
        over = [path for path in files if path.exists() and spool.is_over(path, places.get(path.name, 0))]
        if over:
            for path in over:
                path.unlink()
            with transaction():
                db.session.execute(sa.delete(SpoolFile).where(SpoolFile.name.in_([path.name for path in over])))
        return len(rows)


def _read(files: list[Path], taken: dict[str, int]) -> tuple[list[tuple[Any, ...]], dict[str, int]]:
    """The next scans of files, about `AT_A_TIME`, and the place behind them in each file that had some."""
    rows: list[tuple[Any, ...]] = []
    ends: dict[str, int] = {}
    for path in files:
        try:
            for block, end in spool.blocks(path, taken.get(path.name, 0)):
                rows += block
                ends[path.name] = end
                if len(rows) >= AT_A_TIME:
                    return rows, ends
        except spool.DamagedSpool as error:
            log.error("scans damaged", file=str(error))
            spool.set_aside(path)
    return rows, ends


def spool_folder(settings: Settings) -> Path:
    return settings.folder / "scans"


class Sums:
    """What scans add to their labels' rows and to their lots' days."""

    def __init__(self) -> None:
        self._days: Counter[tuple[int, str, str, str, str]] = Counter()
        self._items: dict[int, tuple[int, int, int]] = {}
        """First and last scan as Unix times, and scans, by run and index in one number."""

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows of scans; those of one second may share what is made of it."""
        days, items, shown = self._days, self._items, Outcome.SHOWN.value
        moment, day, once = "", "", (0, 0, 1)
        for at, outcome, run_id, item, batch_id, region, client, language, _source in rows:
            if outcome != shown:
                continue
            if at != moment:
                unix = _unix(at)
                moment, day, once = at, _local_day(at), (unix, unix, 1)
            if batch_id is not None:
                days[batch_id, day, region, client, language] += 1
            if run_id is not None and item is not None:
                key = run_id << INDEX_BITS | item
                before = items.get(key)
                items[key] = (
                    once if before is None else (min(before[0], once[0]), max(before[1], once[1]), before[2] + 1)
                )

    # In order, so that two machines never wait for one another.

    def items(self) -> Iterator[tuple[int, int, int, int, int]]:
        """Run, index, first and last scan, and scans."""
        for key in sorted(self._items):
            yield (key >> INDEX_BITS, key & _INDEX, *self._items[key])

    def days(self) -> Iterator[tuple[Any, ...]]:
        """Lot, day, region, client, language, and scans."""
        for key in sorted(self._days):
            yield (*key, self._days[key])


def keep(rows: Sequence[tuple[Any, ...]]) -> None:
    """Add scans to the log, and to the sums."""
    with transaction():
        _add(rows)


def _add(rows: Sequence[tuple[Any, ...]]) -> None:
    """Lots that are no longer there, as after the demonstration was built anew, are left out of the sums."""
    sums = Sums()
    sums.add(rows)
    driver: Any = db.session.connection().connection.driver_connection
    if db.engine.dialect.name == "postgresql":
        with driver.cursor() as cursor, cursor.copy(f"COPY scans ({_COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row((f"{row[0]}+00", *row[1:]))
        _sums_into_postgresql(driver, sums)
    else:
        _insert(driver, f"INSERT INTO scans ({_COLUMNS}) VALUES {{rows}}", rows)
        _sums_into_sqlite(driver, sums)


@lru_cache(maxsize=64)
def _unix(at: str) -> int:
    return int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp())


@lru_cache(maxsize=64)
def _local_day(at: str) -> str:
    return local(datetime.fromisoformat(at).replace(tzinfo=UTC)).date().isoformat()


_TOGETHER = 200
"""Rows of a statement on SQLite."""
_COLUMNS = '"at", outcome, run_id, "index", batch_id, region, client, language, source'
_ITEM = (
    ' ON CONFLICT (run_id, "index") DO UPDATE SET scans = scan_items.scans + excluded.scans'
    ", first_at = {least}(scan_items.first_at, excluded.first_at)"
    ", last_at = {greatest}(scan_items.last_at, excluded.last_at)"
)
_DAY = " ON CONFLICT (batch_id, day, region, client, language) DO UPDATE SET scans = scan_days.scans + excluded.scans"


def _sums_into_sqlite(driver: Any, sums: Sums) -> None:
    _insert(
        driver,
        'INSERT INTO scan_items (run_id, "index", first_at, last_at, scans) VALUES {rows}'
        + _ITEM.format(least="min", greatest="max"),
        sums.items(),
    )
    _insert(
        driver,
        "INSERT INTO scan_days (batch_id, day, region, client, language, scans) SELECT * FROM (VALUES {rows})"
        " WHERE column1 IN (SELECT id FROM batches)" + _DAY,
        sums.days(),
    )


def _insert(driver: Any, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Many rows with each statement: between two of them Python's lock goes to a thread that answers scans."""
    rest = iter(rows)
    while some := list(itertools.islice(rest, _TOGETHER)):
        row = f"({', '.join('?' * len(some[0]))})"
        driver.execute(statement.format(rows=", ".join([row] * len(some))), list(itertools.chain.from_iterable(some)))


def _sums_into_postgresql(driver: Any, sums: Sums) -> None:
    items, days = list(sums.items()), list(sums.days())
    with driver.cursor() as cursor:
        if items:
            cursor.execute(
                'INSERT INTO scan_items (run_id, "index", first_at, last_at, scans) SELECT * FROM'
                " unnest(%s::int[], %s::int[], %s::bigint[], %s::bigint[], %s::int[])"
                + _ITEM.format(least="least", greatest="greatest"),
                [list(column) for column in zip(*items, strict=True)],
            )
        if days:
            columns = [list(column) for column in zip(*days, strict=True)]
            cursor.execute(
                "INSERT INTO scan_days (batch_id, day, region, client, language, scans) SELECT * FROM"
                " unnest(%s::int[], %s::date[], %s::text[], %s::text[], %s::text[], %s::int[]) AS d (lot)"
                " WHERE lot IN (SELECT id FROM batches)" + _DAY,
                columns,
            )
