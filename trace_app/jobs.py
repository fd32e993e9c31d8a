"""Background jobs on huey: SQLite for the embedded stack, Redis in production.

huey is loaded with the first job: it brings the drivers of all databases that it knows, 15 MB of a worker that answers
scans and never has one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from flask import Flask, current_app

from config import Settings

if TYPE_CHECKING:
    from huey.api import Huey


@dataclass(frozen=True, slots=True)
class _Queue:
    huey: Huey
    tasks: dict[Callable[..., None], Callable[..., Any]]
    """What puts a call of each function into it."""


class Jobs:
    """Feature modules declare jobs with `task`; `init_app` gives them a queue.

    A job is a function of plain values that runs in an application context.
    """

    def __init__(self) -> None:
        self._functions: list[Callable[..., None]] = []
        self._each_minute: list[Callable[[], None]] = []

    def task(self, function: Callable[..., None]) -> Callable[..., None]:
        self._functions.append(function)
        return function

    def every_minute(self, function: Callable[[], None]) -> Callable[[], None]:
        """Have one of the consumers run the function each minute, and each one as it starts."""
        self._each_minute.append(function)
        return function

    def at_start(self, app: Flask) -> None:
        """What a consumer does before it takes the first job. Each lets go what it read: a reader that stays keeps
        SQLite from ever beginning its write-ahead log anew."""
        for function in self._each_minute:
            _in_context(app, function)()

    def init_app(self, app: Flask, settings: Settings) -> None:
        app.extensions["jobs"] = cache(lambda: self._queue(app, settings))

    def _queue(self, app: Flask, settings: Settings) -> _Queue:
        from huey import RedisHuey, SqliteHuey, crontab

        immediate = bool(app.config.get("JOBS_IMMEDIATE"))
        huey: Huey
        if settings.redis_url:
            huey = RedisHuey("trace", url=settings.redis_url, immediate=immediate)
        else:
            huey = SqliteHuey("trace", filename=str(settings.folder / "jobs.sqlite"), immediate=immediate)
        tasks = {function: huey.task(name=_name(function))(_in_context(app, function)) for function in self._functions}
        for function in self._each_minute:
            huey.periodic_task(crontab(), name=_name(function))(_in_context(app, function))
        return _Queue(huey, tasks)

    def enqueue(self, function: Callable[..., None], *arguments: Any) -> None:
        """Have a consumer run ``function(*arguments)`` soon."""
        current_app.extensions["jobs"]().tasks[function](*arguments)

    def queue(self, app: Flask) -> Huey:
        found: _Queue = app.extensions["jobs"]()
        return found.huey


def _name(function: Callable[..., None]) -> str:
    return f"{function.__module__}.{function.__qualname__}"


def _in_context(app: Flask, function: Callable[..., None]) -> Callable[..., None]:
    def run(*arguments: Any) -> None:
        with app.app_context():
            function(*arguments)

    run.__name__ = function.__name__
    run.__qualname__ = function.__qualname__
    run.__module__ = function.__module__
    return run
