"""Second factors: codes of an app, recovery codes, and a fresh one before what is grave."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from passlib.totp import TOTP

from tests.conftest import app_for, let_go_of, set_up, settings_for
from tests.trace_app.test_slips import OWN, own_password, slip_in
from tests.world import PASSWORD, Actor, World, at_once
from trace_app.accounts.models import AuditEvent, User, UserSession
from trace_app.accounts.service import are_independent
from trace_app.db.base import utc_now
from trace_app.extensions import db

pytestmark = pytest.mark.either_database

NOTICE = {"level": "2", "reason": "镉超标", "advice": "停止食用", "remedy": "退货"}


class App:
    """An authenticator on a phone. Its clock is moved on, as a code is taken once."""

    def __init__(self, page: str) -> None:
        found = re.search(r'class="token">([A-Z2-7 -]+)<', page)
        assert found, page
        self._totp = TOTP(key=found[1].replace("-", "").replace(" ", ""))

    def code(self) -> str:
        return str(self._totp.generate(time=time.time()).token)

    def next_code(self) -> str:
        """The code of the next half minute, which a clock that is a little fast shows already."""
        return str(self._totp.generate(time=time.time() + 30).token)


def _state(page: str) -> str:
    found = re.search(r'name="state"[^>]*value="([^"]+)"', page)
    assert found, page
    return found[1]


def with_factor(world: World, actor: Actor) -> tuple[FlaskClient, App, list[str]]:
    """A browser that is signed in and has just set a second factor up, the app, and the recovery codes."""
    client = world.client(actor)
    page = client.post("/factors", data={"current": PASSWORD})
    assert page.status_code == 200, page.text
    assert page.headers["Cache-Control"] == "no-store"
    app = App(page.text)
    done = client.post("/factors/confirm", data={"state": _state(page.text), "code": app.code()})
    assert done.status_code == 200, done.text
    codes = re.findall(r"<code>([0-9a-f-]{14})</code>", done.text)
    assert len(codes) == 8
    return client, app, codes


def _password_only(world: World, actor: Actor) -> FlaskClient:
    client = world.app.test_client()
    answer = client.post("/login", data={"email": actor.username, "password": PASSWORD})
    assert answer.location.split("?")[0] == "/factors/check"
    assert client.get("/account").status_code == 302
    return client


def _forget_codes(world: World) -> None:
    """As if half a minute had gone by."""
    with world.writing():
        db.session.execute(sa.update(User).values(tf_last_counter=None))


def _shown_for(world: World, **time_ago: float) -> None:
    with world.writing():
        db.session.execute(sa.update(UserSession).values(factor_at=utc_now() - timedelta(**time_ago)))


def _actions(world: World) -> list[str]:
    with world.app.app_context():
        wanted = AuditEvent.action.contains("factor") | AuditEvent.action.contains("recovery")
        return list(db.session.scalars(db.select(AuditEvent.action).where(wanted).order_by(AuditEvent.id)))


def test_a_password_alone_lets_nobody_in_who_has_a_second_factor(world: World) -> None:
    actor = world.producer()
    _client, app, _codes = with_factor(world, actor)
    client = _password_only(world, actor)
    wrong = client.post("/factors/check", data={"code": "000000"})
    assert "验证码不对或已用过" in wrong.text
    empty_one = client.post("/factors/check", data={"code": ""})
    assert "请填写此项" in empty_one.text
    _forget_codes(world)
    code = app.code()
    right = client.post("/factors/check", data={"code": f"{code[:3]} {code[3:]}"})
    assert right.status_code == 302
    assert client.get("/account").status_code == 200
    assert _actions(world) == ["set-factor", "make-recovery-codes", "factor-failed"]


def test_the_second_step_is_for_those_who_have_done_the_first(world: World) -> None:
    inside = world.client(world.producer())
    for client in (inside, world.client()):
        for path in ("/factors/check", "/factors/recovery"):
            assert client.get(path).location == "/login"
            assert client.post(path, data={"code": "000000"}).location == "/login"
    assert inside.get("/account").status_code == 200


def test_a_code_is_taken_once(world: World) -> None:
    actor = world.producer()
    _client, app, _codes = with_factor(world, actor)
    seen = app.next_code()
    assert _password_only(world, actor).post("/factors/check", data={"code": seen}).status_code == 302
    again = _password_only(world, actor)
    assert "已用过" in again.post("/factors/check", data={"code": seen}).text
    assert again.get("/account").status_code == 302


@pytest.mark.parametrize("path", ["/factors/check", "/factors/recovery"])
def test_a_code_is_taken_once_also_from_several_at_the_same_time(world: World, path: str) -> None:
    actor = world.producer()
    _client, app, codes = with_factor(world, actor)
    clients = [_password_only(world, actor) for _ in range(5)]
    code = app.next_code() if path == "/factors/check" else codes[0]
    answers = at_once([partial(client.post, path, data={"code": code}) for client in clients])
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 302]


def test_a_recovery_code_lets_in_once(world: World) -> None:
    actor = world.producer()
    _client, _app, codes = with_factor(world, actor)
    client = _password_only(world, actor)
    assert "验证码不对" in client.post("/factors/recovery", data={"code": "0000-0000-0000"}).text
    assert client.post("/factors/recovery", data={"code": f" {codes[0]} "}).status_code == 302
    assert client.get("/account").status_code == 200
    assert "备用码还剩 7 个" in client.get("/factors").text
    other = _password_only(world, actor)
    assert "验证码不对" in other.post("/factors/recovery", data={"code": codes[0]}).text
    assert other.get("/account").status_code == 302


def test_new_recovery_codes_void_the_old(world: World) -> None:
    actor = world.producer()
    client, _app, codes = with_factor(world, actor)
    assert codes[0] not in client.post("/factors/codes").text
    assert "验证码不对" in _password_only(world, actor).post("/factors/recovery", data={"code": codes[0]}).text


def test_codes_are_not_guessed(world: World) -> None:
    actor = world.producer()
    _client, app, codes = with_factor(world, actor)
    guesser = _password_only(world, actor)
    for _ in range(10):
        guesser.post("/factors/check", data={"code": "000000"})
    _forget_codes(world)
    later = _password_only(world, actor)
    assert "错误次数太多" in later.post("/factors/check", data={"code": app.code()}).text
    assert "错误次数太多" in later.post("/factors/recovery", data={"code": codes[0]}).text
    assert later.get("/account").status_code == 302


def test_what_is_kept_of_a_factor_is_encrypted(world: World) -> None:
    actor = world.producer()
    _client, app, codes = with_factor(world, actor)
    with world.app.app_context():
        row = db.session.get_one(User, actor.user_id)
        kept = f"{row.tf_totp_secret} {row.mf_recovery_codes}"
    assert app._totp.base32_key not in kept
    assert not [code for code in codes if code in kept]


def test_setting_one_up_wants_the_password_and_a_right_first_code(world: World) -> None:
    actor = world.producer()
    client = world.client(actor)
    refused = client.post("/factors", data={"current": "something else"})
    assert refused.status_code == 422
    assert "现在的密码不对" in refused.text
    page = client.post("/factors", data={"current": PASSWORD}).text
    wrong = client.post("/factors/confirm", data={"state": _state(page), "code": "000000"})
    assert wrong.status_code == 422
    assert "验证码不对" in wrong.text
    # The same secret is shown again, as the phone has it by now.
    assert App(wrong.text).code() == App(page).code()
    assert client.post("/factors/confirm", data={"state": "made up", "code": "000000"}).status_code == 302
    assert world.client(actor).get("/account").status_code == 200
    assert _actions(world) == []


def test_a_second_factor_ends_the_sessions_that_showed_none(world: World) -> None:
    actor = world.producer()
    other = world.client(actor)
    client, _app, _codes = with_factor(world, actor)
    assert client.get("/account").status_code == 200
    assert other.get("/account").status_code == 302


def test_it_is_replaced_and_removed_with_a_fresh_one_alone(world: World) -> None:
    actor = world.producer()
    client, app, _codes = with_factor(world, actor)
    _shown_for(world, minutes=11)
    for path in ("/factors/remove", "/factors/codes", "/factors"):
        asked = client.post(path, data={"current": PASSWORD})
        assert "请再验证一次" in asked.text
        assert "factor_code" in asked.text
    _forget_codes(world)
    assert client.post("/factors/remove", data={"factor_code": app.code()}).status_code == 302
    assert world.client(actor).get("/account").status_code == 200


def test_what_is_grave_wants_a_fresh_code_and_loses_nothing_that_was_typed(world: World) -> None:
    officer, lot = world.regulator(), world.released(world.producer())
    client, app, codes = with_factor(world, officer)
    _shown_for(world, minutes=11)
    sent = NOTICE | {"reason": '镉超标 <b> "0.3"', "ends_on": ""}
    asked = client.post(f"/batches/{lot}/recall", data=sent)
    assert asked.status_code == 200
    assert "请再验证一次" in asked.text
    assert "镉超标 &lt;b&gt; &#34;0.3&#34;" in asked.text
    wrong = client.post(f"/batches/{lot}/recall", data=sent | {"factor_code": "000000"})
    assert wrong.status_code == 422
    assert "验证码不对" in wrong.text
    assert "0.3" in wrong.text
    with world.app.app_context():
        assert db.session.scalar(sa.text("SELECT count(*) FROM recalls")) == 0
    _forget_codes(world)
    # What comes after the code is the answer of the view itself, with what was sent.
    done = client.post(f"/batches/{lot}/recall", data=sent | {"factor_code": app.code()})
    assert "请再验证一次" not in done.text
    assert done.status_code in {302, 422}
    # For ten minutes nothing more is asked; then a recovery code will do as well.
    assert "请再验证一次" not in client.post(f"/batches/{lot}/recall", data=sent).text
    _shown_for(world, minutes=11)
    assert "请再验证一次" not in client.post(f"/batches/{lot}/recall", data=sent | {"factor_code": codes[0]}).text
    assert _actions(world)[2:] == ["factor-failed", "show-factor", "use-recovery-code"]


GRAVE = [
    "/batches/1/recall", "/recalls/scope", "/recalls/x/approve", "/recalls/x/narrow", "/recalls/x/correct",
    "/recalls/x/complete", "/recalls/x/withdraw", "/recalls/x/end", "/recalls/x/proposals/1/approve",
    "/findings/1/waive", "/account/tokens", "/admin/organisations/new", "/admin/organisations/1/edit",
    "/admin/organisations/1/users/new", "/admin/users/1/reset", "/admin/users/1/remove-factor", "/admin/users/1/active",
]  # fmt: skip


def test_all_that_is_grave_wants_a_fresh_code(world: World) -> None:
    client, _app, _codes = with_factor(world, world.administrator())
    _shown_for(world, minutes=11)
    for path in GRAVE:
        assert "请再验证一次" in client.post(path).text, path
    without = world.client(world.administrator())
    for path in GRAVE:
        assert "请再验证一次" not in without.post(path).text, path


def test_a_changed_password_is_no_second_factor(world: World) -> None:
    client, _app, _codes = with_factor(world, world.producer())
    _shown_for(world, minutes=11)
    assert client.post("/account/password", data={"current": PASSWORD, "new": OWN, "again": OWN}).status_code == 302
    assert "请再验证一次" in client.post("/account/tokens", data={"name": "秤", "scopes": ["read"], "days": "90"}).text


def test_a_slip_sets_the_password_and_leaves_the_factor(world: World) -> None:
    actor, admin = world.producer(), world.client(world.administrator())
    with_factor(world, actor)
    own_password(world, slip_in(admin.post(f"/admin/users/{actor.user_id}/reset")))
    answer = world.client().post("/login", data={"email": actor.username, "password": OWN})
    assert answer.location.split("?")[0] == "/factors/check"


def test_an_administrator_helps_who_has_lost_all_and_is_no_independent_officer_then(world: World) -> None:
    officer, chief = world.regulator("530300"), world.administrator("530324")
    client, _app, _codes = with_factor(world, officer)
    county = world.client(chief)
    assert county.post(f"/admin/users/{officer.user_id}/remove-factor").status_code == 404
    city = world.administrator()
    assert world.client(city).post(f"/admin/users/{officer.user_id}/remove-factor").status_code == 302
    assert client.get("/account").status_code == 302
    assert world.client(officer).get("/account").status_code == 200
    with world.writing():
        # Even one who administers nothing any more.
        db.session.get_one(User, city.user_id).roles = [*db.session.get_one(User, officer.user_id).roles]
        db.session.flush()
        assert not are_independent(db.session.get_one(User, officer.user_id), db.session.get_one(User, city.user_id))
        assert are_independent(db.session.get_one(User, officer.user_id), db.session.get_one(User, chief.user_id))


def test_an_administrator_helps_others_and_not_itself(world: World) -> None:
    chief = world.administrator()
    client, _app, _codes = with_factor(world, chief)
    for path in ("reset", "remove-factor"):
        answer = client.post(f"/admin/users/{chief.user_id}/{path}")
        assert answer.status_code == 409
        assert "由另一位管理员重设" in answer.text
    assert client.get("/admin").status_code == 200
    _password_only(world, chief)


class TestRequired:
    """A platform whose officers must have a second factor."""

    @pytest.fixture
    def strict(self, tmp_path: Path) -> Iterator[World]:
        app = app_for(settings_for(tmp_path, second_factor_required=True))
        set_up(app)
        yield World(app)
        let_go_of(app)

    def test_an_officer_has_a_day_and_then_sets_one_up_first(self, strict: World) -> None:
        officer = strict.regulator()
        client = strict.client(officer)
        assert client.get("/desk").status_code == 200
        with strict.app.app_context():
            due = db.session.get_one(User, officer.user_id).factor_due_at
            assert due is not None
            assert timedelta(hours=23) < due - utc_now() <= timedelta(hours=24)
        with strict.writing():
            db.session.get_one(User, officer.user_id).factor_due_at = utc_now()
        assert client.get("/desk").location == "/factors"
        assert client.get("/recalls").status_code == 200
        page = client.get("/factors")
        assert "须开启两步验证" in page.text
        begun = client.post("/factors", data={"current": PASSWORD}).text
        done = client.post("/factors/confirm", data={"state": _state(begun), "code": App(begun).code()})
        assert done.status_code == 200
        assert client.get("/desk").status_code == 200
        # Signing in again grants no second day, and what must be there is not removed.
        assert client.post("/factors/remove").status_code == 409

    def test_what_is_grave_waits_for_no_day(self, strict: World) -> None:
        client = strict.client(strict.administrator())
        assert client.get("/admin").status_code == 200
        assert client.get("/admin/organisations/new").location == "/factors"
        assert client.post("/recalls/scope", data={}).location == "/factors"

    def test_growers_may_do_without(self, strict: World) -> None:
        grower = strict.producer()
        client = strict.client(grower)
        with strict.writing():
            db.session.get_one(User, grower.user_id).factor_due_at = utc_now()
        assert client.get("/batches").status_code == 200
        assert client.post("/account/tokens", data={"name": "秤", "scopes": ["read"], "days": "90"}).status_code == 200


def test_officers_must_have_one_in_production_unless_said_otherwise(tmp_path: Path) -> None:
    production: dict[str, Any] = {
        "environment": "production",
        "secret_key": "kJ8v2Qz7Lw0xNp4RtYb6Ue1SaHd9FgCm3VoXi5",
        "public_url": "https://trace.example.org",
        "sqlite_in_production": True,
    }
    assert settings_for(tmp_path, **production).officers_need_factor
    assert not settings_for(tmp_path, **production, second_factor_required=False).officers_need_factor
    assert not settings_for(tmp_path).officers_need_factor
    assert settings_for(tmp_path, factor_key="one").factor_cipher_key != settings_for(tmp_path).factor_cipher_key
    assert settings_for(tmp_path).factor_cipher_key == settings_for(tmp_path).factor_cipher_key
