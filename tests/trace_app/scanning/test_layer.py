"""The way of a scan, in front of Flask."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import brotli
import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from tests.trace_app.scanning.asking import ask, layer_of
from tests.world import World
from trace_app import clock
from trace_app.accounts.models import Organisation
from trace_app.extensions import db
from trace_app.scanning.pages import KeptPage, PageKey, PageStore

pytestmark = pytest.mark.either_database


@pytest.fixture
def renderings(app: Flask, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which lots Flask rendered."""
    from trace_app.public import pages

    made: list[int] = []
    trace_of_batch = pages.trace_of_batch

    def counted(batch_id: int) -> Any:
        made.append(batch_id)
        return trace_of_batch(batch_id)

    monkeypatch.setattr(pages, "trace_of_batch", counted)
    return made


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("encoding", ["identity", "gzip, deflate, br"])
def test_the_page_is_the_one_that_flask_would_send(world: World, language: str, encoding: str) -> None:
    actor = world.producer()
    run = world.run(actor, world.released(actor))
    for index in (0, 1, 2):
        code = world.code(run, index)
        # By a program: its scan is not noted, or it would stand on the page that is asked for after it.
        asked = {"Accept-Language": language, "User-Agent": "curl/8"}
        _status, of_flask, by_flask = ask(layer_of(world).flask, code, **asked)
        status, headers, body = ask(world.app.wsgi_app, code, **asked, **{"Accept-Encoding": encoding})
        assert status.startswith("200")
        assert headers.pop("Content-Length") == str(len(body))
        if "br" in encoding:
            assert headers.pop("Content-Encoding") == "br"
            assert len(body) < len(by_flask) / 2
            body = brotli.decompress(body)
        assert body == by_flask
        assert headers.pop("ETag").startswith('W/"')
        del of_flask["Content-Length"]
        assert headers == of_flask


@pytest.mark.parametrize("encoding", ["gzip", "gzip;q=0.5, deflate", "br;q=0", "nonsense;;"])
def test_who_takes_no_brotli_gets_the_page_as_it_is(world: World, encoding: str) -> None:
    _batch, code = world.labelled(world.producer())
    ask(world.app.wsgi_app, code)
    _status, headers, body = ask(world.app.wsgi_app, code, **{"Accept-Encoding": encoding})
    assert "Content-Encoding" not in headers
    assert "Accept-Encoding" in headers["Vary"]
    assert body.startswith(b"<!doctype html>")


def test_a_page_is_rendered_once_for_all_labels_until_something_changes(world: World, renderings: list[int]) -> None:
    actor = world.producer()
    batch_id = world.released(actor)
    run = world.run(actor, batch_id)
    for index in (0, 1, 2, 0):
        code = world.code(run, index)
        page = ask(world.app.wsgi_app, code)[2].decode()
        assert f"{code[0]} {code[1:5]} {code[5:9]} {code[9:]}" in page
        assert page.count(code) == 2
        assert "\ue000" not in page
    assert renderings == [batch_id]
    world.record(actor, batch_id, note="新的一条")
    assert "新的一条" in ask(world.app.wsgi_app, code)[2].decode()
    assert renderings == [batch_id, batch_id]


