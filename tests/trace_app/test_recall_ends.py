"""When a recall is over: completed or withdrawn, and what stays of it."""

import io
import re
from html import unescape

import pypdfium2
import pytest
import sqlalchemy as sa

from tests.trace_app.test_recall_cases import NOTICE, _issue, _state
from tests.world import Actor, World, pdf, photo
from trace_app.batches.models import Batch
from trace_app.clock import today
from trace_app.extensions import db
from trace_app.flow.shipments.models import LotLoss, Shipment
from trace_app.labels.models import PrintJob
from trace_app.recall_tasks import service as tasks
from trace_app.recall_tasks.progress import progress_of
from trace_app.recalls import published
from trace_app.recalls.models import Recall


def _token(world: World, number: str, party: str) -> str:
    with world.app.app_context():
        recall = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
        return next(task.token for task in tasks.tasks_of(recall) if tasks.party_name(task) == party)


def _secured(world: World, number: str) -> float | None:
    with world.app.app_context():
        return progress_of(db.session.scalars(db.select(Recall).filter_by(number=number)).one()).secured


def _ends(world: World, officer: Actor, number: str, how: str) -> None:
    client = world.client(officer)
    page = client.get(f"/recalls/{number}/{how}")
    assert page.status_code == 200
    assert client.post(f"/recalls/{number}/{how}", data={"note": " "}).status_code == 422
    answer = client.post(f"/recalls/{number}/{how}", data={"note": "已经查清", "why_open": "来不及等"})
    assert answer.status_code == 302, answer.text
    if how == "complete":
        _approves(world, world.regulator("530300"), number)


def _waiting(world: World, number: str) -> int:
    with world.app.app_context():
        return db.session.scalars(db.select(Recall).filter_by(number=number)).one().proposals[-1].id


def _approves(world: World, officer: Actor, number: str) -> None:
    answer = world.client(officer).post(f"/recalls/{number}/proposals/{_waiting(world, number)}/approve")
    assert answer.status_code == 302, answer.text


def test_a_completed_recall_stops_its_lots_for_ever(world: World) -> None:
    grower, officer = world.producer(), world.regulator()
    lot = world.released(grower, lot_number="DONE-1", quantity="100")
    run = world.run(grower, lot, 3)
    code, consumer = world.code(run), world.client()
    other = world.batch(grower, lot_number="NEXT-1")
    number = _issue(world, officer, lot)
    _ends(world, officer, number, "complete")
    assert _state(world, lot) == "recalled"
    page = consumer.get(f"/{code}").text
    assert "已召回，请勿食用" in page
    assert "未被召回" not in page
    assert f"{today():%Y-%m-%d}" in page
    assert "Recalled. Do not eat it" in world.client(language="en").get(f"/{code}").text
    client = world.client(grower)
    assert "已召回" in client.get(f"/batches/{lot}/labels").text
    ship = {"consignee": "超市", "departed_at": "2026-11-20T08:30", f"q-{lot}": "1"}
    source = {"source_id": str(lot), "quantity": "1", "happened_on": "2026-11-20"}
    for path, data in (
        (f"/batches/{lot}/labels", {"layout": "roll-60x40", "count": "1", "format": "pdf", "level": "item"}),
        (f"/batches/{lot}/close", {}),
        ("/shipments/new", ship),
        (f"/batches/{other}/genealogy", source),
        (f"/batches/{lot}/commitments", {"quantity": "8600", "bases": "own_control"}),
        (f"/batches/{lot}/lose", {"kind": "lost", "quantity": "1", "reason": "干耗"}),
    ):
        said = client.post(path, data=data, follow_redirects=True).text
        assert "已召回" in said, path
    with world.app.app_context():
        assert db.session.scalar(db.select(db.func.count(Shipment.id))) == 0
        assert db.session.scalar(db.select(db.func.count(LotLoss.id))) == 0
        batch = db.session.get_one(Batch, lot)
        assert [row.number for row in published.recalls_on(batch, today())] == [number]
    assert "已召回，请勿食用" in consumer.get("/recalls/check?lot=DONE-1").text
    notice = consumer.get(f"/recalls/{number}").text
    assert "完成。召回的产品不再上市" in notice
    assert number in consumer.get("/recalls?state=completed").text
    assert number not in consumer.get("/recalls?state=withdrawn").text
    assert "已完成" in consumer.get("/recalls.atom").text
    assert consumer.get("/recalls.json").json["results"][0]["status"] == "Completed"
    assert consumer.get("/api/v1/recalls").json["items"][0]["status"] == "completed"
    assert consumer.get(f"/api/v1/trace/{code}").json["state"] == "recalled"
    again = world.client(officer).post(f"/recalls/{number}/withdraw", data={"note": "想反悔"})
    assert again.status_code == 422
    assert "想反悔" in again.text


