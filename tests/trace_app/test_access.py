"""Who reaches whose things: every route that names one, each sort of it of two owners, asked for as each role.

What is expected follows from who owns a thing and whose jurisdiction it lies in. A route that names a thing of a new
sort fails until its sort is entered here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa

from tests.films import h264
from tests.trace_app.clipping import PART_TYPE, TUS, begin, send
from tests.trace_app.test_inputs import PRODUCT, _stocked
from tests.trace_app.test_laboratories import NAME, PASSED, _laboratory
from tests.trace_app.test_quality import REPORT, STRONG, _lines
from tests.trace_app.test_routes import EXAMPLES, TABLE
from tests.trace_app.test_shipping import FORM as SHIPMENT
from tests.world import Actor, World, pdf
from trace_app.accounts.models import Passkey
from trace_app.extensions import db
from trace_app.feedback.models import Feedback, FeedbackKind
from trace_app.findings.models import Finding
from trace_app.flow.genealogy.models import LotLink
from trace_app.flow.shipments.models import LotLoss
from trace_app.labels.models import LabelLayout, LabelRun, PrintJob
from trace_app.laboratory.models import TestOrder, TestReport
from trace_app.media.models import Clip
from trace_app.media.service import keep_document
from trace_app.suggestions.models import Suggestion
from trace_app.workbooks.models import Import

pytestmark = pytest.mark.either_database

PLACES = {"luoping": "530324102", "xuanwei": "530381001"}
"""Where the two owners are, by the names of their counties' officers."""


@dataclass
class Owned:
    """What one producer has: the value of each name in a route that stands for something of its own."""

    place: str
    owner: str
    values: dict[str, str] = field(default_factory=dict)


def _own(actor: str, owned: Owned) -> bool:
    """Its producer."""
    return actor == owned.owner


def _seen(actor: str, owned: Owned) -> bool:
    """Its producer, and the authorities of its county and of the city."""
    return actor in {owned.owner, owned.place, f"{owned.place}_admin", "city", "city_admin"}


def _watched(actor: str, owned: Owned) -> bool:
    """The authorities of its county and of the city, and not its producer."""
    return _seen(actor, owned) and not _own(actor, owned)


def _laboratorys(actor: str, _owned: Owned) -> bool:
    """The laboratory that was asked, or whose name was used."""
    return actor == "laboratory"


def _of_either(actor: str, owned: Owned) -> bool:
    return _seen(actor, owned) or _laboratorys(actor, owned)


def _citys(actor: str, _owned: Owned) -> bool:
    return actor in {"city", "city_admin"}


def _anyones(_actor: str, _owned: Owned) -> bool:
    return True


