"""A recall from its approval to its end: notices, holds, voluntary recalls, drills, follow-up, feeds and papers."""

import io
import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from xml.etree import ElementTree

import pypdfium2
import pytest

from qr.reading import read_symbols
from tests.trace_app.test_slips import own_password, slip_in
from tests.world import PASSWORD, Actor, World, photo
from trace_app.accounts.models import Organisation
from trace_app.batches.models import Batch
from trace_app.db.append_only import lifted
from trace_app.extensions import db
from trace_app.messages.models import Delivery
from trace_app.recall_tasks import service as tasks
from trace_app.recall_tasks.models import RecallTask
from trace_app.recall_tasks.progress import progress_of
from trace_app.recalls import clocks, published
from trace_app.recalls.models import Recall, RecallExclusion, RecallMember, RecallNotice

NOTICE = {
    "level": "2",
    "reason": "镉超标",
    "advice": "停止食用，退货",
    "reason_en": "Cadmium",
    "advice_en": "Do not eat",
}


def _issue(world: World, actor: Actor, lot: int, **values: str) -> str:
    answer = world.client(actor).post(f"/batches/{lot}/recall", data=NOTICE | values)
    assert answer.status_code == 302, answer.text
    return answer.location.split("/")[2]


def _state(world: World, lot: int) -> str:
    with world.app.app_context():
        return db.session.get_one(Batch, lot).state


def _turn(world: World, officer: Actor, second: Actor, number: str, turning: str, **values: str) -> None:
    """What one officer proposes and a second one approves."""
    assert world.client(officer).post(f"/recalls/{number}/{turning}", data=values).status_code == 302
    with world.app.app_context():
        recall = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
        waits = recall.proposals[-1].id
    assert world.client(second).post(f"/recalls/{number}/proposals/{waits}/approve").status_code == 302


def _send(world: World, actor: Actor, lot: int, amount: str, to: str, **values: str) -> None:
    data = {"consignee": to, "departed_at": "2026-11-20T08:30", f"q-{lot}": amount, "email": f"{len(to)}@example.org"}
    assert world.client(actor).post("/shipments/new", data=data | values).status_code == 302


def _tasks(world: World, number: str) -> dict[str, str]:
    """Tokens by party."""
    with world.app.app_context():
        recall = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
        return {tasks.party_name(task): task.token for task in tasks.tasks_of(recall)}


class TestLevelOne:
    def test_it_holds_at_once_and_comes_into_force_by_a_second_officer(self, world: World) -> None:
        lot, code = world.labelled(world.producer())
        officer, above = world.regulator(), world.regulator("530300")
        number = _issue(world, officer, lot, level="1")
        assert _state(world, lot) == "held"
        page = world.client().get(f"/{code}").text
        assert "暂停销售，等待核查" in page
        assert "镉超标" not in page
        assert world.client().get(f"/recalls/{number}").status_code == 404
        assert number not in world.client().get("/recalls").text
        mine = world.client(officer)
        assert "须由另一位监管人员批准" in mine.get(f"/recalls/{number}/manage").text
        assert mine.post(f"/recalls/{number}/approve").status_code == 422
        assert world.client(world.regulator("530381")).post(f"/recalls/{number}/approve").status_code == 404
        assert "等待批准" in world.client(above).get("/desk").text
        assert world.client(above).post(f"/recalls/{number}/approve").status_code == 302
        assert _state(world, lot) == "recalled"
        assert "正在召回，请勿食用" in world.client().get(f"/{code}").text
        assert world.client().get(f"/recalls/{number}").status_code == 200
        again = world.client(above).post(f"/recalls/{number}/approve")
        assert again.status_code == 422
        assert "批准，召回已经生效" in again.text
        assert "等待批准。" not in again.text

    @pytest.mark.parametrize("deed", ["create", "activate", "reset"])
    def test_the_second_officers_account_is_not_the_issuers_own_work(self, world: World, deed: str) -> None:
        lot = world.released(world.producer())
        issuer, puppet, above = world.administrator("530324"), world.regulator(), world.regulator("530300")
        client = world.client(issuer)
        if deed == "create":
            made = {"username": "puppet", "full_name": "某人", "email": "p@example.org", "role": "regulator"}
            place = f"/admin/organisations/{puppet.organisation_id}/users/new"
            own_password(world, slip_in(client.post(place, data=made)), PASSWORD)
            puppet = replace(puppet, username="puppet")
        elif deed == "activate":
            for active in ("0", "1"):
                client.post(f"/admin/users/{puppet.user_id}/active", data={"active": active})
        else:
            own_password(world, slip_in(client.post(f"/admin/users/{puppet.user_id}/reset")), PASSWORD)
        number = _issue(world, issuer, lot, level="1")
        answer = world.client(puppet).post(f"/recalls/{number}/approve")
        assert answer.status_code == 422
        assert "一方建立、启用过另一方的账号" in answer.text
        assert _state(world, lot) == "held"
        assert world.client(above).post(f"/recalls/{number}/approve").status_code == 302

    def test_who_administers_accounts_decides_with_nobody_whom_it_administers(self, world: World) -> None:
        lot, other = world.released(world.producer()), world.released(world.producer())
        administrator, officer, city = world.administrator(), world.regulator(), world.regulator("530300")
        number = _issue(world, officer, lot, level="1")
        refused = world.client(administrator).post(f"/recalls/{number}/approve")
        assert refused.status_code == 422
        assert "管理另一方单位账号" in refused.text
        assert 'class="button red">批准' not in refused.text
        assert world.client(city).post(f"/recalls/{number}/approve").status_code == 302
        # What it issues itself could be approved by nobody: so it says so at once, and nothing waits for ever.
        alone = world.client(administrator).post(f"/batches/{other}/recall", data=NOTICE | {"level": "1"})
        assert alone.status_code == 422
        assert "没有能批准这次一级召回的第二位监管人员" in alone.text
        assert _state(world, other) == "released"

    def test_it_is_refused_with_a_reason_and_the_lots_are_free(self, world: World) -> None:
        lot = world.released(world.producer())
        number = _issue(world, world.regulator(), lot, level="1")
        above = world.client(world.regulator("530300"))
        assert above.post(f"/recalls/{number}/reject", data={"note": ""}).status_code == 422
        assert above.post(f"/recalls/{number}/reject", data={"note": "证据不足"}).status_code == 302
        assert _state(world, lot) == "released"
        assert "证据不足" in above.get(f"/recalls/{number}/manage").text
        assert world.client().get(f"/recalls/{number}").status_code == 404

    def test_it_goes_over_a_lighter_one_and_the_lighter_one_stands_when_it_ends(self, world: World) -> None:
        lot, code = world.labelled(world.producer())
        officer, above = world.regulator(), world.regulator("530300")
        _issue(world, officer, lot, level="3", reason="标签有误")
        number = _issue(world, officer, lot, level="1", reason="致病菌")
        world.client(above).post(f"/recalls/{number}/approve")
        page = world.client().get(f"/{code}").text
        assert "一级召回" in page
        assert "致病菌" in page
        _turn(world, officer, above, number, "withdraw", note="误报")
        page = world.client().get(f"/{code}").text
        assert "三级召回" in page
        assert "标签有误" in page
        again = world.client(officer).post(f"/batches/{lot}/recall", data=NOTICE | {"level": "3"})
        assert "已召回或暂停销售" in again.text


