"""Where a commitment certificate has to be and is not: what is sent of a kind that must have one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from trace_app.batches.models import Batch
from trace_app.catalogue.models import ProductKind
from trace_app.certificates.kept import keeps_one
from trace_app.certificates.models import CommitmentCertificate
from trace_app.certificates.samples import find_sample, subject_of
from trace_app.clock import local
from trace_app.extensions import db
from trace_app.flow.shipments.models import Shipment, ShipmentLine


@dataclass(frozen=True, slots=True)
class SentWithout:
    """A shipment by the producer of a lot that has no certificate in force.

    :ivar must: whether the rule of the day had the sender issue one; else it is encouraged to.
    """

    number: str
    day: date
    must: bool


def needs_one(kind: ProductKind) -> bool:
    """Whether what is sold of a kind has to have a certificate."""
    return (kind.rules or {}).get("commitment") == "required"


def without_one(lots: Iterable[Batch], holder_id: int) -> list[Batch]:
    """The lots of kinds that need a certificate of which neither their producer nor who holds them has one in force."""
    wanting = [lot for lot in lots if needs_one(lot.product.kind)]
    query = (
        sa.select(CommitmentCertificate.batch_id)
        .join(CommitmentCertificate.batch)
        .where(
            Batch.id.in_([lot.id for lot in wanting]),
            CommitmentCertificate.issuer_id.in_((Batch.producer_id, holder_id)),
            CommitmentCertificate.withdrawn_at.is_(None),
        )
    )
    certified = set(db.session.scalars(query)) if wanting else set()
    return [lot for lot in wanting if lot.id not in certified]


def resting_on_withdrawn(lots: Iterable[Batch], holder_id: int) -> list[Batch]:
    """The lots of others of which someone has a certificate in force that rests on one that was withdrawn."""
    bought = [lot for lot in lots if lot.producer_id != holder_id]
    query = sa.select(CommitmentCertificate.batch_id).where(
        CommitmentCertificate.batch_id.in_([lot.id for lot in bought]),
        CommitmentCertificate.issuer_id == holder_id,
        CommitmentCertificate.withdrawn_at.is_(None),
    )
    certified = set(db.session.scalars(query)) if bought else set()
    return [lot for lot in bought if lot.id in certified and not keeps_one(lot, holder_id)]


def sent_without(batch: Batch) -> list[SentWithout]:
    """The shipments of a lot by its producer that went out, and still are, without a certificate, the first in front.

    Rules that oblige nobody ask for none.
    """
    if not without_one([batch], batch.producer_id):
        return []
    query = (
        db.select(Shipment.number, Shipment.departed_at)
        .join(ShipmentLine, ShipmentLine.shipment_id == Shipment.id)
        .where(
            ShipmentLine.batch_id == batch.id,
            Shipment.sender_id == batch.producer_id,
            Shipment.withdrawn_at.is_(None),
        )
        .order_by(Shipment.departed_at, Shipment.id)
    )
    subject = subject_of(batch.producer, batch)
    found = []
    for number, departed_at in db.session.execute(query):
        sample = find_sample(day := local(departed_at).date(), subject)
        if sample is not None and sample.per_batch:
            found.append(SentWithout(number, day, subject in sample.per_batch))
    return found
