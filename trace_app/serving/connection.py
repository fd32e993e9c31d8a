"""A client's connection: scans of kept pages are answered here, all else goes on to Flask."""

from __future__ import annotations

import asyncio
import re
import time
from asyncio import AbstractEventLoop, TimerHandle, Transport
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from flask import Flask
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from qr.codes import CODE_LENGTH
from trace_app.public.scan_layer import UNREAD, LabelsRead, ScanLayer, Visitor
from trace_app.serving.bridge import Bridge, cgi_headers

Then = Callable[[LabelsRead], None]
NOTHING_READ = LabelsRead(None, {})

IDLE_S = 65.0
"""Seconds after which a connection is closed on which nothing was asked, or a request has not got to its end of head."""
MOST_HEAD = 64 * 1024
"""Bytes of a request before its body."""
_BEGIN = b"GET /"
_PLACE = len(_BEGIN) + CODE_LENGTH
"""Where the rest of a scan's head begins, behind the code."""
_REST = re.compile(rb" HTTP/1\.([01])\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*\r\n)+)\r\n")
_ONLY_HERE = {b"accept", b"accept-encoding", b"accept-language", b"user-agent", b"cookie", b"x-forwarded-for"}
"""Headers that count for a scan. Any of them more than once is Flask's to look at."""
_NOT_HERE = {
    b"content-length",
    b"transfer-encoding",
    b"content-type",
    b"expect",
    b"upgrade",
    b"te",
    b"trailer",
    b"http2-settings",
    b"authorization",
    b"range",
    b"if-none-match",
    b"if-modified-since",
    b"if-match",
    b"if-unmodified-since",
    b"if-range",
}
_TOO_LONG = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Platform(Bridge):
    """What the connections of a worker have in common: Flask in threads, and one thread more that reads labels.

    While it reads, further labels are asked for, and then read together.
    """

    def __init__(self, app: Flask, *, threads: int, most: int) -> None:
        super().__init__(app, threads=threads, most=most)
        self.layer: ScanLayer = app.wsgi_app  # type: ignore[assignment]
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="labels")
        self._asked: list[tuple[str, Then]] = []
        self._busy = False

    def read_label(self, path: str, then: Then) -> None:
        """Have a label read.

        :param then: is called with what has been read.
        """
        self._asked.append((path, then))
        if not self._busy:
            self._read()

    def _read(self) -> None:
        asked, self._asked = self._asked, []
        self._busy = True
        loop = asyncio.get_running_loop()
        done = loop.run_in_executor(self._reading, self.layer.read_labels, [path for path, _then in asked])
        done.add_done_callback(partial(self._tell, asked))

    def _tell(self, asked: list[tuple[str, Then]], done: asyncio.Future[LabelsRead]) -> None:
        self._busy = False
        if self._asked:
            self._read()
        failed = done.cancelled() or done.exception() is not None
        for _path, then in asked:
            then(NOTHING_READ if failed else done.result())


class ScanConnection(HttpToolsProtocol):
    """Uvicorn's connection, and in front of it a look at what has come: a browser asks with the same head each time, so
    the head is read once, and of a further scan the code alone.

    Whatever is anything else than one plain GET of a code after another is uvicorn's, from its first byte on.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._platform: Platform = self.app
        self._layer = self._platform.layer
        self._rest: bytes = b""
        self._visitor: Visitor | None = None
        self._closes = False
        """Whether the client, often a proxy, wants a connection for each request."""
        self._address = ""
        self._between = True
        """Whether all that was given to uvicorn's parser are whole requests."""
        self._in_body = False
        self._head_length = 0
        self._held: bytes | None = None
        """What has come since a label is being read for this connection."""
        self._stopping = False
        self._begun_at = 0.0
        self._timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._begun_at = time.monotonic()
        self._timer = self.loop.call_later(IDLE_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._held is not None:
            self._held += data
            if len(self._held) > MOST_HEAD:
                self.transport.close()
            return
        if self._between:
            self._begun_at = now = time.monotonic()
            if (self.cycle is None or self.cycle.response_complete) and not self.flow.write_paused:
                answered = self._answer(data, now)
                if answered == len(data) or self._held is not None:
                    return
                data = data[answered:]
        super().data_received(data)
        if not self._in_body and not self._between:
            self._head_length += len(data)
            if self._head_length > MOST_HEAD and not self.transport.is_closing():
                self.transport.write(_TOO_LONG)
                self.transport.close()

    def _answer_later(self, path: str, visitor: Visitor, request: bytes, read: LabelsRead) -> None:
        """The label of a scan has been read, on which this connection has waited."""
        held, self._held = self._held or b"", None
        if self.transport.is_closing():
            return
        answer = self._layer.at_once(path, visitor, time.monotonic(), read)
        if isinstance(answer, bytes):
            self._write(answer)
        else:
            super().data_received(request)
        if held and not self.transport.is_closing():
            self.data_received(held)
        if self._stopping:
            self.shutdown()

    def _answer(self, data: bytes, now: float) -> int:
        """Answer the scans that the data begin with.

        :return: the bytes that have been answered.
        """
        begin = 0
        while data.startswith(_BEGIN, begin):
            place, end = begin + _PLACE, begin + _PLACE + len(self._rest)
            if not self._rest or data[place:end] != self._rest:
                end = self._learn(data, place)
            if self._visitor is None or not end:
                break
            path = data[begin + 4 : place].decode("latin-1")
            answer = self._layer.at_once(path, self._visitor, now)
            if answer is None:
                break
            if answer is UNREAD:
                self._held = data[end:]
                self._platform.read_label(path, partial(self._answer_later, path, self._visitor, data[begin:end]))
                break
            self._write(answer)
            begin = len(data) if self._closes else end
        return begin

    def _write(self, answer: bytes) -> None:
        if self._closes:
            self.transport.write(answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            self.transport.close()
        else:
            self.transport.write(answer)

    def _learn(self, data: bytes, place: int) -> int:
        """Read a head that is not the one before. Where it ends, 0 where it is none of a plain request."""
        self._rest, self._visitor = b"", None
        found = _REST.match(data, place, place + MOST_HEAD)
        if found is None:
            return 0
        headers = [
            (name.lower(), value.strip(b" \t"))
            for name, _, value in (line.partition(b":") for line in found[2].split(b"\r\n")[:-1])
        ]
        names = [name for name, _value in headers]
        here = [name for name in names if name in _ONLY_HERE]
        ends = {value.lower() for name, value in headers if name == b"connection"}
        self._rest, self._closes = found[0], b"close" in ends or found[1] == b"0"
        if len(here) == len(set(here)) and not _NOT_HERE.intersection(names) and ends <= {b"keep-alive", b"close"}:
            visitor = self._layer.visitor(cgi_headers(headers) | {"REMOTE_ADDR": self._address})
            self._visitor = visitor if visitor.is_plain else None
        return found.end()

    def on_message_begin(self) -> None:
        self._between = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_body = True

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._between, self._in_body, self._head_length = True, False, 0

    def shutdown(self) -> None:
        self._stopping = True
        if self._held is None:
            super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Uvicorn's clock knows nothing of scans that were answered since; ours does."""

    def _look(self) -> None:
        """Close a connection on which nothing happens."""
        if self.transport.is_closing():
            return
        left = self._begun_at + IDLE_S - time.monotonic()
        busy = self.cycle is not None and not self.cycle.response_complete
        if left <= 0 and not busy:
            self.transport.close()
        else:
            self._timer = self.loop.call_later(max(left, 1.0) if not busy else IDLE_S, self._look)
