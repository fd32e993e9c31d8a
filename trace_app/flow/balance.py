"""What has become of a lot's quantity: used, sent, lost, left — for who made it, and for who was sent some."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import sqlalchemy as sa
from flask_babel import lazy_gettext as _

from trace_app.batches.models import Batch
from trace_app.db.reachability import chosen
from trace_app.errors import Unprocessable
from trace_app.extensions import db
from trace_app.flow.genealogy.models import LotLink
from trace_app.flow.shipments.models import LotLoss, Receipt, ReceiptLine, Shipment, ShipmentLine
from trace_app.forms import plain_decimal
from trace_app.units import unit_name

IN_KG = {"kg": Decimal(1), "g": Decimal("0.001"), "t": Decimal(1000)}


class MoreThanLeft(Unprocessable):
    title = _("批次 %(lot)s 还剩 %(left)s %(unit)s，不够 %(wanted)s %(unit)s。请核对数量，或先更正那个批次。")


@dataclass(frozen=True, slots=True)
class LotBalance:
    """What became of a lot in someone's hands, in the lot's own unit.

    :ivar came: what the lot came to for who made it; what was received of it elsewhere.
    :ivar used: what went into other lots.
    :ivar sent: what was shipped on.
    """

    came: Decimal
    used: Decimal
    sent: Decimal
    lost: Decimal

    @property
    def left(self) -> Decimal:
        return self.came - self.used - self.sent - self.lost


def balance_of(batch: Batch, holder_id: int | None = None) -> LotBalance:
    """What an organisation has of a lot and what it did with it.

    :param holder_id: the producer where not given.
    """
    return balances_of([batch], holder_id or batch.producer_id)[batch.id]


def balances_of(lots: Sequence[Batch], holder_id: int) -> dict[int, LotBalance]:
    """What an organisation has of lots and what it did with them, by lot."""
    ids = [lot.id for lot in lots]
    used: defaultdict[int, dict[int | None, Decimal]] = defaultdict(dict)
    for lot_id, maker, amount in db.session.execute(
        sa.select(LotLink.source_id, Batch.producer_id, sa.func.sum(LotLink.quantity))
        .join(Batch, Batch.id == LotLink.target_id)
        .where(LotLink.source_id.in_(chosen(ids)), LotLink.withdrawn_at.is_(None))
        .group_by(LotLink.source_id, Batch.producer_id)
    ):
        used[lot_id][maker] = _exact(amount)
    sent: defaultdict[int, dict[int | None, Decimal]] = defaultdict(dict)
    for lot_id, party, amount in db.session.execute(
        _lines(ids)
        .with_only_columns(
            ShipmentLine.batch_id, Shipment.consignee_organisation_id, sa.func.sum(ShipmentLine.quantity)
        )
        .where(Shipment.sender_id == holder_id)
        .group_by(ShipmentLine.batch_id, Shipment.consignee_organisation_id)
    ):
        sent[lot_id][party] = _exact(amount)
    lost = _sums(
        sa.select(LotLoss.batch_id, sa.func.sum(LotLoss.quantity))
        .where(LotLoss.batch_id.in_(chosen(ids)), LotLoss.holder_id == holder_id, LotLoss.withdrawn_at.is_(None))
        .group_by(LotLoss.batch_id)
    )
    received = received_of(ids, Shipment.consignee_organisation_id == holder_id)
    found = {}
    for lot in lots:
        sent_to = sent[lot.id]
        gone = used[lot.id].pop(holder_id, Decimal(0))
        if holder_id == lot.producer_id:
            # What others used was sent to them; where nobody noted that, it is gone from here all the same.
            gone += sum(
                (max(amount - sent_to.get(party, 0), Decimal(0)) for party, amount in used[lot.id].items()), Decimal(0)
            )
        came = lot.quantity if holder_id == lot.producer_id else received.get(lot.id, Decimal(0))
        found[lot.id] = LotBalance(came, gone, sum(sent_to.values(), Decimal(0)), lost.get(lot.id, Decimal(0)))
    return found


def received_of(ids: Sequence[int], sent_to: sa.ColumnElement[bool]) -> dict[int, Decimal]:
    """What arrived of lots by shipments of which a condition holds; what was sent, where nobody has confirmed yet."""
    return _sums(
        _lines(ids)
        .with_only_columns(
            ShipmentLine.batch_id, sa.func.sum(sa.func.coalesce(ReceiptLine.quantity, ShipmentLine.quantity))
        )
        .outerjoin(Receipt, Receipt.shipment_id == Shipment.id)
        .outerjoin(ReceiptLine, sa.and_(ReceiptLine.receipt_id == Receipt.id, ReceiptLine.line_id == ShipmentLine.id))
        .where(sent_to)
        .group_by(ShipmentLine.batch_id)
    )


def amounts_sent(batch: Batch) -> list[tuple[str, Decimal]]:
    """How much of a lot was shipped to whom, whoever sent it, by name."""
    query = (
        _lines([batch.id])
        .with_only_columns(Shipment.consignee_name, sa.func.sum(ShipmentLine.quantity))
        .group_by(Shipment.consignee_name)
        .order_by(Shipment.consignee_name)
    )
    return [(name, _exact(amount)) for name, amount in db.session.execute(query)]


def _lines(ids: Sequence[int]) -> sa.Select[ShipmentLine]:
    """The standing lines of lots, with their shipments."""
    return (
        sa.select(ShipmentLine)
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .where(ShipmentLine.batch_id.in_(chosen(ids)), Shipment.withdrawn_at.is_(None))
    )


def _sums(query: sa.Select[int, Decimal]) -> dict[int, Decimal]:
    return {key: _exact(amount) for key, amount in db.session.execute(query)}


def _exact(amount: Decimal | float | None) -> Decimal:
    return Decimal(str(amount or 0))


def was_sent(batch: Batch, holder_id: int) -> bool:
    """Whether some of a lot was shipped to an organisation."""
    query = (
        _lines([batch.id])
        .with_only_columns(ShipmentLine.id)
        .where(Shipment.consignee_organisation_id == holder_id)
        .limit(1)
    )
    return db.session.scalar(query) is not None


def must_have(batch: Batch, quantity: Decimal, holder_id: int) -> None:
    """Raise unless so much of a lot is left in someone's hands.

    Who was never sent any of it, as far as anyone noted, draws on what is left with the producer.

    :raises MoreThanLeft:
    """
    holder = holder_id if holder_id == batch.producer_id or was_sent(batch, holder_id) else batch.producer_id
    left = balance_of(batch, holder).left
    if quantity > left:
        raise MoreThanLeft(
            lot=batch.lot_number, left=plain_decimal(left), wanted=plain_decimal(quantity), unit=unit_name(batch.unit)
        )


@dataclass(frozen=True, slots=True)
class SourceTotals:
    """What went into a lot, by unit, and how much of its own mass that explains.

    :ivar share: made over gone in, where both are masses; None where they can't be compared.
    """

    amounts: dict[str, Decimal]
    share: Decimal | None


def intake_of(batch: Batch) -> SourceTotals:
    """What a lot was made of, in sum."""
    query = (
        sa.select(Batch.unit, sa.func.sum(LotLink.quantity))
        .join(LotLink, LotLink.source_id == Batch.id)
        .where(LotLink.target_id == batch.id, LotLink.withdrawn_at.is_(None))
        .group_by(Batch.unit)
    )
    amounts = {unit: _exact(amount) for unit, amount in db.session.execute(query)}
    share = None
    if amounts and batch.unit in IN_KG and amounts.keys() <= IN_KG.keys():
        gone_in = sum(amount * IN_KG[unit] for unit, amount in amounts.items())
        share = batch.quantity * IN_KG[batch.unit] / gone_in if gone_in else None
    return SourceTotals(amounts, share)
