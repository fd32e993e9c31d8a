"""A producer's start page says what waits and leads there; who is new is led to the first label."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.pages import Page
from tests.world import SPRAYED, Actor, World
from trace_app.accounts.models import Organisation
from trace_app.batches.models import Batch, BatchStatus
from trace_app.clock import today
from trace_app.db.base import utc_now
from trace_app.extensions import db
from trace_app.feedback import service as feedback
from trace_app.feedback.models import FeedbackKind
from trace_app.flow.shipments.models import Shipment
from trace_app.labels.service import label_of_code
from trace_app.recall_tasks.service import tell_everyone
from trace_app.recalls.models import Recall


def _section(page: str, heading: str) -> str:
    parts = re.split(r"<h2>([^<]+)", page)
    return dict(zip(map(str.strip, parts[1::2]), parts[2::2], strict=True)).get(heading, "")


def _line(page: str, heading: str, text: str) -> str:
    """Where the line of a section with a text in it leads to."""
    found = re.search(r'<a href="([^"]+)">\s*<b>[^<]*' + re.escape(text), _section(page, heading))
    assert found, (heading, text, page)
    return found[1]


def test_who_signs_in_sees_today_first(world: World) -> None:
    client = world.client(world.producer())
    answer = client.get("/start", follow_redirects=True)
    assert answer.request.path == "/today"
    assert "已完成 0 步，共 4 步" in answer.text


def test_a_draft_that_nothing_stops_can_be_released_from_here(world: World) -> None:
    grower = world.producer()
    ready, unready = world.batch(grower, lot_number="READY-1"), world.batch(grower, lot_number="UNREADY-1")
    world.complete(grower, ready)
    page = world.client(grower).get("/today").text
    assert _line(page, "可以放行了", "READY-1") == f"/batches/{ready}"
    assert "UNREADY-1" not in _section(page, "可以放行了")
    assert _line(page, "放行前还要补的", "UNREADY-1") == f"/batches/{unready}"
    assert "READY-1" not in world.client(world.producer()).get("/today").text


def test_an_interval_that_ends_names_the_day_from_which_the_lot_may_be_harvested(world: World) -> None:
    grower = world.producer()
    lot = world.batch(grower, lot_number="GROWS-1", produced_on="")
    old = world.batch(grower, lot_number="LONG-AGO", produced_on="")
    sprayed = today() - timedelta(days=4)
    world.record(grower, lot, "pesticide", **SPRAYED | {"happened_on": (today() - timedelta(days=9)).isoformat()})
    world.record(grower, lot, "pesticide", **SPRAYED | {"happened_on": sprayed.isoformat()})
    world.record(grower, old, "pesticide", **SPRAYED | {"happened_on": (today() - timedelta(days=60)).isoformat()})
    section = _section(world.client(grower).get("/today").text, "间隔期、休药期")
    assert f"{sprayed + timedelta(days=14)} 起可以采收" in section
    assert "GROWS-1" in section
    assert "LONG-AGO" not in section


@pytest.mark.parametrize(("days", "told"), [(59, True), (61, False), (-1, True)])
def test_a_certificate_is_told_of_before_it_expires(world: World, days: int, told: bool) -> None:
    grower = world.producer()
    client = world.client(grower)
    until = today() + timedelta(days=days)
    form = {"type": "green_food", "number": "LB-1", "issuer": "某中心", "valid_from": "2024-01-01"}
    assert client.post("/certificates", data=form | {"valid_until": until.isoformat()}).status_code == 302
    section = _section(client.get("/today").text, "快到期和已过期的证书")
    assert ("LB-1" in section) is told


def test_a_complaint_waits_until_it_is_answered_for_good(world: World) -> None:
    grower = world.producer()
    _batch, code = world.labelled(grower)
    with world.writing():
        row = feedback.give(
            label_of_code(code), [], kind=FeedbackKind.QUALITY, text="姜有点软", bought_at="", contact=""
        )
        feedback_id = row.id
    client = world.client(grower)
    assert _line(client.get("/today").text, "消费者反馈", "姜有点软") == f"/feedback/{feedback_id}"
    assert client.post(f"/feedback/{feedback_id}", data={"text": "已换货", "closes": "y"}).status_code == 302
    assert "姜有点软" not in client.get("/today").text


def _ship(world: World, grower: Actor, lot: int, days: int, consignee: str, **data: str) -> str:
    moment = utc_now() - timedelta(days=days)
    form = {"consignee": consignee, "departed_at": f"{moment:%Y-%m-%dT%H:%M}", f"q-{lot}": "10", **data}
    answer = world.client(grower).post("/shipments/new", data=form)
    assert answer.status_code == 302, answer.text
    return str(answer.location)


def test_shipments_that_nobody_confirmed_or_that_came_short_are_told_of(world: World) -> None:
    grower, buyer = world.producer(), world.buyer()
    with world.app.app_context():
        shop = db.session.get_one(Organisation, buyer.organisation_id).name
    lot = world.released(grower)
    late = _ship(world, grower, lot, 5, "没回音的店")
    fresh = _ship(world, grower, lot, 1, "刚发的店")
    _ship(world, grower, lot, 1, shop, organisation=shop)
    client = world.client(grower)
    page = client.get("/today").text
    assert _line(page, "对方还没有确认收货", "") == late
    assert fresh not in _section(page, "对方还没有确认收货")
    with world.app.app_context():
        row = db.session.scalars(db.select(Shipment).filter_by(consignee_name=shop)).one()
        receipt, line, number = row.receipt_code, row.lines[0].id, row.number
    took = {f"q-{line}": "8", "rest": "missing", "received_by": "张", "note": "少两公斤"}
    moment = f"{utc_now() + timedelta(hours=8):%Y-%m-%dT%H:%M}"
    answer = world.client(buyer).post(f"/receive/{receipt}", data=took | {"received_at": moment})
    assert answer.status_code == 302, answer.text
    assert number in _section(client.get("/today").text, "收发有差异")


def test_goods_that_come_are_confirmed_from_here(world: World) -> None:
    grower, maker = world.producer(), world.producer(name="做月饼的厂")
    _ship(world, grower, world.released(grower), 1, "做月饼的厂", organisation="做月饼的厂")
    way = _line(world.client(maker).get("/today").text, "发给您的货", "单位")
    assert way.startswith("/receive/")
    assert world.client(maker).get(way).status_code == 200


def test_a_recall_task_stands_first(world: World) -> None:
    grower = world.producer()
    number = world.recall(world.regulator(), world.released(grower, lot_number="BACK-1"))
    with world.app.app_context():
        tell_everyone(db.session.scalars(db.select(Recall.id).filter_by(number=number)).one())
    page = world.client(grower).get("/today").text
    assert re.findall(r"<h2>([^<]+)", page)[1].strip() == "召回任务"
    way = _line(page, "召回任务", number)
    assert way.startswith("/recall-tasks/")


FIRST = {
    "kind_code": "ginger",
    "product_name": "小黄姜",
    "net_content": "净重 5 公斤",
    "site_kind": "plot",
    "site_name": "1 号地块",
    "division_code": "530324102",
    "lot_number": "J-1",
    "quantity": "1000",
    "unit": "kg",
    "started_on": "2025-03-12",
    "produced_on": "2025-11-06",
}


def test_from_an_empty_account_to_a_released_lot_takes_four_forms(world: World) -> None:
    client = world.client(world.producer())
    page = client.get("/today").text
    assert 'href="/batches/new"' in page
    sent = 1
    lot = client.post("/batches/new", data=FIRST).location
    number = lot.rsplit("/", 1)[1]
    for stage, values in (("planting", {"happened_on": "2025-03-12"}), ("harvest", {"happened_on": "2025-11-06"})):
        data = {"scope": "lots", "batch_ids": number, "operator": "李", **values}
        more = {"values-quantity_kg": "1000"} if stage == "harvest" else {}
        answer = client.post(f"/field/ginger/stage/{stage}?batch={number}", data=data | more)
        assert answer.status_code == 302, answer.text
        sent += 1
    assert "已完成 2 步" in client.get("/today").text
    assert client.post(f"{lot}/release").status_code == 302
    sent += 1
    with world.app.app_context():
        assert db.session.get_one(Batch, int(number)).status is BatchStatus.RELEASED
    assert sent == 4
    assert "已完成 3 步" in client.get("/today").text


def test_who_has_printed_labels_is_shown_no_first_steps(world: World) -> None:
    grower = world.producer()
    world.labelled(grower)
    page = world.client(grower).get("/today").text
    assert "共 4 步" not in page


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"product_name": ""}, "请填写此项"),
        ({"site_name": " "}, "请填写此项"),
        ({"unit": "leg"}, "的单位可以是"),
        ({"produced_on": "2025-01-01"}, "不能早于开始日期"),
        ({"division_code": ""}, "请选择"),
    ],
)
def test_a_first_lot_is_registered_whole_or_not_at_all(world: World, change: dict[str, str], said: str) -> None:
    client = world.client(world.producer())
    answer = client.post("/batches/new", data=FIRST | change)
    assert answer.status_code == 422
    assert said in answer.text
    assert "小黄姜" in answer.text or "1 号地块" in answer.text
    assert "小黄姜" not in client.get("/products").text
    assert "1 号地块" not in client.get("/sites").text


def test_who_has_a_product_alone_registers_the_site_with_the_lot(world: World) -> None:
    grower = world.producer()
    product = world.product(grower, name="老姜")
    client = world.client(grower)
    page = client.get("/batches/new").text
    assert 'name="product_id"' in page
    assert 'name="kind_code"' not in page
    assert client.post("/batches/new", data=FIRST | {"product_id": str(product)}).status_code == 302
    assert "<b>小黄姜" not in client.get("/products").text
    assert "1 号地块" in client.get("/sites").text


def test_the_towns_are_those_of_the_own_county(world: World) -> None:
    page = world.client(world.producer("530324102")).get("/batches/new").text
    towns = re.findall(r'value="(\d{9})"', page)
    assert towns
    assert all(town.startswith("530324") for town in towns)


def test_a_lot_is_copied_into_a_form_that_makes_nothing_by_itself(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower, lot_number="LAST-1", quantity="123.5")
    client = world.client(grower)
    assert f'href="/batches/new?like={lot}"' in client.get(f"/batches/{lot}").text
    form = next(
        form
        for form in Page(client.get(f"/batches/new?like={lot}").text).forms
        if any(one.name == "lot_number" for one in form.fields)
    )
    with world.app.app_context():
        assert db.session.scalar(db.select(db.func.count()).select_from(Batch)) == 1
    assert (
        client.post(
            "/batches/new", data=form.data(filled=True, known={}) | {"produced_on": "", "best_before": ""}
        ).status_code
        == 302
    )
    with world.app.app_context():
        old, new = db.session.scalars(db.select(Batch).order_by(Batch.id))
        assert (new.product_id, new.site_id, new.quantity, new.unit) == (
            old.product_id, old.site_id, old.quantity, old.unit
        )  # fmt: skip
        assert new.started_on == today()
        assert new.lot_number != old.lot_number
    assert world.client(world.producer()).get(f"/batches/new?like={lot}").status_code == 404
