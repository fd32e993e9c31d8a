"""Recalls by scope over large genealogies: the preview against the bare recursive query, and issuing.

The peer is the recursive SQL query itself, through the same driver, over the same rows. ``--quick`` takes 200,000 lots.
Needs requirements-dev.txt alone: PostgreSQL comes with it.
"""

from __future__ import annotations

import gc
import json
import statistics
import time
from datetime import date
from typing import Any

import numpy as np
import sqlalchemy as sa
import timing
from flask import Flask, current_app
from records import databases
from trace_app.desk.search import search

from trace_app.accounts import service as accounts
from trace_app.accounts.models import Organisation, OrganisationKind, RoleName, User
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Site
from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.extensions import db
from trace_app.flow.genealogy.models import LotLink
from trace_app.flow.ledger.models import LotMove
from trace_app.flow.shipments.models import Consignee, Shipment, ShipmentLine
from trace_app.labels.models import LabelRun
from trace_app.recalls.models import NoticeText
from trace_app.recalls.scope import RecallScope, preview
from trace_app.recalls.service import issue_by_scope
from trace_app.records.models import Record

LOTS, QUICK_LOTS = 1_000_000, 200_000
LINKS_EACH = 2
LAYERS = 10
"""Lots of a layer are made of lots of the one before: ways are nine links long."""
CAUSES = 45
BARE = """WITH RECURSIVE reached(id) AS (
    SELECT id FROM batches WHERE id IN ({causes})
    UNION SELECT l.target_id FROM lot_links l JOIN reached ON l.source_id = reached.id WHERE l.withdrawn_at IS NULL
) SELECT id FROM reached"""
ROUNDS = 5


