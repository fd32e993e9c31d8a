"""The scan log: in memory first, then together into the database, never in a page's way.

A worker writes the scans that it has each second, and with them the first and last time and number of each label and
the sums of lot and day. Where scans are of many labels at a time, these wait for up to twenty seconds, so that what is
scanned again is written once. A worker that is killed loses one second of scans, and the sums that wait, of which those
of the day are made good at night (`watch.recount`); a normal stop loses none.
"""

from __future__ import annotations

import atexit
import itertools
import multiprocessing.util
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import sqlalchemy as sa
import structlog
from flask import Flask

from config import Settings
from trace_app.clock import local
from trace_app.db.driver import driver_of
from trace_app.db.session import shorten_wal, transaction
from trace_app.extensions import db
from trace_app.scans.clients import client_of, key_of_day, source_of
from trace_app.scans.models import Outcome
from trace_app.scans.regions import Regions

EVERY_S = 1.0
"""Seconds between writes: what a worker that is killed can lose of the log."""
FEW_SUMS = 500
"""Labels and lots of which the sums are written at once."""
SUMS_EVERY = 20
"""Writes after which those of more are, too."""
MOST_SUMS = 30_000
"""Or when they are as many as this."""
SHORTENED_EVERY = 5
"""Writes after which SQLite's write-ahead log is looked at."""
AT_A_TIME = 5_000
"""Scans of a transaction."""
INDEX_BITS = 32
"""Of a label's index in a number that holds its run above it."""
_INDEX = (1 << INDEX_BITS) - 1
MOST = 60_000
"""Scans that wait to be written; while the database is away, further ones are not kept."""

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