def test_a_withdrawn_recall_lets_its_lots_go_and_says_that_it_was_wrong(world: World) -> None:
    grower, officer = world.producer(), world.regulator()
    lot, code = world.labelled(grower)
    number = _issue(world, officer, lot)
    _ends(world, officer, number, "withdraw")
    # The sheet on the shop's wall would go on telling people not to eat it.
    assert world.client().get(f"/recalls/{number}/poster.pdf").status_code == 404
    for page in (f"/recalls/{number}", f"/recalls/{number}/manage"):
        assert "poster.pdf" not in world.client(officer).get(page).text
    assert _state(world, lot) == "released"
    consumer = world.client()
    page = consumer.get(f"/{code}").text
    assert "未被召回" in page
    assert "该召回有误，已撤销" in page
    assert number in page
    assert "the recall was wrong" in world.client(language="en").get(f"/{code}").text
    notice = consumer.get(f"/recalls/{number}").text
    assert "撤销：召回有误" in notice
    assert "请您这样做" not in notice
    assert "已经查清" in notice
    assert consumer.get("/recalls.json").json["results"][0]["status"] == "Withdrawn"
    assert consumer.get("/api/v1/recalls").json["items"][0]["notices"][-1]["type"] == "withdraw"
    assert "已撤销" in consumer.get("/recalls.atom").text


@pytest.mark.parametrize("first", ["hold", "recall"])
def test_a_lot_under_hold_and_recall_is_free_when_both_are_gone(world: World, first: str) -> None:
    officer, lot = world.regulator(), world.released(world.producer())
    client = world.client(officer)
    held = _issue(world, officer, lot, kind="hold")
    recalled = _issue(world, officer, lot)
    ends = {"hold": f"/recalls/{held}/end", "recall": f"/recalls/{recalled}/withdraw"}
    assert client.post(ends.pop(first), data={"note": "查清"}).status_code == 302
    assert _state(world, lot) == {"hold": "recalled", "recall": "held"}[first]
    assert client.post(ends.popitem()[1], data={"note": "查清"}).status_code == 302
    assert _state(world, lot) == "released"


def test_a_lot_goes_on_being_stopped_by_a_completed_recall_when_its_hold_is_lifted(world: World) -> None:
    officer, lot = world.regulator(), world.released(world.producer())
    held, recalled = _issue(world, officer, lot, kind="hold"), _issue(world, officer, lot)
    _ends(world, officer, recalled, "complete")
    assert world.client(officer).post(f"/recalls/{held}/end", data={"note": "查清"}).status_code == 302
    assert _state(world, lot) == "recalled"


@pytest.mark.parametrize(
    ("kind", "status"), [("hold", "completed"), ("hold", "ended"), ("drill", "withdrawn"), ("recall", "lifted")]
)
def test_the_database_keeps_the_ends_of_each_kind_apart(world: World, kind: str, status: str) -> None:
    _issue(world, world.regulator(), world.released(world.producer()))
    with pytest.raises(sa.exc.IntegrityError), world.writing():
        db.session.execute(
            sa.text("UPDATE recalls SET kind = :kind, status = :status, ended_at = issued_at"),
            {"kind": kind, "status": status},
        )


def test_a_producer_corrects_its_own_recall_in_wording_and_upward_alone(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower)
    number = _issue(world, grower, lot)
    client = world.client(grower)
    lower = client.post(f"/recalls/{number}/correct", data=NOTICE | {"level": "3", "note": "改低"})
    assert lower.status_code == 422
    assert "降低级别" in lower.text
    words = client.post(
        f"/recalls/{number}/correct", data=NOTICE | {"reason": "镉 0.2", "reason_en": "", "note": "写清"}
    )
    assert words.status_code == 302
    with world.app.app_context():
        recall = db.session.scalars(db.select(Recall)).one()
        assert (recall.level, recall.reason) == (2, "镉 0.2")


