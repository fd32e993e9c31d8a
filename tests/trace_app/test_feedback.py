"""What consumers say of a label: to whom it goes, how it is answered, and how programs are kept out."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
import sqlalchemy as sa
from flask import get_template_attribute
from werkzeug.datastructures import MultiDict

from media_store.photos import CleanedPhoto, clean_photo
from tests.world import World, photo
from trace_app.accounts.models import Organisation
from trace_app.extensions import db
from trace_app.feedback import forms
from trace_app.feedback.forms import FeedbackForm, ReplyForm
from trace_app.feedback.models import Feedback
from trace_app.media import service as media
from trace_app.messages.models import Delivery

pytestmark = pytest.mark.either_database

SAID = {"kind": "quality", "text": "袋子破了，姜有点干。", "bought_at": "罗平农贸市场", "contact": "13800000000"}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forms, "LEAST_S", 0)


def _give(world: World, code: str, **values: Any) -> Any:
    client = world.client()
    shown = re.search(r'name="shown"[^>]*value="([^"]+)"', client.get(f"/{code}/feedback").text)
    assert shown
    return client.post(f"/{code}/feedback", data=SAID | {"shown": shown[1]} | values)


def _told(world: World) -> list[tuple[str, str]]:
    with world.app.app_context():
        return [(row.address, row.message["facts"]["kind"]) for row in db.session.scalars(db.select(Delivery))]


def test_a_complaint_goes_to_the_producer_and_is_answered_under_its_ticket(world: World) -> None:
    grower = world.producer()
    _lot, code = world.labelled(grower)
    officer = world.regulator()
    answer = _give(world, code, photos=[(io.BytesIO(photo()), "袋子.jpg")])
    assert answer.status_code == 302
    ticket = answer.headers["Location"]
    page = world.client().get(ticket).text
    assert "已收到" in page
    assert "袋子破了" in page
    assert "13800000000" not in page
    assert _told(world) == [(f"{grower.username}@example.org", "quality")]
    assert "袋子破了" not in world.client(officer).get("/feedback").text
    client = world.client(grower)
    link = re.search(r"/feedback/\d+", client.get("/feedback").text)
    assert link
    shown = client.get(link[0]).text
    assert "13800000000" in shown
    assert "/media/" in shown
    assert client.post(link[0], data={"text": "对不起，已安排补发。", "closes": "y"}).status_code == 302
    assert "袋子破了" not in client.get("/feedback?open=1").text
    assert client.post(link[0], data={"text": "补发单号 123。"}).status_code == 302
    assert "袋子破了" in client.get("/feedback?open=1").text
    assert "反馈 1" in client.get("/").text
    assert client.post(link[0], data={"text": "已签收。", "closes": "y"}).status_code == 302
    page = world.client().get(ticket).text
    assert "处理完毕" in page
    assert "已安排补发" in page
    assert world.client(officer).get(link[0]).status_code == 404
    assert world.client(world.producer()).get(link[0]).status_code == 404


@pytest.mark.parametrize("kind", ["fake", "safety"])
def test_fakes_and_safety_go_to_the_county_too(world: World, kind: str) -> None:
    grower, county, city = world.producer(), world.regulator(), world.regulator("530300")
    elsewhere = world.regulator("530381")
    _lot, code = world.labelled(grower)
    assert _give(world, code, kind=kind).status_code == 302
    assert sorted(_told(world)) == sorted((f"{who.username}@example.org", kind) for who in (grower, county))
    for who, sees in ((county, True), (city, True), (elsewhere, False)):
        assert ("袋子破了" in world.client(who).get("/feedback").text) is sees


def test_what_a_program_fills_in_is_not_taken(world: World) -> None:
    _lot, code = world.labelled(world.producer())
    for wrong in ({"website": "http://x"}, {"shown": "forged"}):
        answer = _give(world, code, **wrong)
        assert answer.status_code == 422
        assert re.search("没有收到|还没有提交", answer.text)
        assert "袋子破了" in answer.text
    with world.app.app_context():
        assert db.session.scalars(db.select(Feedback)).all() == []


def test_a_form_that_comes_back_at_once_is_taken_when_it_is_sent_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _lot, code = world.labelled(world.producer())
    monkeypatch.setattr(forms, "LEAST_S", 3)
    early = _give(world, code)
    assert early.status_code == 422
    assert "再点一次" in early.text
    assert "没有收到" not in early.text
    kept = re.search(r'name="shown"[^>]*value="([^"]+)"', early.text)
    assert kept
    # The clock runs from when the form was first shown.
    monkeypatch.setattr(forms, "LEAST_S", 0)
    assert world.client().post(f"/{code}/feedback", data=SAID | {"shown": kept[1]}).status_code == 302


def test_what_is_sent_twice_is_one_matter_with_one_ticket(world: World) -> None:
    _lot, code = world.labelled(world.producer())
    first, again = _give(world, code), _give(world, code)
    assert first.location == again.location
    other = _give(world, code, text="另一件事")
    assert other.location != first.location
    assert [kind for _to, kind in _told(world)] == ["quality", "quality"]


def test_a_consumer_sends_it_as_a_browser_does_and_gets_no_cookie(world: World) -> None:
    grower = world.producer()
    _lot, code = world.labelled(grower)
    client = world.client()
    page = client.get(f"/{code}/feedback")
    assert "Set-Cookie" not in page.headers
    fields = dict(re.findall(r'name="(\w+)"[^>]*value="([^"]*)"', page.text))
    assert fields.keys() >= {"shown"}
    answer = client.post(f"/{code}/feedback", data=SAID | {"shown": fields["shown"], "website": ""})
    assert answer.status_code == 302
    assert "Set-Cookie" not in answer.headers
    # Who happens to be signed in sends it just so.
    assert world.client(grower).post(f"/{code}/feedback", data=SAID | {"shown": fields["shown"]}).status_code == 302
    # Another site's page may fill it in as well as anyone; it says nothing in anyone's name.
    assert _told(world)[0] == (f"{grower.username}@example.org", "quality")


def test_why_a_form_came_back_is_said_where_no_field_stands(world: World) -> None:
    """What is wrong with a hidden field, the token or the form as a whole stands above the form, each in words."""
    with world.app.test_request_context("/"):
        form = ReplyForm(formdata=MultiDict({"text": "好"}))
        assert not form.validate()
        page = get_template_attribute("forms.html", "summary")(form)
        assert "填写的内容都还在，请再提交一次" in page
        assert "请修改标红的地方" not in page
        form = FeedbackForm(formdata=MultiDict(SAID))
        form.validate()
        form.refuse("shown", "放得太久")
        form.form_errors = ["没有收到"]
        page = get_template_attribute("forms.html", "summary")(form)
        assert [text.strip() for text in re.findall(r'role="alert">([^<]+)<', page)] == ["没有收到", "放得太久"]


def test_a_wrong_form_comes_back_with_all_that_was_typed(world: World) -> None:
    _lot, code = world.labelled(world.producer())
    for wrong in ({"kind": ""}, {"text": ""}, {"text": "x" * 1001}, {"text": "看 http://a.cn 和 http://b.cn"}):
        answer = _give(world, code, **wrong)
        assert answer.status_code == 422
        assert "罗平农贸市场" in answer.text
    wrong = [(io.BytesIO(data), name) for data, name in ((b"none", "x.jpg"), (photo(), "好.jpg"), (b"", "y.png"))]
    wrong.append((io.BytesIO(photo(size=(8_900, 8_900), form="PNG")), "大.png"))
    answer = _give(world, code, kind="", photos=wrong)
    assert answer.status_code == 422
    assert "袋子破了" in answer.text
    for told in ("“x.jpg”不是能打开的照片", "“y.png”不是", "“大.png”太大", "请填写"):
        assert told in answer.text
    assert "好.jpg" not in answer.text
    with world.app.app_context():
        assert db.session.scalars(db.select(Feedback)).all() == []


def test_others_can_write_while_a_photo_is_opened(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _lot, code = world.labelled(world.producer())
    opened = []

    def open_slowly(data: bytes) -> CleanedPhoto:
        # Where a transaction were open, SQLite would let nobody else write.
        with db.engine.begin() as connection:
            connection.execute(sa.update(Organisation).values(phone="0874-1"))
        opened.append(data)
        return clean_photo(data)

    monkeypatch.setattr(media, "photo_from", open_slowly)
    assert _give(world, code, photos=[(io.BytesIO(photo()), "好.jpg")]).status_code == 302
    assert len(opened) == 1


def test_more_than_enough_of_one_label_in_a_day_is_not_taken(world: World) -> None:
    _lot, code = world.labelled(world.producer())
    for number in range(10):
        assert _give(world, code, text=f"第 {number} 次").status_code == 302
    assert "12315" in _give(world, code, text="还有").text
    with world.app.app_context():
        assert len(db.session.scalars(db.select(Feedback)).all()) == 10


def test_an_unknown_code_or_ticket_is_not_found(world: World) -> None:
    assert world.client().get("/0000000000000/feedback").status_code == 404
    assert world.client().get("/tickets/none").status_code == 404


@pytest.mark.parametrize("kind", ["fake", "safety"])
def test_how_to_reach_who_reports_a_fake_or_a_danger_is_for_the_authority_alone(world: World, kind: str) -> None:
    grower, officer = world.producer(), world.regulator()
    _lot, code = world.labelled(grower)
    assert "只有主管部门看得到" in world.client().get(f"/{code}/feedback").text
    assert _give(world, code, kind=kind).status_code == 302
    pages = {}
    for actor in (grower, officer):
        client = world.client(actor)
        link = re.search(r"/feedback/\d+", client.get("/feedback").text)
        assert link
        pages[actor] = client.get("/feedback").text + client.get(link[0]).text
    assert "13800000000" not in pages[grower]
    assert "13800000000" in pages[officer]
    with world.app.app_context():
        assert not any("13800000000" in str(row.message) for row in db.session.scalars(db.select(Delivery)))
