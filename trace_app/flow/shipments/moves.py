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


def move_out(user: User | None, shipment: Shipment) -> None:
    """The goods leave the sender, and come to the consignee where that is on the platform. What goes back is with
    nobody until who gets it confirms.

    :raises MoreThanLeft:
    """
    to = shipment.consignee_organisation_id
    for line in shipment.lines:
        back = shipment.returns_id is not None
        cause = MoveCause.RETURNED if back or to == line.batch.producer_id else MoveCause.SENT
        facts = {
            "batch_id": line.batch_id,
            "cause": cause,
            "line_id": line.id,
            "created_by_id": user.id if user else None,
        }
        moves = []
        if shipment.sender_id is not None:
            moves.append(LotMove(holder_id=shipment.sender_id, quantity=-line.quantity, **facts))
        if to is not None and not back:
            moves.append(LotMove(holder_id=to, quantity=line.quantity, **facts))
        enter(*moves)
        if user is not None and to not in (None, line.batch.producer_id) and not back:
            draw_on_line(user, line, to)


def move_back_in(user: User | None, shipment: Shipment, receipt: Receipt) -> None:
    """What came back is with who had sent it again, and no more."""
    enter(
        *(
            LotMove(
                batch_id=line.line.batch_id,
                holder_id=shipment.consignee_organisation_id,
                cause=MoveCause.RETURNED,
                quantity=line.quantity,
                line_id=line.line_id,
                receipt_id=receipt.id,
                created_by_id=user.id if user else None,
            )
            for line in receipt.lines
            if line.quantity
        )
    )


def take_back(user: User | None, shipment: Shipment) -> None:
    """The goods have never left.

    :raises PassedOn:
    """
    for line in shipment.lines:
        moves = standing(LotMove.line_id == line.id, LotMove.cause.in_((MoveCause.SENT, MoveCause.RETURNED)))
        # The sender has them again before others draw on it.
        enter(*(undoing(move, user) for move in moves if move.quantity < 0))
        try:
            if user is not None and shipment.returns_id is None:
                draw_on_producer_again(user, line, line.batch.producer_id)
            enter(*(undoing(move, user) for move in moves if move.quantity > 0))
        except MoreThanLeft as short:
            raise PassedOn(number=shipment.number, lot=line.batch.lot_number) from short


def note_what_is_missing(user: User | None, shipment: Shipment, receipt: Receipt) -> None:
    """What did not arrive and won't is not with the consignee.

    :raises LessThanGone: where that has used or sent on more than arrived.
    """
    holder = shipment.consignee_organisation_id
    if holder is None:
        return
    for told in receipt.lines:
        line, missing = told.line, told.missing
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
