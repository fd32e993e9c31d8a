"""The way of a scan, in front of Flask: decrypt the code, know the lot's version, send the kept page.

A trace page is the same for all items of a lot but for the code and a line on the item, so Flask renders it once for
each version and language, with marks where these go, and here each label's own are put in. The version comes before
anything else: from the database, or as it was read lately where a lease says that nothing was stopped since (`lease`).
So a page never outlives a recall, and what was rendered from later reads can only be newer than the version it is kept
under.

Whatever is not a plain GET or HEAD of a code as it is printed goes on to Flask.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from wsgiref.types import StartResponse, WSGIEnvironment

import structlog
from flask import Flask
from pydantic import HttpUrl
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.datastructures import LanguageAccept, MIMEAccept
from werkzeug.http import parse_accept_header, parse_cookie

from qr.codes import ALPHABET, CODE_LENGTH, CodeBook, InvalidCode, format_code
from trace_app.accounts.access import acting_user
from trace_app.labels.service import is_void
from trace_app.language import COOKIE, preferred
from trace_app.scanning.brotli_splice import BrokenSplice
from trace_app.scanning.checks import is_a_check
from trace_app.scanning.item_line import HIDDEN, SHOWN
from trace_app.scanning.lease import StopLease
from trace_app.scanning.log import ScanLog
from trace_app.scanning.models import Outcome
from trace_app.scanning.pages import Headers, Inserts, KeptPage, PageKey, PageStore
from trace_app.scanning.reading import UNSCANNED, ItemState, LabelReader, RunState

Application = Callable[[WSGIEnvironment, Callable[..., Any]], Iterable[bytes]]

LINKSET_JSON = "application/linkset+json"
MEDIA_TYPES = ["text/html", "application/ld+json", "application/json", LINKSET_JSON]
"""What a trace page comes as; the first where a client takes anything."""
FOR_ALL_LABELS = "trace_app.for_all_labels"
"""The environ's name for the `LabelToRender` for which Flask renders a page with marks, good for all labels like it."""
SAME_VISIT_S = 600
"""Seconds within which a reader that asks again for a page it has is the same visit, not a new scan."""
FRESH_S = 2.0
"""Seconds that a lot's version is used again under a lease. What stops a lot ends the lease; other changes may take
that long to reach consumers.
"""
READ_AGAIN_S = 1.0
"""Seconds between two turns of the lease's thread, in which it looks at what is in use: no scan waits for it."""
ITEM_S = 30.0
"""Seconds that what was read of a label's scans is used again under a lease."""
AT_A_TIME = 500
"""Runs that are looked at with one statement."""
MOST_KNOWN = 12_000
"""How many runs, and how many labels, a worker knows at a time."""

_PATH = re.compile(f"/[{ALPHABET}]{{{CODE_LENGTH}}}")
_PATH_LENGTH = 1 + CODE_LENGTH
_SHOWN = Outcome.SHOWN.value

log = structlog.get_logger()


class LabelToRender(NamedTuple):
    """The label that was asked for when its lot's page had to be rendered."""

    page: PageKey
    run_id: int
    place: int
    """Its index in the run."""


class RunReading(NamedTuple):
    """What was read of a run, under which epoch of the lease (None without one) and when."""

    state: RunState | None
    epoch: int | None
    read_at: float

    def counts(self, epoch: int, now: float) -> bool:
        """Whether it may be used under a lease of an epoch."""
        return self.epoch == epoch and now - self.read_at < FRESH_S


class KnownRun:
    """A run with its latest reading, which is exchanged as a whole: other threads see either the one or the other."""

    __slots__ = ("reading", "used")

    def __init__(self, reading: RunReading) -> None:
        self.reading = reading
        self.used = True
        """Whether it was asked for since it was last read by the lease's thread."""

    def read_again(self, reading: RunReading) -> RunReading:
        # The same state as long as it says the same: what was made of it then still holds.
        if reading.state == self.reading.state:
            reading = reading._replace(state=self.reading.state)
        self.reading = reading
        return reading


@dataclass(slots=True)
class KnownLabel:
    """A label that opens a kept page."""

    run: KnownRun
    state: RunState
    """What of its run this was made from."""
    index: int
    item: ItemState
    item_read_at: float
    code: bytes
    printed: bytes
    shown: tuple[str, Inserts] | None = None
    """What it puts into a page in one language: most who ask next want the same."""

    def inserts(self, language: str) -> Inserts:
        if self.shown is None or self.shown[0] != language:
            quiet = SHOWN if self.item.unusual else HIDDEN
            self.shown = (language, Inserts(self.code, self.printed, self.item.line(language), quiet))
        return self.shown[1]