SORTS: dict[str, Callable[[str, Owned], bool]] = {
    **dict.fromkeys(("batch_id", "finding_id", "record_id", "feedback_id", "commitment_id", "run_id"), _seen),
    **dict.fromkeys(("shipment_id", "stock_id", "organisation_id", "user_id"), _seen),
    **dict.fromkeys(("product_id", "site_id", "link_id", "loss_id", "import_id", "job_id", "layout_id"), _own),
    **dict.fromkeys(("certificate_id", "channel_id", "token_id", "session_id", "passkey_id", "code"), _own),
    **dict.fromkeys(("number", "suggestion_id"), _watched),
    "household_id": _seen,
    "weighing_id": _own,
    "report_id": _seen,
    "clip": _seen,
    "camera_id": _seen,
    "upload": _own,
    "order_id": _laboratorys,
}
"""Who reaches a thing of each sort, by the first name in a route that stands for one."""
OTHERWISE: dict[str, Callable[[str, Owned], bool]] = {
    "GET /sites/<site_id>/cameras": _seen,
    "GET /certificates/<certificate_id>": _seen,
    "GET /inputs/<product_id>": _anyones,
    "POST /inputs/<product_id>": _citys,
    "POST /inputs/<product_id>/uses": _citys,
    "POST /inputs/<product_id>/uses/<use_id>/remove": _citys,
    "POST /suggestions/<suggestion_id>": _citys,
    "GET /laboratory/samples/<code>": _anyones,
    "POST /laboratory/samples/<code>": _anyones,
    "GET /laboratory/reports/<report_id>": _of_either,
    "GET /laboratory/reports/<report_id>/correct": _own,
    "POST /laboratory/reports/<report_id>/correct": _own,
    "POST /laboratory/claims/<report_id>/<answer>": _laboratorys,
}
"""Routes for which it is not so: a laboratory has a sample in its hands, inputs are all counties'."""
NAMES_NOTHING = {"kind_code", "record_type", "stage_code", "what", "table_name", "stock"}
"""Names in routes that stand for what everyone shares."""
NEEDS_MORE = {
    "POST /shipments/<shipment_id>/commitments",
    "POST /shipments/<shipment_id>/commitments/foreign",
    "POST /labels/pack/<code>/<packing_id>/remove",
    "GET /records/<record_id>/readings",
    "GET /labels/<run_id>/<index>.<form>",
    "GET /labels/jobs/<job_id>/<volume>",
    "GET /api/v1/print-jobs/<job_id>/files/<volume>",
}
"""Routes whose owner is told of something else that is not there: only refusals are looked at."""
CAMERA = {
    "name": "东头",
    "source": "snapshot",
    "address": "https://camera.invalid/now.jpg",
    "every_minutes": "10",
    "active": "y",
}
SENT: dict[str, dict[str, Any]] = {
    "POST /batches/<batch_id>/lose": {"kind": "lost", "quantity": "1", "reason": "干耗", "happened_on": "2026-01-05"},
    "POST /inputs/<product_id>": PRODUCT,
    "POST /api/v1/batches/<batch_id>/records": {"type": "care", "happened_on": "2025-06-01", "note": "除草"},
    "POST /api/v1/batches/<batch_id>/label-runs": {"stock": "roll-60x40", "count": 1},
    "POST /api/v1/label-runs/<run_id>/void": {"first": 1, "last": 1, "reason": "坏了"},
}
"""What is sent where nothing is refused before it is whole."""


def _actors(world: World) -> dict[str, Actor]:
    return {
        "grower": world.producer(PLACES["luoping"]),
        "ham_maker": world.producer(PLACES["xuanwei"]),
        "luoping": world.regulator("530324"),
        "luoping_admin": world.administrator("530324"),
        "xuanwei": world.regulator("530381"),
        "xuanwei_admin": world.administrator("530381"),
        "city": world.regulator("530300"),
        "city_admin": world.administrator("530300"),
        "laboratory": _laboratory(world),
        "buyer": world.buyer(),
    }


