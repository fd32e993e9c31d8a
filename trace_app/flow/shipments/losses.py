"""What is lost of a lot, taken as a sample or destroyed, where someone has it."""

from __future__ import annotations

from decimal import Decimal

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound
from trace_app.accounts.models import User
from trace_app.batches import service as batches
from trace_app.batches.models import Batch
from trace_app.db.base import utc_now
from trace_app.extensions import db
from trace_app.flow.balance import must_have, was_sent
from trace_app.flow.ledger.models import LotMove, MoveCause
from trace_app.flow.ledger.service import enter, standing, undoing
from trace_app.flow.shipments.models import LossKind, LotLoss
from trace_app.flow.shipments.service import NotYours


def lose(user: User, batch: Batch, quantity: Decimal, reason: str, kind: LossKind = LossKind.LOST) -> LotLoss:
    """Note that some of a lot was lost where the user's organisation has it, or taken as a sample, or destroyed.

    Not of a stopped lot: what becomes of that is reported by the recall's task, with evidence.

    :raises MoreThanLeft, NotYours, UnderRecall, OnHold:
    """
    batches.must_not_be_stopped(batch)
    if batch.producer_id != user.organisation_id and not was_sent(batch, user.organisation_id):
        raise NotYours(lot=batch.lot_number)
    must_have(batch, quantity, user.organisation_id)
    row = LotLoss(
        batch_id=batch.id,
        holder_id=user.organisation_id,
        kind=kind,
        quantity=quantity,
        reason=reason,
        created_by_id=user.id,
    )
    db.session.add(row)
    db.session.flush()
    facts = {"batch_id": batch.id, "holder_id": user.organisation_id, "loss_id": row.id, "created_by_id": user.id}
    enter(LotMove(cause=MoveCause(kind.value), quantity=-quantity, **facts))
    audit.note(user, "lose", batch, quantity=str(quantity), reason=reason)
    return row


def own_loss(user: User, loss_id: int) -> LotLoss:
    """A standing loss that the user's organisation has noted.

    :raises NotFound:
    """
    row = db.session.get(LotLoss, loss_id)
    if row is None or row.holder_id != user.organisation_id or row.withdrawn_at is not None:
        raise NotFound
    return row


def withdraw_loss(user: User, loss: LotLoss, reason: str) -> None:
    """Take back a loss that was entered wrongly. It stays on record.

    :raises UnderRecall, OnHold:
    """
    batches.must_not_be_stopped(db.session.get_one(Batch, loss.batch_id))
    loss.withdrawn_at, loss.withdrawn_reason = utc_now(), reason
    enter(*(undoing(move, user) for move in standing(LotMove.loss_id == loss.id)))
    audit.note(user, "withdraw", loss, reason=reason)


def losses_of(batch: Batch) -> list[LotLoss]:
    query = db.select(LotLoss).filter_by(batch_id=batch.id).where(LotLoss.withdrawn_at.is_(None)).order_by(LotLoss.id)
    return list(db.session.scalars(query))
