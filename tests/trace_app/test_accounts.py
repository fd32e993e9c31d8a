import re
import sqlite3
from contextlib import closing
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from tests.trace_app.test_slips import slip_in
from tests.world import PASSWORD, World
from trace_app.accounts.credit_code import check_character, is_credit_code
from trace_app.accounts.models import AuditEvent, Organisation, User
from trace_app.extensions import csrf, db

GOOD_CODE = "91350100M000100Y43"
ORGANISATION = {
    "kind": "producer",
    "name": "新合作社",
    "name_en": "",
    "credit_code": GOOD_CODE,
    "division_code": "530324102",
    "jurisdiction_code": "",
    "address": "",
    "phone": "0874-1234567",
}
NEW_USER = {
    "username": "Zhang.San",
    "full_name": "张三",
    "email": "zhang@example.org",
    "role": "producer",
}


def _user(app: Flask, username: str) -> User | None:
    with app.app_context():
        return db.session.scalar(db.select(User).filter_by(username=username))


class TestCreditCode:
    # Printed on the licences of well-known companies; public in the national register.
    @pytest.mark.parametrize("code", ["91350100M000100Y43", "914403001922038216", "9144030071526726XG"])
    def test_true_codes_pass(self, code: str) -> None:
        assert is_credit_code(code)

    @pytest.mark.parametrize("code", ["", "91350100M000100Y4", "91350100M000100Y44", "91350100M000100Y4I", "9" * 19])
    def test_others_do_not(self, code: str) -> None:
        assert not is_credit_code(code)

    def test_one_wrong_character_is_always_noticed(self) -> None:
        for position in range(17):
            for other in "0123456789ABCDEFGHJKLMNPQRTUWXY":
                if other != GOOD_CODE[position]:
                    assert not is_credit_code(GOOD_CODE[:position] + other + GOOD_CODE[position + 1 :])

    def test_the_check_character_needs_17_characters(self) -> None:
        with pytest.raises(ValueError, match="17"):
            check_character("123")


def _exempt(app: Flask, endpoint: str) -> str:
    """By what an endpoint asks for no token: its view's name, or its blueprint's; nothing where it asks for one."""
    view = app.view_functions[endpoint]
    name, blueprint = f"{view.__module__}.{view.__name__}", endpoint.rpartition(".")[0]
    if name in csrf._exempt_views:
        return name
    return (
        blueprint if blueprint in {one if isinstance(one, str) else one.name for one in csrf._exempt_blueprints} else ""
    )


