import io
import itertools

import numpy as np
import pypdfium2
import pytest
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from qr.reading import read_symbols
from tests.world import SPRAYED, World

RECALL = {"level": 2, "reason": "镉超标", "advice": "停止食用"}


def _batch(world: World, actor) -> dict[str, object]:
    return {
        "product_id": world.product(actor),
        "site_id": world.site(actor),
        "lot_number": "API-1",
        "quantity": "12.5",
        "unit": "kg",
        "started_on": "2025-03-12",
        "produced_on": "2025-11-06",
    }


def _pesticide() -> dict[str, object]:
    return SPRAYED | {"type": "pesticide", "interval_days": 14, "dose": 40}


def test_the_whole_way_over_the_api(world: World) -> None:
    actor, officer = world.producer(), world.regulator()
    api, mine, theirs = world.client(), world.token(actor), world.token(officer)
    made = api.post("/api/v1/batches", headers=mine, json=_batch(world, actor))
    assert made.status_code == 201
    batch_id = made.json["id"]
    assert made.json["state"] == "draft"
    assert made.json["quantity"] == "12.500"
    record = api.post(f"/api/v1/batches/{batch_id}/records", headers=mine, json=_pesticide())
    assert record.status_code == 201
    planting = {"type": "stage", "stage": "planting", "happened_on": "2025-03-12"}
    once = mine | {"Idempotency-Key": "planting-0001"}
    first, again = (api.post(f"/api/v1/batches/{batch_id}/records", headers=once, json=planting) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json["id"] == again.json["id"]
    blocked = api.post(f"/api/v1/batches/{batch_id}/release", headers=mine)
    assert (blocked.status_code, blocked.json["code"]) == (409, "release-blocked")
    found = api.get(f"/api/v1/batches/{batch_id}/findings", headers=theirs).json["items"]
    assert [one["rule"] for one in found if one["severity"] == "block"] == ["missing"]
    harvest = {"type": "stage", "stage": "harvest", "happened_on": "2025-11-06", "values": {"quantity_kg": 12.5}}
    assert api.post(f"/api/v1/batches/{batch_id}/records", headers=mine, json=harvest).json["values"] == {
        "quantity_kg": "12.5"
    }
    assert len(api.get(f"/api/v1/batches/{batch_id}/records", headers=theirs).json["items"]) == 3
    assert api.post(f"/api/v1/batches/{batch_id}/release", headers=mine).json["state"] == "released"
    asked = api.post(f"/api/v1/batches/{batch_id}/label-runs", headers=mine, json={"stock": "roll-60x40", "count": 2})
    assert asked.status_code == 202
    run = api.get(f"/api/v1/label-runs/{asked.json['id']}", headers=mine).json
    assert (run["level"], run["count"]) == ("item", 2)
    [job] = run["jobs"]
    assert (job["status"], job["done"]) == ("ready", 2)
    pdf_path = job["files"][0]["url"]
    pdf = api.get(pdf_path, headers=mine)
    assert pdf.mimetype == "application/pdf"
    with pypdfium2.PdfDocument(pdf.data) as document:
        url = read_symbols(np.asarray(document[0].render(scale=4).to_pil().convert("L")))[0]
    codes = api.get(f"/api/v1/label-runs/{run['id']}/codes", headers=mine).json
    assert codes["total"] == 2
    assert codes["items"][0]["url"] == url
    code = codes["items"][0]["code"]
    trace = api.get(f"/api/v1/trace/{code.lower()}").json
    assert (trace["code"], trace["state"], trace["recall"]) == (code, "released", None)
    assert {r["interval"] for r in trace["records"]} == {"kept", None}
    recalled = api.post("/api/v1/recalls", headers=theirs, json=RECALL | {"batch_id": batch_id})
    assert recalled.status_code == 201
    trace = api.get(f"/api/v1/trace/{code}").json
    assert (trace["state"], trace["recall"]["number"]) == ("recalled", recalled.json["number"])
    assert api.get("/api/v1/recalls").json["items"][0]["lots"] == ["API-1"]
    assert api.get(pdf_path, headers=mine).status_code == 409
    listed = api.get("/api/v1/batches?state=recalled", headers=theirs).json
    assert [row["lot_number"] for row in listed["items"]] == ["API-1"]


def test_labels_are_voided_over_the_api(world: World) -> None:
    actor = world.producer()
    mine, api = world.token(actor), world.client()
    run = world.run(actor, world.released(actor), count=5)
    values = {"first": 1, "last": 2, "reason": "卡纸"}
    answer = api.post(f"/api/v1/label-runs/{run}/void", headers=mine, json=values)
    assert answer.json["voided"] == [values]
    assert [api.get(f"/api/v1/trace/{world.code(run, index)}").json["void"] for index in range(4)] == [
        False,
        True,
        True,
        False,
    ]
    beyond = api.post(f"/api/v1/label-runs/{run}/void", headers=mine, json=values | {"last": 5})
    assert (beyond.status_code, beyond.json["code"]) == (422, "range-out-of-run")
    other = world.token(world.producer())
    assert api.post(f"/api/v1/label-runs/{run}/void", headers=other, json=values).status_code == 404


class TestProblems:
    """RFC 9457."""

    def _is_problem(self, answer, status: int, code: str | None = None) -> dict[str, object]:
        assert answer.status_code == status
        assert answer.mimetype == "application/problem+json"
        assert answer.json["status"] == status
        assert answer.json["title"]
        if code:
            assert answer.json["code"] == code
        return answer.json

    def test_without_or_with_a_wrong_token(self, world: World) -> None:
        for headers in ({}, {"Authorization": "Bearer qj_wrong"}, {"Authorization": "Basic abc"}):
            answer = world.client().get("/api/v1/batches", headers=headers)
            self._is_problem(answer, 401)
            assert answer.headers["WWW-Authenticate"] == "Bearer"

    def test_a_session_is_no_token(self, world: World) -> None:
        self._is_problem(world.client(world.producer()).get("/api/v1/batches"), 401)

    def test_what_is_wrong_is_said_by_field_in_the_callers_language(self, world: World) -> None:
        actor = world.producer()
        client: FlaskClient = world.client(language="en")
        body = _batch(world, actor) | {"quantity": -1, "unit": "leg"}
        problem = self._is_problem(
            client.post("/api/v1/batches", headers=world.token(actor), json=body), 422, "invalid-input"
        )
        assert set(problem["errors"]) == {"quantity", "unit"}
        assert "Must be between" in problem["errors"]["quantity"][0]

    @pytest.mark.parametrize("body", [None, [], {"lot_number": 5}, {"unknown": 1}])
    def test_a_body_of_another_shape(self, world: World, body: object) -> None:
        answer = world.client().post("/api/v1/batches", headers=world.token(world.producer()), json=body)
        assert self._is_problem(answer, 422, "invalid-input")["errors"]

    def test_a_body_that_is_no_json(self, world: World) -> None:
        answer = world.client().post("/api/v1/batches", headers=world.token(world.producer()), data="{")
        self._is_problem(answer, 422)

    def test_conflicts_carry_their_code(self, world: World) -> None:
        actor = world.producer()
        headers, body = world.token(actor), _batch(world, actor)
        world.client().post("/api/v1/batches", headers=headers, json=body)
        again = world.client().post("/api/v1/batches", headers=headers, json=body)
        self._is_problem(again, 409, "lot-number-taken")
        draft = world.batch(actor)
        refused = world.client().post(f"/api/v1/batches/{draft}/release", headers=headers)
        self._is_problem(refused, 409, "release-blocked")

    def test_what_is_not_ones_own_is_not_found(self, world: World) -> None:
        batch_id = world.batch(world.producer())
        self._is_problem(
            world.client().get(f"/api/v1/batches/{batch_id}", headers=world.token(world.producer())), 404, "not-found"
        )
        self._is_problem(world.client().get("/api/v1/trace/7KQ2M0XR9T4VH"), 404, "unknown-code")
        self._is_problem(world.client().get("/api/v1/nothing/here"), 404)

    def test_a_recall_outside_the_jurisdiction(self, world: World) -> None:
        batch_id = world.released(world.producer())
        body = RECALL | {"batch_id": batch_id}
        answer = world.client().post("/api/v1/recalls", headers=world.token(world.regulator("530381")), json=body)
        self._is_problem(answer, 404)


def test_the_document_is_valid_openapi_3_1_and_names_every_operation(world: World) -> None:
    document = world.client().get("/api/v1/openapi.json").json
    assert document["openapi"].startswith("3.1")
    validate(document)
    described = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    served = {
        (method, rule.rule.replace("<int:", "{").replace("<", "{").replace(">", "}"))
        for rule in world.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint.startswith("api.")
    }
    assert described == served


def test_the_docs_are_served_from_here_alone(world: World) -> None:
    page = world.client().get("/api/v1/docs").text
    assert "https://" not in page
    for name in ("css/swagger-ui.css", "js/swagger-ui-bundle.js"):
        assert world.client().get(f"/api/v1/docs/{name}").status_code == 200
    assert world.client().get("/api/v1/docs/..%2F__init__.py").status_code == 404


def test_photos_of_a_record_are_named(world: World) -> None:
    from tests.world import photo

    actor = world.producer()
    batch_id = world.batch(actor)
    files = [(io.BytesIO(photo()), "a.jpg")]
    data = {"happened_on": "2025-06-01", "note": "除草", "photos": files}
    world.enter(world.client(actor), batch_id, "care", **data)
    record = world.client().get(f"/api/v1/batches/{batch_id}/records", headers=world.token(actor)).json["items"][0]
    assert record["photos"][0].startswith("http://")


def test_a_key_stands_for_one_record_and_is_refused_for_another(world: World) -> None:
    """What was never written down must not be answered as if it had been."""
    actor = world.producer()
    one, other = (world.batch(actor, lot_number=lot) for lot in ("KEY-1", "KEY-2"))
    api, mine = world.client(), world.token(actor) | {"Idempotency-Key": "key-00000001"}
    spray = _pesticide() | {"dose": "12.5"}
    first = api.post(f"/api/v1/batches/{one}/records", headers=mine, json=spray)
    assert (first.status_code, first.headers.get("Idempotency-Replayed")) == (201, None)
    again = api.post(f"/api/v1/batches/{one}/records", headers=mine, json=spray | {"dose": "12.50"})
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert again.json["id"] == first.json["id"]
    for batch_id, change in (
        (other, {}),
        (one, {"dose": "13"}),
        (one, {"product_name": "另一种"}),
        (one, {"happened_on": "2025-09-14"}),
        (one, {"type": "care", "note": "除草"}),
    ):
        body = spray | change if change.get("type") is None else {"happened_on": "2025-09-15", **change}
        refused = api.post(f"/api/v1/batches/{batch_id}/records", headers=mine, json=body)
        assert (refused.status_code, refused.json["code"]) == (422, "key-used-otherwise"), change
    assert len(api.get(f"/api/v1/batches/{one}/records", headers=mine).json["items"]) == 1
    assert api.get(f"/api/v1/batches/{other}/records", headers=mine).json["items"] == []


def test_a_number_in_a_body_is_written_in_digits(world: World) -> None:
    actor = world.producer()
    api, mine, body = world.client(), world.token(actor), _batch(world, actor)
    for number, code in zip(("1_000", "1e3", "1,5", "１２", "NaN", "0x10"), itertools.count(), strict=False):
        sent = body | {"quantity": number, "lot_number": f"NUM-{code}"}
        assert api.post("/api/v1/batches", headers=mine, json=sent).status_code == 422, number
    taken = api.post("/api/v1/batches", headers=mine, json=body | {"quantity": 1250.5, "lot_number": "NUM-9"})
    assert taken.json["quantity"] == "1250.500"
