"""The way of a scan, in front of Flask: decrypt the code, read the batch's version, send the kept page.

A trace page is the same for all items of a batch but for the code and a line on the item, so Flask renders it
once for each version and language, with marks where these go; here the marks are replaced, and the parts between
them are compressed once. The version comes before anything else: from the database, or as it was read some seconds
ago where a lease says that nothing was stopped since (`db.leases`). So a page never outlives a recall, and what was
rendered from later reads can only be newer than the version it is kept under.

Whatever is not a plain GET or HEAD of a code as it is printed goes on to Flask.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import re
import sqlite3
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import brotli
import psycopg
from flask import Flask
from sqlalchemy.engine import make_url
from werkzeug.datastructures import LanguageAccept, MIMEAccept
from werkzeug.http import parse_accept_header, parse_cookie

from config import Settings
from qr.codes import ALPHABET, CODE_LENGTH, PRINTED_LENGTH, CodeBook, InvalidCode, format_code
from trace_app.db.leases import StopLease
from trace_app.labels.models import LabelLevel
from trace_app.labels.service import CONTAINERS, is_void
from trace_app.language import COOKIE, preferred
from trace_app.public.item import HIDDEN, LINE_BYTES, SHOWN, is_unusual, item_line
from trace_app.public.machine import MEDIA_TYPES
from trace_app.scans.log import ScanLog
from trace_app.scans.models import Outcome

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Inserts = tuple[bytes, bytes, bytes, bytes, bytes]
"""Code, code as it is printed, the item's line, what hides the word on unusual scans, and nothing."""
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

Kept = tuple[int, str, bool]
"""Labels of which the page is the same but for code and item: batch, level, and whether there is a PIN."""

MARKED = "trace_app.marked"
"""In the environ: render the page with the marks instead of the code, for a `Label`."""
MARK = "\ue000code\ue001"
"""Stands where the code goes. Forms let no character of private use in, so no entry can look like it."""
PRINTED_MARK = "\ue000printed\ue001"
"""Stands where the code goes as it is printed."""
ITEM_MARK = "\ue000item\ue001"
"""Stands where the item's own line goes."""
QUIET_MARK = "\ue000quiet\ue001"
"""Stands where a word hides what the page says of unusual scans, or does not."""
CUT_MARK = "\ue000cut\ue001"
"""Stands where what all pages begin with ends: style sheet and all. It is kept once for all of them."""

SAME_VISIT_S = 600
"""Seconds within which a reader that asks again for a page it has is the same visit, not a new scan."""
PAGES_BYTES = 64 * 1024 * 1024
"""What the pages kept by a worker may take."""

_PATH = re.compile(f"/[{ALPHABET}]{{{CODE_LENGTH}}}")
_MARKS = re.compile(f"({MARK}|{PRINTED_MARK}|{ITEM_MARK}|{QUIET_MARK}|{CUT_MARK})".encode())
_INSERTS = {
    MARK.encode(): 0,
    PRINTED_MARK.encode(): 1,
    ITEM_MARK.encode(): 2,
    QUIET_MARK.encode(): 3,
    CUT_MARK.encode(): 4,
}
_LENGTHS = (CODE_LENGTH, PRINTED_LENGTH, LINE_BYTES, len(HIDDEN), 0)
_BLANK = (bytes(CODE_LENGTH), bytes(PRINTED_LENGTH), bytes(LINE_BYTES), bytes(len(HIDDEN)), b"")
_VARYING = {"content-length", "content-encoding", "date", "set-cookie"}
_NOT_IN_304 = {"content-type", "content-length", "content-encoding"}
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
_LAST_BLOCK = b"\x01\x00\x00\xff\xff"
_RUN = (
    "SELECT r.count, r.key_number, r.level, r.has_pin, r.voided, b.id, b.status, b.created_at, b.version,"
    " (SELECT count(*) FROM recall_batches m JOIN recall_notices n ON n.recall_id = m.recall_id WHERE m.batch_id = b.id),"
    " (SELECT count(*) FROM lot_links l JOIN recall_batches m ON m.batch_id = l.source_id"
    " JOIN recall_notices n ON n.recall_id = m.recall_id WHERE l.target_id = b.id AND l.withdrawn_at IS NULL)"
    " FROM label_runs r JOIN batches b ON b.id = r.batch_id WHERE r.id = {}"
)
"""What stops a lot, or a lot that it was made of, is as new as there are notices on it: there is never one less."""
_ITEM = 'SELECT first_at, scans, unusual FROM scan_items WHERE run_id = {} AND "index" = {}'
STATE_S = 30.0
"""Seconds that a lot's version, and a label's scans, are used again under a lease. What stops a lot ends the lease;
other changes may take that long to reach consumers."""
STATES = 12_000
"""Of either, kept by a worker."""


