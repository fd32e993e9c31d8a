"""Any bytes as path, query, host, cookie or header: an answer, and never a fault."""

from __future__ import annotations

import io
import random
import sys
from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

from tests.world import World


@pytest.mark.parametrize("host", ["a..b", "ä.example", "x" * 64 + ".cn", "<script>", "a b", "[::1", "h:123456"])
def test_an_impossible_host_is_a_bad_request(world: World, host: str) -> None:
    assert world.client().get("/", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.", "t.qj.cn"])
def test_another_hosts_name_is_a_bad_request(world: World, host: str) -> None:
    assert world.client().get("/", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "localhost:1"])
def test_our_own_host_is_not(world: World, host: str) -> None:
    assert world.client().get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("path", ["/recalls/a%00b", "/batches?q=%00", "/find?code=%00", "/api/v1/batches?search=%00"])
def test_a_zero_byte_is_a_bad_request(world: World, path: str) -> None:
    assert world.client().get(path).status_code == 400


def test_a_zero_byte_in_a_form_is_no_fault(world: World) -> None:
    answer = world.client().post("/login", data={"email": "a\0b", "password": "c\0d"})
    assert answer.status_code == 200
    assert "用户名或密码不对" in answer.text


@pytest.mark.parametrize("query", ["code=\xd6\xd0", "code=\xff&lang=en", "\xff", "code=%D6%D0", "code=%zz"])
def test_raw_bytes_in_the_query_are_read_as_encoded_ones(world: World, query: str) -> None:
    environ = EnvironBuilder(path="/find").get_environ() | {"QUERY_STRING": query}
    started: list[Any] = []
    list(world.app.wsgi_app(environ, lambda status, head, exc_info=None: started.append(status)))
    assert started[-1][:3] == ("302" if "code" not in query else "404")


def test_two_thousand_requests_of_any_bytes_cause_no_fault(world: World) -> None:
    chance = random.Random(18004)
    _batch, code = world.labelled(world.producer())

    def noise(most: int) -> str:
        return bytes(chance.randrange(256) for _ in range(chance.randrange(most))).decode("latin-1")

    stems = [
        "/",
        f"/{code[:6]}",
        "/recalls/",
        "/media/",
        "/batches/",
        "/api/v1/trace/",
        "/labels/",
        "/static/",
        "/find",
        f"/{code}",
    ]
    faults = []
    for _ in range(2000):
        environ: dict[str, Any] = EnvironBuilder(
            method=chance.choice(["GET", "HEAD", "POST", "PUT", "OPTIONS"])
        ).get_environ()
        environ |= {
            "PATH_INFO": chance.choice(stems) + chance.choice(["", noise(30)]),
            "QUERY_STRING": chance.choice(["", "lang=en", "code=" + noise(20), noise(40)]),
            "wsgi.input": io.BytesIO(noise(60).encode("latin-1")),
            "wsgi.errors": sys.stderr,
        }
        for name in ("COOKIE", "ACCEPT_LANGUAGE", "ACCEPT_ENCODING", "IF_NONE_MATCH", "AUTHORIZATION", "RANGE", "HOST"):
            if chance.random() < 0.2:
                environ[f"HTTP_{name}"] = chance.choice([noise(40), "lang=en", "gzip;q=x", "*", "Bearer " + noise(9)])
        started: list[Any] = []
        chunks = world.app.wsgi_app(environ, lambda status, head, exc_info=None, to=started: to.append((status, head)))
        list(chunks)
        if hasattr(chunks, "close"):
            chunks.close()
        status, head = started[-1]
        if status[0] == "5" or any(mark in value for _name, value in head for mark in "\r\n"):
            faults.append((status, environ["PATH_INFO"], environ["QUERY_STRING"]))
    assert not faults
