"""What shipments and receipts do to what their two parties have of a lot."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from trace_app.accounts.models import User
from trace_app.errors import Problem
from trace_app.flow.ledger.models import LotMove, MoveCause
from trace_app.flow.ledger.service import (
    LessThanGone,
    MoreThanLeft,
    draw_on_line,
    draw_on_producer_again,
    enter,
    left_of,
    standing,
    undoing,
)
from trace_app.flow.shipments.models import Receipt, Shipment
from trace_app.forms import plain_decimal
from trace_app.units import unit_name


class PassedOn(Problem):
    """What the consignee has used or sent on can't have stayed with the sender."""

    title = _("发货单 %(number)s 里的批次 %(lot)s，收货方已用去或转发，不能撤销。请先与收货方联系。")


def move_out(user: User, shipment: Shipment) -> None:
    """The goods leave the sender, and come to the consignee where that is on the platform.

    :raises MoreThanLeft:
    """
    to = shipment.consignee_organisation_id
    for line in shipment.lines:
        cause = MoveCause.RETURNED if to == line.batch.producer_id else MoveCause.SENT
        facts = {"batch_id": line.batch_id, "cause": cause, "line_id": line.id, "created_by_id": user.id}
        moves = [LotMove(holder_id=shipment.sender_id, quantity=-line.quantity, **facts)]
        if to is not None:
            moves.append(LotMove(holder_id=to, quantity=line.quantity, **facts))
        enter(*moves)
        if to not in (None, line.batch.producer_id):
            draw_on_line(user, line, to)


def take_back(user: User, shipment: Shipment) -> None:
    """The goods have never left.

    :raises PassedOn:
    """
    for line in shipment.lines:
        moves = standing(LotMove.line_id == line.id, LotMove.cause.in_((MoveCause.SENT, MoveCause.RETURNED)))
        # The sender has them again before others draw on it.
        enter(*(undoing(move, user) for move in moves if move.quantity < 0))
        try:
            draw_on_producer_again(user, line, line.batch.producer_id)
            enter(*(undoing(move, user) for move in moves if move.quantity > 0))
        except MoreThanLeft as short:
            raise PassedOn(number=shipment.number, lot=line.batch.lot_number) from short


def note_what_is_missing(user: User | None, shipment: Shipment, receipt: Receipt) -> None:
    """What did not arrive is not with the consignee.

    :raises LessThanGone: where that has used or sent on more than arrived.
    """
    holder = shipment.consignee_organisation_id
    if holder is None:
        return
    arrived = {line.line_id: line.quantity for line in receipt.lines}
    for line in shipment.lines:
        missing = line.quantity - arrived[line.id]
        if not missing:
            continue
        left = left_of(line.batch_id, holder)
        if missing > left:
            gone = plain_decimal(line.quantity - left)
            raise LessThanGone(lot=line.batch.lot_number, gone=gone, unit=unit_name(line.batch.unit))
        enter(
            LotMove(
                batch_id=line.batch_id,
                holder_id=holder,
                cause=MoveCause.RECEIVED,
                quantity=-missing,
                line_id=line.id,
                receipt_id=receipt.id,
                created_by_id=user.id if user else None,
            )
        )