class StateReader(Protocol):
    def run(self, run: int) -> tuple[Any, ...] | None:
        """Count, key number, level, PIN and voided ranges of a run; id and status of its batch; and what tells one
        state of its page from another: time of registration, version, notices on it and on what it was made of."""
        ...

    def item(self, run: int, index: int) -> tuple[Any, int, Any] | None:
        """First scan, scans and unusual scans of a label, None before the first."""
        ...


class SqliteReader:
    """One connection for each thread; each read sees the latest commit."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()

    def run(self, run: int) -> Any:
        return self._row(_RUN.format("?"), (run,))

    def item(self, run: int, index: int) -> Any:
        return self._row(_ITEM.format("?", "?"), (run, index))

    def _row(self, query: str, values: tuple[int, ...]) -> Any:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._path, isolation_level=None)
            connection.execute("PRAGMA query_only=ON")
            # Rows at random places: what is read here once is seldom read again, and the system keeps it anyway.
            connection.execute("PRAGMA cache_size=-256")
            self._local.connection = connection
        return connection.execute(query, values).fetchone()


class PostgresqlReader:
    """One connection for each thread, opened anew when it was lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._local = threading.local()

    def run(self, run: int) -> Any:
        return self._row(_RUN.format("%s"), (run,))

    def item(self, run: int, index: int) -> Any:
        return self._row(_ITEM.format("%s", "%s"), (run, index))

    def _row(self, query: str, values: tuple[int, ...]) -> Any:
        connection: psycopg.Connection | None = getattr(self._local, "connection", None)
        if connection is not None:
            try:
                return connection.execute(query, values).fetchone()
            except psycopg.OperationalError:
                connection.close()
        # A plan that was made while a table was empty would read all of it later on: by index alone.
        self._local.connection = psycopg.connect(
            self._url, autocommit=True, prepare_threshold=0, options="-c enable_seqscan=off -c enable_bitmapscan=off"
        )
        return self._local.connection.execute(query, values).fetchone()


class States:
    """What was read of runs and labels, when, and under which lease. Bounded: all is forgotten when it is full."""

    def __init__(self, most: int = STATES) -> None:
        self._most = most
        self._kept: dict[Any, tuple[int, float, Any]] = {}

    def get(self, key: Any, epoch: int, now: float) -> tuple[Any] | None:
        """What was read under a lease of this epoch, not long ago, in a tuple."""
        found = self._kept.get(key)
        return (found[2],) if found is not None and found[0] == epoch and now - found[1] < STATE_S else None

    def keep(self, key: Any, value: Any, epoch: int, now: float) -> None:
        """Keep what was read, where a lease of this epoch was held as the reading began."""
        if len(self._kept) >= self._most:
            self._kept = {}
        self._kept[key] = (epoch, now, value)


def reader_for(settings: Settings) -> StateReader:
    url = make_url(settings.sqlalchemy_url)
    if url.get_backend_name() == "sqlite":
        return SqliteReader(url.database or "")
    return PostgresqlReader(url.set(drivername="postgresql").render_as_string(hide_password=False))


