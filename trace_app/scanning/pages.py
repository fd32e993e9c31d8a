"""Rendered trace pages as a worker keeps them: compressed once, with places for what differs from label to label."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from functools import lru_cache
from typing import Any, NamedTuple

import brotli

from qr.codes import CODE_LENGTH, PRINTED_LENGTH
from trace_app.scanning import brotli_splice
from trace_app.scanning.item_line import HIDDEN, LINE_BYTES

Headers = list[tuple[str, str]]

CODE_MARK = "\ue000code\ue001"
"""Stands where the code goes. Forms let no character of private use in, so no entry can look like it."""
PRINTED_MARK = "\ue000printed\ue001"
"""Stands where the code goes as it is printed."""
ITEM_MARK = "\ue000item\ue001"
"""Stands where the item's own line goes."""
QUIET_MARK = "\ue000quiet\ue001"
"""Stands where a word hides what the page says of unusual scans, or does not."""
CUT_MARK = "\ue000cut\ue001"
"""Stands where what all pages begin with ends, style sheet and all: it is kept once for all of them."""

PAGES_BYTES = 64 * 1024 * 1024
"""What the pages kept by a worker may take."""
PAGE_OVERHEAD_BYTES = 2048
"""What the objects and the key of a kept page take beside its text."""

_MARKS = re.compile(f"({CODE_MARK}|{PRINTED_MARK}|{ITEM_MARK}|{QUIET_MARK}|{CUT_MARK})".encode())
_VARYING = {"content-length", "content-encoding", "date", "set-cookie"}
_NOT_IN_304 = {"content-type", "content-length", "content-encoding"}


class Inserts(NamedTuple):
    """What one label puts into the places of its lot's page."""

    code: bytes
    printed: bytes
    item: bytes
    quiet: bytes
    cut: bytes = b""


_PLACES = [mark.encode() for mark in (CODE_MARK, PRINTED_MARK, ITEM_MARK, QUIET_MARK, CUT_MARK)]
_LENGTHS = (CODE_LENGTH, PRINTED_LENGTH, LINE_BYTES, len(HIDDEN), 0)


class PageKey(NamedTuple):
    """What labels have in common of which the page is the same but for code and item."""

    batch_id: int
    level: str
    has_pin: bool


class KeptPage:
    """A rendered page, as the pieces of a Brotli stream with the label's own texts still to be put in.

    What all pages begin with is one and the same object in each of them.
    """

    __slots__ = ("_headers", "_pieces", "_places", "_sent", "digest", "headers_304", "used", "version")

    def __init__(self, version: tuple[object, ...], body: bytes, headers: Headers) -> None:
        """:param version: of the lot, from before the page was rendered.
        :raises BrokenSplice:
        """
        found = _MARKS.split(body)
        self.version = version
        self.digest = hashlib.sha256(body).hexdigest()[:16]
        self.used = True
        """Whether it was asked for since `PageStore` last looked for what may go."""
        self._places = _alike(tuple(_PLACES.index(mark) for mark in found[1::2]))
        self._pieces = brotli_splice.compress(found[::2], [_LENGTHS[place] for place in self._places])
        self._pieces[0] = _alike(self._pieces[0])
        self._headers, self.headers_304 = _headers(tuple(pair for pair in headers if pair[0].lower() not in _VARYING))
        self._sent: tuple[tuple[int, int], Headers] = ((0, 0), [])

    @property
    def size(self) -> int:
        """Bytes that it takes in memory."""
        return sum(map(len, self._pieces[1:])) + PAGE_OVERHEAD_BYTES

    def etag(self, minute: int) -> str:
        """:param minute: in which the client was given the page."""
        return f'W/"{self.digest}-{minute:x}"'

    def headers(self, minute: int, length: int) -> Headers:
        """What goes before a compressed body: one list for all who ask within a minute."""
        if self._sent[0] != (minute, length):
            own = [("ETag", self.etag(minute)), ("Content-Length", str(length)), ("Content-Encoding", "br")]
            self._sent = ((minute, length), [*self._headers, *own])
        return self._sent[1]

    def plain_headers(self, minute: int, length: int) -> Headers:
        """What goes before a body that is sent as it is."""
        return [*self._headers, ("ETag", self.etag(minute)), ("Content-Length", str(length))]

    def compressed(self, inserts: Inserts) -> bytes:
        """The label's page as Brotli."""
        pieces = self._pieces.copy()
        pieces[1::2] = [inserts[place] for place in self._places]
        return b"".join(pieces)

    def plain(self, inserts: Inserts) -> bytes:
        """The label's page as it is, for who takes no Brotli."""
        return bytes(brotli.decompress(self.compressed(inserts)))


@lru_cache(maxsize=256)
def _alike(value: Any) -> Any:
    """The same value as one object for all pages."""
    return value


@lru_cache(maxsize=64)
def _headers(headers: tuple[tuple[str, str], ...]) -> tuple[Headers, Headers]:
    """The headers that are sent with a page, and with the word that it has not changed: one list for all alike."""
    return list(headers), [(name, value) for name, value in headers if name.lower() not in _NOT_IN_304]


class PageStore:
    """A worker's pages, by key and language, within a bound. The oldest goes first, unless it was used since it was
    last looked at: then it has another turn.

    :param most: bytes that the pages may take.
    """

    def __init__(self, most: int = PAGES_BYTES) -> None:
        self._most = most
        self._taken = 0
        self._pages: OrderedDict[tuple[PageKey, str], KeptPage] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: PageKey, language: str, version: tuple[object, ...]) -> KeptPage | None:
        page = self._pages.get((key, language))
        return page if page is not None and page.version == version else None

    def keep(self, key: PageKey, language: str, page: KeptPage) -> None:
        with self._lock:
            before = self._pages.pop((key, language), None)
            self._pages[key, language] = page
            self._taken += page.size - (before.size if before else 0)
            while self._taken > self._most and self._pages:
                place, oldest = self._pages.popitem(last=False)
                if oldest.used:
                    oldest.used = False
                    self._pages[place] = oldest
                else:
                    self._taken -= oldest.size
