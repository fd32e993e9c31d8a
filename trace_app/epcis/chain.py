"""Everything that happened to a lot, to what it was made of and to what was made of it, in order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product
from trace_app.clock import SHANGHAI
from trace_app.extensions import db
from trace_app.flow.genealogy.models import LotLink
from trace_app.flow.genealogy.service import genealogy
from trace_app.flow.shipments.models import Receipt, Shipment, ShipmentLine, ShippedCode
from trace_app.flow.shipments.service import seen_by
from trace_app.labels.models import LabelRun, Packing
from trace_app.laboratory.models import TestReport
from trace_app.laboratory.reports import not_corrected
from trace_app.recalls.models import Recall, RecallKind, RecallMember, RecallStatus

EventType = Literal["made", "transformed", "packed", "unpacked", "shipped", "received", "inspected", "recalled"]
MOST_PACKINGS = 20_000


@dataclass(frozen=True, slots=True)
class ChainEvent:
    """Something that happened to a lot of a chain.

    :ivar key: stable, so that an event that is exported twice has one identity.
    :ivar day_only: whether the hour is not known; ``at`` is noon then.
    :ivar links: of what was transformed: what went in.
    :ivar container: of what was packed or unpacked: run and index of the case or pallet; ``contents`` what lay in it.
    :ivar line: of what was shipped or received: the `ShipmentLine`.
    :ivar came: of what was received: the `ReceiptLine`.
    :ivar report: of what was inspected: the `TestReport`.
    :ivar recall: of what was recalled: the `Recall`.
    """

    type: EventType
    key: str
    at: datetime
    lot: Batch
    day_only: bool = False
    links: Sequence[LotLink] = ()
    container: Any = None
    contents: Sequence[tuple[LabelRun, int]] = ()
    line: Any = None
    came: Any = None
    report: Any = None
    recall: Any = None


@dataclass(frozen=True, slots=True)
class Chain:
    """A lot's chain. ``folded`` is whether there is more than was gathered."""

    lot: Batch
    lots: dict[int, Batch]
    events: list[ChainEvent] = field(default_factory=list)
    folded: bool = False


def chain_of(user: User, lot: Batch) -> Chain:
    """The chain of a lot, with the shipments that the user may see."""
    family = genealogy(lot)
    lots = family.lots
    ids = sorted(lots)
    links: dict[int, list[LotLink]] = {}
    query = db.select(LotLink).where(LotLink.target_id.in_(ids), LotLink.withdrawn_at.is_(None)).order_by(LotLink.id)
    for link in db.session.scalars(query):
        if link.source_id in lots:
            links.setdefault(link.target_id, []).append(link)
    packings, more = _packed(lots)
    events = [_made(one, links.get(one.id, [])) for one in lots.values()]
    events += [*packings, *_shipped(user, lots), *_inspected(lots), *_recalled(lots)]
    return Chain(lot, lots, sorted(events, key=lambda event: (event.at, event.key)), family.folded or more)


def _noon(day: object) -> datetime:
    return datetime.combine(day, time(12), SHANGHAI)  # type: ignore[arg-type]


def _made(lot: Batch, links: Sequence[LotLink]) -> ChainEvent:
    day = lot.produced_on or lot.started_on
    if links:
        latest = max(link.happened_on for link in links)
        return ChainEvent("transformed", f"made-{lot.id}", _noon(max(day, latest)), lot, day_only=True, links=links)
    return ChainEvent("made", f"made-{lot.id}", _noon(day), lot, day_only=True)