class TestWhatIsCounted:
    """What a party has to answer for is what it had when the recall reached it."""

    def test_a_stopped_lot_is_not_written_off(self, world: World) -> None:
        grower, officer = world.producer(), world.regulator()
        for kind in ("hold", ""):
            lot = world.released(grower, quantity="100")
            client = world.client(grower)
            assert "记损耗" in client.get(f"/batches/{lot}/genealogy").text
            _issue(world, officer, lot, kind=kind)
            lost = {"kind": "lost", "quantity": "10", "reason": "干耗"}
            page = client.post(f"/batches/{lot}/lose", data=lost).text
            assert "此操作" in page
            assert f'action="/batches/{lot}/lose"' not in page
        with world.app.app_context():
            assert db.session.scalar(db.select(db.func.count(LotLoss.id))) == 0

    def test_the_quantity_stays_whatever_becomes_of_the_goods(self, world: World) -> None:
        grower, officer = world.producer(name="姜社"), world.regulator()
        lot = world.released(grower, quantity="100", lot_number="Q-1")
        number = _issue(world, officer, lot)
        path = f"/recall-tasks/{_token(world, number, '姜社')}/report"
        assert world.client(grower).post(path, data={"name": "张", f"sealed-{lot}": "50"}).status_code == 302
        assert _secured(world, number) == 50
        with world.writing():
            db.session.add(
                LotLoss(
                    batch_id=lot,
                    holder_id=grower.organisation_id,
                    quantity=40,
                    reason="干耗",
                    created_by_id=grower.user_id,
                )
            )
        assert _secured(world, number) == 50
        report = {"name": "张", f"destroyed-{lot}": "100", "photos": (io.BytesIO(photo()), "a.jpg")}
        assert world.client(grower).post(path, data=report).status_code == 302
        assert _secured(world, number) == 100

    def test_nobody_changes_what_was_counted(self, world: World) -> None:
        _issue(world, world.regulator(), world.released(world.producer()))
        for statement in ("UPDATE recall_task_lots SET supplied = 1", "DELETE FROM recall_task_lots"):
            with pytest.raises(sa.exc.IntegrityError), world.writing():
                db.session.execute(sa.text(statement))

    def test_what_was_reported_on_a_lot_that_is_left_out_stays_in_the_report(self, world: World) -> None:
        grower, officer = world.producer(name="姜社"), world.regulator()
        lots = [world.released(grower, quantity="100", lot_number=f"OUT-{n}") for n in range(2)]
        client = world.client(officer)
        number = client.post("/recalls/scope", data=NOTICE | {"lots": "OUT-0 OUT-1", "count": "2"}).location.split("/")[
            2
        ]
        report = {"name": "张", f"sealed-{lots[0]}": "71", f"sealed-{lots[1]}": "100"}
        photos = {"photos": (io.BytesIO(photo()), "seal.jpg")}
        path = f"/recall-tasks/{_token(world, number, '姜社')}/report"
        assert world.client().post(path, data=report | photos).status_code == 302
        assert client.post(f"/recalls/{number}/narrow", data={"out": str(lots[0]), "note": "误入"}).status_code == 302
        assert _secured(world, number) == 100
        page = client.get(f"/recalls/{number}/manage").text
        assert "已排除" in page
        assert ">71<" in page
        with pypdfium2.PdfDocument(client.get(f"/recalls/{number}/report.pdf").data) as document:
            text = "".join(page.get_textpage().get_text_range() for page in document)
        assert "OUT-0" in text
        assert "71" in text


def test_goods_do_not_come_before_they_left(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower, quantity="100")
    sent = {"consignee": "超市", "departed_at": "2026-11-20T08:30", f"q-{lot}": "40"}
    assert world.client(grower).post("/shipments/new", data=sent).status_code == 302
    with world.app.app_context():
        shipment = db.session.scalars(db.select(Shipment)).one()
        path, line = f"/receive/{shipment.receipt_code}", shipment.lines[0].id
    came = {f"q-{line}": "40", "received_by": "李收货"}
    early = world.client().post(path, data=came | {"received_at": "2026-11-20T08:29"})
    assert early.status_code == 422
    assert "收到时间不能早于它" in early.text
    assert "received_at-error" in early.text
    assert "李收货" in early.text
    assert world.client().post(path, data=came | {"received_at": "2026-11-20T08:30"}).status_code == 302


