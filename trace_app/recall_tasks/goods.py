"""What a party's word in a recall does to what it has: destroyed and sold goods leave its hands, returned ones go back
to who sent them. Each once, however many cases ask what became of them; a later word corrects an earlier one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import InstrumentedAttribute

from trace_app.batches.models import Batch
from trace_app.clock import local
from trace_app.db import counters
from trace_app.db.base import Id, utc_now
from trace_app.errors import Unprocessable
from trace_app.extensions import db
from trace_app.flow.ledger.models import LotMove, MoveCause
from trace_app.flow.ledger.service import enter, left_of, standing, undoing
from trace_app.flow.shipments.models import Receipt, ReceiptLine, Shipment, ShipmentLine
from trace_app.flow.shipments.returns import MoreThanReturnable, Way, begin_return, number_of_return, withdraw
from trace_app.forms import plain_decimal
from trace_app.recall_tasks.models import RecallReport, RecallTask, RecallTaskLot
from trace_app.recalls.models import Recall, RecallKind
from trace_app.units import unit_name

_LEAVES = {MoveCause.DESTROYED: "destroyed", MoveCause.SOLD: "gone"}
"""What leaves a party's hands, with the word of its report."""


class MoreThanSupplied(Unprocessable):
    title = _("批次 %(lot)s 在您那里的只有 %(supplied)s，几项加起来不能更多。")


class AlreadyBack(Unprocessable):
    """What the supplier has confirmed is back there."""

    title = _("批次 %(lot)s 退回的 %(quantity)s 对方已确认收到，退回数量不能更少。请核对后再报。")


def more_than(batch: Batch, supplied: Decimal) -> MoreThanSupplied:
    return MoreThanSupplied(lot=batch.lot_number, supplied=f"{plain_decimal(supplied)} {unit_name(batch.unit)}")


def sent_to(task: RecallTask) -> sa.ColumnElement[bool]:
    """The shipments that went to a party: an organisation's, or those to a consignee that is none."""
    first_way = Shipment.returns_id.is_(None)
    if task.organisation_id is not None:
        return sa.and_(Shipment.consignee_organisation_id == task.organisation_id, first_way)
    return sa.and_(Shipment.consignee_id == task.consignee_id, Shipment.consignee_organisation_id.is_(None), first_way)


def sent_back_by(task: RecallTask) -> sa.ColumnElement[bool]:
    """The returns by which a party sent goods back."""
    if task.organisation_id is not None:
        return sa.and_(Shipment.returns_id.is_not(None), Shipment.sender_id == task.organisation_id)
    gone_to = (
        sa.select(sa.literal(1))
        .select_from(_first_way)
        .where(_first_way.c.id == Shipment.returns_id, _first_way.c.consignee_id == task.consignee_id)
    )
    return sa.and_(Shipment.sender_id.is_(None), gone_to.exists())


_first_way = sa.table("shipments", sa.column("id"), sa.column("consignee_id")).alias("first_way")


def _of_party(task: RecallTask) -> sa.ColumnElement[bool]:
    if task.organisation_id is not None:
        return RecallTask.organisation_id == task.organisation_id
    return RecallTask.consignee_id == task.consignee_id


def going_back(task: RecallTask) -> dict[int, Decimal]:
    """What a party has sent back, by whatever way it said so, since it was counted, by lot."""
    return _sent_back(task, Shipment.created_at > RecallTaskLot.counted_at)


def sent_back_before(task: RecallTask) -> dict[int, Decimal]:
    """What a party had sent back when it was counted, by lot."""
    return _sent_back(task, Shipment.created_at <= RecallTaskLot.counted_at)


def _sent_back(
    task: RecallTask, when: sa.ColumnElement[bool], amount: InstrumentedAttribute[Decimal] = ShipmentLine.quantity
) -> dict[int, Decimal]:
    query = (
        sa.select(RecallTaskLot.batch_id, sa.func.sum(amount))
        .join(ShipmentLine, ShipmentLine.batch_id == RecallTaskLot.batch_id)
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .where(
            RecallTaskLot.task_id == task.id,
            Shipment.withdrawn_at.is_(None),
            sent_back_by(task),
            when,
        )
        .group_by(RecallTaskLot.batch_id)
    )
    return {row[0]: Decimal(str(row[1])) for row in db.session.execute(query)}


def lost_going_back(task: RecallTask) -> dict[int, Decimal]:
    """What did not arrive, and won't, of what a party has sent back since it was counted, by lot."""
    return _sent_back(task, Shipment.created_at > RecallTaskLot.counted_at, ShipmentLine.missing)