class ScanLog:
    """Scans of a worker on their way into the database. Its thread begins with the first scan, in the worker itself."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = app
        self._secret = settings.signing_key
        self._hops = settings.proxy_hops
        self._driver_error = driver_of(settings).error
        self._regions = Regions.read(settings.ip_regions) if settings.ip_regions else Regions([])
        self._place_of: Callable[[str, str], tuple[int, str]] = lru_cache(maxsize=16384)(self._place)
        self._waiting: deque[tuple[Any, ...]] = deque()
        self._sums = Sums()
        self._writing = threading.Lock()
        self._beginning = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def note(
        self, environ: dict[str, Any], language: str, outcome: str, *,
        run_id: int | None = None, index: int | None = None, batch_id: int | None = None,
    ) -> None:  # fmt: skip
        """Put down a scan, unless it is of a program that is no person's.

        Neither address nor the program's name is kept, not even until the row is written.
        """
        client = client_of(environ.get("HTTP_USER_AGENT", ""))
        if client is None or len(self._waiting) >= MOST:
            return
        at, day = _moment(int(time.time()))
        address = self._forwarded(environ) if self._hops else environ.get("REMOTE_ADDR", "")
        source, region = self._place_of(address, day)
        # As a plain tuple, made in a fifth of the time of a `Row`.
        self._waiting.append((at, outcome, run_id, index, batch_id, region, client, language, source))
        if self._thread is None:
            self._begin()

    def _forwarded(self, environ: dict[str, Any]) -> str:
        """Whom the outermost proxy of our own saw."""
        if environ.get("HTTP_X_FORWARDED_FOR"):
            forwarded = environ["HTTP_X_FORWARDED_FOR"].split(",")
            if len(forwarded) >= self._hops:
                return str(forwarded[-self._hops]).strip()
        return str(environ.get("REMOTE_ADDR", ""))

    def _begin(self) -> None:
        with self._beginning:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="scan-log", daemon=True)
            self._thread.start()
            # Nothing is lost on a normal stop: of a plain process, or of one of a server's.
            atexit.register(self.close)
            multiprocessing.util.Finalize(self, self.close, exitpriority=100)

    def _run(self) -> None:
        turn = 0
        while not self._stop.wait(EVERY_S):
            turn += 1
            self.write(all_sums=turn % SUMS_EVERY == 0)
            if turn % SHORTENED_EVERY == 0:
                with self._app.app_context():
                    shorten_wal()

    def close(self) -> None:
        """Write what waits, and write no more by itself."""
        self._stop.set()
        self.write()

    def write(self, *, all_sums: bool = True) -> None:
        """Write what waits; where that fails it waits on.

        :param all_sums: those of many labels and lots as well.
        """
        with self._writing:
            try:
                # Some at a time, and what has come meanwhile next time: little memory, and an end.
                left = len(self._waiting)
                while left:
                    count = min(AT_A_TIME, left)
                    self._write_rows(count)
                    left -= count
                if all_sums or not FEW_SUMS < len(self._sums) < MOST_SUMS:
                    if self._sums:
                        with self._app.app_context():
                            keep_sums(self._sums)
                    self._sums = Sums()
            except (sa.exc.SQLAlchemyError, self._driver_error) as error:
                log.warning("scans not written", error=type(error).__name__)

    def _write_rows(self, count: int) -> None:
        """Write the first that wait; where that fails they wait on."""
        rows = [self._waiting.popleft() for _ in range(count)]
        try:
            with self._app.app_context():
                keep_rows(rows)
        except BaseException:
            self._waiting.extendleft(reversed(rows))
            raise
        self._sums.add(rows)

    def _place(self, address: str, day: str) -> tuple[int, str]:
        return source_of(address, _day_key(self._secret, day)), self._regions.of(address)


_day_key = lru_cache(maxsize=8)(key_of_day)


@lru_cache(maxsize=64)
def _moment(unix: int) -> tuple[str, str]:
    """The moment as both databases take it, and the day in Qujing."""
    moment = datetime.fromtimestamp(unix, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.000000", local(moment).date().isoformat()


class Sums:
    """What scans add to their labels' rows and to their lots' days."""

    def __init__(self) -> None:
        self._days: Counter[tuple[int, str, str, str, str]] = Counter()
        self._items: dict[int, tuple[int, int, int]] = {}
        """First and last scan as Unix times, and scans, by run and index in one number."""

    def __len__(self) -> int:
        return len(self._days) + len(self._items)

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add rows of scans; those of one second may share what is made of it."""
        days, items = self._days, self._items
        moment, day, once = "", "", (0, 0, 1)
        for at, outcome, run_id, item, batch_id, region, client, language, _source in rows:
            if outcome != Outcome.SHOWN:
                continue
            if at != moment:
                unix = _unix(at)
                moment, day, once = at, _local_day(at), (unix, unix, 1)
            if batch_id is not None:
                days[batch_id, day, region, client, language] += 1
            if run_id is not None and item is not None:
                key = run_id << INDEX_BITS | item
                before = items.get(key)
                items[key] = once if before is None else (
                    min(before[0], once[0]), max(before[1], once[1]), before[2] + 1
                )  # fmt: skip

    # In order, so that two workers never wait for one another.

    def items(self) -> Iterator[tuple[int, int, int, int, int]]:
        """Run, index, first and last scan, and scans."""
        for key in sorted(self._items):
            yield (key >> INDEX_BITS, key & _INDEX, *self._items[key])

    def days(self) -> Iterator[tuple[Any, ...]]:
        """Lot, day, region, client, language, and scans."""
        for key in sorted(self._days):
            yield (*key, self._days[key])


def keep(rows: list[Row]) -> None:
    """Add scans to the log, and to the sums."""
    sums = Sums()
    sums.add(rows)
    keep_rows(rows)
    keep_sums(sums)


def keep_rows(rows: Sequence[tuple[Any, ...]]) -> None:
    """Add scans to the log."""
    with transaction():
        driver: Any = db.session.connection().connection.driver_connection
        if db.engine.dialect.name == "postgresql":
            with driver.cursor() as cursor, cursor.copy(f"COPY scans ({_COLUMNS}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row((f"{row[0]}+00", *row[1:]))
        else:
            _insert(driver, f"INSERT INTO scans ({_COLUMNS}) VALUES {{rows}}", rows)


def keep_sums(sums: Sums) -> None:
    """Add to the labels' rows and to the lots' days.

    Lots that are no longer there, as after the demonstration was built anew, are left out.
    """
    with transaction():
        driver: Any = db.session.connection().connection.driver_connection
        (_sums_into_postgresql if db.engine.dialect.name == "postgresql" else _sums_into_sqlite)(driver, sums)


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
