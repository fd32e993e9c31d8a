"""The ledger of goods: nobody has less than nothing of a lot, whoever asks at the same time; no move is rewritten."""

from __future__ import annotations

import io
import threading
from collections import Counter, defaultdict
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import empty
from tests.pages import refused_in_its_fold
from tests.trace_app.test_recall_cases import _issue
from tests.trace_app.test_shipping import FORM, _left, _orders, _receive, _ship
from tests.world import Actor, World, photo
from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.error_pages import MEANINGS
from trace_app.extensions import db
from trace_app.flow.balance import balance_of, holdings_of
from trace_app.flow.genealogy.models import LotLink
from trace_app.flow.ledger.models import LotHolding, LotMove
from trace_app.flow.shipments import losses
from trace_app.flow.shipments import service as shipping
from trace_app.flow.shipments.models import LotLoss, Shipment
from trace_app.recall_tasks import service as tasks
from trace_app.recalls import service as recalls
from trace_app.recalls.models import Recall

pytestmark = pytest.mark.both_databases


def _facts(world: World, lot: int, **changed: str) -> dict[str, str]:
    """What the forms of a lot are filled in with."""
    with world.app.app_context():
        batch = db.session.get_one(Batch, lot)
        known = {
            name: str(getattr(batch, name))
            for name in ("product_id", "site_id", "lot_number", "unit", "started_on", "produced_on")
        }
        return known | {"quantity": f"{batch.quantity:f}", "reason": "称错了"} | changed


def _use(client: FlaskClient, lot: int, into: int, quantity: str, **code: str) -> Any:
    data = {"quantity": quantity, "happened_on": "2026-11-20"} | (code or {"source_id": str(lot)})
    return client.post(f"/batches/{into}/genealogy", data=data)


def _lose(client: FlaskClient, lot: int, quantity: str, kind: str = "lost") -> Any:
    data = {"kind": kind, "quantity": quantity, "reason": "霉变"}
    return client.post(f"/batches/{lot}/lose", data=data, follow_redirects=True)


def _sums_of_moves(world: World) -> dict[tuple[int, int], Decimal]:
    with world.app.app_context():
        query = sa.select(LotMove.batch_id, LotMove.holder_id, sa.func.sum(LotMove.quantity)).group_by(
            LotMove.batch_id, LotMove.holder_id
        )
        return {(lot, holder): amount for lot, holder, amount in db.session.execute(query)}


def _holdings(world: World) -> dict[tuple[int, int], Decimal]:
    with world.app.app_context():
        query = sa.select(LotHolding.batch_id, LotHolding.holder_id, LotHolding.quantity)
        return {(lot, holder): amount for lot, holder, amount in db.session.execute(query)}


class TestWhatALotIsSaidToBe:
    @pytest.mark.parametrize("way", ["sent", "used", "lost"])
    def test_it_is_not_corrected_below_what_has_gone_out(self, world: World, way: str) -> None:
        grower = world.producer()
        lot = world.released(grower, quantity="3600")
        client = world.client(grower)
        if way == "sent":
            _ship(world, grower, {lot: "1447"})
        elif way == "used":
            assert _use(client, lot, world.batch(grower), "1447").status_code == 302
        else:
            _lose(client, lot, "1447")
        refused = client.post(f"/batches/{lot}/correct", data=_facts(world, lot, quantity="1446.999"))
        assert refused.status_code == 422
        assert "1,447" in refused.text or "1447" in refused.text
        assert 'id="quantity-error"' in refused.text
        assert 'value="1446.999"' in refused.text
        assert _left(world, lot, grower) == 2153
        fits = client.post(f"/batches/{lot}/correct", data=_facts(world, lot, quantity="1447"))
        assert fits.status_code == 302
        assert _left(world, lot, grower) == 0
        assert client.post(f"/batches/{lot}/correct", data=_facts(world, lot, quantity="2000")).status_code == 302
        assert _left(world, lot, grower) == 553

    def test_a_draft_is_not_edited_below_what_was_used_of_it(self, world: World) -> None:
        grower = world.producer()
        lot = world.batch(grower, quantity="100")
        client = world.client(grower)
        assert _use(client, lot, world.batch(grower), "60").status_code == 302
        refused = client.post(f"/batches/{lot}/edit", data=_facts(world, lot, quantity="59"))
        assert refused.status_code == 422
        assert "数量不能少于它" in refused.text
        assert client.post(f"/batches/{lot}/edit", data=_facts(world, lot, quantity="60")).status_code == 302
        assert _left(world, lot, grower) == 0

    def test_its_unit_stays_where_something_has_gone_out(self, world: World) -> None:
        grower = world.producer()
        used, whole = (world.released(grower, quantity="1000") for _ in range(2))
        client = world.client(grower)
        _ship(world, grower, {used: "1"})
        refused = client.post(f"/batches/{used}/correct", data=_facts(world, used, quantity="1", unit="t"))
        assert refused.status_code == 422
        assert 'id="unit-error"' in refused.text
        assert _left(world, used, grower) == 999
        fits = client.post(f"/batches/{whole}/correct", data=_facts(world, whole, quantity="1", unit="t"))
        assert fits.status_code == 302
        assert _left(world, whole, grower) == 1

    def test_words_alone_move_nothing(self, world: World) -> None:
        grower = world.producer()
        lot = world.released(grower, quantity="10")
        answer = world.client(grower).post(f"/batches/{lot}/correct", data=_facts(world, lot, started_on="2025-03-11"))
        assert answer.status_code == 302
        with world.app.app_context():
            assert db.session.scalar(sa.select(sa.func.count(LotMove.id)).filter_by(batch_id=lot)) == 1


