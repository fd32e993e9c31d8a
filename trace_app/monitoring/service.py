"""Whether what the platform stands on answers, and how much waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa
import structlog
from flask import Flask, current_app

from trace_app.db.base import utc_now
from trace_app.deadlines import TooLate, within
from trace_app.extensions import db, jobs
from trace_app.labels.models import PrintJob, PrintStatus
from trace_app.media.service import must_have_a_store
from trace_app.messages.models import Delivery, DeliveryStatus
from trace_app.release.service import lots_due

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

DEADLINE_S = 2.0
"""Seconds that each part has to answer."""
KNOWN_S = 1.0
"""Seconds for which an answer holds: whoever asks more often is told the same."""

log = structlog.get_logger()


class _Reached:
    """Something that the platform stands on, asked by one thread at a time."""

    def __init__(self, app: Flask, ask: Callable[[], object]) -> None:
        self._app = app
        self._ask = ask
        self._asking = threading.Lock()
        self._known: tuple[float, bool] = (-KNOWN_S, False)

    def answers(self) -> bool:
        at, answered = self._known
        if time.monotonic() - at < KNOWN_S:
            return answered
        try:
            within(DEADLINE_S, self._ask_alone)
            answered = True
        except Exception as error:
            log.warning("a part does not answer", exc_info=error)
            answered = False
        self._known = (time.monotonic(), answered)
        return answered

    def _ask_alone(self) -> None:
        if not self._asking.acquire(blocking=False):
            # The one who asked before has no answer yet.
            raise TooLate("still waiting for an answer")
        try:
            with self._app.app_context():
                self._ask()
        finally:
            self._asking.release()


def _database() -> None:
    with db.engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")


def _queue() -> None:
    jobs.waiting(jobs.names()[0])


PARTS: dict[str, Callable[[], None]] = {"database": _database, "queue": _queue, "store": must_have_a_store}


def init_app(app: Flask) -> None:
    app.extensions["parts"] = {name: _Reached(app, ask) for name, ask in PARTS.items()}


def parts() -> dict[str, bool]:
    """Whether each part answers, asked all at once."""
    found: dict[str, _Reached] = current_app.extensions["parts"]
    with ThreadPoolExecutor(len(found)) as threads:
        return dict(zip(found, threads.map(_Reached.answers, found.values()), strict=True))


class _Waiting(NamedTuple):
    """How much of one kind waits, and for how long the first of it does."""

    number: int
    seconds: float


def _waiting() -> dict[str, _Waiting]:
    """What waits in the database: print jobs, deliveries that are due, lots that are due for a check."""
    now = utc_now()
    prints = db.select(sa.func.count(), sa.func.min(PrintJob.created_at)).where(
        PrintJob.status.in_([PrintStatus.WAITING, PrintStatus.WORKING])
    )
    deliveries = db.select(sa.func.count(), sa.func.min(Delivery.due_at)).where(
        Delivery.status == DeliveryStatus.WAITING, Delivery.due_at <= now
    )
    found = {}
    for name, query in (("print_jobs", prints), ("deliveries", deliveries)):
        count, since = db.session.execute(query).one()
        found[name] = _Waiting(count, _age(since, now))
    changed, daily = lots_due()
    found["checks_changed"], found["checks_daily"] = _Waiting(changed, 0), _Waiting(daily, 0)
    return found


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


@cache
def _collector() -> type[Collector]:
    """The class of what is found out when it is asked for. The library is loaded late."""
    from prometheus_client.core import GaugeMetricFamily
    from prometheus_client.registry import Collector

    class Now(Collector):
        def __init__(self, app: Any) -> None:
            self._app = app

        def collect(self) -> Iterator[GaugeMetricFamily]:
            with self._app.app_context():
                states = parts()
            up = GaugeMetricFamily(
                "trace_part_up", "Whether the database, the queue and the store answer.", labels=["part"]
            )
            for name, answers in states.items():
                up.add_metric([name], float(answers))
            yield up
            if states["database"]:
                yield from self._told("trace_waiting", "What waits in the database", self._in_context(_waiting))
            if states["queue"]:
                yield from self._told("trace_queue", "What waits in the job queue", self._in_context(_queued))

        def _in_context(self, ask: Callable[[], dict[str, _Waiting]]) -> Callable[[], dict[str, _Waiting]]:
            def run() -> dict[str, _Waiting]:
                with self._app.app_context():
                    return ask()

            return run

        def _told(self, name: str, text: str, ask: Callable[[], dict[str, _Waiting]]) -> Iterator[GaugeMetricFamily]:
            try:
                found = within(DEADLINE_S, ask)
            except Exception as error:
                log.warning("figures that are not known now", figures=name, exc_info=error)
                return
            count = GaugeMetricFamily(name, f"{text}.", labels=["what"])
            age = GaugeMetricFamily(f"{name}_oldest_seconds", f"{text}: for how long the first.", labels=["what"])
            for what, waiting in found.items():
                count.add_metric([what], waiting.number)
                age.add_metric([what], waiting.seconds)
            yield count
            yield age

    return Now


def _queued() -> dict[str, _Waiting]:
    return {name: _Waiting(jobs.waiting(name), jobs.oldest(name)) for name in jobs.names()}


def figures_now() -> Collector:
    """What is up, and how much waits, as it is at this moment."""
    app: Any = current_app._get_current_object()  # type: ignore[attr-defined]
    return _collector()(app)  # type: ignore[call-arg]
