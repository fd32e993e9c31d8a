"""Goods that go back to who sent them: all or some of a shipment, confirmed by who gets them; and what never left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from flask_babel import lazy_gettext as _

from trace_app.accounts import audit
from trace_app.accounts.models import User
from trace_app.clock import local
from trace_app.db.base import utc_now
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db
from trace_app.flow.ledger.service import hold_lots
from trace_app.flow.shipments.models import Receipt, Shipment, ShipmentLine
from trace_app.flow.shipments.moves import move_out, take_back
from trace_app.flow.shipments.service import WithdrawnShipment, new_receipt_code, next_number
from trace_app.forms import plain_decimal
from trace_app.units import unit_name


class NothingToReturn(Unprocessable):
    title = _("请填写退回了多少。")


class MoreThanReturnable(Unprocessable):
    title = _("批次 %(lot)s 能退的只有 %(left)s：发出的里面，其余的没有收到，或已经退过。")


class ReturnsOfReturns(Problem):
    """What comes back is taken; what is wrong with it is between the two."""

    title = _("退货单 %(number)s 不能再退。要再发给对方的，请登记发货。")


class ReturnedBeforeSent(Unprocessable):
    title = _("这批货 %(sent)s 才发出，退回时间不能早于它。")


class HasReceipts(Problem):
    title = _("发货单 %(number)s 已经确认收货，不能撤销。货要回来的，请登记退货。")


class HasReturns(Problem):
    title = _("发货单 %(number)s 的货有退回的，不能撤销。请先撤销退货单。")


class RefusedGoods(Problem):
    """Who refused goods does not have them."""

    title = _("退货单 %(number)s 是收货方拒收的货，不能撤销。货到了请确认收货，没到的写明。")


@dataclass(frozen=True, slots=True)
class Way:
    """When and how goods go back, and why.

    :ivar number: as `number_of_return` took it, before any lot was held.
    :ivar report_id: the word in a recall by which they go back.
    """

    number: str
    departed_at: datetime
    note: str
    carrier: str = ""
    vehicle: str = ""
    report_id: int | None = None


def number_of_return(shipment: Shipment, departed_at: datetime) -> str:
    """The number of a return of a shipment. It comes from a counter: take it before lots are held.

    :raises ReturnsOfReturns:
    """
    owner = shipment.consignee_organisation_id or shipment.sender_id
    if owner is None or shipment.returns_id is not None:
        raise ReturnsOfReturns(number=shipment.number)
    return next_number(owner, departed_at)


def send_back(user: User | None, shipment: Shipment, quantities: Mapping[int, Decimal], way: Way) -> Shipment:
    """Note that goods go back to who sent them. Those of a stopped lot may.

    :param quantities: by line.
    :raises NothingToReturn, MoreThanReturnable, MoreThanLeft, ReturnedBeforeSent, ReturnsOfReturns, WithdrawnShipment:
    """
    hold_lots(line.batch_id for line in shipment.lines)
    db.session.refresh(shipment, with_for_update={"of": Shipment, "key_share": True})
    if shipment.withdrawn_at is not None:
        raise WithdrawnShipment(number=shipment.number)
    if way.departed_at < shipment.departed_at.replace(second=0, microsecond=0):
        raise ReturnedBeforeSent(sent=f"{local(shipment.departed_at):%Y-%m-%d %H:%M}")
    return begin_return(user, shipment, {key: amount for key, amount in quantities.items() if amount}, way)


def begin_return(user: User | None, shipment: Shipment, quantities: Mapping[int, Decimal], way: Way) -> Shipment:
    """The return itself; its lots and its shipment are held.

    :raises NothingToReturn, MoreThanReturnable, MoreThanLeft, ReturnsOfReturns:
    """
    if shipment.returns_id is not None or shipment.sender is None:
        raise ReturnsOfReturns(number=shipment.number)
    if not quantities:
        raise NothingToReturn
    db.session.expire(shipment, ["returned_by"])
    lines = []
    for line in shipment.lines:
        amount = quantities.get(line.id, Decimal(0))
        if amount > (left := line.returnable):
            raise MoreThanReturnable(
                lot=line.batch.lot_number, left=f"{plain_decimal(left)} {unit_name(line.batch.unit)}"
            )
        if amount:
            lines.append(ShipmentLine(batch_id=line.batch_id, quantity=amount))
    owner = shipment.sender
    made = Shipment(
        number=way.number,
        receipt_code=new_receipt_code(),
        returns_id=shipment.id,
        lines=lines,
        report_id=way.report_id,
        sender_id=shipment.consignee_organisation_id,
        consignee_name=owner.name,
        consignee_phone=owner.phone,
        consignee_address=owner.address,
        consignee_division_code=owner.division_code,
        consignee_organisation_id=owner.id,
        departed_at=way.departed_at,
        carrier=way.carrier,
        vehicle=way.vehicle,
        note=way.note,
        created_by_id=user.id if user else None,
    )
    db.session.add(made)
    db.session.flush()
    move_out(user, made)
    lots = {str(line.batch_id): str(line.quantity) for line in made.lines}
    audit.note(user, "return", made, number=made.number, of=shipment.number, lots=lots)
    return made


def withdraw(user: User | None, shipment: Shipment, reason: str) -> None:
    """Take back a shipment that was entered wrongly. It stays on record.

    :raises HasReceipts, HasReturns, RefusedGoods, PassedOn:
    """
    hold_lots(line.batch_id for line in shipment.lines)
    db.session.refresh(shipment, with_for_update={"of": Shipment, "key_share": True})
    if shipment.receipts:
        raise HasReceipts(number=shipment.number)
    if any(way.withdrawn_at is None for way in shipment.returned_by):
        raise HasReturns(number=shipment.number)
    if db.session.scalar(sa.select(Receipt.id).filter_by(return_id=shipment.id)) is not None:
        raise RefusedGoods(number=shipment.number)
    shipment.withdrawn_at, shipment.withdrawn_reason = utc_now(), reason
    take_back(user, shipment)
    audit.note(user, "withdraw", shipment, number=shipment.number, reason=reason)
