"""A lot's chain as EPCIS 2.0, held against GS1's published schema, and as the spreadsheet of a 24-hour request."""

import io
import json
import re
from pathlib import Path

import jsonschema
import pytest
import python_calamine

from tests.world import Actor, World

pytestmark = pytest.mark.either_database

SCHEMA = Path(__file__).parents[1] / "node" / "node_modules" / "EPCISDocument.schema.json"


@pytest.fixture(scope="session")
def validator() -> jsonschema.Draft7Validator:
    schema = json.loads(SCHEMA.read_text())
    checker = jsonschema.FormatChecker()
    checker.checks("uri")(
        lambda text: not isinstance(text, str) or re.match(r"[a-z][a-z0-9+.-]*:[^\s]+$", text) is not None
    )
    return jsonschema.Draft7Validator(schema, format_checker=checker)


def _chain(world: World) -> tuple[Actor, int, int]:
    """Ham into cakes, packed, sent with a temperature, received with a difference, tested, recalled."""
    maker, officer = world.producer("530381001"), world.regulator("530300")
    ham, code = world.labelled(maker, "ham", division="530381001", lot_number="HAM-1", quantity="100")
    cakes = world.batch(maker, "ham_mooncake", "530381001", lot_number="饼-1", quantity="50")
    client = world.client(maker)
    client.post(f"/batches/{cakes}/genealogy", data={"code": code, "quantity": "3", "happened_on": "2025-11-06"})
    world.complete(maker, cakes)
    assert client.post(f"/batches/{cakes}/release").status_code == 302
    items, cases = world.run(maker, cakes, 3), world.run(maker, cakes, 1, layout="roll-100x100", level="case")
    for index in range(2):
        client.post(f"/labels/pack/{world.code(cases)}", data={"code": world.code(items, index)})
    form = {
        "consignee": "云岭超市",
        "departed_at": "2026-11-20T08:30",
        "codes": world.code(cases),
        "least_celsius": "2",
        "most_celsius": "8",
        "platform": "淘宝",
        "order_number": "T 001",
        "vehicle": "云D12345",
        "address": "昆明市",
    }
    made = client.post("/shipments/new", data=form)
    client.post(f"{made.location}/temperature", data={"celsius": "9", "at": "2026-11-20T10:00"})
    page = client.get(made.location).text
    receipt = page.split('class="code">')[1].split("<")[0].replace(" ", "")
    lines = world.client().get(f"/receive/{receipt}").text
    line = lines.split('name="q-')[1].split('"')[0]
    data = {
        f"q-{line}": "1",
        "received_at": "2026-11-21T09:00",
        "received_by": "张店长",
        "note": "少一盒",
        "rest": "missing",
    }
    assert world.client().post(f"/receive/{receipt}", data=data).status_code == 302
    world.recall(officer, ham)
    return maker, ham, cakes


def test_the_document_is_valid_and_has_every_type_of_event(world: World, validator: jsonschema.Draft7Validator) -> None:
    maker, ham, cakes = _chain(world)
    for lot in (ham, cakes):
        answer = world.client(maker).get(f"/batches/{lot}/epcis.jsonld")
        assert answer.mimetype == "application/ld+json"
        document = json.loads(answer.data)
        assert [error.message for error in validator.iter_errors(document)] == []
        events = document["epcisBody"]["eventList"]
        assert {e["type"] for e in events} == {
            "ObjectEvent",
            "AggregationEvent",
            "TransactionEvent",
            "TransformationEvent",
        }
        assert len({e["eventID"] for e in events}) == len(events)
        assert [e["eventTime"] for e in events] == sorted(e["eventTime"] for e in events)
    steps = {e["bizStep"] for e in events}
    assert {
        "commissioning",
        "creating_class_instance",
        "packing",
        "shipping",
        "receiving",
        "accepting",
        "holding",
    } <= steps
    [made] = [e for e in events if e["type"] == "TransformationEvent"]
    assert made["inputQuantityList"][0]["quantity"] == 3
    [shipped] = [e for e in events if e["bizStep"] == "shipping"]
    assert shipped["sensorElementList"][0]["sensorReport"][0]["maxValue"] == 9
    [received] = [e for e in events if e["bizStep"] == "receiving"]
    assert received["disposition"] == "mismatch_quantity"
    again = json.loads(world.client(maker).get(f"/batches/{cakes}/epcis.jsonld").data)["epcisBody"]["eventList"]
    assert [e["eventID"] for e in again] == [e["eventID"] for e in events]


def test_a_wrong_document_would_be_found(world: World, validator: jsonschema.Draft7Validator) -> None:
    maker, _ham, cakes = _chain(world)
    document = json.loads(world.client(maker).get(f"/batches/{cakes}/epcis.jsonld").data)
    document["epcisBody"]["eventList"][0]["bizStep"] = "baking"
    assert list(validator.iter_errors(document))


def test_a_gtin_becomes_a_digital_link(world: World) -> None:
    maker = world.producer()
    product = world.product(maker, gtin="6901234567892")
    lot = world.released(maker, product_id=product, lot_number="姜-1")
    document = json.loads(world.client(maker).get(f"/batches/{lot}/epcis.jsonld").data)
    [event] = document["epcisBody"]["eventList"]
    assert event["quantityList"] == [
        {"epcClass": "https://id.gs1.org/01/06901234567892/10/%E5%A7%9C-1", "quantity": 8600.0, "uom": "KGM"}
    ]


def test_the_spreadsheet_has_the_key_data_elements(world: World) -> None:
    maker, _ham, cakes = _chain(world)
    for language, first in (("zh", "关键追溯事件（CTE）"), ("en", "Critical tracking event (CTE)")):
        answer = world.client(maker, language).get(f"/batches/{cakes}/chain.xlsx")
        rows = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(answer.data)).get_sheet_by_index(0).to_python()
        assert rows[0][0] == first
    text = ["|".join(map(str, row)) for row in rows[1:]]
    for kind, parts in (
        ("Harvesting", ("HAM-1",)),
        ("Transformation", ("饼-1", "HAM-1 3")),
        ("Packing", ("饼-1",)),
        ("Shipping", ("云岭超市", "云D12345", "T 001")),
        ("Receiving", ("云岭超市", "少一盒", "1.0")),
        ("Recall", ("530300-",)),
    ):
        [row] = [line for line in text if kind in line.split("|")[0] and all(part in line for part in parts)]
        assert row
    assert [row[1] for row in rows[1:]] == sorted(row[1] for row in rows[1:])


def test_who_may_take_it(world: World) -> None:
    maker, _ham, cakes = _chain(world)
    for actor, status in ((world.regulator("530381"), 200), (world.regulator("530324"), 404), (world.producer(), 404)):
        for name in ("chain.xlsx", "epcis.jsonld"):
            assert world.client(actor).get(f"/batches/{cakes}/{name}").status_code == status
    assert maker
