"""The farm-input catalogue, stock by lot, and which lots an input has touched."""

import re
from decimal import Decimal

import pytest

from tests.world import SPRAYED, Actor, World
from trace_app.batches.models import Batch
from trace_app.extensions import db
from trace_app.findings.models import Finding, Waiver
from trace_app.inputs.models import InputProduct, LabelUse, StockLot
from trace_app.records.models import Record
from trace_app.release import service as quality

PRODUCT = {
    "type": "pesticide",
    "name": "苯醚甲环唑 10% 水分散粒剂",
    "registration_number": "PD20150123",
    "maker": "云农",
    "ingredients": "苯醚甲环唑 10%",
    "kind_code": "ginger",
    "interval_days": "14",
    "dose_min": "30",
    "dose_max": "50",
    "dose_unit": "g_per_mu",
    "max_applications": "3",
}
STOCK = {
    "lot_number": "N20250803",
    "supplier": "农资店",
    "received_on": "2025-08-03",
    "expires_on": "2027-08-03",
    "quantity": "2",
    "unit": "kg",
}

TAKEN = SPRAYED | {"registration_number": PRODUCT["registration_number"], "input_lot": STOCK["lot_number"]}
"""A record that takes from that stock."""


def _stocked(world: World, actor: Actor, **change: str) -> int:
    """A stock lot of a product of the producer's own."""
    client = world.client(actor)
    made = client.post("/inputs/new", data=PRODUCT)
    product = re.search(r"/inputs/(\d+)", made.location)[1]
    stock = client.post("/stock/new", data=STOCK | {"product_id": product} | change)
    assert stock.status_code == 302, stock.text
    return int(stock.location.rsplit("/", 1)[1])