def fill(lots: int) -> None:
    """Lots in layers; each is made of two of the layer before, mostly near its own place."""
    sample = db.session.scalars(db.select(Batch)).one()
    columns = {c.name: getattr(sample, c.key) for c in Batch.__table__.columns if c.computed is None}
    first = sample.id + 1
    names = [name for name in columns if name not in {"id", "lot_number"}]
    rows = [{"id": first + n, "lot_number": f"G-{n}", **{name: columns[name] for name in names}} for n in range(lots)]
    _insert(Batch.__table__, rows)
    made = {"cause": "made", "note": "", "moved_at": utc_now()}
    moves = [
        {"batch_id": row["id"], "holder_id": row["producer_id"], "quantity": row["quantity"], **made} for row in rows
    ]
    _insert(LotMove.__table__, moves)
    chance = np.random.default_rng(530300)
    layer = lots // LAYERS
    targets = np.repeat(np.arange(layer, lots), LINKS_EACH)
    near = (targets - layer) + chance.integers(-20_000, 20_001, targets.size)
    begin = (targets // layer - 1) * layer
    sources = begin + (near - begin) % layer
    moment, day = utc_now(), date(2026, 11, 1)
    pairs = sorted(set(zip(sources.tolist(), targets.tolist(), strict=True)))
    links = [
        {
            "source_id": first + s,
            "target_id": first + t,
            "quantity": 1,
            "happened_on": day,
            "note": "",
            "created_at": moment,
            "withdrawn_reason": "",
        }
        for s, t in pairs
    ]
    _insert(LotLink.__table__, links)
    runs = [
        {
            "id": n + 1,
            "batch_id": first + n,
            "key_number": 1,
            "run_number": n + 1,
            "level": "item",
            "count": 500,
            "has_pin": False,
            "link": "",
            "voided": "",
            "created_at": moment,
        }
        for n in range(lots)
    ]
    _insert(LabelRun.__table__, runs)
    around(lots)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE" if db.engine.dialect.name == "postgresql" else "ANALYZE"))


def _insert(table: Any, rows: list[dict[str, Any]]) -> None:
    with db.engine.begin() as connection:
        for part in range(0, len(rows), 50_000):
            connection.execute(sa.insert(table), rows[part : part + 50_000])
    if db.engine.dialect.name == "postgresql":
        with db.engine.begin() as connection:
            connection.execute(sa.text(f"SELECT setval('{table.name}_id_seq', (SELECT max(id) FROM {table.name}))"))


def cause_numbers() -> list[int]:
    """Lots of the first layer, of which about 40,000 come: each goes into about a thousand over nine links."""
    return list(range(0, CAUSES * 101, 101))


def measure(app: Flask, lots: int) -> dict[str, float]:
    officer_id = _officer()
    fill(lots)
    db.session.rollback()
    numbers = cause_numbers()
    scope = RecallScope(lots=" ".join(f"G-{n}" for n in numbers))
    user = db.session.get_one(User, officer_id)
    cause_ids = ", ".join(
        str(lot_id)
        for lot_id in db.session.scalars(sa.select(Batch.id).where(Batch.lot_number.in_([f"G-{n}" for n in numbers])))
    )
    # As the server's workers do: or Python would look through all that it has while rows come, more for the peer's.
    gc.collect()
    gc.freeze()
    bare, previews = [], []
    count = 0
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        count = len(db.session.execute(sa.text(BARE.format(causes=cause_ids))).all())
        bare.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        found = preview(user, scope)
        previews.append(time.perf_counter() - begun)
        assert found.count == count, (found.count, count)
        db.session.rollback()
    text = NoticeText(2, "示例", "示例")
    begun = time.perf_counter()
    with transaction():
        recall = issue_by_scope(db.session.get_one(User, officer_id), scope, {}, text)
        assert recall.lot_count == count
    issued = time.perf_counter() - begun
    peer, mine = statistics.median(bare), statistics.median(previews)
    search_ms = search_p95_ms(app, officer_id, lots)
    print(
        f"  {count} of {lots} lots: bare query {peer:.3f} s, preview {mine:.3f} s, issue {issued:.3f} s,"
        f" search {search_ms:.1f} ms"
    )
    return {
        "affected": count,
        "preview_ratio": round(mine / peer, 2),
        "issue_ratio": round(issued / peer, 2),
        "search_p95_ms": round(search_ms, 1),
    }


def search_p95_ms(app: Flask, officer_id: int, lots: int) -> float:
    """Milliseconds that 95 of 100 searches of the desk stay below, as someone types numbers, names and plates."""
    chance = np.random.default_rng(530301)
    typed: list[str] = []
    for number in chance.integers(0, lots, 60):
        whole = f"G-{number}"
        typed += [whole[:end] for end in range(2, len(whole) + 1)]
    typed += [
        "N9",
        "N999",
        "云D1",
        "云D12",
        "示例",
        "示例·合",
        "地块",
        "云岭超市",
        "昆明",
        "5303",
        "530324-2026",
        "1QK5QZCPCMXD2",
    ] * 10
    times = []
    with app.test_request_context():
        for text in typed:
            user = db.session.get_one(User, officer_id)
            begun = time.perf_counter()
            search(user, text)
            times.append((time.perf_counter() - begun) * 1000)
            db.session.rollback()
    return float(np.percentile(times, 95))


def around(lots: int) -> None:
    """What else is searched and counted: 10,000 producers with two sites each, 20,000 consignees, 100,000 shipments of
    every tenth lot, 50,000 records of inputs."""
    db.session.rollback()
    sample = db.session.scalars(db.select(Batch).order_by(Batch.id)).first()
    assert sample is not None
    moment = utc_now()
    people = 10_000
    _insert(
        Organisation.__table__,
        [
            {
                "id": 1000 + n,
                "kind": "producer",
                "name": f"示例·合作社 {n}",
                "name_en": f"Cooperative {n}",
                "credit_code": f"C{n:017d}",
                "division_code": "530324102",
                "address": "",
                "phone": "",
                "created_at": moment,
            }
            for n in range(people)
        ],
    )
    _insert(
        Site.__table__,
        [
            {
                "id": 1000 + n,
                "producer_id": 1000 + n // 2,
                "kind": "plot",
                "name": f"地块 {n}",
                "name_en": f"Plot {n}",
                "division_code": "530324102",
                "created_at": moment,
            }
            for n in range(2 * people)
        ],
    )
    _insert(
        Consignee.__table__,
        [
            {
                "id": 1 + n,
                "sender_id": 1000 + n % people,
                "name": f"云岭超市 {n} 店",
                "phone": "0874",
                "email": "",
                "address": "",
                "created_at": moment,
            }
            for n in range(2 * people)
        ],
    )
    ids = db.session.scalars(sa.select(Batch.id).order_by(Batch.id)).all()[1::10][:100_000]
    _insert(
        Shipment.__table__,
        [
            {
                "id": 1 + n,
                "number": f"S-{n}",
                "receipt_code": f"{n:013d}",
                "sender_id": sample.producer_id,
                "consignee_id": 1 + n % (2 * people),
                "consignee_name": f"云岭超市 {n % (2 * people)} 店",
                "consignee_phone": "0874",
                "consignee_address": "",
                "departed_at": moment,
                "carrier": "",
                "vehicle": f"云D{n:05d}",
                "driver": "",
                "driver_phone": "",
                "platform": "",
                "order_number": "",
                "note": "",
                "created_at": moment,
                "withdrawn_reason": "",
            }
            for n in range(len(ids))
        ],
    )
    _insert(
        ShipmentLine.__table__,
        [{"id": 1 + n, "shipment_id": 1 + n, "batch_id": lot, "quantity": 1} for n, lot in enumerate(ids)],
    )
    _insert(
        Record.__table__,
        [
            {
                "producer_id": sample.producer_id,
                "kind_code": "ginger",
                "batch_id": ids[n % len(ids)],
                "type": "care",
                "happened_on": date(2026, 6, 1),
                "input_lot": f"N{n}",
                "operator": "",
                "note": "",
                "values": {},
                "created_at": moment,
            }
            for n in range(50_000)
        ],
    )


def _officer() -> int:
    with transaction():
        bureau = accounts.create_organisation(
            None, kind=OrganisationKind.REGULATOR, name="示例·局", division_code="530302", jurisdiction_code="530300"
        )
        officer = accounts.create_user(
            None,
            bureau,
            RoleName.REGULATOR,
            username="officer",
            full_name="示例",
            email="officer@demo.example",
            password="for measurements",
        )
        return officer.id


def main() -> None:
    quick = timing.arguments(__doc__ or "").quick
    lots = QUICK_LOTS if quick else LOTS
    result = {}
    with databases() as names:
        for name in names:
            print(name)
            result[name] = measure(current_app, lots)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
