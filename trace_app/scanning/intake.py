"""Scans into the database: a message of the scan log becomes rows and sums in one transaction, once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

import sqlalchemy as sa
import structlog

from trace_app.batches.models import Batch
from trace_app.clock import local_day
from trace_app.db.base import utc_now
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

log = structlog.get_logger()


@jobs.task(queue=QUEUE)
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
            time.sleep(REST * took)
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
    moments = {row[0]: _moment(row[0]) for row in rows}
    database = db.engine.dialect.name
    names = ("outcome", "run_id", "index", "batch_id", "region", "client", "language", "source")
    _execute(sa.insert(scans), [{"at": moments[row[0]], **dict(zip(names, row[1:], strict=True))} for row in rows])
    item = insert_into(ScanItem, database)
    least, greatest = ("least", "greatest") if database == "postgresql" else ("min", "max")
    added = item.on_conflict_do_update(
        index_elements=["run_id", "index"],
        set_={
            "scans": ScanItem.scans + item.excluded.scans,
            "first_at": getattr(sa.func, least)(ScanItem.first_at, item.excluded.first_at),
            "last_at": getattr(sa.func, greatest)(ScanItem.last_at, item.excluded.last_at),
        },
    )
    _execute(added, items)
    day = insert_into(ScanDay, database)
    key = ["batch_id", "day", "region", "client", "language"]
    lots = set(db.session.scalars(sa.select(Batch.id).where(Batch.id.in_({row["batch_id"] for row in days}))))
    _execute(
        day.on_conflict_do_update(index_elements=key, set_={"scans": ScanDay.scans + day.excluded.scans}),
        [row for row in days if row["batch_id"] in lots],
    )


def _execute(statement: sa.Executable, rows: list[dict[str, object]]) -> None:
    if rows:
        db.session.connection().execute(statement, rows)


def _sums(rows: Iterable[Row]) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """What scans add to their labels' rows and to their lots' days. In order, so that two consumers never wait for one
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
        [
            {"run_id": run_id, "index": index, "first_at": _moment(first), "last_at": _moment(last), "scans": count}
            for (run_id, index), (first, last, count) in sorted(items.items())
        ],
        [
            {
                "batch_id": lot,
                "day": date.fromisoformat(day),
                "region": region,
                "client": client,
                "language": language,
                "scans": count,
            }
            for (lot, day, region, client, language), count in sorted(days.items())
        ],
    )


def _moment(unix: int) -> datetime:
    return datetime.fromtimestamp(unix, UTC)


def forget_messages() -> None:
    """Delete the numbers of messages that are long written: none of them comes again."""
    with transaction():
        db.session.execute(sa.delete(ScanMessage).where(ScanMessage.written_at < utc_now() - IDS_KEPT))