class TestCatalogue:
    def test_a_fertiliser_is_changed_and_keeps_its_nutrients(self, world: World) -> None:
        client = world.client(world.producer())
        values = {
            "type": "fertiliser",
            "name": "复合肥",
            "maker": "云肥",
            "n_percent": "15",
            "p_percent": "5.50",
            "k_percent": "",
        }
        made = client.post("/inputs/new", data=values)
        assert made.status_code == 302, made.text
        page = client.get(made.location)
        assert page.status_code == 200
        assert re.findall(r'name="([npk])_percent"[^>]*value="([^"]*)"', page.text) == [
            ("n", "15"),
            ("p", "5.5"),
            ("k", ""),
        ]
        again = client.post(f"{made.location.split('?')[0]}/uses", data={"kind_code": "none"})
        assert again.status_code == 422

    def test_a_product_with_what_its_label_says(self, world: World) -> None:
        client = world.client(world.producer())
        made = client.post("/inputs/new", data=PRODUCT)
        page = client.get(made.location).text
        for part in ("PD20150123", "苯醚甲环唑", "30–50", "罗平小黄姜"):
            assert part in page
        assert "已在投入品目录里" in client.post("/inputs/new", data=PRODUCT).text
        assert (
            client.post("/inputs/new", data=PRODUCT | {"kind_code": "coix", "interval_days": "21"}).location
            == made.location
        )
        assert "薏仁" in client.get(made.location).text

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"registration_number": "12345"}, "号码的样子不对"),
            ({"type": "veterinary"}, "号码的样子不对"),
            ({"ingredients": ""}, "须填写有效成分"),
            ({"interval_days": ""}, "请按标签填写"),
            ({"dose_max": "20"}, "不能小于最小用量"),
            ({"dose_unit": ""}, "请选择用量单位"),
            ({"dose_max": "-1"}, "须在"),
            ({"name": "药" * 300}, "最多 80 个字"),
            ({"type": "magic"}, "还没有保存"),
        ],
    )
    def test_a_wrong_one_comes_back(self, world: World, change: dict[str, str], message: str) -> None:
        answer = world.client(world.producer()).post("/inputs/new", data=PRODUCT | {"maker": "留着的厂家"} | change)
        assert answer.status_code == 422
        assert message in answer.text
        assert "留着的厂家" in answer.text

    @pytest.mark.parametrize(
        ("kind", "number"),
        [
            ("pesticide", "PD20150123"),
            ("pesticide", "LS20130045"),
            ("pesticide", "WP20120001"),
            ("pesticide", "PD20080123F120345"),
            ("veterinary", "兽药字 250012345"),
            ("veterinary", "（2022）兽药字250012345"),
            ("fertiliser", "农肥（2018）准字12345号"),
            ("fertiliser", "XK13-001-00123"),
            ("feed", "滇饲证（2019）01001"),
            ("ingredient", "SC10153038100000"),
            ("fertiliser", ""),
        ],
    )
    def test_registration_numbers_of_each_shape(self, world: World, kind: str, number: str) -> None:
        data = PRODUCT | {"type": kind, "registration_number": number}
        assert world.client(world.producer()).post("/inputs/new", data=data).status_code == 302

    def test_a_regulators_products_are_offered_to_all_and_changed_by_none_of_them(self, world: World) -> None:
        city, grower, county = (
            world.client(actor) for actor in (world.regulator("530300"), world.producer(), world.regulator())
        )
        made = city.post("/inputs/new", data=PRODUCT)
        # All counties use it, so none of them changes it or adds to it.
        refused = county.post("/inputs/new", data=PRODUCT | {"name": "县里的药"})
        assert refused.status_code == 422
        assert "全市共用的目录由市级维护" in refused.text
        assert 'value="县里的药"' in refused.text
        assert county.post(made.location, data=PRODUCT).status_code == 404
        assert county.post(f"{made.location}/uses/1/remove").status_code == 404
        assert "苯醚甲环唑" in grower.get("/inputs?q=PD2015").text
        assert "苯醚甲环唑" in grower.get("/inputs", query_string={"q": "苯醚"}).text
        assert "修改产品" not in grower.get(made.location).text
        assert grower.post(made.location, data=PRODUCT).status_code == 404
        own = grower.post("/inputs/new", data=PRODUCT | {"name": "自家的药"})
        assert world.client(world.producer()).get(own.location).status_code == 404

    def test_product_and_uses_are_changed(self, world: World) -> None:
        client = world.client(world.producer())
        made = client.post("/inputs/new", data=PRODUCT).location
        assert client.post(made, data=PRODUCT | {"maker": "新厂"}).status_code == 302
        assert "新厂" in client.get(made).text
        use = {"kind_code": "honey", "interval_days": "30"}
        assert client.post(f"{made}/uses", data=use).status_code == 302
        assert "用法已登记过" in client.post(f"{made}/uses", data=use).text
        assert client.post(f"{made}/uses/2/remove").status_code == 302
        with world.app.app_context():
            assert [use.kind_code for use in db.session.scalars(db.select(InputProduct)).one().uses] == ["ginger"]


