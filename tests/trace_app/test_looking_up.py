"""Looking up forgives: what people type is compared without what it varies in, what is near is offered, and nobody who
holds recalled goods reads that there are none."""

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.trace_app.test_shipping import _orders
from tests.world import RECALL, Actor, World
from trace_app.batches.models import Batch
from trace_app.extensions import db
from trace_app.feedback.models import Feedback
from trace_app.flow.shipments.models import Shipment
from trace_app.folding import fold, meant, near

pytestmark = pytest.mark.either_database

LOT = "YR-2026-1101"
SPELT = [
    "yr-2026-1101",
    "ＹＲ－2026－1101",
    "YR 2026 1101",
    "YR20261101",
    "YR—2O26—11O1",
    "批次号：YR-2026-1101。",
    "批次号YR-2026-1101",
    "批次 YR-2026-1101",
    "批次号\u3000YR-2026-1101",
    "（YR-2026-1101）",
    "“YR-2026-1101”",
    "YR-2026-1101。",
    "https://t.example/recalls/check?lot=YR-2026-1101",
    "https://t.example/01/06901234567892/10/YR-2026-1101",
]


def _recalled(world: World, lot_number: str = LOT) -> tuple[Actor, int]:
    officer = world.regulator()
    lot = world.released(world.producer(), lot_number=lot_number)
    world.recall(officer, lot)
    return officer, lot


@pytest.mark.parametrize("typed", SPELT)
def test_one_fold_knows_every_spelling(typed: str) -> None:
    assert fold(typed) == fold(LOT)
    assert meant(typed, ["A-1", LOT]) == LOT


def test_two_that_fold_alike_are_not_taken_for_one_another() -> None:
    assert meant("A-10", ["A-1O", "A-10"]) == "A-10"
    assert meant("a10", ["A-1O", "A-10"]) is None


def test_near_is_a_character_and_not_another_lot() -> None:
    assert near("YR-2026-110", [LOT, "XJ-2025-0603"]) == [LOT]
    assert near("XJ-2026-0601", [LOT]) == []


@pytest.mark.parametrize("typed", SPELT)
def test_a_recalled_lot_is_found_in_every_spelling_and_everywhere(world: World, typed: str) -> None:
    officer, _lot = _recalled(world)
    consumer, desk = world.client(), world.client(officer)
    led = consumer.get("/find", query_string={"code": typed}, follow_redirects=True)
    for page in (consumer.get("/recalls/check", query_string={"lot": typed}), led):
        assert page.status_code == 200
        assert "正在召回" in page.text
        assert "没有" not in page.text
    assert LOT in desk.get("/desk", query_string={"q": typed}).text


@pytest.mark.parametrize("typed", SPELT)
def test_a_lot_that_is_not_recalled_is_found_in_every_spelling_too(world: World, typed: str) -> None:
    grower = world.producer()
    world.released(grower, lot_number=LOT)
    world.recall(world.regulator(), world.released(grower, lot_number="QT-2026-7"))
    page = world.client().get("/recalls/check", query_string={"lot": typed}).text
    assert LOT in page
    assert "没有被召回" in page
    assert LOT in world.client(grower).get("/batches", query_string={"q": typed}).text


NUMBERS = st.text(st.sampled_from(r"AbIiLlOo019-_. /\·"), min_size=1, max_size=12)


@given(numbers=st.lists(NUMBERS, min_size=1, max_size=30))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_database_folds_as_the_platform_does(app: Flask, numbers: list[str]) -> None:
    computed = Batch.__table__.c.lot_fold.computed
    kept = sa.values(sa.column("lot_number", sa.String)).data([(number,) for number in numbers]).cte("kept")
    with app.app_context():
        found = db.session.execute(sa.select(kept.c.lot_number, computed.sqltext).select_from(kept)).all()
        db.session.remove()
    assert dict(found) == {number: fold(number) for number in numbers}


@pytest.mark.parametrize("typed", ["YR-2026-110", "YR-2026-11011", "YR-2026-1107", "XR-2026-1101"])
def test_what_is_near_a_recalled_lot_is_asked_about(world: World, typed: str) -> None:
    _recalled(world)
    for path, name in (("/recalls/check", "lot"), ("/find", "code")):
        page = world.client().get(path, query_string={name: typed}, follow_redirects=True).text
        assert f"您要找的是 {LOT} 吗" in page
        assert "没有" not in page
    assert "没有批次号为" in world.client().get("/recalls/check?lot=ZZ-1999-0000").text


@pytest.mark.parametrize("box", ["lot", "code"])
def test_either_box_of_the_check_takes_either_number(world: World, box: str) -> None:
    grower = world.producer()
    batch_id, code = world.labelled(grower, lot_number=LOT)
    world.client(world.regulator()).post(f"/batches/{batch_id}/recall", data=RECALL)
    consumer = world.client()
    spaced = f" {code[:4].lower()} {code[4:8]}-{code[8:]}"
    for typed in (code, spaced, f"https://t.example/{code}", LOT, LOT.lower()):
        page = consumer.get("/recalls/check", query_string={box: typed}, follow_redirects=True)
        assert page.status_code == 200, typed
        assert "正在召回" in page.text, typed
        assert "没有批次号" not in page.text
    assert consumer.get("/recalls/check", query_string={"code": "7KQ2M0XR9T4V"}).status_code == 422


def test_a_check_sent_empty_says_what_to_fill_in(world: World) -> None:
    assert world.client().get("/recalls/check").status_code == 200
    answer = world.client().get("/recalls/check", query_string={"code": " ", "lot": ""})
    assert answer.status_code == 422
    assert "请填写追溯码或批次号" in answer.text


