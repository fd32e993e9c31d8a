"""What is done again and again is begun as it was the last time: a form is filled in, and nothing is made by that."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from tests.pages import Page
from tests.world import World
from trace_app.extensions import db
from trace_app.flow.shipments.models import Shipment
from trace_app.labels.models import LabelRun

pytestmark = pytest.mark.either_database

TO = {
    "consignee": "示例超市",
    "phone": "13800000001",
    "address": "示例路 1 号",
    "carrier": "示例物流",
    "vehicle": "云D·A0001",
    "driver": "某人",
    "least_celsius": "2",
    "most_celsius": "8",
    "departed_at": "2026-11-20T08:00",
}


def _filled(page: str, name: str) -> dict[str, str]:
    """What the form of a page sends as it stands, of those forms that have a field of the name."""
    form = next(form for form in Page(page).forms if any(one.name == name for one in form.fields))
    typed = {one.name: one.value for one in form.fields if one.kind not in {"submit", "file", "checkbox", "select"}}
    selects = {one.name: one for one in form.fields if one.kind == "select"}
    chosen = {name: next((value for value, is_it in one.options if is_it), "") for name, one in selects.items()}
    return {name: value for name, value in (typed | chosen).items() if value}


class TestShipments:
    def test_the_same_goods_go_to_the_same_consignee_today(self, world: World) -> None:
        grower = world.producer()
        lot = world.released(grower, quantity="100")
        client = world.client(grower)
        sent = client.post("/shipments/new", data=TO | {f"q-{lot}": "12.5"})
        assert sent.status_code == 302, sent.text
        [number] = [int(part) for part in sent.location.split("/") if part.isdecimal()]
        assert f'href="/shipments/new?like={number}"' in client.get(sent.location).text
        again = _filled(client.get(f"/shipments/new?like={number}").text, "consignee")
        with world.app.app_context():
            assert db.session.scalar(sa.select(sa.func.count()).select_from(Shipment)) == 1
        assert not again["departed_at"].startswith("2026-11-20")
        assert {name: again[name] for name in TO if name != "departed_at"} == {
            name: value for name, value in TO.items() if name != "departed_at"
        }
        assert again[f"q-{lot}"] == "12.5"
        assert client.post("/shipments/new", data=again).status_code == 302
        with world.app.app_context():
            assert db.session.scalar(sa.select(sa.func.count()).select_from(Shipment)) == 2

    def test_nobody_copies_what_others_sent(self, world: World) -> None:
        grower, neighbour = world.producer(), world.producer(name="邻村合作社")
        lot = world.released(grower)
        sent = world.client(grower).post("/shipments/new", data=TO | {f"q-{lot}": "1"})
        number = sent.location.rstrip("/").rsplit("/", 1)[1]
        assert world.client(neighbour).get(f"/shipments/new?like={number}").status_code == 404
        assert world.client(grower).get("/shipments/new?like=999999").status_code == 404


class TestPrinting:
    def test_labels_are_ordered_as_the_last_time_with_new_codes(self, world: World) -> None:
        grower = world.producer()
        lot = world.released(grower, quantity="1000")
        client = world.client(grower)
        order = {"count": "7", "level": "case", "stock": "roll-60x40@300", "format": "zpl", "items_each": "12"}
        run = client.post(f"/batches/{lot}/labels", data=order).location.rsplit("/", 1)[1]
        assert f"like={run}" in client.get(f"/labels/{run}").text
        again = _filled(client.get(f"/batches/{lot}/labels?like={run}").text, "items_each")
        assert {name: again[name] for name in order} == order
        assert client.post(f"/batches/{lot}/labels", data=again).status_code == 302
        with world.app.app_context():
            assert db.session.scalar(sa.select(sa.func.count()).select_from(LabelRun)) == 2

    def test_nobody_copies_what_others_printed(self, world: World) -> None:
        grower, neighbour = world.producer(), world.producer(name="邻村合作社")
        _lot, _code = world.labelled(grower)
        own = world.released(neighbour)
        assert world.client(neighbour).get(f"/batches/{own}/labels?like=1").status_code == 404
