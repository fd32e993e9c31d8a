"""Products and sites that are no longer offered, and what asks before it is done."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from tests.world import World
from trace_app.extensions import db

LOT = {"lot_number": "NEW-1", "quantity": "10", "unit": "kg", "started_on": "2025-03-12"}


@pytest.mark.parametrize("what", ["product", "site"])
def test_what_is_retired_is_not_offered_and_what_was_made_stays(world: World, what: str) -> None:
    actor = world.producer()
    product, site = world.product(actor, name="旧的姜"), world.site(actor, name="旧的地")
    lot = world.batch(actor, product_id=product, site_id=site)
    world.product(actor), world.site(actor)
    client = world.client(actor)
    retired = {"product": product, "site": site}[what]
    name = {"product": "旧的姜", "site": "旧的地"}[what]
    path = f"/{what}s/{retired}"
    assert client.post(f"{path}/retire").status_code == 302
    assert f">{name}<" not in client.get("/batches/new").text
    refused = client.post("/batches/new", data=LOT | {"product_id": str(product), "site_id": str(site)})
    assert refused.status_code == 422
    assert "已停用" in client.get(f"/{what}s").text
    if what == "site":
        assert f">{name}</option>" not in client.get("/field/ginger/care").text
    # The lot that is there takes records and corrections as before.
    assert world.enter(client, lot, "care", happened_on="2025-06-01", note="除草").status_code == 302
    page = client.get(f"/batches/{lot}/edit").text
    assert f">{name}</option>" in page
    changed = client.post(f"/batches/{lot}/edit", data=LOT | {"product_id": str(product), "site_id": str(site)})
    assert changed.status_code == 302, changed.text
    assert client.post(f"{path}/back").status_code == 302
    made = LOT | {"product_id": str(product), "site_id": str(site), "lot_number": "NEW-2"}
    assert client.post("/batches/new", data=made).status_code == 302


@pytest.mark.parametrize("what", ["products", "sites"])
def test_the_database_takes_no_new_lot_of_it(world: World, what: str) -> None:
    actor = world.producer()
    lot = world.batch(actor)
    column = {"products": "product_id", "sites": "site_id"}[what]
    copied = "producer_id, product_id, site_id, division_code, quantity, unit, started_on, produced_on, status, version"
    copy = (
        f"INSERT INTO batches ({copied}, lot_number, created_at) SELECT {copied}, 'COPY-1', created_at"
        f" FROM batches WHERE id = {lot}"
    )
    retire = f"UPDATE {what} SET retired_at = created_at WHERE id = (SELECT {column} FROM batches WHERE id = {lot})"
    with world.app.app_context():
        with db.engine.begin() as connection:
            connection.execute(sa.text(retire))
        with pytest.raises(sa.exc.DBAPIError, match="still_offered"), db.engine.begin() as connection:
            connection.execute(sa.text(copy))


def test_what_cannot_be_undone_asks_first(world: World) -> None:
    actor = world.producer()
    lot = world.released(actor)
    run = world.run(actor, lot)
    client = world.client(actor)
    for path, question in (
        (f"/batches/{lot}", "结束后不能再记录"),
        (f"/labels/{run}", "作废后不能恢复"),
    ):
        fold = re.search(r'<details class="surely">(.*?)</details>', client.get(path).text, re.DOTALL)
        assert fold, path
        assert question in fold[1]
        assert re.search(r"<button class=\"[^\"]*\">确定", fold[1])
