"""The way of a scan, in front of Flask: decrypt the code, read the batch's version, send the kept page.

A trace page is the same for all items of a batch but for the code and a line on the item, so Flask renders it
once for each version and language, with marks where these go; here the marks are replaced, and the parts between
them are compressed once. The version comes before anything else: from the database, or as it was read some seconds
ago where a lease says that nothing was stopped since (`db.leases`). So a page never outlives a recall, and what was
rendered from later reads can only be newer than the version it is kept under.

Whatever is not a plain GET or HEAD of a code as it is printed goes on to Flask.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple
from weakref import ref

from flask import Flask
from werkzeug.datastructures import LanguageAccept, MIMEAccept
from werkzeug.http import http_date, parse_accept_header, parse_cookie

from qr.codes import ALPHABET, CODE_LENGTH, CodeBook, InvalidCode, LabelCode, format_code
from trace_app.db.leases import StopLease
from trace_app.labels.service import is_void
from trace_app.language import COOKIE, preferred
from trace_app.public.item import HIDDEN, SHOWN
from trace_app.public.json_ld import MEDIA_TYPES
from trace_app.public.kept_pages import Headers, Inserts, Kept, KeptPage, TracePages
from trace_app.public.label_states import UNSCANNED, Item, Run, StateReader, States
from trace_app.scans.log import ScanLog
from trace_app.scans.models import Outcome

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

MARKED = "trace_app.marked"
"""In the environ: render the page with the marks instead of the code, for a `Label`."""
SAME_VISIT_S = 600
"""Seconds within which a reader that asks again for a page it has is the same visit, not a new scan."""

_PATH = re.compile(f"/[{ALPHABET}]{{{CODE_LENGTH}}}")
_PATH_LENGTH = 1 + CODE_LENGTH
_SHOWN = Outcome.SHOWN.value


class Answer(NamedTuple):
    status: str
    headers: Headers
    body: bytes


class Visitor(NamedTuple):
    """Who asks, by the head of a request: the same for all that a browser asks for over one connection."""

    html: bool
    """Whether a page is wanted rather than data."""
    language: str
    encoding: str
    """``br``, ``gzip`` or nothing."""
    signed_in: bool
    client: str | None
    """What is noted of it, and from where: see `ScanLog.visitor`."""
    address: str

    @property
    def is_plain(self) -> bool:
        """Whether `ScanLayer.at_once` has an answer for it."""
        return self.html and self.encoding == "br" and not self.signed_in


class Shown(NamedTuple):
    """A label's page as someone has just asked for it: most who ask next want the same."""

    page: ref[KeptPage]
    """Gone where the page is no longer kept."""
    language: str
    inserts: Inserts


@dataclass(slots=True)
class Label:
    """A label that opens a trace page, as the layer read it."""

    kept: Kept
    version: tuple[Any, ...]
    run_id: int
    place: int
    """Its index in the run."""
    scan: tuple[int, int | None, int]
    """What is noted of its scan: run, index of an item, lot."""
    item: Item
    code: bytes
    printed: bytes
    """The code as it is printed."""
    shown: Shown | None = None

    def show(self, page: KeptPage, language: str) -> Shown:
        quiet = SHOWN if self.item.unusual else HIDDEN
        self.shown = Shown(ref(page), language, (self.code, self.printed, self.item.line(language), quiet, b""))
        return self.shown


class LabelsRead(NamedTuple):
    """Labels that open trace pages, by path, as they were read under a lease."""

    epoch: int | None
    labels: dict[str, Label]


class Unread(Enum):
    """`UNREAD` alone."""

    UNREAD = 0


UNREAD = Unread.UNREAD


