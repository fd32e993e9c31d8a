import html
import threading

import pytest

from tests.world import Actor, World
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product
from trace_app.extensions import db
from trace_app.lists import PER_PAGE


def _form(world: World, actor: Actor, **facts: str) -> dict[str, str]:
    return {
        "product_id": str(world.product(actor, name="小黄姜")),
        "site_id": str(world.site(actor)),
        "lot_number": "LP-J-2025-0417",
        "quantity": "8600",
        "unit": "kg",
        "started_on": "2025-03-12",
        "produced_on": "",
        "best_before": "",
        **facts,
    }


def _batch(world: World, batch_id: int) -> Batch:
    with world.app.app_context():
        batch = db.session.get_one(Batch, batch_id)
        _ = batch.revisions
        return batch


def test_a_producer_registers_a_batch_as_a_draft(world: World) -> None:
    actor = world.producer()
    client = world.client(actor)
    made = client.post("/batches/new", data=_form(world, actor))
    page = client.get(made.location).text
    assert "LP-J-2025-0417" in page
    assert "草稿" in page
    assert "曲靖市罗平县板桥镇" in page
    assert "24.88520, 104.30860" in page


def test_the_form_offers_a_lot_number_that_is_free(world: World) -> None:
    actor = world.producer()
    client = world.client(actor)
    first = client.get("/batches/new").text
    assert "登记第一批" in first
    form = _form(world, actor)
    offered = client.get("/batches/new").text.split('id="lot_number"')[1].split('value="')[1].split('"')[0]
    client.post("/batches/new", data=form | {"lot_number": offered})
    assert f'value="{offered}"' not in client.get("/batches/new").text


def test_numbers_and_dates_are_read_as_people_type_them(world: World) -> None:
    actor = world.producer()
    made = world.client(actor).post(
        "/batches/new", data=_form(world, actor, quantity=" ８,６００.５ ", started_on="2025/3/12")
    )
    batch = _batch(world, int(made.location.rsplit("/", 1)[1]))
    assert str(batch.quantity) == "8600.500"
    assert batch.started_on.isoformat() == "2025-03-12"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lot_number": ""}, "请填写此项"),
        ({"lot_number": "a b/c"}, "不能含空格"),
        ({"quantity": "很多"}, "请填写数字"),
        ({"quantity": "0"}, "须在"),
        ({"quantity": "NaN"}, "请填写数字"),
        ({"unit": "leg"}, "不"),
        ({"started_on": "去年"}, "请填写日期"),
        ({"started_on": "2999-01-01"}, "不能晚于今天"),
        ({"produced_on": "2025-01-01"}, "不能早于开始日期"),
        ({"best_before": "2025-01-01"}, "不能早于生产日期"),
        ({"product_id": "999999"}, "还没有保存"),
        ({"site_id": "x"}, "还没有保存"),
    ],
)
def test_a_wrong_entry_comes_back_with_all_that_was_typed(world: World, change: dict[str, str], message: str) -> None:
    actor = world.producer()
    answer = world.client(actor).post("/batches/new", data=_form(world, actor, lot_number="KEPT-1") | change)
    assert answer.status_code == 422
    assert message in answer.text
    if "lot_number" not in change:
        assert 'value="KEPT-1"' in answer.text
    if "started_on" not in change:
        assert 'value="2025-03-12"' in answer.text


def test_a_lot_number_is_unique_for_each_producer_only(world: World) -> None:
    one, other = world.producer(), world.producer()
    client = world.client(one)
    form = _form(world, one)
    assert client.post("/batches/new", data=form).status_code == 302
    again = client.post("/batches/new", data=form)
    assert again.status_code == 422
    assert "“LP-J-2025-0417”已登记过" in again.text
    assert world.client(other).post("/batches/new", data=_form(world, other)).status_code == 302


def test_a_producer_cannot_use_anothers_product_or_site(world: World) -> None:
    one, other = world.producer(), world.producer()
    theirs = _form(world, other)
    form = _form(world, one)
    assert world.client(one).post("/batches/new", data=form | {"site_id": theirs["site_id"]}).status_code == 422
    assert world.client(one).post("/batches/new", data=form | {"product_id": theirs["product_id"]}).status_code == 422