def _things(world: World, place: str, owner: str, actors: dict[str, Actor], number: int) -> Owned:
    """One of each sort."""
    actor, division = actors[owner], PLACES[place]
    client = world.client(actor)
    lot = world.batch(actor, division=division, lot_number=f"ACCESS-{number}")
    world.complete(actor, lot)
    record = world.record(actor, lot)
    send(client, record, h264())
    upload = begin(client, record, 500).location.rsplit("/", 1)[1]
    assert client.post(f"/batches/{lot}/release").status_code == 302
    run, case = world.run(actor, lot), world.run(actor, lot, 1, layout="roll-100x100", level="case")
    code = world.code(run)
    client.post(f"/batches/{lot}/commitments", data={"quantity": "8600", "bases": ["own_control"]})
    shipped = client.post("/shipments/new", data=SHIPMENT | {f"q-{lot}": "10"})
    assert shipped.status_code == 302, shipped.text
    stock = _stocked(world, actor)
    report = REPORT | _lines(PASSED) | {"laboratory": NAME, "report_number": f"A-{number}"}
    assert client.post(f"/batches/{lot}/tests/new", data=report).status_code == 302
    laboratory = str(actors["laboratory"].organisation_id)
    order = {"laboratory_id": laboratory, "kind": "own", "sample_number": f"S-{number}"}
    assert client.post(f"/batches/{lot}/test-orders", data=order).status_code == 302
    client.post("/messages", data={"type": "webhook", "target": "https://x.example/h", "least_severity": "block"})
    client.post("/account/tokens", data={"name": "秤", "scopes": ["read"], "days": "90"})
    certificate = {
        "type": "other",
        "number": f"C-{number}",
        "issuer": "某中心",
        "valid_from": "2025-01-01",
        "valid_until": "2030-01-01",
    }
    assert client.post("/certificates", data=certificate).status_code == 302
    with world.app.app_context():
        site = db.session.execute(sa.text("SELECT site_id FROM batches WHERE id = :lot"), {"lot": lot}).scalar_one()
    camera = client.post(f"/sites/{site}/cameras", data=CAMERA).location.rsplit("/", 1)[1]
    recalled = world.released(actor, division=division)
    recall = world.recall(actors[place], recalled)
    blocked = world.batch(actor, division=division)
    household = world.member(actor, "示例户")
    with world.writing():
        key = {"name": f"钥匙 {number}", "credential_id": f"key {number}".encode(), "public_key": b"x", "sign_count": 0}
        db.session.add(Passkey(user_id=actor.user_id, **key))
    weighing = world.weigh(actor, blocked, household, "100")
    world.record(actor, blocked, "pesticide", **STRONG)
    client.get(f"/batches/{blocked}")
    wish = {"catalogue": "limits", "content": f"加一项 {number}", "basis": "GB 2762"}
    assert world.client(actors[place]).post("/suggestions/new", data=wish).status_code == 302
    with world.writing():
        user = actor.user_id
        linked = LotLink(
            source_id=lot, target_id=blocked, quantity=1, happened_on=sa.func.current_date(), created_by_id=user
        )
        loss = LotLoss(batch_id=lot, holder_id=actor.organisation_id, quantity=1, reason="干耗", created_by_id=user)
        said = Feedback(ticket=f"access{number}", kind=FeedbackKind.FAKE, code=code, batch_id=lot, text="假的")
        layout = LabelLayout(producer_id=actor.organisation_id, name="版", plain=_a_layout(run), created_by_id=user)
        document = keep_document(_user(user), "a.pdf", pdf(), "pdf")
        document.kind = "xlsx"
        imported = Import(
            organisation_id=actor.organisation_id,
            what="ginger",
            document_id=document.id,
            rows=1,
            good=0,
            problems=[],
            problem_count=0,
            created_by_id=user,
        )
        db.session.add_all([linked, loss, said, layout, imported])
        db.session.flush()
        values = {
            "batch_id": lot,
            "record_id": record,
            "household_id": household,
            "weighing_id": weighing,
            "upload": upload,
            "clip": db.session.scalars(sa.select(Clip.name).filter_by(organisation_id=actor.organisation_id)).one(),
            "run_id": run,
            "job_id": db.session.scalars(sa.select(PrintJob.id).filter_by(run_id=run)).one(),
            "finding_id": db.session.scalars(
                sa.select(Finding.id).filter_by(batch_id=blocked, rule="restricted")
            ).one(),
            "report_id": db.session.scalars(sa.select(TestReport.id).filter_by(batch_id=lot)).one(),
            "order_id": db.session.scalars(sa.select(TestOrder.id).filter_by(batch_id=lot)).one(),
            "suggestion_id": db.session.scalars(
                sa.select(Suggestion.id).filter_by(organisation_id=actors[place].organisation_id)
            ).one(),
            "link_id": linked.id,
            "loss_id": loss.id,
            "feedback_id": said.id,
            "layout_id": layout.id,
            "import_id": imported.id,
            "organisation_id": actor.organisation_id,
            **_rows(lot, actor),
        }
    values |= {"shipment_id": shipped.location.rsplit("/", 1)[1], "stock_id": stock, "number": recall}
    values |= {"camera_id": camera}
    values |= {"code": world.code(case), "user_id": _colleague(world, actor, actors["city_admin"], number)}
    return Owned(place, owner, {name: str(value) for name, value in values.items()})


def _user(user_id: int) -> Any:
    from trace_app.accounts.models import User

    return db.session.get_one(User, user_id)


def _a_layout(run: int) -> Any:
    return db.session.get_one(LabelRun, run).jobs[0].layout


def _rows(lot: int, actor: Actor) -> dict[str, int]:
    """What has no model of its own here."""
    queries = {
        "commitment_id": "SELECT max(id) FROM commitment_certificates WHERE batch_id = :lot",
        "certificate_id": "SELECT max(id) FROM certificates WHERE producer_id = :organisation",
        "channel_id": "SELECT max(id) FROM channels WHERE organisation_id = :organisation",
        "token_id": "SELECT max(id) FROM api_tokens WHERE user_id = :user AND name = '秤'",
        "passkey_id": "SELECT max(id) FROM passkeys WHERE user_id = :user",
        "session_id": "SELECT min(id) FROM user_sessions WHERE user_id = :user AND ended_at IS NULL",
        "product_id": "SELECT product_id FROM batches WHERE id = :lot",
        "site_id": "SELECT site_id FROM batches WHERE id = :lot",
    }
    known = {"lot": lot, "organisation": actor.organisation_id, "user": actor.user_id}
    return {name: db.session.execute(sa.text(query), known).scalar_one() for name, query in queries.items()}


