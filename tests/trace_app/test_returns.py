"""Goods that come in steps, are refused, or go back; and what a recall's reports do to what anyone has."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from tests.trace_app.test_shipping import _left, _ship
from tests.world import Actor, World, photo
from trace_app.batches.models import Batch
from trace_app.clock import local
from trace_app.db.base import utc_now
from trace_app.extensions import db
from trace_app.flow.balance import amounts_sent
from trace_app.flow.shipments.models import Receipt, Shipment
from trace_app.recall_tasks import service as tasks
from trace_app.recall_tasks.progress import progress_of
from trace_app.recalls.models import Recall

FORM = {"received_by": "张店长"}
BACK = {"reason": "压坏了", "departed_at": "2026-11-22T10:00"}


def _receive(world: World, actor: Actor | None, shipment: Shipment, amount: str, refused: str = "", **more: str) -> Any:
    with world.app.app_context():
        line = db.session.get_one(Shipment, shipment.id).lines[0].id
    data = {f"q-{line}": amount, f"r-{line}": refused, f"why-{line}": "发霉" if refused else ""}
    now = f"{local(utc_now()):%Y-%m-%dT%H:%M}"
    form = FORM | {"received_at": now} | data | more
    return world.client(actor).post(f"/receive/{shipment.receipt_code}", data=form)


def _send_back(world: World, actor: Actor | None, shipment: Shipment, amount: str) -> Any:
    with world.app.app_context():
        line = db.session.get_one(Shipment, shipment.id).lines[0].id
    data = BACK | {f"q-{line}": amount}
    return world.client(actor).post(f"/receive/{shipment.receipt_code}/return", data=data)


def _returns(world: World, shipment: Shipment) -> list[Shipment]:
    with world.app.app_context():
        query = db.select(Shipment).filter_by(returns_id=shipment.id).order_by(Shipment.id)
        return list(db.session.scalars(query))


def _linked(world: World, quantity: str = "100", sent: str = "40") -> tuple[Actor, Actor, int, Shipment]:
    grower, shop = world.producer(name="姜社"), world.producer(name="姜厂")
    lot = world.released(grower, quantity=quantity, lot_number="R-1")
    return grower, shop, lot, _ship(world, grower, {lot: sent}, consignee="姜厂", organisation="姜厂")


class TestInSteps:
    def test_what_is_on_its_way_is_confirmed_later(self, world: World) -> None:
        grower, shop, lot, shipment = _linked(world)
        assert _receive(world, shop, shipment, "15").status_code == 422
        assert _receive(world, shop, shipment, "15", rest="later").status_code == 302
        page = world.client(shop).get(f"/receive/{shipment.receipt_code}").text
        assert "还没有确认的" in page
        assert 'value="25"' in page
        assert "收到一部分" in world.client(grower).get(f"/shipments/{shipment.id}").text
        assert _left(world, lot, shop) == 40
        assert _receive(world, shop, shipment, "26").status_code == 422
        assert _receive(world, shop, shipment, "20", rest="later").status_code == 302
        assert _receive(world, shop, shipment, "4", rest="missing", note="丢了一箱").status_code == 302
        assert _left(world, lot, shop) == 39
        with world.app.app_context():
            assert len(list(db.session.scalars(sa.select(Receipt)))) == 3
        for actor, path in ((shop, f"/receive/{shipment.receipt_code}"), (grower, f"/shipments/{shipment.id}")):
            assert "没到 1 公斤" in world.client(actor).get(path).text
        assert "已经确认收货" in _receive(world, shop, shipment, "1").text
        assert "有差异" in world.client(grower).get(f"/shipments/{shipment.id}").text

    def test_nothing_is_no_receipt(self, world: World) -> None:
        _grower, shop, _lot, shipment = _linked(world)
        answer = _receive(world, shop, shipment, "0", rest="later")
        assert answer.status_code == 422
        assert "到了再确认" in answer.text

    @pytest.mark.parametrize(
        ("amount", "refused", "more", "field"),
        [("300斤", "", {}, "q"), ("1,5", "", {}, "q"), ("30", "x", {}, "r"), ("30", "10", {"why": ""}, "why")],
    )
    def test_every_error_is_told_at_once_beside_its_field(
        self, world: World, amount: str, refused: str, more: dict[str, str], field: str
    ) -> None:
        _grower, shop, lot, shipment = _linked(world)
        with world.app.app_context():
            line = db.session.get_one(Shipment, shipment.id).lines[0].id
        data = {f"q-{line}": amount, f"r-{line}": refused, f"why-{line}": more.get("why", "发霉")}
        data |= {"received_by": "", "received_at": "昨天吧", "note": "话"}
        page = world.client(shop).post(f"/receive/{shipment.receipt_code}", data=data)
        assert page.status_code == 422
        told = {"received_by-error", "received_at-error"}
        # What is typed with a unit is counted over; 150 is told of as more than there is, once the rest is right.
        told |= {f"{field}-{line}-error"} if amount != "300斤" else set()
        assert all(f'id="{name}"' in page.text for name in told)
        assert f'value="{amount}"' in page.text
        assert _left(world, lot, shop) == 40

    def test_a_unit_is_counted_over(self, world: World) -> None:
        _grower, shop, lot, shipment = _linked(world)
        assert _receive(world, shop, shipment, "60斤", rest="missing", note="少").status_code == 302
        assert _left(world, lot, shop) == 30


class TestWhoSaysSo:
    @pytest.mark.parametrize(("amount", "refused"), [("0", ""), ("30", "10")])
    @pytest.mark.parametrize("by", ["nobody", "sender", "another"])
    def test_only_the_consignee_says_that_goods_did_not_come_or_were_refused(
        self, world: World, by: str, amount: str, refused: str
    ) -> None:
        grower, shop, lot, shipment = _linked(world)
        who = {"nobody": None, "sender": grower, "another": world.producer()}[by]
        answer = _receive(world, who, shipment, amount, refused, rest="missing", note="没到")
        assert answer.status_code == 422
        assert "姜厂登录后" in answer.text
        assert _left(world, lot, shop) == 40
        page = world.client(who).get(f"/receive/{shipment.receipt_code}").text
        assert "姜厂登录后" in page
        assert "其余没有到" not in page
        assert "有不收的" not in page
        assert _receive(world, shop, shipment, amount, refused, rest="missing", note="没到").status_code == 302

    def test_that_all_came_is_said_by_the_paper_and_not_by_the_sender(self, world: World) -> None:
        grower, shop, lot, shipment = _linked(world)
        assert _receive(world, grower, shipment, "40").status_code == 422
        assert _receive(world, None, shipment, "40").status_code == 302
        assert _left(world, lot, shop) == 40


class TestRefused:
    @pytest.mark.parametrize("on_platform", [True, False])
    def test_what_is_refused_goes_back_and_counts_once_it_is_there(self, world: World, on_platform: bool) -> None:
        grower = world.producer(name="姜社")
        shop = world.producer(name="姜厂") if on_platform else None
        lot = world.released(grower, quantity="100")
        named = {"consignee": "姜厂", "organisation": "姜厂"} if on_platform else {}
        shipment = _ship(world, grower, {lot: "40"}, **named)
        assert _receive(world, shop, shipment, "30", "10").status_code == 302
        [back] = _returns(world, shipment)
        assert _left(world, lot, grower) == 60
        assert "等您确认" in world.client(grower).get("/shipments").text
        page = world.client(grower).get(f"/shipments/{shipment.id}").text
        assert "发霉" in page
        assert back.number in page
        # Only who gets it says that it came.
        refused = _receive(world, shop, back, "10")
        assert refused.status_code == 422
        assert "登录" in refused.text
        page = world.client(shop).get(f"/receive/{back.receipt_code}").text
        assert ("姜社确认收到，您不用再做什么" in page) is on_platform
        assert ("姜社登录后确认" in page) is not on_platform
        assert _left(world, lot, grower) == 60
        assert _receive(world, grower, back, "9", rest="missing", note="路上丢了").status_code == 302
        assert _left(world, lot, grower) == 69
        assert "10 公斤，实收 9" in world.client(grower).get(f"/shipments/{shipment.id}").text
        if shop is not None:
            assert _left(world, lot, shop) == 30
        assert "不能再改" in _receive(world, grower, back, "1").text
        with world.app.app_context():
            sent = dict(amounts_sent(db.session.get_one(Batch, lot)))
        assert list(sent.values()) == [Decimal(31)]

    def test_refused_goods_are_not_taken_back_by_withdrawing(self, world: World) -> None:
        _grower, shop, lot, shipment = _linked(world)
        assert _receive(world, shop, shipment, "0", "40").status_code == 302
        [back] = _returns(world, shipment)
        answer = world.client(shop).post(f"/shipments/{back.id}/withdraw", data={"reason": "又要了"})
        assert answer.status_code == 422
        assert "拒收" in answer.text
        assert _left(world, lot, shop) == 0


class TestReturns:
    def test_goods_go_back_and_may_be_sold_again(self, world: World) -> None:
        grower, shop, lot, shipment = _linked(world)
        assert "登记退货" in world.client(shop).get(f"/shipments/{shipment.id}").text
        assert _send_back(world, shop, shipment, "41").status_code == 422
        assert _send_back(world, shop, shipment, "").status_code == 422
        assert _send_back(world, None, shipment, "5").status_code == 422
        assert _send_back(world, shop, shipment, "25").status_code == 302
        assert (_left(world, lot, grower), _left(world, lot, shop)) == (60, 15)
        assert _send_back(world, shop, shipment, "16").status_code == 422
        [back] = _returns(world, shipment)
        assert _send_back(world, grower, back, "1").status_code == 422
        assert _receive(world, grower, back, "25").status_code == 302
        assert (_left(world, lot, grower), _left(world, lot, shop)) == (85, 15)
        page = world.client(grower).get(f"/batches/{lot}/genealogy").text
        assert "已退回" in page
        _ship(world, grower, {lot: "85"})
        assert _left(world, lot, grower) == 0

    def test_a_return_that_never_went_is_withdrawn_until_it_came(self, world: World) -> None:
        grower, shop, lot, shipment = _linked(world)
        assert _send_back(world, shop, shipment, "25").status_code == 302
        [back] = _returns(world, shipment)
        for path, actor in ((shipment.id, grower), (back.id, grower)):
            answer = world.client(actor).post(f"/shipments/{path}/withdraw", data={"reason": "错"})
            assert answer.status_code in (404, 422)
        assert world.client(shop).post(f"/shipments/{back.id}/withdraw", data={"reason": "错"}).status_code == 302
        assert (_left(world, lot, grower), _left(world, lot, shop)) == (60, 40)

    def test_a_label_that_is_back_is_sent_again(self, world: World) -> None:
        baker, shop = world.producer(name="饼社"), world.producer(name="饼店")
        lot = world.released(baker, "ham_mooncake", quantity="100")
        code = world.code(world.run(baker, lot, 1))
        sent = {"consignee": "饼店", "organisation": "饼店", "codes": code}
        shipment = _ship(world, baker, {}, **sent)
        assert _send_back(world, shop, shipment, "1").status_code == 302
        [back] = _returns(world, shipment)
        assert _receive(world, baker, back, "1").status_code == 302
        _ship(world, baker, {}, **sent)

    def test_stopped_goods_go_back(self, world: World) -> None:
        grower, shop, lot, shipment = _linked(world)
        world.recall(world.regulator(), lot)
        assert _send_back(world, shop, shipment, "40").status_code == 302
        [back] = _returns(world, shipment)
        assert _receive(world, grower, back, "40").status_code == 302
        assert (_left(world, lot, grower), _left(world, lot, shop)) == (100, 0)


class TestTheDatabaseHoldsIt:
    def _write(self, world: World, *statements: str) -> None:
        with world.writing():
            for statement in statements:
                db.session.execute(sa.text(statement))

    def test_no_sql_receives_more_than_was_sent_or_gets_back_more(self, world: World) -> None:
        _grower, shop, lot, shipment = _linked(world)
        assert _receive(world, shop, shipment, "15", rest="later").status_code == 302
        assert _send_back(world, shop, shipment, "15").status_code == 302
        with world.app.app_context():
            receipt = db.session.scalars(sa.select(Receipt)).one()
            line = receipt.lines[0].line_id
            back = db.session.scalars(sa.select(Shipment).where(Shipment.returns_id.is_not(None))).one()
            again = back.lines[0].id
            number = receipt.id
        new = (
            "INSERT INTO receipts (id, shipment_id, received_at, received_by, note, created_at)"
            f" VALUES (%s, {shipment.id}, '2026-11-22 00:00:00', 'x', '', '2026-11-22 00:00:00')"
        )
        told = "INSERT INTO receipt_lines (receipt_id, line_id, quantity, refused, missing, reason) VALUES (%s)"
        for values in (
            f"{number + 1}, {line}, 25.001, 0, 0, ''",
            f"{number + 1}, {line}, 0, 25.001, 0, 'x'",
            f"{number + 1}, {line}, 0, 0, 25.001, ''",
            f"{number + 1}, {line}, -1, 0, 0, ''",
            f"{number + 1}, {line}, 0, 0, 0, ''",
            f"{number + 1}, {line}, 1, 1, 0, ''",
            f"{number + 1}, {again}, 15.001, 0, 0, ''",
        ):
            with pytest.raises(sa.exc.IntegrityError):
                self._write(world, new % (number + 1), told % values)
        for statement in (
            "UPDATE shipment_lines SET returned = quantity + 1",
            f"UPDATE shipments SET sender_id = NULL WHERE id = {shipment.id}",
            f"UPDATE shipments SET returns_id = NULL WHERE id = {back.id}",
            "UPDATE receipt_lines SET quantity = 1",
        ):
            with pytest.raises(sa.exc.IntegrityError), world.writing():
                db.session.execute(sa.text(statement))
        self._write(world, new % (number + 1), told % f"{number + 1}, {line}, 25, 0, 0, ''")
        with world.app.app_context():
            assert db.session.get_one(Shipment, shipment.id).settled
        assert _left(world, lot, shop) == 25


class TestReportsOfARecall:
    def _token(self, world: World, number: str, name: str) -> str:
        with world.app.app_context():
            recall = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
            tasks.tell_everyone(recall.id)
            [task] = [task for task in tasks.tasks_of(recall) if tasks.party_name(task) == name]
            return task.token

    def _report(self, world: World, token: str, lot: int, **amounts: str) -> Any:
        data = {"name": "张", "photos": (io.BytesIO(photo()), "a.jpg")}
        data |= {f"{word}-{lot}": amount for word, amount in amounts.items()}
        return world.client().post(f"/recall-tasks/{token}/report", data=data)

    def test_what_is_gone_or_goes_back_leaves_the_balance_once(self, world: World) -> None:
        grower, shop, lot, shipment = _linked(world)
        number = world.recall(world.regulator(), lot)
        token = self._token(world, number, "姜厂")
        for amounts, left in (
            ({"sealed": "40"}, 40),
            ({"sealed": "10", "gone": "20", "destroyed": "4", "returned": "6"}, 10),
            ({"sealed": "10", "gone": "20", "destroyed": "4", "returned": "6"}, 10),
            ({"sealed": "15", "gone": "12", "destroyed": "3", "returned": "10"}, 15),
            ({"gone": "0", "returned": "30"}, 10),
            ({"sealed": "12", "gone": "0", "returned": "28"}, 12),
        ):
            assert self._report(world, token, lot, **amounts).status_code == 302
            assert _left(world, lot, shop) == left
        standing = [back for back in _returns(world, shipment) if back.withdrawn_at is None]
        with world.app.app_context():
            sums = [db.session.get_one(Shipment, back.id).lines[0].quantity for back in standing]
        assert sum(sums) == 28
        for back, amount in zip(standing, sums, strict=True):
            assert _receive(world, grower, back, str(amount)).status_code == 302
        assert _left(world, lot, grower) == 88
        # What is back is not taken away again by a smaller word.
        refused = self._report(world, token, lot, sealed="20", returned="20")
        assert refused.status_code == 422
        assert "对方已确认收到" in refused.text

    def test_a_return_that_was_registered_and_reported_is_one(self, world: World) -> None:
        _grower, shop, lot, shipment = _linked(world)
        number = world.recall(world.regulator(), lot)
        token = self._token(world, number, "姜厂")
        assert _send_back(world, shop, shipment, "25").status_code == 302
        assert 'value="25"' in world.client().get(f"/recall-tasks/{token}").text
        assert self._report(world, token, lot, sealed="15", returned="25").status_code == 302
        assert len(_returns(world, shipment)) == 1
        assert _left(world, lot, shop) == 15

    def test_what_came_back_is_reported_where_it_is_and_counts_once(self, world: World) -> None:
        grower, shop, lot, shipment = _linked(world)
        number = world.recall(world.regulator(), lot)
        mine, theirs = (self._token(world, number, name) for name in ("姜社", "姜厂"))
        assert self._report(world, theirs, lot, returned="40").status_code == 302
        assert self._report(world, mine, lot, destroyed="61").status_code == 422
        [back] = _returns(world, shipment)
        assert _receive(world, grower, back, "40").status_code == 302
        assert "后来退回到您这里：40" in world.client().get(f"/recall-tasks/{mine}").text
        assert self._report(world, mine, lot, destroyed="50").status_code == 302
        assert self._secured(world, number) == (50 + 40)
        assert self._report(world, mine, lot, destroyed="100").status_code == 302
        assert self._secured(world, number) == 100
        assert (_left(world, lot, grower), _left(world, lot, shop)) == (0, 0)

    def _secured(self, world: World, number: str) -> float:
        with world.app.app_context():
            recall = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
            [lot] = progress_of(recall).lots
            assert lot.supplied == 100
            assert lot.secured is not None
            return lot.secured

    def test_who_is_not_on_the_platform_sends_back_by_its_link(self, world: World) -> None:
        grower = world.producer(name="姜社")
        lot = world.released(grower, quantity="100")
        shipment = _ship(world, grower, {lot: "40"}, consignee="早市摊")
        number = world.recall(world.regulator(), lot)
        token = self._token(world, number, "早市摊")
        assert self._report(world, token, lot, returned="30", gone="10").status_code == 302
        assert self._report(world, token, lot, returned="20", gone="20").status_code == 302
        [back] = [one for one in _returns(world, shipment) if one.withdrawn_at is None]
        assert _receive(world, grower, back, "20").status_code == 302
        assert _left(world, lot, grower) == 80
        assert "早市摊" in world.client(grower).get(f"/shipments/{back.id}").text

    def test_what_did_not_arrive_of_a_return_is_not_under_control(self, world: World) -> None:
        grower, shop, lot, shipment = _linked(world)
        officer = world.regulator()
        number = world.recall(officer, lot)
        token = self._token(world, number, "姜厂")
        assert self._report(world, token, lot, returned="40").status_code == 302
        assert self._secured(world, number) == 40
        [back] = _returns(world, shipment)
        assert _receive(world, grower, back, "20", rest="later").status_code == 302
        # What is still on its way is not what the other side has confirmed.
        assert self._report(world, token, lot, returned="30").status_code == 302
        assert self._report(world, token, lot, returned="40").status_code == 302
        assert _receive(world, grower, back, "10", rest="missing", note="路上丢了").status_code == 302
        assert self._secured(world, number) == 30
        assert "没到 10" in world.client(officer).get(f"/recalls/{number}/manage").text
        assert "您退回的没有到：10 公斤" in world.client().get(f"/recall-tasks/{token}").text
        for said in ("30", "40", "30"):
            assert self._report(world, token, lot, returned=said).status_code == 302
            assert self._secured(world, number) == 30
        refused = self._report(world, token, lot, returned="29")
        assert refused.status_code == 422
        assert "退回的 30 公斤 对方已确认收到" in refused.text
        assert len(_returns(world, shipment)) == 1
        assert (_left(world, lot, grower), _left(world, lot, shop)) == (90, 0)

    @pytest.mark.parametrize(("comes", "in_all"), [("20", 100), ("15", 95)])
    def test_refused_goods_on_their_way_back_are_who_will_get_thems(
        self, world: World, comes: str, in_all: int
    ) -> None:
        grower, shop, lot, shipment = _linked(world)
        assert _receive(world, shop, shipment, "20", "20").status_code == 302
        officer = world.regulator()
        number = world.recall(officer, lot)
        token = self._token(world, number, "姜社")
        page = world.client().get(f"/recall-tasks/{token}").text
        assert "在您这里：80 公斤" in page
        assert "其中还在退回途中：20 公斤" in page
        assert "在途 20" in world.client(officer).get(f"/recalls/{number}/manage").text
        assert self._supplied(world, number) == 100
        [back] = _returns(world, shipment)
        rest = {"rest": "missing", "note": "丢了"} if comes == "15" else {}
        assert _receive(world, grower, back, comes, **rest).status_code == 302
        assert self._supplied(world, number) == in_all
        assert "退回途中" not in world.client().get(f"/recall-tasks/{token}").text
        assert self._report(world, token, lot, sealed=str(in_all - 20)).status_code == 302
        assert self._report(world, token, lot, sealed=str(in_all - 19)).status_code == 422
        with world.app.app_context():
            recall = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
            [one] = progress_of(recall).lots
            assert one.sealed - one.twice == in_all - 20

    def _supplied(self, world: World, number: str) -> Decimal:
        with world.app.app_context():
            recall = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
            [lot] = progress_of(recall).lots
            return lot.supplied

    def test_who_has_none_of_it_says_so_with_a_press(self, world: World) -> None:
        _grower, shop, lot, shipment = _linked(world)
        assert _receive(world, shop, shipment, "0", "40").status_code == 302
        number = world.recall(world.regulator(), lot)
        token = self._token(world, number, "姜厂")
        page = world.client().get(f"/recall-tasks/{token}").text
        assert "您这里没有这批货" in page
        assert f'name="destroyed-{lot}"' not in page
        assert f'type="hidden" name="sealed-{lot}" value="0"' in page
        assert (
            world.client().post(f"/recall-tasks/{token}/report", data={"name": "张", f"sealed-{lot}": "0"}).status_code
            == 302
        )

    def test_left_on_the_page_of_the_lot_is_left_in_the_recall(self, world: World) -> None:
        grower = world.producer(name="姜社")
        lot = world.released(grower, quantity="100")
        number = world.recall(world.regulator(), lot)
        token = self._token(world, number, "姜社")
        assert self._report(world, token, lot, sealed="55", gone="25", destroyed="20").status_code == 302
        page = world.client(grower).get(f"/batches/{lot}/genealogy").text
        assert "<b>55</b><small>还剩</small>" in page
        assert "<b>25</b><small>已售出或食用</small>" in page

    def test_who_is_said_to_have_got_nothing_is_told_all_the_same(self, world: World) -> None:
        _grower, shop, lot, shipment = _linked(world)
        assert _receive(world, shop, shipment, "0", rest="missing", note="车翻了").status_code == 302
        number = world.recall(world.regulator(), lot)
        token = self._token(world, number, "姜厂")
        assert "R-1" in world.client().get(f"/recall-tasks/{token}").text
        assert self._report(world, token, lot, sealed="0").status_code == 302