class TestNotices:
    def test_each_change_is_a_notice_of_its_own_and_nothing_is_overwritten(self, world: World) -> None:
        grower, officer = world.producer(), world.regulator()
        lots = [world.released(grower, lot_number=f"C-{n}") for n in range(3)]
        client = world.client(officer)
        data = NOTICE | {"lots": "C-0 C-1", "count": "2"}
        number = client.post("/recalls/scope", data=data).location.split("/")[2]
        more = {"extends": number, "lots": "C-1 C-2", "note": "又查出一批"}
        assert "范围内现在有 2 批" in client.post("/recalls/scope", data=more | {"count": "1"}).text
        assert client.post("/recalls/scope", data=more | {"count": "2"}).status_code == 302
        fixed = NOTICE | {"level": "3", "reason": "镉 0.21 mg/kg", "reason_en": "", "note": "复检结果"}
        _turn(world, officer, world.regulator("530300"), number, "correct", **fixed)
        assert (
            client.post(f"/recalls/{number}/narrow", data={"out": str(lots[0]), "note": "复检合格"}).status_code == 302
        )
        assert [_state(world, lot) for lot in lots] == ["released", "recalled", "recalled"]
        with world.app.app_context():
            recall = db.session.scalars(db.select(Recall)).one()
            rows = [(n.number, n.type.value, n.level, n.lot_count, n.reason) for n in recall.notices]
            assert rows == [
                (number, "issue", 2, 2, "镉超标"),
                (f"{number}-2", "extend", 2, 3, "镉超标"),
                (f"{number}-3", "correct", 3, 3, "镉 0.21 mg/kg"),
                (f"{number}-4", "narrow", 3, 2, "镉 0.21 mg/kg"),
            ]
        page = world.client().get(f"/recalls/{number}").text
        assert all(text in page for text in (f"{number}-4", "复检合格", "又查出一批", "C-2"))
        assert client.post(f"/recalls/{number}/withdraw", data={"note": "复检合格"}).status_code == 302
        assert {_state(world, lot) for lot in lots} == {"released"}
        assert "撤销：召回有误" in world.client().get(f"/recalls/{number}").text
        assert client.post(f"/recalls/{number}/withdraw", data={"note": "再撤"}).status_code == 422
        # What was taken out comes in again.
        again = client.post("/recalls/scope", data=NOTICE | {"lots": "C-0", "count": "1"})
        assert again.status_code == 302

    def test_a_lot_that_was_taken_out_can_be_taken_in_again(self, world: World) -> None:
        grower, client = world.producer(), world.client(world.regulator())
        lots = [world.released(grower, lot_number=f"C-{n}") for n in range(2)]
        number = client.post("/recalls/scope", data=NOTICE | {"lots": "C-0 C-1", "count": "2"}).location.split("/")[2]
        client.post(f"/recalls/{number}/narrow", data={"out": str(lots[0]), "note": "复检合格"})
        more = {"extends": number, "lots": "C-0", "note": "复检有误", "count": "1"}
        assert client.post("/recalls/scope", data=more).status_code == 302
        assert _state(world, lots[0]) == "recalled"

    def test_each_time_that_a_lot_came_in_and_went_out_stays_with_its_reason(self, world: World) -> None:
        grower, client = world.producer(), world.client(world.regulator())
        lots = [world.released(grower, lot_number=f"C-{n}") for n in range(2)]
        number = client.post("/recalls/scope", data=NOTICE | {"lots": "C-0 C-1", "count": "2"}).location.split("/")[2]
        more = {"extends": number, "lots": "C-0", "note": "复检有误", "count": "1"}
        for reason in ("检测合格，第一次", "第二次理由"):
            out = {"out": str(lots[0]), f"why-{lots[0]}": reason, "note": reason}
            assert client.post(f"/recalls/{number}/narrow", data=out).status_code == 302
            assert client.post("/recalls/scope", data=more).status_code == 302
        with world.app.app_context():
            members = db.select(RecallMember).filter_by(batch_id=lots[0]).order_by(RecallMember.added_in)
            ways = [(row.added_in, row.removed_in) for row in db.session.scalars(members)]
            out_of = [(row.left_out_in, row.reason) for row in db.session.scalars(db.select(RecallExclusion))]
        assert ways == [(1, 2), (3, 4), (5, None)]
        assert out_of == [(2, "检测合格，第一次"), (4, "第二次理由")]
        page = client.get(f"/recalls/{number}/manage").text
        assert "检测合格，第一次" in page
        assert "第 4 号公告" in page
        public = world.client().get(f"/recalls/{number}").text
        assert public.count("C-0，共") == public.count("C-1，共") == 1

    def test_whether_a_lot_was_recalled_on_a_day(self, world: World) -> None:
        grower, officer = world.producer(), world.regulator()
        client = world.client(officer)
        lots = [world.released(grower, lot_number=f"C-{n}") for n in range(2)]
        number = client.post("/recalls/scope", data=NOTICE | {"lots": "C-0 C-1", "count": "2"}).location.split("/")[2]
        client.post(f"/recalls/{number}/narrow", data={"out": str(lots[0]), "note": "复检合格"})
        client.post("/recalls/scope", data={"extends": number, "lots": "C-0", "note": "有误", "count": "1"})
        client.post(f"/recalls/{number}/withdraw", data={"note": "误报"})
        _issue(world, officer, lots[1], kind="hold")
        # As if a week had gone by between one notice and the next: in on 1 May, out on 8, in again on 15, over on 22.
        with world.writing():
            recall = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
            days = [datetime(2026, 5, 1 + 7 * n, 4, tzinfo=UTC) for n in range(4)]
            with lifted(db.session.connection()):
                for notice, moment in zip(recall.notices, days, strict=True):
                    notice.issued_at = moment
                db.session.flush()
            recall.issued_at = recall.in_force_at = days[0]
            recall.ended_at = days[3]

        def recalled(lot: int, day: int) -> list[str]:
            with world.app.app_context():
                batch = db.session.get_one(Batch, lot)
                return [row.number for row in published.recalls_on(batch, date(2026, 5, day))]

        assert recalled(lots[0], 3) == [number]
        assert [bool(recalled(lots[0], day)) for day in (8, 9, 14, 15, 22, 23)] == [
            True,
            False,
            False,
            True,
            True,
            False,
        ]
        assert [bool(recalled(lots[1], day)) for day in (1, 9, 22, 23)] == [True, True, True, False]
        with world.app.app_context():
            assert published.recalls_on(db.session.get_one(Batch, lots[0]), date(2026, 4, 30)) == []

    def test_what_cannot_be_is_refused_with_what_to_do(self, world: World) -> None:
        grower, client = world.producer(), world.client(world.regulator())
        lots = [world.released(grower, lot_number=f"C-{n}") for n in range(2)]
        number = client.post("/recalls/scope", data=NOTICE | {"lots": "C-0 C-1", "count": "2"}).location.split("/")[2]
        for path, data, message in (
            ("correct", NOTICE | {"note": ""}, "请填写此项"),
            ("narrow", {"note": "x"}, "请勾选要排除的批次"),
            ("narrow", {"out": [str(lot) for lot in lots], "note": "x"}, "请改用“撤销召回”"),
            ("withdraw", {"note": " "}, "请填写此项"),
            ("end", {"note": "不是暂停"}, "现在不能这样做"),
        ):
            answer = client.post(f"/recalls/{number}/{path}", data=data)
            assert answer.status_code == 422
            assert message in answer.text
        with world.app.app_context():
            assert db.session.scalar(db.select(db.func.count(RecallNotice.id))) == 1