def test_who_reports_destruction_shows_it(world: World) -> None:
    grower, officer = world.producer(name="姜社"), world.regulator()
    lot = world.released(grower, quantity="100", lot_number="D-1")
    number = _issue(world, officer, lot)
    path = f"/recall-tasks/{_token(world, number, '姜社')}/report"
    shop = world.client()
    report = {"name": "张三", "note": "深埋", f"destroyed-{lot}": "60", f"sealed-{lot}": "40"}
    bare = shop.post(path, data=report)
    assert bare.status_code == 422
    field = bare.text[bare.text.index('name="photos"') :]
    assert "报告销毁的，请附上照片" in field[field.index('<p class="error">') :][:60]
    assert all(typed in bare.text for typed in ("深埋", "张三", 'value="60"', 'value="40"'))
    assert _secured(world, number) == 0
    assert shop.post(path, data=report | {f"destroyed-{lot}": "0"}).status_code == 302
    assert shop.post(path, data=report | {"photos": (io.BytesIO(photo()), "a.jpg")}).status_code == 302
    # What was shown once counts for what is reported later.
    assert shop.post(path, data=report | {f"destroyed-{lot}": "100", f"sealed-{lot}": "0"}).status_code == 302


def test_a_document_shows_destruction_as_well_as_a_photo(world: World) -> None:
    grower, officer = world.producer(name="姜社"), world.regulator()
    lot = world.released(grower, quantity="100", lot_number="D-2")
    number = _issue(world, officer, lot)
    path = f"/recall-tasks/{_token(world, number, '姜社')}/report"
    report = {"name": "张三", f"destroyed-{lot}": "100"}
    shop = world.client()
    wrong = shop.post(path, data=report | {"pdf": (io.BytesIO(b"no paper"), "单.pdf")})
    assert wrong.status_code == 422
    assert "不是能打开的 PDF" in wrong.text
    assert 'value="100"' in wrong.text
    assert shop.post(path, data=report | {"pdf": (io.BytesIO(pdf()), "处理单.pdf")}).status_code == 302
    client = world.client(officer)
    assert "处理单.pdf" in client.get(f"/recalls/{number}/manage").text
    ending = client.get(f"/recalls/{number}/complete").text
    assert "姜社" not in ending[ending.index("没有证据</dt>") : ending.index("</dl>", ending.index("没有证据</dt>"))]
    link = re.search(r'href="(/media/[0-9a-f]{32}\.pdf)"', client.get(f"/recalls/{number}/manage").text)
    assert link
    assert client.get(link[1]).data.startswith(b"%PDF-")


def test_plan_closing_report_and_conclusion_are_part_of_the_case(world: World) -> None:
    grower, officer = world.producer(name="姜社"), world.regulator()
    lot = world.released(grower, quantity="100", lot_number="F-1")
    number = _issue(world, officer, lot)
    page, client = f"/recall-tasks/{_token(world, number, '姜社')}", world.client(officer)
    assert "交计划或报告" in world.client().get(page).text
    empty = world.client().post(f"{page}/filings", data={"kind": "plan", "name": "张三", "text": " "})
    assert empty.status_code == 422
    assert "请写明内容" in empty.text
    assert 'value="张三"' in empty.text
    assert (
        world.client().post(f"{page}/filings", data={"kind": "conclusion", "name": "张三", "text": "好"}).status_code
        == 422
    )
    plan = {"kind": "plan", "name": "张三", "text": "三天内收回\n逐店核对"}
    assert world.client().post(f"{page}/filings", data=plan).status_code == 302
    closing = {"kind": "closing_report", "name": "张三", "pdf": (io.BytesIO(pdf()), "总结.pdf")}
    assert world.client().post(f"{page}/filings", data=closing).status_code == 302
    seen = client.get(f"/recalls/{number}/manage").text
    assert all(text in seen for text in ("三天内收回", "总结.pdf", "召回总结报告"))
    assert "请写明内容" in client.post(f"/recalls/{number}/conclusion", data={"text": ""}).text
    assert client.post(f"/recalls/{number}/conclusion", data={"text": "计划可行，召回彻底"}).status_code == 302
    assert "召回彻底" in world.client().get(page).text
    read = pypdfium2.PdfDocument(client.get(f"/recalls/{number}/report.pdf").data)
    text = "".join(sheet.get_textpage().get_text_range() for sheet in read).replace("\r\n", "")
    assert all(word in text for word in ("三天内收回", "总结.pdf", "召回彻底"))
    # Papers stay as they were handed in, also by SQL.
    with pytest.raises(sa.exc.IntegrityError), world.writing():
        db.session.execute(sa.text("UPDATE recall_filings SET text = 'x'"))


def test_another_countys_officer_writes_no_conclusion(world: World) -> None:
    lot = world.released(world.producer())
    number = _issue(world, world.regulator(), lot)
    other = world.client(world.regulator("530381"))
    assert other.post(f"/recalls/{number}/conclusion", data={"text": "好"}).status_code == 404


