"""Entries that are sent later, by field.js: exactly once, and conflicts shown."""

import re
import threading

import pytest

from tests.world import SPRAYED, World
from trace_app.accounts.models import User
from trace_app.extensions import db
from trace_app.records.models import Record

pytestmark = pytest.mark.either_database

JSON = {"Accept": "application/json"}
CARE = {"happened_on": "2025-06-01", "note": "除草"}


def _count(world: World) -> int:
    with world.app.app_context():
        return int(db.session.scalar(db.select(db.func.count(Record.id))) or 0)


def test_an_entry_that_is_sent_twice_is_kept_once(world: World) -> None:
    actor = world.producer()
    batch_id = world.batch(actor)
    client = world.client(actor)
    data = CARE | {"scope": "lots", "batch_ids": str(batch_id), "entry_key": "a" * 32}
    answers = [client.post("/field/ginger/care", data=data, headers=JSON) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json == answers[1].json
    assert _count(world) == 1
    other = world.producer()
    again = data | {"batch_ids": str(world.batch(other))}
    assert world.client(other).post("/field/ginger/care", data=again, headers=JSON).status_code == 201
    assert _count(world) == 2


def test_a_correction_that_is_sent_twice_is_kept_once(world: World) -> None:
    actor = world.producer()
    record = world.record(actor, world.batch(actor), "pesticide", **SPRAYED)
    client = world.client(actor)
    data = SPRAYED | {"dose": "30", "correction_reason": "复核", "entry_key": "c" * 32}
    path = f"/field/records/{record}/correct"
    answers = [client.post(path, data=data, headers=JSON) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json == answers[1].json
    assert _count(world) == 2


def test_sent_from_four_phones_at_once_it_is_kept_once(world: World) -> None:
    actor = world.producer()
    batch_id = world.batch(actor)
    data = CARE | {"scope": "lots", "batch_ids": str(batch_id), "entry_key": "b" * 32}
    clients = [world.client(actor) for _ in range(4)]
    answers: list[int] = []
    threads = [
        threading.Thread(
            target=lambda c=c: answers.append(c.post("/field/ginger/care", data=data, headers=JSON).status_code)
        )
        for c in clients
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [201] * 4
    assert _count(world) == 1


def test_what_is_wrong_is_told_by_field(world: World) -> None:
    actor = world.producer()
    batch_id = world.batch(actor)
    client = world.client(actor)
    data = CARE | {"scope": "lots", "batch_ids": str(batch_id), "happened_on": "2999-01-01"}
    answer = client.post("/field/ginger/care", data=data, headers=JSON)
    assert answer.status_code == 422
    assert answer.json["errors"] == {"日期": ["日期不能晚于今天。"]}
    world.recall(world.regulator(), world.released(actor, lot_number="GONE-1"))
    with world.app.app_context():
        gone = db.session.scalar(db.text("SELECT id FROM batches WHERE lot_number = 'GONE-1'"))
    late = client.post("/field/ginger/care", data=CARE | {"scope": "lots", "batch_ids": str(gone)}, headers=JSON)
    assert late.status_code == 422
    assert "GONE-1 已召回" in late.json["messages"][0]


def test_conflicting_corrections_are_shown_not_overwritten(world: World) -> None:
    actor = world.producer()
    batch_id = world.batch(actor)
    record = world.record(actor, batch_id, "pesticide", **SPRAYED)
    path = f"/field/records/{record}/correct"
    mine, theirs = world.client(actor), world.client(actor)
    theirs.post(path, data=SPRAYED | {"dose": "30", "correction_reason": "复核"})
    before = _count(world)
    answer = mine.post(path, data=SPRAYED | {"dose": "35", "correction_reason": "复核"}, headers=JSON)
    assert answer.status_code == 409
    assert {"label": "用量", "theirs": "30 克/亩", "mine": "35 克/亩"} in answer.json["differences"]
    assert _count(world) == before
    assert (
        mine.post(
            answer.json["newer"], data=SPRAYED | {"dose": "35", "correction_reason": "复核"}, headers=JSON
        ).status_code
        == 201
    )
    page = mine.get(f"/records/{record}").text
    assert re.findall(r"<del>([^<]*克/亩)</del>", page) == ["30 克/亩", "40 克/亩"]


def test_one_record_for_several_lots_and_for_a_site_flows_to_each_lot(world: World) -> None:
    actor = world.producer()
    site = world.site(actor)
    lots = [world.batch(actor, site_id=site, lot_number=f"S-{n}") for n in range(3)]
    client = world.client(actor)
    client.post(
        "/field/ginger/care",
        data=CARE | {"note": "两批一起除草", "scope": "lots", "batch_ids": [str(lots[0]), str(lots[1])]},
    )
    season = {"scope": "site", "site_id": str(site), "season_until": "2025-12-31", "note": "全园清沟"}
    client.post("/field/ginger/care", data=CARE | season)
    later = world.batch(actor, site_id=site, lot_number="S-LATER", started_on="2025-05-01", produced_on="2025-10-01")
    before = world.batch(actor, site_id=site, lot_number="S-BEFORE", started_on="2025-01-01", produced_on="2025-05-31")
    pages = {lot: client.get(f"/batches/{lot}").text for lot in [*lots, later, before]}
    assert [("两批一起除草" in pages[lot]) for lot in [*lots, later, before]] == [True, True, False, False, False]
    assert [("全园清沟" in pages[lot]) for lot in [*lots, later, before]] == [True, True, True, True, False]
    assert "全园清沟" in client.get("/field/").text


def test_a_sites_record_counts_on_the_first_and_last_day_of_a_lot(world: World) -> None:
    actor, officer = world.producer(), world.client(world.regulator())
    site = world.site(actor)
    days = {"started_on": "2025-03-12", "produced_on": "2025-11-06"}
    lot = world.batch(actor, site_id=site, lot_number="EDGE-1", **days)
    client = world.client(actor)
    spray = SPRAYED | {"scope": "site", "site_id": str(site)}
    for day, season, name, counts in (
        ("2025-11-06", "2025-12-31", "收获当天", True),
        ("2025-11-07", "2025-12-31", "收获次日", False),
        ("2025-03-01", "2025-03-12", "开始当天", True),
        ("2025-03-01", "2025-03-11", "开始前一天", False),
    ):
        before = world.version(lot)
        data = spray | {"happened_on": day, "season_until": season, "target": name, "input_lot": f"N-{name}"}
        assert client.post("/field/ginger/pesticide", data=data).status_code == 302
        assert (world.version(lot) > before) is counts, name
        assert (name in client.get(f"/batches/{lot}").text) is counts, name
        assert ("EDGE-1" in officer.get(f"/recalls/scope?input_lot=N-{name}").text) is counts, name


def test_a_record_is_for_ones_own_lots_and_sites_of_one_kind(world: World) -> None:
    actor, other = world.producer(), world.producer()
    client = world.client(actor)
    foreign, honey = world.batch(other), world.batch(actor, "honey")
    for data in (
        {"scope": "lots", "batch_ids": str(foreign)},
        {"scope": "lots", "batch_ids": str(honey)},
        {"scope": "lots"},
        {"scope": "lots", "batch_ids": "x"},
        {"scope": "site", "site_id": str(world.site(other))},
        {"scope": "site"},
        {"scope": "magic"},
    ):
        assert client.post("/field/ginger/care", data=CARE | data, headers=JSON).status_code == 422, data
    assert _count(world) == 0


def test_who_is_signed_in_is_told_with_a_token(world: World) -> None:
    actor = world.producer()
    answer = world.client(actor).get("/field/session", headers=JSON)
    assert answer.json["user"] == actor.username
    assert answer.json["csrf_token"]
    assert world.client().get("/field/session", headers=JSON).status_code in {302, 401}


def test_the_app_can_be_installed(world: World) -> None:
    client = world.client()
    manifest = client.get("/field/manifest.webmanifest")
    assert manifest.mimetype == "application/manifest+json"
    assert manifest.json["start_url"] == "/field/"
    for icon in manifest.json["icons"]:
        assert client.get(icon["src"]).mimetype == "image/png"
    worker = client.get("/field/sw.js").text
    for path in re.findall(r'"(/static/[^"]+)"', worker):
        assert client.get(path).status_code == 200
    assert "/* KEPT */" not in worker


def test_only_the_producer_enters(world: World) -> None:
    with world.app.app_context():
        assert db.session.scalar(db.select(db.func.count(User.id))) == 0
    for actor in (world.regulator(), world.laboratory(), world.buyer()):
        assert world.client(actor).get("/field/").status_code == 403
