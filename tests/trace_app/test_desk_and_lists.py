"""The desk says what its lists hold, searches what people know, and the scope form tells what is wrong with it."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from tests.world import SPRAYED, World
from trace_app.accounts.models import Organisation
from trace_app.demo import build
from trace_app.extensions import db

pytestmark = pytest.mark.either_database

COUNT = re.compile(r"<b[^>]*>(\d+)</b>\s*<small>(?:<a[^>]*href=\"([^\"]+)\"[^>]*>)?([^<]+)")
ROW = re.compile(r'<a href="/findings/\d+">')


def _signed_in(app: Flask, username: str):
    client = app.test_client()
    assert client.post("/login", data={"email": username, "password": build.PASSWORD}).status_code == 302
    return client


def _section(page: str, heading: str) -> int:
    """How many rows stand under a heading of the desk."""
    parts = re.split(r"<h2>([^<]+)</h2>", page)
    text = dict(zip(parts[1::2], parts[2::2], strict=True)).get(heading, "")
    return len(re.findall(r"<b>\d{6}-|<tr>\s*<td>", text))


@pytest.mark.parametrize("username", ["luoping", "shizong", "qujing", "xuanwei"])
def test_every_number_on_the_desk_is_that_of_its_list(demo: Flask, username: str) -> None:
    client = _signed_in(demo, username)
    page = client.get("/desk").text
    counts = {name.strip(): (int(number), link) for number, link, name in COUNT.findall(page)}
    assert set(counts) == {"等待批准", "进行中的召回", "逾期任务", "暂停销售", "演练", "未处理的预警"}
    for name, (number, link) in counts.items():
        if link:
            listed, address = 0, link.replace("&amp;", "&")
            while address:
                text = client.get(address).text
                listed += len(ROW.findall(text))
                following = re.search(r'href="([^"]+)" rel="next"', text)
                address = following[1].replace("&amp;", "&") if following else ""
            assert listed == number, name
        else:
            assert _section(page, name) == number, name


@pytest.mark.parametrize("username", ["luoping", "shizong", "banqiao"])
def test_the_number_beside_feedback_is_that_of_what_is_open(demo: Flask, username: str) -> None:
    page = _signed_in(demo, username).get("/feedback?open=1").text
    said = re.search(r">\s*反馈(?: (\d+))?\s*</a>", page)
    assert said
    assert len(re.findall(r'href="/feedback/\d+"', page)) == int(said[1] or 0)


def test_warnings_of_every_severity_can_be_asked_for(demo: Flask) -> None:
    client = _signed_in(demo, "qujing")
    page = client.get("/findings").text
    assert '<option value="all">全部程度</option>' in page
    everything, usual = (len(ROW.findall(client.get(f"/findings{query}").text)) for query in ("?severity=all", ""))
    hints = len(ROW.findall(client.get("/findings?severity=info").text))
    assert hints
    assert everything == usual + hints


def test_one_character_says_what_to_do(world: World) -> None:
    client = world.client(world.regulator())
    assert "请至少输入两个字" in client.get("/desk?q=姜").text
    assert "请至少输入两个字" in client.get("/desk/search?q=姜").text


@pytest.mark.parametrize("typed", ["3号", "3 号", "3号地块", "3 号地块"])
def test_a_site_is_found_with_or_without_spaces(world: World, typed: str) -> None:
    world.site(world.producer(), name="3 号地块")
    assert "3 号地块</b>" in world.client(world.regulator()).get("/desk/search", query_string={"q": typed}).text


@pytest.mark.parametrize("typed", ["08741234567", "0874-1234567", "1234567", "0874 1234567"])
def test_a_telephone_number_finds_who_has_it(world: World, typed: str) -> None:
    grower = world.producer(name="有电话的合作社", phone="0874-1234567")
    lot = world.released(grower)
    shipment = {
        "consignee": "有电话的店",
        "phone": "0874-1234567",
        "departed_at": "2026-11-20T08:30",
        f"q-{lot}": "1",
    }
    assert world.client(grower).post("/shipments/new", data=shipment).status_code == 302
    page = world.client(world.regulator()).get("/desk/search", query_string={"q": typed}).text
    assert "有电话的合作社" in page
    assert "有电话的店" in page
    other = world.client(world.regulator("530381")).get("/desk/search", query_string={"q": typed}).text
    assert "有电话的合作社" not in other
    assert "有电话的店" not in other


def test_an_active_ingredient_leads_to_the_lots_it_was_used_on(world: World) -> None:
    grower, client = world.producer(), world.client(world.regulator())
    lot = world.batch(grower, lot_number="ING-1")
    world.record(grower, lot, "pesticide", **SPRAYED | {"active_ingredient": "毒死蜱"})
    page = client.get("/desk/search?q=毒死蜱").text
    found = re.search(r'href="(/recalls/scope\?ingredient=[^"]+)"', page)
    assert found
    assert "ING-1" in client.get(found[1]).text


def test_an_ingredient_does_not_reach_another_in_whose_name_it_stands_unless_asked(world: World) -> None:
    grower, client = world.producer(), world.client(world.regulator())
    drugs = {
        "ING-A": "多菌灵 50%",
        "ING-B": "福美双、多菌灵",
        "ING-C": "甲基多菌灵",
        "ING-D": "多菌灵盐酸盐",
        "ING-E": "多菌灵可湿性粉剂",
        "ING-F": "苯醚甲环唑",
    }
    for number, drug in drugs.items():
        changed = {"active_ingredient": drug, "product_name": "某药", "registration_number": "PD20990003"}
        world.record(grower, world.batch(grower, lot_number=number), "pesticide", **SPRAYED | changed)
    page = client.get("/recalls/scope?ingredient=多菌灵").text
    assert [number for number in drugs if number in page] == ["ING-A", "ING-B", "ING-D", "ING-E"]
    assert "名称相近的有效成分：甲基多菌灵" in page
    nothing = client.get("/recalls/scope?ingredient=甲环唑")
    assert nothing.status_code == 422
    assert "名称相近的有效成分：苯醚甲环唑" in nothing.text
    asked = client.get("/recalls/scope?ingredient=多菌灵&ingredient_within=y").text
    assert [number for number in drugs if number in asked] == ["ING-A", "ING-B", "ING-C", "ING-D", "ING-E"]
    assert "名称相近" not in asked
    assert 'name="ingredient_within" value="True"' in asked
    searched = client.get("/stock/trace?q=多菌灵").text
    assert [number for number in drugs if number in searched] == ["ING-A", "ING-B", "ING-D", "ING-E"]


def test_what_stands_on_the_label_of_the_stock_is_found_too(world: World) -> None:
    grower, client = world.producer(), world.client(world.regulator())
    mine = world.client(grower)
    label = {"type": "pesticide", "name": "神药", "registration_number": "PD20990009", "ingredients": "氧乐果 40%",
             "interval_days": "14", "dose_min": "20", "dose_max": "40", "dose_unit": "g_per_mu"}  # fmt: skip
    product = mine.post("/inputs/new", data=label).location.rsplit("/", 1)[1]
    stock = {"product_id": product, "lot_number": "N1", "supplier": "店", "received_on": "2025-01-05", "quantity": "10",
             "unit": "kg"}  # fmt: skip
    assert mine.post("/stock/new", data=stock).status_code == 302
    lot = world.batch(grower, lot_number="LBL-1")
    used = {
        "product_name": "神药",
        "registration_number": "PD20990009",
        "input_lot": "N1",
        "active_ingredient": "印楝素",
    }
    world.record(grower, lot, "pesticide", **SPRAYED | used)
    for ingredient in ("氧乐果", "印楝素"):
        assert "LBL-1" in client.get(f"/recalls/scope?ingredient={ingredient}").text


def test_a_report_a_shipment_and_a_registration_are_found_by_their_numbers(world: World) -> None:
    grower = world.producer()
    lot = world.released(grower, lot_number="NUM-1")
    client, mine = world.client(world.regulator()), world.client(grower)
    elsewhere = world.client(world.regulator("530381"))
    report = {
        "report_number": "SL-2026-77", "laboratory": "某检测中心", "kind": "commissioned", "sampled_on": "2025-11-07",
        "issued_on": "2025-11-09", "line-analyte": "铅", "line-method": "", "line-result": "0.01", "line-unit": "mg/kg",
    }  # fmt: skip
    assert mine.post(f"/batches/{lot}/tests/new", data=report).status_code == 302
    sent = {"consignee": "一家店", "departed_at": "2026-11-20T08:30", f"q-{lot}": "1"}
    shipment = mine.post("/shipments/new", data=sent)
    assert shipment.status_code == 302
    number = re.search(r"<h1>[^<]*?([A-Z0-9][A-Z0-9-]{5,})", mine.get(shipment.location).text)
    assert number
    for typed, link in (("SL-2026", "/laboratory/reports/"), (number[1].lower()[:8], shipment.location)):
        page = client.get("/desk/search", query_string={"q": typed}).text
        found = re.search(rf'href="({link}[^"]*)"', page)
        assert found, (typed, page)
        assert client.get(found[1]).status_code == 200
        assert link not in elsewhere.get("/desk/search", query_string={"q": typed}).text


@pytest.mark.parametrize("kind", ["recall", "hold"])
def test_an_officer_of_another_county_meets_no_dead_link_to_a_case_with_its_lots(world: World, kind: str) -> None:
    ham_works, bakery = world.producer("530381001"), world.producer("530324001")
    _ham, code = world.labelled(ham_works, "ham", division="530381001", lot_number="HAM-1")
    cakes = world.batch(bakery, "ham_mooncake", "530324001", lot_number="CAKE-1")
    used = {"code": code, "quantity": "1", "happened_on": "2025-11-07"}
    assert world.client(bakery).post(f"/batches/{cakes}/genealogy", data=used).status_code == 302
    notice = {"lots": "HAM-1", "count": "2", "reason": "镉超标", "advice": "停止食用"}
    more = {"kind": "hold"} if kind == "hold" else {"level": "2"}
    answer = world.client(world.regulator("530381")).post("/recalls/scope", data=notice | more)
    number = answer.location.split("/")[2]
    client = world.client(world.regulator("530324"))
    for path in (f"/batches/{cakes}", "/desk", f"/desk?q={number}", f"/desk/search?q={number}"):
        page = client.get(path).text
        assert number in page, path
        assert "没有找到" not in page
        for link in re.findall(rf'href="([^"]*{number}[^"]*)"', page):
            assert client.get(link, follow_redirects=True).status_code == 200, link
    public = client.get(f"/recalls/{number}/manage", follow_redirects=True)
    assert public.status_code == (200 if kind == "recall" else 404)


def test_reversed_dates_are_told_as_such(world: World) -> None:
    world.released(world.producer())
    answer = world.client(world.regulator()).get("/recalls/scope?kind_code=ginger&begins=2026-11-01&ends=2026-01-01")
    assert answer.status_code == 422
    assert "日期颠倒了" in answer.text
    assert 'id="ends-error"' in answer.text
    assert "没有批次符合" not in answer.text
    assert 'value="2026-11-01"' in answer.text


def test_a_scope_sent_empty_says_so(world: World) -> None:
    client = world.client(world.regulator())
    assert "请至少填写一项" not in client.get("/recalls/scope").text
    answer = client.get("/recalls/scope?lots=&input_lot=&kind_code=&begins=&ends=&area=")
    assert answer.status_code == 422
    assert "请至少填写一项" in answer.text


@pytest.mark.parametrize(("language", "name"), [("zh", "罗平"), ("en", "Luoping")])
def test_the_map_of_a_scope_shows_the_counties(world: World, language: str, name: str) -> None:
    grower = world.producer()
    world.site(grower)
    page = world.client(world.regulator(), language=language).get("/recalls/scope").text
    assert page.count('<polygon class="county"') == 9
    assert re.search(rf'<text class="county-name"[^>]*>{name}</text>', page)
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', page.split('id="area-map"')[1])
    seat = re.search(rf'<text class="county-name" x="([\d.-]+)"\s+y="([\d.-]+)"[^>]*>{name}', page)
    assert box
    assert seat
    assert 0 < float(seat[1]) < float(box[1])
    assert 0 < float(seat[2]) < float(box[2])
    with world.app.app_context():
        assert db.session.get_one(Organisation, grower.organisation_id).division_code == "530324102"