class TestHands:
    def test_what_is_sent_back_is_with_the_producer_again(self, world: World) -> None:
        grower, shop = world.producer(name="姜社"), world.producer(name="姜厂")
        lot = world.released(grower, quantity="2160")
        _ship(world, grower, {lot: "20"}, consignee="姜厂", organisation="姜厂")
        _ship(world, shop, {lot: "20"}, consignee="姜社", organisation="姜社")
        assert (_left(world, lot, grower), _left(world, lot, shop)) == (2160, 0)
        with world.app.app_context():
            balance = balance_of(db.session.get_one(Batch, lot))
        assert (balance.came, balance.returned, balance.sent) == (2160, 20, 20)
        assert "退回" in world.client(grower).get(f"/batches/{lot}/genealogy").text
        # It is sold once more, and only once.
        _ship(world, grower, {lot: "2160"})
        assert world.client(grower).post("/shipments/new", data=FORM | {f"q-{lot}": "0.001"}).status_code == 422

    def test_a_shipment_that_was_passed_on_is_not_withdrawn(self, world: World) -> None:
        grower, packer = world.producer(), world.producer(name="姜厂")
        lot = world.released(grower, quantity="100")
        shipment = _ship(world, grower, {lot: "40"}, consignee="姜厂", organisation="姜厂")
        onward = _ship(world, packer, {lot: "15"})
        client = world.client(grower)
        refused = client.post(f"/shipments/{shipment.id}/withdraw", data={"reason": "写错了"})
        assert refused.status_code == 422
        assert "收货方已用去或转发" in refused.text
        assert (_left(world, lot, grower), _left(world, lot, packer)) == (60, 25)
        assert world.client(packer).post(f"/shipments/{onward.id}/withdraw", data={"reason": "错"}).status_code == 302
        assert client.post(f"/shipments/{shipment.id}/withdraw", data={"reason": "错"}).status_code == 302
        assert (_left(world, lot, grower), _left(world, lot, packer)) == (100, 0)

    def test_no_less_is_received_than_was_used(self, world: World) -> None:
        grower, packer = world.producer(), world.producer(name="姜厂")
        lot = world.released(grower, quantity="100")
        shipment = _ship(world, grower, {lot: "40"}, consignee="姜厂", organisation="姜厂")
        code = world.code(world.run(grower, lot))
        assert _use(world.client(packer), lot, world.batch(packer), "30", code=code).status_code == 302
        refused = _receive(world, shipment, ["29"], by=packer, note="少了")
        assert refused.status_code == 422
        assert "数量不能少于它" in refused.text
        assert "少了" in refused.text
        assert _receive(world, shipment, ["30"], by=packer, note="少了").status_code == 302
        assert (_left(world, lot, grower), _left(world, lot, packer)) == (60, 0)

    def test_what_was_used_before_anyone_noted_the_shipment_is_gone_once(self, world: World) -> None:
        grower, stranger = world.producer(), world.producer(name="姜厂")
        lot = world.released(grower, quantity="100")
        code = world.code(world.run(grower, lot))
        client = world.client(stranger)
        made = world.batch(stranger)
        for amount in ("20", "10"):
            assert _use(client, lot, made, amount, code=code).status_code == 302
        assert _left(world, lot, grower) == 70
        first = _ship(world, grower, {lot: "25"}, consignee="姜厂", organisation="姜厂")
        # 25 of the 30 came by it; the other 5 are still drawn on the producer.
        assert (_left(world, lot, grower), _left(world, lot, stranger)) == (70, 0)
        _ship(world, grower, {lot: "9"}, consignee="姜厂")
        assert (_left(world, lot, grower), _left(world, lot, stranger)) == (66, 4)
        withdrawn = world.client(grower).post(f"/shipments/{first.id}/withdraw", data={"reason": "写错了"})
        assert withdrawn.status_code == 302
        assert (_left(world, lot, grower), _left(world, lot, stranger)) == (66, 4)
        assert _sums_of_moves(world) == _holdings(world)

    def test_a_loss_that_was_entered_wrongly_is_withdrawn(self, world: World) -> None:
        grower = world.producer()
        lot = world.released(grower, quantity="100")
        client = world.client(grower)
        for kind, word in (("lost", "损耗"), ("sampled", "抽样"), ("destroyed", "销毁")):
            assert f"{word} · 霉变" in _lose(client, lot, "7", kind).text
        assert _left(world, lot, grower) == 79
        with world.app.app_context():
            loss = db.session.scalars(sa.select(LotLoss.id).order_by(LotLoss.id)).first()
        empty = client.post(f"/losses/{loss}/withdraw")
        assert empty.status_code == 422
        assert refused_in_its_fold(empty.text) == f"loss-{loss}-reason"
        said = client.post(f"/losses/{loss}/withdraw", data={"reason": "多写一位"}, follow_redirects=True).text
        assert "已撤销这条损耗" in said
        assert client.post(f"/losses/{loss}/withdraw", data={"reason": "又来"}).status_code == 404
        assert _left(world, lot, grower) == 86