def test_a_lot_that_is_not_recalled_is_found_in_small_letters(world: World) -> None:
    world.released(world.producer(), lot_number="OK-2026-01")
    page = world.client().get("/find?code=批次号：ok-2026-01", follow_redirects=True).text
    assert "没有被召回" in page


def test_the_scope_of_a_recall_compares_lots_and_inputs_as_people_type_them(world: World) -> None:
    grower, client = world.producer(), world.client(world.regulator())
    lot = world.released(grower, lot_number="XJ-2026-0601")
    sprayed = world.batch(grower, lot_number="SP-1")
    world.record(
        grower,
        sprayed,
        "pesticide",
        happened_on="2025-09-15",
        product_name="苯醚甲环唑",
        registration_number="PD20990002",
        active_ingredient="苯醚甲环唑",
        dose="40",
        dose_unit="g_per_mu",
        area_mu="42",
        method="spray",
        target="叶斑病",
        operator="李大姐",
        interval_days="14",
        input_lot="N20260803",
    )
    assert "XJ-2026-0601" in client.get("/recalls/scope?lots=xj20260601").text
    assert "XJ-2026-0601" in client.get("/recalls/scope?lots=XJ20260601、SP1").text
    assert "SP-1" in client.get("/recalls/scope?input_lot=n20260803").text
    form = {"lots": "xj20260601", "count": "1", "level": "2", "reason": "镉超标", "advice": "停止食用"}
    assert client.post("/recalls/scope", data=form).status_code == 302
    assert "正在召回" in world.client().get("/recalls/check?lot=XJ-2026-0601").text
    assert lot


def test_a_recall_never_goes_without_a_lot_that_was_named_and_not_found(world: World) -> None:
    grower, client = world.producer(), world.client(world.regulator())
    world.released(grower, lot_number="XJ-2026-0702")
    world.released(grower, lot_number="XJ-2026-0703")
    told = "没有批次 XJ-2026-9999、XJ-2026-0704（相近的有 "
    page = client.get("/recalls/scope?lots=xj20260702 XJ-2026-9999 XJ-2026-0704").text
    assert told in page
    form = {"lots": "xj20260702、XJ-2026-9999、XJ-2026-0704", "count": "1", "level": "2"}
    form |= {"reason": "镉超标", "advice": "停止食用"}
    refused = client.post("/recalls/scope", data=form)
    assert refused.status_code == 422
    assert refused.text.count(told) == 1
    assert "没有被召回" in world.client().get("/recalls/check?lot=XJ-2026-0702").text
    assert client.post("/recalls/scope", data=form | {"lots": "xj20260702"}).status_code == 302


def test_an_order_list_may_spell_a_lot_otherwise(world: World) -> None:
    grower = world.producer()
    world.released(grower, quantity="100", lot_number="O-2026-1")
    client = world.client(grower)
    row = ["淘宝", "T001", "王某", "13900000000", "昆明市", "o20261", 2, "2026-11-20", "示例快递", "SF0001"]
    looked = client.post("/workbooks", data={"what": "orders", "file": _orders([row])})
    assert client.post(f"{looked.location}/all").status_code == 302
    with world.app.app_context():
        assert db.session.scalars(db.select(Shipment)).one().lines[0].batch.lot_number == "O-2026-1"


def test_a_link_of_a_product_and_lot_may_spell_the_lot_otherwise(world: World) -> None:
    grower = world.producer()
    product = world.product(grower, gtin="6901234567892")
    world.released(grower, product_id=product, lot_number="DL-2026-1")
    answer = world.client().get("/l/06901234567892/dl-2026-1", follow_redirects=True)
    assert answer.status_code == 200
    assert "DL-2026-1" in answer.text


def test_a_slash_behind_a_code_leads_to_its_page(world: World) -> None:
    _lot, code = world.labelled(world.producer())
    client = world.client()
    assert client.get(f"/{code}/").location == f"/{code}"
    assert client.get(f"/{code}/", follow_redirects=True).status_code == 200
    assert client.get("/nothing-of-ours/").status_code == 404


@pytest.mark.parametrize(
    ("cut", "told"), [(slice(0, 12), "少了 1 位"), (slice(0, 11), "少了 2 位"), (slice(0, 99), "多了 1 位")]
)
def test_a_code_that_lacks_a_character_is_told_so(world: World, cut: slice, told: str) -> None:
    _lot, code = world.labelled(world.producer())
    typed = (code + "7")[cut]
    client = world.client()
    for answer in (client.get(f"/find?code={typed}"), client.get(f"/{typed}")):
        assert answer.status_code == 404
        assert told in answer.text
    assert "位：追溯码共" not in client.get("/find?code=hello").text


def test_a_tickets_number_typed_on_the_front_page_leads_to_the_ticket(world: World) -> None:
    _lot, code = world.labelled(world.producer())
    client = world.client()
    page = client.get(f"/{code}/feedback").text
    assert page
    with world.writing():
        from trace_app.feedback import service as feedback
        from trace_app.feedback.models import FeedbackKind
        from trace_app.labels.service import label_of_code

        row = feedback.give(label_of_code(code), [], kind=FeedbackKind.PRAISE, text="好", bought_at="", contact="")
        ticket = row.ticket
    typed = f"{ticket[:8].upper()} {ticket[8:]}"
    assert client.get("/find", query_string={"code": typed}).location == f"/tickets/{ticket}"
    assert ticket in client.get(f"/tickets/{ticket}").text
    with world.app.app_context():
        assert db.session.scalars(db.select(Feedback)).one().ticket == ticket
