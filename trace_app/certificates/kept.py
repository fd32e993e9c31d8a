"""What a certificate by a buyer rests on: that it keeps the one that came with the goods."""

from __future__ import annotations

import sqlalchemy as sa

from trace_app.batches.models import Batch
from trace_app.certificates.models import CollectedCommitment, CommitmentCertificate
from trace_app.extensions import db
from trace_app.flow.shipments.models import Shipment, ShipmentLine


def keeps_one(batch: Batch, holder_id: int) -> bool:
    """Whether who was sent some of a lot keeps a certificate of it that still counts: one of ours that nobody withdrew,
    or one that was made elsewhere. Of a lot that is recalled nobody issues any."""
    query = (
        sa.select(CollectedCommitment.id)
        .join(ShipmentLine, ShipmentLine.id == CollectedCommitment.line_id)
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .outerjoin(CommitmentCertificate, CommitmentCertificate.id == CollectedCommitment.commitment_id)
        .where(*_came(batch, holder_id), CommitmentCertificate.withdrawn_at.is_(None))
        .limit(1)
    )
    return db.session.scalar(query) is not None


def shipment_with(batch: Batch, holder_id: int) -> int | None:
    """The id of the latest shipment that brought some of a lot to someone, on whose page its certificate is kept."""
    query = (
        sa.select(Shipment.id)
        .join(ShipmentLine, ShipmentLine.shipment_id == Shipment.id)
        .where(*_came(batch, holder_id))
        .order_by(Shipment.id.desc())
        .limit(1)
    )
    found: int | None = db.session.scalar(query)
    return found


def _came(batch: Batch, holder_id: int) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        ShipmentLine.batch_id == batch.id,
        Shipment.consignee_organisation_id == holder_id,
        Shipment.withdrawn_at.is_(None),
        Shipment.returns_id.is_(None),
    )
