"""Collecting commitment certificates: a buyer keeps the one that came with goods, and is told where there is none.

农业农村部令2025年第4号: who buys farm products collects the certificate, refuses goods without, and keeps it for half a
year at least. Here it is kept for good.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound
from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.certificates.commitments import commitment_numbered, commitment_of_code
from trace_app.certificates.models import CollectedCommitment, CommitmentCertificate
from trace_app.certificates.owed import needs_one
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db
from trace_app.flow.shipments.models import Shipment, ShipmentLine
from trace_app.flow.shipments.service import WithdrawnShipment
from trace_app.labels.packing import NoSuchLabel, label_from_scan
from trace_app.media.models import Photo
from trace_app.media.service import StoredPhoto, keep_photos


class NoSuchCertificate(Unprocessable):
    title = _("没有“%(text)s”这张合格证。请扫合格证上的码，或核对编号；对方自己印的或手写的，请在下面登记。")


class OfAnotherLot(Unprocessable):
    """A certificate goes with its own lot's goods."""

    title = _("合格证 %(number)s 是批次 %(lot)s 的，不是这批货的。请向供货方索要这批货的合格证。")


class NoLongerInForce(Unprocessable):
    title = _("合格证 %(number)s 已作废，不能收。请向供货方索要有效的合格证。")


class OfRecalledLot(Unprocessable):
    """What a certificate commits to does not hold of a lot that is recalled."""

    title = _("批次 %(lot)s 已召回，它的合格证不再有效，不能收。请停止销售这批货，并与供货方联系。")


class CollectedBefore(Problem):
    title = _("合格证 %(number)s 已经收存过。")


@dataclass(frozen=True, slots=True)
class LineCollected:
    """A line of a shipment with the certificates that its consignee keeps.

    :ivar offered: certificates in force for the lot, by who sent it or made it, that it does not keep yet.
    :ivar wanting: whether the kind needs one and none is kept that still counts.
    """

    line: ShipmentLine
    kept: list[CollectedCommitment]
    offered: list[CommitmentCertificate]
    wanting: bool

    @property
    def withdrawn(self) -> list[CollectedCommitment]:
        """What is kept and was withdrawn by who issued it since."""
        return [row for row in self.kept if row.withdrawn]


def collected_of(shipment: Shipment) -> list[LineCollected]:
    """What a consignee keeps of a shipment's certificates, line by line."""
    ids = [line.id for line in shipment.lines]
    kept: dict[int, list[CollectedCommitment]] = {line_id: [] for line_id in ids}
    query = db.select(CollectedCommitment).where(CollectedCommitment.line_id.in_(ids))
    query = query.options(joinedload(CollectedCommitment.photo), joinedload(CollectedCommitment.commitment))
    for row in db.session.scalars(query.order_by(CollectedCommitment.id)):
        kept[row.line_id].append(row)
    return [_collected(shipment, line, kept[line.id]) for line in shipment.lines]


def _collected(shipment: Shipment, line: ShipmentLine, kept: list[CollectedCommitment]) -> LineCollected:
    known = {row.commitment_id for row in kept}
    offered = [row for row in _in_force(shipment, line.batch) if row.id not in known]
    # Of a lot that is recalled none is in force, and none is asked for.
    asked_for = needs_one(line.batch.product.kind) and not line.batch.recalled
    return LineCollected(line, kept, offered, asked_for and all(row.withdrawn for row in kept))


def _in_force(shipment: Shipment, batch: Batch) -> list[CommitmentCertificate]:
    if batch.recalled:
        return []
    query = db.select(CommitmentCertificate).where(
        CommitmentCertificate.batch_id == batch.id,
        CommitmentCertificate.issuer_id.in_({batch.producer_id, shipment.sender_id}),
        CommitmentCertificate.withdrawn_at.is_(None),
    )
    return list(db.session.scalars(query.order_by(CommitmentCertificate.id.desc()).limit(5)))


def collect(user: User, shipment: Shipment, text: str) -> CollectedCommitment:
    """Keep a certificate of the platform's, by its number, its code, or the code of a label that is one. It says itself
    which of the lots it is of.

    :raises NotFound: where the goods did not come to the user.
    :raises WithdrawnShipment, NoSuchCertificate, OfAnotherLot, NoLongerInForce, OfRecalledLot, CollectedBefore:
    """
    _must_be_sent_to(user, shipment)
    row = _certificate_called(text, shipment)
    line = next((line for line in shipment.lines if line.batch_id == row.batch_id), None)
    if line is None:
        raise OfAnotherLot(number=row.number, lot=row.batch.lot_number)
    if row.withdrawn_at is not None:
        raise NoLongerInForce(number=row.number)
    if row.batch.recalled:
        raise OfRecalledLot(lot=row.batch.lot_number)
    return _keep(user, line, row.number, row.facts["producer"], row.issued_on, commitment=row)


def collect_foreign(
    user: User,
    shipment: Shipment,
    line_id: int,
    number: str,
    issuer: str,
    issued_on: date,
    photos: Sequence[StoredPhoto],
) -> CollectedCommitment:
    """Keep a certificate that was made elsewhere, with a photo of it.

    :raises NotFound, WithdrawnShipment, CollectedBefore:
    """
    _must_be_sent_to(user, shipment)
    line = next((line for line in shipment.lines if line.id == line_id), None)
    if line is None:
        raise NotFound
    [photo] = keep_photos(user, photos[:1])
    return _keep(user, line, number, issuer, issued_on, photo=photo)


def _must_be_sent_to(user: User, shipment: Shipment) -> None:
    """:raises NotFound, WithdrawnShipment:"""
    if shipment.consignee_organisation_id != user.organisation_id:
        raise NotFound
    db.session.refresh(shipment, with_for_update={"of": Shipment, "key_share": True})
    if shipment.withdrawn_at is not None:
        raise WithdrawnShipment(number=shipment.number)


def _certificate_called(text: str, shipment: Shipment) -> CommitmentCertificate:
    with contextlib.suppress(NotFound):
        return commitment_numbered(text.strip().rsplit("/", 1)[-1])
    try:
        label = label_from_scan(text)
    except NoSuchLabel as error:
        raise NoSuchCertificate(text=text.strip()[:60]) from error
    row = commitment_of_code(label.run_id, label.index)
    if row is None:
        lots = [line.batch for line in shipment.lines if line.batch_id == label.batch_id]
        if stopped := next((lot for lot in lots if lot.recalled), None):
            raise OfRecalledLot(lot=stopped.lot_number)
        row = next((found for lot in lots for found in _in_force(shipment, lot)), None)
    if row is None:
        raise NoSuchCertificate(text=text.strip()[:60])
    return row


def _keep(
    user: User, line: ShipmentLine, number: str, issuer: str, issued_on: date, **facts: CommitmentCertificate | Photo
) -> CollectedCommitment:
    known = db.select(CollectedCommitment.id).filter_by(line_id=line.id, number=number)
    if db.session.scalar(known) is not None:
        raise CollectedBefore(number=number)
    row = CollectedCommitment(
        line_id=line.id, number=number, issuer=issuer, issued_on=issued_on, created_by_id=user.id, **facts
    )
    db.session.add(row)
    db.session.flush()
    audit.note(user, "collect", row, number=number, batch=line.batch_id)
    return row