class TestClocks:
    @pytest.mark.parametrize(
        ("day", "count", "last"),
        [
            ("2026-11-20", 10, "2026-12-04"),  # a Friday, no holidays
            ("2026-09-30", 10, "2026-10-20"),  # the national holiday, and a Saturday worked in exchange
            ("2026-02-13", 1, "2026-02-14"),  # a Saturday worked
            ("2026-02-14", 1, "2026-02-24"),  # the Spring Festival
        ],
    )
    def test_working_days_by_the_table_of_holidays(self, world: World, day: str, count: int, last: str) -> None:
        with world.app.app_context():
            assert clocks.working_days_after(date.fromisoformat(day), count) == date.fromisoformat(last)

    def test_the_table_is_data_that_an_administrator_replaces(self, world: World) -> None:
        client = world.client(world.administrator())
        table = client.get("/reference/holidays.csv").text
        assert "2026-10-10,work" in table
        file = (io.BytesIO((table + "2026-12-01,off,测试,x\r\n").encode()), "holidays.csv")
        assert client.post("/reference/holidays", data={"file": file}).status_code == 302
        with world.app.app_context():
            assert clocks.working_days_after(date(2026, 11, 30), 1) == date(2026, 12, 2)
        back = (io.BytesIO(table.encode()), "holidays.csv")
        assert client.post("/reference/holidays", data={"file": back}).status_code == 302


