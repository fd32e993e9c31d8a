"""Numbers beyond all measure in addresses, queries, forms and JSON are refused on both databases, without a fault."""

from __future__ import annotations

import pytest

from tests.world import World

HUGE = [2**31, 2**63, 10**30]


@pytest.fixture(autouse=True)
def _as_users_see_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(world.app.config, "PROPAGATE_EXCEPTIONS", False)
    monkeypatch.setattr(world.app, "testing", False)


@pytest.mark.parametrize("huge", HUGE)
def test_no_row_has_such_a_number(world: World, huge: int) -> None:
    people = [world.client(world.producer()), world.client(world.regulator()), world.client()]
    token, api = world.token(world.producer()), world.client()
    asked = 0
    for rule in world.app.url_map.iter_rules():
        if not rule.arguments or "GET" not in (rule.methods or set()):
            continue
        try:
            address = world.app.url_map.bind("").build(rule.endpoint, dict.fromkeys(rule.arguments, huge))
        except Exception:
            # What takes no such number has no such address either.
            address = "/".join(str(huge) if part.startswith("<") else part for part in rule.rule.split("/"))
        answers = [api.get(address, headers=token)] if address.startswith("/api/") else []
        answers += [client.get(address) for client in people]
        asked += 1
        assert max(answer.status_code for answer in answers) < 500, address
    assert asked > 60


@pytest.mark.parametrize("value", [10**30, 2**63, -(10**30), "9" * 5000, "1e400", "NaN", "²"])
def test_no_query_is_a_fault(world: World, value: object) -> None:
    people = [world.client(world.producer()), world.client(world.regulator())]
    names = ("page", "level", "batch", "product", "days", "start", "site", "run", "from", "until", "least", "most")
    query = {name: str(value) for name in names}
    for rule in world.app.url_map.iter_rules():
        if rule.arguments or "GET" not in (rule.methods or set()):
            continue
        for client in people:
            answer = client.get(rule.rule, query_string=query)
            assert answer.status_code < 500, rule.rule


@pytest.mark.parametrize("value", [str(10**30), str(2**63), "-1", "1e5", "²"])
def test_no_choice_of_a_form_is_a_fault(world: World, value: str) -> None:
    grower, officer = world.producer(), world.regulator()
    batch = world.batch(grower)
    client = world.client(grower)
    for path, values in {
        "/batches/new": {"product_id": value, "site_id": value, "quantity": value},
        "/field/ginger/pesticide": {"batch_ids": value, "entry_key": value, "dose": value},
        "/shipments/new": {f"lot-{value}": "1", f"lot-{batch}": value, "consignee": "甲"},
        "/stock/new": {"product_id": value, "quantity": value},
        "/layouts/new": {"width_mm": value, "module_dots": value},
        f"/batches/{batch}/genealogy": {"source_id": value, "quantity": value},
    }.items():
        answer = client.post(path, data=values)
        assert answer.status_code in {200, 302, 400, 404, 405, 409, 422}, path
    answer = world.client(officer).post("/recalls/scope", data={"lots": "X", "out": value, f"why-{value}": "a"})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"product_id": 1e400}',
        b'{"product_id": 1000000000000000000000000000000, "site_id": 9223372036854775808, "lot_number": "A", '
        b'"quantity": 1e400, "produced_on": "99999-01-01"}',
        b"1" * 60_000,
    ],
    ids=["lists", "objects", "float", "numbers", "digits"],
)
def test_no_json_is_a_fault(world: World, body: bytes) -> None:
    token = world.token(world.producer())
    for path in ("/api/v1/batches", "/api/v1/batches/1/records", "/api/v1/batches/1/label-runs", "/api/v1/recalls"):
        answer = world.client().post(path, data=body, content_type="application/json", headers=token)
        assert 400 <= answer.status_code < 500, (path, answer.status_code)
        if answer.status_code != 404:
            assert answer.mimetype == "application/problem+json"