class TestSignIn:
    @pytest.mark.parametrize("app", ["sqlite"], indirect=True)
    @pytest.mark.usefixtures("app")
    def test_nobody_writes_between_what_it_reads_and_writes(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        actor = world.producer()
        with world.app.app_context():
            path = db.engine.url.database
        refused: list[str] = []

        def look(user: User, password: str) -> Any:
            with closing(sqlite3.connect(path, timeout=0)) as other:
                try:
                    other.execute("UPDATE users SET full_name = full_name")
                except sqlite3.OperationalError as error:
                    refused.append(str(error))
            return verify(user, password)

        verify = User.verify_and_update_password
        monkeypatch.setattr(User, "verify_and_update_password", look)
        data = {"email": actor.username, "password": PASSWORD}
        assert world.app.test_client().post("/login", data=data).status_code == 302
        assert refused == ["database is locked"]

    def test_a_user_signs_in_by_name_or_email_in_any_case_and_out(self, world: World) -> None:
        actor = world.producer()
        for identity in (actor.username.upper(), f" {actor.username}@example.org "):
            client = world.client()
            answer = client.post("/login", data={"email": identity, "password": PASSWORD}, follow_redirects=True)
            assert answer.request.path == "/today"
            assert client.post("/logout").status_code == 302
            assert client.get("/batches").status_code == 302

    def test_a_mobile_number_is_one_name_however_it_is_typed(self, world: World) -> None:
        administrator = world.client(world.administrator())
        made = administrator.post("/admin/organisations/new", data=ORGANISATION).location + "/users/new"
        user = {"full_name": "张三", "email": "", "role": "producer"}
        slip = slip_in(administrator.post(made, data=user | {"username": "+86 138-0000-0001"}))
        again = administrator.post(made, data=user | {"username": "138 0000 0001"})
        assert "“13800000001”已被使用" in again.text
        own = "mulberry tractor lantern"
        assert world.client().post(slip, data={"new": own, "again": own}).status_code == 302
        for typed in ("13800000001", "+86 138 0000 0001", "008613800000001", "１３８-００００-０００１"):
            answer = world.client().post("/login", data={"email": typed, "password": own})
            assert answer.status_code == 302, typed
        assert world.client().post("/login", data={"email": "13800000002", "password": own}).status_code == 200

    def test_tries_at_one_number_are_counted_together_however_it_is_typed(self, world: World) -> None:
        client = world.client()
        for typed in (
            "13800000001",
            "+86 13800000001",
            "138-0000-0001",
            "0086138 0000 0001",
            "１３８０００００００１",
        ) * 2:
            assert client.post("/login", data={"email": typed, "password": "wrong"}).status_code == 200
        assert client.post("/login", data={"email": "138 0000 0001", "password": "wrong"}).status_code == 429

    def test_a_wrong_password_and_an_unknown_name_are_answered_alike(self, world: World) -> None:
        actor, client = world.producer(), world.client()
        wrong = client.post("/login", data={"email": actor.username, "password": "something else"})
        unknown = client.post("/login", data={"email": "nobody", "password": "something else"})
        message = "用户名或密码不对"
        assert message in wrong.text
        assert message in unknown.text
        assert f'value="{actor.username}"' in wrong.text

    @pytest.mark.parametrize("language", ["zh", "en"])
    @pytest.mark.parametrize("typed", list(product(["", " ", "nobody", "known"], ["", " ", "something else"])))
    def test_whatever_is_empty_or_wrong_is_told_in_the_language_of_the_page(
        self, world: World, language: str, typed: tuple[str, str]
    ) -> None:
        client = world.app.test_client()
        name, password = typed
        known = world.producer().username
        page = client.post(
            "/login",
            headers={"Accept-Language": language},
            data={"email": known if name == "known" else name, "password": password},
        )
        told = re.findall(r'<p class="(?:error|alert)"[^>]*>(.*?)</p>', page.text, re.DOTALL)
        assert told
        for message in told:
            assert bool(re.search("[a-z]", message)) is (language == "en"), message
            assert bool(re.search("[\u4e00-\u9fff]", message)) is (language == "zh"), message
        beside = {"请填写此项。", "Fill this in."} & set(told)
        assert bool(beside) is not bool(name and password), told

    def test_passwords_are_kept_with_argon2(self, world: World) -> None:
        user = _user(world.app, world.producer().username)
        assert user is not None
        assert user.password.startswith("$argon2id$")

    def test_who_is_not_signed_in_is_led_to_sign_in_and_back(self, world: World) -> None:
        client, actor = world.client(), world.producer()
        led = client.get("/products")
        assert led.location.startswith("/login?next=")
        back = client.post(led.location, data={"email": actor.username, "password": PASSWORD, "next": "/products"})
        assert back.location == "/products"

    def test_sign_in_leads_to_no_other_site(self, world: World) -> None:
        data = {"email": world.producer().username, "password": PASSWORD}
        taken = world.client().post("/login", data=data | {"next": "/recalls"})
        assert (taken.status_code, taken.location) == (302, "/recalls")
        for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
            # Who has typed the right password is let in, and stays here.
            for address in ("/login", f"/login?next={quote(elsewhere)}"):
                client = world.client()
                inside = client.post(address, data=data | {"next": elsewhere})
                assert inside.status_code == 302
                assert re.match(r"/(?![/\\\\])", inside.location)
                assert client.get("/account").status_code == 200

    @pytest.mark.parametrize("token", ["", "made up", None])
    def test_a_form_without_its_token_is_refused_and_says_what_to_do(self, world: World, token: str | None) -> None:
        client = world.client(world.producer())
        if token is None:
            token = world.client().token()  # a good one, but of another browser
        for path in ("/products/new", "/logout", "/find"):
            answer = client.post(path, data={"csrf_token": token})
            assert answer.status_code == 400, path
            assert "请重新打开这一页（需要登录的先登录），再填一次" in answer.text
        assert client.get("/account").status_code == 200
        fresh = world.client().post("/login", data={"email": "a", "password": "b", "csrf_token": token})
        assert fresh.status_code == 400

    def test_only_what_knows_nobody_asks_for_no_token(self, app: Flask) -> None:
        found = {(rule.endpoint, view) for rule in app.url_map.iter_rules() if (view := _exempt(app, rule.endpoint))}
        assert {endpoint for endpoint, _view in found if not endpoint.startswith("api.")} == {
            "public.pin",
            "feedback.give",
            # Whoever knows a photo's name may send it: no session is asked for.
            "arrivals.begin",
            "arrivals.part",
        }
        assert {endpoint.split(".")[0] for endpoint, _view in found} == {"api", "public", "feedback", "arrivals"}


class TestPassword:
    CHANGE = {"current": PASSWORD, "new": "quite another one", "again": "quite another one"}

    def test_changing_it_ends_other_sessions_and_not_this_one(self, world: World) -> None:
        actor = world.producer()
        here, there = world.client(actor), world.client(actor)
        assert here.post("/account/password", data=self.CHANGE).status_code == 302
        assert here.get("/account").status_code == 200
        assert there.get("/account").status_code == 302
        again = {"email": actor.username, "password": self.CHANGE["new"]}
        assert world.client().post("/login", data=again).status_code == 302

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"current": "wrong one here"}, "现在的密码不对"),
            ({"again": "quite a different"}, "不一致"),
            ({"new": "short", "again": "short"}, "至少 8 位"),
        ],
    )
    def test_what_is_wrong_is_said_at_its_field(self, world: World, change: dict[str, str], message: str) -> None:
        answer = world.client(world.producer()).post("/account/password", data=self.CHANGE | change)
        assert answer.status_code == 422
        assert message in answer.text


