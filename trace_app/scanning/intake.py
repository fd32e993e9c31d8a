"""Scans into the database: a message of the scan log becomes rows and sums in one transaction, once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache
from typing import NamedTuple, TypeAlias

import sqlalchemy as sa
import structlog

from trace_app.batches.models import Batch
from trace_app.clock import local_day
from trace_app.db.base import utc_now
from trace_app.db.prepared import PreparedInsert
from trace_app.db.session import insert_into, shorten_wal, transaction
from trace_app.extensions import db, jobs
from trace_app.scanning.models import Outcome, ScanDay, ScanItem, ScanMessage, scans

QUEUE = "scans"
REST = 3
"""How many times as long as a message took the next one waits: scans that are being answered come first."""
LONG_S = 0.05
"""Seconds from which on a message is so long that the next one waits."""
AGAIN_S = 10
"""Seconds after which a message that could not be written is tried again."""
IDS_KEPT = timedelta(days=7)

Row: TypeAlias = tuple[int, str, int | None, int | None, int | None, str, str, str, int]
"""The fields of a `log.Scan`, in their order."""

_SCAN = ("at", "outcome", "run_id", "index", "batch_id", "region", "client", "language", "source")
"""The columns of a `Row`."""

log = structlog.get_logger()


@jobs.task(queue=QUEUE, worked_off=True)
def take_in(message_id: str, rows: Sequence[Row]) -> None:
    """Write the scans of a message, unless that was done before; later, where the database does not answer."""
    begun = time.monotonic()
    new = insert_into(ScanMessage, db.engine.dialect.name).values(id=message_id, written_at=utc_now())
    try:
        with transaction():
            once = new.on_conflict_do_nothing().returning(ScanMessage.id)
            if db.session.execute(once).first() is not None:
                add_scans(rows)
        # Under load someone is always reading, and SQLite's write-ahead log would never begin anew by itself.
        shorten_wal()
        if (took := time.monotonic() - begun) > LONG_S:
            jobs.rest(REST * took)
    except (sa.exc.OperationalError, sa.exc.InterfaceError) as error:
        log.warning("scans wait: the database does not answer", error=type(error.orig).__name__, scans=len(rows))
        jobs.try_again(AGAIN_S)


def keep(rows: Sequence[Row]) -> None:
    """Write scans that came in no message."""
    with transaction():
        add_scans(rows)


def add_scans(rows: Sequence[Row]) -> None:
    """Add scans to the log, and to the sums of their labels and of their lots' days.

    Lots that are no longer there, as after the demonstration was built anew, are left out of the sums.
    """
    items, days = _sums(rows)
    lots = set(db.session.scalars(sa.select(Batch.id).where(Batch.id.in_({row[0] for row in days}))))
    connection, inserts = db.session.connection(), _inserts(db.engine.dialect)
    inserts.scans.execute(connection, [(_moment(row[0]), *row[1:]) for row in rows])
    inserts.items.execute(connection, items)
    inserts.days.execute(connection, [row for row in days if row[0] in lots])


class _Inserts(NamedTuple):
    scans: PreparedInsert
    items: PreparedInsert
    days: PreparedInsert


@cache
def _inserts(dialect: sa.Dialect) -> _Inserts:
    """What a message is written with; rows that are there already are added to."""
    item, day = insert_into(ScanItem, dialect.name), insert_into(ScanDay, dialect.name)
    least, greatest = ("least", "greatest") if dialect.name == "postgresql" else ("min", "max")
    more_of_item = item.on_conflict_do_update(
        index_elements=["run_id", "index"],
        set_={
            "scans": ScanItem.scans + item.excluded.scans,
            "first_at": getattr(sa.func, least)(ScanItem.first_at, item.excluded.first_at),
            "last_at": getattr(sa.func, greatest)(ScanItem.last_at, item.excluded.last_at),
        },
    )
    key = ["batch_id", "day", "region", "client", "language"]
    more_of_day = day.on_conflict_do_update(index_elements=key, set_={"scans": ScanDay.scans + day.excluded.scans})
    return _Inserts(
        PreparedInsert(sa.insert(scans), _SCAN, dialect),
        PreparedInsert(more_of_item, ["run_id", "index", "first_at", "last_at", "scans", "unusual"], dialect),
        PreparedInsert(more_of_day, [*key, "scans"], dialect),
    )


def _sums(rows: Iterable[Row]) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """What scans add to the rows of their labels and of their lots' days, in order: so two consumers never wait for one
    another."""
    items: dict[tuple[int, int], list[int]] = {}
    days: Counter[tuple[int, str, str, str, str]] = Counter()
    for at, outcome, run_id, index, batch_id, region, client, language, _source in rows:
        if outcome != Outcome.SHOWN:
            continue
        if batch_id is not None:
            days[batch_id, local_day(at), region, client, language] += 1
        if run_id is not None and index is not None:
            times = items.setdefault((run_id, index), [at, at, 0])
            times[0], times[1], times[2] = min(times[0], at), max(times[1], at), times[2] + 1
    return (
        [(*item, _moment(first), _moment(last), count, False) for item, (first, last, count) in sorted(items.items())],
        [(lot, date.fromisoformat(day), *kind, count) for (lot, day, *kind), count in sorted(days.items())],
    )


@lru_cache(maxsize=1024)
def _moment(unix: int) -> datetime:
    return datetime.fromtimestamp(unix, UTC)


def forget_messages() -> None:
    """Delete the numbers of messages that are long written: none of them comes again."""
    with transaction():
        db.session.execute(sa.delete(ScanMessage).where(ScanMessage.written_at < utc_now() - IDS_KEPT))