class TestHolds:
    def test_a_hold_stops_the_sale_is_seen_by_scanning_alone_and_is_lifted(self, world: World) -> None:
        grower, officer = world.producer(), world.regulator()
        lot, code = world.labelled(grower)
        number = _issue(world, officer, lot, kind="hold", reason="抽检待结果")
        page = world.client().get(f"/{code}").text
        assert "暂停销售，等待核查" in page
        assert "抽检待结果" in page
        assert number not in world.client().get("/recalls").text
        client = world.client(grower)
        assert client.post(f"/batches/{lot}/close").status_code == 409
        assert "暂停" in client.get(f"/batches/{lot}/labels").text
        world.record(grower, lot)
        english = world.client(language="en").get(f"/{code}").text
        assert "Sale stopped" in english
        assert world.client(officer).post(f"/recalls/{number}/end", data={"note": "合格"}).status_code == 302
        assert "未被召回" in world.client().get(f"/{code}").text

    def test_a_producer_holds_and_lifts_its_own(self, world: World) -> None:
        grower = world.producer()
        lot = world.released(grower)
        number = _issue(world, grower, lot, kind="hold")
        assert _state(world, lot) == "held"
        assert world.client(grower).post(f"/recalls/{number}/end", data={"note": "查清"}).status_code == 302
        assert _state(world, lot) == "released"

    def test_a_draft_on_hold_is_not_released(self, world: World) -> None:
        grower, officer = world.producer(), world.regulator()
        lot = world.batch(grower)
        world.complete(grower, lot)
        number = _issue(world, officer, lot, kind="hold")
        client = world.client(grower)
        refused = client.post(f"/batches/{lot}/release")
        assert refused.status_code == 409
        assert "已被暂停销售" in refused.text
        world.client(officer).post(f"/recalls/{number}/end", data={"note": "合格"})
        assert _state(world, lot) == "draft"
        assert client.post(f"/batches/{lot}/release").status_code == 302

    def test_a_lot_is_held_once(self, world: World) -> None:
        grower, officer = world.producer(), world.regulator()
        lot = world.released(grower)
        number = _issue(world, officer, lot, kind="hold")
        above = world.client(world.regulator("530300"))
        again = above.post(f"/batches/{lot}/recall", data=NOTICE | {"kind": "hold"})
        assert again.status_code == 422
        assert "已召回或暂停销售" in again.text
        with world.app.app_context():
            assert db.session.scalar(db.select(db.func.count(Recall.id))) == 1
        world.client(officer).post(f"/recalls/{number}/end", data={"note": "合格"})
        assert _state(world, lot) == "released"


class TestVoluntary:
    def test_a_producer_recalls_its_own_lots_at_once_and_cannot_end_it(self, world: World) -> None:
        grower, officer = world.producer(name="姜社"), world.regulator()
        lot, code = world.labelled(grower, lot_number="V-1")
        number = _issue(world, grower, lot, level="1")
        assert f"-V{grower.organisation_id}-" in number
        assert "正在召回" in world.client().get(f"/{code}").text
        assert "生产者主动召回" in world.client().get(f"/recalls/{number}").text
        client = world.client(grower)
        assert client.post(f"/recalls/{number}/complete", data={"note": "好了"}).status_code == 403
        assert number in world.client(officer).get("/desk").text
        with world.app.app_context():
            messages = [row.message for row in db.session.scalars(db.select(Delivery))]
            assert any(number in str(message) for message in messages)
        _turn(world, officer, world.regulator("530300"), number, "withdraw", note="审查通过")
        assert world.client(world.producer()).get(f"/recalls/{number}/manage").status_code == 404

    def test_it_reaches_no_lot_of_others_but_tells_of_them(self, world: World) -> None:
        ham_works, bakery = world.producer("530381001"), world.producer("530324001", name="糕点厂")
        ham, code = world.labelled(ham_works, "ham", division="530381001", lot_number="HAM-1")
        cakes = world.batch(bakery, "ham_mooncake", "530324001", lot_number="CAKE-1")
        world.client(bakery).post(
            f"/batches/{cakes}/genealogy", data={"code": code, "quantity": "1", "happened_on": "2025-11-07"}
        )
        client = world.client(ham_works)
        page = client.get("/recalls/scope?lots=HAM-1").text
        assert "别家的，会通知" in page
        assert "范围内现在有 1 批" in client.post("/recalls/scope", data=NOTICE | {"lots": "HAM-1", "count": "2"}).text
        assert client.post("/recalls/scope", data=NOTICE | {"lots": "HAM-1", "count": "1"}).status_code == 302
        assert (_state(world, ham), _state(world, cakes)) == ("recalled", "draft")
        stranger = world.client(world.producer())
        assert "没有批次符合" in stranger.get("/recalls/scope?lots=HAM-1").text


def test_labels_lead_to_fields_of_their_own(world: World) -> None:
    """Several forms on one page, none of which shares an id with another."""
    grower, officer = world.producer(name="姜社"), world.regulator()
    lots = [world.released(grower, lot_number=f"I-{n}") for n in range(2)]
    number = (
        world.client(officer)
        .post("/recalls/scope", data=NOTICE | {"lots": "I-0 I-1", "count": "2"})
        .location.split("/")[2]
    )
    for actor, path in (
        (officer, f"/recalls/{number}/manage"),
        (grower, f"/recall-tasks/{_tasks(world, number)['姜社']}"),
        (grower, f"/batches/{world.released(grower)}/genealogy"),
        (officer, "/recalls/scope?lots=I-0"),
        (None, "/recalls"),
        (grower, "/shipments/new"),
        (officer, "/desk"),
    ):
        page = world.client(actor).get(path).text
        ids = re.findall(r'\sid="([^"]+)"', page)
        assert len(ids) == len(set(ids)), path
        assert set(re.findall(r'<label[^>]* for="([^"]+)"', page)) <= set(ids), path
    assert lots


