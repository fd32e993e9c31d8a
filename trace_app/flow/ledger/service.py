"""Writing down how goods move between hands, so that nobody gives away more of a lot than there is.

Whoever writes moves holds the lots until the commit (`hold_lots`, or a check of `trace_app.batches.service`), so that
what was read of a holding is still so when the move is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import aliased

from trace_app.accounts.models import User
from trace_app.batches import service as batches
from trace_app.batches.freshness import hold_in_order
from trace_app.batches.models import Batch
from trace_app.db.base import Id
from trace_app.errors import Unprocessable
from trace_app.extensions import db
from trace_app.flow.genealogy.models import LotLink
from trace_app.flow.ledger.models import LotHolding, LotMove, MoveCause
from trace_app.flow.shipments.models import ShipmentLine
from trace_app.forms import plain_decimal
from trace_app.units import unit_name

_COUNTED = (MoveCause.MADE, MoveCause.CORRECTED)
"""What a lot's own quantity is made up of."""
_NEVER_BELOW = "ck_lot_holdings_quantity"


class MoreThanLeft(Unprocessable):
    title = _(
        "批次 %(lot)s 还剩 %(left)s %(unit)s，不够 %(wanted)s %(unit)s。"
        "请核对数量；发货或用料登记错了的，请先撤销那一条。"
    )


class LessThanGone(Unprocessable):
    """A lot, or what arrived of it, can't have been less than what has gone out of it."""

    title = _(
        "批次 %(lot)s 已用去、发出和损耗 %(gone)s %(unit)s，数量不能少于它。"
        "请核对数量；用去或发货登记错了的，请先撤销那一条。"
    )


class UnitInUse(Unprocessable):
    """Links, shipments and losses say how much in the lot's unit."""

    title = _("批次 %(lot)s 已按 %(unit)s 登记了用去、发货或损耗，单位不能再改。请选回 %(unit)s，或先撤销那些登记。")


def hold_lots(ids: Iterable[int]) -> None:
    """Hold lots by id until the commit: nobody else moves any of them meanwhile."""
    hold_in_order(db.session.connection(), Batch.id.in_(list(ids)))


def left_of(batch_id: int, holder_id: int) -> Decimal:
    """How much of a lot an organisation has."""
    query = sa.select(LotHolding.quantity).filter_by(batch_id=batch_id, holder_id=holder_id)
    return db.session.scalar(query) or Decimal(0)


def enter(*moves: LotMove) -> None:
    """Write moves, in this order: where some undo others, what comes stands before what goes.

    :raises MoreThanLeft: where a holding would fall below nothing. The services look beforehand and say it better; the
        database has the last word.
    """
    try:
        with db.session.begin_nested():
            db.session.add_all(moves)
    except sa.exc.IntegrityError as error:
        if _NEVER_BELOW not in str(error.orig):
            raise
        raise _too_much(moves) from error


def _too_much(moves: Sequence[LotMove]) -> MoreThanLeft:
    """What is short, in the words of whoever wanted it."""
    wanted: defaultdict[tuple[int, int], Decimal] = defaultdict(Decimal)
    for move in moves:
        wanted[move.batch_id, move.holder_id] -= move.quantity
    short = [(key, left_of(*key), amount) for key, amount in wanted.items()]
    (batch_id, _holder), left, amount = next((one for one in short if one[2] > one[1]), short[0])
    return too_much(db.session.get_one(Batch, batch_id), left, amount)


def too_much(batch: Batch, left: Decimal, wanted: Decimal) -> MoreThanLeft:
    return MoreThanLeft(
        lot=batch.lot_number, left=plain_decimal(left), wanted=plain_decimal(wanted), unit=unit_name(batch.unit)
    )


def standing(*conditions: sa.ColumnElement[bool]) -> list[LotMove]:
    """The moves of which conditions hold and that nothing has undone, the oldest first."""
    undoing = aliased(LotMove)
    query = (
        db.select(LotMove)
        .where(*conditions, LotMove.undoes_id.is_(None), ~sa.exists().where(undoing.undoes_id == LotMove.id))
        .order_by(LotMove.id)
    )
    return list(db.session.scalars(query))