class Wishes(NamedTuple):
    """What a client asks for, by the head of its request."""

    html: bool
    """Whether a page is wanted rather than data."""
    language: str
    brotli: bool


class ScanLayer:
    """The WSGI layer. ``app.extensions["code_book"]`` is there once Flask has answered a first scan."""

    def __init__(
        self, app: Flask, flask: Application, reader: LabelReader, lease: StopLease, pages: PageStore, scans: ScanLog
    ) -> None:
        self._app = app
        self.flask = flask
        self._home: HttpUrl = app.config["SETTINGS"].public_url
        self._session_cookie = f"{app.config['SESSION_COOKIE_NAME']}="
        self._remember_cookie = f"{app.config.get('REMEMBER_COOKIE_NAME', 'remember_token')}="
        self._reader = reader
        self._lease = lease
        self._pages = pages
        self._scans = scans
        self._runs: dict[tuple[int, int], KnownRun] = {}
        """Known runs, by key and run number as codes have them."""
        self._labels: dict[str, KnownLabel] = {}
        self._due: list[KnownRun] = []
        self._next_turn = 0.0
        lease.between = self.read_runs_again

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if len(path) != _PATH_LENGTH or (method != "GET" and method != "HEAD") or environ.get("QUERY_STRING"):
            return self.flask(environ, start_response)
        cookie = environ.get("HTTP_COOKIE", "")
        wishes = _wishes(
            environ.get("HTTP_ACCEPT", ""),
            cookie if COOKIE in cookie else "",
            environ.get("HTTP_ACCEPT_LANGUAGE", ""),
            environ.get("HTTP_ACCEPT_ENCODING", ""),
        )
        # Who is signed in sees what it has just changed.
        label = self._label(path, leased=self._session_cookie not in cookie) if wishes.html else None
        if label is None:
            return self.flask(environ, start_response)
        key, version = label.state.page, label.state.version
        page = self._pages.get(key, wishes.language, version)
        if page is None:
            status, headers, body = self._render(environ, label)
            if not status.startswith("200"):
                start_response(status, headers)
                return [body if method == "GET" else b""]
            try:
                page = KeptPage(version, body, headers)
            except BrokenSplice:
                log.exception("a page can't be kept", batch=key.batch_id)
                return self.flask(environ, start_response)
            self._pages.keep(key, wishes.language, page)
        minute = int(time.time()) // 60
        if asked := environ.get("HTTP_IF_NONE_MATCH"):
            seen = minute if asked.strip() == "*" else _seen(asked, page.digest)
            if seen is not None and 0 <= minute - seen <= SAME_VISIT_S // 60:
                start_response("304 NOT MODIFIED", [*page.headers_304, ("ETag", page.etag(seen))])
                return [b""]
        if method == "GET" and not self._is_a_check(environ, cookie, key.batch_id):
            index = label.index if label.state.is_single else None
            self._scans.note(environ, wishes.language, _SHOWN, label.state.run_id, index, key.batch_id)
        page.used = True
        inserts = label.inserts(wishes.language)
        if wishes.brotli:
            body = page.compressed(inserts)
            start_response("200 OK", page.headers(minute, len(body)))
        else:
            body = page.plain(inserts)
            start_response("200 OK", page.plain_headers(minute, len(body)))
        return [body if method == "GET" else b""]

    def _is_a_check(self, environ: WSGIEnvironment, cookie: str, batch_id: int) -> bool:
        """Whether someone looks who answers for the lot; Flask knows who that is, and is asked only where it may be."""
        if self._session_cookie not in cookie and self._remember_cookie not in cookie:
            return False
        try:
            with self._app.request_context(environ):
                return is_a_check(acting_user(), batch_id)
        except SQLAlchemyError:
            return False

    def _label(self, path: str, *, leased: bool) -> KnownLabel | None:
        """The label that a path names, or None where Flask must say more.

        :param leased: whether what was read lately will do, where there is a lease.
        """
        now = time.monotonic()
        epoch = self._lease.epoch(now) if leased else None
        if epoch is not None and (label := self._labels.get(path)) is not None:
            reading = label.run.reading
            if reading.counts(epoch, now) and reading.state is label.state and now - label.item_read_at < ITEM_S:
                label.run.used = True
                return label
        try:
            return self._read(path, epoch, now)
        except self._reader.error:
            return None

    def _read(self, path: str, epoch: int | None, now: float) -> KnownLabel | None:
        """:param epoch: of the lease under which what is read is kept; None without one."""
        book: CodeBook | None = self._app.extensions.get("code_book")
        if book is None or not _PATH.fullmatch(path):
            return None
        try:
            code = book.read(path[1:])
        except InvalidCode:
            return None
        run, state = self._run((code.key_number, code.run), epoch, now)
        if state is None or code.index >= state.labels:
            return None
        if is_void(state.voided, code.index):
            return None
        item = self._reader.item(state.run_id, code.index) if state.is_single else UNSCANNED
        label = KnownLabel(
            run, state, code.index, item or UNSCANNED, now, path[1:].encode(), format_code(path[1:]).encode()
        )
        # What has not been scanned yet is looked for anew: its first scan is soon written.
        if epoch is not None and item is not None:
            if len(self._labels) >= MOST_KNOWN:
                self._labels = {}
            self._labels[path] = label
        return label

    def _run(self, named: tuple[int, int], epoch: int | None, now: float) -> tuple[KnownRun, RunState | None]:
        """The run of a key and number, and its state, as it is or as it was read lately under the lease."""
        known = self._runs.get(named) if epoch is not None else None
        if known is not None and epoch is not None:
            known.used = True
            reading = known.reading
            if reading.counts(epoch, now):
                return known, reading.state
        reading = RunReading(self._reader.run(*named), epoch, now)
        if known is not None:
            reading = known.read_again(reading)
            return known, reading.state
        known = KnownRun(reading)
        if epoch is not None:
            if len(self._runs) >= MOST_KNOWN:
                self._runs = {}
            self._runs[named] = known
        return known, reading.state

    def read_runs_again(self, epoch: int, now: float) -> bool:
        """Look at some of the runs that were asked for lately, in the lease's thread; whether there are more.

        What stops a label ends the epoch, every other change raises the lot's version: so a reading of this epoch is
        fresh again where its lot's version is what it was. Others are left to the next scan.

        :param epoch: of the lease that is held at the moment ``now``.
        """
        if not self._due:
            if now < self._next_turn:
                return False
            self._next_turn = now + READ_AGAIN_S
            self._due = [run for run in list(self._runs.values()) if run.used]
        some, self._due = self._due[:AT_A_TIME], self._due[AT_A_TIME:]
        readings = [(run, run.reading) for run in some]
        states = {reading.state for _run, reading in readings if reading.state is not None}
        versions = self._reader.versions({state.page.batch_id for state in states}) if states else {}
        for run, reading in readings:
            run.used = False
            state = reading.state
            if state is not None and reading.epoch == epoch and versions.get(state.page.batch_id) == state.lot_version:
                run.reading = reading._replace(read_at=now)
        return bool(self._due)

    def _render(self, environ: WSGIEnvironment, label: KnownLabel) -> tuple[str, Headers, bytes]:
        """Have Flask make the page with marks, whole and as nobody in particular would be sent it."""
        wish = {name: value for name, value in environ.items() if name not in _NOT_FOR_ALL}
        wish |= {
            "REQUEST_METHOD": "GET",
            "HTTP_HOST": f"{self._home.host}:{self._home.port}",
            "wsgi.url_scheme": self._home.scheme,
            FOR_ALL_LABELS: LabelToRender(label.state.page, label.state.run_id, label.index),
        }
        started: list[tuple[str, Headers]] = []
        chunks = self.flask(wish, lambda status, headers, _exc_info=None: started.append((status, headers)))
        try:
            body = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return *started[-1], body


_NOT_FOR_ALL = {"HTTP_ACCEPT_ENCODING", "HTTP_IF_NONE_MATCH", "HTTP_X_FORWARDED_HOST", "HTTP_RANGE"}


@lru_cache(maxsize=1024)
def _wishes(accept: str, cookie: str, accept_language: str, accept_encoding: str) -> Wishes:
    """:param cookie: where it says a language."""
    html = not accept or parse_accept_header(accept, MIMEAccept).best_match(MEDIA_TYPES, "text/html") == "text/html"
    wished = parse_cookie(cookie).get(COOKIE) if cookie else None
    language = preferred(wished, parse_accept_header(accept_language, LanguageAccept))
    return Wishes(html, language, parse_accept_header(accept_encoding).quality("br") > 0)


def _seen(if_none_match: str, digest: str) -> int | None:
    """The minute in which a client was given the page that it still has."""
    found = re.search(f'"{digest}-([0-9a-f]{{1,12}})"', if_none_match[:1000])
    return int(found[1], 16) if found else None
