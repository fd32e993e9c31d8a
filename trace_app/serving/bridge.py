"""Flask behind an asynchronous server (ASGI 3, PEP 3333).

A request is taken in whole before a thread sees it, and an answer that fits into memory is sent when the thread has
gone on to the next: clients on slow lines hold no thread, but for those who are sent large files.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from tempfile import SpooledTemporaryFile
from typing import Any
from urllib.parse import unquote_to_bytes

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

IN_MEMORY = 512 * 1024
"""Bytes of a request, and of an answer in pieces, that are kept in memory."""
TAKE_IN_S = 1800.0
"""Seconds that a request may take to arrive."""


class Bridge:
    """An ASGI application that answers with a WSGI one.

    :param threads: how many requests the WSGI application is asked at a time.
    :param most: bytes of the largest body that it takes; of a larger one it is told the length alone.
    """

    def __init__(self, app: Application, *, threads: int, most: int) -> None:
        self.app = app
        self._most = most
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="flask")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with SpooledTemporaryFile(max_size=IN_MEMORY) as body:
            try:
                length = await self._take_in(scope, receive, body)
            except TimeoutError:
                await send({"type": "http.response.start", "status": 408, "headers": [(b"connection", b"close")]})
                await send({"type": "http.response.body", "body": b""})
                return
            if length is None:
                return
            body.seek(0)
            exchange = _Exchange(asyncio.get_running_loop(), receive, send)
            try:
                whole = await exchange.loop.run_in_executor(
                    self._pool, exchange.run, self.app, _environ(scope, body, length)
                )
            finally:
                exchange.end()
            if whole is not None:
                await exchange.begin()
                await send({"type": "http.response.body", "body": whole})

    async def _take_in(self, scope: Scope, receive: Receive, body: SpooledTemporaryFile[bytes]) -> int | None:
        """Read the whole body; its length, also of one that is too long to be read; None where the client has gone."""
        said = next((int(value) for name, value in scope["headers"] if name == b"content-length"), 0)
        if said > self._most:
            return said
        length = 0
        async with asyncio.timeout(TAKE_IN_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                length += len(message["body"])
                if length > self._most:
                    body.truncate(0)
                    return length
                body.write(message["body"])
                if not message["more_body"]:
                    return length


class _Exchange:
    """One answer on its way from the thread that makes it to the client."""

    def __init__(self, loop: asyncio.AbstractEventLoop, receive: Receive, send: Send) -> None:
        self.loop = loop
        self._receive, self._send = receive, send
        self._start: dict[str, Any] = {}
        self._watch: asyncio.Task[None] | None = None
        self._gone = False

    def run(self, app: Application, environ: Environ) -> bytes | None:
        """In a thread: the body, or None where it was long and has been sent."""
        chunks = app(environ, self._start_response)
        try:
            pieces = iter(chunks)
            begun, ended = _first(pieces)
            if ended:
                return begun
            self._wait_for(self._begin_long())
            self._piece(begun, more=True)
            for piece in pieces:
                if self._gone:
                    return None
                self._piece(piece, more=True)
            self._piece(b"", more=False)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return None

    async def begin(self) -> None:
        await self._send(self._start)

    def end(self) -> None:
        if self._watch is not None:
            self._watch.cancel()

    def _start_response(self, status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
        # The server has the date itself.
        encoded = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in headers if n.lower() != "date"]
        self._start = {"type": "http.response.start", "status": int(status[:3]), "headers": encoded}

    async def _begin_long(self) -> None:
        self._watch = self.loop.create_task(self._look_out())
        await self.begin()

    async def _look_out(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True

    def _piece(self, piece: bytes, *, more: bool) -> None:
        self._wait_for(self._send({"type": "http.response.body", "body": piece, "more_body": more}))

    def _wait_for(self, done: Any) -> None:
        asyncio.run_coroutine_threadsafe(done, self.loop).result()


def _first(pieces: Iterator[bytes]) -> tuple[bytes, bool]:
    """What an answer begins with, and whether that is all."""
    begun, length = [], 0
    for piece in pieces:
        begun.append(piece)
        length += len(piece)
        if length > IN_MEMORY:
            return b"".join(begun), False
    return b"".join(begun), True


def _environ(scope: Scope, body: Any, length: int) -> Environ:
    host, port = scope["server"] or ("", None)
    client = scope["client"] or ("", 0)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 0),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    environ |= cgi_headers(scope["headers"])
    # The body is whole by now, however it came.
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    if length:
        environ["CONTENT_LENGTH"] = str(length)
    return environ


def cgi_headers(headers: Iterable[tuple[bytes, bytes]]) -> Environ:
    """Headers as WSGI names them (RFC 3875, 4.1.18); what comes more than once is joined.

    Names with an underscore are left out: they would pass for another's.
    """
    found: Environ = {}
    for name, value in headers:
        if b"_" in name:
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        text = value.decode("latin-1")
        if key in found:
            text = f"{found[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
        found[key] = text
    return found