@dataclass(frozen=True, slots=True)
class OnItsWay:
    """Goods that were going back to an organisation when it was counted, and were in nobody's hands.

    :ivar coming: all of it, arrived since or not, but what will not come.
    :ivar open: what is still on its way.
    """

    coming: Decimal
    open: Decimal


def on_its_way_to(task: RecallTask) -> dict[int, OnItsWay]:
    """What was going back to an organisation when it was counted, by lot."""
    if task.organisation_id is None:
        return {}
    before = (
        sa.select(sa.func.coalesce(sa.func.sum(ReceiptLine.quantity), 0))
        .join(Receipt, Receipt.id == ReceiptLine.receipt_id)
        .where(ReceiptLine.line_id == ShipmentLine.id, Receipt.created_at <= RecallTaskLot.counted_at)
        .scalar_subquery()
    )
    there = ShipmentLine.quantity - ShipmentLine.missing
    query = (
        sa.select(RecallTaskLot.batch_id, sa.func.sum(there - before), sa.func.sum(there - ShipmentLine.received))
        .join(ShipmentLine, ShipmentLine.batch_id == RecallTaskLot.batch_id)
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .where(
            RecallTaskLot.task_id == task.id,
            Shipment.consignee_organisation_id == task.organisation_id,
            Shipment.returns_id.is_not(None),
            Shipment.withdrawn_at.is_(None),
            Shipment.created_at <= RecallTaskLot.counted_at,
        )
        .group_by(RecallTaskLot.batch_id)
    )
    return {row[0]: OnItsWay(Decimal(str(row[1])), Decimal(str(row[2]))) for row in db.session.execute(query)}


def came_back(task: RecallTask) -> dict[int, Decimal]:
    """What was sent back to an organisation since it was counted, and is there, by lot."""
    if task.organisation_id is None:
        return {}
    query = (
        sa.select(RecallTaskLot.batch_id, sa.func.sum(LotMove.quantity))
        .join(LotMove, LotMove.batch_id == RecallTaskLot.batch_id)
        .join(ShipmentLine, ShipmentLine.id == LotMove.line_id)
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .where(
            RecallTaskLot.task_id == task.id,
            LotMove.holder_id == task.organisation_id,
            LotMove.cause == MoveCause.RETURNED,
            LotMove.receipt_id.is_not(None),
            Shipment.created_at > RecallTaskLot.counted_at,
        )
        .group_by(RecallTaskLot.batch_id)
    )
    return {row[0]: Decimal(str(row[1])) for row in db.session.execute(query)}


def hold_counters(task: RecallTask, lots: Iterable[int]) -> None:
    """Hold the counters of the returns that a report may ask for: they come before lots."""
    if task.organisation_id is not None:
        owners = {task.organisation_id}
    else:
        query = sa.select(Shipment.sender_id).join(ShipmentLine).where(ShipmentLine.batch_id.in_(list(lots)))
        owners = {owner for owner in db.session.scalars(query.where(sent_to(task)).distinct()) if owner is not None}
    for owner in sorted(owners):
        counters.take("shipment", owner, local(utc_now()).year, count=0)


def settle(task: RecallTask, batch: Batch, row: RecallReport) -> None:
    """Have the ledger say what a party's latest word says of a lot, which is held.

    :raises MoreThanSupplied, AlreadyBack, MoreThanReturnable:
    """
    holder = task.organisation_id
    before: dict[MoveCause, list[LotMove]] = {}
    wanted = {cause: _told(task, batch, word) for cause, word in _LEAVES.items()}
    for cause in _LEAVES if holder is not None else ():
        of_reports = LotMove.report_id.is_not(None), LotMove.cause == cause
        moves = standing(LotMove.batch_id == batch.id, LotMove.holder_id == holder, *of_reports)
        if sum((-move.quantity for move in moves), Decimal(0)) != wanted[cause]:
            before[cause] = moves
    # What was said wrongly is in the party's hands again before anything leaves them.
    enter(*(undoing(move, None) for moves in before.values() for move in moves))
    _send_back(task, batch, row, _told(task, batch, "returned"))
    if holder is None:
        return
    left = left_of(batch.id, holder)
    leaving = {cause: wanted[cause] for cause in before if wanted[cause]}
    if sum(leaving.values()) > left:
        raise more_than(batch, left)
    facts = {"batch_id": batch.id, "holder_id": holder, "report_id": row.id}
    enter(*(LotMove(cause=cause, quantity=-amount, **facts) for cause, amount in leaving.items()))