def undoing(move: LotMove, user: User | None) -> LotMove:
    """The move that takes another back. The database refuses a second one."""
    return LotMove(
        batch_id=move.batch_id,
        holder_id=move.holder_id,
        cause=MoveCause.WITHDRAWN,
        quantity=-move.quantity,
        link_id=move.link_id,
        line_id=move.line_id,
        receipt_id=move.receipt_id,
        loss_id=move.loss_id,
        report_id=move.report_id,
        undoes_id=move.id,
        created_by_id=user.id if user else None,
    )


def count_goods(user: User, batch: Batch, former_unit: str | None) -> None:
    """Keep the producer's holding in step with the quantity that a lot is said to have.

    :param former_unit: None of a lot that is new.
    :raises LessThanGone, UnitInUse:
    """
    made = {"batch_id": batch.id, "holder_id": batch.producer_id, "created_by_id": user.id}
    if former_unit is None:
        enter(LotMove(cause=MoveCause.MADE, quantity=batch.quantity, **made))
        return
    if former_unit != batch.unit and standing(LotMove.batch_id == batch.id, LotMove.cause.not_in(_COUNTED)):
        raise UnitInUse(lot=batch.lot_number, unit=unit_name(former_unit))
    counted = db.session.scalar(
        sa.select(sa.func.sum(LotMove.quantity)).where(
            LotMove.batch_id == batch.id, LotMove.holder_id == batch.producer_id, LotMove.cause.in_(_COUNTED)
        )
    ) or Decimal(0)
    left = left_of(batch.id, batch.producer_id)
    if left - counted + batch.quantity < 0:
        raise LessThanGone(lot=batch.lot_number, gone=plain_decimal(counted - left), unit=unit_name(batch.unit))
    # What was counted in another unit is taken out, and counted anew.
    steps = [batch.quantity - counted] if former_unit == batch.unit else [-counted, batch.quantity]
    enter(*(LotMove(cause=MoveCause.CORRECTED, quantity=step, **made) for step in steps if step))


batches.counts_goods(count_goods)


def draw_on_line(user: User, line: ShipmentLine, holder_id: int) -> None:
    """Where a consignee used some of a lot before anyone noted that it was sent: that came out of this line.

    It had been drawn on what the producer has.
    """
    left_in_line = line.quantity
    used = standing(
        LotMove.batch_id == line.batch_id,
        LotMove.cause == MoveCause.USED,
        LotMove.holder_id != holder_id,
        LotMove.link_id.in_(_links_of(line.batch_id, holder_id)),
    )
    for move in used:
        amount = min(left_in_line, -move.quantity)
        if not amount:
            break
        left_in_line -= amount
        rest = -move.quantity - amount
        enter(
            undoing(move, user),
            *([_use(user, move, move.holder_id, rest)] if rest else []),
            _use(user, move, holder_id, amount, line.id),
        )


def draw_on_producer_again(user: User, line: ShipmentLine, producer_id: int) -> None:
    """What had been drawn on a line is drawn on the producer once more: the line is taken back."""
    for move in standing(LotMove.line_id == line.id, LotMove.cause == MoveCause.USED):
        enter(undoing(move, user), _use(user, move, producer_id, -move.quantity))


def _links_of(source_id: int, maker_id: int) -> sa.Select[int]:
    """What an organisation made of a lot."""
    maker: Id = Batch.producer_id
    return (
        sa.select(LotLink.id)
        .join(Batch, Batch.id == LotLink.target_id)
        .where(LotLink.source_id == source_id, LotLink.withdrawn_at.is_(None), maker == maker_id)
    )


def _use(user: User, of: LotMove, holder_id: int, amount: Decimal, line_id: int | None = None) -> LotMove:
    return LotMove(
        batch_id=of.batch_id,
        holder_id=holder_id,
        cause=MoveCause.USED,
        quantity=-amount,
        link_id=of.link_id,
        line_id=line_id,
        created_by_id=user.id,
    )
