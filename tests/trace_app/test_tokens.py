"""Tokens of the API: for what, for how long, and what ends them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from tests.trace_app.test_routes import EXAMPLES, TABLE, _routes
from tests.trace_app.test_slips import OWN, slip_in
from tests.world import PASSWORD, Actor, World
from trace_app.accounts.models import ApiToken, AuditEvent, RoleName, TokenScope
from trace_app.db.base import utc_now
from trace_app.extensions import db

pytestmark = pytest.mark.either_database

READ = {"name": "仓库电脑", "scopes": ["read"], "days": "90"}
FORM = re.compile(r"qjtrace_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}")


def _shown(world: World, actor: Actor, **change: Any) -> str:
    """The token that a page shows after it was asked for."""
    page = world.client(actor).post("/account/tokens", data=READ | change)
    assert page.status_code == 200, page.text
    return str(page.text.split('class="token">')[1].split("<")[0])


def _status(world: World, text: str, path: str = "/api/v1/batches", method: str = "GET") -> int:
    body = {} if method == "POST" else None
    headers = {"Authorization": f"Bearer {text}"}
    return int(world.client().open(path, method=method, headers=headers, json=body).status_code)


def test_a_token_is_shown_once_and_kept_as_its_digest_only(world: World) -> None:
    actor = world.producer()
    text = _shown(world, actor)
    assert FORM.fullmatch(text)
    assert text not in world.client(actor).get("/account").text
    with world.app.app_context():
        token = db.session.scalars(db.select(ApiToken)).one()
        assert text not in {token.digest, token.prefix, token.name}
        assert token.expires_at - token.created_at == timedelta(days=90)
    assert _status(world, text) == 200


def test_a_mistyped_token_is_told_by_its_checksum(world: World) -> None:
    text = _shown(world, world.producer())
    for place in (12, 30, len(text) - 1):
        other = "A" if text[place] != "A" else "B"
        assert _status(world, text[:place] + other + text[place + 1 :]) == 401
    for wrong in ("", "qjtrace_", "qjtrace_x", "x" * 57):
        assert _status(world, wrong) == 401


def test_a_token_from_before_is_taken_as_it_was(world: World) -> None:
    import hashlib

    actor, text = world.producer(), "qj_a-token-of-the-form-before"
    world.token(actor)
    with world.writing():
        digest = hashlib.sha256(text.encode()).hexdigest()
        db.session.execute(sa.update(ApiToken).values(digest=digest, prefix="qj_a-tok"))
    assert _status(world, text) == 200


@pytest.mark.parametrize("end", ["expired", "revoked"])
def test_what_has_ended_is_refused(world: World, end: str) -> None:
    actor = world.producer()
    text = _shown(world, actor)
    client = world.client(actor)
    with world.app.app_context():
        token_id = db.session.scalars(db.select(ApiToken.id)).one()
    if end == "revoked":
        assert client.post(f"/account/tokens/{token_id}/revoke").status_code == 302
    else:
        assert "已过期" not in client.get("/account").text
        with world.writing():
            begun = utc_now() - timedelta(days=91)
            db.session.execute(sa.update(ApiToken).values(created_at=begun, expires_at=begun + timedelta(days=90)))
        assert "已过期" in client.get("/account").text
    assert _status(world, text) == 401


def test_no_one_revokes_anothers_token_but_the_administrator_above(world: World) -> None:
    actor, other = world.producer(), world.producer()
    text = _shown(world, actor)
    with world.app.app_context():
        token_id = db.session.scalars(db.select(ApiToken.id)).one()
    assert world.client(other).post(f"/account/tokens/{token_id}/revoke").status_code == 404
    path = f"/admin/users/{actor.user_id}/tokens/{token_id}/revoke"
    assert world.client(world.administrator("530381")).post(path).status_code == 404
    county = world.client(world.administrator("530324"))
    assert county.post(f"/admin/users/{other.user_id}/tokens/{token_id}/revoke").status_code == 404
    assert _status(world, text) == 200
    assert "仓库电脑" in county.get(f"/admin/users/{actor.user_id}").text
    assert county.post(path).status_code == 302
    assert _status(world, text) == 401


@pytest.mark.parametrize("role", [RoleName.PRODUCER, RoleName.REGULATOR])
def test_a_token_does_what_it_is_for_and_nothing_else(world: World, role: RoleName) -> None:
    actor = world.producer() if role is RoleName.PRODUCER else world.regulator()
    needs = {}
    for route, path in _routes(world.app).items():
        if "/api/" not in route or "nobody" in TABLE[route] or role not in TABLE[route]:
            continue
        method = route.split()[0]
        taken = [
            scope.value
            for scope in TokenScope
            if _status(world, world.token(actor, scope)["Authorization"].split()[1], path, method) != 403
        ]
        needs[route] = taken
    writes = {route for route in needs if route.startswith("POST")}
    assert {tuple(needs[route]) for route in needs} <= {("read",), ("records",), ("labels",), ("recalls",)}, needs
    assert not [route for route in writes if needs[route] == ["read"]]
    assert ("recalls" in str(needs)) is (role is RoleName.REGULATOR)
    assert EXAMPLES["index"] == "0"


def test_out_of_scope_is_said_as_a_problem_that_names_the_scope(world: World) -> None:
    grower = world.producer()
    answer = world.client().post("/api/v1/batches", headers=world.token(grower, TokenScope.READ), json={})
    assert answer.status_code == 403
    assert answer.json["code"] == "out-of-scope"
    assert "records" in answer.json["title"]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"scopes": []}, "请至少选一项权限"), ({"name": ""}, "请填写此项"), ({"scopes": ["recalls"]}, 'class="error"')],
)
def test_a_wrong_entry_is_told_beside_its_field(world: World, change: dict[str, Any], message: str) -> None:
    answer = world.client(world.producer()).post("/account/tokens", data=READ | change)
    assert answer.status_code == 422
    assert message in answer.text
    with world.app.app_context():
        assert not db.session.scalars(db.select(ApiToken)).all()


@pytest.mark.parametrize("way", ["change", "slip"])
@pytest.mark.parametrize("void", [True, False])
def test_a_new_password_asks_about_tokens(world: World, way: str, void: bool) -> None:
    actor = world.producer()
    client = world.client(actor)
    assert "同时作废我的接口令牌" not in client.get("/account/password").text
    text = _shown(world, actor)
    data = {"current": PASSWORD, "new": OWN, "again": OWN} | ({"void_tokens": "y"} if void else {})
    path = "/account/password"
    if way == "slip":
        path = slip_in(world.client(world.administrator()).post(f"/admin/users/{actor.user_id}/reset"))
    assert "同时作废我的接口令牌" in client.get(path).text
    assert client.post(path, data=data).status_code == 302
    assert _status(world, text) == (401 if void else 200)
    if void:
        with world.app.app_context():
            event = db.session.scalars(db.select(AuditEvent).filter_by(action="revoke")).one()
            assert event.actor_id == actor.user_id


def test_the_database_holds_that_a_token_is_for_something_and_for_a_time(world: World) -> None:
    world.token(world.producer())
    for change in (
        "for_read = false, for_records = false, for_labels = false, for_recalls = false",
        "expires_at = created_at",
        "expires_at = NULL",
    ):
        with world.app.app_context(), pytest.raises(sa.exc.IntegrityError):
            db.session.execute(sa.text(f"UPDATE api_tokens SET {change}"))
