"""Background jobs on huey: SQLite for the embedded stack, Redis in production."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, current_app
from huey import RedisHuey, SqliteHuey, crontab
from huey.api import Huey

from config import Settings


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
        immediate = bool(app.config.get("JOBS_IMMEDIATE"))
        queue: Huey
        if settings.redis_url:
            queue = RedisHuey("trace", url=settings.redis_url, immediate=immediate)
        else:
            queue = SqliteHuey("trace", filename=str(settings.folder / "jobs.sqlite"), immediate=immediate)
        tasks = {function: queue.task(name=_name(function))(_in_context(app, function)) for function in self._functions}
        for function in self._each_minute:
            queue.periodic_task(crontab(), name=_name(function))(_in_context(app, function))
        app.extensions["jobs"] = {"queue": queue, "tasks": tasks}

    def enqueue(self, function: Callable[..., None], *arguments: Any) -> None:
        """Have a consumer run ``function(*arguments)`` soon."""
        current_app.extensions["jobs"]["tasks"][function](*arguments)

    def queue(self, app: Flask) -> Huey:
        queue: Huey = app.extensions["jobs"]["queue"]
        return queue


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
