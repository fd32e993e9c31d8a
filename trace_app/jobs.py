"""Background jobs on huey: SQLite for the embedded stack, Redis in production.

huey is loaded with the first job: it brings the drivers of all databases that it knows, 15 MB of a process.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from threading import Event
from typing import TYPE_CHECKING, Any, NoReturn, overload

import structlog
from flask import Flask, current_app

from config import Settings
from trace_app import metrics
from trace_app.logs import request_number

if TYPE_CHECKING:
    from huey.api import Huey
    from huey.consumer import Consumer

QUEUE = "trace"
"""The queue of jobs that name none."""
POLLED_S = 1.0
"""The longest that an idle consumer waits before it looks into its queue again."""
AT_END_S = 15.0
"""Seconds that a consumer which is told to stop goes on with what waits."""

QUEUE_S = 2.0
"""Seconds that Redis may take to answer; more than an idle consumer waits for a job."""
AWAY_S = 5.0
"""Seconds that a queue which did not answer is asked by nobody; then by one alone."""

Job = Callable[..., None]

log = structlog.get_logger()


@dataclass(slots=True)
class _Queues:
    hueys: dict[str, Huey]
    tasks: dict[Job, Callable[..., object]]
    """What puts a call of each function into its queue."""
    again_at: float = 0.0
    """The moment from which queues that did not answer are asked again; 0 where they did."""


class QueueAway(RuntimeError):
    """The queue did not answer lately, and is left alone for a moment."""


class Jobs:
    """Feature modules declare jobs with `task`; `init_app` gives them their queues.

    A job is a function of plain values that runs in an application context.
    """

    def __init__(self) -> None:
        self._queues: dict[Job, str] = {}
        self._workers: dict[str, int] = {}
        self._worked_off: set[str] = set()
        self._each_minute: list[Callable[[], None]] = []
        self._stopping = Event()

    @overload
    def task(self, function: Job) -> Job: ...
    @overload
    def task(self, *, queue: str, workers: int = 1, worked_off: bool = False) -> Callable[[Job], Job]: ...
    def task(
        self, function: Job | None = None, *, queue: str = QUEUE, workers: int = 1, worked_off: bool = False
    ) -> Job | Callable[[Job], Job]:
        """Declare a function as a job.

        :param queue: one of its own, so that the job waits for no other.
        :param workers: how many of them run at a time in a queue of their own.
        :param worked_off: whether a consumer that is told to stop first does what waits in that queue.
        """

        def declare(function: Job) -> Job:
            self._queues[function], self._workers[queue] = queue, workers
            if worked_off:
                self._worked_off.add(queue)
            return function

        return declare if function is None else declare(function)

    def every_minute(self, function: Callable[[], None]) -> Callable[[], None]:
        """Have one of the consumers run the function each minute, and each one as it starts."""
        self._each_minute.append(function)
        return function

    def init_app(self, app: Flask, settings: Settings) -> None:
        app.extensions["jobs"] = cache(lambda: self._open(app, settings))

    def _open(self, app: Flask, settings: Settings) -> _Queues:
        from huey import RedisHuey, SqliteHuey, crontab
        from huey.serializer import SignedSerializer
        from redis import ConnectionPool

        immediate = bool(app.config.get("JOBS_IMMEDIATE"))
        file = str(settings.folder / "jobs.sqlite")

        # Messages are pickles: without our signature none is opened, whoever can write to the queue.
        signed = SignedSerializer(secret=settings.signing_key, salt="jobs")

        def opened(name: str) -> Huey:
            if settings.redis_url:
                pool = ConnectionPool.from_url(settings.redis_url, **patience(QUEUE_S))
                return RedisHuey(name, connection_pool=pool, immediate=immediate, serializer=signed)
            return SqliteHuey(name, filename=file, immediate=immediate, serializer=signed)

        hueys = {name: opened(name) for name in {QUEUE, *self._queues.values()}}
        tasks = {
            function: hueys[name].task(name=_name(function))(_in_context(app, function))
            for function, name in self._queues.items()
        }
        for function in self._each_minute:
            hueys[QUEUE].periodic_task(crontab(), name=_name(function))(_in_context(app, function))
        return _Queues(hueys, tasks)

    def enqueue(self, function: Job, *arguments: object) -> None:
        """Have a consumer run ``function(*arguments)`` soon.

        Where the queue is away, what asked for it goes on all the same: what was saved waits in the database, where
        the look of each minute finds it.
        """
        try:
            self.hand_over(function, *arguments)
        except away() as error:
            log.warning("the queue is away: a job waits for the look of the next minute", exc_info=error)

    def hand_over(self, function: Job, *arguments: object) -> None:
        """Have a consumer run ``function(*arguments)`` soon, or raise what kept it from the queue: for what no look of
        each minute would find.
        """
        put = current_app.extensions["jobs"]().tasks[function]
        with self._reached():
            put(*arguments, request=request_number(), put_at=time.time())

    def try_again(self, seconds: int) -> NoReturn:
        """End the job that calls this, and have it run again after some seconds."""
        from huey import RetryTask

        raise RetryTask(delay=seconds)

    def rest(self, seconds: float) -> None:
        """Let others have the processor for some seconds, unless the consumer is to stop."""
        self._stopping.wait(seconds)

    def waiting(self, name: str) -> int:
        """How many jobs wait in a queue, with those that are to run again."""
        queue = self.queue(current_app._get_current_object(), name)  # type: ignore[attr-defined]
        with self._reached():
            return int(queue.pending_count() + queue.scheduled_count())

    def oldest(self, name: str) -> float:
        """Seconds since the job that comes next in a queue was put there; 0 where none waits."""
        queue = self.queue(current_app._get_current_object(), name)  # type: ignore[attr-defined]
        with self._reached():
            put_at = [float(task.kwargs.get("put_at", 0)) for task in queue.pending(limit=1)]
        return max(0.0, time.time() - put_at[0]) if put_at and put_at[0] else 0.0

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Leave a queue alone for a while that lately did not answer; then one asks, and the others wait for that.

        :raises QueueAway:
        """
        from redis.exceptions import ConnectionError, TimeoutError

        queues: _Queues = current_app.extensions["jobs"]()
        if time.monotonic() < queues.again_at:
            raise QueueAway("the queue did not answer lately")
        if queues.again_at:
            queues.again_at = time.monotonic() + AWAY_S
        try:
            yield
        except (ConnectionError, TimeoutError):
            queues.again_at = time.monotonic() + AWAY_S
            raise
        queues.again_at = 0.0

    def names(self) -> list[str]:
        """All queues."""
        return sorted({QUEUE, *self._queues.values()})

    def queue(self, app: Flask, name: str = QUEUE) -> Huey:
        found: _Queues = app.extensions["jobs"]()
        return found.hueys[name]

    def consume(self, app: Flask, workers: int) -> None:
        """Work off all queues until told to stop by SIGTERM or SIGINT.

        What still waits in queues that are to be worked off is done before it ends, as far as `AT_END_S` goes; the rest
        waits for the next consumer. Any other job that takes long is broken off: it has to bear that, as it has to bear
        a machine that fails.

        :param workers: of the common queue.
        """
        self.at_start(app)
        hueys = app.extensions["jobs"]().hueys
        others = {
            name: self._consumer(huey, self._workers[name], periodic=False)
            for name, huey in hueys.items()
            if name != QUEUE
        }
        for consumer in others.values():
            consumer.start()
        self._consumer(hueys[QUEUE], workers, periodic=True).run()
        self._stopping.set()
        for name, consumer in others.items():
            consumer.stop(graceful=name in self._worked_off)
            if name in self._worked_off:
                self.work_off(app, name, AT_END_S)

    def _consumer(self, huey: Huey, workers: int, *, periodic: bool) -> Consumer:
        return huey.create_consumer(workers=workers, periodic=periodic, max_delay=POLLED_S, check_worker_health=True)

    def work_off(self, app: Flask, name: str = QUEUE, seconds: float = float("inf")) -> None:
        """Take jobs off a queue until there are none or time is up; those that are to run again later stay."""
        queue, end = self.queue(app, name), time.monotonic() + seconds
        while time.monotonic() < end and (task := queue.dequeue()) is not None:
            queue.execute(task)

    def at_start(self, app: Flask) -> None:
        """What a consumer does before it takes the first job. Each lets go what it read: a reader that stays keeps
        SQLite from ever beginning its write-ahead log anew."""
        for function in self._each_minute:
            _in_context(app, function)()


