"""Sending and receiving: by lot and by scan, balances, cold chain, order lists, and where a label has been."""

import io
import re
import threading
import time
from typing import Any

import pypdfium2
import pytest
import xlsxwriter

from qr.reading import read_symbols
from tests.world import Actor, World, photo
from trace_app.accounts.models import AuditEvent, Organisation
from trace_app.batches.models import Batch
from trace_app.extensions import db
from trace_app.flow.balance import balance_of
from trace_app.flow.shipments import losses
from trace_app.flow.shipments.models import Shipment
from trace_app.recall_tasks import service as tasks
from trace_app.recalls.models import Recall

FORM = {
    "consignee": "云岭超市",
    "phone": "0874-1234567",
    "email": "shop@example.org",
    "division_code": "530302",
    "departed_at": "2026-11-20T08:30",
    "carrier": "示例物流",
    "vehicle": "云D12345",
    "driver": "示例·师傅",
    "driver_phone": "13800000000",
}


def _ship(world: World, actor: Actor, quantities: dict[int, str], **values: str) -> Shipment:
    data = FORM | {f"q-{lot}": amount for lot, amount in quantities.items()} | values
    answer = world.client(actor).post("/shipments/new", data=data)
    assert answer.status_code == 302, answer.text
    with world.app.app_context():
        return db.session.get_one(Shipment, int(answer.location.rsplit("/", 1)[1]))


def _left(world: World, lot: int, holder: Actor) -> float:
    with world.app.app_context():
        return float(balance_of(db.session.get_one(Batch, lot), holder.organisation_id).left)


def _receive(world: World, shipment: Shipment, amounts: list[str], by: Actor | None = None, **values: str):
    with world.app.app_context():
        lines = [line.id for line in db.session.get_one(Shipment, shipment.id).lines]
    data = {f"q-{line}": amount for line, amount in zip(lines, amounts, strict=True)}
    form = {"received_at": "2026-11-21T09:00", "received_by": "张店长", "rest": "missing"}
    return world.client(by).post(f"/receive/{shipment.receipt_code}", data=form | data | values)


def test_a_shipment_goes_out_and_the_buyer_confirms_by_link(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower, quantity="100", lot_number="S-1")
    shipment = _ship(world, grower, {lot: "40"})
    assert _left(world, lot, grower) == 60
    assert re.fullmatch(r"20261120-[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){2}", shipment.number)
    consumer = world.client()
    assert "S-1" in consumer.get(f"/receive/{shipment.receipt_code}").text
    typed = consumer.get(f"/receive?code={shipment.receipt_code[:4]}-{shipment.receipt_code[4:].lower()}")
    assert typed.location == f"/receive/{shipment.receipt_code}"
    assert "没有这个收货码" in consumer.get("/receive?code=0000000000000").text
    assert _receive(world, shipment, ["40"]).status_code == 302
    assert "张店长" in consumer.get(f"/receive/{shipment.receipt_code}").text
    again = _receive(world, shipment, ["1"], received_by="别人", note="再来")
    assert again.status_code == 422
    assert "张店长 于" in again.text


@pytest.mark.parametrize(
    ("amount", "values", "message"),
    [
        ("41", {"note": "多了"}, "收到的不能多于发出的"),
        ("39", {}, "写明差在哪里"),
        ("x", {}, "请填写数字"),
        ("", {}, "没收到的填 0"),
        ("-1", {}, "请填写 0 到"),
        ("40", {"received_at": "2999-01-01T00:00"}, "不能晚于现在"),
    ],
)
def test_a_receipt_that_cannot_be_comes_back(world: World, amount: str, values: dict[str, str], message: str) -> None:
    grower = world.producer()
    shipment = _ship(world, grower, {world.released(grower, quantity="100"): "40"})
    answer = _receive(world, shipment, [amount], **values)
    assert answer.status_code == 422
    assert message in answer.text
    assert "张店长" in answer.text


def test_a_difference_is_noted_and_shown(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower, quantity="100")
    shipment = _ship(world, grower, {lot: "40"})
    assert _receive(world, shipment, ["38.5"], note="破损一箱").status_code == 302
    page = world.client(grower).get(f"/shipments/{shipment.id}").text
    assert "有差异" in page
    assert "破损一箱" in page
    assert "实收 38.5" in world.client(grower).get(f"/batches/{lot}/genealogy").text