class TestAdministration:
    def test_an_administrator_registers_an_organisation_and_its_user_who_signs_in(self, world: World) -> None:
        client = world.client(world.administrator())
        made = client.post("/admin/organisations/new", data=ORGANISATION)
        assert made.status_code == 302
        slip = slip_in(client.post(made.location + "/users/new", data=NEW_USER))
        newcomer = world.client()
        own = "mulberry tractor lantern"
        assert newcomer.post(slip, data={"new": own, "again": own}).status_code == 302
        assert newcomer.post("/login", data={"email": "zhang.san", "password": own}).status_code == 302
        assert newcomer.get("/batches").status_code == 200

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"credit_code": ""}, "必须填写统一社会信用代码"),
            ({"credit_code": "91350100M000100Y44"}, "统一社会信用代码不对"),
            ({"name": ""}, "请填写此项"),
            ({"kind": "regulator", "credit_code": ""}, "请选择监管辖区"),
            ({"phone": "ask me"}, "电话号码"),
        ],
    )
    def test_a_wrong_entry_comes_back_with_all_that_was_typed(
        self, world: World, change: dict[str, str], message: str
    ) -> None:
        client = world.client(world.administrator())
        answer = client.post("/admin/organisations/new", data=ORGANISATION | {"address": "某街 5 号"} | change)
        assert answer.status_code == 422
        assert message in answer.text
        assert "某街 5 号" in answer.text
        with world.app.app_context():
            assert db.session.scalar(db.select(Organisation).filter_by(name="新合作社")) is None

    def test_a_name_or_code_that_is_taken_is_refused(self, world: World) -> None:
        client = world.client(world.administrator())
        client.post("/admin/organisations/new", data=ORGANISATION)
        again = client.post("/admin/organisations/new", data=ORGANISATION | {"name": "另一家"})
        assert again.status_code == 422
        assert f"“{GOOD_CODE}”已被使用" in again.text

    def test_a_producers_user_cannot_be_made_an_administrator(self, world: World) -> None:
        client, producer = world.client(world.administrator()), world.producer()
        data = NEW_USER | {"role": "administrator"}
        answer = client.post(f"/admin/organisations/{producer.organisation_id}/users/new", data=data)
        assert answer.status_code == 422
        assert _user(world.app, "zhang.san") is None

    def test_a_deactivated_user_is_out_at_once(self, world: World) -> None:
        admin, producer = world.client(world.administrator()), world.producer()
        client, token = world.client(producer), world.token(producer)
        assert admin.post(f"/admin/users/{producer.user_id}/active", data={"active": "0"}).status_code == 302
        assert client.get("/batches").status_code == 302
        assert world.client().get("/api/v1/batches", headers=token).status_code == 401
        refused = world.client().post("/login", data={"email": producer.username, "password": PASSWORD})
        assert refused.status_code == 200
        admin.post(f"/admin/users/{producer.user_id}/active", data={"active": "1"})
        assert world.client(producer).get("/batches").status_code == 200

    def test_a_users_page_is_about_that_user_and_acts_on_it(self, world: World) -> None:
        admin, producer = world.administrator(), world.producer()
        page = world.client(admin).get(f"/admin/users/{producer.user_id}").text
        assert producer.username in page
        assert f"/admin/users/{producer.user_id}/active" in page
        assert admin.username not in page[page.index("<main") : page.index("</main>")]
        assert ">生产者<" in page

    def test_an_administrator_cannot_lock_itself_out(self, world: World) -> None:
        admin = world.administrator()
        answer = world.client(admin).post(f"/admin/users/{admin.user_id}/active", data={"active": "0"})
        assert answer.status_code == 409
        assert world.client(admin).get("/admin").status_code == 200

    def test_who_did_it_is_kept(self, world: World) -> None:
        admin = world.administrator()
        world.client(admin).post("/admin/organisations/new", data=ORGANISATION)
        with world.app.app_context():
            event = db.session.scalars(db.select(AuditEvent).order_by(AuditEvent.id.desc())).first()
            assert event is not None
            assert (event.actor_id, event.action, event.subject_type) == (admin.user_id, "create", "organisations")