class TestWhatWasMadeOfIt:
    """The page of a lot says of the lots it was made of what stops them, whoever made it."""

    def _cakes(self, world: World) -> tuple[Actor, int, str]:
        ham_works, bakery = world.producer("530381001"), world.producer("530324001")
        ham, code = world.labelled(ham_works, "ham", division="530381001", lot_number="HAM-1")
        cakes = world.batch(bakery, "ham_mooncake", "530324001", lot_number="CAKE-1")
        client = world.client(bakery)
        client.post(f"/batches/{cakes}/genealogy", data={"code": code, "quantity": "1", "happened_on": "2025-11-06"})
        world.complete(bakery, cakes)
        assert client.post(f"/batches/{cakes}/release").status_code == 302
        return ham_works, ham, world.code(world.run(bakery, cakes, 1))

    def test_one_lot_is_recalled_and_the_recall_ends(self, world: World) -> None:
        _maker, ham, scanned = self._cakes(world)
        officer, consumer = world.regulator("530381"), world.client()
        mark = '<b class="bad">已召回</b>'
        assert mark not in consumer.get(f"/{scanned}").text
        number = _issue(world, officer, ham)
        assert mark in consumer.get(f"/{scanned}").text
        world.client(officer).post(f"/recalls/{number}/withdraw", data={"note": "误报"})
        assert mark not in consumer.get(f"/{scanned}").text

    def test_a_hold_a_voluntary_recall_and_a_lot_left_out(self, world: World) -> None:
        maker, ham, scanned = self._cakes(world)
        officer, consumer = world.regulator("530300"), world.client()
        assert "正在召回" not in consumer.get(f"/{scanned}").text
        number = _issue(world, officer, ham, kind="hold")
        assert '<b class="bad">暂停销售</b>' in consumer.get(f"/{scanned}").text
        world.client(officer).post(f"/recalls/{number}/end", data={"note": "查清"})
        assert "暂停销售" not in consumer.get(f"/{scanned}").text
        data = NOTICE | {"lots": "HAM-1", "count": "1"}
        number = world.client(maker).post("/recalls/scope", data=data).location.split("/")[2]
        assert '<b class="bad">已召回</b>' in consumer.get(f"/{scanned}").text
        world.client(officer).post(f"/recalls/{number}/withdraw", data={"note": "查清"})
        assert "已召回" not in consumer.get(f"/{scanned}").text
        with world.app.app_context():
            cakes = db.session.scalars(db.select(Batch.id).filter_by(lot_number="CAKE-1")).one()
        out = {"out": str(cakes), f"why-{cakes}": "未出库"}
        assert world.client(officer).post("/recalls/scope", data=data | out).status_code == 302
        assert '<b class="bad">已召回</b>' in consumer.get(f"/{scanned}").text


