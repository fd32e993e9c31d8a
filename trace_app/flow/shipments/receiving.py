"""Confirming what arrived of a shipment: at once or in steps, all or less, and what is not taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from flask_babel import lazy_gettext as _

from trace_app.accounts import audit
from trace_app.accounts.models import User
from trace_app.clock import local
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db
from trace_app.flow.ledger.service import hold_lots
from trace_app.flow.shipments.models import Receipt, ReceiptLine, Shipment, ShipmentLine
from trace_app.flow.shipments.moves import move_back_in, note_what_is_missing
from trace_app.flow.shipments.returns import Way, begin_return, number_of_return
from trace_app.flow.shipments.service import WithdrawnShipment
from trace_app.forms import plain_decimal
from trace_app.units import unit_name


class AlreadyReceived(Problem):
    title = _("发货单 %(number)s 已经确认收货，不能再改。")


class ReceivedBeforeSent(Unprocessable):
    title = _("这批货 %(sent)s 才发出，收到时间不能早于它。请核对收到时间；发货时间有误的，请与发货方联系。")


class MoreThanSent(Unprocessable):
    """What came and what was refused together is no more than is open."""

    title = _("批次 %(lot)s 只发出 %(sent)s，收到的不能多于发出的。多出来的货请与发货方联系，另开发货单。")


class MoreThanOpen(Unprocessable):
    title = _("批次 %(lot)s 还没有确认的只有 %(open)s，收到和拒收加起来不能更多。")


class RestUnknown(Unprocessable):
    """Goods that did not come are on their way, or gone."""

    title = _("批次 %(lot)s 还差 %(rest)s：请选择还会不会到。")


class RefusedWithoutReason(Unprocessable):
    title = _("请写明批次 %(lot)s 为什么拒收。")


class DifferenceNeedsNote(Unprocessable):
    title = _("收到的与发出的不一样，请在备注里写明差在哪里。")


class NothingReceived(Unprocessable):
    title = _("请填写收到或拒收了多少。货还没有到的，到了再确认。")


@dataclass(frozen=True, slots=True)
class Arrived:
    """How much of a line came, and how much was not taken and why, in the lot's unit."""

    quantity: Decimal
    refused: Decimal = Decimal(0)
    reason: str = ""


def receive(
    shipment: Shipment,
    arrived: Mapping[int, Arrived],
    *,
    received_at: datetime,
    received_by: str,
    note: str = "",
    rest_is_missing: bool | None = None,
    user: User | None = None,
) -> Receipt:
    """Note what arrived of a shipment. What was refused goes back by a return.

    :param arrived: by line.
    :param rest_is_missing: whether what is still open after this does not come any more; False where it is on its way.
    :raises WithdrawnShipment, AlreadyReceived, ReceivedBeforeSent, MoreThanSent, MoreThanOpen, RestUnknown:
    :raises RefusedWithoutReason, DifferenceNeedsNote, NothingReceived, LessThanGone:
    """
    refusing = any(one.refused for one in arrived.values())
    number = number_of_return(shipment, received_at) if refusing else ""
    hold_lots(line.batch_id for line in shipment.lines)
    db.session.refresh(shipment, with_for_update={"of": Shipment, "key_share": True})
    for line in shipment.lines:
        db.session.refresh(line)
    if shipment.withdrawn_at is not None:
        raise WithdrawnShipment(number=shipment.number)
    if shipment.settled:
        raise AlreadyReceived(number=shipment.number)
    # Moments are typed to the minute.
    if received_at < shipment.departed_at.replace(second=0, microsecond=0):
        raise ReceivedBeforeSent(sent=f"{local(shipment.departed_at):%Y-%m-%d %H:%M}")
    lines = [
        made
        for line in shipment.lines
        if (made := _line(line, arrived.get(line.id, Arrived(Decimal(0))), rest_is_missing)) is not None
    ]
    if not lines:
        raise NothingReceived
    if not note and any(line.missing for line in lines):
        raise DifferenceNeedsNote
    refused = {line.line_id: line.refused for line in lines if line.refused}
    back = None
    if refused:
        why = "；".join(dict.fromkeys(line.reason for line in lines if line.reason))
        back = begin_return(user, shipment, refused, Way(number=number, departed_at=received_at, note=why[:200]))
    receipt = Receipt(
        shipment_id=shipment.id,
        received_at=received_at,
        received_by=received_by,
        note=note,
        user_id=user.id if user else None,
        return_id=back.id if back is not None else None,
        lines=lines,
    )
    db.session.add(receipt)
    shipment.arrived_at = shipment.arrived_at or received_at
    db.session.flush()
    db.session.expire(shipment, ["receipts"])
    for line in shipment.lines:
        db.session.refresh(line)
    if shipment.returns_id is not None:
        move_back_in(user, shipment, receipt)
    else:
        note_what_is_missing(user, shipment, receipt)
    lots = {str(line.line.batch_id): str(line.quantity) for line in lines}
    facts = {"number": shipment.number, "by": received_by, "note": note, "lots": lots, "refused": bool(refused)}
    audit.note(user, "receive", shipment, **facts)
    return receipt


def _line(line: ShipmentLine, arrived: Arrived, rest_is_missing: bool | None) -> ReceiptLine | None:
    """What a receipt says of a line; None where it says nothing of it."""
    lot, rest = line.batch.lot_number, line.open - arrived.quantity - arrived.refused
    if rest < 0:
        raise too_much(line, arrived.refused)
    if rest and rest_is_missing is None:
        raise RestUnknown(lot=lot, rest=_amount(line, rest))
    if arrived.refused and not arrived.reason:
        raise RefusedWithoutReason(lot=lot)
    missing = rest if rest_is_missing else Decimal(0)
    if not (arrived.quantity or arrived.refused or missing):
        return None
    return ReceiptLine(
        line_id=line.id,
        quantity=arrived.quantity,
        refused=arrived.refused,
        missing=missing,
        reason=arrived.reason if arrived.refused else "",
    )


def too_much(line: ShipmentLine, refused: Decimal) -> MoreThanSent | MoreThanOpen:
    """Why no more of a line can have come."""
    if line.open == line.quantity and not refused:
        return MoreThanSent(lot=line.batch.lot_number, sent=_amount(line, line.quantity))
    return MoreThanOpen(lot=line.batch.lot_number, open=_amount(line, line.open))


def _amount(line: ShipmentLine, quantity: Decimal) -> str:
    return f"{plain_decimal(quantity)} {unit_name(line.batch.unit)}"