class ScanLayer:
    """The WSGI layer. ``app.extensions["code_book"]`` is there once Flask has answered a first scan."""

    def __init__(
        self, app: Flask, inner: Application, reader: StateReader, lease: StopLease, pages: TracePages, scans: ScanLog
    ) -> None:
        self._app = app
        self._session = f"{app.config['SESSION_COOKIE_NAME']}="
        self._inner = inner
        self._reader = reader
        self._lease = lease
        self._runs: States[int, Run | None] = States()
        self._labels: States[str, Label] = States()
        self._pages = pages
        self._scans = scans

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        method = environ["REQUEST_METHOD"]
        if len(path) != _PATH_LENGTH or (method != "GET" and method != "HEAD") or environ.get("QUERY_STRING"):
            return self._inner(environ, start_response)
        html, language, encoding, signed_in, client, address = self.visitor(environ)
        # Who is signed in sees what it has just changed.
        label = self._label(path, None if signed_in else time.monotonic()) if html else None
        if label is None:
            return self._inner(environ, start_response)
        page, shown = self._kept(label, language)
        if page is None or shown is None:
            answer = self._render(environ, label)
            if not answer.status.startswith("200"):
                start_response(answer.status, answer.headers)
                return [answer.body if method == "GET" else b""]
            page = KeptPage(label.version, answer.body, answer.headers)
            self._pages.keep(label.kept, language, page)
            shown = label.show(page, language)
        minute = int(time.time()) // 60
        if asked := environ.get("HTTP_IF_NONE_MATCH"):
            seen = minute if asked.strip() == "*" else _seen(asked, page.digest)
            if seen is not None and 0 <= minute - seen <= SAME_VISIT_S // 60:
                start_response("304 NOT MODIFIED", [*page.headers_304, ("ETag", page.etag(seen))])
                return [b""]
        if method == "GET":
            self._scans.note_of(client, address, language, _SHOWN, *label.scan)
        page.used = True
        body = page.brotlied(shown.inserts) if encoding == "br" else None
        if body is None and encoding:
            encoding, body = "gzip", self._pages.gzipped(page, shown.inserts)
        if body is None:
            body = page.body(shown.inserts)
        start_response("200 OK", page.headers(minute, encoding, len(body)))
        return [body if method == "GET" else b""]

    def at_once(self, path: str, visitor: Visitor, now: float, read: LabelsRead | None = None) -> bytes | Unread | None:
        """The whole answer, head and page, to a plain GET; None where Flask is needed, `UNREAD` where first the label
        must be read, which takes longer than a connection may wait.

        :param now: by the monotonic clock.
        :param read: what `read_labels` has just read.
        """
        epoch = self._lease.epoch(now)
        if epoch is None:
            return None
        kept = self._labels.get(path, epoch, now)
        if kept is not None:
            label = kept[2]
        elif read is not None:
            if read.epoch != epoch or path not in read.labels:
                return None
            label = read.labels[path]
        elif self._reader.is_near:
            found = self._read(path, (epoch, now))
            if found is None:
                return None
            label = found
        else:
            return UNREAD
        language = visitor.language
        page, shown = self._kept(label, language)
        if page is None or shown is None:
            return None
        unix = int(time.time())
        answer = page.answer(shown.inserts, unix // 60, _first_lines(unix))
        if answer is not None:
            self._scans.note_of(visitor.client, visitor.address, language, _SHOWN, *label.scan)
            page.used = True
        return answer

    def read_labels(self, paths: list[str]) -> LabelsRead:
        """Read several labels in one go; those are left out of which Flask must say more."""
        now = time.monotonic()
        epoch = self._lease.epoch(now)
        if epoch is None:
            return LabelsRead(None, {})
        lease = (epoch, now)
        try:
            found = {path: known for path in paths if (known := self._run_of(path, lease)) is not None}
            unread = [
                (code.run, code.index) for code, run, _, scans in found.values() if run.is_single and scans is UNREAD
            ]
            items = self._reader.items(unread) if unread else {}
        except self._reader.error:
            return LabelsRead(None, {})
        labels = {
            path: self._made(
                path, code, run, items.get((code.run, code.index)) if scans is UNREAD else scans, (epoch, read_at)
            )
            for path, (code, run, read_at, scans) in found.items()
        }
        return LabelsRead(epoch, labels)

    def visitor(self, environ: Environ) -> Visitor:
        cookie = environ.get("HTTP_COOKIE", "")
        wishes = _wishes(
            environ.get("HTTP_ACCEPT", ""),
            cookie if COOKIE in cookie else "",
            environ.get("HTTP_ACCEPT_LANGUAGE", ""),
            environ.get("HTTP_ACCEPT_ENCODING", ""),
        )
        return Visitor(*wishes, bool(cookie) and self._session in cookie, *self._scans.visitor(environ))

    def _kept(self, label: Label, language: str) -> tuple[KeptPage | None, Shown | None]:
        """A label's page, where it has been rendered since it last changed."""
        shown = label.shown
        page = shown.page() if shown is not None and shown.language == language else None
        if page is None:
            page = self._pages.get(label.kept, language, label.version)
            shown = label.show(page, language) if page is not None else None
        return page, shown

    def _label(self, path: str, now: float | None) -> Label | None:
        """What page the label opens and in which version, or None where Flask must say more.

        :param now: the moment for which a lease will do; None where all is to be read.
        """
        epoch = None if now is None else self._lease.epoch(now)
        if now is None or epoch is None:
            return self._read(path, None)
        kept = self._labels.get(path, epoch, now)
        return kept[2] if kept is not None else self._read(path, (epoch, now))

    def _read(self, path: str, lease: tuple[int, float] | None) -> Label | None:
        """:param lease: epoch and moment of a lease, under which what is read is kept."""
        try:
            known = self._run_of(path, lease)
            if known is None:
                return None
            code, run, read_at, scans = known
            if scans is UNREAD:
                scans = self._reader.item(code.run, code.index) if run.is_single else None
        except self._reader.error:
            return None
        return self._made(path, code, run, scans, (lease[0], read_at) if lease is not None else None)

    def _run_of(self, path: str, lease: tuple[int, float] | None) -> tuple[LabelCode, Run, float, Any] | None:
        """What a code says, its run, when that was read under the lease, and the label's scans, `UNREAD` where the run
        was known; None where Flask must say more."""
        book: CodeBook | None = self._app.extensions.get("code_book")
        if book is None or not _PATH.fullmatch(path):
            return None
        try:
            code = book.read(path[1:])
        except InvalidCode:
            return None
        known = self._runs.get(code.run, *lease) if lease is not None else None
        scans: Any = UNREAD
        if known is not None:
            run, read_at = known[2], known[1]
        else:
            row, scans = self._reader.run(code.run, code.index)
            run, read_at = None if row is None else Run.of_row(row), lease[1] if lease is not None else 0.0
            if lease is not None:
                self._runs.keep(code.run, run, *lease)
        if run is None or code.index >= run.labels or code.key_number != run.key_number:
            return None
        return None if is_void(run.voided, code.index) else (code, run, read_at, scans)

    def _made(self, path: str, code: LabelCode, run: Run, scans: Any, lease: tuple[int, float] | None) -> Label:
        """:param lease: epoch under which, and moment at which, the run was read; then the label is kept."""
        item = UNSCANNED if scans is None else Item(scans)
        label = Label(
            run.kept,
            run.version,
            code.run,
            code.index,
            (code.run, code.index if run.is_single else None, run.kept[0]),
            item,
            path[1:].encode(),
            format_code(path[1:]).encode(),
        )
        # What has not been scanned yet is looked for anew: its first scan is soon written.
        if lease is not None and not (run.is_single and scans is None):
            self._labels.keep(path, label, *lease)
        return label

    def _render(self, environ: Environ, label: Label) -> Answer:
        """Have Flask make the page with marks, plain and whole."""
        wish = {
            name: value for name, value in environ.items() if name not in {"HTTP_ACCEPT_ENCODING", "HTTP_IF_NONE_MATCH"}
        }
        wish |= {"REQUEST_METHOD": "GET", MARKED: label}
        started: list[tuple[str, Headers]] = []
        chunks = self._inner(wish, lambda status, headers, _exc_info=None: started.append((status, headers)))
        try:
            body = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return Answer(*started[-1], body)


@lru_cache(maxsize=4)
def _first_lines(unix: int) -> bytes:
    """What every answer begins with (RFC 9110, 6.6.1)."""
    return f"HTTP/1.1 200 OK\r\nDate: {http_date(unix)}\r\n".encode()


@lru_cache(maxsize=1024)
def _wishes(accept: str, cookie: str, accept_language: str, accept_encoding: str) -> tuple[bool, str, str]:
    """Whether a client would rather have a page than data, its language, and ``br``, ``gzip`` or nothing.

    :param cookie: where it says a language.
    """
    html = not accept or parse_accept_header(accept, MIMEAccept).best_match(MEDIA_TYPES, "text/html") == "text/html"
    wished = parse_cookie(cookie).get(COOKIE) if cookie else None
    accepted = parse_accept_header(accept_encoding)
    encoding = next((name for name in ("br", "gzip") if accepted.quality(name) > 0), "")
    return html, preferred(wished, parse_accept_header(accept_language, LanguageAccept)), encoding


def _seen(if_none_match: str, digest: str) -> int | None:
    """The minute in which a client was given the page that it still has."""
    found = re.search(f'"{digest}-([0-9a-f]{{1,12}})"', if_none_match[:1000])
    return int(found[1], 16) if found else None