class TestFollowUp:
    def _recalled(self, world: World) -> tuple[Actor, Actor, int, str, dict[str, str]]:
        grower, officer = world.producer(name="姜社"), world.regulator()
        lot = world.released(grower, quantity="100", lot_number="F-1")
        _send(world, grower, lot, "40", "云岭超市")
        _send(world, grower, lot, "10", "早市摊")
        number = _issue(world, officer, lot)
        return grower, officer, lot, number, _tasks(world, number)

    def test_everyone_concerned_gets_a_task_and_a_message(self, world: World) -> None:
        grower, _officer, _lot, number, found = self._recalled(world)
        assert set(found) == {"姜社", "云岭超市", "早市摊"}
        with world.app.app_context():
            sent = {row.address: row.message for row in db.session.scalars(db.select(Delivery))}
            assert {"4@example.org", "3@example.org"} <= set(sent)
            message = sent["4@example.org"]
            assert message["link"].endswith(found["云岭超市"])
            assert message["facts"]["lots"] == ["F-1"]
            assert message["facts"]["level"] == 2
        client = world.client(grower)
        assert "等您确认" in client.get("/batches").text
        assert number in client.get("/recall-tasks").text

    def test_an_organisation_without_a_telephone_is_reached_by_what_the_shipment_says(self, world: World) -> None:
        grower, officer, above = world.producer(), world.regulator(), world.regulator("530300")
        with world.app.app_context():
            shop = db.session.get_one(Organisation, world.buyer().organisation_id).name
        lot = world.released(grower, quantity="100", lot_number="F-2")
        _send(world, grower, lot, "40", shop, organisation=shop, phone="0871-00000001")
        number = _issue(world, officer, lot, level="1")
        client = world.client(officer)
        assert 'href="tel:0871-00000001"' in client.get(f"/recalls/{number}/manage").text
        world.client(above).post(f"/recalls/{number}/approve")
        page = client.get(f"/recalls/{number}/manage").text
        assert "有关各方" in page
        assert 'href="tel:0871-00000001"' in page

    def test_confirming_reporting_and_effectiveness(self, world: World) -> None:
        _grower, officer, lot, number, found = self._recalled(world)
        shop = world.client()
        path = f"/recall-tasks/{found['云岭超市']}"
        assert "F-1" in shop.get(path).text
        assert shop.post(f"{path}/acknowledge", data={"name": ""}).status_code == 422
        assert shop.post(f"{path}/acknowledge", data={"name": "张店长"}).status_code == 302
        report = {
            "name": "张店长",
            f"sealed-{lot}": "10",
            f"returned-{lot}": "5",
            f"destroyed-{lot}": "5",
            f"gone-{lot}": "10",
        }
        too_much = shop.post(f"{path}/report", data=report | {f"gone-{lot}": "21"})
        assert too_much.status_code == 422
        assert "在您那里的只有 40" in too_much.text
        for wrong in ("-1", "abc"):
            assert shop.post(f"{path}/report", data=report | {f"sealed-{lot}": wrong}).status_code == 422
        assert "请至少填写一个批次" in shop.post(f"{path}/report", data={"name": "张店长"}).text
        evidence = {"photos": (io.BytesIO(photo()), "seal.jpg"), "note": "封存在冷库"}
        assert shop.post(f"{path}/report", data=report | evidence).status_code == 302
        page = world.client(officer).get(f"/recalls/{number}/manage").text
        assert "50%" in page  # 20 of 40 secured
        assert "75%" in page  # 30 of 40 reconciled
        assert "/media/" in page
        assert "1/3" in page
        last = {"name": "张店长", f"sealed-{lot}": "0", f"destroyed-{lot}": "30", f"gone-{lot}": "10"}
        assert shop.post(f"{path}/report", data=last).status_code == 302
        assert "100%" in world.client(officer).get(f"/recalls/{number}/manage").text
        assert world.client().get("/recall-tasks/" + "0" * 32).status_code == 404

    def test_who_is_late_is_brought_before_the_regulator_once(self, world: World) -> None:
        _grower, officer, _lot, number, _found = self._recalled(world)
        with world.writing():
            for task in db.session.scalars(db.select(RecallTask)):
                task.start_due_at = datetime.now(UTC) - timedelta(hours=1)
        for _ in range(2):
            with world.app.app_context():
                tasks.escalate()
        with world.app.app_context():
            late = [row for row in db.session.scalars(db.select(Delivery)) if "逾期未确认" in str(row.message)]
            assert len(late) == 3
        desk = world.client(officer).get("/desk").text
        assert "逾期任务" in desk
        assert "早市摊" in desk
        assert "逾期未确认" in world.client(officer).get(f"/recalls/{number}/manage").text

    def test_who_has_said_what_became_of_everything_is_not_late(self, world: World) -> None:
        _grower, officer, lot, number, found = self._recalled(world)
        for party, sealed in (("云岭超市", "40"), ("早市摊", "9")):
            path, name = f"/recall-tasks/{found[party]}", {"name": "店长"}
            assert world.client().post(f"{path}/report", data=name | {f"sealed-{lot}": sealed}).status_code == 302
        with world.writing():
            for task in db.session.scalars(db.select(RecallTask)):
                task.finish_due_on = date(2026, 1, 1)
        with world.app.app_context():
            recall = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
            late = {tasks.party_name(party.task): party.late for party in progress_of(recall).parties}
        assert (late["云岭超市"], late["早市摊"]) == (False, True)

    def test_an_extension_gives_tasks_to_those_who_are_new_and_tells_the_others(self, world: World) -> None:
        grower, officer, _lot, number, found = self._recalled(world)
        more = world.released(grower, quantity="10", lot_number="F-2")
        _send(world, grower, more, "4", "新客户")
        data = {"extends": number, "lots": "F-2", "note": "同一地块", "count": "1"}
        assert world.client(officer).post("/recalls/scope", data=data).status_code == 302
        after = _tasks(world, number)
        assert set(after) - set(found) == {"新客户"}
        assert after["云岭超市"] == found["云岭超市"]
        with world.app.app_context():
            told = [row for row in db.session.scalars(db.select(Delivery)) if "扩大范围" in str(row.message)]
            assert {"4@example.org", "3@example.org"} <= {row.address for row in told}

    def test_the_final_report_says_what_was_done(self, world: World) -> None:
        _grower, officer, lot, number, found = self._recalled(world)
        shop = world.client()
        data = {"name": "张店长", f"destroyed-{lot}": "40", "note": "深埋", "photos": (io.BytesIO(photo()), "a.jpg")}
        shop.post(f"/recall-tasks/{found['云岭超市']}/report", data=data)
        client = world.client(officer)
        above = world.regulator("530300")
        _turn(world, officer, above, number, "complete", note="全部处置", why_open="再等无益")
        assert (
            "不用再报告"
            in shop.post(f"/recall-tasks/{found['早市摊']}/report", data={"name": "x", f"gone-{lot}": "1"}).text
        )
        answer = client.get(f"/recalls/{number}/report.pdf")
        with pypdfium2.PdfDocument(answer.data) as document:
            text = "".join(page.get_textpage().get_text_range() for page in document)
        for word in (number, "云岭超市", "深埋", "40", "全部处置"):
            assert word in text


