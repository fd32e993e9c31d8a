"""Rendered trace pages as they are kept: compressed once, with places for what differs from label to label."""

from __future__ import annotations

import gzip
import hashlib
import re
import threading
import zlib
from array import array
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

import brotli

from qr.codes import CODE_LENGTH, PRINTED_LENGTH
from trace_app.public.item import HIDDEN, LINE_BYTES

Headers = list[tuple[str, str]]
Inserts = tuple[bytes, bytes, bytes, bytes, bytes]
"""Code, code as it is printed, the item's line, what hides the word on unusual scans, and nothing."""
Kept = tuple[int, str, bool]
"""Labels of which the page is the same but for code and item: batch, level, and whether there is a PIN."""

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

PAGES_BYTES = 64 * 1024 * 1024
"""What the pages kept by a worker may take."""

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


class KeptPage:
    """A rendered page in parts, with the places of code, printed code and item's line between them.

    What goes there is of one length each, so the parts are compressed once, and what goes there is put between them
    as it is: in uncompressed meta-blocks of Brotli (RFC 7932, 9.2), and in stored blocks of DEFLATE (RFC 1951, 3.2.4).
    Each part ends on a whole byte and refers only to bytes of the parts before it, never to what stands between.
    Only the compressed parts are kept: as Brotli, the beginning of which all pages share, and as DEFLATE once someone
    without Brotli has asked.
    """

    __slots__ = (
        "__weakref__",
        "_brotli",
        "_brotli_length",
        "_headers",
        "_inserts",
        "_lengths",
        "_places",
        "_sent",
        "_wire",
        "deflated",
        "digest",
        "headers_304",
        "used",
        "version",
    )

    def __init__(self, version: tuple[Any, ...], body: bytes, headers: Headers) -> None:
        self.version = version
        pieces = _MARKS.split(body)
        parts = pieces[::2]
        self._lengths = array("L", map(len, parts))
        self._inserts = _alike(tuple(_INSERTS[piece] for piece in pieces[1::2]))
        self.digest = hashlib.sha256(body).hexdigest()[:16]
        self._headers, self.headers_304, self._wire = _headers(
            tuple(pair for pair in headers if pair[0].lower() not in _VARYING)
        )
        self.used = True
        """Whether it was asked for since `TracePages` last looked for what may go."""
        self._sent: tuple[tuple[int, str, int], Headers] = ((0, "", 0), [])
        self.deflated: list[bytes] | None = None
        self._brotli: list[bytes] | None
        self._brotli, self._places = self._compress(parts)
        if not self._is_whole(parts):
            self._brotli, self.deflated = None, self._deflate(parts)
        self._brotli_length = len(self.brotlied(_BLANK) or b"")

    @property
    def size(self) -> int:
        """Bytes that it takes in memory."""
        return sum(map(len, (self._brotli or [])[1:])) + sum(map(len, self.deflated or ())) + _PAGE_OVERHEAD

    def etag(self, minute: int) -> str:
        """:param minute: in which the client was given the page."""
        return f'W/"{self.digest}-{minute:x}"'

    def headers(self, minute: int, encoding: str, length: int) -> Headers:
        """What goes before a body: made once for all who ask alike within a minute."""
        alike = (minute, encoding, length)
        sent = self._sent
        if sent[0] != alike:
            headers = [*self._headers, ("ETag", self.etag(minute)), ("Content-Length", str(length))]
            if encoding:
                headers.append(("Content-Encoding", encoding))
            sent = self._sent = (alike, headers)
        return sent[1]

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
        if self._brotli is None:
            return None
        pieces = self._brotli.copy()
        pieces[2::2] = self._places(inserts)
        return b"".join(pieces)

    def answer(self, inserts: Inserts, minute: int, first_lines: bytes) -> bytes | None:
        """The page as Brotli with all that goes before it on a connection (RFC 9112); None where it is not to be had.

        :param first_lines: status and headers that no page has of its own.
        """
        if self._brotli is None:
            return None
        pieces = self._brotli.copy()
        pieces[2::2] = self._places(inserts)
        own = f"ETag: {self.etag(minute)}\r\nContent-Length: {self._brotli_length}\r\nContent-Encoding: br\r\n\r\n"
        return b"".join((first_lines, self._wire, own.encode(), *pieces))

    def _parts(self) -> list[bytes]:
        """The page's parts as they were, from the compressed ones."""
        body, out = self.body(_BLANK), []
        for part, insert in zip(self._lengths, [*self._inserts, None], strict=True):
            out.append(body[:part])
            body = body[part + (0 if insert is None else _LENGTHS[insert]) :]
        return out

    def _joined(self, parts: list[bytes], inserts: Sequence[bytes]) -> list[bytes]:
        out = [parts[0]]
        for insert, part in zip(self._inserts, parts[1:], strict=True):
            out += (inserts[insert], part)
        return out

    def _deflate(self, parts: list[bytes]) -> list[bytes]:
        before, out = b"", []
        for part, insert in zip(parts, [*self._inserts, 0], strict=True):
            window = before[-32768:]
            packer = zlib.compressobj(6, wbits=-15, zdict=window) if window else zlib.compressobj(6, wbits=-15)
            out.append(packer.compress(part) + packer.flush(zlib.Z_SYNC_FLUSH))
            # Zero bytes stand for what is put between: HTML has none, so nothing that follows refers to them.
            before += part + bytes(_LENGTHS[insert])
        return out

    def _compress(self, parts: list[bytes]) -> tuple[list[bytes], Callable[[Inserts], tuple[bytes, ...]]]:
        """The parts as Brotli, every other of them a place for what is put in; and what gives that, in their order.

        The two bytes after each place stand in its meta-block, uncompressed: a decoder goes by the two bytes before a
        compressed one in choosing its codes.
        """
        packer = brotli.Compressor(mode=brotli.MODE_TEXT, quality=5, lgwin=16)
        out = [_shared(packer.process(parts[0]) + packer.flush()), b""]
        places = []
        for turn, (insert, part) in enumerate(zip(self._inserts, parts[1:], strict=True)):
            length = _LENGTHS[insert]
            after = part[:_CONTEXT] if length else b""
            if after:
                # Bytes without order stand for what is put in: they are stored as they are, and occur nowhere else.
                packer.process(hashlib.shake_128(turn.to_bytes(2, "big")).digest(length) + after)
                packer.flush()
                out[-1] += _brotli_stored(length + _CONTEXT)
                places.append(insert)
                out += (b"", after)
            out[-1] += packer.process(part[len(after) :]) + packer.flush()
        out[-1] += packer.finish()
        return out, _picked(tuple(places))

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


