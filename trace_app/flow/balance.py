"""What has become of a lot's quantity: used, sent, lost, left — for who made it, and for who was sent some."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from trace_app.batches.models import Batch
from trace_app.db.reachability import chosen
from trace_app.extensions import db
from trace_app.flow.genealogy.models import LotLink
from trace_app.flow.ledger.models import LotHolding, LotMove, MoveCause
from trace_app.flow.ledger.service import left_of, standing, too_much
from trace_app.flow.shipments.models import Shipment, ShipmentLine
from trace_app.units import converted


@dataclass(frozen=True, slots=True)
class LotBalance:
    """What became of a lot in someone's hands, in the lot's own unit.

    :ivar came: what the lot came to for who made it; what was received of it elsewhere.
    :ivar returned: what came back to who sent it.
    :ivar used: what went into other lots.
    :ivar sent: what was shipped on.
    :ivar lost: what was lost, taken as samples, destroyed.
    :ivar sold: what a recall's report says is with consumers.
    """

    came: Decimal = Decimal(0)
    returned: Decimal = Decimal(0)
    used: Decimal = Decimal(0)
    sent: Decimal = Decimal(0)
    lost: Decimal = Decimal(0)
    sold: Decimal = Decimal(0)

    @property
    def left(self) -> Decimal:
        return self.came + self.returned - self.used - self.sent - self.lost - self.sold


_PARTS = {
    MoveCause.USED: "used",
    MoveCause.LOST: "lost",
    MoveCause.SAMPLED: "lost",
    MoveCause.DESTROYED: "lost",
    MoveCause.SOLD: "sold",
}
"""The part of a balance that a cause counts for; others by whether they bring goods or take them."""


def balance_of(batch: Batch, holder_id: int | None = None) -> LotBalance:
    """What an organisation has of a lot and what it did with it, from the ledger.

    :param holder_id: the producer where not given.
    """
    undone = aliased(LotMove)
    cause = sa.func.coalesce(undone.cause, LotMove.cause)
    brings = sa.func.coalesce(undone.quantity, LotMove.quantity) > 0
    query = (
        sa.select(cause, brings, sa.func.sum(LotMove.quantity))
        .outerjoin(undone, undone.id == LotMove.undoes_id)
        .where(LotMove.batch_id == batch.id, LotMove.holder_id == (holder_id or batch.producer_id))
        .group_by(cause, brings)
    )
    parts: defaultdict[str, Decimal] = defaultdict(Decimal)
    for why, came, amount in db.session.execute(query):
        part = _PARTS.get(MoveCause(why)) or _came_or_went(MoveCause(why), came)
        parts[part] += amount if part in ("came", "returned") else -amount
    return LotBalance(**parts)


def _came_or_went(cause: MoveCause, came: bool) -> str:
    if cause in (MoveCause.SENT, MoveCause.RETURNED) and not came:
        return "sent"
    return "returned" if cause is MoveCause.RETURNED else "came"


def holdings_of(lots: Sequence[Batch], holder_id: int) -> dict[int, Decimal]:
    """How much an organisation has of lots, by lot."""
    held = LotHolding.batch_id.in_(chosen([lot.id for lot in lots])), LotHolding.holder_id == holder_id
    found = _sums(sa.select(LotHolding.batch_id, LotHolding.quantity).where(*held))
    return {lot.id: found.get(lot.id, Decimal(0)) for lot in lots}


def received_of(ids: Sequence[int], sent_to: sa.ColumnElement[bool]) -> dict[int, Decimal]:
    """What came of lots by shipments of which a condition holds, as far as anyone knows: all but what is missing."""
    came = sa.func.sum(ShipmentLine.quantity - ShipmentLine.missing)
    first_way = Shipment.returns_id.is_(None)
    return _sums(
        _lines(ids)
        .with_only_columns(ShipmentLine.batch_id, came)
        .where(sent_to, first_way)
        .group_by(ShipmentLine.batch_id)
    )


def sent_back(ids: Sequence[int], returned: sa.ColumnElement[bool]) -> dict[int, Decimal]:
    """What goes back of lots, or is back, by returns of which a condition holds."""
    gone = sa.func.sum(ShipmentLine.quantity)
    query = _lines(ids).with_only_columns(ShipmentLine.batch_id, gone)
    return _sums(query.where(returned, Shipment.returns_id.is_not(None)).group_by(ShipmentLine.batch_id))


def gone_back(batch: Batch, holder_id: int) -> Decimal:
    """What an organisation refused or sent back of a lot, whether it has arrived there or not."""
    moves = standing(
        LotMove.batch_id == batch.id,
        LotMove.holder_id == holder_id,
        LotMove.cause == MoveCause.RETURNED,
        LotMove.quantity < 0,
    )
    return sum((-move.quantity for move in moves), Decimal(0))


def amounts_sent(batch: Batch) -> list[tuple[str, Decimal]]:
    """How much of a lot is with whom it was shipped to, whoever sent it, by name: what is missing or back again does
    not count."""
    there = sa.func.sum(ShipmentLine.quantity - ShipmentLine.missing - ShipmentLine.returned)
    query = (
        _lines([batch.id])
        .with_only_columns(Shipment.consignee_name, there)
        .where(Shipment.returns_id.is_(None))
        .group_by(Shipment.consignee_name)
        .having(there > 0)
        .order_by(Shipment.consignee_name)
    )
    return [(name, Decimal(str(amount))) for name, amount in db.session.execute(query)]


def _lines(ids: Sequence[int]) -> sa.Select[ShipmentLine]:
    """The standing lines of lots, with their shipments."""
    return (
        sa.select(ShipmentLine)
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .where(ShipmentLine.batch_id.in_(chosen(ids)), Shipment.withdrawn_at.is_(None))
    )


def _sums(query: sa.Select[int, Decimal]) -> dict[int, Decimal]:
    return {key: Decimal(str(amount)) for key, amount in db.session.execute(query)}


def was_sent(batch: Batch, holder_id: int) -> bool:
    """Whether some of a lot was shipped to an organisation."""
    query = (
        _lines([batch.id])
        .with_only_columns(ShipmentLine.id)
        .where(Shipment.consignee_organisation_id == holder_id)
        .limit(1)
    )
    return db.session.scalar(query) is not None


def must_have(batch: Batch, quantity: Decimal, holder_id: int) -> int:
    """Raise unless so much of a lot is left in someone's hands; whose hands it comes from.

    Who was never sent any of it, as far as anyone noted, draws on what is left with the producer.

    :raises MoreThanLeft:
    """
    holder = holder_id if holder_id == batch.producer_id or was_sent(batch, holder_id) else batch.producer_id
    left = left_of(batch.id, holder)
    if quantity > left:
        raise too_much(batch, left, quantity)
    return holder


@dataclass(frozen=True, slots=True)
class SourceTotals:
    """What went into a lot, by unit, and how much of its own mass that explains.

    :ivar share: made over gone in, where both are masses; None where they can't be compared.
    """

    amounts: dict[str, Decimal]
    share: Decimal | None


def intake_of(batch: Batch) -> SourceTotals:
    """What a lot was made of, in sum."""
    gone_in = sa.func.sum(-LotMove.quantity)
    query = (
        sa.select(Batch.unit, gone_in)
        .join(LotMove, LotMove.batch_id == Batch.id)
        .join(LotLink, LotLink.id == LotMove.link_id)
        .where(LotLink.target_id == batch.id)
        .group_by(Batch.unit)
        .having(gone_in > 0)
    )
    amounts: dict[str, Decimal] = {row[0]: row[1] for row in db.session.execute(query)}
    made = converted(batch.quantity, batch.unit, "kg")
    masses = [converted(amount, unit, "kg") for unit, amount in amounts.items()]
    gone = sum(mass for mass in masses if mass is not None)
    share = made / gone if made is not None and masses and None not in masses else None
    return SourceTotals(amounts, share)