class KeptPage:
    """A rendered page in parts, with the places of code, printed code and item's line between them.

    What goes there is of one length each, so the parts are compressed once, and what goes there is put between them
    as it is: in uncompressed meta-blocks of Brotli (RFC 7932, 9.2), and in stored blocks of DEFLATE (RFC 1951, 3.2.4).
    Each part ends on a whole byte and refers only to bytes of the parts before it, never to what stands between.
    Only the compressed parts are kept: those of Brotli, and the others once someone without Brotli has asked.
    """

    __slots__ = ("_lengths", "_places", "brotli", "deflated", "digest", "headers", "headers_304", "inserts", "version")

    def __init__(self, version: tuple[Any, ...], body: bytes, headers: Headers) -> None:
        self.version = version
        pieces = _MARKS.split(body)
        self._lengths = tuple(len(part) for part in pieces[::2])
        self.inserts = _alike(tuple(_INSERTS[piece] for piece in pieces[1::2]))
        self._places: tuple[tuple[int, int], ...] = ()
        self.digest = hashlib.sha256(body).hexdigest()[:16]
        self.headers, self.headers_304 = _headers(tuple(headers))
        self.deflated: list[bytes] | None = None
        self.brotli: list[bytes] | None = self._brotli(pieces[::2])
        if not self._is_whole(pieces[::2]):
            self.brotli, self.deflated = None, self._deflate(pieces[::2])

    @property
    def size(self) -> int:
        """Bytes that it takes in memory."""
        return sum(map(len, (self.brotli or [])[1:])) + sum(map(len, self.deflated or ())) + _PAGE_OVERHEAD

    def body(self, inserts: Inserts) -> bytes:
        packed = self.brotlied(inserts)
        return brotli.decompress(packed) if packed is not None else gzip.decompress(self.gzipped(inserts))

    def gzipped(self, inserts: Inserts) -> bytes:
        """`body` as gzip (RFC 1952)."""
        if self.deflated is None:
            self.deflated = self._deflate(self._parts())
        stored = [_stored(text) for text in inserts]
        packed = b"".join([*self._joined(self.deflated, stored), _LAST_BLOCK])
        body = zlib.decompress(packed, wbits=-15)
        return b"".join((_GZIP_HEAD, packed, zlib.crc32(body).to_bytes(4, "little"), len(body).to_bytes(4, "little")))

    def brotlied(self, inserts: Inserts) -> bytes | None:
        """`body` as Brotli, None where it can't be put together."""
        if self.brotli is None:
            return None
        pieces = self.brotli.copy()
        for place, insert in self._places:
            pieces[place] = inserts[insert]
        return b"".join(pieces)

    def _parts(self) -> list[bytes]:
        """The page's parts as they were, from the compressed ones."""
        body, out = self.body(_BLANK), []
        for part, insert in zip(self._lengths, [*self.inserts, None], strict=True):
            out.append(body[:part])
            body = body[part + (0 if insert is None else _LENGTHS[insert]) :]
        return out

    def _joined(self, parts: list[bytes], inserts: Sequence[bytes]) -> list[bytes]:
        out = [parts[0]]
        for insert, part in zip(self.inserts, parts[1:], strict=True):
            out += (inserts[insert], part)
        return out

    def _deflate(self, parts: list[bytes]) -> list[bytes]:
        before, out = b"", []
        for part, insert in zip(parts, [*self.inserts, 0], strict=True):
            window = before[-32768:]
            packer = zlib.compressobj(6, wbits=-15, zdict=window) if window else zlib.compressobj(6, wbits=-15)
            out.append(packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH))
            # Zero bytes stand for what is put between: HTML has none, so nothing that follows refers to them.
            before += part + bytes(_LENGTHS[insert])
        return out

    def _brotli(self, parts: list[bytes]) -> list[bytes]:
        """The parts, between them the heads of meta-blocks and places for what is put in.

        The two bytes after each place stand in its meta-block, uncompressed: a decoder goes by the two bytes before a
        compressed one in choosing its codes.
        """
        packer = brotli.Compressor(mode=brotli.MODE_TEXT, quality=6, lgwin=18)
        out = [_shared(packer.process(parts[0]) + packer.flush())]
        places = []
        for turn, (insert, part) in enumerate(zip(self.inserts, parts[1:], strict=True)):
            length = _LENGTHS[insert]
            after = part[:_CONTEXT] if length else b""
            if after:
                # Bytes without order stand for what is put in: they are stored as they are, and occur nowhere else.
                packer.process(hashlib.shake_128(turn.to_bytes(2, "big")).digest(length) + after)
                packer.flush()
                if len(out) > 1:
                    out[-1] += _brotli_stored(length + _CONTEXT)
                else:
                    out.append(_brotli_stored(length + _CONTEXT))
                places.append((len(out), insert))
                out += (b"", after)
            elif len(out) == 1:
                out.append(b"")
            out[-1] += packer.process(part[len(after) :]) + packer.flush()
        out[-1] += packer.finish()
        self._places = _alike(tuple(places))
        return out

    def _is_whole(self, parts: list[bytes]) -> bool:
        """Whether what a decoder makes of the Brotli parts is the page."""
        try:
            return bool(brotli.decompress(self.brotlied(_BLANK) or b"") == b"".join(self._joined(parts, _BLANK)))
        except brotli.error:
            return False


