"""The way of a scan, in front of Flask."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable
from typing import Any

import brotli
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from tests.world import World
from trace_app.accounts.models import Organisation
from trace_app.extensions import db
from trace_app.public.item import HIDDEN, item_line
from trace_app.public.kept_pages import CUT_MARK, ITEM_MARK, MARK, PRINTED_MARK, QUIET_MARK, KeptPage, TracePages
from trace_app.public.scan_layer import ScanLayer


def _scan(app: Flask, code: str, **headers: str) -> tuple[str, dict[str, str], bytes]:
    """Status, headers and body as they go over the wire."""
    return _ask(app.wsgi_app, code, **headers)


def _ask(application: Any, code: str, **headers: str) -> tuple[str, dict[str, str], bytes]:
    environ = EnvironBuilder(path=f"/{code}", headers=headers, method=headers.pop("method", "GET")).get_environ()
    started: list[Any] = []
    chunks = application(environ, lambda status, head, exc_info=None: started.append((status, head)))
    body = b"".join(chunks)
    if hasattr(chunks, "close"):
        chunks.close()
    return started[-1][0], dict(started[-1][1]), body


@pytest.fixture
def renderings(app: Flask, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which batches Flask rendered."""
    from trace_app.public import pages as views

    made: list[int] = []
    trace_of_batch = views.trace_of_batch

    def counted(batch_id: int) -> Any:
        made.append(batch_id)
        return trace_of_batch(batch_id)

    monkeypatch.setattr(views, "trace_of_batch", counted)
    return made


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_bytes_are_those_that_flask_would_send(world: World, language: str) -> None:
    actor = world.producer()
    run = world.run(actor, world.released(actor))
    layer: Any = world.app.wsgi_app
    assert isinstance(layer, ScanLayer)
    for index in (0, 1, 2):
        code = world.code(run, index)
        _status, headers_of_flask, by_flask = _ask(layer._inner, code, **{"Accept-Language": language})
        _status, headers, body = _scan(world.app, code, **{"Accept-Language": language})
        assert body == by_flask
        etag = headers.pop("ETag")
        assert headers.pop("Content-Length") == headers_of_flask.pop("Content-Length")
        assert etag.startswith('W/"')
        assert headers == headers_of_flask


@pytest.mark.parametrize(("encoding", "unpack"), [("br", brotli.decompress), ("gzip", gzip.decompress)])
def test_compressed_it_is_the_same_page(world: World, encoding: str, unpack: Callable[[bytes], bytes]) -> None:
    actor = world.producer()
    run = world.run(actor, world.released(actor))
    accepted = "gzip, deflate, br" if encoding == "br" else "gzip;q=0.5, deflate"
    for index in (0, 1):
        code = world.code(run, index)
        plain = _scan(world.app, code)[2]
        _status, headers, packed = _scan(world.app, code, **{"Accept-Encoding": accepted})
        assert headers["Content-Encoding"] == encoding
        assert headers["Content-Length"] == str(len(packed))
        assert unpack(packed) == plain
        assert len(packed) < len(gzip.compress(plain, 9)) + 500
        assert "Accept-Encoding" in headers["Vary"]
    assert "Content-Encoding" not in _scan(world.app, code, **{"Accept-Encoding": "gzip;q=0"})[1]


def test_a_page_is_rendered_once_for_all_labels_until_something_changes(world: World, renderings: list[int]) -> None:
    actor = world.producer()
    batch_id = world.released(actor)
    run = world.run(actor, batch_id)
    for index in (0, 1, 2, 0):
        code = world.code(run, index)
        page = _scan(world.app, code)[2].decode()
        assert f"{code[0]} {code[1:5]} {code[5:9]} {code[9:]}" in page
        assert page.count(code) == 2
        assert not {MARK, PRINTED_MARK, ITEM_MARK} & set(re.findall("\ue000[a-z]+\ue001", page))
        assert "\ue000" not in page
    assert renderings == [batch_id]
    world.record(actor, batch_id, note="新的一条")
    assert "新的一条" in _scan(world.app, code)[2].decode()
    assert renderings == [batch_id, batch_id]


def test_a_recall_is_there_in_the_next_scan_of_a_kept_page(world: World) -> None:
    actor, officer = world.producer(), world.regulator()
    batch_id, code = world.labelled(actor)
    before = _scan(world.app, code)
    world.recall(officer, batch_id)
    status, headers, body = _scan(world.app, code, **{"If-None-Match": before[1]["ETag"]})
    assert status.startswith("200")
    assert "正在召回" in body.decode()
    assert headers["ETag"] != before[1]["ETag"]


def test_a_renamed_authority_is_on_the_page_of_what_it_recalled(world: World) -> None:
    actor, officer = world.producer(), world.regulator()
    batch_id, code = world.labelled(actor)
    world.recall(officer, batch_id)
    _scan(world.app, code)
    with world.writing():
        db.session.get_one(Organisation, officer.organisation_id).name = "改名后的局"
    assert "改名后的局" in _scan(world.app, code)[2].decode()


def test_who_has_the_page_already_gets_only_a_304(world: World) -> None:
    _batch, code = world.labelled(world.producer())
    etag = _scan(world.app, code)[1]["ETag"]
    for wish in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
        status, headers, body = _scan(world.app, code, **{"If-None-Match": wish})
        assert status.startswith("304")
        assert body == b""
        assert headers["ETag"] == etag
        assert headers["Cache-Control"] == "private, no-cache"
        assert "Content-Length" not in headers
    assert _scan(world.app, code, **{"If-None-Match": '"other"'})[0].startswith("200")