def test_who_received_it_uses_and_sends_it_on_and_no_more(world: World) -> None:
    grower, packer = world.producer(), world.producer(name="姜厂")
    lot = world.released(grower, quantity="100")
    _ship(world, grower, {lot: "40"}, consignee="姜厂", organisation="姜厂")
    assert (_left(world, lot, grower), _left(world, lot, packer)) == (60, 40)
    _ship(world, packer, {lot: "15"})
    assert (_left(world, lot, grower), _left(world, lot, packer)) == (60, 25)
    refused = world.client(packer).post("/shipments/new", data=FORM | {f"q-{lot}": "26"})
    assert refused.status_code == 422
    assert "还剩 25" in refused.text
    stranger = world.client(world.producer())
    assert "不是您的" in stranger.post("/shipments/new", data=FORM | {f"q-{lot}": "1"}).text


def test_what_is_lost_is_gone(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower, quantity="100")
    client = world.client(grower)
    spoiled = {"kind": "lost", "quantity": "30", "reason": "霉变"}
    assert client.post(f"/batches/{lot}/lose", data=spoiled).status_code == 302
    assert _left(world, lot, grower) == 70
    refused = client.post(f"/batches/{lot}/lose", data=spoiled | {"quantity": "71"})
    assert refused.status_code == 422
    assert "还剩 70" in refused.text
    assert "霉变" in client.get(f"/batches/{lot}/genealogy").text
    assert _left(world, lot, grower) == 70


def test_labels_by_scan_items_and_cases(world: World) -> None:
    baker = world.producer()
    lot = world.released(baker, "ham_mooncake", quantity="100")
    items, cases = world.run(baker, lot, 5), world.run(baker, lot, 1, layout="roll-100x100", level="case")
    case, inside, loose = world.code(cases), world.code(items, 0), world.code(items, 4)
    client = world.client(baker)
    for index in range(3):
        client.post(f"/labels/pack/{case}", data={"code": world.code(items, index)})
    shipment = _ship(world, baker, {}, codes=f"{case}\n{loose}\n{loose}")
    with world.app.app_context():
        assert float(db.session.get_one(Shipment, shipment.id).lines[0].quantity) == 4
    again = client.post("/shipments/new", data=FORM | {"codes": inside})
    assert again.status_code == 422
    assert f"已在发货单 {shipment.number}" in again.text
    journey = client.get(f"/journey?code={inside}").text
    assert shipment.number in journey
    assert "云岭超市" in journey
    assert "没有扫过这个码" in client.get(f"/journey?code={world.code(items, 3)}").text
    assert "与您无关" in world.client(world.producer()).get(f"/journey?code={inside}").text
    assert "没有“nonsense”这个码" in client.get("/journey?code=nonsense").text


def test_a_scanned_lot_by_weight_needs_its_quantity(world: World) -> None:
    grower = world.producer()
    lot, code = world.labelled(grower, quantity="100", lot_number="W-1")
    client = world.client(grower)
    refused = client.post("/shipments/new", data=FORM | {"codes": code})
    assert "请填写批次 W-1 的数量" in refused.text
    assert FORM["driver"] in refused.text
    assert client.post("/shipments/new", data=FORM | {"codes": code, f"q-{lot}": "5"}).status_code == 302


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"consignee": ""}, "请填写此项"),
        ({"departed_at": "2999-01-01T00:00"}, "不能晚于现在"),
        ({"departed_at": "x"}, "请填写日期和时间"),
        ({"email": "no"}, "邮箱地址不完整"),
        ({"least_celsius": "5"}, "要么都填"),
        ({"least_celsius": "5", "most_celsius": "2"}, "上限不能低于下限"),
    ],
)
def test_a_wrong_form_comes_back_with_all_that_was_typed(world: World, values: dict[str, str], message: str) -> None:
    grower = world.producer()
    lot = world.released(grower)
    answer = world.client(grower).post("/shipments/new", data=FORM | {f"q-{lot}": "7.25"} | values)
    assert answer.status_code == 422
    assert message in answer.text
    assert "7.25" in answer.text
    assert FORM["vehicle"] in answer.text


def test_nothing_and_wrong_quantities_are_refused(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower, quantity="100")
    client = world.client(grower)
    assert "请选择批次并填写数量" in client.post("/shipments/new", data=FORM).text
    for wrong in ("-3", "0", "abc", "1e99"):
        assert client.post("/shipments/new", data=FORM | {f"q-{lot}": wrong}).status_code == 422
    assert "还剩 100" in client.post("/shipments/new", data=FORM | {f"q-{lot}": "100.5"}).text
    draft = world.batch(grower)
    assert "还没有放行" in client.post("/shipments/new", data=FORM | {f"q-{draft}": "1"}).text


