"""A county has the city change what all counties share."""

import io

import pytest
import sqlalchemy as sa

from tests.world import Actor, World, pdf
from trace_app.extensions import db
from trace_app.messages.models import Delivery
from trace_app.suggestions.models import Suggestion

pytestmark = pytest.mark.either_database

WISH = {"catalogue": "limits", "content": "姜的铅限量请改为 0.1 mg/kg", "basis": "GB 2762-2022 表 1"}
SHARED = {"inputs": "/inputs", "limits": "/reference/limits", "prohibited": "/reference/prohibited"}


def _sent(world: World, officer: Actor, **facts: object) -> int:
    assert world.client(officer).post("/suggestions/new", data=WISH | facts).status_code == 302
    with world.app.app_context():
        return db.session.scalars(db.select(Suggestion.id).order_by(Suggestion.id.desc())).first() or 0


def _told(world: World) -> list[str]:
    with world.app.app_context():
        return [row.message["subject"] for row in db.session.scalars(db.select(Delivery).order_by(Delivery.id))]


@pytest.mark.parametrize("name", sorted(SHARED))
def test_the_way_to_it_is_on_each_catalogue_of_a_county(world: World, name: str) -> None:
    county, city = world.client(world.regulator("530324")), world.client(world.regulator("530300"))
    assert f"/suggestions/new?about={name}" in county.get(SHARED[name]).text
    chosen = county.get(f"/suggestions/new?about={name}").text
    assert f'selected value="{name}"' in chosen
    assert "/suggestions/new" not in city.get(SHARED[name]).text
    assert "/suggestions" in city.get(SHARED[name]).text


def test_from_the_county_to_the_answer(world: World) -> None:
    officer, city = world.regulator("530324"), world.administrator("530300")
    older = _sent(world, officer, content="早一条")
    row = _sent(world, officer, pdf=(io.BytesIO(pdf()), "GB2762.pdf"))
    assert "[目录修改建议] 检测限量：新建议" in _told(world)
    assert "待答复" in world.client(officer).get("/suggestions").text
    keeper = world.client(city)
    page = keeper.get(f"/suggestions/{row}").text
    for text in (WISH["content"], WISH["basis"], "GB2762.pdf"):
        assert text in page
    assert keeper.post(f"/suggestions/{row}", data={"outcome": "done", "answer": ""}).status_code == 302
    assert _told(world)[-1] == "[目录修改建议] 检测限量：已照办"
    assert "已照办" in world.client(officer).get(f"/suggestions/{row}").text
    # What waits stands first, though it is older.
    listed = keeper.get("/suggestions").text
    assert listed.index(f"/suggestions/{older}") < listed.index(f"/suggestions/{row}")


def test_refusing_wants_a_reason_and_is_said_once(world: World) -> None:
    officer, keeper = world.regulator("530324"), world.client(world.regulator("530300"))
    row = _sent(world, officer)
    refused = keeper.post(f"/suggestions/{row}", data={"outcome": "refused", "answer": " "})
    assert refused.status_code == 422
    assert "请写明理由" in refused.text
    assert keeper.post(f"/suggestions/{row}", data={"outcome": "refused", "answer": "国标未改"}).status_code == 302
    assert "国标未改" in world.client(officer).get(f"/suggestions/{row}").text
    again = keeper.post(f"/suggestions/{row}", data={"outcome": "done", "answer": ""})
    assert again.status_code == 422
    assert "已经答复过" in again.text


def test_a_county_answers_nothing_and_sees_its_own_alone(world: World) -> None:
    officer = world.regulator("530324")
    row = _sent(world, officer)
    refused = world.client(officer).post(f"/suggestions/{row}", data={"outcome": "done", "answer": ""})
    assert refused.status_code == 403
    assert "由市级维护" in refused.text
    elsewhere = world.client(world.regulator("530381"))
    assert elsewhere.get(f"/suggestions/{row}").status_code == 404
    assert WISH["content"] not in elsewhere.get("/suggestions").text


def test_the_city_changes_it_itself(world: World) -> None:
    client = world.client(world.regulator("530300"))
    for answer in (
        client.get("/suggestions/new", follow_redirects=True),
        client.post("/suggestions/new", data=WISH, follow_redirects=True),
    ):
        assert "可以直接修改" in answer.text
        assert "没有建议" in answer.text


@pytest.mark.parametrize("field", ["content", "basis", "catalogue", "pdf"])
def test_what_is_amiss_is_told_and_nothing_typed_is_lost(world: World, field: str) -> None:
    client = world.client(world.regulator("530324"))
    bad = (io.BytesIO(b"none"), "a.pdf") if field == "pdf" else "nothing-like-it" if field == "catalogue" else " "
    refused = client.post("/suggestions/new", data=WISH | {field: bad})
    assert refused.status_code == 422
    assert any(WISH[name] in refused.text for name in ("content", "basis") if name != field)
    assert "没有建议" in client.get("/suggestions").text


@pytest.mark.parametrize(
    "change",
    [
        "accepted = false, answer = '', answered_at = created_at, answered_by_id = created_by_id",
        "accepted = true",
        "content = ''",
        "catalogue = 'other'",
    ],
)
def test_the_database_holds_it_too(world: World, change: str) -> None:
    row = _sent(world, world.regulator("530324"))
    with world.app.app_context(), pytest.raises(sa.exc.IntegrityError):
        db.session.execute(db.text(f"UPDATE suggestions SET {change} WHERE id = :id"), {"id": row})
