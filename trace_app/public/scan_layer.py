"""The way of a scan, in front of Flask: decrypt the code, read the batch's version, send the kept page.

A trace page is the same for all items of a batch but for the code, so Flask renders it once for each version
and language, with a mark where the code goes; here the marks are replaced, and the parts between them are
compressed once. The version is read from the database for every scan, before anything else: a page never
outlives a recall, and what was rendered from later reads can only be newer than the version it is kept under.

Whatever is not a plain GET or HEAD of a code as it is printed goes on to Flask.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import psycopg
from flask import Flask
from sqlalchemy.engine import make_url
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header, parse_cookie

from config import Settings
from qr.codes import ALPHABET, CODE_LENGTH, CodeBook, InvalidCode, format_code
from trace_app.labels.service import CONTAINERS, is_void
from trace_app.language import COOKIE, preferred
from trace_app.scans.log import ScanLog

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

Kept = tuple[int, str, bool]
"""Labels of which the page is the same but for the code: batch, level, and whether there is a PIN."""

MARKED = "trace_app.marked"
"""In the environ: render the page with the marks instead of the code."""
MARK = "\ue000code\ue001"
"""Stands where the code goes. Forms let no character of private use in, so no entry can look like it."""
PRINTED_MARK = "\ue000printed\ue001"
"""Stands where the code goes as it is printed."""

_PATH = re.compile(f"/[{ALPHABET}]{{{CODE_LENGTH}}}")
_MARKS = re.compile(f"({MARK}|{PRINTED_MARK})".encode())
_VARYING = {"content-length", "content-encoding", "date", "set-cookie"}
_NOT_IN_304 = {"content-type", "content-length", "content-encoding"}
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
_LAST_BLOCK = b"\x01\x00\x00\xff\xff"
_QUERY = (
    "SELECT r.count, r.key_number, r.level, r.has_pin, r.voided, b.id, b.created_at, b.version, b.status, b.recalled_at"
    " FROM label_runs r JOIN batches b ON b.id = r.batch_id WHERE r.id = "
)


class StateReader(Protocol):
    def row(self, run: int) -> tuple[Any, ...] | None:
        """Count, key number, level, PIN and voided ranges of a run; id, time of registration, version, status and
        recall of its batch."""
        ...


class SqliteReader:
    """One connection for each thread; each read sees the latest commit."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()

    def row(self, run: int) -> tuple[Any, ...] | None:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, isolation_level=None)
            connection.execute("PRAGMA query_only=ON")
            self._local.connection = connection
        row: tuple[Any, ...] | None = connection.execute(_QUERY + "?", (run,)).fetchone()
        return row


