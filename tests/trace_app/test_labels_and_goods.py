"""What a label says is true: no more of them than goods, a number and product that stay, a GTIN of one's own."""

from decimal import Decimal

import pytest

from tests.world import Actor, World
from trace_app.batches.models import Batch
from trace_app.extensions import db
from trace_app.labels.amounts import grams_of, room_for
from trace_app.messages.models import Delivery

RUN = {"stock": "roll-60x40", "level": "item", "format": "csv"}
GTIN, OTHERS = "6901234567892", "06901234567892"


def _lot(world: World, actor: Actor, **facts: str) -> int:
    product = world.product(actor, net_content=facts.pop("net_content", "净重 5 公斤"))
    return world.released(actor, product_id=product, **{"quantity": "2800", **facts})


class TestNoMoreLabelsThanGoods:
    def test_more_need_a_reason_and_the_authority_sees_it(self, world: World) -> None:
        actor, officer = world.producer(), world.regulator()
        lot = _lot(world, actor)
        client, path = world.client(actor), f"/batches/{lot}/labels"
        assert client.post(path, data=RUN | {"count": "600"}).status_code == 302
        refused = client.post(path, data=RUN | {"count": "17"})
        assert refused.status_code == 422
        assert "约够 560 张单件标签，已印 600 张" in refused.text
        assert 'value="17"' in refused.text
        assert client.post(path, data=RUN | {"count": "16"}).status_code == 302
        assert "约够 560 张。" not in world.client(officer).get("/findings").text
        reason = {"excess_reason": "一卷标签受潮，重印"}
        assert client.post(path, data=RUN | {"count": "4483"} | reason).status_code == 302
        page = client.get(f"/batches/{lot}").text
        assert "已印 5,099 / 约 560" in page
        assert "约够 560 张。" in world.client(officer).get("/findings").text

    def test_void_ones_count_no_more(self, world: World) -> None:
        actor = world.producer()
        lot = _lot(world, actor)
        run = world.run(actor, lot, 600)
        client = world.client(actor)
        client.post(f"/labels/{run}/void", data={"first": "1", "last": "300", "reason": "受潮"})
        assert "已印 300 / 约 560" in client.get(f"/batches/{lot}").text
        assert client.post(f"/batches/{lot}/labels", data=RUN | {"count": "300"}).status_code == 302

    def test_programs_are_asked_for_a_reason_too(self, world: World) -> None:
        actor = world.producer()
        lot = _lot(world, actor)
        token, client, path = world.token(actor), world.client(), f"/api/v1/batches/{lot}/label-runs"
        body = {"stock": "roll-60x40", "count": 700, "format": "csv"}
        refused = client.post(path, json=body, headers=token)
        assert refused.status_code == 422
        assert refused.json["type"].endswith("too-many-labels")
        assert client.post(path, json=body | {"excess_reason": "重印"}, headers=token).status_code == 202

    def test_lots_that_are_counted_have_a_label_for_each_piece(self, world: World) -> None:
        actor = world.producer()
        lot = world.released(actor, "ham", quantity="40")
        client = world.client(actor)
        assert client.post(f"/batches/{lot}/labels", data=RUN | {"count": "45"}).status_code == 422
        assert client.post(f"/batches/{lot}/labels", data=RUN | {"count": "44"}).status_code == 302

    def test_nothing_is_said_where_the_net_content_does_not_tell(self, world: World) -> None:
        actor = world.producer()
        lot = _lot(world, actor, net_content="见包装")
        client = world.client(actor)
        assert client.post(f"/batches/{lot}/labels", data=RUN | {"count": "90000"}).status_code == 302
        assert "已印 90,000" in client.get(f"/batches/{lot}").text
        assert "/ 约" not in client.get(f"/batches/{lot}").text

    @pytest.mark.parametrize(
        ("text", "grams"),
        [
            ("净重 500 克", "500"),
            ("净含量：2.5kg", "2500"),
            ("５公斤", "5000"),
            ("1 斤", "500"),
            ("1,000 g", "1000"),
            ("500 克×6 袋", None),
            ("250 毫升", None),
            ("约 3 只", None),
            ("0 克", None),
            ("", None),
        ],
    )
    def test_a_net_content_is_read_or_left(self, text: str, grams: str | None) -> None:
        assert grams_of(text) == (Decimal(grams) if grams else None)

    def test_a_volume_is_no_mass(self) -> None:
        assert room_for(Batch(unit="L", quantity=Decimal(10)), "净重 500 克") is None
        assert room_for(Batch(unit="t", quantity=Decimal(2)), "净重 500 克") == 4000