def test_a_recalled_or_held_lot_is_not_sent_and_the_answer_says_whom_to_call(world: World) -> None:
    grower, officer = world.producer(), world.regulator()
    recalled, held = world.released(grower), world.released(grower)
    with world.writing():
        db.session.get_one(Organisation, officer.organisation_id).phone = "0874-8212345"
    world.recall(officer, recalled)
    form = {"kind": "hold", "level": "2", "reason": "待查", "advice": "先不要吃"}
    assert world.client(officer).post(f"/batches/{held}/recall", data=form).status_code == 302
    for lot, word in ((recalled, "已召回"), (held, "暂停销售")):
        answer = world.client(grower).post("/shipments/new", data=FORM | {f"q-{lot}": "1"})
        assert answer.status_code == 422
        assert word in answer.text
        assert "0874-8212345" in answer.text


def test_a_shipment_is_withdrawn_until_it_was_received(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower, quantity="100")
    one, two = _ship(world, grower, {lot: "40"}), _ship(world, grower, {lot: "10"})
    client = world.client(grower)
    assert client.post(f"/shipments/{one.id}/withdraw", data={"reason": ""}).status_code == 422
    assert client.post(f"/shipments/{one.id}/withdraw", data={"reason": "写错了"}).status_code == 302
    assert _left(world, lot, grower) == 90
    assert "发货方已撤销" in world.client().get(f"/receive/{one.receipt_code}").text
    assert _receive(world, one, ["40"]).status_code == 422
    _receive(world, two, ["10"])
    assert "已经确认收货" in client.post(f"/shipments/{two.id}/withdraw", data={"reason": "写错了"}).text


def test_temperatures_by_hand_and_by_logger(world: World) -> None:
    grower = world.producer()
    shipment = _ship(world, grower, {world.released(grower): "1"}, least_celsius="2", most_celsius="8")
    client = world.client(grower)
    path = f"/shipments/{shipment.id}/temperature"
    assert client.post(path, data={"celsius": "4.5", "at": "2026-11-20T10:00"}).status_code == 302
    assert "超出范围" not in client.get(f"/shipments/{shipment.id}").text
    rows = "时间,温度\n" + "".join(f"2026-11-20 1{n}:00,{9.5 if n in (3, 4) else 5}\n" for n in range(8))
    file = (io.BytesIO(rows.encode("gbk")), "logger.csv")
    assert client.post(path, data={"at": "2026-11-20T10:00", "file": file}).status_code == 302
    page = client.get(f"/shipments/{shipment.id}").text
    assert "温度超出范围" in page
    assert "共 120 分钟" in page
    bad = (io.BytesIO("时间,温度\n昨天,热\n".encode()), "bad.csv")
    answer = client.post(path, data={"at": "2026-11-20T10:00", "file": bad})
    assert answer.status_code == 422
    assert "有问题" in answer.text
    damp = "时间,湿度\n2026-11-20 10:00,60\n2026-11-20 11:00,61\n"
    answer = client.post(path, data={"at": "2026-11-20T10:00", "file": (io.BytesIO(damp.encode()), "damp.csv")})
    assert answer.status_code == 422
    assert "没有温度读数" in answer.text
    assert client.post(path, data={"at": "2026-11-20T10:00"}).status_code == 422


def test_the_delivery_note_carries_the_link_to_confirm(world: World) -> None:
    grower = world.producer()
    shipment = _ship(world, grower, {world.released(grower, lot_number="N-1"): "1"}, note="轻放")
    answer = world.client(grower).get(f"/shipments/{shipment.id}/note.pdf")
    assert answer.mimetype == "application/pdf"
    with pypdfium2.PdfDocument(answer.data) as document:
        import numpy as np

        picture = np.asarray(document[0].render(scale=3).to_pil().convert("L"))
        text = document[0].get_textpage().get_text_range()
    assert [url.rsplit("/", 2)[1:] for url in read_symbols(picture)] == [["receive", shipment.receipt_code]]
    assert "N-1" in text
    assert "轻放" in text
    assert world.client(world.producer()).get(f"/shipments/{shipment.id}/note.pdf").status_code == 404


