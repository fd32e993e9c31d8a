"""How much a request may bring, over real sockets: what is too much is refused before it is taken in."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.served import Platform, prepared, serving

HUNDRED_MB = 100 * 1024 * 1024
TAKEN_AT_MOST = 16 * 1024 * 1024
"""What the buffers of two sockets and a server may hold of a body that nobody reads."""
PIECE = b"x" * 65536
FORM = "Content-Type: application/x-www-form-urlencoded\r\n"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = prepared(tmp_path_factory.mktemp("bodies"), None, workers=1)
    with serving(platform):
        yield platform


def _connected(platform: Platform) -> socket.socket:
    place = urlsplit(platform.url)
    return socket.create_connection((place.hostname, place.port or 0), timeout=60)


def _answer(connection: socket.socket) -> int | None:
    """The status of the answer; None where the connection was closed without one."""
    try:
        found = re.match(rb"HTTP/1\.1 (\d+)", connection.recv(4096))
    except OSError:
        return None
    return int(found[1]) if found else None


def _send(platform: Platform, head: str, piece: bytes, total: int = HUNDRED_MB) -> tuple[int | None, int]:
    """The status of the answer to a request with a long body, and how many bytes of it went out."""
    sent = 0
    with _connected(platform) as connection:
        try:
            connection.sendall(head.encode())
            while sent < total:
                connection.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
        return _answer(connection), sent


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing/of/ours", 404),
        ("/1FBWM2ZWJ2136", 405),
        ("/login", 413),
        ("/batches/1/tests/new", 302),
        ("/api/v1/batches", 401),
    ],
)
def test_a_hundred_megabytes_are_refused_and_not_taken_in(platform: Platform, path: str, status: int) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{FORM}"
    found, sent = _send(platform, f"{head}Content-Length: {HUNDRED_MB}\r\n\r\n", PIECE)
    assert found in {status, None}
    assert sent < TAKEN_AT_MOST
    found, sent = _send(platform, f"{head}Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + PIECE + b"\r\n")
    assert found is None or 300 <= found < 500
    assert sent < TAKEN_AT_MOST


def test_what_has_no_file_may_not_be_longer_than_64_kb_and_what_has_one_may(platform: Platform) -> None:
    for path, limit in (("/login", 64 * 1024), ("/find", 1024 * 1024)):
        body = b"a=" + b"x" * limit
        if path == "/find":
            body = (
                b'--b\r\nContent-Disposition: form-data; name="picture"; filename="a.jpg"\r\n\r\n'
                + b"x" * limit
                + b"\r\n--b--\r\n"
            )
        kind = "multipart/form-data; boundary=b" if path == "/find" else "application/x-www-form-urlencoded"
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        with _connected(platform) as connection:
            connection.sendall(head.encode() + body)
            # The one is too long; the other is read, and has no token.
            assert _answer(connection) == (413 if path == "/login" else 400)


def test_trailers_and_headers_without_end_are_cut_off(platform: Platform) -> None:
    lines = b"a: b\r\n" * 10_000
    chunked = f"POST /find HTTP/1.1\r\nHost: localhost\r\n{FORM}Transfer-Encoding: chunked\r\n\r\n0\r\n"
    status, sent = _send(platform, chunked, lines)
    assert status in {400, None}
    assert sent < TAKEN_AT_MOST
    status, sent = _send(platform, "GET / HTTP/1.1\r\nHost: localhost\r\n", lines)
    assert status in {431, None}
    assert sent < TAKEN_AT_MOST


def test_a_trailer_is_no_header(platform: Platform) -> None:
    with _connected(platform) as connection:
        connection.sendall(
            b"POST /api/v1/label-runs/8/void HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"0\r\nAuthorization: Bearer x\r\n\r\n"
        )
        assert _answer(connection) == 401


@pytest.mark.parametrize(("hosts", "status"), [("Host: a\r\nHost: b\r\n", 400), ("", 200)])
def test_a_request_with_two_hosts_or_none_breaks_nothing(platform: Platform, hosts: str, status: int) -> None:
    with _connected(platform) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\n{hosts}\r\n".encode())
        assert _answer(connection) == status


def test_who_asks_and_never_reads_keeps_nobody_from_an_answer(platform: Platform, tmp_path: Path) -> None:
    asked = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2000
    unread = [_connected(platform) for _ in range(12)]
    for connection in unread:
        connection.settimeout(1)
        with contextlib.suppress(TimeoutError):
            connection.sendall(asked)
    with _connected(platform) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert _answer(connection) == 200
    for connection in unread:
        connection.close()
