"""A record that nobody has relied on is withdrawn; what others relied on is corrected."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.trace_app.test_inputs import STOCK, TAKEN, _stocked
from tests.world import SPRAYED, Actor, World
from trace_app.extensions import db

WHY = {"reason": "记错批次了"}


def _found(world: World, actor: Actor, lot: int) -> set[str]:
    """The rules that have something to say of a lot."""
    answer = world.client().get(f"/api/v1/batches/{lot}/findings", headers=world.token(actor))
    return {one["rule"] for one in answer.json["items"]}


def test_a_withdrawn_record_stays_marked_and_counts_no_more(world: World) -> None:
    actor = world.producer()
    lot = world.batch(actor, produced_on="2025-09-20")
    record = world.record(actor, lot, "pesticide", **SPRAYED)
    client = world.client(actor)
    assert "interval" in _found(world, actor, lot)
    before = world.version(lot)
    assert client.post(f"/records/{record}/withdraw", data=WHY).status_code == 302
    assert world.version(lot) > before
    page = client.get(f"/batches/{lot}").text
    assert "interval" not in _found(world, actor, lot)
    assert "已撤回：记错批次了" in page
    assert "撤回了一条记录" in page
    story = client.get(f"/records/{record}").text
    assert "记错批次了" in story
    assert f"/records/{record}/withdraw" not in story
    told = world.client().get(f"/api/v1/batches/{lot}/records", headers=world.token(actor)).json
    assert [one["withdrawn"] for one in told["items"]] == ["记错批次了"]


def test_it_is_no_longer_offered_again_or_counted_in_stock_and_recalls(world: World) -> None:
    actor = world.producer()
    stock, lot, client = _stocked(world, actor), world.batch(actor, lot_number="BACK-1"), world.client(actor)
    record = world.record(actor, lot, "pesticide", **TAKEN | {"target": "叶斑病七号"})
    assert "1.68" in client.get(f"/stock/{stock}").text
    assert "叶斑病七号" in client.get(world.entry(lot, "pesticide")).text
    officer, scope = world.client(world.regulator()), f"/recalls/scope?input_lot={STOCK['lot_number']}"
    assert "BACK-1" in officer.get(scope).text
    assert client.post(f"/records/{record}/withdraw", data=WHY).status_code == 302
    assert "1.68" not in client.get(f"/stock/{stock}").text
    assert "叶斑病七号" not in client.get(world.entry(lot, "pesticide")).text
    assert "BACK-1" not in officer.get(scope).text


def test_a_record_of_a_whole_site_is_withdrawn_while_all_its_lots_are_drafts(world: World) -> None:
    actor = world.producer()
    site = world.site(actor)
    lot = world.batch(actor, site_id=site)
    client = world.client(actor)
    season = {"scope": "site", "site_id": str(site), "season_until": "2025-12-31"}
    data = season | {"happened_on": "2025-06-01", "note": "全园清沟"}
    assert client.post("/field/ginger/care", data=data).status_code == 302
    world.complete(actor, lot)
    with world.app.app_context():
        record = db.session.scalar(sa.text("SELECT id FROM records WHERE note = '全园清沟'"))
    assert "撤回它" in client.get(f"/records/{record}").text
    assert client.post(f"/batches/{lot}/release").status_code == 302
    answer = client.post(f"/records/{record}/withdraw", data=WHY)
    assert answer.status_code == 422
    assert "不能撤回" in answer.text
    page = client.get(f"/records/{record}").text
    assert "撤回它" not in page
    assert "也用到这条记录，不能撤回。记错了请用“更正”" in page


def test_what_a_lot_that_is_out_shares_is_not_offered_for_withdrawal_on_a_drafts_page(world: World) -> None:
    actor = world.producer()
    draft, out = world.batch(actor), world.batch(actor)
    world.complete(actor, out)
    client = world.client(actor)
    shared = {"batch_ids": [str(draft), str(out)], "happened_on": "2025-06-01", "note": "两块地一起清沟"}
    assert world.enter(client, draft, "care", **shared).status_code == 302
    assert ">撤回</a>" in client.get(f"/batches/{draft}").text
    assert client.post(f"/batches/{out}/release").status_code == 302
    page = client.get(f"/batches/{draft}").text
    assert ">撤回</a>" not in page
    assert "已放行的批次也用到这条记录，请用“更正”" in page


def test_the_list_and_its_file_mark_what_was_withdrawn(world: World) -> None:
    actor = world.producer()
    lot = world.batch(actor)
    record = world.record(actor, lot, note="锄草一遍")
    other = world.record(actor, lot, note="锄草两遍")
    client = world.client(actor)
    assert client.post(f"/records/{record}/withdraw", data=WHY).status_code == 302
    correction = {"happened_on": "2025-06-01", "note": "锄草三遍", "correction_reason": "错"}
    assert client.post(f"/field/records/{other}/correct", data=correction).status_code == 302
    page, table = client.get("/records?q=锄草").text, client.get("/records?q=锄草&export=csv").text
    assert '<span class="tag bad">已撤回</span>' in page
    assert '<span class="tag plain">更正过</span>' in page
    rows = [line for line in table.splitlines() if "锄草" in line]
    assert sorted(("已撤回" in row, "更正过" in row) for row in rows) == [(False, True), (True, False)]


def test_what_is_out_is_corrected_and_not_withdrawn(world: World) -> None:
    actor = world.producer()
    lot = world.released(actor, lot_number="OUT-1")
    record = world.record(actor, lot)
    client = world.client(actor)
    answer = client.post(f"/records/{record}/withdraw", data=WHY)
    assert answer.status_code == 422
    assert "批次 OUT-1 已放行" in answer.text
    assert "已撤回" not in client.get(f"/batches/{lot}").text


def test_a_withdrawal_says_why_and_is_made_once(world: World) -> None:
    actor = world.producer()
    record = world.record(actor, world.batch(actor))
    client = world.client(actor)
    path = f"/records/{record}/withdraw"
    empty = client.post(path, data={"reason": " "})
    assert empty.status_code == 422
    assert "请填写此项" in empty.text
    assert client.post(path, data=WHY).status_code == 302
    again = client.post(path, data=WHY)
    assert again.status_code == 422
    assert "已撤回，不能再更改" in again.text
    correction = {"happened_on": "2025-06-01", "note": "改一改", "correction_reason": "错"}
    late = client.post(f"/field/records/{record}/correct", data=correction)
    assert late.status_code == 422
    assert "已撤回，不能再更改" in late.text


def test_a_correction_that_is_withdrawn_does_not_bring_back_what_it_replaced(world: World) -> None:
    actor = world.producer()
    lot = world.batch(actor, produced_on="2025-09-20")
    record = world.record(actor, lot, "pesticide", **SPRAYED)
    client = world.client(actor)
    data = SPRAYED | {"happened_on": "2025-09-16", "correction_reason": "日期"}
    assert client.post(f"/field/records/{record}/correct", data=data).status_code == 302
    with world.app.app_context():
        newer = db.session.scalar(sa.text("SELECT max(id) FROM records"))
    assert client.post(f"/records/{record}/withdraw", data=WHY).status_code == 422
    assert client.post(f"/records/{newer}/withdraw", data=WHY).status_code == 302
    assert "interval" not in _found(world, actor, lot)


@pytest.mark.both_databases
def test_the_database_holds_it(world: World) -> None:
    actor = world.producer()
    draft, out = world.batch(actor), world.released(actor)
    right, wrong = world.record(actor, draft), world.record(actor, out)
    insert = sa.text("INSERT INTO record_withdrawals (record_id, reason, created_at) VALUES (:id, 'x', :now)")
    moment = "2026-01-01 00:00:00"
    with world.app.app_context():
        with pytest.raises(sa.exc.DBAPIError, match="nobody_relies"), db.engine.begin() as connection:
            connection.execute(insert, {"id": wrong, "now": moment})
        with db.engine.begin() as connection:
            connection.execute(insert, {"id": right, "now": moment})
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), db.engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM record_withdrawals"))
