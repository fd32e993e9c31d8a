"""Structured logs: lines for people, or JSON for machines.

What people typed, what they are called, and what opens doors is never in them: errors are told by their kinds and by
places in the code, without their messages and without the values of variables, as either may hold anything.
"""

from __future__ import annotations

import logging
import re
import secrets
import sys
import time
import traceback
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import structlog
from flask import Flask, request

from config import Settings
from trace_app import metrics

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

LONGEST = 3000
"""Bytes that are told of an error at most; the line around it stays below 4 KB."""
FRAMES = 12
"""Places in the code that are told of one error in a chain: the last ones, where it came about."""
ERRORS = 4
"""Errors that are told of one chain: the one that was raised, and what led to it."""
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
ROUTE = "trace_app.route"
"""The key in a request's environment of the rule of its address."""

log = structlog.get_logger()


def configure(settings: Settings) -> None:
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _tell_error,
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(),
    )
    root = logging.getLogger()
    for handler in [each for each in root.handlers if isinstance(each, _Others)]:
        root.removeHandler(handler)
    root.addHandler(_Others(logging.WARNING))


def init_app(app: Flask) -> None:
    """Write a line for each request that Flask answers, and tell Flask's own errors as all others."""
    app.before_request(_note_route)
    app.log_exception = _tell_of_flask  # type: ignore[method-assign]
    app.wsgi_app = _each_request(app.wsgi_app)  # type: ignore[method-assign, assignment]


def _note_route() -> None:
    request.environ[ROUTE] = route()


def route() -> str:
    """The rule of the request's address. The address itself may name codes and people."""
    return request.url_rule.rule if request.url_rule else "none"


def _tell_of_flask(exc_info: object) -> None:
    log.error("unexpected error", exc_info=exc_info)


def _each_request(flask: WSGIApplication) -> WSGIApplication:
    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        status = 500

        def start(said: str, *rest: Any) -> Any:
            nonlocal status
            status = int(said[:3])
            return start_response(said, *rest)

        begun = time.monotonic()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=secrets.token_hex(8))
        try:
            return flask(environ, start)
        finally:
            method = environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"] in METHODS else "other"
            seconds, found = time.monotonic() - begun, environ.get(ROUTE, "none")
            log.info("request", method=method, route=found, status=status, ms=round(seconds * 1000))
            metrics.note_request(method, found, status, seconds)

    return answer


def request_number() -> str:
    """The number of the request, or of the one that a job was put into the queue by; a new one where there is none."""
    return str(structlog.contextvars.get_contextvars().get("request") or secrets.token_hex(8))


class _Others(logging.Handler):
    """Libraries' own messages, as lines like ours.

    Told is the message as it stands in the library's code: what would be filled in may be anything.
    """

    def emit(self, record: logging.LogRecord) -> None:
        line = structlog.get_logger()
        line.log(record.levelno, str(record.msg) if record.args else _first_words(record), **_of(record))


def _first_words(record: logging.LogRecord) -> str:
    """A message without arguments may have been filled in before: words alone are kept, up to what is none."""
    found = re.match(r"[A-Za-z ,.'-]*", str(record.msg))
    return found[0].strip()[:100] if found and found[0].strip() else "message"


def _of(record: logging.LogRecord) -> dict[str, object]:
    facts: dict[str, object] = {"logger": record.name}
    if record.exc_info and record.exc_info[1] is not None:
        facts["exc_info"] = record.exc_info
    return facts


def _tell_error(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Put what is told of an error in the place of the error itself."""
    given = line.pop("exc_info", None)
    if isinstance(given, tuple):
        given = given[1]
    error = given if isinstance(given, BaseException) else sys.exc_info()[1] if given else None
    if error is not None:
        line["error"] = _kind(error)
        line["traceback"] = told(error)
    return line


def told(error: BaseException) -> str:
    """The kinds of an error and of what led to it, each with the places in the code that it went through."""
    parts: list[str] = []
    seen: set[int] = set()
    now: BaseException | None = error
    while now is not None and id(now) not in seen and len(parts) < ERRORS:
        seen.add(id(now))
        parts.append("\n".join([_kind(now), *_places(now.__traceback__)]))
        now = now.__cause__ or (None if now.__suppress_context__ else now.__context__)
    return "\nafter ".join(parts).encode()[:LONGEST].decode(errors="ignore")


def _kind(error: BaseException) -> str:
    """An error's class, with the number that a database or the system gave it."""
    numbers = [getattr(error, name, None) for name in ("sqlstate", "sqlite_errorname", "errno")]
    said = " ".join([type(error).__name__, *(str(number) for number in numbers if number)])
    inner = getattr(error, "orig", None)
    return f"{said} ({_kind(inner)})" if isinstance(inner, BaseException) else said


def _places(trace: TracebackType | None) -> Iterable[str]:
    frames = traceback.extract_tb(trace, limit=-FRAMES) if trace else []
    return [f"  {'/'.join(frame.filename.split('/')[-3:])}:{frame.lineno} {frame.name}" for frame in reversed(frames)]