def test_photos_are_kept_and_what_is_none_is_refused(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower)
    client = world.client(grower)
    data = FORM | {f"q-{lot}": "1"}
    wrong = client.post("/shipments/new", data=data | {"photos": (io.BytesIO(b"no"), "a.jpg")})
    assert wrong.status_code == 422
    assert "不是能打开的照片" in wrong.text
    made = client.post("/shipments/new", data=data | {"photos": (io.BytesIO(photo()), "a.jpg")})
    assert "/media/" in client.get(made.location).text


def test_who_sees_a_shipment(world: World) -> None:
    grower, buyer = world.producer(), world.buyer()
    with world.app.app_context():
        name = db.session.get_one(Organisation, buyer.organisation_id).name
    shipment = _ship(world, grower, {world.released(grower): "1"}, consignee=name, organisation=name)
    path = f"/shipments/{shipment.id}"
    for actor, status in (
        (grower, 200),
        (buyer, 200),
        (world.regulator("530324"), 200),
        (world.regulator("530381"), 404),
        (world.producer(), 404),
    ):
        client = world.client(actor)
        assert client.get(path).status_code == status
        assert (shipment.number in client.get("/shipments").text) is (status == 200)
    assert world.client(buyer).get("/shipments?direction=out").text.count(shipment.number) == 0
    assert shipment.number in world.client(grower).get("/shipments?q=云D12").text


def _orders(rows: list[list[object]]) -> tuple[io.BytesIO, str]:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out)
    sheet = book.add_worksheet("订单")
    head = ["平台 *", "订单号 *", "收货人 *", "电话", "地址", "批次号 *", "数量 *", "发货日期 *", "快递公司", "运单号"]
    for number, row in enumerate([head, *rows]):
        sheet.write_row(number, 0, row)
    book.close()
    out.seek(0)
    return out, "orders.xlsx"


def test_a_shops_order_list_becomes_shipments(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower, quantity="100", lot_number="O-1")
    client = world.client(grower)
    assert client.get("/workbooks/template/orders.xlsx").data.startswith(b"PK")
    good = ["淘宝", "T001", "王某", "13900000000", "昆明市", "O-1", 2, "2026-11-20", "示例快递", "SF0001"]
    rows = [
        good,
        [*good[:1], "T002", *good[2:5], "NO-1", *good[6:]],
        [*good[:1], "T003", *good[2:6], "两", *good[7:]],
        good,
    ]
    looked = client.post("/workbooks", data={"what": "orders", "file": _orders(rows)})
    page = client.get(looked.location).text
    for message in ("没有可以发货的批次“NO-1”", "请填写数字", "与第 2 行重复"):
        assert message in page
    assert client.post(f"{looked.location}/all").status_code == 409
    assert client.post(f"{looked.location}/good").status_code == 302
    assert _left(world, lot, grower) == 98
    listed = client.get("/shipments?q=T001").text
    assert "王某" in listed
    again = client.post("/workbooks", data={"what": "orders", "file": _orders([good])})
    assert "这个订单已经登记过" in client.get(again.location).text


def _hold(world: World, officer: Actor, lot: int) -> None:
    form = {"kind": "hold", "level": "2", "reason": "待查", "advice": "先不要吃"}
    assert world.client(officer).post(f"/batches/{lot}/recall", data=form).status_code == 302


@pytest.mark.parametrize("stopped", ["recalled", "held"])
def test_who_received_a_lot_does_not_send_it_on_once_it_is_stopped(world: World, stopped: str) -> None:
    grower, packer, officer = world.producer(), world.producer(name="姜厂"), world.regulator()
    lot = world.released(grower, quantity="100")
    _ship(world, grower, {lot: "40"}, consignee="姜厂", organisation="姜厂")
    if stopped == "recalled":
        world.recall(officer, lot)
    else:
        _hold(world, officer, lot)
    answer = world.client(packer).post("/shipments/new", data=FORM | {f"q-{lot}": "1"})
    assert answer.status_code == 422
    assert ("已召回" if stopped == "recalled" else "暂停销售") in answer.text
    assert _left(world, lot, packer) == 40