class TestStock:
    @pytest.mark.parametrize(
        ("field", "typed"),
        [("product_name", "甲胺磷"), ("active_ingredient", "甲胺磷"), ("registration_number", "PD20990002")],
    )
    def test_a_record_that_says_another_product_than_its_stock_is_refused(
        self, world: World, field: str, typed: str
    ) -> None:
        actor = world.producer()
        stock, batch_id, client = _stocked(world, actor), world.batch(actor), world.client(actor)
        facts = {"happened_on": "2025-09-15", "dose": "40", "dose_unit": "g_per_mu", "interval_days": "14"}
        taken = {"stock_id": str(stock), "operator": "李大姐"}
        answer = world.enter(client, batch_id, "pesticide", **facts, **taken, **{field: typed})
        assert answer.status_code == 422
        assert "与所选的库存不符" in answer.text
        assert f'value="{typed}"' in answer.text
        # The same product, written a little differently, is the same.
        name = PRODUCT["name"].replace(" ", "")
        assert world.enter(client, batch_id, "pesticide", **facts, **taken, product_name=name).status_code == 302

    def test_a_record_takes_from_stock_and_the_balance_goes_down(self, world: World) -> None:
        actor = world.producer()
        stock = _stocked(world, actor)
        batch_id = world.batch(actor)
        client = world.client(actor)
        spare = {
            "happened_on": "2025-09-15",
            "stock_id": str(stock),
            "dose": "40",
            "dose_unit": "g_per_mu",
            "area_mu": "42",
        }
        made = world.enter(client, batch_id, "pesticide", **spare, interval_days="14", operator="李大姐")
        assert made.status_code == 302, made.text
        with world.app.app_context():
            record = db.session.scalars(db.select(Record)).one()
            assert (record.product_name, record.registration_number, record.input_lot) == (
                PRODUCT["name"],
                "PD20150123",
                "N20250803",
            )
        page = client.get(f"/stock/{stock}").text
        assert "1.68" in page
        assert "0.32" in page

    @pytest.mark.parametrize(("uses", "days"), [(["ginger"], 14), ([None], 30), ([None, "ginger"], 14), (["honey"], 3)])
    def test_a_trace_page_asks_for_the_interval_of_the_label(
        self, world: World, uses: list[str | None], days: int
    ) -> None:
        actor = world.producer()
        stock = _stocked(world, actor)
        batch_id, code = world.labelled(actor)
        world.record(actor, batch_id, "pesticide", **SPRAYED | {"input_lot": "N20250803", "interval_days": "3"})
        with world.writing():
            product = db.session.get_one(StockLot, stock).product
            product.uses.clear()
            db.session.flush()
            product.uses = [LabelUse(kind_code=kind, interval_days=14 if kind else 30) for kind in uses]
        assert f"须 {days} 天" in world.client().get(f"/{code}").text

    def test_a_waiver_falls_when_the_limit_it_was_given_under_is_tightened(self, world: World) -> None:
        actor, officer = world.producer(), world.client(world.regulator())
        stock = _stocked(world, actor)
        batch_id = world.batch(actor)
        world.complete(actor, batch_id)
        world.record(actor, batch_id, "pesticide", **SPRAYED | {"input_lot": "N20250803", "dose": "60"})
        client = world.client(actor)
        release = f"/batches/{batch_id}/release"

        def waive() -> None:
            with world.app.app_context():
                standing = db.select(Finding.id).filter_by(batch_id=batch_id, rule="dose", gone_at=None)
                finding_id = db.session.scalars(standing).one()
            assert officer.post(f"/findings/{finding_id}/waive", data={"reason": "已检测合格"}).status_code == 302

        assert client.post(release).status_code == 409
        waive()
        with world.writing():
            db.session.get_one(StockLot, stock).product.uses[0].dose_max = Decimal(40)
        stopped = client.post(release)
        assert stopped.status_code == 409
        assert "40" in stopped.text
        with world.app.app_context():
            kept = db.session.scalars(db.select(Waiver)).one()
            assert kept.facts == kept.finding.facts
            assert kept.finding.gone_at is not None
        waive()
        assert client.post(release).status_code == 302

    def test_what_was_typed_with_a_known_lot_number_is_taken_from_stock_too(self, world: World) -> None:
        actor = world.producer()
        stock = _stocked(world, actor)
        world.record(actor, world.batch(actor), "pesticide", **SPRAYED | {"input_lot": "N20250803"})
        with world.app.app_context():
            assert db.session.scalars(db.select(Record.stock_id)).one() == stock

    def test_what_is_corrected_is_not_counted_twice(self, world: World) -> None:
        actor = world.producer()
        stock = _stocked(world, actor)
        batch_id = world.batch(actor)
        record = world.record(actor, batch_id, "pesticide", **SPRAYED | {"input_lot": "N20250803"})
        client = world.client(actor)
        values = TAKEN | {"dose": "10", "correction_reason": "写错"}
        client.post(f"/field/records/{record}/correct", data=values)
        assert "0.42" in client.get(f"/stock/{stock}").text

    def test_no_more_leaves_than_there_is(self, world: World) -> None:
        actor = world.producer()
        stock = _stocked(world, actor)
        client = world.client(actor)
        out = {"happened_on": "2025-09-01", "quantity": "1.5", "reason": "returned", "note": "退货"}
        assert client.post(f"/stock/{stock}/out", data=out).status_code == 302
        assert "库存只剩 0.5" in client.post(f"/stock/{stock}/out", data=out).text
        assert world.client(world.producer()).post(f"/stock/{stock}/out", data=out).status_code == 404

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"quantity": "-2"}, "须在"),
            ({"received_on": "2999-01-01"}, "不能晚于今天"),
            ({"unit": "bucket"}, "还没有保存"),
            ({"lot_number": ""}, "请填写此项"),
        ],
    )
    def test_a_wrong_receipt_comes_back(self, world: World, change: dict[str, str], message: str) -> None:
        client = world.client(world.producer())
        product = client.post("/inputs/new", data=PRODUCT).location.rsplit("/", 1)[1]
        answer = client.post("/stock/new", data=STOCK | {"product_id": product, "supplier": "留着的店"} | change)
        assert answer.status_code == 422
        assert message in answer.text
        assert "留着的店" in answer.text

    def test_a_lot_is_received_once(self, world: World) -> None:
        actor = world.producer()
        _stocked(world, actor)
        client = world.client(actor)
        with world.app.app_context():
            product = db.session.scalars(db.select(StockLot.product_id)).one()
        assert "已入库" in client.post("/stock/new", data=STOCK | {"product_id": str(product)}).text