class TestRecalls:
    def _task(self, world: World, number: str, name: str) -> tuple[str, dict[int, float]]:
        with world.app.app_context():
            recall = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
            tasks.tell_everyone(recall.id)
            [task] = [task for task in tasks.tasks_of(recall) if tasks.party_name(task) == name]
            return task.token, {one.batch.id: float(one.supplied) for one in tasks.counted_lots(task)}

    @pytest.mark.parametrize("organisation", ["姜厂", ""])
    def test_a_task_asks_for_what_arrived(self, world: World, organisation: str) -> None:
        grower, officer = world.producer(), world.regulator()
        packer = world.producer(name="姜厂")
        lot = world.released(grower, quantity="1000")
        shipment = _ship(world, grower, {lot: "720"}, consignee="姜厂", organisation=organisation)
        number = world.recall(officer, lot)
        assert self._task(world, number, "姜厂")[1] == {lot: 720}
        by = packer if organisation else None
        assert _receive(world, shipment, ["700"], by=by, note="路上散了 20 公斤").status_code == 302
        token, supplied = self._task(world, number, "姜厂")
        assert supplied == {lot: 700}
        report = {"name": "张", f"sealed-{lot}": "701"}
        refused = world.client().post(f"/recall-tasks/{token}/report", data=report)
        assert refused.status_code == 422
        assert "700" in refused.text
        fits = world.client().post(f"/recall-tasks/{token}/report", data=report | {f"sealed-{lot}": "700"})
        assert fits.status_code == 302

    def test_a_shipment_that_never_took_place_is_asked_of_its_sender(self, world: World) -> None:
        grower, officer = world.producer(name="姜社"), world.regulator()
        world.producer(name="姜厂")
        lot = world.released(grower, quantity="100")
        shipment = _ship(world, grower, {lot: "40"}, consignee="姜厂", organisation="姜厂")
        number = world.recall(officer, lot)
        assert self._task(world, number, "姜社")[1] == {lot: 60}
        world.client(grower).post(f"/shipments/{shipment.id}/withdraw", data={"reason": "没有发"})
        assert self._task(world, number, "姜社")[1] == {lot: 100}
        assert self._task(world, number, "姜厂")[1] == {lot: 0}

    def test_what_is_destroyed_is_gone_once_however_many_cases_ask(self, world: World) -> None:
        grower, officer = world.producer(name="姜社"), world.regulator()
        lot = world.released(grower, quantity="100")
        numbers = _issue(world, officer, lot, kind="hold"), _issue(world, officer, lot)
        held, recalled = (self._task(world, number, "姜社") for number in numbers)
        assert held[1] == recalled[1] == {lot: 100}
        for (token, _supplied), destroyed, left in (
            (held, "10", 90),
            (held, "70", 30),
            (recalled, "70", 30),
            (held, "40", 30),
            (recalled, "40", 60),
            (recalled, "100", 0),
        ):
            report = {"name": "张", f"destroyed-{lot}": destroyed, "photos": (io.BytesIO(photo()), "a.jpg")}
            assert world.client().post(f"/recall-tasks/{token}/report", data=report).status_code == 302
            assert _left(world, lot, grower) == left
        assert _sums_of_moves(world) == _holdings(world)

    def test_a_drill_destroys_nothing(self, world: World) -> None:
        grower, officer = world.producer(name="姜社"), world.regulator()
        lot = world.released(grower, quantity="100")
        with world.writing():
            user = db.session.get_one(User, officer.user_id)
            drill = recalls.begin_drill(user, db.session.get_one(Batch, lot))
            recalls.scope_drill(user, drill)
            number = drill.number
        token, _supplied = self._task(world, number, "姜社")
        report = {"name": "张", f"destroyed-{lot}": "100"}
        assert world.client().post(f"/recall-tasks/{token}/report", data=report).status_code == 302
        assert _left(world, lot, grower) == 100


