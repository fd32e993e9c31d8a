import threading
import time

import pytest

from tests.world import RECALL, World
from trace_app.accounts.models import AuditEvent
from trace_app.batches.models import Batch
from trace_app.extensions import db
from trace_app.recalls.models import Recall
from trace_app.scanning import lease

FORM = {
    "level": "2",
    "reason": "镉含量 0.18 mg/kg，超过限量",
    "advice": "停止食用，退货退款",
    "reason_en": "Cadmium over the limit",
    "advice_en": "Do not eat it",
}


def test_a_recall_is_on_the_trace_page_in_the_next_request(world: World) -> None:
    actor = world.producer()
    batch_id, code = world.labelled(actor)
    consumer = world.client()
    assert "未被召回" in consumer.get(f"/{code}").text
    assert world.client(world.regulator()).post(f"/batches/{batch_id}/recall", data=FORM).status_code == 302
    page = consumer.get(f"/{code}").text
    assert "正在召回，请勿食用" in page
    assert "未被召回" not in page
    assert page.index("停止食用，退货退款") < page.index("镉含量") < page.index("<h1>")
    english = world.client(language="en").get(f"/{code}").text
    assert "Under recall" in english
    assert "Do not eat it" in english


def test_it_is_listed_publicly_with_a_page_of_its_own(world: World) -> None:
    actor = world.producer(name="某合作社")
    batch_id = world.released(actor, lot_number="R-1")
    made = world.client(world.regulator()).post(f"/batches/{batch_id}/recall", data=FORM)
    number = made.location.split("/")[2]
    assert number.startswith("530324-")
    listed = world.client().get("/recalls").text
    assert "R-1" in listed
    assert number in listed
    notice = world.client().get(f"/recalls/{number}").text
    assert all(part in notice for part in ("R-1", "某合作社", FORM["reason"], FORM["advice"], "二级召回"))
    assert world.client().get("/recalls/530324-1999-0001").status_code == 404


def test_an_empty_list_says_so(world: World) -> None:
    assert "目前没有召回公告" in world.client().get("/recalls").text


def test_the_producer_can_neither_change_nor_undo_it(world: World) -> None:
    actor = world.producer()
    batch_id = world.released(actor)
    record_id = world.record(actor, batch_id)
    world.recall(world.regulator(), batch_id)
    client = world.client(actor)
    for path in ("edit", "correct", "labels"):
        assert "召回" in client.get(f"/batches/{batch_id}/{path}").text
    assert client.post(f"/batches/{batch_id}/close").status_code == 409
    again = client.post(f"/batches/{batch_id}/recall", data=FORM)
    assert again.status_code == 422
    assert "已召回或暂停销售" in again.text
    note = {
        "scope": "lots",
        "batch_ids": str(batch_id),
        "happened_on": "2025-06-02",
        "note": "补记",
        "correction_reason": "补记",
    }
    for path in (world.entry(batch_id, "care"), f"/field/records/{record_id}/correct"):
        answer = client.post(path, data=note)
        assert answer.status_code == 422
        assert "已召回" in answer.text


def test_only_within_the_jurisdiction(world: World) -> None:
    batch_id = world.released(world.producer())
    for outsider in (world.regulator("530323"), world.regulator("530381")):
        assert world.client(outsider).post(f"/batches/{batch_id}/recall", data=FORM).status_code == 404
    assert world.client(world.regulator("530300")).post(f"/batches/{batch_id}/recall", data=FORM).status_code == 302


def test_a_batch_is_recalled_once(world: World) -> None:
    batch_id = world.released(world.producer())
    client = world.client(world.regulator())
    assert client.post(f"/batches/{batch_id}/recall", data=FORM).status_code == 302
    again = client.post(f"/batches/{batch_id}/recall", data=FORM)
    assert again.status_code == 422
    assert "已召回或暂停销售" in again.text
    with world.app.app_context():
        assert db.session.scalar(db.select(db.func.count(Recall.id))) == 1