def _colleague(world: World, actor: Actor, administrator: Actor, number: int) -> int:
    """Another user of the organisation: what is done to it hinders nobody here."""
    made = {"username": f"colleague{number}", "full_name": "某人", "email": f"c{number}@example.org"}
    path = f"/admin/organisations/{actor.organisation_id}/users/new"
    answer = world.client(administrator).post(path, data=made | {"role": "producer"})
    assert answer.status_code == 200, answer.text
    with world.app.app_context():
        query = sa.text("SELECT id FROM users WHERE username = :name")
        return int(db.session.execute(query, {"name": made["username"]}).scalar_one())


def _sort_of(route: str) -> str | None:
    """The first name in a route that stands for something of someone's; None where there is none."""
    names = [name for name in re.findall(r"<(\w+)>", route) if name not in NAMES_NOTHING]
    return names[0] if names else None


def _named() -> list[tuple[str, str]]:
    """Each route that needs signing in and names something, with the sort of it."""
    needs_signing_in = [route for route, roles in TABLE.items() if roles and "nobody" not in roles]
    return [(route, sort) for route in needs_signing_in if (sort := _sort_of(route)) is not None]


def test_every_route_names_a_sort_that_is_known() -> None:
    assert {sort for _route, sort in _named()} <= set(SORTS)
    assert set(OTHERWISE) | NEEDS_MORE <= {route for route, _sort in _named()}


def test_each_role_reaches_what_is_its_own_or_in_its_jurisdiction_and_nothing_else(world: World) -> None:
    actors = _actors(world)
    with world.app.app_context():
        roles = {name: _user(actor.user_id).role for name, actor in actors.items()}
    things = [
        _things(world, "luoping", "grower", actors, 1),
        _things(world, "xuanwei", "ham_maker", actors, 2),
    ]
    shared_input = _shared_input(world, actors["city_admin"])
    clients = {name: world.client(actor) for name, actor in actors.items()}
    tokens = {name: world.token(actor) for name, actor in actors.items()}
    tries = []
    for owned in things:
        for route, sort in _named():
            method, rule = route.split()
            values = EXAMPLES | owned.values | ({"product_id": shared_input} if "/inputs/" in rule else {})
            path = re.sub(r"<(\w+)>", lambda part, values=values: values.get(part[1], "1"), rule)
            reaches = OTHERWISE.get(route, SORTS[sort])
            for name in actors:
                allowed = roles[name] in TABLE[route] and reaches(name, owned)
                tries.append((method != "GET", allowed, route, method, path, name))
    wrong = []
    # First what is only read, then what must be refused, and last what does change something.
    for _writes, allowed, route, method, path, name in sorted(tries, key=lambda one: one[:2]):
        if allowed and (route in NEEDS_MORE or method != "GET"):
            # What it changes would stand in the way of the next.
            continue
        if path.startswith("/api/"):
            body = SENT.get(route, {}) if method == "POST" else None
            answer = clients[name].open(path, method=method, headers=tokens[name], json=body)
        else:
            client, data = clients[name], SENT.get(route) if method == "POST" else None
            part = TUS | {"Upload-Offset": "0", "Content-Type": PART_TYPE, "X-CSRFToken": client.token()}
            headers = part if method in {"PATCH", "DELETE"} else None
            answer = client.open(path, method=method, data=data, headers=headers)
        led_to = answer.location or ""
        # Officers of elsewhere are led from a case to its public notice.
        refused = answer.status_code in {401, 403, 404} or led_to.startswith("/login") or led_to + "/manage" == path
        if refused == allowed:
            wrong.append((name, route, path, answer.status_code))
    assert not wrong, "\n".join(map(str, wrong))


def _shared_input(world: World, city: Actor) -> str:
    made = world.client(city).post("/inputs/new", data=PRODUCT | {"name": "全市共用的药", "registration_number": ""})
    assert made.status_code == 302, made.text
    return made.location.rsplit("/", 1)[1]