class TestTheDatabaseHoldsIt:
    def test_no_sql_takes_more_than_there_is(self, world: World) -> None:
        grower = world.producer()
        lot = world.released(grower, quantity="100")
        move = (
            "INSERT INTO lot_moves (batch_id, holder_id, cause, quantity, moved_at, note)"
            f" VALUES ({lot}, {grower.organisation_id}, 'corrected', %s, '2026-11-20 00:00:00', '')"
        )
        for statement in (
            "UPDATE lot_holdings SET quantity = -0.001",
            move % "-100.001",
            move % "0",
            move.replace("corrected", "lost") % "-1",
            move.replace("corrected", "made") % "-1",
            move.replace("corrected", "withdrawn") % "1",
            move.replace(f"({lot}, {grower.organisation_id}", f"({lot}, {world.producer().organisation_id}") % "-1",
            "UPDATE lot_moves SET quantity = quantity + 1",
            "UPDATE lot_moves SET note = 'x'",
            "DELETE FROM lot_moves",
        ):
            with pytest.raises(sa.exc.IntegrityError), world.writing():
                db.session.execute(sa.text(statement))
        assert _left(world, lot, grower) == 100
        with world.writing():
            db.session.execute(sa.text(move % "-99.9"))
        assert _left(world, lot, grower) == pytest.approx(0.1)

    def test_nothing_is_undone_twice(self, world: World) -> None:
        grower = world.producer()
        lot = world.released(grower, quantity="100")
        _lose(world.client(grower), lot, "30")
        undo = sa.text(
            "INSERT INTO lot_moves (batch_id, holder_id, cause, quantity, moved_at, note, loss_id, undoes_id)"
            " SELECT batch_id, holder_id, 'withdrawn', -quantity, moved_at, '', loss_id, id FROM lot_moves"
            " WHERE cause = 'lost'"
        )
        with world.writing():
            db.session.execute(undo)
        with pytest.raises(sa.exc.IntegrityError), world.writing():
            db.session.execute(undo)
        assert _left(world, lot, grower) == 100

    @pytest.mark.parametrize("way", ["send", "use", "lose", "orders"])
    def test_where_the_database_speaks_first_the_words_are_the_same(
        self, world: World, monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        from trace_app.flow.genealogy import service as genealogy

        grower = world.producer()
        lot = world.released(grower, quantity="100", lot_number="FIRST-1")
        client = world.client(grower)
        for room in (shipping, losses, genealogy):
            monkeypatch.setattr(room, "must_have", lambda batch, _quantity, _holder: batch.producer_id)
        if way == "send":
            answer = client.post("/shipments/new", data=FORM | {f"q-{lot}": "101"})
        elif way == "use":
            answer = _use(client, lot, world.batch(grower), "101")
        elif way == "lose":
            answer = _lose(client, lot, "101")
        else:
            rows = [
                ["淘宝", f"T-{n}", "王", "", "昆明市", "FIRST-1", amount, "2026-11-20", "快递", "1"]
                for n, amount in enumerate((60, 41, 40))
            ]
            looked = client.post("/workbooks", data={"what": "orders", "file": _orders(rows)})
            answer = client.post(f"{looked.location}/all", follow_redirects=True)
        assert answer.status_code in (200, 422)
        assert "还剩 40" in answer.text if way == "orders" else "还剩 100" in answer.text
        assert _left(world, lot, grower) == (0 if way == "orders" else 100)
        assert _sums_of_moves(world) == _holdings(world)


AMOUNTS = st.integers(1, 60_000).map(lambda thousandths: Decimal(thousandths) / 1000)
STEPS = st.tuples(
    st.sampled_from(
        ["ship", "send on", "send back", "use", "lose", "correct", "receive", "withdraw", "in part", "refuse", "return"]
    ),
    AMOUNTS,
    st.integers(0, 5),
)


class _Sums:
    """What is left of a lot with its producer and with whom it sells to, by plain sums over the rows that stand."""

    def __init__(self, world: World, lot: int, maker: Actor, packer: Actor) -> None:
        self.world, self.lot, self.maker, self.packer = world, lot, maker, packer

    def left(self) -> dict[int, Decimal]:
        left: defaultdict[int, Decimal] = defaultdict(Decimal)
        with self.world.app.app_context():
            left[self.maker.organisation_id] += db.session.get_one(Batch, self.lot).quantity
            left[self.packer.organisation_id] += 0
            for shipment in db.session.scalars(sa.select(Shipment).where(Shipment.withdrawn_at.is_(None))):
                for line in shipment.lines:
                    told = [row for receipt in shipment.receipts for row in receipt.lines if row.line_id == line.id]
                    if shipment.sender_id is not None:
                        left[shipment.sender_id] -= line.quantity
                    if shipment.returns_id is not None:
                        # What goes back is with nobody until it is confirmed.
                        left[shipment.consignee_organisation_id] += sum(row.quantity for row in told)
                    elif shipment.consignee_organisation_id is not None:
                        missing = sum(row.missing for row in told)
                        left[shipment.consignee_organisation_id] += line.quantity - missing
            for link in db.session.scalars(sa.select(LotLink).where(LotLink.withdrawn_at.is_(None))):
                left[link.target.producer_id] -= link.quantity
            for loss in db.session.scalars(sa.select(LotLoss).where(LotLoss.withdrawn_at.is_(None))):
                left[loss.holder_id] -= loss.quantity
        return dict(left)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=5, max_size=16))
