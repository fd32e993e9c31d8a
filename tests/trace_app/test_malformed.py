"""Any bytes as path, query, host, cookie or header: an answer, and never a fault."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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


NOISE = st.binary(max_size=40).map(lambda data: data.decode("latin-1"))
STEMS = [
    "/",
    "/recalls/",
    "/media/",
    "/batches/",
    "/api/v1/trace/",
    "/labels/",
    "/static/",
    "/find",
    "/recall-tasks/",
    "/receive/",
]
FIELDS = ["COOKIE", "ACCEPT_LANGUAGE", "ACCEPT_ENCODING", "IF_NONE_MATCH", "AUTHORIZATION", "RANGE", "HOST"]
FIELD = NOISE | st.sampled_from(["lang=en", "gzip;q=x", "*"]) | NOISE.map("Bearer ".__add__)


@settings(
    max_examples=600, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "OPTIONS"]),
    stem=st.sampled_from(STEMS),
    rest=st.just("") | NOISE,
    query=st.sampled_from(["", "lang=en"]) | NOISE | NOISE.map("code=".__add__),
    body=NOISE,
    fields=st.dictionaries(st.sampled_from(FIELDS), FIELD, max_size=3),
)
def test_any_bytes_cause_no_fault(
    world: World, method: str, stem: str, rest: str, query: str, body: str, fields: dict[str, str]
) -> None:
    environ: dict[str, Any] = EnvironBuilder(method=method).get_environ()
    environ |= {
        "PATH_INFO": stem + rest,
        "QUERY_STRING": query,
        "wsgi.input": io.BytesIO(body.encode("latin-1")),
        "wsgi.errors": sys.stderr,
    }
    environ |= {f"HTTP_{name}": value for name, value in fields.items()}
    started: list[Any] = []
    chunks = world.app.wsgi_app(environ, lambda status, head, exc_info=None: started.append((status, head)))
    list(chunks)
    if hasattr(chunks, "close"):
        chunks.close()
    status, head = started[-1]
    assert status[0] != "5"
    assert not [value for _name, value in head if "\r" in value or "\n" in value]