class TestDrills:
    def test_a_drill_measures_and_never_reaches_consumers(self, world: World) -> None:
        grower, officer = world.producer(name="姜社"), world.regulator()
        lot, code = world.labelled(grower, quantity="100", lot_number="D-1")
        _send(world, grower, lot, "40", "云岭超市")
        version = world.version(lot)
        client = world.client(officer)
        page = client.post(f"/batches/{lot}/drill")
        number = page.location.split("/")[2]
        shown = client.get(page.location).text
        assert "这不是真的召回" in shown
        assert "D-1" in shown
        assert client.post(f"/recalls/{number}/scope").status_code == 302
        assert client.post(f"/recalls/{number}/scope").status_code == 422
        assert world.version(lot) == version
        consumer = world.client()
        assert "未被召回" in consumer.get(f"/{code}").text
        assert consumer.get(f"/recalls/{number}").status_code == 404
        for path in ("/recalls", "/recalls.atom", "/recalls.json", "/api/v1/recalls"):
            assert number not in consumer.get(path).text
        found = _tasks(world, number)
        token = found["云岭超市"]
        assert "这不是真的召回" in consumer.get(f"/recall-tasks/{token}").text
        with world.app.app_context():
            subjects = [row.message["subject"] for row in db.session.scalars(db.select(Delivery))]
            assert subjects
            assert all(subject.startswith("【演练】") for subject in subjects)
        consumer.post(
            f"/recall-tasks/{token}/report", data={"name": "张店长", f"sealed-{lot}": "30", f"gone-{lot}": "10"}
        )
        client.post(f"/recalls/{number}/end", data={"note": "演练结束"})
        page = client.get(f"/recalls/{number}/manage").text
        assert "秒，确定范围" in page
        assert "1/2" in page
        # One has not confirmed, so nobody was the last.
        assert "小时，最后一家确认" not in page
        with pypdfium2.PdfDocument(client.get(f"/recalls/{number}/report.pdf").data) as document:
            text = "".join(page.get_textpage().get_text_range() for page in document)
        assert "不是真的召回" in text
        assert world.client(grower).get("/recall-tasks").status_code == 200

    def test_a_producer_runs_one_on_its_own_lot_alone(self, world: World) -> None:
        grower = world.producer()
        lot, other = world.released(grower), world.released(world.producer())
        client = world.client(grower)
        assert client.post(f"/batches/{lot}/drill").status_code == 302
        assert client.post(f"/batches/{other}/drill").status_code == 404


class TestPublic:
    def test_search_check_and_feeds(self, world: World) -> None:
        grower, officer = world.producer(name="板桥姜社"), world.regulator()
        lot, code = world.labelled(grower, lot_number="P-1")
        other = world.released(grower, lot_number="P-2")
        number = _issue(world, officer, lot)
        consumer = world.client()
        for found in ("q=P-1", "q=板桥", "q=镉超", f"q={number}", "state=active", "level=2"):
            assert number in consumer.get(f"/recalls?{found}").text
        for nothing in ("q=P-2", "state=withdrawn", "level=3"):
            assert "没有符合条件" in consumer.get(f"/recalls?{nothing}").text
        assert "正在召回" in consumer.get("/recalls/check?lot=P-1").text
        assert "没有被召回" in consumer.get("/recalls/check?lot=P-2").text
        assert "没有批次号为“P-9”" in consumer.get("/recalls/check?lot=P-9").text
        assert consumer.get(f"/recalls/check?code={code}").location == f"/{code}"
        assert consumer.get("/recalls/check?code=abc").status_code == 422
        assert other
        feed = ElementTree.fromstring(consumer.get("/recalls.atom").data)
        names = {"a": "http://www.w3.org/2005/Atom"}
        assert [entry.text for entry in feed.findall("a:entry/a:id", names)] == [
            f"http://127.0.0.1:8000/recalls/{number}"
        ]
        assert feed.find("a:updated", names) is not None
        answer = consumer.get("/recalls.json")
        [row] = json.loads(answer.data)["results"]
        assert (row["recall_number"], row["classification"], row["status"]) == (number, "Class II", "Ongoing")
        assert (row["code_info"], row["recalling_firm"], row["reason_for_recall"]) == ("P-1", "板桥姜社", "镉超标")
        assert row["lots"][0]["lot_number"] == "P-1"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"

    def test_an_empty_feed_is_a_feed(self, world: World) -> None:
        assert b"<feed" in world.client().get("/recalls.atom").data
        assert world.client().get("/recalls.json").json["results"] == []

    def test_notice_and_poster_on_paper(self, world: World) -> None:
        lot = world.released(world.producer(), lot_number="P-1")
        number = _issue(world, world.regulator(), lot)
        for path in (f"/recalls/{number}/1.pdf", f"/recalls/{number}/poster.pdf"):
            answer = world.client().get(path)
            assert answer.mimetype == "application/pdf"
            with pypdfium2.PdfDocument(answer.data) as document:
                import numpy as np

                picture = np.asarray(document[0].render(scale=2).to_pil().convert("L"))
                text = document[0].get_textpage().get_text_range()
            assert [url.rsplit("/", 1)[1] for url in read_symbols(picture)] == [number]
            assert "P-1" in text
        assert world.client().get(f"/recalls/{number}/2.pdf").status_code == 404
        assert world.client(language="en").get(f"/recalls/{number}/poster.pdf").status_code == 200