def test_the_feed_names_the_lots_that_are_out_until_they_come_in_again(world: World) -> None:
    grower, client = world.producer(), world.client(world.regulator())
    lots = [world.released(grower, lot_number=f"A-{n}") for n in range(3)]
    number = client.post("/recalls/scope", data=NOTICE | {"lots": "A-0 A-1 A-2", "count": "3"}).location.split("/")[2]
    assert "已排除" not in world.client().get("/recalls.atom").text
    out = {"out": [str(lots[0]), str(lots[1])], "note": "误入"}
    assert client.post(f"/recalls/{number}/narrow", data=out).status_code == 302
    assert "已排除，不在召回之内：A-0、A-1" in world.client().get("/recalls.atom").text
    again = {"extends": number, "lots": "A-0", "count": "1", "note": "还是"}
    assert client.post("/recalls/scope", data=again).status_code == 302
    assert "已排除，不在召回之内：A-1<" in world.client().get("/recalls.atom").text


def test_a_narrowing_names_the_lots_that_are_out(world: World) -> None:
    grower, client = world.producer(), world.client(world.regulator())
    lots = [world.released(grower, lot_number=f"N-{n}") for n in range(3)]
    number = client.post("/recalls/scope", data=NOTICE | {"lots": "N-0 N-1 N-2", "count": "3"}).location.split("/")[2]
    out = {"out": [str(lots[0]), str(lots[1])], "note": "误入"}
    assert client.post(f"/recalls/{number}/narrow", data=out).status_code == 302
    consumer = world.client()
    assert "N-0、N-1" in consumer.get(f"/recalls/{number}").text
    notices = consumer.get("/recalls.json").json["results"][0]["notices"]
    assert [notice["lots_taken_out"] for notice in notices] == [[], ["N-0", "N-1"]]
    with pypdfium2.PdfDocument(consumer.get(f"/recalls/{number}/2.pdf").data) as document:
        text = "".join(page.get_textpage().get_text_range() for page in document)
    assert "排除的批次" in text
    assert "N-0" in text


def test_a_stopped_lots_pages_do_not_offer_what_would_be_refused(world: World) -> None:
    grower, officer = world.producer(), world.regulator()
    lot, other = world.released(grower, lot_number="STOP-1"), world.batch(grower, lot_number="NEXT-1")
    run = world.run(grower, lot, 2)
    world.files(grower, run)
    client = world.client(grower)
    assert "可下载" in client.get(f"/batches/{lot}/labels").text
    assert "STOP-1" in client.get(f"/batches/{other}/genealogy").text
    assert "bases" in client.get(f"/batches/{lot}/commitments").text
    assert client.get(f"/batches/{lot}/correct").status_code == 200
    with world.app.app_context():
        job = db.session.scalars(db.select(PrintJob.id).filter_by(run_id=run)).one()
    _issue(world, officer, lot)
    assert "可下载" not in client.get(f"/batches/{lot}/labels").text
    assert "STOP-1" not in client.get(f"/batches/{other}/genealogy").text
    assert "bases" not in client.get(f"/batches/{lot}/commitments").text
    for path in (f"/batches/{lot}/correct", f"/labels/jobs/{job}/1"):
        refused = client.get(path)
        assert refused.status_code == 409
        assert "批次 STOP-1 已召回，此操作已停用" in refused.text
        assert "出了点问题" not in refused.text


@pytest.mark.parametrize("by_scope", [True, False])
def test_a_hold_becomes_a_recall_with_its_lots_and_reason(world: World, by_scope: bool) -> None:
    grower, officer = world.producer(), world.regulator()
    lot = world.released(grower, lot_number="BE-1")
    client = world.client(officer)
    hold = NOTICE | {"kind": "hold", "reason": "抽检待结果"}
    if by_scope:
        answer = client.post("/recalls/scope", data=hold | {"lots": "BE-1", "count": "1"})
        number = answer.location.split("/")[2]
    else:
        number = _issue(world, officer, lot, **hold)
    page = client.get(f"/recalls/{number}/manage").text
    link = unescape(re.findall(r'href="(/recalls/scope\?[^"]*hold=[^"]*)"', page)[0])
    form = client.get(link).text
    assert "抽检待结果" in form
    assert "BE-1" in form
    data = NOTICE | {"lots": "BE-1", "count": "1", "reason": "抽检不合格"}
    assert client.post("/recalls/scope", data=data).status_code == 302
    assert client.post(f"/recalls/{number}/end", data={"note": "已改为召回"}).status_code == 302
    assert _state(world, lot) == "recalled"
    assert f"hold={number}" not in client.get(f"/recalls/{number}/manage").text
