"""Provinces and cities of all of China: where goods go, where buyers and laboratories sit, who watches over whom."""

import csv
import io

import pytest
import xlsxwriter

from tests.trace_app.test_shipping import FORM
from tests.world import Actor, World
from trace_app.accounts.access import HOME, division_prefix
from trace_app.accounts.models import Division, Organisation
from trace_app.accounts.places import place_in_address, region_names
from trace_app.catalogue import service as catalogue
from trace_app.extensions import db
from trace_app.flow.shipments.models import Consignee, Shipment

pytestmark = pytest.mark.either_database

ORGANISATION = {
    "name": "外地单位",
    "phone": "021-12345678",
    "credit_code": "",
    "jurisdiction_code": "",
    "gs1_prefix": "",
}


def _place_sent_to(world: World, **values: str) -> str | None:
    grower = world.producer()
    lot = world.released(grower)
    answer = world.client(grower).post("/shipments/new", data=FORM | {f"q-{lot}": "1"} | values)
    assert answer.status_code == 302, answer.text
    with world.app.app_context():
        return db.session.get_one(Shipment, int(answer.location.rsplit("/", 1)[1])).consignee_division_code


def test_every_province_and_city_has_a_name_in_both_languages_and_a_parent_that_is_there(world: World) -> None:
    with world.app.app_context():
        rows = {row.code: row for row in db.session.scalars(db.select(Division))}
    assert len([row for row in rows.values() if row.level == "province"]) == 34
    assert len([row for row in rows.values() if row.level == "city"]) > 330
    for row in rows.values():
        assert row.name_en.strip(), row.name
        assert not any("\u4e00" <= character <= "\u9fff" for character in row.name_en), row.name_en
        assert (row.parent_code is None) == (row.level == "province"), row.name
        assert row.parent_code is None or row.parent_code in rows, row.name


def test_loading_the_list_again_changes_nothing_and_mends_what_was_changed(world: World) -> None:
    with world.writing():
        db.session.get_one(Division, "530100").name = "别的名字"
    with world.writing():
        before = db.session.scalar(db.select(db.func.count()).select_from(Division))
        catalogue.load_divisions()
        assert db.session.scalar(db.select(db.func.count()).select_from(Division)) == before
        assert db.session.get_one(Division, "530100").name == "昆明市"


def test_goods_can_be_sent_to_any_city_of_china(world: World) -> None:
    page = world.client(world.producer()).get("/shipments/new").text
    assert '<optgroup label="云南省">' in page
    assert page.index("罗平县") < page.index("昆明市") < page.index("石家庄市")
    assert _place_sent_to(world, division_code="440300") == "440300"
    assert _place_sent_to(world, division_code="310000") == "310000"
    assert _place_sent_to(world, division_code="", address="某路 1 号") is None


def test_a_place_that_is_none_is_told_beside_its_field(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower)
    answer = world.client(grower).post(
        "/shipments/new", data=FORM | {f"q-{lot}": "1", "division_code": "999900", "address": "某路 1 号"}
    )
    assert answer.status_code == 422
    assert 'id="division_code-error"' in answer.text
    assert "某路 1 号" in answer.text


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("上海市示例路 99 号", "310000"),
        ("上海浦东新区示例路 9 号", "310000"),
        ("云南省昆明市盘龙区示例街", "530100"),
        ("云南昆明市盘龙区", "530100"),
        ("昆明市盘龙区示例街", "530100"),
        ("中国 云南省 曲靖市 罗平县 板桥镇", "530324"),
        ("曲靖市麒麟区示例路", "530302"),
        ("罗平县示例菜市场", "530324"),
        ("广东省某地", "440000"),
        ("湖北省仙桃市某街", "429004"),
        ("吉林省吉林市某街", "220200"),
        ("新疆维吾尔自治区石河子市", "659001"),
        ("海南藏族自治州共和县", "632500"),
        ("云南路 8 号", None),
        ("北京路 8 号", None),
        ("上海西路街道东区", None),
        ("昆明山货行", None),
        ("", None),
    ],
)
def test_an_address_says_its_place_only_beyond_doubt(world: World, address: str, code: str | None) -> None:
    with world.app.app_context():
        assert place_in_address(address) == code


def test_the_place_follows_from_the_address_and_from_no_other(world: World) -> None:
    assert _place_sent_to(world, division_code="", address="四川省成都市示例街 1 号") == "510100"
    grower = world.producer()
    lot = world.released(grower)
    client = world.client(grower)
    for address in ("四川省成都市示例街 1 号", "不知何处 2 号"):
        data = FORM | {f"q-{lot}": "1", "division_code": "", "address": address}
        assert client.post("/shipments/new", data=data).status_code == 302
    with world.app.app_context():
        query = db.select(Shipment.consignee_division_code).filter_by(sender_id=grower.organisation_id)
        assert list(db.session.scalars(query.order_by(Shipment.id))) == ["510100", None]
        assert db.session.scalars(db.select(Consignee).filter_by(sender_id=grower.organisation_id)).one().name