class TestList:
    def test_a_lot_number_is_one_however_it_is_typed(self, world: World) -> None:
        actor = world.producer()
        client = world.client(actor)
        form = _form(world, actor)
        assert client.post("/batches/new", data=form | {"lot_number": " A\u200b1\x07\t"}).status_code == 302
        with world.app.app_context():
            assert db.session.scalars(db.select(Batch.lot_number)).all() == ["A1"]
        for same in ("A1", "A\u200b1", "\u202eA1", "A\ue0001"):
            again = client.post("/batches/new", data=form | {"lot_number": same})
            assert again.status_code == 422, same
            assert "已登记过" in again.text

    def test_a_name_has_one_blank_where_several_were_typed(self, world: World) -> None:
        client = world.client(world.producer())
        form = {"kind_code": "ginger", "name": " 小 \t 黄\u200b  姜\u3000片 ", "net_content": "500 克"}
        assert client.post("/products/new", data=form).status_code == 302
        with world.app.app_context():
            assert db.session.scalars(db.select(Product.name)).all() == ["小 黄 姜 片"]

    def test_a_producer_sees_only_its_own(self, world: World) -> None:
        one, other = world.producer(), world.producer()
        world.batch(one, lot_number="MINE-1")
        foreign = world.batch(other, lot_number="THEIRS-1")
        client = world.client(one)
        page = client.get("/batches").text
        assert "MINE-1" in page
        assert "THEIRS-1" not in page
        for path in ("", "/edit", "/correct", "/labels"):
            assert client.get(f"/batches/{foreign}{path}").status_code == 404
        for path in ("/release", "/close"):
            assert client.post(f"/batches/{foreign}{path}").status_code == 404

    def test_a_regulator_sees_its_jurisdiction_and_no_more(self, world: World) -> None:
        luoping, shizong = world.producer("530324102"), world.producer("530323203")
        inside = world.batch(luoping, lot_number="LUOPING-1")
        outside = world.batch(shizong, division="530323203", lot_number="SHIZONG-1")
        county, city = world.client(world.regulator("530324")), world.client(world.regulator("530300"))
        assert "LUOPING-1" in county.get("/batches").text
        assert "SHIZONG-1" not in county.get("/batches").text
        assert "SHIZONG-1" in city.get("/batches").text
        assert county.get(f"/batches/{inside}").status_code == 200
        assert county.get(f"/batches/{outside}").status_code == 404
        assert county.get(f"/batches/{outside}/recall").status_code == 404

    def test_search_finds_by_part_of_lot_product_and_producer(self, world: World) -> None:
        actor = world.producer(name="板桥姜业")
        world.batch(actor, lot_number="A_1", product_name="老姜")
        world.batch(actor, lot_number="AB1", product_name="嫩姜")
        client = world.client(actor)
        assert [lot in client.get("/batches?q=A_").text for lot in ("A_1", "AB1")] == [True, False]
        assert [lot in client.get("/batches?q=嫩").text for lot in ("A_1", "AB1")] == [False, True]
        assert "AB1" in client.get("/batches?q=ab1").text
        assert "A_1" in world.client(world.regulator()).get("/batches?q=板桥姜").text
        assert "没有符合条件的" in client.get("/batches?q=zzz").text

    def test_filters_by_state_and_kind_and_ignores_nonsense(self, world: World) -> None:
        actor = world.producer()
        world.batch(actor, lot_number="DRAFT-1")
        world.released(actor, "honey", lot_number="RELEASED-1")
        client = world.client(actor)
        shown = {
            query: ["DRAFT-1" in page, "RELEASED-1" in page]
            for query in ("state=draft", "state=released", "kind=honey", "state=recalled", "state=nonsense&page=x")
            if (page := client.get(f"/batches?{query}").text)
        }
        assert shown == {
            "state=draft": [True, False],
            "state=released": [False, True],
            "kind=honey": [False, True],
            "state=recalled": [False, False],
            "state=nonsense&page=x": [True, True],
        }

    def test_a_long_list_comes_in_pages_that_keep_the_filter(self, world: World) -> None:
        actor = world.producer()
        product, site = world.product(actor), world.site(actor)
        for number in range(PER_PAGE + 3):
            world.batch(actor, product_id=product, site_id=site, lot_number=f"P-{number:02d}")
        client = world.client(actor)
        first = client.get("/batches?state=draft").text
        assert f"P-{PER_PAGE + 2}" in first
        assert "P-00" not in first
        way = html.unescape(first.split("下一页")[0].rsplit('href="', 1)[1].split('"')[0])
        assert "state=draft" in way
        assert "P-00" in client.get(way).text


