"""Passkeys in the place of codes: adding, signing in, and once more before what is grave."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from tests.authenticators import Device
from tests.conftest import app_for, let_go_of, set_up, settings_for
from tests.trace_app.test_factors import NOTICE, with_factor
from tests.world import PASSWORD, Actor, World
from trace_app.accounts.models import AuditEvent, Passkey
from trace_app.extensions import db

HOME = "http://localhost:8000"


@pytest.fixture
def named(tmp_path: Path) -> Iterator[World]:
    """A platform that has a name, as passkeys need."""
    app = app_for(settings_for(tmp_path, public_url=HOME))
    set_up(app)
    yield World(app)
    let_go_of(app)


def _question(page: str) -> str:
    found = re.search(r'data-question="([^"]+)"', page)
    assert found, page
    return html.unescape(found[1])


def _add(client: FlaskClient, device: Device, name: str = "办公室电脑") -> str:
    """The page that adding a passkey leads to."""
    page = client.post("/factors/passkeys", data={"name": name})
    assert page.status_code == 200, page.text
    assert page.headers["Cache-Control"] == "no-store"
    answer = device.make(_question(page.text))
    return client.post("/factors/passkeys/confirm", data={"name": name, "answer": answer}, follow_redirects=True).text


def _with_passkey(world: World, actor: Actor) -> tuple[FlaskClient, Device]:
    client, _app, _codes = with_factor(world, actor)
    device = Device(HOME)
    assert "通行密钥“办公室电脑”已添加" in _add(client, device)
    return client, device


def _half_way(world: World, actor: Actor, to: str = "") -> tuple[FlaskClient, str]:
    """A browser in which the password was typed, and the page that asks for the second step."""
    client = world.app.test_client()
    answer = client.post(f"/login{to}", data={"email": actor.username, "password": PASSWORD})
    assert answer.location.split("?")[0] == "/factors/check"
    return client, client.get(answer.location).text


def _stale(world: World) -> None:
    """As if more than ten minutes had gone by since the second factor."""
    with world.writing():
        db.session.execute(sa.text("UPDATE user_sessions SET factor_at = NULL"))


class TestAdding:
    def test_codes_come_first(self, named: World) -> None:
        client = named.client(named.producer())
        assert "通行密钥" not in client.get("/factors").text
        refused = client.post("/factors/passkeys", data={"name": "手机"})
        assert refused.status_code == 422
        answer = client.post("/factors/passkeys/confirm", data={"name": "手机", "answer": "{}"}, follow_redirects=True)
        assert "请先设置验证器，再添加通行密钥。" in answer.text

    def test_a_key_has_a_name_of_its_own_and_is_there_once(self, named: World) -> None:
        client, device = _with_passkey(named, named.producer())
        same = client.post("/factors/passkeys", data={"name": "办公室电脑"})
        assert (same.status_code, "您已有一个叫“办公室电脑”的通行密钥" in same.text) == (422, True)
        assert 'value="办公室电脑"' in same.text
        page = client.post("/factors/passkeys", data={"name": "手机"})
        with pytest.raises(KeyError):
            device.make(_question(page.text))
        assert "添加于" in client.get("/factors").text

    def test_there_are_ten_at_most(self, named: World) -> None:
        actor = named.producer()
        client, _device = _with_passkey(named, actor)
        with named.writing():
            for number in range(9):
                db.session.add(
                    Passkey(
                        user_id=actor.user_id,
                        name=str(number),
                        credential_id=bytes([number]),
                        public_key=b"x",
                        sign_count=0,
                    )
                )
        assert "最多 10 个" in client.post("/factors/passkeys", data={"name": "手机"}).text

    @pytest.mark.parametrize("answer", ["", "{}", "[1", '{"id": 1}', "null", '"x"', "[]"])
    def test_what_is_no_answer_adds_none_and_says_so(self, named: World, answer: str) -> None:
        client, _app, _codes = with_factor(named, named.producer())
        client.post("/factors/passkeys", data={"name": "手机"})
        said = client.post("/factors/passkeys/confirm", data={"name": "手机", "answer": answer}, follow_redirects=True)
        assert "通行密钥没有通过" in said.text
        with named.app.app_context():
            assert db.session.scalar(sa.select(sa.func.count()).select_from(Passkey)) == 0

    def test_an_answer_to_another_question_or_from_another_page_adds_none(self, named: World) -> None:
        client, _app, _codes = with_factor(named, named.producer())
        device = Device(HOME)
        old = _question(client.post("/factors/passkeys", data={"name": "手机"}).text)
        new = _question(client.post("/factors/passkeys", data={"name": "手机"}).text)
        for answer in (device.make(old), device.make(new, origin="https://trace.example"), device.make(new)):
            # The last one fits, and comes too late: a question is answered once.
            said = client.post(
                "/factors/passkeys/confirm", data={"name": "手机", "answer": answer}, follow_redirects=True
            )
            assert "通行密钥没有通过" in said.text

    def test_none_is_offered_where_the_platform_has_a_number_for_a_name(self, world: World) -> None:
        client, _app, _codes = with_factor(world, world.producer())
        page = client.get("/factors").text
        assert "平台以域名（https）访问时才能添加通行密钥" in page
        assert "添加通行密钥</button>" not in page


class TestSigningIn:
    def test_a_passkey_lets_in_and_leads_where_one_wanted_to_go(self, named: World) -> None:
        actor = named.producer()
        _client, device = _with_passkey(named, actor)
        client, page = _half_way(named, actor, "?next=/account")
        action = re.search(r'action="(/factors/passkey[^"]*)"', page)
        assert action
        done = client.post(html.unescape(action[1]), data={"answer": device.show(_question(page))})
        assert done.location == "/account"
        assert client.get("/account").status_code == 200
        assert "最近使用" in client.get("/factors").text
        with named.app.app_context():
            told = db.session.scalars(sa.select(AuditEvent).filter_by(action="show-passkey")).all()
            assert [event.facts for event in told] == [{"name": "办公室电脑"}]

    def test_it_leads_to_no_other_place(self, named: World) -> None:
        actor = named.producer()
        _client, device = _with_passkey(named, actor)
        client, page = _half_way(named, actor)
        answer = {"answer": device.show(_question(page))}
        assert client.post("/factors/passkey?next=https://evil.example/x", data=answer).location == "/start"

    def test_an_answer_that_was_given_before_is_worth_nothing(self, named: World) -> None:
        """Not even with the cookie of that moment."""
        actor = named.producer()
        _client, device = _with_passkey(named, actor)
        client, page = _half_way(named, actor)
        then = client.get_cookie("session")
        assert then is not None
        answer = {"answer": device.show(_question(page))}
        assert client.post("/factors/passkey", data=answer).location == "/start"
        thief = named.app.test_client()
        thief.set_cookie("session", then.value)
        thief.post("/factors/passkey", data=answer)
        assert thief.get("/account").status_code == 302

    def test_a_key_of_someone_else_or_a_copy_does_not_let_in(self, named: World) -> None:
        actor, other = named.producer(), named.producer(name="邻村合作社")
        _client, device = _with_passkey(named, actor)
        _other, others = _with_passkey(named, other)
        client, page = _half_way(named, actor)
        [name] = others.keys
        device.count = 7
        tries = [
            lambda asked: others.show(asked, name=name),
            lambda asked: device.show(asked, origin="https://trace.example"),
            device.show,
        ]
        for number, answer in enumerate(tries):
            said = client.post("/factors/passkey", data={"answer": answer(_question(page))}, follow_redirects=True)
            page = said.text
            if number < 2:
                assert "通行密钥没有通过" in page
        assert client.get("/account").status_code == 200
        # A copy counts from where the key was when it was copied.
        device.count = 3
        client, page = _half_way(named, actor)
        said = client.post("/factors/passkey", data={"answer": device.show(_question(page))}, follow_redirects=True)
        assert "通行密钥没有通过" in said.text
        assert client.get("/account").status_code == 302

    def test_ten_wrong_answers_are_enough(self, named: World) -> None:
        actor = named.producer()
        _client, device = _with_passkey(named, actor)
        client, page = _half_way(named, actor)
        for _ in range(10):
            client.post("/factors/passkey", data={"answer": "{}"})
        page = client.get("/factors/check").text
        said = client.post("/factors/passkey", data={"answer": device.show(_question(page))}, follow_redirects=True)
        assert "错误次数太多" in said.text
        assert client.get("/account").status_code == 302

    def test_nobody_gets_in_without_the_password(self, named: World) -> None:
        client = named.app.test_client()
        assert client.post("/factors/passkey", data={"answer": "{}"}).location == "/login"

    def test_a_removed_key_is_asked_for_no_more(self, named: World) -> None:
        actor = named.producer()
        client, device = _with_passkey(named, actor)
        with named.app.app_context():
            key = db.session.scalars(sa.select(Passkey)).one()
        _half, page = _half_way(named, actor)
        asked = _question(page)
        assert "已移除" in client.post(f"/factors/passkeys/{key.id}/remove", follow_redirects=True).text
        _half.post("/factors/passkey", data={"answer": device.show(asked)})
        assert _half.get("/account").status_code == 302
        _again, page = _half_way(named, actor)
        assert "data-question" not in page


def test_a_passkey_will_do_before_what_is_grave_and_nothing_typed_is_lost(named: World) -> None:
    officer = named.regulator()
    lot = named.released(named.producer())
    client, device = _with_passkey(named, officer)
    _stale(named)
    sent = NOTICE | {"advice": '停止食用"<退货>'}
    asked = client.post(f"/batches/{lot}/recall", data=sent)
    assert "停止食用&#34;&lt;退货&gt;" in asked.text
    wrong = client.post(f"/batches/{lot}/recall", data=sent | {"factor_code": "", "factor_passkey": "{}"})
    assert "通行密钥没有通过" in wrong.text
    answer = device.show(_question(wrong.text))
    done = client.post(f"/batches/{lot}/recall", data=sent | {"factor_code": "", "factor_passkey": answer})
    assert "请再验证一次" not in done.text


def test_who_is_helped_after_losing_everything_has_no_passkeys_left(named: World) -> None:
    actor, officer = named.producer(), named.administrator()
    _with_passkey(named, actor)
    assert named.client(officer).post(f"/admin/users/{actor.user_id}/remove-factor").status_code == 302
    with named.app.app_context():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Passkey)) == 0


def test_the_question_is_json_that_browsers_understand(named: World) -> None:
    client, _app, _codes = with_factor(named, named.producer())
    asked = json.loads(_question(client.post("/factors/passkeys", data={"name": "手机"}).text))
    assert (asked["rp"]["id"], asked["attestation"]) == ("localhost", "none")
    assert {"alg": -7, "type": "public-key"} in asked["pubKeyCredParams"]