def test_officers_who_issue_at_once_get_numbers_of_their_own(world: World) -> None:
    actor = world.producer()
    regulator = world.regulator()
    lots = [world.released(actor) for _ in range(4)]
    officers = [world.client(regulator) for _ in lots]
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda c=c, b=b: answers.append(c.post(f"/batches/{b}/recall", data=FORM).status_code))
        for c, b in zip(officers, lots, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [302] * 4
    with world.app.app_context():
        numbers = db.session.scalars(db.select(Recall.number)).all()
        assert sorted(number[-4:] for number in numbers) == ["0001", "0002", "0003", "0004"]


def test_what_is_sold_while_a_recall_is_issued_waits_and_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor, regulator = world.producer(), world.regulator()
    batch_id = world.released(actor)
    seller, officer = world.client(actor), world.client(regulator)
    issued, waited = threading.Event(), lease._Fence.wait_out

    def wait_out(fence: lease._Fence) -> None:
        # All is written but not committed.
        issued.set()
        time.sleep(0.5)
        waited(fence)

    monkeypatch.setattr(lease._Fence, "wait_out", wait_out)
    recalling = threading.Thread(target=lambda: officer.post(f"/batches/{batch_id}/recall", data=FORM))
    recalling.start()
    assert issued.wait(20)
    answer = seller.post(f"/batches/{batch_id}/close")
    recalling.join()
    assert answer.status_code == 409
    assert "已召回" in answer.text


@pytest.mark.parametrize("change", [{"level": ""}, {"level": "4"}, {"level": "x"}, {"reason": ""}, {"advice": " "}])
def test_a_wrong_notice_comes_back_with_all_that_was_typed(world: World, change: dict[str, str]) -> None:
    batch_id = world.released(world.producer())
    answer = world.client(world.regulator()).post(f"/batches/{batch_id}/recall", data=FORM | change)
    assert answer.status_code == 422
    assert "Cadmium over the limit" in answer.text
    with world.app.app_context():
        assert db.session.scalar(db.select(db.func.count(Recall.id))) == 0


def test_a_draft_can_be_recalled_before_it_leaves(world: World) -> None:
    actor = world.producer()
    batch_id = world.batch(actor)
    world.complete(actor, batch_id)
    world.recall(world.regulator(), batch_id)
    client = world.client(actor)
    answer = client.post(f"/batches/{batch_id}/release")
    assert answer.status_code == 409
    assert "已召回，此操作已停用" in answer.text
    with world.app.app_context():
        assert db.session.get_one(Batch, batch_id).released_at is None


def test_the_facts_of_a_recalled_or_closed_lot_are_corrected_by_nobody(world: World) -> None:
    actor = world.producer()
    product, site = world.product(actor), world.site(actor)
    client = world.client(actor)
    form = {
        "product_id": str(product),
        "site_id": str(site),
        "quantity": "8600",
        "unit": "kg",
        "started_on": "2025-03-12",
        "produced_on": "2025-11-06",
        "lot_number": "ANOTHER-1",
        "reason": "换个批次号",
    }
    for lot_number, said in (("RECALLED-1", "已召回"), ("CLOSED-1", "已结束")):
        batch_id = world.released(actor, product_id=product, site_id=site, lot_number=lot_number)
        if lot_number == "RECALLED-1":
            world.recall(world.regulator(), batch_id)
        else:
            assert client.post(f"/batches/{batch_id}/close").status_code == 302
        answer = client.post(f"/batches/{batch_id}/correct", data=form)
        assert answer.status_code == 422
        assert said in answer.text
        with world.app.app_context():
            assert db.session.get_one(Batch, batch_id).lot_number == lot_number


def test_who_recalled_what_when_and_why_is_kept(world: World) -> None:
    batch_id = world.released(world.producer())
    officer = world.regulator()
    number = world.recall(officer, batch_id)
    with world.app.app_context():
        query = db.select(AuditEvent).filter_by(subject_type="batches", subject_id=batch_id, action="recall")
        event = db.session.scalars(query).one()
        assert (event.actor_id, event.facts["recall"]) == (officer.user_id, number)
        assert event.at.tzinfo is not None
        recall = db.session.scalars(db.select(Recall)).one()
        assert (recall.reason, recall.issued_by_id) == (RECALL["reason"], officer.user_id)