class TestLifeCycle:
    def test_a_draft_is_edited_then_released_then_closed(self, world: World) -> None:
        actor = world.producer()
        batch_id = world.batch(actor, lot_number="CYCLE-1", produced_on="")
        client = world.client(actor)
        refused = client.post(f"/batches/{batch_id}/release")
        assert refused.status_code == 409
        assert "还没有填写采收或生产日期" in refused.text
        form = _form(world, actor, lot_number="CYCLE-2", produced_on="2025-11-06")
        assert client.post(f"/batches/{batch_id}/edit", data=form).status_code == 302
        refused = client.post(f"/batches/{batch_id}/release")
        assert "还没有“生产过程”的记录" in refused.text
        world.complete(actor, batch_id)
        assert client.post(f"/batches/{batch_id}/release").status_code == 302
        assert _batch(world, batch_id).state == "released"
        assert client.post(f"/batches/{batch_id}/close").status_code == 302
        assert _batch(world, batch_id).state == "closed"
        assert client.get(world.entry(batch_id, "care")).status_code == 200
        late = world.enter(client, batch_id, "care", **({"happened_on": "2025-11-07", "note": "迟了"}))
        assert late.status_code == 422
        assert "已结束" in late.text

    def test_a_released_batch_is_corrected_by_a_new_version_with_its_reason(self, world: World) -> None:
        actor = world.producer()
        batch_id = world.released(actor, lot_number="V-1")
        client = world.client(actor)
        form = _form(world, actor, lot_number="V-1", quantity="8000", produced_on="2025-11-06")
        edited = client.post(f"/batches/{batch_id}/edit", data=form)
        assert "不能直接修改" in edited.text
        assert client.post(f"/batches/{batch_id}/correct", data=form).status_code == 422
        assert client.post(f"/batches/{batch_id}/correct", data=form | {"reason": "复称"}).status_code == 302
        batch = _batch(world, batch_id)
        assert [(r.number, r.facts["quantity"], r.reason) for r in batch.revisions] == [
            (1, "8600.000", ""),
            (2, "8000", "复称"),
        ]
        page = client.get(f"/batches/{batch_id}").text
        assert "复称" in page
        assert "更正了" in page

    def test_a_release_inside_the_pre_harvest_interval_is_refused(self, world: World) -> None:
        from tests.world import HARVESTED, SPRAYED

        actor = world.producer()
        batch_id = world.batch(actor)
        world.record(actor, batch_id, "pesticide", **SPRAYED | {"happened_on": "2025-11-01"})
        world.record(actor, batch_id, "stage", "harvest", **HARVESTED)
        answer = world.client(actor).post(f"/batches/{batch_id}/release")
        assert answer.status_code == 409
        assert "5 天后即采收或屠宰，须满 14 天" in answer.text
        assert _batch(world, batch_id).state == "draft"

    def test_two_who_release_at_once_make_one_release(self, world: World) -> None:
        actor = world.producer()
        batch_id = world.batch(actor)
        world.complete(actor, batch_id)
        clients = [world.client(actor) for _ in range(4)]
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda c=client: answers.append(c.post(f"/batches/{batch_id}/release").status_code))
            for client in clients
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [302, 409, 409, 409]
        assert len(_batch(world, batch_id).revisions) == 1


class TestFreshness:
    """The version goes up with whatever the trace page shows."""

    def test_with_its_records_and_its_own_facts(self, world: World) -> None:
        actor = world.producer()
        batch_id = world.released(actor)
        versions = [world.version(batch_id)]
        world.record(actor, batch_id)
        versions.append(world.version(batch_id))
        world.recall(world.regulator(), batch_id)
        versions.append(world.version(batch_id))
        assert versions[0] < versions[1] < versions[2]

    def test_with_product_site_and_producer_but_not_with_those_of_others(self, world: World) -> None:
        from trace_app.accounts.models import Organisation
        from trace_app.catalogue.models import Product, Site

        actor, other = world.producer(), world.producer()
        batch_id, foreign = world.released(actor), world.released(other)
        batch, before = _batch(world, batch_id), world.version(foreign)
        for model, key in ((Product, batch.product_id), (Site, batch.site_id), (Organisation, batch.producer_id)):
            version = world.version(batch_id)
            with world.writing():
                db.session.get_one(model, key).name += "（改名）"
            assert world.version(batch_id) > version
        assert world.version(foreign) == before

    def test_not_when_what_was_written_is_rolled_back(self, world: World) -> None:
        actor = world.producer()
        batch_id = world.released(actor)
        before = world.version(batch_id)

        def fail_half_way() -> None:
            with world.writing():
                db.session.get_one(Batch, batch_id).quantity += 1
                db.session.flush()
                raise RuntimeError

        with pytest.raises(RuntimeError):
            fail_half_way()
        assert world.version(batch_id) == before