class TestJurisdiction:
    """An administrator acts within its jurisdiction, and never upon a level above."""

    def test_a_county_sees_and_changes_nothing_of_the_city_or_of_another_county(self, world: World) -> None:
        county = world.client(world.administrator("530324"))
        own, elsewhere = world.producer(), world.producer("530381003")
        city, beside = world.administrator(), world.regulator("530381")
        above = world.regulator("530300")  # its office stands in the county, its jurisdiction is the city
        listed = county.get("/admin").text
        assert f"/admin/organisations/{own.organisation_id}" in listed
        for other in (elsewhere, city, beside, above):
            assert f'/admin/organisations/{other.organisation_id}"' not in listed
            for address in ("", "/edit", "/users/new"):
                assert county.get(f"/admin/organisations/{other.organisation_id}{address}").status_code == 404
            assert county.get(f"/admin/users/{other.user_id}").status_code == 404
            posts = {
                f"/admin/users/{other.user_id}/reset": {},
                f"/admin/users/{other.user_id}/active": {"active": "0"},
                f"/admin/organisations/{other.organisation_id}/edit": {**ORGANISATION, "name": "改名"},
                f"/admin/organisations/{other.organisation_id}/users/new": NEW_USER,
            }
            for address, data in posts.items():
                assert county.post(address, data=data).status_code == 404, address
            # Nothing of it was done.
            assert world.client(other).get("/account").status_code == 200
        assert county.get(f"/admin/users/{own.user_id}").status_code == 200
        assert county.post(f"/admin/users/{own.user_id}/active", data={"active": "0"}).status_code == 302

    @pytest.mark.parametrize(
        "change",
        [
            {"division_code": "530381003"},
            {"kind": "regulator", "division_code": "530324", "jurisdiction_code": "530300"},
            {"kind": "regulator", "division_code": "530324", "jurisdiction_code": "530381"},
        ],
    )
    def test_a_county_registers_no_one_beyond_its_border(self, world: World, change: dict[str, str]) -> None:
        county = world.client(world.administrator("530324"))
        answer = county.post("/admin/organisations/new", data=ORGANISATION | change)
        assert answer.status_code == 422
        assert 'value="新合作社"' in answer.text
        assert county.post("/admin/organisations/new", data=ORGANISATION).status_code == 302

    def test_a_county_moves_no_one_out_of_its_jurisdiction(self, world: World) -> None:
        county, own = world.client(world.administrator("530324")), world.producer()
        data = ORGANISATION | {"name": "搬走", "division_code": "530381003"}
        assert county.post(f"/admin/organisations/{own.organisation_id}/edit", data=data).status_code == 422

    def test_what_all_counties_share_is_changed_by_the_city(self, world: World) -> None:
        county, officer = world.client(world.administrator("530324")), world.client(world.regulator())
        assert county.get("/admin/kinds").status_code == 403
        assert "全市共用的目录由市级维护" in county.get("/admin/kinds").text
        assert county.post("/reference/limits", data={}).status_code == 403
        assert 'action="/reference/limits"' not in county.get("/reference/limits").text
        for client in (county, officer):
            assert "/admin/kinds" not in client.get("/start", follow_redirects=True).text
            assert "/inputs/new" not in client.get("/inputs").text
        city = world.client(world.administrator())
        assert city.get("/admin/kinds").status_code == 200
        assert "/inputs/new" in city.get("/inputs").text
