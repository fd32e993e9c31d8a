"""The search box in the head: what is one's own is found by a few characters, and nothing of others'."""

from __future__ import annotations

import pytest

from tests.trace_app.test_copies import TO
from tests.world import World
from trace_app.batches.models import Batch
from trace_app.extensions import db

pytestmark = pytest.mark.either_database


def _found(world: World, actor: object, typed: str) -> str:
    page = world.client(actor).get("/search", query_string={"q": typed})  # type: ignore[arg-type]
    assert page.status_code == 200
    return page.text.split("</form>", 3)[-1]


def test_a_producer_finds_what_is_its_own(world: World) -> None:
    grower = world.producer()
    lot, code = world.labelled(grower, lot_number="XJ-2026-0907")
    client = world.client(grower)
    sent = client.post("/shipments/new", data=TO | {f"q-{lot}": "1"}).location
    assert f'href="/batches/{lot}"' in _found(world, grower, "xj2026")
    assert f'href="/journey?code={code}"' in _found(world, grower, code)
    assert f'href="{sent}"' in _found(world, grower, "云D·A0")
    assert "示例超市</b>" in _found(world, grower, "示例超")
    with world.app.app_context():
        name = db.session.get_one(Batch, lot).product.name
    assert 'href="/products/' in _found(world, grower, name)
    assert "请至少输入两个字" in _found(world, grower, "姜")


def test_what_is_others_is_not_found(world: World) -> None:
    grower, neighbour = world.producer(), world.producer(name="邻村合作社")
    lot, code = world.labelled(grower, lot_number="XJ-2026-0907")
    world.client(grower).post("/shipments/new", data=TO | {f"q-{lot}": "1"})
    for typed in ("XJ-2026", "云D·A0001", "示例超市"):
        assert "没有找到" in _found(world, neighbour, typed), typed
    # A code is on the label for everyone: it leads to what everyone sees of it.
    of_code = _found(world, neighbour, code)
    assert f'href="/{code}"' in of_code
    assert "XJ-2026-0907" not in of_code


def test_the_box_stands_in_the_head_of_those_who_have_something_to_find(world: World) -> None:
    assert 'action="/search"' in world.client(world.producer()).get("/batches").text
    assert 'action="/search"' in world.client(world.regulator()).get("/desk").text
    assert 'action="/search"' not in world.client().get("/").text
