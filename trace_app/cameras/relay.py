"""A port of this machine behind which one connection to a camera stands.

The decoder speaks RTSP with it, so that it reaches that one address, whatever the camera tells it: an answer that sends
it elsewhere ends the connection.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator

_PIECE = 65_536
_ELSEWHERE = re.compile(rb"RTSP/\d\.\d 3\d\d")
_REFUSED = re.compile(rb"RTSP/\d\.\d 40[13]")
_LONGEST_HEAD = 16


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
            self._decoder, _address = self._port.accept()
            asks = threading.Thread(target=self._pass_on, args=(self._decoder, self._camera), daemon=True)
            asks.start()
            self._answers()

    def _pass_on(self, source: socket.socket, to: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(_PIECE):
                to.sendall(piece)
        with contextlib.suppress(OSError):
            to.shutdown(socket.SHUT_WR)

    def _answers(self) -> None:
        decoder, before = self._decoder, b""
        assert decoder is not None  # noqa: S101
        while piece := self._camera.recv(_PIECE):
            self.answered, seen = True, before + piece
            if _ELSEWHERE.search(seen):
                self.redirected = True
                break
            if seen.find(b"RTSP/") >= 0:
                self.refused = bool(_REFUSED.search(seen))
            before = seen[-_LONGEST_HEAD:]
            decoder.sendall(piece)
        with contextlib.suppress(OSError):
            decoder.shutdown(socket.SHUT_RDWR)


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
