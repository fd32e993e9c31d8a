"""Cameras as tests have them on this machine: pictures and streams by HTTP, streams by RTSP."""

from __future__ import annotations

import hashlib
import re
import socket
import struct
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.films import _frame, _parameters

USER, PASSWORD = "admin", "Geheim-7731"
REALM, NONCE = "yard", "5ccc069c403ebaf9f0171e9517f40e41"


class WebCamera(ThreadingHTTPServer):
    """Gives out what stands in ``files``, by path.

    :ivar asks: "", "basic" or "digest": how it wants to know who asks.
    :ivar seen: the paths that were given out.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files: dict[str, bytes] = {}
        self.elsewhere: dict[str, str] = {}
        self.asks = ""
        self.challenge = ""
        self.seen: list[str] = []

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Answer(BaseHTTPRequestHandler):
    server: WebCamera

    def do_GET(self) -> None:
        if self.server.asks and not self._is_known():
            self.send_response(401)
            digest = self.server.challenge or f'Digest realm="{REALM}", nonce="{NONCE}", qop="auth", algorithm=MD5'
            self.send_header("WWW-Authenticate", digest if self.server.asks == "digest" else f'Basic realm="{REALM}"')
            self.end_headers()
        elif self.path in self.server.elsewhere:
            self.send_response(302)
            self.send_header("Location", self.server.elsewhere[self.path])
            self.end_headers()
        elif self.path in self.server.files:
            self.server.seen.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.server.files[self.path])))
            self.end_headers()
            self.wfile.write(self.server.files[self.path])
        else:
            self.send_error(404)

    def _is_known(self) -> bool:
        said = self.headers.get("Authorization", "")
        if self.server.asks == "basic":
            return said.startswith("Basic ") and b64decode(said[6:]).decode() == f"{USER}:{PASSWORD}"
        told = dict(re.findall(r'(\w+)="?([^",]+)"?', said))
        if not said.startswith("Digest ") or told.get("username") != USER:
            return False
        who = hashlib.md5(f"{USER}:{REALM}:{PASSWORD}".encode()).hexdigest()
        what = hashlib.md5(f"GET:{told['uri']}".encode()).hexdigest()
        right = f"{who}:{NONCE}:{told['nc']}:{told['cnonce']}:auth:{what}"
        return told["response"] == hashlib.md5(right.encode()).hexdigest()

    def log_message(self, *_arguments: Any) -> None:
        """Quiet."""


class StreamCamera:
    """A camera that speaks RTSP over TCP (RFC 2326, RFC 6184): a moving picture of 64 × 48.

    :ivar way: "", "silent" (it takes connections and says nothing), "elsewhere" (it sends who asks to another address),
        "dripping" (it answers a byte at a time, for ever) or "closed" (it wants a password, which nobody has).
    """

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.way = ""
        self.status = "RTSP/1.0 302 Moved"
        self.elsewhere = "rtsp://127.0.0.1:1/"
        self._ended = False
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def end(self) -> None:
        self._ended = True
        self._socket.close()

    def _serve(self) -> None:
        while not self._ended:
            try:
                connection, _address = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._speak, args=(connection,), daemon=True).start()

    def _speak(self, connection: socket.socket) -> None:
        with connection:
            try:
                self._answers(connection)
            except OSError:
                return

    def _answers(self, connection: socket.socket) -> None:
        asked = b""
        while piece := connection.recv(4096):
            if self.way == "silent":
                continue
            if self.way == "dripping":
                connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
                while not self._ended:
                    connection.sendall(b".")
                    time.sleep(0.2)
            asked += piece
            while b"\r\n\r\n" in asked:
                head, _sep, asked = asked.partition(b"\r\n\r\n")
                if self._answer(connection, head.decode()):
                    return

    def _answer(self, connection: socket.socket, head: str) -> bool:
        """Answer one request; True once all of the stream has been sent."""
        method = head.split(" ")[0]
        number = re.search(r"CSeq: (\d+)", head)
        common = f"CSeq: {number[1] if number else 0}\r\n"
        if method == "OPTIONS":
            connection.sendall(f"RTSP/1.0 200 OK\r\n{common}Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n".encode())
        elif method == "DESCRIBE" and self.way == "elsewhere":
            connection.sendall(f"{self.status}\r\n{common}Location: {self.elsewhere}\r\n\r\n".encode())
        elif method == "DESCRIBE" and self.way == "closed":
            asks = f'WWW-Authenticate: Basic realm="{REALM}"\r\n'
            connection.sendall(f"RTSP/1.0 401 Unauthorized\r\n{common}{asks}\r\n".encode())
        elif method == "DESCRIBE":
            sequence, picture = _parameters(4, 3)
            sets = f"{b64encode(sequence).decode()},{b64encode(picture).decode()}"
            sdp = (
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=yard\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
                "m=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
                f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\na=control:track\r\n"
            )
            kind = f"Content-Type: application/sdp\r\nContent-Length: {len(sdp)}\r\n"
            connection.sendall(f"RTSP/1.0 200 OK\r\n{common}{kind}\r\n{sdp}".encode())
        elif method == "SETUP":
            way = "Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
            connection.sendall(f"RTSP/1.0 200 OK\r\n{common}{way}\r\n".encode())
        elif method == "PLAY":
            connection.sendall(f"RTSP/1.0 200 OK\r\n{common}Session: 1\r\n\r\n".encode())
            self._play(connection)
            return True
        else:
            connection.sendall(f"RTSP/1.0 200 OK\r\n{common}Session: 1\r\n\r\n".encode())
        return False

    def _play(self, connection: socket.socket) -> None:
        for number in range(60):
            unit = _frame(number % 10, 4, 3)
            packet = struct.pack(">BBHII", 0x80, 0x80 | 96, number, number * 9000, 7) + unit
            connection.sendall(b"$\x00" + struct.pack(">H", len(packet)) + packet)
            time.sleep(0.02)


@contextmanager
def web_camera() -> Iterator[WebCamera]:
    camera = WebCamera()
    thread = threading.Thread(target=camera.serve_forever, daemon=True)
    thread.start()
    try:
        yield camera
    finally:
        camera.shutdown()
        camera.server_close()


@contextmanager
def stream_camera() -> Iterator[StreamCamera]:
    camera = StreamCamera()
    try:
        yield camera
    finally:
        camera.end()
