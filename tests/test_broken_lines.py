"""A clip on its way over real sockets that are closed in the middle of a part: what came is kept."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import struct
import time
from collections.abc import Callable, Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from tests.conftest import app_for, settings_for
from tests.films import h264
from tests.served import Platform, prepared, serving
from tests.trace_app.clipping import TUS, UPLOADS, metadata
from tests.world import PASSWORD, TOKEN, World
from trace_app.extensions import db

FILM = h264(20, columns=20, rows=15, rate=2)
TYPED = {"Content-Type": "application/x-www-form-urlencoded"}
PART_TYPE = {"Content-Type": "application/offset+octet-stream"}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = prepared(tmp_path_factory.mktemp("lines"), None, workers=1)
    with serving(platform):
        yield platform


def _until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does: a minute at most, which a machine with much else to do may take."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


class Phone:
    """A producer signed in over plain sockets."""

    def __init__(self, platform: Platform) -> None:
        place = urlsplit(platform.url)
        self.host, self.port = place.hostname or "", place.port or 0
        self.cookies: dict[str, str] = {}
        world = World(app_for(settings_for(Path(platform.environment["DATA_DIR"]), secret_key=None)))
        actor = world.producer()
        lot = world.released(actor)
        self.record_ids = [world.record(actor, lot, note=note) for note in ("closed", "reset")]
        with world.app.app_context():
            db.session.remove()
            db.engine.dispose()
        token = TOKEN.search(self.ask("GET", "/login")[2].decode())
        assert token
        form = {"email": actor.username, "password": PASSWORD, "csrf_token": token[1]}
        assert self.ask("POST", "/login", urlencode(form).encode(), TYPED)[0] == 302
        session = json.loads(self.ask("GET", "/field/session", headers={"Accept": "application/json"})[2])
        self.headers = {**TUS, "X-CSRFToken": session["csrf_token"]}

    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection(self.host, self.port)
        connection.request(method, path, body, {**(headers or {}), "Cookie": self._cookie()})
        answer = connection.getresponse()
        content = answer.read()
        for text in answer.headers.get_all("Set-Cookie", []):
            self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(text).items()}
        connection.close()
        return answer.status, answer.headers, content

    def offset(self, place: str) -> int:
        return int(self.ask("HEAD", place, headers=self.headers)[1]["Upload-Offset"])

    def break_off(self, place: str, offset: int, length: int, *, hard: bool) -> None:
        """Announce all that is left, send some of it, and close the connection."""
        headers = {**self.headers, **PART_TYPE, "Upload-Offset": str(offset), "Cookie": self._cookie()}
        lines = [f"PATCH {place} HTTP/1.1", f"Host: {self.host}", *(f"{k}: {v}" for k, v in headers.items())]
        lines.append(f"Content-Length: {len(FILM) - offset}")
        with socket.create_connection((self.host, self.port)) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + FILM[offset : offset + length])
            # Until it has been read: a reset throws away what waits in the buffers.
            time.sleep(1)
            if hard:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.fixture(scope="module")
def phone(platform: Platform) -> Phone:
    return Phone(platform)


@pytest.mark.parametrize("hard", [False, True], ids=["closed", "reset"])
def test_what_came_of_a_part_is_kept_where_its_line_breaks(phone: Phone, hard: bool) -> None:
    record_id = phone.record_ids[hard]
    told = {"Upload-Length": str(len(FILM)), "Upload-Metadata": metadata(record=record_id, filename="a.mp4")}
    status, headers, _content = phone.ask("POST", UPLOADS, b"", {**phone.headers, **told})
    assert status == 201
    place, offset = headers["Location"], 0
    for _number in range(3):
        phone.break_off(place, offset, 700_000, hard=hard)
        offset += 700_000
        _until(lambda reached=offset: phone.offset(place) == reached)
    while offset < len(FILM):
        part = {**phone.headers, **PART_TYPE, "Upload-Offset": str(offset)}
        status, headers, _content = phone.ask("PATCH", place, FILM[offset : offset + (1 << 20)], part)
        assert status == 204
        offset = int(headers["Upload-Offset"])
    digest = hashlib.sha256(FILM).hexdigest()
    page = f"/records/{record_id}/clips"
    _until(lambda: phone.ask("GET", page)[2].decode().count(digest) == 1)
