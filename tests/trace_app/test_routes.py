"""Who may use which route: every role against every route, in one table. A new route must be entered here."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from tests.world import Actor, World
from trace_app.accounts.models import RoleName

pytestmark = pytest.mark.either_database

ANYONE = {"nobody", *RoleName}
USERS = set(RoleName)
PRODUCER = {RoleName.PRODUCER}
REGULATORS = {RoleName.REGULATOR, RoleName.ADMINISTRATOR}
WITH_BATCHES = PRODUCER | REGULATORS
ADMINISTRATOR = {RoleName.ADMINISTRATOR}
TESTERS = {RoleName.PRODUCER, RoleName.LABORATORY}
PARTIES = {RoleName.PRODUCER, RoleName.BUYER}
NO_ONE: set[str] = set()

TABLE = {
    # For everyone
    "GET /": ANYONE,
    "GET /<code>": ANYONE,
    "GET /<code>/": ANYONE,
    "POST /<code>/pin": ANYONE,
    "GET /<key>/<rest>": ANYONE,
    "GET /.well-known/gs1resolver": ANYONE,
    "GET /p/<gtin>": ANYONE,
    "GET /l/<gtin>/<lot>": ANYONE,
    "GET /p/<gtin>/<part>": ANYONE,
    "GET /l/<gtin>/<lot>/<part>": ANYONE,
    "GET /<code>/<part>": ANYONE,
    "GET /places/<gln>": ANYONE,
    "GET /<code>/feedback": ANYONE,
    "POST /<code>/feedback": ANYONE,
    "GET /tickets/<ticket>": ANYONE,
    "GET /feedback": WITH_BATCHES,
    "GET /feedback/<feedback_id>": WITH_BATCHES,
    "POST /feedback/<feedback_id>": WITH_BATCHES,
    "GET /scans": WITH_BATCHES,
    "GET /scans.csv": WITH_BATCHES,
    "GET /find": ANYONE,
    "POST /find": ANYONE,
    "GET /recalls": ANYONE,
    "GET /recalls/<number>": ANYONE,
    "GET /recalls/<number>/<sequence>.pdf": ANYONE,
    "GET /recalls/<number>/poster.pdf": ANYONE,
    "GET /commitments/<number>": ANYONE,
    "GET /recalls.atom": ANYONE,
    "GET /recalls.json": ANYONE,
    "GET /recalls/check": ANYONE,
    "GET /receive": ANYONE,
    "GET /receive/<code>": ANYONE,
    "POST /receive/<code>": ANYONE,
    "GET /receive/<code>/return": ANYONE,
    "POST /receive/<code>/return": ANYONE,
    "GET /recall-tasks/<token>": ANYONE,
    "POST /recall-tasks/<token>/acknowledge": ANYONE,
    "POST /recall-tasks/<token>/report": ANYONE,
    "POST /recall-tasks/<token>/filings": ANYONE,
    "GET /media/<name>.webp": ANYONE,
    "GET /media/<name>-<size>.webp": ANYONE,
    "GET /media/<name>.pdf": ANYONE,
    "GET /field/sw.js": ANYONE,
    "GET /field/manifest.webmanifest": ANYONE,
    "GET /favicon.ico": ANYONE,
    "GET /robots.txt": ANYONE,
    "GET /healthz": ANYONE,
    "GET /readyz": ANYONE,
    # By where one comes from; to others there is no such page.
    "GET /metrics": ANYONE,
    "GET /static/<name>.css": ANYONE,
    "GET /static/js/<version>/<name>.js": ANYONE,
    "GET /static/<filename>": ANYONE,
    "GET /login": ANYONE,
    "GET /slips": ANYONE,
    "POST /slips": ANYONE,
    "GET /slips/<word>": ANYONE,
    "POST /slips/<word>": ANYONE,
    "POST /login": ANYONE,
    "GET /api/v1/openapi.json": ANYONE,
    "GET /api/v1/docs": ANYONE,
    "GET /api/v1/docs/<name>": ANYONE,
    "GET /api/v1/trace/<code>": ANYONE,
    "GET /api/v1/recalls": ANYONE,
    # For every user
    "POST /logout": USERS,
    "GET /start": USERS,
    "GET /field/session": USERS,
    "GET /account": USERS,
    "POST /account/tokens": USERS,
    "POST /account/sessions/<session_id>/end": USERS,
    "POST /account/sessions/end": USERS,
    "POST /account/tokens/<token_id>/revoke": USERS,
    "GET /account/password": USERS,
    "GET /trail": USERS,
    "GET /trail.csv": USERS,
    "GET /factors": USERS,
    "POST /factors": USERS,
    "POST /factors/confirm": USERS,
    "POST /factors/codes": USERS,
    "POST /factors/remove": USERS,
    "POST /factors/passkeys": USERS,
    "POST /factors/passkeys/confirm": USERS,
    "POST /factors/passkeys/<passkey_id>/remove": USERS,
    "POST /account/password": USERS,
    # For administrators
    "GET /admin": ADMINISTRATOR,
    "GET /admin/organisations/new": ADMINISTRATOR,
    "POST /admin/organisations/new": ADMINISTRATOR,
    "GET /admin/organisations/<organisation_id>": ADMINISTRATOR,
    "GET /admin/organisations/<organisation_id>/edit": ADMINISTRATOR,
    "POST /admin/organisations/<organisation_id>/edit": ADMINISTRATOR,
    "GET /admin/organisations/<organisation_id>/users/new": ADMINISTRATOR,
    "POST /admin/organisations/<organisation_id>/users/new": ADMINISTRATOR,
    "GET /admin/users/<user_id>": ADMINISTRATOR,
    "POST /admin/users/<user_id>/reset": ADMINISTRATOR,
    "POST /admin/users/<user_id>/remove-factor": ADMINISTRATOR,
    "POST /admin/users/<user_id>/tokens/<token_id>/revoke": ADMINISTRATOR,
    "POST /admin/users/<user_id>/active": ADMINISTRATOR,
    "GET /admin/kinds": ADMINISTRATOR,
    "GET /suggestions": REGULATORS,
    "GET /suggestions/new": REGULATORS,
    "POST /suggestions/new": REGULATORS,
    "GET /suggestions/<suggestion_id>": REGULATORS,
    "POST /suggestions/<suggestion_id>": REGULATORS,
    "POST /admin/kinds": ADMINISTRATOR,
    # For producers
    "POST /batches/<batch_id>/lose": PRODUCER,
    "POST /losses/<loss_id>/withdraw": PRODUCER,
    "GET /products": PRODUCER,
    "GET /products/new": PRODUCER,
    "POST /products/new": PRODUCER,
    "GET /products/<product_id>": PRODUCER,
    "POST /products/<product_id>": PRODUCER,
    "POST /products/<product_id>/photos": PRODUCER,
    "POST /products/<product_id>/photos/<photo_id>/remove": PRODUCER,
    "GET /sites": PRODUCER,
    "GET /sites/new": PRODUCER,
    "POST /sites/new": PRODUCER,
    "GET /sites/<site_id>": PRODUCER,
    "POST /sites/<site_id>": PRODUCER,
    "GET /batches/new": PRODUCER,
    "POST /batches/new": PRODUCER,
    "GET /batches/<batch_id>/edit": PRODUCER,
    "POST /batches/<batch_id>/edit": PRODUCER,
    "GET /batches/<batch_id>/correct": PRODUCER,
    "POST /batches/<batch_id>/correct": PRODUCER,
    "POST /batches/<batch_id>/release": PRODUCER,
    "POST /batches/<batch_id>/close": PRODUCER,
    "GET /field/": PRODUCER,
    "GET /field/<kind_code>/<record_type>": PRODUCER,
    "GET /field/<kind_code>/<record_type>/input": PRODUCER,
    "POST /records/<record_id>/withdraw": PRODUCER,
    "POST /products/<product_id>/<turn>": PRODUCER,
    "POST /sites/<site_id>/<turn>": PRODUCER,
    "POST /field/<kind_code>/<record_type>": PRODUCER,
    "GET /field/<kind_code>/<record_type>/<stage_code>": PRODUCER,
    "POST /field/<kind_code>/<record_type>/<stage_code>": PRODUCER,
    "GET /field/records/<record_id>/correct": PRODUCER,
    "POST /field/records/<record_id>/correct": PRODUCER,
    "GET /findings/to-do": PRODUCER,
    "GET /today": PRODUCER,
    "GET /records": PRODUCER,
    "GET /shipments/consignees": PARTIES,
    "POST /batches/<batch_id>/genealogy": PRODUCER,
    "POST /genealogy/<link_id>/withdraw": PRODUCER,
    "GET /workbooks": PRODUCER,
    "POST /workbooks": PRODUCER,
    "GET /workbooks/template/<what>.xlsx": PRODUCER,
    "GET /workbooks/<import_id>": PRODUCER,
    "POST /workbooks/<import_id>/<which>": PRODUCER,
    "GET /workbooks/<import_id>/problems.csv": PRODUCER,
    "GET /households": PRODUCER,
    "GET /households/new": PRODUCER,
    "POST /households/new": PRODUCER,
    "GET /households/<household_id>": WITH_BATCHES,
    "GET /households/<household_id>/edit": PRODUCER,
    "POST /households/<household_id>/edit": PRODUCER,
    "POST /households/<household_id>/consents": PRODUCER,
    "POST /households/<household_id>/plots": PRODUCER,
    "POST /households/<household_id>/plots/<site_id>/end": PRODUCER,
    "POST /households/<household_id>/leave": PRODUCER,
    "POST /households/<household_id>/return": PRODUCER,
    "GET /households/<household_id>/weighings.<paper>": PRODUCER,
    "GET /api/v1/households/<household_id>/batches": WITH_BATCHES,
    "GET /field/weighings": PRODUCER,
    "GET /field/weighings/new": PRODUCER,
    "POST /field/weighings/new": PRODUCER,
    "GET /field/weighings/<batch_id>": PRODUCER,
    "POST /field/weighings/<batch_id>": PRODUCER,
    "GET /batches/<batch_id>/weighings": WITH_BATCHES,
    "GET /batches/<batch_id>/weighings.csv": PRODUCER,
    "GET /weighings/<weighing_id>/correct": PRODUCER,
    "POST /weighings/<weighing_id>/correct": PRODUCER,
    "GET /stock": PRODUCER,
    "GET /stock/new": PRODUCER,
    "POST /stock/new": PRODUCER,
    "POST /stock/<stock_id>/out": PRODUCER,
    "GET /sites/<site_id>/tests": PRODUCER,
    "GET /sites/<site_id>/tests/<subject>": PRODUCER,
    "POST /sites/<site_id>/tests/<subject>": PRODUCER,
    "POST /certificates/<certificate_id>/withdraw": PRODUCER,
    "GET /certificates/<certificate_id>": WITH_BATCHES,
    "POST /batches/chosen/release": PRODUCER,
    "POST /batches/chosen/close": PRODUCER,
    "GET /batches/<batch_id>/commitments": PARTIES,
    "POST /batches/<batch_id>/commitments": PARTIES,
    "POST /shipments/<shipment_id>/commitments": PARTIES,
    "POST /shipments/<shipment_id>/commitments/foreign": PARTIES,
    "GET /shipments/<shipment_id>/commitments": PARTIES | REGULATORS,
    "POST /commitments/<commitment_id>/withdraw": PARTIES,
    "GET /batches/<batch_id>/labels": PRODUCER,
    "POST /batches/<batch_id>/labels": PRODUCER,
    "GET /labels": PRODUCER,
    "GET /labels/<run_id>/<index>.<form>": PRODUCER,
    "POST /labels/<run_id>/reprint": PRODUCER,
    "POST /labels/<run_id>/void": PRODUCER,
    "POST /labels/jobs/<job_id>/cancel": PRODUCER,
    "POST /labels/jobs/<job_id>/retry": PRODUCER,
    "GET /labels/jobs/<job_id>/<volume>": PRODUCER,
    "GET /labels/check": PRODUCER,
    "POST /labels/check": PRODUCER,
    "GET /labels/pack": PRODUCER,
    "POST /labels/pack": PRODUCER,
    "GET /labels/pack/<code>": PRODUCER,
    "POST /labels/pack/<code>": PRODUCER,
    "POST /labels/pack/<code>/photo": PRODUCER,
    "POST /labels/pack/<code>/<packing_id>/remove": PRODUCER,
    "GET /layouts": PRODUCER,
    "GET /layouts/new": PRODUCER,
    "POST /layouts/new": PRODUCER,
    "GET /layouts/<layout_id>": PRODUCER,
    "POST /layouts/<layout_id>": PRODUCER,
    "POST /layouts/<layout_id>/delete": PRODUCER,
    "POST /layouts/preview/<stock>": PRODUCER,
    "GET /api/v1/products": PRODUCER,
    "GET /api/v1/sites": PRODUCER,
    "POST /api/v1/batches": PRODUCER,
    "POST /api/v1/batches/<batch_id>/release": PRODUCER,
    "POST /api/v1/batches/<batch_id>/records": PRODUCER,
    "POST /api/v1/batches/<batch_id>/label-runs": PRODUCER,
    "GET /api/v1/print-jobs/<job_id>/files/<volume>": PRODUCER,
    "POST /api/v1/label-runs/<run_id>/void": PRODUCER,
    "GET /api/v1/label-runs/<run_id>/codes": PRODUCER,
    # For producers and regulators
    "GET /batches": WITH_BATCHES,
    "GET /batches/<batch_id>": WITH_BATCHES,
    "GET /records/<record_id>": WITH_BATCHES,
    "GET /batches/<batch_id>/genealogy": WITH_BATCHES,
    "GET /batches/<batch_id>/file.<file_type>": WITH_BATCHES,
    "GET /records/<record_id>/readings": WITH_BATCHES,
    "GET /inputs": WITH_BATCHES,
    "GET /inputs/new": WITH_BATCHES,
    "POST /inputs/new": WITH_BATCHES,
    "GET /inputs/<product_id>": WITH_BATCHES,
    "POST /inputs/<product_id>": WITH_BATCHES,
    "POST /inputs/<product_id>/uses": WITH_BATCHES,
    "POST /inputs/<product_id>/uses/<use_id>/remove": WITH_BATCHES,
    "GET /stock/trace": WITH_BATCHES,
    "GET /stock/<stock_id>": WITH_BATCHES,
    "GET /findings/<finding_id>": WITH_BATCHES,
    "GET /messages": WITH_BATCHES,
    "POST /messages": WITH_BATCHES,
    "POST /messages/<channel_id>/remove": WITH_BATCHES,
    "GET /certificates": WITH_BATCHES,
    "POST /certificates": WITH_BATCHES,
    "GET /commitments/<commitment_id>.pdf": PARTIES | REGULATORS,
    "GET /labels/<run_id>": WITH_BATCHES,
    "GET /api/v1/batches": WITH_BATCHES,
    "GET /api/v1/batches/<batch_id>": WITH_BATCHES,
    "GET /api/v1/batches/<batch_id>/records": WITH_BATCHES,
    "GET /api/v1/batches/<batch_id>/findings": WITH_BATCHES,
    "GET /api/v1/batches/<batch_id>/tests": WITH_BATCHES,
    "GET /api/v1/label-runs/<run_id>": WITH_BATCHES,
    # For those whose records carry clips
    "GET /records/<record_id>/clips": PRODUCER,
    "POST /records/<record_id>/clips": PRODUCER,
    "POST /clips/uploads": PRODUCER,
    "PATCH /clips/uploads/<upload>": PRODUCER,
    "DELETE /clips/uploads/<upload>": PRODUCER,
    "POST /clips/uploads/<upload>/give-up": PRODUCER,
    "POST /photo-uploads": ANYONE,
    "PATCH /photo-uploads/<name>": ANYONE,
    "GET /sites/<site_id>/cameras": WITH_BATCHES,
    "POST /sites/<site_id>/cameras": PRODUCER,
    "GET /cameras/<camera_id>": WITH_BATCHES,
    "POST /cameras/<camera_id>": PRODUCER,
    "POST /cameras/<camera_id>/look": PRODUCER,
    "GET /cameras/pictures/<name>.webp": ANYONE,
    "GET /cameras/pictures/<name>-small.webp": ANYONE,
    "GET /clips/<name>.mp4": ANYONE,
    "GET /clips/<name>-<picture>.webp": ANYONE,
    "GET /clips/<clip>/original": WITH_BATCHES,
    # For those who enter test reports
    "GET /batches/<batch_id>/tests/new": PRODUCER,
    "POST /batches/<batch_id>/tests/new": PRODUCER,
    "GET /batches/<batch_id>/test-orders": PRODUCER,
    "POST /batches/<batch_id>/test-orders": PRODUCER,
    "GET /laboratory/samples/<code>": {RoleName.LABORATORY},
    "POST /laboratory/samples/<code>": {RoleName.LABORATORY},
    "GET /laboratory/orders/<order_id>": {RoleName.LABORATORY},
    "POST /laboratory/orders/<order_id>": {RoleName.LABORATORY},
    "POST /laboratory/claims/<report_id>/<answer>": {RoleName.LABORATORY},
    "GET /laboratory/reports/<report_id>": TESTERS | REGULATORS,
    "GET /laboratory/reports/<report_id>/correct": TESTERS,
    "POST /laboratory/reports/<report_id>/correct": TESTERS,
    "GET /laboratory": {RoleName.LABORATORY},
    "GET /batches/<batch_id>/chain.xlsx": WITH_BATCHES,
    "GET /batches/<batch_id>/epcis.jsonld": WITH_BATCHES,
    "GET /recalls/scope": WITH_BATCHES,
    "POST /recalls/scope": WITH_BATCHES,
    "GET /batches/<batch_id>/recall": WITH_BATCHES,
    "POST /batches/<batch_id>/recall": WITH_BATCHES,
    "POST /batches/<batch_id>/drill": WITH_BATCHES,
    "GET /recalls/<number>/manage": WITH_BATCHES,
    "GET /recalls/<number>/report.pdf": WITH_BATCHES,
    "POST /recalls/<number>/correct": WITH_BATCHES,
    "POST /recalls/<number>/end": WITH_BATCHES,
    "POST /recalls/<number>/scope": WITH_BATCHES,
    # For those who send and receive goods
    "GET /shipments/new": PARTIES,
    "POST /shipments/new": PARTIES,
    "POST /shipments/<shipment_id>/withdraw": PARTIES,
    "POST /shipments/<shipment_id>/temperature": PARTIES,
    "GET /shipments/<shipment_id>/note.pdf": PARTIES,
    "GET /recall-tasks": PARTIES,
    "GET /shipments": PARTIES | REGULATORS,
    "GET /shipments/<shipment_id>": PARTIES | REGULATORS,
    "GET /journey": PARTIES | REGULATORS,
    # For regulators
    "GET /findings": REGULATORS,
    "GET /desk": REGULATORS,
    "GET /desk/search": REGULATORS,
    "GET /search": PARTIES | REGULATORS,
    "POST /recalls/<number>/approve": REGULATORS,
    "POST /recalls/<number>/reject": REGULATORS,
    "POST /recalls/<number>/narrow": REGULATORS,
    "POST /recalls/<number>/conclusion": REGULATORS,
    "GET /recalls/<number>/complete": REGULATORS,
    "POST /recalls/<number>/complete": REGULATORS,
    "GET /recalls/<number>/withdraw": REGULATORS,
    "POST /recalls/<number>/withdraw": REGULATORS,
    "POST /recalls/<number>/proposals/<proposal_id>/approve": REGULATORS,
    "POST /recalls/<number>/proposals/<proposal_id>/refuse": REGULATORS,
    "POST /recalls/<number>/proposals/<proposal_id>/take-back": REGULATORS,
    "POST /findings/<finding_id>/waive": REGULATORS,
    "POST /findings/<finding_id>/handle": REGULATORS,
    "POST /reference/<table_name>/checks": REGULATORS,
    "GET /reference/<table_name>": REGULATORS,
    "GET /reference/<table_name>.csv": REGULATORS,
    "POST /reference/<table_name>": ADMINISTRATOR,
    "POST /api/v1/recalls": REGULATORS,
    # For those alone who are in the middle of signing in
    "GET /factors/check": NO_ONE,
    "POST /factors/check": NO_ONE,
    "GET /factors/recovery": NO_ONE,
    "POST /factors/recovery": NO_ONE,
    "POST /factors/passkey": NO_ONE,
    # Of libraries, and not in use
    "GET /verify": NO_ONE,
    "POST /verify": NO_ONE,
    "GET /tf-setup": NO_ONE,
    "POST /tf-setup": NO_ONE,
    "POST /tf-setup/<token>": NO_ONE,
    "GET /tf-rescue": NO_ONE,
    "POST /tf-rescue": NO_ONE,
    "GET /tf-select": NO_ONE,
    "POST /tf-select": NO_ONE,
    "GET /mf-recovery-codes": NO_ONE,
    "POST /mf-recovery-codes": NO_ONE,
}
EXAMPLES = {
    "answer": "confirm",
    "code": "7KQ2M0XR9T4VH", "number": "530324-2026-0001", "name": "0" * 32, "size": "small", "filename": "app.css",
    "kind_code": "ginger", "record_type": "care", "stage_code": "harvest", "subject": "soil", "what": "ginger", "file_type": "xlsx", "paper": "csv", "which": "good", "turn": "retire", "table_name": "limits", "form": "png", "picture": "poster", "upload": "0" * 32, "clip": "0" * 32, "index": "0", "token_id": "999", "stock": "roll-60x40", "gtin": "06901234567892", "lot": "L1", "sscc": "0" * 18,
}  # fmt: skip


def _routes(app: Flask) -> dict[str, str]:
    """Method and path of every route, with a path to try it on."""
    found = {}
    for rule in app.url_map.iter_rules():
        plain = re.sub(r"<(?:[^:<>]+:)?(\w+)>", r"<\1>", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            path = re.sub(r"<(\w+)>", lambda part: EXAMPLES.get(part[1], "1"), plain)
            found[f"{method} {plain}"] = path.replace("/docs/" + "0" * 32, "/docs/css/swagger-ui.css")
    return found


def test_every_route_is_in_the_table(world: World) -> None:
    assert set(_routes(world.app)) == set(TABLE)


@pytest.mark.parametrize("role", ["nobody", *RoleName])
def test_a_role_uses_its_routes_and_no_others(world: World, role: str) -> None:
    actors: dict[str, Actor] = {
        RoleName.ADMINISTRATOR: world.administrator(),
        RoleName.REGULATOR: world.regulator(),
        RoleName.PRODUCER: world.producer(),
        RoleName.LABORATORY: world.laboratory(),
        RoleName.BUYER: world.buyer(),
    }
    actor = actors.get(role)
    headers = world.token(actor) if actor else {}
    wrong = []
    for route, path in _routes(world.app).items():
        method = route.split()[0]
        if path.startswith("/api/"):
            client = world.client()
            answer = client.open(path, method=method, headers=headers, json={} if method == "POST" else None)
            refused = answer.status_code in {401, 403}
        else:
            client = world.client(actor)
            answer = client.open(path, method=method)
            refused = answer.status_code == 403 or (answer.location or "").startswith("/login")
        assert answer.status_code < 500, route
        if refused == (role in TABLE[route]):
            wrong.append((route, answer.status_code))
    assert not wrong


def test_a_view_that_says_nothing_about_who_may_use_it_is_refused(tmp_path) -> None:
    from tests.conftest import app_for, set_up, settings_for

    app = app_for(settings_for(tmp_path))
    set_up(app)
    app.add_url_rule("/forgotten/view", "forgotten", lambda: "secret")
    answer = app.test_client().get("/forgotten/view")
    assert answer.status_code == 403
    assert "secret" not in answer.text