class PostgresqlReader:
    """One connection for each thread, opened anew when it was lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._local = threading.local()

    def row(self, run: int) -> tuple[Any, ...] | None:
        connection: psycopg.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            try:
                return connection.execute(_QUERY + "%s", (run,)).fetchone()
            except psycopg.OperationalError:
                connection.close()
        self._local.connection = psycopg.connect(self._url, autocommit=True, prepare_threshold=0)
        return self._local.connection.execute(_QUERY + "%s", (run,)).fetchone()  # type: ignore[no-any-return]


def reader_for(settings: Settings) -> StateReader:
    url = make_url(settings.sqlalchemy_url)
    if url.get_backend_name() == "sqlite":
        return SqliteReader(url.database or "")
    return PostgresqlReader(url.set(drivername="postgresql").render_as_string(hide_password=False))


class KeptPage:
    """A rendered page in parts, with the places of the code between them.

    ``deflated`` are the same parts, compressed once: each ends on a whole byte and refers only to bytes of
    the parts before it, never to a code's, so a code may be put between them as it is (RFC 1951, 3.2.4).
    """

    def __init__(self, version: tuple[Any, ...], body: bytes, headers: Headers) -> None:
        self.version = version
        pieces = _MARKS.split(body)
        self.parts = pieces[::2]
        self.printed = [piece == PRINTED_MARK.encode() for piece in pieces[1::2]]
        self.etag = f'W/"{hashlib.sha256(body).hexdigest()[:20]}"'
        self.headers = [*((n, v) for n, v in headers if n.lower() not in _VARYING), ("ETag", self.etag)]
        self.headers_304 = [(name, value) for name, value in self.headers if name.lower() not in _NOT_IN_304]
        self.deflated = self._deflate()

    def body(self, code: str) -> bytes:
        plain, printed = code.encode(), format_code(code).encode()
        out = [self.parts[0]]
        for is_printed, part in zip(self.printed, self.parts[1:], strict=True):
            out += (printed if is_printed else plain, part)
        return b"".join(out)

    def gzipped(self, code: str) -> bytes:
        """`body` as gzip (RFC 1952)."""
        body = self.body(code)
        plain, printed = _stored(code.encode()), _stored(format_code(code).encode())
        out = [_GZIP_HEAD, self.deflated[0]]
        for is_printed, part in zip(self.printed, self.deflated[1:], strict=True):
            out += (printed if is_printed else plain, part)
        out += (_LAST_BLOCK, zlib.crc32(body).to_bytes(4, "little"), len(body).to_bytes(4, "little"))
        return b"".join(out)

    def _deflate(self) -> list[bytes]:
        before, out = b"", []
        for part, is_printed in zip(self.parts, [*self.printed, False], strict=True):
            window = before[-32768:]
            packer = zlib.compressobj(9, wbits=-15, zdict=window) if window else zlib.compressobj(9, wbits=-15)
            out.append(packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH))
            # Zero bytes stand for the code: HTML has none, so nothing that follows refers to them.
            before += part + bytes(len(format_code("0" * CODE_LENGTH)) if is_printed else CODE_LENGTH)
        return out


def _stored(data: bytes) -> bytes:
    length = len(data).to_bytes(2, "little")
    return b"\x00" + length + bytes(byte ^ 0xFF for byte in length) + data


class TracePages:
    """A bounded store of pages by kind of label and language, the longest unused of which goes first.

    :param most: pages kept; one takes about 20 KB.
    """

    def __init__(self, most: int = 2000) -> None:
        self._most = most
        self._pages: OrderedDict[tuple[Kept, str], KeptPage] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, kept: Kept, language: str, version: tuple[Any, ...]) -> KeptPage | None:
        with self._lock:
            page = self._pages.get((kept, language))
            if page is None or page.version != version:
                return None
            self._pages.move_to_end((kept, language))
            return page

    def keep(self, kept: Kept, language: str, page: KeptPage) -> None:
        with self._lock:
            self._pages[kept, language] = page
            while len(self._pages) > self._most:
                self._pages.popitem(last=False)


class Answer(NamedTuple):
    status: str
    headers: Headers
    body: bytes


class ScanLayer:
    """The WSGI layer. ``app.extensions["code_book"]`` is there once Flask has answered a first scan."""

    def __init__(self, app: Flask, inner: Application, reader: StateReader, pages: TracePages, scans: ScanLog) -> None:
        self._app = app
        self._inner = inner
        self._reader = reader
        self._pages = pages
        self._scans = scans

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        path = environ["PATH_INFO"]
        if method not in {"GET", "HEAD"} or environ.get("QUERY_STRING") or not _PATH.fullmatch(path):
            return self._inner(environ, start_response)
        code = path[1:]
        state = self._state(code)
        if state is None:
            return self._inner(environ, start_response)
        kept, version = state
        language = _language(environ.get("HTTP_COOKIE", ""), environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        page = self._pages.get(kept, language, version)
        if page is None:
            answer = self._render(environ)
            if not answer.status.startswith("200"):
                start_response(answer.status, answer.headers)
                return [answer.body if method == "GET" else b""]
            page = KeptPage(version, answer.body, answer.headers)
            self._pages.keep(kept, language, page)
        if method == "GET":
            self._scans.note(kept[0], environ.get("HTTP_USER_AGENT", ""))
        if _matches(environ.get("HTTP_IF_NONE_MATCH", ""), page.etag):
            start_response("304 NOT MODIFIED", page.headers_304)
            return [b""]
        headers = page.headers.copy()
        if _takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
            body = page.gzipped(code)
            headers.append(("Content-Encoding", "gzip"))
        else:
            body = page.body(code)
        headers.append(("Content-Length", str(len(body))))
        start_response("200 OK", headers)
        return [body if method == "GET" else b""]

    def _state(self, code: str) -> tuple[Kept, tuple[Any, ...]] | None:
        """What page the label opens and in which version, or None where Flask must say more."""
        book: CodeBook | None = self._app.extensions.get("code_book")
        if book is None:
            return None
        try:
            label = book.read(code)
            row = self._reader.row(label.run)
        except (InvalidCode, sqlite3.Error, psycopg.Error):
            return None
        if row is None:
            return None
        count, key_number, level, has_pin, voided, batch_id, created_at, version, status, recalled_at = row
        known = label.index < count and label.key_number == key_number
        if not known or (status == "draft" and recalled_at is None):
            return None
        # A container's page shows what lies inside: Flask makes it each time.
        if level in CONTAINERS or is_void(voided, label.index):
            return None
        return (batch_id, level, bool(has_pin)), (created_at, version)

    def _render(self, environ: Environ) -> Answer:
        """Have Flask make the page with marks, plain and whole."""
        wish = {
            name: value for name, value in environ.items() if name not in {"HTTP_ACCEPT_ENCODING", "HTTP_IF_NONE_MATCH"}
        }
        wish |= {"REQUEST_METHOD": "GET", MARKED: True}
        started: list[tuple[str, Headers]] = []
        chunks = self._inner(wish, lambda status, headers, _exc_info=None: started.append((status, headers)))
        try:
            body = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return Answer(*started[-1], body)


@lru_cache(maxsize=4096)
def _language(cookie: str, accept: str) -> str:
    wished = parse_cookie(cookie).get(COOKIE) if COOKIE in cookie else None
    return preferred(wished, parse_accept_header(accept, LanguageAccept))


@lru_cache(maxsize=4096)
def _takes_gzip(header: str) -> bool:
    return parse_accept_header(header).quality("gzip") > 0


def _matches(header: str, etag: str) -> bool:
    return bool(header) and (header.strip() == "*" or etag.removeprefix("W/") in header)