@lru_cache(maxsize=16)
def _shared(part: bytes) -> bytes:
    """The same bytes, once for all pages."""
    return part


@lru_cache(maxsize=256)
def _alike(value: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same tuple, once for all pages alike."""
    return value


@lru_cache(maxsize=64)
def _headers(headers: tuple[tuple[str, str], ...]) -> tuple[Headers, Headers]:
    """What is sent of the headers with a page, and with the word that it has not changed: one for all alike."""
    kept = [(name, value) for name, value in headers if name.lower() not in _VARYING]
    return kept, [(name, value) for name, value in kept if name.lower() not in _NOT_IN_304]


def _stored(data: bytes) -> bytes:
    length = len(data).to_bytes(2, "little")
    return b"\x00" + length + bytes(byte ^ 0xFF for byte in length) + data


_CONTEXT = 2
_PAGE_OVERHEAD = 1536
"""Objects and keys of a kept page, in bytes."""


def _brotli_stored(length: int) -> bytes:
    """The head of an uncompressed meta-block: not the last, four nibbles of length, and the mark of it."""
    return ((length - 1) << 3 | 1 << 19).to_bytes(3, "little")


class TracePages:
    """A bounded store of pages by kind of label and language, the longest unused of which goes first.

    :param most: bytes that the pages may take.
    """

    def __init__(self, most: int = PAGES_BYTES) -> None:
        self._most = most
        self._taken = 0
        self._pages: OrderedDict[tuple[Kept, str], KeptPage] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, kept: Kept, language: str, version: tuple[Any, ...]) -> KeptPage | None:
        key = (kept, language)
        page = self._pages.get(key)
        if page is None or page.version != version:
            return None
        with contextlib.suppress(KeyError):
            self._pages.move_to_end(key)
        return page

    def keep(self, kept: Kept, language: str, page: KeptPage) -> None:
        with self._lock:
            before = self._pages.pop((kept, language), None)
            self._pages[kept, language] = page
            self._taken += page.size - (before.size if before else 0)
            self._bound()

    def gzipped(self, page: KeptPage, inserts: Inserts) -> bytes:
        """A page as gzip; what it grows by the first time counts."""
        before = page.size if page.deflated is None else None
        packed = page.gzipped(inserts)
        if before is not None:
            with self._lock:
                self._taken += page.size - before
                self._bound()
        return packed

    def _bound(self) -> None:
        while self._taken > self._most and self._pages:
            self._taken -= self._pages.popitem(last=False)[1].size


class Answer(NamedTuple):
    status: str
    headers: Headers
    body: bytes


class Item:
    """What a page says of a single label: of its scans before, and whether they were unusual.

    :param row: first scan, scans and unusual scans as the database has them; None before the first.
    """

    __slots__ = ("_lines", "_row", "unusual")

    def __init__(self, row: tuple[Any, int, Any] | None) -> None:
        self._row = row
        self._lines: dict[str, bytes] | None = None
        self.unusual = row is not None and is_unusual(row[1], row[2])

    def line(self, language: str) -> bytes:
        """Made once in each language."""
        if self._lines is None:
            self._lines = {}
        line = self._lines.get(language)
        if line is None:
            first_at, scans = self._row[:2] if self._row is not None else (None, 0)
            line = self._lines[language] = item_line(first_at, scans, language)
        return line


_UNSCANNED = Item(None)


class Label(NamedTuple):
    """A label that opens a trace page, as the layer read it."""

    kept: Kept
    version: tuple[Any, ...]
    run_id: int
    place: int
    """Its index in the run."""
    item: Item


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
        self._runs, self._items = States(), States()
        self._pages = pages
        self._scans = scans

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        path = environ["PATH_INFO"]
        if method not in {"GET", "HEAD"} or environ.get("QUERY_STRING") or not _PATH.fullmatch(path):
            return self._inner(environ, start_response)
        if not wants_html(environ.get("HTTP_ACCEPT", "")):
            return self._inner(environ, start_response)
        code = path[1:]
        now = time.monotonic()
        # Who is signed in sees what it has just changed.
        epoch = None if self._session in environ.get("HTTP_COOKIE", "") else self._lease.epoch(now)
        label = self._label(code, epoch, now)
        if label is None:
            return self._inner(environ, start_response)
        language = _language(environ.get("HTTP_COOKIE", ""), environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        page = self._pages.get(label.kept, language, label.version)
        if page is None:
            answer = self._render(environ, label)
            if not answer.status.startswith("200"):
                start_response(answer.status, answer.headers)
                return [answer.body if method == "GET" else b""]
            page = KeptPage(label.version, answer.body, answer.headers)
            self._pages.keep(label.kept, language, page)
        minute = int(time.time()) // 60
        etag = f'W/"{page.digest}-{minute:x}"'
        if asked := environ.get("HTTP_IF_NONE_MATCH"):
            seen = minute if asked.strip() == "*" else _seen(asked, page.digest)
            if seen is not None and 0 <= minute - seen <= SAME_VISIT_S // 60:
                start_response("304 NOT MODIFIED", [*page.headers_304, ("ETag", f'W/"{page.digest}-{seen:x}"')])
                return [b""]
        if method == "GET":
            batch_id, level = label.kept[:2]
            self._scans.note(
                environ, language, Outcome.SHOWN,
                run_id=label.run_id, index=label.place if level == LabelLevel.ITEM else None, batch_id=batch_id,
            )  # fmt: skip
        inserts = (code.encode(), format_code(code).encode(), label.item.line(language),
                   SHOWN if label.item.unusual else HIDDEN, b"")  # fmt: skip
        encoding = _encoding(environ.get("HTTP_ACCEPT_ENCODING", ""))
        body = page.brotlied(inserts) if encoding == "br" else None
        if body is None and encoding:
            encoding, body = "gzip", self._pages.gzipped(page, inserts)
        if body is None:
            body = page.body(inserts)
        headers = [*page.headers, ("ETag", etag), ("Content-Length", str(len(body)))]
        if encoding:
            headers.append(("Content-Encoding", encoding))
        start_response("200 OK", headers)
        return [body if method == "GET" else b""]

    def _label(self, code: str, epoch: int | None, now: float) -> Label | None:
        """What page the label opens and in which version, or None where Flask must say more."""
        book: CodeBook | None = self._app.extensions.get("code_book")
        if book is None:
            return None
        try:
            read = book.read(code)
            run, index = read.run, read.index
            row = self._read(self._runs, self._reader.run, (run,), epoch, now)
            if row is None:
                return None
            count, key_number, level, has_pin, voided, batch_id, status, *version = row
            # A draft has labels only where a recall took it in: Flask knows.
            if index >= count or read.key_number != key_number or status == "draft":
                return None
            # A container's page shows what lies inside: Flask makes it each time.
            if level in CONTAINERS or is_void(voided, index):
                return None
            item = _UNSCANNED
            if level == LabelLevel.ITEM:
                item = self._read(self._items, self._item, (run, index), epoch, now)
        except (InvalidCode, sqlite3.Error, psycopg.Error):
            return None
        return Label((batch_id, level, bool(has_pin)), tuple(version), run, index, item)

    def _item(self, run: int, index: int) -> Item:
        row = self._reader.item(run, index)
        return _UNSCANNED if row is None else Item(row)

    def _read(
        self, states: States, reader: Callable[..., Any], key: tuple[int, ...], epoch: int | None, now: float
    ) -> Any:
        if epoch is None:
            return reader(*key)
        found = states.get(key, epoch, now)
        if found is not None:
            return found[0]
        value = reader(*key)
        # What has not been scanned yet is looked for anew: its first scan is soon written.
        if value is not _UNSCANNED:
            states.keep(key, value, epoch, now)
        return value

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


@lru_cache(maxsize=4096)
def _language(cookie: str, accept: str) -> str:
    wished = parse_cookie(cookie).get(COOKIE) if COOKIE in cookie else None
    return preferred(wished, parse_accept_header(accept, LanguageAccept))


@lru_cache(maxsize=1024)
def wants_html(accept: str) -> bool:
    """Whether a page is what a client would rather have than data for machines."""
    return not accept or parse_accept_header(accept, MIMEAccept).best_match(MEDIA_TYPES, "text/html") == "text/html"


@lru_cache(maxsize=1024)
def _encoding(header: str) -> str:
    """``br``, ``gzip`` or nothing, by what a client takes."""
    accepted = parse_accept_header(header)
    return next((name for name in ("br", "gzip") if accepted.quality(name) > 0), "")


def _seen(if_none_match: str, digest: str) -> int | None:
    """The minute in which a client was given the page that it still has."""
    found = re.search(f'"{digest}-([0-9a-f]{{1,12}})"', if_none_match[:1000])
    return int(found[1], 16) if found else None
