"""Whatever comes in a path, a query or a header: an answer, never a 500, and nothing of it in anyone else's page."""

from __future__ import annotations

import io
import os
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qr.codes import ALPHABET
from tests.world import World

TURNS = int(os.environ.get("FUZZ_REQUESTS", "1000"))
"""How many requests are made up on each database."""
PIECES = [
    "..",
    "%2e%2e",
    "%00",
    "%0d%0aSet-Cookie:x=1",
    "%ff%fe",
    "%F0%9F%8D%AF",
    "\\",
    "//",
    "'\"><script>",
    "{{7*7}}",
    "%s%n",
    "${jndi:x}",
    "01",
    "10",
    "21",
    "00",
    "414",
    "06901234567892",
    "\u202e",
    "\ue000code\ue001",
    "%EE%80%80item%EE%80%81",
    "lang",
    "linkType",
    "gs1:pip",
    "all",
    "feedback",
    "pin",
    "recalls",
    "p",
    "l",
    "places",
    "tickets",
    "find",
    "?",
    "&",
    "=",
    "#",
]
HEADERS = {
    "Accept": ["*/*", "application/ld+json", "text/html;q=x", "a/b" * 500, ",;,;", "application/linkset+json"],
    "Accept-Language": ["zh", "en;q=", "x" * 3000, "zh-CN,zh;q=0.9,,", "*"],
    "Accept-Encoding": ["br", "gzip;q=0.1", "br;q=nan", "identity", "x" * 2000],
    "If-None-Match": ["*", 'W/"0"', '"-"', "x" * 5000, 'W/"0123456789abcdef-ffffffffffff"'],
    "Cookie": ["lang=en", "lang=\x7f", "lang=zh; session=x.y.z", "=" * 500, "lang"],
    "X-Forwarded-Host": ["evil.example", ""],
    "X-Forwarded-Prefix": ["/evil"],
    "X-Original-URL": ["/login"],
    "Range": ["bytes=0-10", "bytes=-1", "x"],
    "User-Agent": ["Mozilla/5.0", "", "x" * 4000, "bot"],
}


CODES = st.sampled_from(["{0}", "{1}", "{2}"])
"""The places of three labels' codes, which are known when the test runs."""
_WRONG = st.builds(
    lambda code, at, sign: (code, at, sign), CODES, st.integers(0, 12), st.sampled_from(ALPHABET + "ilou -_.%/")
)
_SEGMENTS = st.lists(st.sampled_from(PIECES) | CODES, min_size=1, max_size=5).map("/".join)
_BYTES = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=200)
_LONG = _BYTES.filter(bool).map(lambda text: (text * 8000)[:8000])
_LINKS = st.builds(
    "01/{}/21/{}".format,
    st.sampled_from([8, 13, 14]).flatmap(lambda n: st.text("0123456789", min_size=n, max_size=n)),
    CODES,
)
PATHS = CODES | _WRONG | st.text(ALPHABET, min_size=13, max_size=13) | _SEGMENTS | _BYTES | _LONG | _LINKS
QUERIES = st.just("") | st.lists(st.sampled_from([*PIECES, "x" * 50]), max_size=3).map("".join)
WISHES = st.fixed_dictionaries(
    {
        "path": PATHS,
        "query": QUERIES,
        "headers": st.fixed_dictionaries(
            {}, optional={name: st.sampled_from(values) for name, values in HEADERS.items()}
        ),
        "method": st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "BREW"]),
    }
)


def _path(wish: Any, codes: list[str]) -> str:
    if isinstance(wish, tuple):
        code, at, sign = wish
        code = codes[int(code[1])]
        return f"/{code[:at]}{sign}{code[at + 1 :]}"
    for number, code in enumerate(codes):
        wish = wish.replace(f"{{{number}}}", code)
    return f"/{wish}"


def _environ(wish: dict[str, Any]) -> dict[str, Any]:
    """As a server hands it over: the path decoded into latin-1, whatever its bytes."""
    raw = (
        unquote_to_bytes(wish["path"].encode("utf-8", "surrogatepass"))
        if "%" in wish["path"]
        else wish["path"].encode()
    )
    environ = {
        "REQUEST_METHOD": wish["method"],
        "PATH_INFO": raw.decode("latin-1"),
        "SCRIPT_NAME": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(b""),
        "QUERY_STRING": wish["query"].encode().decode("latin-1"),
        "HTTP_HOST": "127.0.0.1:8000",
        "REMOTE_ADDR": "203.0.113.9",
        "wsgi.errors": io.StringIO(),
        "CONTENT_LENGTH": "0",
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in wish["headers"].items()}
    return environ


def _answer(application: Any, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
    started: list[Any] = []
    chunks = application(environ, lambda status, head, exc_info=None: started.append((status, head)))
    body = b"".join(chunks)
    if hasattr(chunks, "close"):
        chunks.close()
    status, head = started[-1]
    return int(status.split()[0]), head, body


@pytest.fixture
def codes(world: World) -> list[str]:
    grower = world.producer()
    product = world.product(grower, gtin="06901234567892")
    run = world.run(grower, world.released(grower, product_id=product), 3)
    return [world.code(run, index) for index in range(3)]


@settings(
    max_examples=TURNS, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(wish=WISHES)
def test_whatever_comes_in_is_answered(world: World, codes: list[str], wish: dict[str, Any]) -> None:
    application = world.app.wsgi_app
    plain = {"path": f"/{codes[0]}", "query": "", "headers": {"Accept-Language": "zh"}, "method": "GET"}
    before = _answer(application, _environ(plain))
    status, head, body = _answer(application, _environ(wish | {"path": _path(wish["path"], codes)}))
    assert status < 500, body[:500]
    for name, value in head:
        assert "\n" not in value
        assert "\r" not in value
        assert name.lower() != "set-cookie" or value.startswith(("session=", "lang="))
    assert "evil" not in dict(head).get("Location", "")
    if wish["method"] == "HEAD":
        assert body == b""
    after = _answer(application, _environ(plain))
    assert before[0] == after[0] == 200
    # Nothing of what came in is left in the kept page; only the count of scans may have moved on.
    assert len(before[2]) == len(after[2])
    assert b"evil" not in after[2]
