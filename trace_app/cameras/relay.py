"""A port of this machine behind which one connection to a camera stands.

The decoder speaks RTSP with it, so that it reaches that one address, whatever the camera tells it. What the camera
answers is read here by the letter of RTSP (RFC 2326) and written anew: a status line of success or refusal, some
headers that a stream needs, and the body. An answer that sends the decoder elsewhere, or that can be read in two ways,
ends the connection.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_PIECE = 65_536
_STATUS = re.compile(rb"RTSP/1\.0 (\d{3})(?: [^\r\n]*)?")
_HEADER = re.compile(rb"([A-Za-z-]{1,40}):[ \t]*([\x20-\x7e]{0,2000})")
_PASSED = {
    b"cseq",
    b"session",
    b"transport",
    b"content-type",
    b"content-length",
    b"content-base",
    b"www-authenticate",
    b"public",
    b"range",
    b"rtp-info",
}
"""The headers that a stream needs. Location is none of them."""
_LONGEST_LINE, _MOST_HEADERS, _LONGEST_BODY = 4096, 60, 256 * 1024


class _NotPassed(Exception):
    """The camera said what is not passed on."""


class Relay:
    """A connection to a camera and the port in front of it.

    :ivar answered: whether the camera said anything.
    :ivar redirected: whether it sent the decoder elsewhere.
    :ivar refused: whether it asked for a user and a password, the last time that it answered a request.
    """

    def __init__(self, camera: socket.socket) -> None:
        self.answered = self.redirected = self.refused = False
        self._camera = camera
        self._port = socket.create_server(("127.0.0.1", 0), backlog=1)
        self._decoder: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def port(self) -> int:
        return int(self._port.getsockname()[1])

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        for one in (self._port, self._decoder, self._camera):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            self._decoder = self._ours()
            asks = threading.Thread(target=self._pass_on, args=(self._decoder, self._camera), daemon=True)
            asks.start()
            with contextlib.suppress(_NotPassed), self._camera.makefile("rb") as answers:
                while self._answer(answers, self._decoder):
                    pass
            self._decoder.shutdown(socket.SHUT_RDWR)

    def _ours(self) -> socket.socket:
        """The first connection of a process of this user; others on this machine are sent away."""
        while True:
            connection, (_host, port) = self._port.accept()
            if _owner_of(port, self.port) in (os.getuid(), None):
                return connection
            connection.close()

    @staticmethod
    def _pass_on(source: socket.socket, to: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                to.sendall(piece)
        with contextlib.suppress(OSError):
            to.shutdown(socket.SHUT_WR)

    def _answer(self, answers: BinaryIO, decoder: socket.socket) -> bool:
        """Pass on one answer or one packet of the stream; False at the end.

        :raises _NotPassed:
        """
        first = answers.read(1)
        if not first:
            return False
        self.answered = True
        if first == b"$":
            head = answers.read(3)
            decoder.sendall(b"$" + head + answers.read(int.from_bytes(head[1:], "big")))
            return True
        status = _STATUS.fullmatch(_line(answers, first))
        if status is None:
            raise _NotPassed
        code = int(status[1])
        self.refused = code in {401, 403}
        if not (200 <= code < 300 or 400 <= code < 600):
            self.redirected = 300 <= code < 400
            raise _NotPassed
        headers = list(_headers(answers))
        length = next((int(value) for name, value in headers if name.lower() == b"content-length"), 0)
        if length > _LONGEST_BODY:
            raise _NotPassed
        said = [b"RTSP/1.0 %d Said" % code, *(name + b": " + value for name, value in headers), b"", b""]
        decoder.sendall(b"\r\n".join(said) + answers.read(length))
        return True


def _line(answers: BinaryIO, begun: bytes = b"") -> bytes:
    """The next line, without its end.

    :raises _NotPassed: where it has no end, or another than CR LF or LF.
    """
    line = begun + answers.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        raise _NotPassed
    return line.removesuffix(b"\n").removesuffix(b"\r")


def _headers(answers: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """The headers that are passed on.

    :raises _NotPassed: for what is no header, and for a length that is no number.
    """
    for _number in range(_MOST_HEADERS):
        line = _line(answers)
        if not line:
            return
        header = _HEADER.fullmatch(line)
        if header is None:
            raise _NotPassed
        name, value = header[1], header[2].strip()
        if name.lower() == b"content-length" and not re.fullmatch(rb"\d{1,7}", value):
            raise _NotPassed
        if name.lower() in _PASSED:
            yield name, value
    raise _NotPassed


def _owner_of(port: int, to: int) -> int | None:
    """The user whose process has connected a port of this machine with another; None where the system tells nobody."""
    wanted = (f"0100007F:{port:04X}", f"0100007F:{to:04X}")
    with contextlib.suppress(OSError):
        for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
            fields = line.split()
            if (fields[1], fields[2]) == wanted:
                return int(fields[7])
    return None


@contextlib.contextmanager
def relayed(host: str, port: int, seconds: float) -> Iterator[Relay]:
    """A relay to an address that was checked.

    :param seconds: that it may take to connect, and to send anything.
    :raises OSError: where nobody answers.
    """
    camera = socket.create_connection((host, port), timeout=seconds)
    relay = Relay(camera)
    relay.begin()
    try:
        yield relay
    finally:
        relay.end()