def test_goods_past_their_best_before_date_are_not_shown_green(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The day turns and nothing is written: the kept page is another one all the same."""
    actor = world.producer()
    _lot, code = world.labelled(actor, produced_on="2025-11-06", best_before="2026-11-30")

    def on(day: str) -> str:
        monkeypatch.setattr(clock, "today", lambda: date.fromisoformat(day))
        return ask(world.app.wsgi_app, code)[2].decode()

    assert "来源可查" in on("2026-11-30")
    after = on("2026-12-01")
    assert "已过保质期" in after
    assert "来源可查" not in after
    assert '<div class="state held"' in after


def test_a_foreign_host_stands_on_nobodys_page(world: World) -> None:
    actor = world.producer()
    product = world.product(actor)
    _batch, code = world.labelled(actor, product_id=product)
    ask(world.app.wsgi_app, code)
    for headers in ({"Host": "evil.example"}, {"X-Forwarded-Host": "evil.example"}, {"Host": ""}):
        world.record(actor, _batch)
        assert b"evil" not in ask(world.app.wsgi_app, code, **headers)[2]
        assert b"evil" not in ask(world.app.wsgi_app, code)[2]


def test_a_recall_is_there_in_the_next_scan_of_a_kept_page(world: World) -> None:
    actor, officer = world.producer(), world.regulator()
    batch_id, code = world.labelled(actor)
    before = ask(world.app.wsgi_app, code)
    world.recall(officer, batch_id)
    status, headers, body = ask(world.app.wsgi_app, code, **{"If-None-Match": before[1]["ETag"]})
    assert status.startswith("200")
    assert "正在召回" in body.decode()
    assert headers["ETag"] != before[1]["ETag"]


def test_a_renamed_authority_is_on_the_page_of_what_it_recalled(world: World) -> None:
    actor, officer = world.producer(), world.regulator()
    batch_id, code = world.labelled(actor)
    world.recall(officer, batch_id)
    ask(world.app.wsgi_app, code)
    with world.writing():
        db.session.get_one(Organisation, officer.organisation_id).name = "改名后的局"
    assert "改名后的局" in ask(world.app.wsgi_app, code)[2].decode()


def test_who_has_the_page_already_gets_only_a_304(world: World) -> None:
    _batch, code = world.labelled(world.producer())
    etag = ask(world.app.wsgi_app, code)[1]["ETag"]
    for wish in (etag, etag.removeprefix("W/"), f'"other", {etag}', "*"):
        status, headers, body = ask(world.app.wsgi_app, code, **{"If-None-Match": wish})
        assert (status[:3], body) == ("304", b"")
        assert headers["ETag"] == etag
        assert headers["Cache-Control"] == "private, no-cache"
        assert "Content-Length" not in headers
    assert ask(world.app.wsgi_app, code, **{"If-None-Match": '"other"'})[0].startswith("200")


def test_head_has_the_headers_and_no_body(world: World) -> None:
    _batch, code = world.labelled(world.producer())
    get, head = ask(world.app.wsgi_app, code), ask(world.app.wsgi_app, code, method="HEAD")
    assert head == (get[0], get[1], b"")


def test_the_cookie_decides_over_the_browser(world: World) -> None:
    _batch, code = world.labelled(world.producer())
    english = {"Accept-Language": "en-US,en;q=0.9", "Cookie": "session=x"}
    assert b'lang="en"' in ask(world.app.wsgi_app, code, **english)[2]
    assert b'lang="zh-CN"' in ask(world.app.wsgi_app, code, **english | {"Cookie": "session=x; lang=zh"})[2]
    assert b'lang="en"' in ask(world.app.wsgi_app, code, **english | {"Cookie": "lang=nonsense"})[2]
    assert b'lang="zh-CN"' in ask(world.app.wsgi_app, code, **{"Accept-Language": "fr"})[2]


def test_what_is_no_label_of_ours_is_flasks_to_answer(world: World) -> None:
    _batch, code = world.labelled(world.producer())
    other = "0" if code[5] != "0" else "1"
    for wrong in (code[:5] + other + code[6:], "7KQ2M0XR9T4VH", code.lower() + "x"):
        status, headers, body = ask(world.app.wsgi_app, wrong)
        assert status.startswith("404")
        assert "请核对" in body.decode()
        assert "ETag" not in headers
    assert ask(world.app.wsgi_app, code.lower())[0].startswith("200")


def test_a_database_that_does_not_answer_is_flasks_to_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _batch, code = world.labelled(world.producer())
    ask(world.app.wsgi_app, code)

    def broken(_key_number: int, _run_number: int) -> None:
        raise OperationalError("SELECT", {}, Exception("disk I/O error"))

    monkeypatch.setattr(layer_of(world)._reader, "run", broken)
    assert ask(world.app.wsgi_app, code)[0].startswith("200")


@pytest.mark.parametrize("app", ["postgresql"], indirect=True)
def test_a_connection_that_was_lost_is_taken_anew(world: World) -> None:
    batch, code = world.labelled(actor := world.producer())
    signed_in = world.client(actor)
    ask(world.app.wsgi_app, code)
    assert signed_in.get("/batches").status_code == 200
    with world.app.app_context():
        lost = db.session.execute(
            db.text(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid != pg_backend_pid()"
            )
        ).scalar_one()
        assert lost
    world.record(actor, batch, note="之后")
    assert "之后" in ask(world.app.wsgi_app, code)[2].decode()
    assert signed_in.get("/batches").status_code == 200


def test_the_store_is_bounded_and_drops_what_was_longest_unused() -> None:
    def page(text: bytes) -> KeptPage:
        return KeptPage((1,), text, [])

    keys = [PageKey(number, "item", False) for number in range(5)]
    pages = PageStore(most=2 * page(b"1").size)
    made = {number: page(f"{number}".encode()) for number in (1, 2, 3)}
    pages.keep(keys[1], "zh", made[1])
    pages.keep(keys[2], "zh", made[2])
    assert pages.get(keys[1], "zh", (1,)) is made[1]
    made[2].used = False
    pages.keep(keys[3], "zh", made[3])
    assert pages.get(keys[2], "zh", (1,)) is None
    assert pages.get(keys[1], "zh", (1,)) is made[1]
    assert pages.get(keys[1], "zh", (2,)) is None
    assert pages.get(keys[1], "en", (1,)) is None
    # Where all are in use, the one that was looked at longest ago goes, and never the new one.
    made[1].used = made[3].used = True
    pages.keep(keys[4], "zh", page(b"4"))
    assert [pages.get(keys[number], "zh", (1,)) is None for number in (1, 3, 4)] == [False, True, False]


def test_marks_are_all_replaced_by_texts_of_their_length(world: World) -> None:
    _batch, code = world.labelled(world.producer())
    lines = {re.sub(r"\s+", " ", ask(world.app.wsgi_app, code)[2].decode()) for _ in range(3)}
    assert len(lines) == 1