def test_head_has_the_headers_and_no_body(world: World) -> None:
    _batch, code = world.labelled(world.producer())
    get, head = _scan(world.app, code), _scan(world.app, code, method="HEAD")
    assert head[0] == get[0]
    assert head[1] == get[1]
    assert head[2] == b""


def test_the_cookie_decides_over_the_browser(world: World) -> None:
    _batch, code = world.labelled(world.producer())
    english = {"Accept-Language": "en-US,en;q=0.9", "Cookie": "session=x"}
    assert b'lang="en"' in _scan(world.app, code, **english)[2]
    assert b'lang="zh-CN"' in _scan(world.app, code, **english | {"Cookie": "session=x; lang=zh"})[2]
    assert b'lang="en"' in _scan(world.app, code, **english | {"Cookie": "lang=nonsense"})[2]
    assert b'lang="zh-CN"' in _scan(world.app, code, **{"Accept-Language": "fr"})[2]


def test_what_is_no_label_of_ours_is_flasks_to_answer(world: World) -> None:
    _batch, code = world.labelled(world.producer())
    other = "0" if code[5] != "0" else "1"
    for wrong in (code[:5] + other + code[6:], "7KQ2M0XR9T4VH", code.lower() + "x"):
        status, headers, body = _scan(world.app, wrong)
        assert status.startswith("404")
        assert "请核对" in body.decode()
        assert "ETag" not in headers
    assert _scan(world.app, code.lower())[0].startswith("200")


def test_a_database_that_does_not_answer_is_flasks_to_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _batch, code = world.labelled(world.producer())
    _scan(world.app, code)
    layer: Any = world.app.wsgi_app

    class Broken:
        error = layer._reader.error

        def run(self, run: int, index: int) -> None:
            raise self.error("disk I/O error")

    monkeypatch.setattr(layer, "_reader", Broken())
    assert _scan(world.app, code)[0].startswith("200")


def test_a_lost_connection_to_postgresql_is_opened_anew(postgresql_url: str) -> None:
    import psycopg

    from trace_app.db.driver import Driver
    from trace_app.public.label_states import PostgresqlReader

    url = postgresql_url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS lost WITH (FORCE)")
        admin.execute("CREATE DATABASE lost")
    with psycopg.connect(url, dbname="lost", autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE batches (id int, created_at text, version int, status text);"
            "CREATE TABLE recalls (id int, kind text); CREATE TABLE recall_batches (recall_id int, batch_id int);"
            "CREATE TABLE recall_notices (recall_id int);"
            "CREATE TABLE lot_links (source_id int, target_id int, withdrawn_at timestamp);"
            "CREATE TABLE label_runs (id int, batch_id int, count int, key_number int, level text, has_pin bool,"
            " voided text);"
            'CREATE TABLE scan_items (run_id int, "index" int, first_at text, scans int, unusual bool);'
            "INSERT INTO scan_items VALUES (5, 2, 'once', 3, false); "
            "INSERT INTO batches VALUES (1, 'then', 7, 'released'); "
            "INSERT INTO label_runs VALUES (5, 1, 10, 1, 'item', false, '')"
        )
    reader = PostgresqlReader(Driver(False, psycopg.conninfo.make_conninfo(url, dbname="lost"), psycopg.Error))
    run = (10, 1, "item", False, "", 1, "released", "then", 7, 0, 0)
    assert reader.run(5, 2) == (run, ("once", 3, False))
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'lost'")
    assert reader.run(5, 3) == (run, None)
    assert reader.run(6, 2) == (None, None)
    reader._local.connection.close()


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\x00\ue000\ue001", exclude_categories=["Cs"]), max_size=400),
        max_size=6,
    ),
    st.data(),
)
def test_any_page_cut_at_its_marks_and_put_together_again_is_whole(parts: list[str], data: st.DataObject) -> None:
    marks = [data.draw(st.sampled_from([MARK, PRINTED_MARK, ITEM_MARK, QUIET_MARK, CUT_MARK])) for _ in parts]
    text = "".join(part + mark for part, mark in zip(parts, marks, strict=True)) + "".join(parts)
    page = KeptPage((1,), text.encode(), [])
    code, line = "7KQ2M0XR9T4VH", item_line(None, 0, "zh")
    inserts = (code.encode(), b"7 KQ2M 0XR9 T4VH", line, HIDDEN, b"")
    expected = (
        text.replace(CUT_MARK, "")
        .replace(QUIET_MARK, "hidden")
        .replace(MARK, code)
        .replace(PRINTED_MARK, "7 KQ2M 0XR9 T4VH")
        .replace(ITEM_MARK, line.decode())
    )
    assert page.body(inserts) == expected.encode()
    assert zlib.decompress(page.gzipped(inserts), wbits=31) == expected.encode()
    packed = page.brotlied(inserts)
    assert packed is None or brotli.decompress(packed) == expected.encode()


def test_the_store_is_bounded_and_drops_what_was_longest_unused() -> None:
    pages = TracePages(most=2 * KeptPage((1,), b"1", []).size)
    made = {number: KeptPage((1,), f"{number}".encode(), []) for number in (1, 2, 3)}
    pages.keep(1, "zh", made[1])
    pages.keep(2, "zh", made[2])
    assert pages.get(1, "zh", (1,)) is made[1]
    made[2].used = False
    pages.keep(3, "zh", made[3])
    assert pages.get(2, "zh", (1,)) is None
    assert pages.get(1, "zh", (1,)) is made[1]
    assert pages.get(1, "zh", (2,)) is None
    assert pages.get(1, "en", (1,)) is None
    # Where all are in use, the one that was looked at longest ago goes, and never the new one.
    made[1].used = made[3].used = True
    pages.keep(4, "zh", KeptPage((1,), b"4", []))
    assert [pages.get(number, "zh", (1,)) is None for number in (1, 3, 4)] == [False, True, False]