def away() -> tuple[type[Exception], ...]:
    """What a queue raises that can't be reached, or that can't be written to."""
    from redis.exceptions import RedisError

    return (RedisError, sqlite3.OperationalError, QueueAway)


def patience(seconds: float) -> dict[str, Any]:
    """Options of a connection to Redis that is waited for no longer; what ended meanwhile is opened once anew."""
    from redis.backoff import NoBackoff
    from redis.exceptions import ConnectionError
    from redis.retry import Retry

    retry = Retry(NoBackoff(), 1, supported_errors=(ConnectionError,))
    return {"socket_connect_timeout": seconds, "socket_timeout": seconds, "retry": retry}


def _name(function: Callable[..., None]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _in_context(app: Flask, function: Callable[..., None]) -> Callable[..., None]:
    def run(*arguments: object, request: str = "", put_at: float = 0) -> None:
        # Not taken back at the end: huey tells of an error after it.
        structlog.contextvars.bind_contextvars(job=_name(function), request=request or secrets.token_hex(8))
        # Loaded late: the session stands on the extensions, of which this is one.
        from trace_app.db.session import repeated

        begun, outcome = time.monotonic(), "failed"
        waited = time.time() - put_at if put_at else None
        try:
            with app.app_context():
                repeated(lambda: function(*arguments))
            outcome = "done"
        finally:
            metrics.note_job(_name(function), outcome, time.monotonic() - begun, waited)

    run.__name__ = function.__name__
    run.__qualname__ = function.__qualname__
    run.__module__ = function.__module__
    return run