def test_an_area_on_the_map_reaches_the_lots_of_its_sites(world: World) -> None:
    grower, client = world.producer(), world.client(world.regulator())
    inside = world.site(grower, latitude="24.9", longitude="104.3")
    outside = world.site(grower, latitude="25.4", longitude="104.3")
    world.released(grower, site_id=inside, lot_number="IN-1")
    world.released(grower, site_id=outside, lot_number="OUT-1")
    area = "24.8, 104.2\n24.8, 104.4\n25.0, 104.4\n25.0, 104.2"
    page = client.get("/recalls/scope", query_string={"area": area}).text
    assert "IN-1" in page
    assert "OUT-1" not in page
    assert page.count('class="site"') == 2
    assert (
        "交叉"
        in client.get("/recalls/scope", query_string={"area": "24.8,104.2\n25.0,104.4\n24.8,104.4\n25.0,104.2"}).text
    )
    assert client.post("/recalls/scope", data=NOTICE | {"area": area, "count": "1"}).status_code == 302


class TestDesk:
    def test_it_answers_as_one_types(self, world: World) -> None:
        grower, client = world.producer(name="板桥姜社"), world.client(world.regulator())
        site = world.site(grower, name="后山地块")
        lot = world.released(grower, lot_number="DESK-77", site_id=site)
        code = world.code(world.run(grower, lot, 1))
        world.record(
            grower,
            lot,
            "pesticide",
            happened_on="2025-08-01",
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
            input_lot="N20250801",
        )
        _send(world, grower, lot, "4", "云岭超市", vehicle="云D54321")
        for typed, expected in (
            ("DESK", "DESK-77"),
            ("板桥姜", "板桥姜社"),
            ("后山", "后山地块"),
            ("N2025", "N20250801"),
            ("云岭", "云岭超市"),
            ("云D5", "云D54321"),
            (code, "DESK-77"),
        ):
            assert expected in client.get("/desk/search", query_string={"q": typed}).text, typed
        assert "没有找到" in client.get("/desk/search?q=ESK-77").text
        assert "请至少输入两个字" in client.get("/desk/search?q=D").text
        elsewhere = world.client(world.regulator("530381"))
        for typed in ("DESK", "板桥姜", "后山", "云岭", "云D5"):
            assert "没有找到" in elsewhere.get("/desk/search", query_string={"q": typed}).text, typed
        for odd in ("%", "__", "a' OR 1=1", "\\\\"):
            assert client.get("/desk/search", query_string={"q": odd * 2}).status_code == 200

    def test_the_closest_names_come_first(self, world: World) -> None:
        client = world.client(world.regulator())
        grower = world.producer(name="板桥姜社")
        for number in range(10):
            world.site(grower, name=f"后山 B{number} 地块")
        world.site(grower, name="后山 B 区", name_en="Back hill")
        world.site(grower, name="Ｃ区É地")
        page = client.get("/desk/search", query_string={"q": "后山"}).text
        assert page.index("后山 B 区") < page.index("后山 B0 地块")
        assert page.count("地块") == 7
        for typed in ("b 区", "B 区", "back HILL"):
            assert "后山 B 区" in client.get("/desk/search", query_string={"q": typed}).text, typed
        for typed in ("Ｃ区", "区É"):
            assert "Ｃ区É地" in client.get("/desk/search", query_string={"q": typed}).text, typed

    def test_a_vehicle_that_is_seen_both_ways_is_one_hit(self, world: World) -> None:
        grower = world.producer()
        _send(world, grower, world.released(grower, lot_number="WAYS-1"), "4", "云岭超市", vehicle="云D77777")
        assert world.client(world.regulator()).get("/desk/search?q=云D777").text.count("<li>") == 1

    def test_an_empty_desk(self, world: World) -> None:
        assert "目前没有进行中的召回" in world.client(world.regulator()).get("/desk").text


@pytest.mark.parametrize(
    "typed",
    [
        "yr-2026-1101",
        "ＹＲ－2026－1101",
        "YR 2026 1101",
        "YR20261101",
        "YR—2O26—11O1",
        "批次号：YR-2026-1101。",
        "YR-2026-1101",
    ],
)
def test_who_holds_recalled_goods_never_reads_that_there_are_none(world: World, typed: str) -> None:
    lot = world.released(world.producer(), lot_number="YR-2026-1101")
    world.recall(world.regulator(), lot)
    page = world.client().get("/recalls/check", query_string={"lot": typed}).text
    assert "正在召回" in page
    assert "没有批次号" not in page


def test_deadlines_follow_the_level(world: World) -> None:
    grower, officer = world.producer(), world.regulator()
    lot = world.released(grower)
    number = _issue(world, officer, lot, level="3")
    [before] = _times(world, number)
    changed = NOTICE | {"level": "2", "note": "复检后提高级别"}
    answer = world.client(officer).post(f"/recalls/{number}/correct", data=changed)
    assert answer.status_code == 302, answer.text
    [after] = _times(world, number)
    assert after < before
    with world.app.app_context():
        recall = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
        assert after == (recall.start_due_at, recall.finish_due_on)


def _times(world: World, number: str) -> list[tuple[datetime, date]]:
    with world.app.app_context():
        recall = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
        return [(task.start_due_at, task.finish_due_on) for task in tasks.tasks_of(recall)]


def test_how_long_the_last_took_is_not_said_while_one_is_missing(world: World) -> None:
    grower, officer = world.producer(), world.regulator()
    lot = world.released(grower)
    _send(world, grower, lot, "5", "云岭超市")
    number = _issue(world, officer, lot)
    client = world.client(officer)
    first, second = _tasks(world, number).values()
    for token, said in ((first, False), (second, True)):
        world.client().post(f"/recall-tasks/{token}/acknowledge", data={"name": "李大姐", "phone": "13800000000"})
        assert ("最后一家确认" in client.get(f"/recalls/{number}/manage").text) is said
