"""What was typed outlives its session: the form comes back, and is saved by a click of who filled it in."""

from __future__ import annotations

import io
import re
from html import unescape
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from tests.world import PASSWORD, World
from trace_app.catalogue.models import Product
from trace_app.extensions import db

PAGE = "/products/new"
TYPED = {"kind_code": "ginger", "name": "小黄姜 <b>", "net_content": "净重 500 克"}
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


def _shown(client: FlaskClient, page: str = PAGE) -> dict[str, Any]:
    """What the form of a page brings with it."""
    return _in_page(client.get(page).text)


def _in_page(page: str) -> dict[str, Any]:
    main = page[page.index("<main") :]
    return {unescape(name): unescape(value) for name, value in HIDDEN.findall(main)}


def _products(world: World) -> list[str]:
    with world.app.app_context():
        return list(db.session.scalars(sa.select(Product.name)))


def _signs_in(client: FlaskClient, username: str) -> None:
    assert client.post("/login", data={"email": username, "password": PASSWORD}).status_code == 302


def test_who_was_signed_out_signs_in_and_sends_it_again(world: World) -> None:
    grower = world.producer()
    client = world.client(grower)
    form = _shown(client) | TYPED
    client.post("/logout")
    kept = client.post(PAGE, data=form)
    assert kept.status_code == 401
    assert "还没有保存" in kept.text
    assert "/login" in kept.text
    assert _products(world) == []
    sent = _in_page(kept.text)
    assert {name: sent[name] for name in TYPED} == TYPED
    # Not signed in yet: it stays.
    assert _in_page(client.post(PAGE, data=sent).text)["name"] == TYPED["name"]
    _signs_in(client, grower.username)
    answer = client.post(PAGE, data=sent)
    if answer.status_code == 400:
        answer = client.post(PAGE, data=_in_page(answer.text))
    assert answer.status_code == 302
    assert _products(world) == [TYPED["name"]]


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_bad_token_keeps_the_form_and_gives_a_good_one(world: World, token: str) -> None:
    client = world.client(world.producer())
    kept = client.post(PAGE, data=_shown(client) | TYPED | {"csrf_token": token})
    assert kept.status_code == 400
    assert "再提交" in kept.text
    assert _products(world) == []
    assert client.post(PAGE, data=_in_page(kept.text)).status_code == 302
    assert _products(world) == [TYPED["name"]]


@pytest.mark.parametrize("token", [None, "wrong"])
def test_another_account_does_not_send_it(world: World, token: str | None) -> None:
    grower, other = world.producer(), world.producer()
    form = _shown(world.client(grower)) | TYPED
    client = world.client(other)
    kept = client.post(PAGE, data=form | {"csrf_token": token or client.token()})
    assert kept.status_code in (400, 409)
    assert "另一个账号" in kept.text
    assert client.post(PAGE, data=_in_page(kept.text)).status_code == 409
    assert _products(world) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("signed_out", [True, False])
def test_what_another_site_sends_is_not_kept(world: World, headers: dict[str, str], signed_out: bool) -> None:
    client = world.client(world.producer())
    form = _shown(client) | TYPED | {"csrf_token": "wrong"}
    if signed_out:
        client.post("/logout")
    answer = client.post(PAGE, data=form, headers=headers)
    assert answer.status_code == (302 if signed_out else 400)
    assert "小黄姜" not in answer.text


@pytest.mark.parametrize("whose", ["", "MQ", "MQ.forged", "1"])
def test_a_form_that_names_nobody_we_showed_it_to_is_not_kept(world: World, whose: str) -> None:
    client = world.client(world.producer())
    form = TYPED | {"form_for": whose, "csrf_token": "wrong"}
    answer = client.post(PAGE, data=form)
    assert answer.status_code == 400
    assert "小黄姜" not in answer.text
    client.post("/logout")
    assert client.post(PAGE, data=form).location.startswith("/login")


def test_passwords_are_not_kept(world: World) -> None:
    client = world.client(world.producer())
    form = _shown(client, "/account/password") | {"current": "old-secret-1", "new": "new-secret-2"}
    assert "secret" not in client.post("/account/password", data=form | {"csrf_token": "wrong"}).text
    assert "secret" not in client.post(PAGE, data=_shown(client) | form | {"csrf_token": "wrong"}).text
    client.post("/logout")
    assert "secret" not in client.post("/account/password", data=form).text


def test_files_are_named_and_must_be_chosen_again(world: World) -> None:
    client = world.client(world.producer())
    form = _shown(client, "/certificates") | {"number": "LB-77"}
    client.post("/logout")
    kept = client.post("/certificates", data=form | {"document": (io.BytesIO(b"x" * 100_000), "证书.pdf")})
    assert kept.status_code == 401
    assert "证书.pdf" in kept.text
    assert _in_page(kept.text)["number"] == "LB-77"


def test_a_script_is_answered_as_before(world: World) -> None:
    client = world.client(world.producer())
    form = _shown(client) | TYPED
    client.post("/logout")
    assert client.post(PAGE, data=form, headers={"Sec-Fetch-Mode": "cors"}).status_code == 302