def test_a_void_label_is_not_sent(world: World) -> None:
    baker = world.producer()
    lot = world.released(baker, "ham_mooncake", quantity="100")
    run = world.run(baker, lot, 3)
    client = world.client(baker)
    client.post(f"/labels/{run}/void", data={"first": "2", "last": "2", "reason": "印坏"})
    refused = client.post("/shipments/new", data=FORM | {"codes": world.code(run, 1)})
    assert refused.status_code == 422
    assert "已作废" in refused.text
    assert _left(world, lot, baker) == 100
    _ship(world, baker, {}, codes=world.code(run, 0))
    assert _left(world, lot, baker) == 99


def test_only_who_sent_a_shipment_withdraws_it(world: World) -> None:
    grower, packer = world.producer(), world.producer(name="姜厂")
    lot = world.released(grower, quantity="100")
    shipment = _ship(world, grower, {lot: "40"}, consignee="姜厂", organisation="姜厂")
    path, reason = f"/shipments/{shipment.id}", {"reason": "不要了"}
    assert world.client(packer).get(path).status_code == 200
    assert world.client(packer).post(f"{path}/withdraw", data=reason).status_code == 404
    assert world.client(world.producer()).post(f"{path}/withdraw", data=reason).status_code == 404
    assert _left(world, lot, packer) == 40
    assert world.client(packer).get(f"{path}/note.pdf").status_code == 404


def test_the_labels_of_a_withdrawn_shipment_are_sent_again(world: World) -> None:
    baker = world.producer()
    lot = world.released(baker, "ham_mooncake", quantity="100")
    code = world.code(world.run(baker, lot, 1))
    first = _ship(world, baker, {}, codes=code)
    world.client(baker).post(f"/shipments/{first.id}/withdraw", data={"reason": "写错了"})
    second = _ship(world, baker, {}, codes=code)
    journey = world.client(baker).get(f"/journey?code={code}").text
    assert second.number in journey
    assert first.number not in journey


def test_who_confirmed_what_is_on_record(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower, quantity="100")
    shipment = _ship(world, grower, {lot: "40"})
    _receive(world, shipment, ["39"], note="少一箱")
    with world.app.app_context():
        query = db.select(AuditEvent).filter_by(subject_type="shipments", subject_id=shipment.id)
        events = {event.action: event for event in db.session.scalars(query)}
    assert events["ship"].actor_id == grower.user_id
    said = {"by": "张店长", "note": "少一箱", "lots": {str(lot): "39"}, "refused": False}
    assert events["receive"].facts == said | {"number": shipment.number}


def test_two_losses_at_once_take_no_more_than_there_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    grower = world.producer()
    lot = world.released(grower, quantity="100")
    clients = [world.client(grower) for _ in range(2)]
    must_have = losses.must_have

    def slowly(*facts: Any) -> int:
        # Between the look at what is left and the commit there is time for the other one.
        holder = must_have(*facts)
        time.sleep(0.3)
        return holder

    monkeypatch.setattr(losses, "must_have", slowly)
    data = {"kind": "lost", "quantity": "60", "reason": "霉变"}
    threads = [threading.Thread(target=lambda c=c: c.post(f"/batches/{lot}/lose", data=data)) for c in clients]
    for client in clients:
        client.token()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _left(world, lot, grower) == 40


def test_a_line_that_is_no_code_is_told_beside_its_field_and_the_rest_stays(world: World) -> None:
    grower = world.producer()
    _lot, code = world.labelled(grower, quantity="100")
    answer = world.client(grower).post("/shipments/new", data=FORM | {"codes": f"{code}\nGARBAGE"})
    assert answer.status_code == 422
    assert re.search('id="codes-error">[^<]*GARBAGE', answer.text)
    assert code in answer.text
    assert FORM["vehicle"] in answer.text


def test_two_people_of_one_name_are_two(world: World) -> None:
    grower, officer = world.producer(), world.regulator()
    lot = world.released(grower, quantity="100")
    first = _ship(world, grower, {lot: "1"}, consignee="李伟", phone="13800000001", address="昆明市 1 号", email="")
    second = _ship(world, grower, {lot: "2"}, consignee="李伟", phone="13900000002", address="哈尔滨市 2 号", email="")
    client = world.client(grower)
    for shipment, phone, address in ((first, "13800000001", "昆明市 1 号"), (second, "13900000002", "哈尔滨市 2 号")):
        page = client.get(f"/shipments/{shipment.id}").text
        assert phone in page
        assert address in page
    # By name alone nobody knows which of them is meant.
    asked = client.post("/shipments/new", data=FORM | {"consignee": "李伟", "phone": "", f"q-{lot}": "1"})
    assert asked.status_code == 422
    assert "13800000001、13900000002" in asked.text
    preview = world.client(officer).get(f"/recalls/scope?lots={_number_of(world, lot)}").text
    assert "13800000001" in preview
    assert "13900000002" in preview
    number = world.recall(officer, lot)
    with world.app.app_context():
        recall = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
        tasks.tell_everyone(recall.id)
        phones = tasks.phones_of(tasks.tasks_of(recall))
        called = [(tasks.party_name(task), phones[task.id]) for task in tasks.tasks_of(recall)]
        supplied = [float(one.supplied) for task in tasks.tasks_of(recall) for one in tasks.counted_lots(task)]
    assert {("李伟", "13800000001"), ("李伟", "13900000002")} <= set(called)
    assert sorted(supplied) == [1, 2, 97]


