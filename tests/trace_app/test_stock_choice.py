"""A record that takes from stock says what its stock lot says, however it is made."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
import xlsxwriter

from tests.trace_app.test_inputs import PRODUCT, _stocked
from tests.world import SPRAYED, Actor, World
from trace_app.accounts.models import TokenScope
from trace_app.clock import today
from trace_app.extensions import db
from trace_app.inputs.models import StockLot
from trace_app.records.models import Record

RIGHT = SPRAYED | {"registration_number": "PD20150123", "input_lot": "N20250803", "source": "农资店"}
BARE = {"happened_on": "2025-09-15", "dose": "40", "dose_unit": "g_per_mu", "operator": "李大姐"}
PACK = "1150123" + "1" + "001" + "123456789012345678901"
WRONG = [
    ("product_name", "代森锰锌 80% 可湿性粉剂", "苯醚甲环唑 10% 水分散粒剂"),
    ("registration_number", "PD20990002", "PD20150123"),
    ("active_ingredient", "代森锰锌", "苯醚甲环唑"),
    ("source", "别的店", "农资店"),
    ("input_lot", "N20260101", "N20250803"),
    ("interval_days", "7", "14 天"),
]


def _record(world: World) -> Record:
    with world.app.app_context():
        return db.session.scalars(db.select(Record)).one()


def _records(world: World) -> int:
    with world.app.app_context():
        return int(db.session.scalar(db.select(db.func.count(Record.id))) or 0)


@pytest.mark.parametrize(("field", "typed", "said"), WRONG)
def test_a_form_refuses_each_thing_that_its_stock_lot_says_otherwise(
    world: World, field: str, typed: str, said: str
) -> None:
    actor = world.producer()
    stock, lot = _stocked(world, actor), world.batch(actor)
    answer = world.enter(world.client(actor), lot, "pesticide", **RIGHT | {"stock_id": str(stock), field: typed})
    assert answer.status_code == 422
    assert f"库存是“{said}”" in answer.text
    assert _records(world) == 0


def test_a_chosen_stock_lot_fills_in_all_that_it_settles(world: World) -> None:
    actor = world.producer()
    stock, lot = _stocked(world, actor), world.batch(actor)
    made = world.enter(world.client(actor), lot, "pesticide", **BARE, stock_id=str(stock))
    assert made.status_code == 302, made.text
    record = _record(world)
    assert (record.product_name, record.registration_number, record.active_ingredient, record.interval_days) == (
        PRODUCT["name"],
        "PD20150123",
        "苯醚甲环唑",
        14,
    )
    assert (record.input_lot, record.source, record.stock_id) == ("N20250803", "农资店", stock)


def test_a_lot_number_that_is_typed_otherwise_is_kept_as_the_stock_has_it(world: World) -> None:
    actor = world.producer()
    stock, lot = _stocked(world, actor), world.batch(actor)
    made = world.enter(world.client(actor), lot, "pesticide", **RIGHT | {"input_lot": "ｎ20250803"})
    assert made.status_code == 302, made.text
    record = _record(world)
    assert (record.stock_id, record.input_lot) == (stock, "N20250803")


def test_another_makers_lot_of_the_same_number_is_its_own(world: World) -> None:
    actor = world.producer()
    _stocked(world, actor)
    other = {"product_name": "代森锰锌", "registration_number": "PD20990002", "active_ingredient": "代森锰锌"}
    made = world.enter(world.client(actor), world.batch(actor), "pesticide", **RIGHT | other)
    assert made.status_code == 302, made.text
    assert _record(world).stock_id is None


@pytest.mark.parametrize("chosen", [True, False])
def test_what_has_expired_is_not_used_after_its_day(world: World, chosen: bool) -> None:
    actor = world.producer()
    stock, lot, client = _stocked(world, actor, expires_on="2025-09-14"), world.batch(actor), world.client(actor)
    values = RIGHT | ({"stock_id": str(stock)} if chosen else {})
    answer = world.enter(client, lot, "pesticide", **values)
    assert answer.status_code == 422
    assert "有效期至 2025-09-14，过期不能再用" in answer.text
    assert world.enter(client, lot, "pesticide", **values | {"happened_on": "2025-09-14"}).status_code == 302


def _by_api(world: World, actor: Actor, lot: int, **values: Any) -> Any:
    body = {name: value for name, value in values.items() if value}
    body |= {"type": "pesticide", "interval_days": int(body["interval_days"])} if "interval_days" in body else {}
    path = f"/api/v1/batches/{lot}/records"
    return world.client().post(path, json={"type": "pesticide"} | body, headers=world.token(actor, *TokenScope))


@pytest.mark.parametrize(("field", "typed"), [("registration_number", "PD20990002"), ("interval_days", "7")])
def test_the_api_refuses_what_the_stock_lot_says_otherwise(world: World, field: str, typed: str) -> None:
    actor = world.producer()
    _stocked(world, actor)
    answer = _by_api(world, actor, world.batch(actor), **RIGHT | {field: typed})
    assert answer.status_code == 422, answer.json
    assert "与库存里的批号 N20250803 不符" in answer.text
    assert _records(world) == 0


def test_the_api_takes_from_stock_by_the_lot_number_alone(world: World) -> None:
    actor = world.producer()
    stock = _stocked(world, actor)
    answer = _by_api(world, actor, world.batch(actor), **BARE, input_lot="N20250803")
    assert answer.status_code == 201, answer.json
    record = _record(world)
    assert (record.stock_id, record.product_name, record.interval_days) == (stock, PRODUCT["name"], 14)


OF_ANOTHER = {
    "product_name": "毒死蜱 40% 乳油",
    "active_ingredient": "毒死蜱",
    "registration_number": PRODUCT["registration_number"],
}


def test_a_number_that_is_another_products_is_refused_without_stock_too(world: World) -> None:
    actor = world.producer()
    assert world.client(actor).post("/inputs/new", data=PRODUCT).status_code == 302
    lot, client = world.batch(actor, lot_number="G-2"), world.client(actor)
    said = f"是“{PRODUCT['name']}”的"
    answer = world.enter(client, lot, "pesticide", **SPRAYED | OF_ANOTHER)
    assert answer.status_code == 422
    assert said in answer.text
    sent = _by_api(world, actor, lot, **SPRAYED | OF_ANOTHER)
    assert sent.status_code == 422
    assert said in sent.text
    row = {
        "农药名称": OF_ANOTHER["product_name"],
        "有效成分": "毒死蜱",
        "投入品批号": "",
        "登记证号": PRODUCT["registration_number"],
    }
    book = {"what": "ginger", "file": (io.BytesIO(_workbook("G-2", row)), "g.xlsx")}
    assert said in client.get(client.post("/workbooks", data=book).location).text
    assert _records(world) == 0
    # The same product under a name of its own is the same.
    same = SPRAYED | {"registration_number": PRODUCT["registration_number"], "product_name": "世高"}
    assert world.enter(client, lot, "pesticide", **same).status_code == 302


def _workbook(lot: str, *rows: dict[str, str]) -> bytes:
    headings = {
        "批次号": lot,
        "日期": "2025-09-15",
        "农药名称": PRODUCT["name"],
        "登记证号": "PD20150123",
        "有效成分": "苯醚甲环唑",
        "用量": "40",
        "单位": "克/亩",
        "操作人": "李大姐",
        "安全间隔期（天）": "14",
        "购自": "农资店",
        "投入品批号": "N20250803",
    }
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    sheet = book.add_worksheet("用药")
    sheet.write_row(0, 0, list(headings))
    for number, row in enumerate(rows, start=1):
        sheet.write_row(number, 0, list((headings | row).values()))
    book.close()
    return out.getvalue()


def test_an_import_refuses_it_with_its_cell(world: World) -> None:
    actor = world.producer()
    _stocked(world, actor, expires_on="2025-10-01")
    world.batch(actor, lot_number="G-1")
    data = _workbook(
        "G-1", {}, {"登记证号": "PD20990002"}, {"安全间隔期（天）": "7"}, {"日期": "2025-10-02"}, {"购自": ""}
    )
    client = world.client(actor)
    sent = client.post("/workbooks", data={"what": "ginger", "file": (io.BytesIO(data), "g.xlsx")})
    assert sent.status_code == 302, sent.text
    page = client.get(sent.location).text
    assert "库存是“PD20150123”" in page
    assert "库存是“14 天”" in page
    assert "过期不能再用" in page


class TestThePage:
    def test_choices_say_what_is_left_and_until_when_and_what_cannot_be_used_stands_last(self, world: World) -> None:
        actor = world.producer()
        stock = _stocked(world, actor)
        client, lot = world.client(actor), world.batch(actor)
        with world.app.app_context():
            product = db.session.get_one(StockLot, stock).product_id
        receipt = {"product_id": str(product), "supplier": "新店", "quantity": "3", "unit": "kg"}
        for number, received, until in (("OLD", "2026-01-01", "2026-02-01"), ("NEW", "2026-03-01", "2030-01-01")):
            days = {"lot_number": number, "received_on": received, "expires_on": until}
            assert client.post("/stock/new", data=receipt | days).status_code == 302
        assert world.enter(client, lot, "pesticide", **RIGHT | {"area_mu": "50"}).status_code == 302
        page = client.get(world.entry(lot, "pesticide")).text
        options = re.findall(r"<option[^>]*>([^<]*N20250803[^<]*|[^<]*NEW[^<]*|[^<]*OLD[^<]*)</option>", page)
        assert [re.search("NEW|N20250803|OLD", one)[0] for one in options] == ["NEW", "N20250803", "OLD"]
        assert "还剩 3 公斤 · 有效期至 2030-01-01" in options[0]
        assert "已用完" in options[1]
        assert "已过期（2026-02-01）" in options[2]
        assert 'data-dose="30–50 克/亩"' in page

    def test_what_was_used_last_is_offered_from_what_can_be_used_today(self, world: World) -> None:
        actor = world.producer()
        stock = _stocked(world, actor)
        client, lot = world.client(actor), world.batch(actor)
        with world.app.app_context():
            product = db.session.get_one(StockLot, stock).product_id
        assert world.enter(client, lot, "pesticide", **RIGHT).status_code == 302
        receipt = {"product_id": str(product), "supplier": "新店", "quantity": "3", "unit": "kg", "lot_number": "NEW"}
        days = {"received_on": "2026-03-01", "expires_on": f"{today().year + 2}-01-01"}
        assert client.post("/stock/new", data=receipt | days).status_code == 302
        page = client.get(world.entry(lot, "pesticide")).text
        assert re.search(r'name="input_lot"[^>]*value="NEW"', page)
        assert re.search(r'name="source"[^>]*value="新店"', page)

    @pytest.mark.parametrize("code", ["PD20150123", " pd2015-0123 ", PACK, f"https://nyfx.example/?c={PACK}"])
    def test_a_bottles_code_or_its_registration_number_finds_the_product(self, world: World, code: str) -> None:
        actor = world.producer()
        client = world.client(actor)
        assert client.post("/inputs/new", data=PRODUCT).status_code == 302
        answer = client.get("/field/ginger/pesticide/input", query_string={"code": code})
        assert answer.json["found"]["fills"] == {
            "product_name": PRODUCT["name"],
            "registration_number": "PD20150123",
            "active_ingredient": "苯醚甲环唑",
            "interval_days": "14",
        }
        assert answer.json["found"]["unit"] == "g_per_mu"
        other = world.client(world.producer())
        assert other.get("/field/ginger/pesticide/input", query_string={"code": code}).json == {"found": None}