def _real_tasks(task: RecallTask) -> sa.ColumnElement[bool]:
    """The tasks of a task's party in all cases that are no drills."""
    drills = sa.select(Recall.id).where(Recall.kind == RecallKind.DRILL)
    return sa.and_(_of_party(task), RecallTask.recall_id.not_in(drills))


def _told(task: RecallTask, batch: Batch, word: str) -> Decimal:
    """The most that a party's latest words say of a lot in its several cases: they speak of the same goods."""
    latest = (
        sa.select(sa.func.max(RecallReport.id))
        .join(RecallTask, RecallTask.id == RecallReport.task_id)
        .where(_real_tasks(task), RecallReport.batch_id == batch.id)
        .group_by(RecallReport.task_id)
    )
    column = getattr(RecallReport, word)
    return db.session.scalar(sa.select(sa.func.max(column)).where(RecallReport.id.in_(latest))) or Decimal(0)


def _send_back(task: RecallTask, batch: Batch, row: RecallReport, wanted: Decimal) -> None:
    """Have as much on its way back as a party says, beside what it has sent back by itself."""
    if batch.producer_id == task.organisation_id:
        # Who made it has nobody to send it back to: what came back to it is in its hands.
        return
    ways = _ways_back(task, batch, _counted_at(task, batch))
    by_report = [way for way in ways if way.report_id is not None]
    target = max(wanted - _sum(way for way in ways if way.report_id is None), Decimal(0))
    have, sent = _sum(by_report) - _sum_missing(by_report), _sum(by_report)
    for way in reversed(by_report):
        if have > target and not way.receipts:
            withdraw(None, way, str(_("召回报告更正了退回数量")))
            have -= way.lines[0].quantity
            sent -= way.lines[0].quantity
    if target < sum((way.lines[0].received for way in by_report), Decimal(0)):
        there = sum((way.lines[0].received for way in ways), Decimal(0))
        raise AlreadyBack(lot=batch.lot_number, quantity=f"{plain_decimal(there)} {unit_name(batch.unit)}")
    # What is on its way, or was lost on it, was sent back all the same: nothing further is.
    rest = max(target - sent, Decimal(0))
    for line in _incoming(task, batch) if rest else ():
        db.session.refresh(line.shipment, with_for_update={"of": Shipment, "key_share": True})
        db.session.expire(line.shipment, ["returned_by"])
        amount = min(rest, line.returnable)
        if amount > 0:
            rest -= amount
            now = utc_now()
            note = str(_("召回 %(number)s", number=task.recall.number))
            how = Way(number_of_return(line.shipment, now), now, note, report_id=row.id)
            begin_return(None, line.shipment, {line.id: amount}, how)
    if rest:
        raise MoreThanReturnable(lot=batch.lot_number, left=f"{plain_decimal(wanted - rest)} {unit_name(batch.unit)}")


def _sum(ways: Iterable[Shipment]) -> Decimal:
    return sum((line.quantity for way in ways for line in way.lines), Decimal(0))


def _sum_missing(ways: Iterable[Shipment]) -> Decimal:
    return sum((line.missing for way in ways for line in way.lines), Decimal(0))


def _counted_at(task: RecallTask, batch: Batch) -> datetime | None:
    """When a party was first counted in a case in which it has said anything of a lot."""
    said = sa.select(RecallReport.task_id).where(RecallReport.batch_id == batch.id)
    query = (
        sa.select(sa.func.min(RecallTaskLot.counted_at))
        .join(RecallTask, RecallTask.id == RecallTaskLot.task_id)
        .where(RecallTaskLot.batch_id == batch.id, RecallTask.id.in_(said), _real_tasks(task))
    )
    found: datetime | None = db.session.scalar(query)
    return found


def _ways_back(task: RecallTask, batch: Batch, since: datetime | None) -> Sequence[Shipment]:
    lot: Id = ShipmentLine.batch_id
    query = (
        db.select(Shipment)
        .join(ShipmentLine, ShipmentLine.shipment_id == Shipment.id)
        .where(lot == batch.id, Shipment.withdrawn_at.is_(None), sent_back_by(task))
        .order_by(Shipment.id)
    )
    if since is not None:
        query = query.where(Shipment.created_at > since)
    return list(db.session.scalars(query))


def _incoming(task: RecallTask, batch: Batch) -> list[ShipmentLine]:
    """The lines that brought some of a lot to a party, the latest first."""
    query = (
        db.select(ShipmentLine)
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .where(ShipmentLine.batch_id == batch.id, Shipment.withdrawn_at.is_(None), sent_to(task))
        .order_by(ShipmentLine.id.desc())
    )
    return list(db.session.scalars(query))