def test_a_changed_label_makes_every_lot_due_that_its_input_touched(world: World) -> None:
    """By one lot, by several at once, and by a whole site's season."""
    actor = world.producer()
    stock = _stocked(world, actor)
    site = world.site(actor)
    lots = [world.batch(actor, site_id=site) for _n in range(4)]
    client = world.client(actor)
    spray = TAKEN
    client.post("/field/ginger/pesticide", data=spray | {"scope": "lots", "batch_ids": [str(lots[0]), str(lots[1])]})
    elsewhere = world.batch(actor)
    with world.app.app_context():
        product = db.session.get_one(StockLot, stock).product_id
    for season in (None, {"scope": "site", "site_id": str(site), "season_until": "2025-12-31"}):
        if season:
            client.post("/field/ginger/pesticide", data=spray | season)
        with world.app.app_context():
            quality.check_due()
        client.post(f"/inputs/{product}", data=PRODUCT | {"maker": f"新厂 {season}"[:60]})
        with world.app.app_context():
            due = {b.id for b in db.session.scalars(db.select(Batch)) if b.checked_on is None}
        assert due == set(lots if season else lots[:2])
        assert elsewhere not in due


def test_a_bad_lot_of_pesticide_is_found_in_every_batch_it_touched(world: World) -> None:
    """By one lot, by several at once, and by a whole site's season; by a regulator, in its jurisdiction alone."""
    actor, stranger = world.producer("530324102"), world.producer("530323203")
    stock = _stocked(world, actor)
    site = world.site(actor)
    one, two, three, four = (world.batch(actor, lot_number=f"HIT-{n}", site_id=site) for n in range(4))
    elsewhere = world.batch(actor, lot_number="MISS-1")
    foreign = world.batch(stranger, division="530323203", lot_number="FAR-1")
    world.record(stranger, foreign, "pesticide", **SPRAYED | {"input_lot": "N20250803"})
    client = world.client(actor)
    spray = TAKEN
    world.record(actor, one, "pesticide", **spray)
    several = client.post(
        "/field/ginger/pesticide", data=spray | {"scope": "lots", "batch_ids": [str(two), str(three)]}
    )
    assert several.status_code == 302
    season = {"scope": "site", "site_id": str(site), "season_until": "2025-12-31", "happened_on": "2025-07-01"}
    assert client.post("/field/ginger/pesticide", data=spray | season).status_code == 302
    assert elsewhere
    assert four
    for page in (
        client.get(f"/stock/{stock}").text,
        world.client(world.regulator()).get("/stock/trace?q=N20250803").text,
    ):
        assert {f"HIT-{n}" for n in range(4)} <= set(re.findall(r"HIT-\d", page))
        assert "MISS-1" not in page
        assert "FAR-1" not in page
    city = world.client(world.regulator("530300"))
    assert "FAR-1" in city.get("/stock/trace", query_string={"q": "苯醚甲环"}).text
    assert "没有批次用过" in city.get("/stock/trace?q=_zz_").text