def _number_of(world: World, lot: int) -> str:
    with world.app.app_context():
        return db.session.get_one(Batch, lot).lot_number


def test_a_consignee_that_moves_does_not_change_last_months_shipment(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower, quantity="100")
    before = _ship(world, grower, {lot: "1"}, address="麒麟区 6 号")
    after = _ship(world, grower, {lot: "1"}, address="沾益区 9 号", division_code="530303", phone="")
    client = world.client(grower)
    old, new = (client.get(f"/shipments/{shipment.id}").text for shipment in (before, after))
    assert "麒麟区 6 号" in old
    assert "沾益区 9 号" not in old
    assert "沾益区 9 号" in new
    assert FORM["phone"] in new
    note = client.get(f"/shipments/{before.id}/note.pdf").data
    with pypdfium2.PdfDocument(note) as document:
        assert "麒麟区 6 号" in document[0].get_textpage().get_text_range()
    assert [_division(world, shipment) for shipment in (before, after)] == ["530302", "530303"]


def _division(world: World, shipment: Shipment) -> str | None:
    with world.app.app_context():
        return db.session.get_one(Shipment, shipment.id).consignee_division_code


def test_a_buyer_that_renames_itself_keeps_its_goods(world: World) -> None:
    grower, packer = world.producer(), world.producer(name="姜厂")
    lot = world.released(grower, quantity="100")
    first = _ship(world, grower, {lot: "3"}, consignee="姜厂", organisation="姜厂")
    with world.app.app_context():
        code = db.session.get_one(Organisation, packer.organisation_id).credit_code
    form = {"name": "新姜厂", "division_code": "530324102", "credit_code": code}
    path = f"/admin/organisations/{packer.organisation_id}/edit"
    assert world.client(world.administrator()).post(path, data=form).status_code == 302
    second = _ship(world, grower, {lot: "2"}, consignee="姜厂")
    listed = world.client(packer).get("/shipments?direction=in").text
    assert first.number in listed
    assert second.number in listed
    assert _left(world, lot, packer) == 5


def test_an_organisation_of_a_consumers_name_sees_nothing(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower, quantity="100")
    before = _ship(world, grower, {lot: "1"}, consignee="王芳", phone="13800000003")
    stranger = world.producer(name="王芳")
    after = _ship(world, grower, {lot: "1"}, consignee="王芳", phone="13800000003")
    client = world.client(stranger)
    for shipment in (before, after):
        assert client.get(f"/shipments/{shipment.id}").status_code == 404
        assert shipment.number not in client.get("/shipments").text
    assert "不是您的" in client.post("/shipments/new", data=FORM | {f"q-{lot}": "1"}).text


def test_a_consignee_is_linked_by_name_or_credit_code_and_from_then_on(world: World) -> None:
    grower, packer = world.producer(), world.producer(name="姜厂")
    with world.app.app_context():
        code = db.session.get_one(Organisation, packer.organisation_id).credit_code or ""
    lot = world.released(grower, quantity="100")
    client = world.client(grower)
    wrong = client.post("/shipments/new", data=FORM | {"organisation": "没有这家", f"q-{lot}": "1"})
    assert wrong.status_code == 422
    assert "本平台上没有“没有这家”" in wrong.text
    before = _ship(world, grower, {lot: "1"})
    linked = _ship(world, grower, {lot: "1"}, organisation=code.lower())
    after = _ship(world, grower, {lot: "1"})
    statuses = [world.client(packer).get(f"/shipments/{one.id}").status_code for one in (before, linked, after)]
    assert statuses == [404, 200, 200]
    assert "在本平台" in client.get(f"/shipments/{after.id}").text