def test_an_order_list_takes_the_place_from_its_addresses(world: World) -> None:
    grower = world.producer()
    world.released(grower, lot_number="ORD-1", quantity="100")
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        sheet = book.add_worksheet("订单")
        sheet.write_row(0, 0, ["平台", "订单号", "收货人", "电话", "地址", "批次号", "数量", "发货日期"])
        sheet.write_row(1, 0, ["淘宝", "T1", "王先生", "13900000000", "浙江省杭州市某街", "ORD-1", "2", "2026-11-01"])
    client = world.client(grower)
    answer = client.post("/workbooks", data={"what": "orders", "file": (io.BytesIO(out.getvalue()), "orders.xlsx")})
    assert answer.status_code == 302, answer.text
    assert client.post(answer.location + "/all").status_code == 302
    with world.app.app_context():
        assert db.session.scalars(db.select(Shipment)).one().consignee_division_code == "330100"


@pytest.mark.parametrize("kind", ["buyer", "laboratory"])
def test_the_city_registers_buyers_and_laboratories_of_elsewhere(world: World, kind: str) -> None:
    city, county = world.client(world.administrator()), world.client(world.administrator("530324"))
    data = ORGANISATION | {"kind": kind, "division_code": "310000"}
    assert county.post("/admin/organisations/new", data=data).status_code == 422
    answer = city.post("/admin/organisations/new", data=data)
    assert answer.status_code == 302, answer.text
    assert "上海市" in city.get(answer.location).text
    assert county.get(answer.location).status_code == 404
    assert "外地单位" in city.get("/admin").text
    assert "外地单位" not in county.get("/admin").text
    edited = city.post(answer.location + "/edit", data=data | {"division_code": "530100"})
    assert edited.status_code == 302


@pytest.mark.parametrize("kind", ["producer", "regulator"])
def test_producers_and_authorities_are_of_qujing(world: World, kind: str) -> None:
    codes = {"credit_code": "91530324MA6N0000XX", "jurisdiction_code": "530324"}
    data = ORGANISATION | codes | {"kind": kind, "division_code": "310000"}
    answer = world.client(world.administrator()).post("/admin/organisations/new", data=data)
    assert answer.status_code in (403, 422)
    with world.app.app_context():
        assert db.session.scalar(db.select(Organisation).filter_by(name="外地单位")) is None


@pytest.mark.parametrize(
    ("jurisdiction", "prefix"), [("530000", "53"), ("530300", HOME), ("530324", "530324"), ("530324102", "530324102")]
)
def test_a_jurisdiction_covers_all_that_lies_in_it(world: World, jurisdiction: str, prefix: str) -> None:
    assert division_prefix(jurisdiction) == prefix
    grower = world.producer("530324102")
    lot = world.released(grower, division="530324102")
    assert world.client(world.regulator(jurisdiction)).get(f"/batches/{lot}").status_code == 200


@pytest.mark.parametrize("jurisdiction", ["530100", "540000", "530302", "530323"])
def test_a_jurisdiction_covers_nothing_beside_it(world: World, jurisdiction: str) -> None:
    lot = world.released(world.producer())
    assert world.client(world.regulator(jurisdiction)).get(f"/batches/{lot}").status_code == 404


def test_another_citys_authority_keeps_no_tables_of_this_one(world: World) -> None:
    other: Actor = world.administrator("530100")
    assert world.client(other).get("/admin/kinds").status_code == 403


def test_sites_and_the_scope_of_a_recall_stay_within_qujing(world: World) -> None:
    producer, city = world.client(world.producer()), world.client(world.regulator("530300"))
    for page in (producer.get("/sites/new"), city.get("/recalls/scope")):
        assert "罗平县" in page.text
        assert "昆明市" not in page.text


def test_regions_are_named_by_province_and_city(world: World) -> None:
    with world.app.test_request_context(headers={"Accept-Language": "zh"}):
        assert region_names(["530324", "530302", "530100", "310000", "429004"]) == [
            "上海市",
            "湖北省（仙桃市）",
            "云南省（昆明市、曲靖市）",
        ]
    with world.app.test_request_context(headers={"Accept-Language": "en"}):
        assert region_names(["530100", "310000"]) == ["Shanghai", "Yunnan (Kunming City)"]


def test_the_list_names_its_source_and_year() -> None:
    readme = (catalogue.REFERENCE / "README.md").read_text("utf-8")
    assert "2023" in readme
    with (catalogue.REFERENCE / "divisions_china.csv").open(encoding="utf-8", newline="") as file:
        codes = [row["code"] for row in csv.DictReader(file)]
    assert len(codes) == len(set(codes))
    assert not [code for code in codes if code.startswith(HOME)]
