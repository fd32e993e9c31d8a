"""Quantities in the forms of goods: read as people write them, and all that is wrong is told at once, each beside its
field, with everything typed still there."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from tests.trace_app.test_inputs import _stocked
from tests.trace_app.test_shipping import FORM, _left, _ship
from tests.world import Actor, World
from trace_app.certificates.models import CommitmentCertificate
from trace_app.extensions import db
from trace_app.flow.genealogy.models import LotLink
from trace_app.flow.shipments.models import LotLoss, Shipment, ShipmentLine

Case = tuple[str, str, dict[str, Any], str, str]
"""Where the form is sent to, the name of its quantity, what it is filled in with otherwise, a field that is emptied,
and the id of that field."""


def _shipment(world: World, grower: Actor, lot: int) -> Case:
    return "/shipments/new", f"q-{lot}", dict(FORM), "consignee", "consignee"


def _receipt(world: World, grower: Actor, lot: int) -> Case:
    shipment = _ship(world, grower, {lot: "400"})
    with world.app.app_context():
        line = db.session.get_one(Shipment, shipment.id).lines[0].id
    data = {"rest": "later", "received_by": "张", "received_at": "2026-11-21T09:00"}
    return f"/receive/{shipment.receipt_code}", f"q-{line}", data, "received_by", "received_by"


def _return(world: World, grower: Actor, lot: int) -> Case:
    shipment = _ship(world, grower, {lot: "400"})
    with world.app.app_context():
        line = db.session.get_one(Shipment, shipment.id).lines[0].id
    data = {"reason": "压坏了", "departed_at": "2026-11-22T09:00"}
    return f"/receive/{shipment.receipt_code}/return", f"q-{line}", data, "reason", "reason"


def _loss(world: World, grower: Actor, lot: int) -> Case:
    return f"/batches/{lot}/lose", "quantity", {"kind": "lost", "reason": "霉变"}, "reason", "loss-reason"


def _link(world: World, grower: Actor, lot: int) -> Case:
    data = {"source_id": str(lot), "happened_on": "2026-11-20"}
    return f"/batches/{world.batch(grower)}/genealogy", "quantity", data, "happened_on", "happened_on"


def _commitment(world: World, grower: Actor, lot: int) -> Case:
    return f"/batches/{lot}/commitments", "quantity", {"bases": "own_control", "consignee": "超市"}, "bases", "bases"


CASES: dict[str, Callable[[World, Actor, int], Case]] = {
    "shipment": _shipment,
    "receipt": _receipt,
    "return": _return,
    "loss": _loss,
    "source": _link,
    "commitment": _commitment,
}


def _noted(world: World, kind: str) -> Decimal | None:
    with world.app.app_context():
        column: Any = {
            "loss": LotLoss.quantity,
            "source": LotLink.quantity,
            "commitment": CommitmentCertificate.quantity,
            "receipt": ShipmentLine.received,
        }.get(kind, ShipmentLine.quantity)
        found: Decimal | None = db.session.scalar(sa.select(sa.func.min(column)))
        return found


@pytest.mark.parametrize("kind", CASES)
def test_a_weight_is_taken_in_the_unit_that_it_is_written_in(world: World, kind: str) -> None:
    grower = world.household() if kind == "commitment" else world.producer()
    lot = world.released(grower, quantity="1000")
    path, name, data, _emptied, _id = CASES[kind](world, grower, lot)
    assert world.client(grower).post(path, data=data | {name: "300斤"}).status_code == 302
    assert _noted(world, kind) == 150


@pytest.mark.parametrize("wrong", ["1,5", "两箱", "3 瓶", "-1", "0x10"])
@pytest.mark.parametrize("kind", CASES)
def test_all_that_is_wrong_is_told_at_once_and_nothing_typed_is_lost(world: World, kind: str, wrong: str) -> None:
    grower = world.producer()
    lot = world.released(grower, quantity="1000")
    path, name, data, emptied, other = CASES[kind](world, grower, lot)
    before = _left(world, lot, grower)
    left = {key: value for key, value in data.items() if key != emptied}
    answer = world.client(grower).post(path, data=left | {name: wrong})
    assert answer.status_code == 422
    assert f'value="{wrong}"' in answer.text
    where = answer.text.index(f'value="{wrong}"')
    assert 'class="error"' in answer.text[where : where + 500]
    if wrong == "1,5":
        assert "1.5 还是 15" in answer.text
    if emptied != "bases":
        assert f'id="{other}-error"' in answer.text
    else:
        assert "请至少选一项承诺依据" in answer.text
    for key, value in data.items():
        if key not in (emptied, "source_id", "bases", "kind", "rest", "division_code"):
            assert value in answer.text, key
    assert _left(world, lot, grower) == before


def test_what_is_short_of_several_lots_is_told_beside_each(world: World) -> None:
    grower = world.producer()
    lots = [world.released(grower, quantity="100", lot_number=f"K-{n}") for n in (1, 2, 3)]
    typed = {f"q-{lot}": amount for lot, amount in zip(lots, ("101", "50", "200"), strict=True)}
    answer = world.client(grower).post("/shipments/new", data=FORM | typed | {"consignee": ""})
    assert answer.status_code == 422
    assert "批次 K-1 还剩 100" in answer.text
    assert "批次 K-3 还剩 100" in answer.text
    assert "批次 K-2" not in answer.text
    assert 'id="consignee-error"' in answer.text


def test_stock_is_taken_out_in_the_unit_that_is_written(world: World) -> None:
    grower = world.producer()
    stock, client = _stocked(world, grower), world.client(grower)
    out = {"happened_on": "2025-09-01", "quantity": "一千克", "reason": "lost", "note": "漏了"}
    refused = client.post(f"/stock/{stock}/out", data=out | {"happened_on": ""})
    assert refused.status_code == 422
    assert all(text in refused.text for text in ("一千克", "漏了", 'id="quantity-error"', 'id="happened_on-error"'))
    assert client.post(f"/stock/{stock}/out", data=out | {"quantity": "1 斤"}).status_code == 302