def test_what_is_left_is_the_plain_sum_and_never_below_nothing(
    app: Flask, steps: list[tuple[str, Decimal, int]]
) -> None:
    with app.app_context():
        empty()
    world = World(app)
    maker, packer = world.producer(name="姜社"), world.producer(name="姜厂")
    lot = world.released(maker, quantity="100")
    made = {actor.organisation_id: world.batch(actor) for actor in (maker, packer)}
    clients = {actor.organisation_id: world.client(actor) for actor in (maker, packer)}
    code = world.code(world.run(maker, lot))
    sums = _Sums(world, lot, maker, packer)
    for what, amount, which in steps:
        before = sums.left()
        status = _do(world, clients, made, code, sums, what, amount, which)
        after = sums.left()
        assert status in (302, 422, 404), what
        assert min(after.values()) >= 0, (what, before, after)
        if status != 302:
            assert after == before, what
        with app.app_context():
            batch = db.session.get_one(Batch, lot)
            for holder, left in after.items():
                assert holdings_of([batch], holder) == {lot: left}, what
                assert balance_of(batch, holder).left == left, what
    assert _sums_of_moves(world) == _holdings(world)


def _do(
    world: World,
    clients: dict[int, FlaskClient],
    made: dict[int, int],
    code: str,
    sums: _Sums,
    what: str,
    amount: Decimal,
    which: int,
) -> int:
    """One step of a random sequence; the answer's status, 404 where there is nothing to do it to."""
    lot, maker, packer = sums.lot, sums.maker.organisation_id, sums.packer.organisation_id
    sent = FORM | {f"q-{lot}": str(amount)}
    holder = (maker, packer)[which % 2]
    if what == "ship":
        linked = {"consignee": "姜厂", "organisation": "姜厂"} if which % 3 else {}
        return clients[maker].post("/shipments/new", data=sent | linked).status_code
    if what == "send on":
        return clients[packer].post("/shipments/new", data=sent).status_code
    if what == "send back":
        return (
            clients[packer]
            .post("/shipments/new", data=sent | {"consignee": "姜社", "organisation": "姜社"})
            .status_code
        )
    if what == "use":
        with world.app.app_context():
            to_packer = Shipment.consignee_organisation_id == packer, Shipment.withdrawn_at.is_(None)
            if holder == packer and not db.session.scalar(sa.select(sa.func.count(Shipment.id)).where(*to_packer)):
                # It would draw on the producer, which the plain sum does not know.
                return 404
        return _use(clients[holder], lot, made[holder], str(amount), code=code).status_code
    if what == "lose":
        data = {"kind": "sampled", "quantity": str(amount), "reason": "送检"}
        return clients[maker].post(f"/batches/{lot}/lose", data=data).status_code
    if what == "correct":
        return (
            clients[maker]
            .post(f"/batches/{lot}/correct", data=_facts(world, lot, quantity=str(amount + 40)))
            .status_code
        )
    with world.app.app_context():
        rows = list(db.session.scalars(sa.select(Shipment).where(Shipment.withdrawn_at.is_(None))))
        if not rows:
            return 404
        shipment = rows[which % len(rows)]
        line = shipment.lines[0]
        arrived = max(line.open - amount / 10, Decimal(0))
        to, returns = shipment.consignee_organisation_id, shipment.returns_id
    client = clients.get(to) or world.client()
    if what == "withdraw":
        keeper = clients[shipment.sender_id or to]
        return keeper.post(f"/shipments/{shipment.id}/withdraw", data={"reason": "错"}).status_code
    form = {"received_at": "2026-11-21T09:00", "received_by": "张", "note": "少了", "rest": "missing"}
    path = f"/receive/{shipment.receipt_code}"
    if what == "return":
        data = {f"q-{line.id}": str(amount), "reason": "不要了", "departed_at": "2026-11-22T09:00"}
        return client.post(f"{path}/return", data=data).status_code
    if what == "in part":
        return client.post(path, data=form | {f"q-{line.id}": f"{arrived / 2:.3f}", "rest": "later"}).status_code
    if what == "refuse" and returns is None:
        refused = {f"q-{line.id}": f"{arrived:.3f}", f"r-{line.id}": str(amount / 10), f"why-{line.id}": "坏了"}
        return client.post(path, data=form | refused).status_code
    return client.post(path, data=form | {f"q-{line.id}": f"{arrived:.3f}"}).status_code


@pytest.mark.parametrize("app", ["postgresql"], indirect=True)
def test_eight_sellers_of_one_lot_sell_exactly_what_there_is(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower, quantity="20")
    clients = [world.client(grower) for _ in range(8)]
    for client in clients:
        client.token()
    together = threading.Barrier(len(clients))
    answers: list[Any] = []

    def sell(client: FlaskClient) -> None:
        for _ in range(4):
            together.wait(30)
            answers.append(client.post("/shipments/new", data=FORM | {f"q-{lot}": "1"}))

    threads = [threading.Thread(target=sell, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(answer.status_code for answer in answers) == {302: 20, 422: 12}
    refused = [answer.text for answer in answers if answer.status_code == 422]
    assert all("不够 1" in text and str(MEANINGS[409]) not in text for text in refused)
    assert _left(world, lot, grower) == 0
    assert _sums_of_moves(world) == _holdings(world)