def _packed(lots: dict[int, Batch]) -> tuple[list[ChainEvent], bool]:
    """What was put into which container, together where it was one container; and what was taken out again."""
    query = (
        db.select(Packing)
        .join(Packing.run)
        .where(LabelRun.batch_id.in_(list(lots)))
        .options(joinedload(Packing.run))
        .order_by(Packing.id)
        .limit(MOST_PACKINGS + 1)
    )
    rows = list(db.session.scalars(query))
    more = len(rows) > MOST_PACKINGS
    rows = rows[:MOST_PACKINGS]
    runs = {
        run.id: run
        for run in db.session.scalars(
            db.select(LabelRun).where(LabelRun.id.in_({row.container_run_id for row in rows}))
        )
    }
    together: dict[tuple[int, int], list[Packing]] = {}
    for row in rows:
        together.setdefault((row.container_run_id, row.container_index), []).append(row)
    events = []
    for (run_id, index), inside in together.items():
        container = (runs[run_id], index)
        lot = lots[inside[0].run.batch_id]
        contents = [(row.run, row.index) for row in inside]
        last = max(row.packed_at for row in inside)
        events.append(
            ChainEvent("packed", f"packed-{run_id}-{index}", last, lot, container=container, contents=contents)
        )
        events += [
            ChainEvent(
                "unpacked",
                f"unpacked-{row.id}",
                row.unpacked_at,
                lot,
                container=container,
                contents=[(row.run, row.index)],
            )
            for row in inside
            if row.unpacked_at is not None
        ]
    return events, more


def _shipped(user: User, lots: dict[int, Batch]) -> list[ChainEvent]:
    query = (
        db.select(ShipmentLine)
        .join(ShipmentLine.shipment)
        .where(ShipmentLine.batch_id.in_(list(lots)), Shipment.withdrawn_at.is_(None), seen_by(user))
        .options(
            joinedload(ShipmentLine.shipment).joinedload(Shipment.sender),
            joinedload(ShipmentLine.shipment).selectinload(Shipment.temperatures),
            joinedload(ShipmentLine.shipment).joinedload(Shipment.returns),
            joinedload(ShipmentLine.shipment).selectinload(Shipment.receipts).selectinload(Receipt.lines),
            selectinload(ShipmentLine.codes).joinedload(ShippedCode.run),
        )
        .order_by(Shipment.departed_at, ShipmentLine.id)
    )
    events = []
    for line in db.session.scalars(query):
        lot, shipment = lots[line.batch_id], line.shipment
        events.append(ChainEvent("shipped", f"shipped-{line.id}", shipment.departed_at, lot, line=line))
        told = [row for receipt in shipment.receipts for row in receipt.lines if row.line_id == line.id]
        for number, row in enumerate(told):
            # The first keeps the name that it had when there was one alone.
            key = f"received-{line.id}" + (f"-{row.receipt_id}" if number else "")
            events.append(ChainEvent("received", key, row.receipt.received_at, lot, line=line, came=row))
    return events


def _inspected(lots: dict[int, Batch]) -> list[ChainEvent]:
    query = (
        db.select(TestReport)
        .where(TestReport.batch_id.in_(list(lots)), not_corrected())
        .options(selectinload(TestReport.results))
        .order_by(TestReport.id)
    )
    return [
        ChainEvent(
            "inspected", f"inspected-{row.id}", _noon(row.sampled_on), lots[row.batch_id], day_only=True, report=row
        )
        for row in db.session.scalars(query)
        if row.batch_id is not None
    ]


def _recalled(lots: dict[int, Batch]) -> list[ChainEvent]:
    query = (
        sa.select(Recall, RecallMember.batch_id)
        .join(RecallMember, RecallMember.recall_id == Recall.id)
        .where(
            RecallMember.batch_id.in_(list(lots)),
            RecallMember.removed_in.is_(None),
            Recall.kind == RecallKind.RECALL,
            Recall.status.in_([RecallStatus.ACTIVE, RecallStatus.COMPLETED]),
        )
        .order_by(Recall.id)
    )
    return [
        ChainEvent(
            "recalled", f"recalled-{row.id}-{lot_id}", row.in_force_at or row.issued_at, lots[lot_id], recall=row
        )
        for row, lot_id in db.session.execute(query)
    ]


def gtin_of(product: Product) -> str:
    return product.gtin.zfill(14) if product.gtin else ""
