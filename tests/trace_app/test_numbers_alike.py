"""A number is entered once, however it is written; what is there is named."""

from __future__ import annotations

from tests.world import World

DRUG = {
    "type": "pesticide",
    "name": "苯醚甲环唑",
    "registration_number": "PD20990002",
    "maker": "厂",
    "ingredients": "苯醚甲环唑 10%",
    "interval_days": "14",
    "dose_min": "20",
    "dose_max": "40",
    "dose_unit": "g_per_mu",
}
STOCK = {"supplier": "农资店", "received_on": "2026-01-05", "quantity": "10", "unit": "kg"}


def test_a_lot_number_in_other_letters_width_and_dashes_is_the_same_and_the_form_names_it(world: World) -> None:
    actor = world.producer()
    product, site = world.product(actor), world.site(actor)
    client = world.client(actor)
    lot = {"product_id": product, "site_id": site, "quantity": "5", "unit": "kg", "started_on": "2026-01-05"}
    assert client.post("/batches/new", data=lot | {"lot_number": "QA-01"}).status_code == 302
    for typed in ("qa-01", "ＱＡ-01", "QA‐01", "Qa－01"):
        again = client.post("/batches/new", data=lot | {"lot_number": typed})
        assert again.status_code == 422, typed
        assert "“QA-01”已登记过" in again.text


def test_numbers_that_differ_in_where_their_parts_end_are_two(world: World) -> None:
    actor = world.producer()
    world.batch(actor, lot_number="26-1-12")
    world.batch(actor, lot_number="26-11-2")
    other = world.producer()
    world.batch(other, lot_number="26-1-12")


def test_the_lot_number_of_an_input_is_taken_into_stock_once(world: World) -> None:
    actor = world.producer()
    client = world.client(actor)
    made = client.post("/inputs/new", data=DRUG)
    assert made.status_code == 302, made.text
    stock = STOCK | {"product_id": made.location.rsplit("/", 1)[1]}
    assert client.post("/stock/new", data=stock | {"lot_number": "B 2026-01"}).status_code == 302
    again = client.post("/stock/new", data=stock | {"lot_number": "ｂ2026–01"})
    assert again.status_code == 422
    assert "“B 2026-01”已入库" in again.text


def test_a_certificate_number_is_registered_once(world: World) -> None:
    client = world.client(world.producer())
    held = {
        "type": "gap",
        "issuer": "认证中心",
        "valid_from": "2026-01-01",
        "valid_until": "2028-01-01",
        "product_id": "",
    }
    assert client.post("/certificates", data=held | {"number": "GAP-77 A"}).status_code == 302
    again = client.post("/certificates", data=held | {"number": "gap－77a"})
    assert again.status_code == 422
    assert "GAP-77 A" in again.text
