"""The web server itself, by its socket: what connections answer at once, what goes to Flask, and what neither takes."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from functools import cache

import brotli
import pytest
import uvicorn
from flask import Flask

from tests.world import World
from trace_app.db.leases import StopLease
from trace_app.extensions import db
from trace_app.public.label_states import States
from trace_app.public.scan_layer import ScanLayer
from trace_app.scans.models import ScanDay
from trace_app.serving import bridge, connection
from trace_app.serving.connection import Platform, ScanConnection

BROWSER = {
    "Host": "t.example",
    "User-Agent": "Mozilla/5.0 (Linux; Android 14) Mobile MicroMessenger/8.0",
    "Accept": "text/html,*/*;q=0.8",
    "Accept-Encoding": "gzip, br",
    "Accept-Language": "zh-CN",
}
MOST = 300_000
"""Bytes of a body in these tests."""


OPENED: list[socket.socket] = []


class Client:
    """A connection that sends bytes and reads answers."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=20)
        OPENED.append(self.socket)
        self._data = b""

    def send(
        self, path: str = "/", headers: dict[str, str] | None = None, method: str = "GET", body: bytes = b""
    ) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in (BROWSER if headers is None else headers).items())
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode("latin-1") + body)

    def read(self, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        while b"\r\n\r\n" not in self._data:
            self._more()
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = 0 if method == "HEAD" else int(headers.get("content-length", "0"))
        while len(self._data) < length:
            self._more()
        body, self._data = self._data[:length], self._data[length:]
        return int(status.split()[1]), headers, body

    def ask(
        self, path: str = "/", headers: dict[str, str] | None = None, method: str = "GET", body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        self.send(path, headers, method, body)
        return self.read(method)

    def is_closed(self) -> bool:
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _more(self) -> None:
        piece = self.socket.recv(65536)
        assert piece, f"closed after {self._data[:200]!r}"
        self._data += piece


@cache
def _served(app: Flask) -> tuple[Platform, StopLease]:
    """Once for each application: their threads keep their connections to the database."""
    lease = StopLease(app.config["SETTINGS"].model_copy(update={"scan_lease_ms": 100}))
    return Platform(app, threads=3, most=MOST), lease


@pytest.fixture
def address(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Where the application is served in this process, with leases, which tests do without elsewhere."""
    layer, platform, lease = app.wsgi_app, *_served(app)
    for name, value in (("_lease", lease), ("_runs", States()), ("_labels", States())):
        monkeypatch.setattr(layer, name, value)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        platform,
        interface="asgi3",
        http=ScanConnection,
        ws="none",
        loop="uvloop",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()
    while OPENED:
        OPENED.pop().close()
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def client(address: tuple[str, int]) -> Client:
    return Client(address)


@pytest.fixture
def at_once(app: Flask, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that connections have answered by themselves."""
    paths: list[str] = []
    answer = ScanLayer.at_once

    def note(layer: ScanLayer, path: str, *rest: object) -> object:
        given = answer(layer, path, *rest)  # type: ignore[arg-type]
        if isinstance(given, bytes):
            paths.append(path)
        return given

    monkeypatch.setattr(ScanLayer, "at_once", note)
    return paths


def _warm(client: Client, code: str, at_once: list[str], headers: dict[str, str] | None = None) -> None:
    """Ask until the page is kept and a lease is held."""
    for _ in range(100):
        client.ask(f"/{code}", headers)
        if at_once:
            at_once.clear()
            return
        time.sleep(0.02)
    raise AssertionError("never answered at once")


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_what_a_connection_answers_at_once_is_what_flask_would(
    world: World, client: Client, at_once: list[str], language: str
) -> None:
    _batch, code = world.labelled(world.producer())
    headers = BROWSER | {"Accept-Language": language}
    _warm(client, code, at_once, headers)
    world.app.extensions["scan_log"].write()
    status, sent, body = client.ask(f"/{code}", headers)
    assert at_once == [f"/{code}"]
    # A HEAD that is no scan, and a GET of a robot, are the layer's and not the connection's.
    whole = world.client().get(f"/{code}", headers={**headers, "Cookie": "theme=dark", "User-Agent": "curl"})
    assert status == whole.status_code == 200
    line = re.compile("首次扫描 .*?次 *|First scan.*?(?= *</)")
    assert line.sub("", brotli.decompress(body).decode()) == line.sub("", brotli.decompress(whole.data).decode())
    expected = {name.lower(): value for name, value in whole.headers.items()}
    assert {**sent, "date": "", "etag": ""} == {**expected, "date": "", "etag": ""}
    assert sent["etag"].split("-")[0] == expected["etag"].split("-")[0]
    assert sent["date"].endswith("GMT")


def test_scans_that_are_answered_at_once_are_counted_each(world: World, client: Client, at_once: list[str]) -> None:
    batch, code = world.labelled(world.producer())
    _warm(client, code, at_once)
    world.app.extensions["scan_log"].write()
    with world.app.app_context():
        before = db.session.scalar(db.select(db.func.sum(ScanDay.scans)).filter_by(batch_id=batch))
    for _ in range(7):
        client.ask(f"/{code}")
    client.ask(f"/{code}", BROWSER | {"User-Agent": "Googlebot/2.1"})
    assert len(at_once) == 8
    world.app.extensions["scan_log"].write()
    with world.app.app_context():
        assert db.session.scalar(db.select(db.func.sum(ScanDay.scans)).filter_by(batch_id=batch)) == before + 7


@pytest.mark.parametrize(
    ("more", "method", "status"),
    [
        ({}, "HEAD", 200),
        ({"If-None-Match": "*"}, "GET", 304),
        ({"Accept-Encoding": "gzip"}, "GET", 200),
        ({"Accept-Encoding": "identity"}, "GET", 200),
        ({"Accept": "application/ld+json"}, "GET", 200),
        ({"Cookie": "session=x"}, "GET", 200),
        ({"Range": "bytes=0-10"}, "GET", 200),
        ({"Authorization": "Bearer x"}, "GET", 200),
        ({"Expect": "x"}, "GET", 200),
        ({"Upgrade": "h2c", "Connection": "Upgrade"}, "GET", 200),
        ({"Content-Length": "0"}, "GET", 200),
    ],
)
def test_whatever_is_not_a_plain_scan_is_flasks(
    world: World, client: Client, at_once: list[str], more: dict[str, str], method: str, status: int
) -> None:
    _batch, code = world.labelled(world.producer())
    _warm(client, code, at_once)
    assert client.ask(f"/{code}", BROWSER | more, method)[0] == status
    assert at_once == []


def test_proxies_that_take_a_connection_for_each_request_are_answered_at_once_too(
    world: World, client: Client, address: tuple[str, int], at_once: list[str]
) -> None:
    _batch, code = world.labelled(world.producer())
    _warm(client, code, at_once)
    status, headers, _body = client.ask(f"/{code}", BROWSER | {"Connection": "close"})
    assert (status, headers["connection"]) == (200, "close")
    assert client.is_closed()
    old = Client(address)
    lines = "".join(f"{name}: {value}\r\n" for name, value in BROWSER.items())
    old.socket.sendall(f"GET /{code} HTTP/1.0\r\n{lines}\r\n".encode())
    assert old.read()[0] == 200
    assert old.is_closed()
    assert at_once == [f"/{code}"] * 2


def test_headers_that_pass_for_others_or_come_twice_are_not_believed(
    world: World, client: Client, at_once: list[str]
) -> None:
    _batch, code = world.labelled(world.producer())
    _warm(client, code, at_once)
    for line in (
        "Accept-Language: en",
        "Cookie: a=b\r\nCookie: session=x",
        "Broken header: x",
        " folded",
    ):
        plain = "".join(f"{name}: {value}\r\n" for name, value in BROWSER.items())
        client = Client(client.socket.getpeername())
        client.socket.sendall(f"GET /{code} HTTP/1.1\r\n{plain}{line}\r\n\r\n".encode())
        assert client.read()[0] in {200, 400}
        assert at_once == []
    # A name with an underscore would be the same as another's in WSGI.
    assert "X_FORWARDED_FOR" not in str(bridge.cgi_headers([(b"X_Forwarded_For", b"1.2.3.4")]))
    assert bridge.cgi_headers([(b"Cookie", b"a=1"), (b"cookie", b"b=2")]) == {"HTTP_COOKIE": "a=1; b=2"}


def test_requests_sent_together_are_answered_in_their_order(world: World, client: Client, at_once: list[str]) -> None:
    _batch, code = world.labelled(world.producer())
    _other, cold = world.labelled(world.producer())
    _warm(client, code, at_once)
    paths = [f"/{code}", f"/{code}", "/healthz", f"/{code}", f"/{cold}", "/0000000000000", f"/{code}", "/recalls"]
    lines = "".join(f"{name}: {value}\r\n" for name, value in BROWSER.items())
    client.socket.sendall("".join(f"GET {path} HTTP/1.1\r\n{lines}\r\n" for path in paths).encode())
    answers = [client.read() for _ in paths]
    assert [status for status, _headers, _body in answers] == [200, 200, 200, 200, 200, 404, 200, 200]
    for place, shown in ((0, code), (3, code), (4, cold), (6, code)):
        assert f'"{shown}' in (text := brotli.decompress(answers[place][2]).decode()) or f"/{shown}" in text
    assert at_once[:2] == [f"/{code}"] * 2


def test_a_request_in_pieces_is_put_together(world: World, client: Client, at_once: list[str]) -> None:
    _batch, code = world.labelled(world.producer())
    _warm(client, code, at_once)
    lines = "".join(f"{name}: {value}\r\n" for name, value in BROWSER.items())
    request = f"GET /{code} HTTP/1.1\r\n{lines}\r\n".encode()
    for size in (1, 7, 20, len(request) - 1):
        for begin in range(0, len(request), size):
            client.socket.sendall(request[begin : begin + size])
            time.sleep(0.0005)
        assert client.read()[0] == 200
    assert client.ask(f"/{code}")[0] == 200
    assert at_once[-1] == f"/{code}"


def test_many_at_once_each_get_their_own_label(world: World, address: tuple[str, int]) -> None:
    actor = world.producer()
    batch = world.released(actor)
    run = world.run(actor, batch, 40)
    codes = [world.code(run, index) for index in range(40)]
    clients = [Client(address) for _ in codes]
    for _ in range(3):
        for client, code in zip(clients, codes, strict=True):
            client.send(f"/{code}")
        for client, code in zip(clients, codes, strict=True):
            status, _headers, body = client.read()
            assert status == 200
            assert f"/{code}/feedback" in brotli.decompress(body).decode()
        world.app.extensions["scan_log"].write()
        time.sleep(0.1)


def test_slow_uploads_hold_no_thread(world: World, address: tuple[str, int]) -> None:
    head = BROWSER | {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": "1000"}
    slow = [Client(address) for _ in range(12)]
    for client in slow:
        client.send("/find", head, "POST", b"picture=" + b"x" * 100)
    other = Client(address)
    for _ in range(5):
        assert other.ask("/")[0] == 200
    for client in slow:
        client.socket.sendall(b"x" * 892)
        assert client.read()[0] == 422


def test_what_is_too_large_is_flasks_to_refuse(
    app: Flask, client: Client, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "MAX_CONTENT_LENGTH", MOST - 1)
    length = 200 * 1024 * 1024
    client.send(
        "/find",
        BROWSER
        | {
            "Accept-Encoding": "identity",
            "Content-Length": str(length),
            "Content-Type": "multipart/form-data; boundary=b",
        },
        "POST",
    )
    status, _headers, body = client.read()
    assert status == 413
    assert "上传的内容太大" in body.decode()
    chunked = Client(address)
    chunked.send(
        "/find", BROWSER | {"Transfer-Encoding": "chunked", "Content-Type": "multipart/form-data; boundary=b"}, "POST"
    )
    for _ in range(5):
        chunked.socket.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
    chunked.socket.sendall(b"0\r\n\r\n")
    assert chunked.read()[0] in {413, 422}
    assert Client(address).ask("/")[0] == 200


def test_a_body_in_pieces_arrives_whole(client: Client) -> None:
    body = b"code=0000000000000"
    client.send(
        "/find", BROWSER | {"Transfer-Encoding": "chunked", "Content-Type": "application/x-www-form-urlencoded"}, "POST"
    )
    for byte in body:
        client.socket.sendall(b"1\r\n" + bytes([byte]) + b"\r\n")
    client.socket.sendall(b"0\r\n\r\n")
    assert client.read()[0] == 422
    assert client.ask("/")[0] == 200


def test_a_body_that_never_ends_is_given_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bridge, "TAKE_IN_S", 0.2)
    client.send("/find", BROWSER | {"Content-Length": "1000"}, "POST", b"begun")
    assert client.read()[0] == 408


def test_a_long_answer_is_sent_in_pieces_and_let_go_when_nobody_takes_it(
    app: Flask, address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = threading.Event()
    inner = app.wsgi_app

    class Long:
        def __iter__(self) -> Iterator[bytes]:
            for _ in range(400):
                yield b"x" * 65536

        def close(self) -> None:
            closed.set()

    def answer(environ: dict[str, object], start_response: object) -> object:
        if environ["PATH_INFO"] != "/long":
            return inner(environ, start_response)
        start_response("200 OK", [("Content-Length", str(400 * 65536))])  # type: ignore[operator]
        return Long()

    monkeypatch.setattr(app, "wsgi_app", answer)
    client = Client(address)
    assert len(client.ask("/long")[2]) == 400 * 65536
    assert closed.wait(5)
    closed.clear()
    client = Client(address)
    client.send("/long")
    time.sleep(0.2)
    assert not closed.is_set()
    client.socket.close()
    assert closed.wait(5)


def test_a_head_without_end_and_a_connection_without_request_are_closed(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Client(address)
    client.socket.sendall(b"GET / HTTP/1.1\r\nHost: t\r\nX: " + b"x" * 100_000)
    assert client.read()[0] == 431
    assert client.is_closed()
    monkeypatch.setattr(connection, "IDLE_S", 0.2)
    silent, begun = Client(address), Client(address)
    begun.socket.sendall(b"GET / HT")
    assert silent.is_closed()
    assert begun.is_closed()


def test_no_bytes_bring_it_down(world: World, address: tuple[str, int], at_once: list[str]) -> None:
    _batch, code = world.labelled(world.producer())
    host = b" HTTP/1.1\r\nHost: t\r\n\r\n"
    for request in (
        b"\r\n\r\n",
        b"\x00" * 50,
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /" + bytes(range(128, 256)) + host,
        b"GET /?q=" + bytes(range(128, 256)) + host,
        b"GET /%ff%fe%00" + host,
        b"GET /" + code.encode() + b"%00" + host,
        b"GET /" + code.encode() + b" HTTP/9.9\r\nHost: t\r\n\r\n",
        b"GET http://" + host,
        b"GET http://t/" + code.encode() + host,
        b"OPTIONS *" + host,
        b"CONNECT t:80" + host,
        b"GET /" + code.encode() + b" HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n",
        b"GET /" + code.encode() + b" HTTP/1.1\r\nHost: t\r\nContent-Length: 1x\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + code.encode() + b" HTTP/1.1\r\nHost: t\r\nX: a\x00b\r\n\r\n",
        b"GET /" + b"A" * 8000 + host,
    ):
        client = Client(address)
        client.socket.sendall(request)
        client.socket.shutdown(socket.SHUT_WR)
        client.socket.settimeout(5)
        answer = b""
        try:
            while piece := client.socket.recv(65536):
                answer += piece
        except (TimeoutError, ConnectionResetError):
            pass
        assert not re.match(rb"HTTP/1.1 5", answer), (request, answer[:200])
    assert Client(address).ask(f"/{code}")[0] == 200
