"""A harvest says when a draft became goods, and offers how much there is."""

from __future__ import annotations

import re

import sqlalchemy as sa

from tests.world import HARVESTED, SPRAYED, World
from trace_app.extensions import db


def _day(world: World, lot: int) -> str | None:
    with world.app.app_context():
        day = db.session.execute(sa.text("SELECT produced_on FROM batches WHERE id = :id"), {"id": lot}).scalar_one()
        return str(day) if day else None


def test_a_harvest_sets_the_day_of_a_draft_that_has_none(world: World) -> None:
    actor = world.producer()
    lot, said = world.batch(actor, produced_on=""), world.batch(actor, produced_on="2025-11-20")
    client = world.client(actor)
    for batch in (lot, said):
        before = world.version(batch)
        assert world.enter(client, batch, "stage", "harvest", **HARVESTED).status_code == 302
        assert world.version(batch) > before
    assert (_day(world, lot), _day(world, said)) == ("2025-11-06", "2025-11-20")
    page = client.get(f"/batches/{lot}").text
    assert "缺少采收或生产日期" not in page
    assert "按采收记录填了采收日期" in page
    # A second harvest, later, leaves it as it is.
    later = HARVESTED | {"happened_on": "2025-11-08"}
    assert world.enter(client, lot, "stage", "harvest", **later).status_code == 302
    assert _day(world, lot) == "2025-11-06"


def test_no_other_work_sets_it_and_no_day_before_the_lot_began(world: World) -> None:
    actor = world.producer()
    lot = world.batch(actor, produced_on="", started_on="2025-11-07")
    client = world.client(actor)
    assert world.enter(client, lot, "stage", "harvest", **HARVESTED).status_code == 302
    assert world.enter(client, lot, "stage", "washing", happened_on="2025-11-08").status_code == 302
    assert _day(world, lot) is None


def test_the_day_follows_a_harvest_that_is_corrected_or_withdrawn(world: World) -> None:
    actor = world.producer()
    lot = world.batch(actor, produced_on="")
    client = world.client(actor)
    assert world.enter(client, lot, "stage", "harvest", **HARVESTED).status_code == 302
    with world.app.app_context():
        record = db.session.scalar(sa.text("SELECT max(id) FROM records"))
    corrected = HARVESTED | {"happened_on": "2025-11-05", "correction_reason": "日期记错"}
    assert client.post(f"/field/records/{record}/correct", data=corrected).status_code == 302
    assert _day(world, lot) == "2025-11-05"
    assert client.post(f"/records/{record + 1}/withdraw", data={"reason": "不是这一批"}).status_code == 302
    assert _day(world, lot) is None


def test_the_amount_is_offered_and_taken_by_who_wants_it(world: World) -> None:
    actor = world.producer()
    lot = world.batch(actor, quantity="2800")
    client = world.client(actor)
    world.enter(client, lot, "stage", "harvest", **HARVESTED | {"values-quantity_kg": "2000"})
    world.enter(client, lot, "stage", "harvest", **HARVESTED | {"values-quantity_kg": "790.5"})
    page = client.get(f"/batches/{lot}").text
    assert "采收记录合计 2,790.5 公斤，批次数量是 2,800 公斤" in page
    form = client.get(f"/batches/{lot}/edit?of=harvest").text
    assert re.search(r'name="quantity"[^>]*value="2790.5"', form)
    assert re.search(r'name="quantity"[^>]*value="2800"', client.get(f"/batches/{lot}/edit").text)


def test_what_several_lots_gave_together_is_offered_as_none_of_them(world: World) -> None:
    actor = world.producer()
    lots = [world.batch(actor, quantity="300"), world.batch(actor, quantity="280")]
    client = world.client(actor)
    assert "这些批次一共的数量" in client.get(world.entry(lots[0], "stage", "harvest")).text
    together = HARVESTED | {"values-quantity_kg": "600", "batch_ids": [str(lot) for lot in lots]}
    assert world.enter(client, lots[0], "stage", "harvest", **together).status_code == 302
    for lot in lots:
        page = client.get(f"/batches/{lot}").text
        assert "采收记录合计" not in page
        assert "采收的 600 公斤 是几个批次合在一起记的，不都是这一批的" in page
        assert 'value="600"' not in client.get(f"/batches/{lot}/edit?of=harvest").text


def test_sprays_after_the_harvest_are_told_apart_and_promise_no_day(world: World) -> None:
    actor = world.producer()
    lot = world.batch(actor, produced_on="")
    client = world.client(actor)
    world.enter(client, lot, "stage", "harvest", **HARVESTED)
    for _time in range(2):
        assert world.enter(client, lot, "pesticide", **SPRAYED | {"happened_on": "2025-11-10"}).status_code == 302
    page = client.get(f"/batches/{lot}").text
    assert page.count("而本批 2025-11-06 已经采收或屠宰") == 2
    assert "晚于采收日 2025-11-06" in page
    assert "请不要提前采收" not in page
    links = set(re.findall(r"/records/[0-9]+\">看记录 [0-9]+<", page))
    assert len(links) == 2
