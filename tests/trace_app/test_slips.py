"""Passwords are set by their owners alone: by an address that is good once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from tests.conftest import app_for, let_go_of, set_up, settings_for
from tests.trace_app.test_delivery import Mailbox, mailbox
from tests.world import PASSWORD, Actor, World, at_once
from trace_app.accounts.models import AuditEvent, PasswordSlip, User
from trace_app.db.base import utc_now
from trace_app.extensions import db

pytestmark = pytest.mark.either_database

__all__ = ["mailbox"]
OWN = "mulberry tractor lantern"
NEW = {"username": "li.si", "full_name": "李四", "email": "li.si@example.org", "role": "producer"}


def slip_at(text: str) -> str:
    """The path of the slip that a text names."""
    found = re.search(r"http://127\.0\.0\.1:8000(/slips/[\w.-]+)", text)
    assert found, text
    return found[1]


def slip_in(answer: Any) -> str:
    """The path of the slip that a page shows."""
    assert answer.status_code == 200, answer.text
    return slip_at(answer.text)


def own_password(world: World, slip: str, password: str = OWN) -> FlaskClient:
    """Someone who sets a password by a slip."""
    client = world.client()
    answer = client.post(slip, data={"new": password, "again": password})
    assert answer.status_code == 302, answer.text
    return client


def signs_in(world: World, actor: Actor, password: str) -> bool:
    answer = world.client().post("/login", data={"email": actor.username, "password": password})
    return int(answer.status_code) == 302


def _invited(world: World, **change: str) -> str:
    admin, grower = world.client(world.administrator()), world.producer()
    return slip_in(admin.post(f"/admin/organisations/{grower.organisation_id}/users/new", data=NEW | change))


def test_no_page_of_an_administrator_asks_for_a_password(world: World) -> None:
    admin, grower = world.client(world.administrator()), world.producer()
    for path in (f"/admin/organisations/{grower.organisation_id}/users/new", f"/admin/users/{grower.user_id}"):
        assert 'type="password"' not in admin.get(path).text
    sent = admin.post(f"/admin/users/{grower.user_id}", data={"password": OWN})
    assert sent.status_code == 405
    assert signs_in(world, grower, PASSWORD)


def test_who_is_invited_sets_a_password_and_the_slip_is_used_up(world: World) -> None:
    slip = _invited(world)
    newcomer = world.client()
    page = newcomer.get(slip)
    assert page.headers["Cache-Control"] == "no-store"
    assert "li.si" in page.text
    assert newcomer.get(slip).status_code == 200
    differs = newcomer.post(slip, data={"new": OWN, "again": "something else"})
    assert differs.status_code == 422
    assert "两次输入的新密码不一致" in differs.text
    own_password(world, slip)
    for answer in (newcomer.get(slip), newcomer.post(slip, data={"new": PASSWORD, "again": PASSWORD})):
        assert answer.status_code == 410
        assert "已经用过、过期" in answer.text
    assert world.client().post("/login", data={"email": "li.si", "password": OWN}).status_code == 302
    assert world.client().post("/login", data={"email": "li.si", "password": PASSWORD}).status_code == 200


def test_an_account_without_an_address_or_a_password_is_made_and_lets_nobody_in(world: World) -> None:
    slip = _invited(world, email="")
    for password in ("", "None", "!", OWN):
        answer = world.client().post("/login", data={"email": "li.si", "password": password})
        assert answer.status_code == 200
        assert "li.si" in answer.text
    client = own_password(world, slip)
    assert client.post("/login", data={"email": "li.si", "password": OWN}).status_code == 302
    assert client.get("/account").status_code == 200
    # A second without an address is no second with the same one.
    admin, grower = world.client(world.administrator()), world.producer()
    path = f"/admin/organisations/{grower.organisation_id}/users/new"
    slip_in(admin.post(path, data=NEW | {"username": "wang.wu", "email": ""}))
    assert admin.post(path, data=NEW | {"username": "zhao.liu", "email": "no address"}).status_code == 422


def test_the_page_of_a_slip_says_all_that_a_paper_needs(world: World) -> None:
    chief, grower = world.administrator(), world.producer()
    with world.writing():
        user = db.session.get_one(User, chief.user_id)
        user.organisation.phone, office = "0874-7654321", user.organisation.name
    answer = world.client(chief).post(f"/admin/organisations/{grower.organisation_id}/users/new", data=NEW)
    assert answer.headers["Cache-Control"] == "no-store"
    for said in ("李四", "li.si", office, "0874-7654321", "只能用一次", 'viewBox="0 0 '):
        assert said in answer.text
    with world.app.app_context():
        slip = db.session.scalars(db.select(PasswordSlip)).one()
        word = slip_in(answer).rsplit("/", 1)[1]
        assert slip.digest not in word
        assert len(slip.digest) == 64
        assert slip.expires_at - slip.created_at == timedelta(days=7)


@pytest.mark.parametrize(("purpose", "good"), [("invitation", 7), ("reset", 1)])
def test_a_slip_is_good_for_its_time_and_no_longer(
    world: World, monkeypatch: pytest.MonkeyPatch, purpose: str, good: int
) -> None:
    if purpose == "invitation":
        slip = _invited(world)
    else:
        slip = slip_in(world.client(world.administrator()).post(f"/admin/users/{world.producer().user_id}/reset"))
    for after, status in ((timedelta(days=good, minutes=-5), 200), (timedelta(days=good, minutes=5), 410)):
        monkeypatch.setattr("trace_app.accounts.slips.service.utc_now", lambda after=after: utc_now() + after)
        assert world.client().get(slip).status_code == status
    assert world.client().post(slip, data={"new": OWN, "again": OWN}).status_code == 410


def test_a_reset_ends_password_and_sessions_and_a_new_slip_voids_the_old(world: World) -> None:
    grower, chief = world.producer(), world.administrator()
    phone, admin = world.client(grower), world.client(chief)
    first = slip_in(admin.post(f"/admin/users/{grower.user_id}/reset"))
    assert phone.get("/account").status_code == 302
    assert not signs_in(world, grower, PASSWORD)
    second = slip_in(admin.post(f"/admin/users/{grower.user_id}/reset"))
    assert world.client().get(first).status_code == 410
    own_password(world, second)
    assert signs_in(world, grower, OWN)


def test_a_slip_is_used_once_also_by_several_at_the_same_time(world: World) -> None:
    slip = _invited(world)
    clients = [world.client() for _ in range(5)]
    for client in clients:
        client.get("/")

    def use(number: int) -> int:
        own = f"{OWN} {number}"
        return int(clients[number].post(slip, data={"new": own, "again": own}).status_code)

    answers = at_once([partial(use, number) for number in range(5)])
    assert sorted(answers) == [302, 410, 410, 410, 410]
    opens = [
        world.client().post("/login", data={"email": "li.si", "password": f"{OWN} {number}"}).status_code
        for number in range(5)
    ]
    assert opens == [302 if answer == 302 else 200 for answer in answers]


def test_of_several_slips_at_the_same_time_one_is_good(world: World) -> None:
    grower = world.producer()
    clients = [world.client(world.administrator()) for _ in range(5)]
    pages = at_once([partial(client.post, f"/admin/users/{grower.user_id}/reset") for client in clients])
    slips = [slip_in(page) for page in pages]
    assert sorted(world.client().get(slip).status_code for slip in slips) == [200, 410, 410, 410, 410]


def test_a_locked_account_is_opened_by_no_slip(world: World) -> None:
    grower, admin = world.producer(), world.client(world.administrator())
    slip = slip_in(admin.post(f"/admin/users/{grower.user_id}/reset"))
    admin.post(f"/admin/users/{grower.user_id}/active", data={"active": "0"})
    assert world.client().post(slip, data={"new": OWN, "again": OWN}).status_code == 410


@pytest.mark.parametrize("word", ["x", "x.y", "%FF.x", "a" * 500, "..", "\u66f2.\u9756"])
def test_what_was_made_up_is_worth_nothing(world: World, word: str) -> None:
    assert world.client().get(f"/slips/{word}").status_code in {404, 410}
    assert world.client().post(f"/slips/{word}", data={"new": OWN, "again": OWN}).status_code in {404, 410}


def test_a_word_that_the_platform_did_not_sign_is_worth_nothing(world: World) -> None:
    slip = _invited(world)
    assert world.client().get(slip.rpartition(".")[0]).status_code == 410
    assert world.client().get(slip[:-1] + ("A" if slip[-1] != "A" else "E")).status_code == 410


def test_the_database_holds_that_a_slip_is_used_once(world: World) -> None:
    own_password(world, _invited(world))
    for change in ("ended_at = NULL, used = NULL", "used = NULL", "expires_at = '2099-01-01 00:00:00'", "digest = 'x'"):
        with world.app.app_context(), pytest.raises(sa.exc.DBAPIError):
            db.session.execute(sa.text(f"UPDATE password_slips SET {change}"))
    with world.app.app_context(), pytest.raises(sa.exc.DBAPIError):
        db.session.execute(sa.text("DELETE FROM password_slips"))


def test_who_was_set_a_password_by_another_sets_an_own_one_first(world: World) -> None:
    grower = world.producer()
    with world.writing():
        db.session.get_one(User, grower.user_id).password_change_due = True
    client = world.client(grower)
    headers = world.token(grower)
    for path in ("/batches", "/start", "/account"):
        assert client.get(path).location == "/account/password"
    assert client.post("/products/new", data={"name": "x"}).location == "/account/password"
    assert "您的密码是别人设的" in client.get("/account/password").text
    assert client.get("/recalls").status_code == 200
    assert world.client().get("/api/v1/batches", headers=headers).status_code == 200
    answer = client.post("/account/password", data={"current": PASSWORD, "new": OWN, "again": OWN})
    assert answer.status_code == 302
    assert client.get("/batches").status_code == 200
    assert "您的密码是别人设的" not in client.get("/account/password").text


def test_who_invited_and_reset_is_on_record(world: World) -> None:
    chief, grower = world.administrator(), world.producer()
    admin = world.client(chief)
    slip_in(admin.post(f"/admin/organisations/{grower.organisation_id}/users/new", data=NEW))
    own_password(world, slip_in(admin.post(f"/admin/users/{grower.user_id}/reset")))
    with world.app.app_context():
        deeds = db.session.execute(
            db.select(AuditEvent.actor_id, AuditEvent.action, AuditEvent.subject_id)
            .where(AuditEvent.subject_type == "users", AuditEvent.actor_id.is_not(None))
            .order_by(AuditEvent.id)
        ).all()
        new = db.session.scalars(db.select(User.id).filter_by(username="li.si")).one()
    assert [tuple(deed) for deed in deeds] == [
        (chief.user_id, "create", new),
        (chief.user_id, "invite", new),
        (chief.user_id, "reset", grower.user_id),
        (grower.user_id, "set-password", grower.user_id),
    ]


class TestForgotten:
    """A platform with a mail server."""

    @pytest.fixture
    def mailed(self, tmp_path: Path, mailbox: tuple[Mailbox, int]) -> Iterator[World]:  # noqa: F811
        app = app_for(settings_for(tmp_path, smtp_host="127.0.0.1", smtp_port=mailbox[1], smtp_tls=False))
        set_up(app)
        yield World(app)
        let_go_of(app)

    def test_an_owner_is_sent_a_link_and_all_names_are_answered_alike(
        self,
        mailed: World,
        mailbox: tuple[Mailbox, int],  # noqa: F811
    ) -> None:
        grower = mailed.producer()
        client = mailed.client()
        assert "/slips" in client.get("/login").text
        known = client.post("/slips", data={"identity": grower.username.upper()})
        unknown = client.post("/slips", data={"identity": "nobody"})
        assert known.status_code == unknown.status_code == 200
        assert known.text == unknown.text
        [letter] = [message_from_bytes(raw, policy=policy.default) for raw in mailbox[0].letters]
        assert letter["To"] == f"{grower.username}@example.org"
        # Anyone may type a name: until the owner uses the link, nothing changes.
        assert signs_in(mailed, grower, PASSWORD)
        own_password(mailed, slip_at(letter.get_content()))
        assert signs_in(mailed, grower, OWN)

    def test_nobody_is_sent_letter_after_letter(
        self,
        mailed: World,
        mailbox: tuple[Mailbox, int],  # noqa: F811
    ) -> None:
        grower = mailed.producer()
        for _ in range(3):
            assert mailed.client().post("/slips", data={"identity": grower.username}).status_code == 200
        assert len(mailbox[0].letters) == 1

    def test_an_invitation_goes_by_mail_and_on_paper_and_is_the_same(
        self,
        mailed: World,
        mailbox: tuple[Mailbox, int],  # noqa: F811
    ) -> None:
        grower, admin = mailed.producer(), mailed.client(mailed.administrator())
        answer = admin.post(f"/admin/organisations/{grower.organisation_id}/users/new", data=NEW)
        assert "已同时寄往 li.si@example.org" in answer.text
        [letter] = [message_from_bytes(raw, policy=policy.default) for raw in mailbox[0].letters]
        assert slip_at(letter.get_content()) == slip_in(answer)
        assert "li.si" in letter.get_content()

    def test_without_a_mail_server_the_way_leads_to_the_county(self, world: World) -> None:
        client = world.client()
        page = client.get("/slips").text
        assert 'name="identity"' not in page
        assert "当面领一张设密码的链接" in page
        assert client.post("/slips", data={"identity": "someone"}).status_code == 200

    def test_an_empty_form_says_what_to_do(self, mailed: World) -> None:
        answer = mailed.client().post("/slips", data={"identity": ""})
        assert answer.status_code == 422
        assert "请填写此项" in answer.text

    def test_where_a_letter_cant_be_put_into_the_queue_who_asked_is_told(
        self,
        tmp_path: Path,
        mailbox: tuple[Mailbox, int],  # noqa: F811
    ) -> None:
        """Nothing looks for letters later, so none is promised."""
        values = {"smtp_host": "127.0.0.1", "smtp_port": mailbox[1], "smtp_tls": False}
        nowhere = f"unix://{tmp_path}/no-redis"
        app = app_for(settings_for(tmp_path / "data", redis_url=nowhere, **values), JOBS_IMMEDIATE=False)
        set_up(app)
        world = World(app)
        grower, admin = world.producer(), world.client(world.administrator())
        asked = world.client().post("/slips", data={"identity": grower.username})
        assert asked.status_code == 422
        assert "现在寄不出邮件" in asked.text
        assert f'value="{grower.username}"' in asked.text
        made = admin.post(f"/admin/organisations/{grower.organisation_id}/users/new", data=NEW)
        assert "现在寄不出邮件" in made.text
        assert "已同时寄往" not in made.text
        # The paper is as good as the letter.
        own_password(world, slip_in(made))
        let_go_of(app)
