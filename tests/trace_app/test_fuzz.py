"""Whatever comes in a path, a query or a header: an answer, never a 500, and nothing of it in anyone else's page."""

from __future__ import annotations

import io
import os
import random
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from qr.codes import ALPHABET
from tests.world import World

TURNS = int(os.environ.get("FUZZ_REQUESTS", "3000")) // 2
"""Of each seed, on each database."""
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


def _request(chance: random.Random, codes: list[str]) -> dict[str, Any]:
    kind = chance.randrange(6)
    if kind == 0:
        path = "/" + "".join(chance.choices(ALPHABET, k=13))
    elif kind == 1:
        code = list(chance.choice(codes))
        code[chance.randrange(13)] = chance.choice(ALPHABET + "ilou -_.%/")
        path = "/" + "".join(code)
    elif kind == 2:
        path = "/" + "/".join(chance.choices([*PIECES, *codes], k=chance.randrange(1, 6)))
    elif kind == 3:
        path = "/" + "".join(chr(chance.randrange(1, 256)) for _ in range(chance.choice((1, 13, 200, 8000))))
    elif kind == 4:
        path = f"/01/{''.join(chance.choices('0123456789', k=chance.choice((8, 13, 14))))}/21/{chance.choice(codes)}"
    else:
        path = "/" + chance.choice(codes)
    query = "".join(chance.choices([*PIECES, "x" * 50], k=chance.randrange(4))) if chance.random() < 0.4 else ""
    headers = {name: chance.choice(values) for name, values in HEADERS.items() if chance.random() < 0.25}
    method = chance.choice(["GET", "GET", "GET", "HEAD", "OPTIONS", "POST", "PUT", "BREW"])
    return {"path": path, "query": query, "headers": headers, "method": method}


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


def _fuzz(application: Any, codes: list[str], turns: int, seed: int) -> None:
    chance = random.Random(seed)
    before = _answer(
        application,
        _environ({"path": f"/{codes[0]}", "query": "", "headers": {"Accept-Language": "zh"}, "method": "GET"}),
    )
    for turn in range(turns):
        wish = _request(chance, codes)
        status, head, body = _answer(application, _environ(wish))
        assert status < 500, (turn, wish, body[:500])
        for name, value in head:
            assert "\n" not in value, (turn, wish)
            assert "\r" not in value, (turn, wish)
            assert name.lower() != "set-cookie" or value.startswith(("session=", "lang=")), (turn, wish, value)
        location = dict(head).get("Location", "")
        assert "evil" not in location, (turn, wish)
        if wish["method"] == "HEAD":
            assert body == b""
    after = _answer(
        application,
        _environ({"path": f"/{codes[0]}", "query": "", "headers": {"Accept-Language": "zh"}, "method": "GET"}),
    )
    assert before[0] == after[0] == 200
    # Nothing of what came in is left in the kept page; only the count of scans may have moved on.
    assert len(before[2]) == len(after[2])
    assert b"evil" not in after[2]


@pytest.mark.parametrize("seed", range(2))
def test_whatever_comes_in_is_answered(world: World, seed: int) -> None:
    grower = world.producer()
    product = world.product(grower, gtin="06901234567892")
    run = world.run(grower, world.released(grower, product_id=product), 3)
    _fuzz(world.app.wsgi_app, [world.code(run, index) for index in range(3)], TURNS, seed)
