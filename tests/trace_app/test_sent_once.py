"""A form that makes something makes it once: sent by two taps, or again after going back."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from tests.trace_app.test_at_once import LABELS
from tests.trace_app.test_shipping import FORM, _ship
from tests.world import Actor, World, at_once, photo
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product, Site
from trace_app.certificates.models import Certificate, CommitmentCertificate
from trace_app.db.base import utc_now
from trace_app.db.sent_forms import KEPT, SentForm, forget_old
from trace_app.extensions import db
from trace_app.flow.genealogy.models import LotLink
from trace_app.flow.shipments.models import LotLoss, Receipt, Shipment
from trace_app.labels.models import LabelRun
from trace_app.recall_tasks import service as tasks
from trace_app.recall_tasks.models import RecallReport
from trace_app.recalls.models import Recall

KEY = re.compile(r'name="form_key" value="([0-9a-f]{32})"')
Form = tuple[str, str, dict[str, Any]]
"""The page with the form, where it is sent to, and what is filled in."""


def _shipment(world: World, grower: Actor) -> Form:
    lot = world.released(grower, quantity="100")
    return "/shipments/new", "/shipments/new", FORM | {f"q-{lot}": "10"}


def _receipt(world: World, grower: Actor) -> Form:
    shipment = _ship(world, grower, {world.released(grower, quantity="100"): "40"})
    with world.app.app_context():
        line = db.session.get_one(Shipment, shipment.id).lines[0].id
    path = f"/receive/{shipment.receipt_code}"
    data = {f"q-{line}": "10", "rest": "later", "received_by": "张", "received_at": "2026-11-21T09:00"}
    return path, path, data


def _return(world: World, grower: Actor) -> Form:
    shipment = _ship(world, grower, {world.released(grower, quantity="100"): "40"})
    with world.app.app_context():
        line = db.session.get_one(Shipment, shipment.id).lines[0].id
    path = f"/receive/{shipment.receipt_code}/return"
    return path, path, {f"q-{line}": "10", "reason": "坏了", "departed_at": "2026-11-22T09:00"}


def _loss(world: World, grower: Actor) -> Form:
    lot = world.released(grower, quantity="100")
    data = {"kind": "lost", "quantity": "10", "reason": "霉变"}
    return f"/batches/{lot}/genealogy", f"/batches/{lot}/lose", data


def _link(world: World, grower: Actor) -> Form:
    source, lot = world.released(grower, quantity="100"), world.batch(grower)
    data = {"source_id": str(source), "quantity": "10", "happened_on": "2026-11-20"}
    return f"/batches/{lot}/genealogy", f"/batches/{lot}/genealogy", data


def _lot(world: World, grower: Actor) -> Form:
    data = {
        "product_id": str(world.product(grower)),
        "site_id": str(world.site(grower)),
        "lot_number": "ONCE-1",
        "quantity": "100",
        "unit": "kg",
        "started_on": "2025-03-12",
    }
    return "/batches/new", "/batches/new", data


def _commitment(world: World, grower: Actor) -> Form:
    lot = world.released(grower, quantity="100")
    path = f"/batches/{lot}/commitments"
    return path, path, {"quantity": "100", "bases": "own_control"}


def _certificate(world: World, grower: Actor) -> Form:
    data = {
        "type": "other",
        "number": "LB-1",
        "issuer": "某中心",
        "valid_from": "2025-01-01",
        "valid_until": "2099-01-01",
        "product_id": "",
    }
    return "/certificates", "/certificates", data


def _labels(world: World, grower: Actor) -> Form:
    path = f"/batches/{world.released(grower, quantity='100')}/labels"
    return path, path, LABELS


def _site(world: World, _grower: Actor) -> Form:
    data = {
        "kind": "plot",
        "name": "东坡",
        "division_code": "530324102",
        "latitude": "24.8852",
        "longitude": "104.3086",
    }
    return "/sites/new", "/sites/new", data


def _product(world: World, _grower: Actor) -> Form:
    return "/products/new", "/products/new", {"kind_code": "ginger", "name": "小黄姜", "net_content": "净重 500 克"}


def _report(world: World, grower: Actor) -> Form:
    lot = world.released(grower, quantity="100")
    number = world.recall(world.regulator(), lot)
    with world.app.app_context():
        recall = db.session.scalars(db.select(Recall).filter_by(number=number)).one()
        tasks.tell_everyone(recall.id)
        [task] = tasks.tasks_of(recall)
        path = f"/recall-tasks/{task.token}"
    return path, f"{path}/report", {"name": "张", f"sealed-{lot}": "100"}


KINDS: dict[str, tuple[Callable[[World, Actor], Form], Any]] = {
    "shipment": (_shipment, Shipment),
    "receipt": (_receipt, Receipt),
    "return": (_return, Shipment),
    "loss": (_loss, LotLoss),
    "source": (_link, LotLink),
    "lot": (_lot, Batch),
    "commitment certificate": (_commitment, CommitmentCertificate),
    "certificate": (_certificate, Certificate),
    "label run": (_labels, LabelRun),
    "site": (_site, Site),
    "product": (_product, Product),
    "report in a recall": (_report, RecallReport),
}


def _count(world: World, model: Any) -> int:
    with world.app.app_context():
        return db.session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def _key(client: FlaskClient, page: str) -> dict[str, str]:
    found = KEY.search(client.get(page).text)
    assert found is not None
    return {"form_key": found[1]}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_form_makes_one_and_leads_to_what_the_first_made(world: World, kind: str) -> None:
    make, model = KINDS[kind]
    grower = world.producer()
    page, action, data = make(world, grower)
    client = world.client(grower)
    data = data | _key(client, page)
    before = _count(world, model)
    first = client.post(action, data=data)
    assert first.status_code == 302, first.text
    assert _count(world, model) == before + 1
    again = client.post(action, data=data)
    assert again.status_code == 302
    assert again.location == first.location
    assert "没有重复登记" in client.get(again.location, follow_redirects=True).text
    assert _count(world, model) == before + 1


def test_another_form_or_other_words_make_another(world: World) -> None:
    grower = world.producer()
    page, action, data = _loss(world, grower)
    client = world.client(grower)
    key = _key(client, page)
    for sent in (data | key, data | key | {"quantity": "11"}, data | _key(client, page)):
        assert client.post(action, data=sent).status_code == 302
    assert _count(world, LotLoss) == 3


def test_what_was_refused_is_not_sent_yet(world: World) -> None:
    grower = world.producer()
    page, action, data = _shipment(world, grower)
    client = world.client(grower)
    key = _key(client, page)
    picture = {"photos": (io.BytesIO(b"none"), "a.jpg")}
    assert client.post(action, data=data | key | picture).status_code == 422
    assert client.post(action, data=data | key | {"photos": (io.BytesIO(photo()), "a.jpg")}).status_code == 302
    refused = data | key | {"consignee": ""}
    assert client.post(action, data=refused).status_code == 422
    assert client.post(action, data=refused).status_code == 422
    assert _count(world, Shipment) == 1


def test_nobody_is_led_by_the_key_of_someone_else(world: World) -> None:
    grower, other = world.producer(), world.producer()
    page, action, data = _product(world, grower)
    key = _key(world.client(grower), page)
    for actor in (grower, other):
        assert world.client(actor).post(action, data=data | key).status_code == 302
    assert _count(world, Product) == 2


def test_two_taps_at_one_moment_make_one(world: World) -> None:
    grower = world.producer()
    page, action, data = _loss(world, grower)
    clients = [world.client(grower) for _ in range(4)]
    key = _key(clients[0], page)
    for client in clients:
        client.token()
    answers = at_once([lambda client=client: client.post(action, data=data | key) for client in clients])
    assert {answer.status_code for answer in answers} == {302}
    assert _count(world, LotLoss) == 1


def test_every_view_that_makes_something_says_so(app: Flask) -> None:
    """The forms of the table are of views that are marked; a mark that is lost is told of."""
    marked = {name for name, view in app.view_functions.items() if getattr(view, "makes_once", False)}
    assert {
        "shipments.new",
        "shipments.receive",
        "shipments.send_back",
        "genealogy.link",
        "genealogy.lose",
        "batches.new",
        "certificates.index",
        "certificates.commit",
        "certificates.collect_foreign",
        "labels.of_batch",
        "labels.reprint",
        "labels.new_layout",
        "stock.new",
        "stock.take_out",
        "catalogue.new_product",
        "catalogue.new_site",
        "households.consent",
        "households.add_plot",
        "inputs.new",
        "inputs.add_use",
        "laboratory.on_lot",
        "laboratory.on_code",
        "laboratory.on_order",
        "laboratory.on_site",
        "laboratory.order",
        "recall_tasks.report",
        "recall_tasks.file",
        "shipments.temperature",
    } == marked


def test_what_was_sent_long_ago_is_let_go(world: World) -> None:
    grower = world.producer()
    page, action, data = _loss(world, grower)
    client = world.client(grower)
    assert client.post(action, data=data | _key(client, page)).status_code == 302
    with world.writing():
        assert forget_old() == 0
        db.session.execute(sa.update(SentForm).values(sent_at=utc_now() - KEPT - timedelta(minutes=1)))
        assert forget_old() == 1
