"""The audit trail as a page: who may see what of it, and how it is looked through."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest

from tests.served import ROOT
from tests.trace_app.test_accounts import NEW_USER, ORGANISATION
from tests.world import RECALL, Actor, World
from trace_app.accounts.models import AuditEvent, Organisation
from trace_app.accounts.trail.texts import ACTIONS, OBJECTS, SUBJECTS
from trace_app.clock import today
from trace_app.extensions import db
from trace_app.flow.shipments.models import Shipment

pytestmark = pytest.mark.either_database

NOTED = re.compile(r'audit\.note\(\s*[\w.]+,\s*"([a-z-]+)"(?: if \w+ else "([a-z-]+)")?')


def _lines(world: World, actor: Actor, query: str = "") -> list[str]:
    answer = world.client(actor).get(f"/trail{query}")
    assert answer.status_code == 200
    return re.findall(r'<li class="card">(.*?)</li>', answer.text, re.DOTALL)


def _rows(world: World, actor: Actor, query: str = "") -> list[dict[str, str]]:
    answer = world.client(actor).get(f"/trail.csv{query}")
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


def test_each_sees_what_concerns_its_own_account_and_nothing_else(world: World) -> None:
    mine, other = world.producer(), world.producer()
    world.client(other)
    world.client().post("/login", data={"email": mine.username, "password": "not the password"})
    world.token(mine)
    page = " ".join(_lines(world, mine))
    for said in ("登录失败：密码不对", "建立了", "接口令牌", "登录"):
        assert said in page
    rows = _rows(world, mine)
    assert {row["用户名"] for row in rows} <= {mine.username, ""}
    assert other.username not in page
    for query in (f"?who={other.username}", "?what=organisations"):
        assert not [line for line in _lines(world, mine, query) if "没有符合条件的记录" not in line]


def test_what_an_administrator_does_to_an_account_its_owner_sees(world: World) -> None:
    grower, chief = world.producer(), world.administrator()
    assert world.client(chief).post(f"/admin/users/{grower.user_id}/active", data={"active": "1"}).status_code == 302
    assert [row["用户名"] for row in _rows(world, grower) if row["操作"] == "启用了"] == [chief.username]


def test_an_administrator_sees_its_jurisdiction_and_not_beyond(world: World) -> None:
    county, own, elsewhere, above = (
        world.administrator("530324"),
        world.producer(),
        world.producer("530381003"),
        world.administrator(),
    )
    for actor in (own, elsewhere, above):
        world.client(actor)
    seen = {row["用户名"] for row in _rows(world, county)}
    assert own.username in seen
    assert not {elsewhere.username, above.username} & seen
    assert {own.username, elsewhere.username, above.username} <= {row["用户名"] for row in _rows(world, above)}
    assert not [line for line in _lines(world, county, f"?who={above.username}") if "没有符合条件的记录" not in line]
    # An officer who administers nothing sees itself alone.
    officer = world.regulator()
    assert {row["用户名"] for row in _rows(world, officer)} <= {officer.username, ""}


def test_english_deeds_stand_apart_from_what_they_were_done_to(world: World) -> None:
    officer, grower = world.administrator("530324"), world.producer()
    world.recall(world.regulator(), world.released(grower))
    page = world.client(officer).get("/trail?lang=en").text
    deeds = re.findall(r"</b>([^<]+)<br>", page)
    assert any("ecall" in deed for deed in deeds)
    assert not [deed for deed in deeds if re.search("[a-z][A-Z]", deed)]


def test_a_line_reads_as_a_sentence_and_says_the_number(world: World) -> None:
    grower, shop, officer, above = world.producer(), world.buyer(), world.regulator(), world.regulator("530300")
    lot = world.released(grower, quantity="100")
    with world.app.app_context():
        name = db.session.get_one(Organisation, shop.organisation_id).name
    form = {"consignee": name, "organisation": name, "departed_at": "2026-11-20T08:30", f"q-{lot}": "40"}
    world.client(grower).post("/shipments/new", data=form)
    number = re.findall(r"\d{8}-\w{4}-\w{4}-\w{4}", " ".join(_lines(world, grower)))[0]
    with world.app.app_context():
        shipment = db.session.scalars(db.select(Shipment).filter_by(number=number)).one()
        code, line = shipment.receipt_code, shipment.lines[0].id
    taken = {"received_at": "2026-11-21T09:00", "received_by": "张店长", "rest": "missing", f"q-{line}": "40"}
    assert world.client(shop).post(f"/receive/{code}", data=taken).status_code == 302
    assert [line for line in _lines(world, grower) if "发出了一批货" in line and number in line]
    assert [line for line in _lines(world, shop) if "确认收到了货" in line and number in line]
    recall = world.client(officer).post(f"/batches/{lot}/recall", data=RECALL | {"level": "1"}).location.split("/")[2]
    world.client(above).post(f"/recalls/{recall}/approve")
    notice = {"level": "2", "reason": "复检低些", "advice": "停止食用", "reason_en": "", "note": "复检"}
    world.client(officer).post(f"/recalls/{recall}/correct", data=notice)
    world.client(above).post(f"/recalls/{recall}/proposals/1/approve")
    assert [one for one in _lines(world, above) if "批准了一次召回的变更" in one and recall in one]
    assert "approved a change of a recall" in _english(world, above)


def _english(world: World, actor: Actor) -> str:
    """What was done, on the English page."""
    found = re.findall(r"</b>([^<]+)<br>", world.client(actor).get("/trail?lang=en").text)
    assert found
    return " ".join(found)


def test_it_is_looked_through_by_person_object_and_day(world: World) -> None:
    chief, grower = world.administrator(), world.producer()
    world.client(grower)
    made = world.client(chief).post("/admin/organisations/new", data=ORGANISATION)
    world.client(chief).post(f"{made.location}/users/new", data=NEW_USER)
    assert {row["对象"] for row in _rows(world, chief, "?what=organisations")} == {"单位"}
    about = _rows(world, chief, "?who=ZHANG.SAN")
    assert [row["操作"] for row in about] == ["发了邀请链接", "建立了"]
    day, tomorrow = today(), today() + timedelta(days=1)
    assert _rows(world, chief, f"?since={day}&until={day}")
    for query in (f"?since={tomorrow}", f"?until={day - timedelta(days=1)}"):
        assert not _rows(world, chief, query)


@pytest.mark.parametrize(
    "query", ["?since=soon", "?until=9999-12-31", "?what=nothing", "?page=1e30", "?page=99999999999999999999"]
)
def test_what_can_not_be_read_is_told_and_breaks_nothing(world: World, query: str) -> None:
    client = world.client(world.administrator())
    assert client.get(f"/trail{query}").status_code in {200, 400, 404, 422}
    assert client.get(f"/trail.csv{query}").status_code < 500


def test_it_goes_over_pages(world: World) -> None:
    actor = world.producer()
    with world.writing():
        for _ in range(60):
            event = AuditEvent(actor_id=actor.user_id, action="sign-in", subject_type="users", subject_id=actor.user_id)
            db.session.add(event)
    assert len(_lines(world, actor)) == 50
    assert "下一页" in world.client(actor).get("/trail").text


def test_every_deed_has_words() -> None:
    noted = set()
    for path in (ROOT / "trace_app").rglob("*.py"):
        for found in NOTED.findall(path.read_text("utf-8")):
            noted |= {word for word in found if word}
    assert len(noted) > 40
    assert noted <= set(ACTIONS)
    assert SUBJECTS.keys() <= set(db.metadata.tables)
    assert SUBJECTS.keys() - {"user_sessions"} == OBJECTS.keys()