class TestWhatIsPrintedStays:
    def _form(self, world: World, lot: int, **change: str) -> dict[str, str]:
        with world.app.app_context():
            row = db.session.get_one(Batch, lot)
            names = ("product_id", "site_id", "lot_number", "quantity", "unit", "started_on", "produced_on")
            return {name: str(getattr(row, name)) for name in names} | {"reason": "录错了"} | change

    def test_number_and_product_stay_once_there_are_labels(self, world: World) -> None:
        actor = world.producer()
        lot = world.released(actor, lot_number="V-1")
        other = str(world.product(actor))
        client, path = world.client(actor), f"/batches/{lot}/correct"
        world.run(actor, lot)
        number = client.post(path, data=self._form(world, lot, lot_number="V-2"))
        assert number.status_code in {409, 422}
        assert "批次号 V-1 已印在标签或合格证上" in number.text
        product = client.post(path, data=self._form(world, lot, product_id=other))
        assert product.status_code in {409, 422}
        assert "产品不能再改" in product.text
        assert client.post(path, data=self._form(world, lot, quantity="8000")).status_code == 302

    def test_number_stays_once_there_is_a_certificate(self, world: World) -> None:
        actor = world.producer()
        lot = world.released(actor, lot_number="V-1")
        client = world.client(actor)
        issued = client.post(f"/batches/{lot}/commitments", data={"quantity": "8600", "bases": ["own_control"]})
        assert issued.status_code == 302
        refused = client.post(f"/batches/{lot}/correct", data=self._form(world, lot, lot_number="V-2"))
        assert "已印在标签或合格证上" in refused.text

    def test_each_field_stands_before_and_after(self, world: World) -> None:
        actor = world.producer()
        lot = world.released(actor, lot_number="V-1", quantity="2800")
        product = str(world.product(actor, name="老姜"))
        changed = self._form(world, lot, lot_number="V-2", quantity="2,750.5", product_id=product)
        assert world.client(actor).post(f"/batches/{lot}/correct", data=changed).status_code == 302
        page = world.client(actor).get(f"/batches/{lot}").text
        for before, after in (("V-1", "V-2"), ("2,800 公斤", "2,750.5 公斤")):
            assert f"<del>{before}</del> → <ins>{after}</ins>" in page
        assert "<ins>老姜</ins>" in page


class TestAGtin:
    def _save(self, world: World, actor: Actor, gtin: str):
        values = {"kind_code": "ginger", "name": "姜", "net_content": "净重 500 克", "gtin": gtin}
        return world.client(actor).post("/products/new", data=values)

    def test_is_of_one_producer_and_a_clash_is_told_of(self, world: World) -> None:
        holder, claimant, officer = world.producer(), world.producer(), world.regulator()
        hook = {"type": "webhook", "target": "https://authority.example/hook", "least_severity": "block"}
        world.client(officer).post("/messages", data=hook)
        assert self._save(world, holder, GTIN).status_code == 302
        refused = self._save(world, claimant, OTHERS)
        assert refused.status_code in {409, 422}
        assert "已登记在另一个产品上" in refused.text
        with world.app.app_context():
            [told] = [row.message for row in db.session.scalars(db.select(Delivery))]
        assert told["facts"]["gtin"] == OTHERS

    def test_the_database_holds_it_too(self, world: World) -> None:
        first, second = world.producer(), world.producer()
        world.product(first, gtin=GTIN)
        other = world.product(second)
        with world.app.app_context(), pytest.raises(Exception, match=r"products\.gtin|uq_products_gtin"):
            db.session.execute(
                db.text("UPDATE products SET gtin = :gtin WHERE id = :id"), {"gtin": OTHERS, "id": other}
            )

    def test_lies_under_its_producers_prefix(self, world: World) -> None:
        own, other = world.producer(gs1_prefix="6901234"), world.producer(gs1_prefix="6912345")
        assert "不是以您的厂商识别代码编的" in self._save(world, other, GTIN).text
        assert "已登记在另一个产品上" in self._save(world, world.producer(), GTIN).text
        assert self._save(world, own, GTIN).status_code == 302


class TestChecksAreNoScans:
    @pytest.mark.parametrize("by", ["producer", "regulator"])
    def test_who_answers_for_the_lot_uses_up_nobodys_first_scan(self, world: World, by: str) -> None:
        actor = world.producer()
        _lot, code = world.labelled(actor)
        phone = {"User-Agent": "Mozilla/5.0 (Linux; Android 13) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36"}
        checking = world.client(actor if by == "producer" else world.regulator())
        for _n in range(2):
            assert checking.get(f"/{code}", headers=phone).status_code == 200
        world.app.extensions["scan_log"].hand_over()
        assert "第 1 次" not in world.client().get(f"/{code}?lang=zh", headers=phone).text
        stranger = world.client(world.producer())
        assert stranger.get(f"/{code}", headers=phone).status_code == 200
        assert world.client().get(f"/{code}", headers=phone).status_code == 200
        world.app.extensions["scan_log"].hand_over()
        assert "第 3 次" in world.client().get(f"/{code}?lang=zh", headers=phone).text


class TestACorrectionAfterABlock:
    def test_is_a_warning_and_is_marked(self, world: World) -> None:
        from tests.trace_app.test_quality import STRONG
        from tests.world import SPRAYED

        actor, officer = world.producer(), world.regulator()
        lot = world.batch(actor)
        world.complete(actor, lot)
        record = world.record(actor, lot, "pesticide", **STRONG)
        client = world.client(actor)
        assert client.post(f"/batches/{lot}/release").status_code == 409
        client.get(f"/batches/{lot}")
        changed = client.post(f"/field/records/{record}/correct", data=SPRAYED | {"correction_reason": "写错了药名"})
        assert changed.status_code == 302
        assert client.post(f"/batches/{lot}/release").status_code == 302
        warned = world.client(officer).get("/findings").text
        assert "之后被更正，理由是“写错了药名”" in warned
        assert "更正了一条记录" in client.get(f"/batches/{lot}").text
        code = world.code(world.run(actor, lot))
        assert "更正过，" in world.client().get(f"/{code}").text

    def test_of_what_stopped_nothing_is_none(self, world: World) -> None:
        from tests.world import SPRAYED

        actor, officer = world.producer(), world.regulator()
        lot = world.batch(actor)
        world.complete(actor, lot)
        record = world.record(actor, lot, "pesticide", **SPRAYED)
        client = world.client(actor)
        client.get(f"/batches/{lot}")
        client.post(f"/field/records/{record}/correct", data=SPRAYED | {"dose": "41", "correction_reason": "量错了"})
        client.get(f"/batches/{lot}")
        assert "之后被更正" not in world.client(officer).get("/findings").text
