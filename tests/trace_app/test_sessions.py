"""Who is signed in, on which device, and what ends it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest
from flask.testing import FlaskClient

from tests.world import PASSWORD, Actor, World
from trace_app.accounts import sessions
from trace_app.accounts.models import AuditEvent, Organisation, UserSession
from trace_app.db.base import utc_now
from trace_app.extensions import db

PHONE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Mobile MicroMessenger/8.0.50"
PC = "Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537.36 Chrome/120 Safari/537.36 Edg/120"


def _sign_in(world: World, actor: Actor, agent: str = PC, *, stays: bool = False) -> FlaskClient:
    client = world.app.test_client()
    client.environ_base["HTTP_USER_AGENT"] = agent
    data = {"email": actor.username, "password": PASSWORD} | ({"remember": "y"} if stays else {})
    assert client.post("/login", data=data).status_code == 302
    return client


def _copy_of(world: World, client: FlaskClient) -> FlaskClient:
    """A browser that has the same cookies, such as a thief's."""
    thief = world.app.test_client()
    for cookie in client._cookies.values():
        thief.set_cookie(cookie.key, cookie.value)
    return thief


def _is_in(client: FlaskClient) -> bool:
    return client.get("/account").status_code == 200


def _unused_for(world: World, **time: float) -> None:
    with world.writing():
        db.session.execute(db.update(UserSession).values(seen_at=utc_now() - timedelta(**time)))


@pytest.mark.parametrize("stays", [True, False])
def test_a_stolen_cookie_is_worth_nothing_after_signing_out(world: World, stays: bool) -> None:
    client = _sign_in(world, world.producer(), stays=stays)
    thief = _copy_of(world, client)
    assert _is_in(thief)
    assert client.post("/logout").status_code == 302
    assert not _is_in(thief)
    assert not _is_in(client)


def test_the_account_lists_devices_and_ends_one_or_all_others(world: World) -> None:
    actor = world.producer()
    pc, phone, other = _sign_in(world, actor), _sign_in(world, actor, PHONE), _sign_in(world, actor, "")
    page = pc.get("/account").text
    for device in ("Windows · Edge", "Android · 微信", "未知设备", "这台设备"):
        assert device in page
    rows = re.findall(r"<tr>.*?</tr>", page, re.DOTALL)
    [address] = [re.findall(r"/account/sessions/\d+/end", row) for row in rows if "微信" in row]
    stranger = world.client(world.producer())
    assert stranger.post(address[0]).status_code == 404
    assert pc.post(address[0]).status_code == 302
    assert (_is_in(pc), _is_in(phone), _is_in(other)) == (True, False, True)
    assert pc.post(address[0]).status_code == 404
    assert pc.post("/account/sessions/end").status_code == 302
    assert (_is_in(pc), _is_in(other)) == (True, False)


def test_a_new_password_ends_what_others_have_and_asks_about_tokens(world: World) -> None:
    actor = world.producer()
    mine, other = _sign_in(world, actor), _sign_in(world, actor, PHONE, stays=True)
    world.token(actor)
    new = "another-good-password"
    answer = mine.post("/account/password", data={"current": PASSWORD, "new": new, "again": new}, follow_redirects=True)
    assert "令牌仍然有效" in answer.text
    assert (_is_in(mine), _is_in(other)) == (True, False)
    with world.app.app_context():
        assert len(db.session.scalars(db.select(UserSession).filter_by(ended_at=None)).all()) == 1


@pytest.mark.parametrize(
    ("officer", "stays", "unused", "goes_on"),
    [
        (False, False, {"hours": 11}, True),
        (False, False, {"hours": 13}, False),
        (False, True, {"days": 29}, True),
        (False, True, {"days": 31}, False),
        (True, False, {"minutes": 29}, True),
        (True, False, {"minutes": 31}, False),
        (True, True, {"minutes": 31}, False),
    ],
)
def test_what_is_not_used_ends(
    world: World, officer: bool, stays: bool, unused: dict[str, float], goes_on: bool
) -> None:
    client = _sign_in(world, world.regulator() if officer else world.producer(), stays=stays)
    _unused_for(world, **unused)
    assert _is_in(client) is goes_on
    # What was used has its time anew.
    if goes_on:
        with world.app.app_context():
            [row] = db.session.scalars(db.select(UserSession))
            assert utc_now() - row.seen_at < timedelta(minutes=1)


def test_a_page_does_not_fail_for_the_note_of_its_use(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = _sign_in(world, world.producer())
    real = sessions.utc_now

    def writes_meanwhile() -> datetime:
        # Another writes between what the request has read and its note: SQLite then takes no writing of the reader's.
        with db.engine.begin() as connection:
            connection.execute(db.update(Organisation).values(phone="0874-2"))
        return real()

    _unused_for(world, minutes=5)
    monkeypatch.setattr(sessions, "utc_now", writes_meanwhile)
    assert _is_in(client)
    monkeypatch.undo()
    with world.app.app_context():
        [row] = db.session.scalars(db.select(UserSession))
        assert utc_now() - row.seen_at < timedelta(minutes=1)


@pytest.mark.parametrize("stays", [True, False])
def test_only_who_wants_to_stay_has_a_cookie_that_outlives_the_browser(world: World, stays: bool) -> None:
    client = world.app.test_client()
    data = {"email": world.producer().username, "password": PASSWORD} | ({"remember": "y"} if stays else {})
    cookies = client.post("/login", data=data).headers.getlist("Set-Cookie")
    assert [cookie.split("=")[0] for cookie in cookies] == ["session"]
    assert ("Expires" in cookies[0]) is stays


def test_signing_in_and_failing_to_are_on_record(world: World) -> None:
    actor = world.producer()
    client = world.app.test_client()
    assert client.post("/login", data={"email": actor.username, "password": "wrong-password"}).status_code == 200
    assert client.post("/login", data={"email": "nobody", "password": "wrong-password"}).status_code == 200
    client = _sign_in(world, actor, PHONE)
    with world.app.app_context():
        events = db.session.scalars(
            db.select(AuditEvent).where(AuditEvent.action.startswith("sign-in")).order_by(AuditEvent.id)
        ).all()
        assert [(event.action, event.facts.get("device")) for event in events] == [
            ("sign-in-failed", None),
            ("sign-in", "Android · 微信"),
        ]
        assert events[0].subject_id == actor.user_id
        [row] = db.session.scalars(db.select(UserSession))
        # What the browser holds can't be made of what is kept.
        assert len(row.digest) == 64


def test_a_locked_account_is_out_at_once_and_its_sessions_stay_ended(world: World) -> None:
    actor, chief = world.producer(), world.administrator()
    client = _sign_in(world, actor)
    admin = world.client(chief)
    for active in ("", "1"):
        answer = admin.post(f"/admin/users/{actor.user_id}/active", data={"active": active})
        assert answer.status_code == 302
    assert not _is_in(client)
    assert sessions.OFFICERS_IDLE < sessions.IDLE < sessions.LASTING