@lru_cache(maxsize=64)
def _picked(places: tuple[int, ...]) -> Callable[[Inserts], tuple[bytes, ...]]:
    """What gives the inserts that go to places, in order: one for all pages alike."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda inserts: tuple(inserts[place] for place in places)


@lru_cache(maxsize=256)
def _alike(value: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same tuple, once for all pages alike."""
    return value


@lru_cache(maxsize=64)
def _headers(headers: tuple[tuple[str, str], ...]) -> tuple[Headers, Headers, bytes]:
    """The headers that are sent with a page, and with the word that it has not changed: one list for all alike; and the
    former as they go over the wire."""
    wire = "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")
    return list(headers), [(name, value) for name, value in headers if name.lower() not in _NOT_IN_304], wire


def _stored(data: bytes) -> bytes:
    length = len(data).to_bytes(2, "little")
    return b"\x00" + length + bytes(byte ^ 0xFF for byte in length) + data


_CONTEXT = 2
_PAGE_OVERHEAD = 2560
"""Objects and keys of a kept page, in bytes."""


def _brotli_stored(length: int) -> bytes:
    """The head of an uncompressed meta-block: not the last, four nibbles of length, and the mark of it."""
    return ((length - 1) << 3 | 1 << 19).to_bytes(3, "little")


class TracePages:
    """A bounded store of pages by kind of label and language. The oldest goes first, unless it was used since it was
    last looked at: then it has another turn.

    Nobody else keeps a page but by a weak reference, so what goes is gone.

    :param most: bytes that the pages may take.
    """

    def __init__(self, most: int = PAGES_BYTES) -> None:
        self._most = most
        self._taken = 0
        self._pages: OrderedDict[tuple[Kept, str], KeptPage] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, kept: Kept, language: str, version: tuple[Any, ...]) -> KeptPage | None:
        page = self._pages.get((kept, language))
        return page if page is not None and page.version == version else None

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
            key, page = self._pages.popitem(last=False)
            if page.used:
                page.used = False
                self._pages[key] = page
            else:
                self._taken -= page.size
