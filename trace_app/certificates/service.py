"""Certificates that producers hold."""

from __future__ import annotations

from functools import cache

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound, may_see, visible_to
from trace_app.accounts.models import Organisation, User
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product
from trace_app.certificates.models import Certificate
from trace_app.certificates.reminders import check_certificate
from trace_app.clock import today
from trace_app.db.base import utc_now
from trace_app.db.text import any_has_text, same_number
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.media.service import keep_document
from trace_app.values import Facts


class CertificateKnown(Problem):
    title = _("证书 %(number)s 已登记。换了新证请填新的编号，或先撤下旧的。")


def add_certificate(user: User, facts: Facts, pdf: tuple[str, bytes] | None = None) -> Certificate:
    """Register a certificate.

    :raises CertificateKnown:
    """
    query = db.select(Certificate.number).filter_by(producer_id=user.organisation_id, type=facts["type"])
    if known := db.session.scalar(query.where(same_number(Certificate.number, facts["number"]))):
        raise CertificateKnown(number=known)
    certificate = Certificate(producer_id=user.organisation_id, created_by_id=user.id, **facts)
    if pdf is not None:
        certificate.document_id = keep_document(user, *pdf, "pdf").id
    db.session.add(certificate)
    db.session.flush()
    _look_again(certificate)
    check_certificate(certificate)
    audit.note(user, "add", certificate, type=certificate.type.value, number=certificate.number)
    return certificate


def withdraw_certificate(user: User, certificate_id: int) -> None:
    """Take a certificate back: it counts no longer.

    :raises NotFound:
    """
    certificate = db.session.get(Certificate, certificate_id)
    if certificate is None or certificate.producer_id != user.organisation_id:
        raise NotFound
    if certificate.withdrawn_at is None:
        certificate.withdrawn_at = utc_now()
        db.session.flush()
        _look_again(certificate)
        check_certificate(certificate)
        audit.note(user, "withdraw", certificate, type=certificate.type.value, number=certificate.number)


def _look_again(certificate: Certificate) -> None:
    """Have the producer's other certificates of the type looked at: one may outlive another."""
    db.session.execute(
        sa.update(Certificate)
        .where(Certificate.producer_id == certificate.producer_id, Certificate.type == certificate.type)
        .values(checked_on=None),
        execution_options={"synchronize_session": False},
    )


def certificate_for(user: User, certificate_id: int) -> Certificate:
    """A certificate that the user may see.

    :raises NotFound:
    """
    row = db.session.get(Certificate, certificate_id, options=SHOWN)
    if row is None or not may_see(user, row.producer_id, row.producer.division_code):
        raise NotFound
    return row


def certificates_seen(user: User, search: str = "") -> sa.Select[Certificate]:
    """The certificates that a user may see, in no order.

    :param search: part of a number, of who issued it, or of the producer's name.
    """
    query = sa.select(Certificate).join(Certificate.producer)
    query = query.where(
        visible_to(user, Certificate.producer_id, Organisation.division_code), Certificate.withdrawn_at.is_(None)
    )
    if search:
        query = query.where(any_has_text(search, Certificate.number, Certificate.issuer, Organisation.name))
    return query


SHOWN = (joinedload(Certificate.producer), joinedload(Certificate.product))
"""What a list shows of certificates."""


def certificates_shown(batch: Batch) -> list[Certificate]:
    """The certificates of a lot's product or producer that are in force today."""
    return _in_force(batch.producer_id, batch.product_id)


def certificates_of_product(product: Product) -> list[Certificate]:
    """The certificates of a product or its producer that are in force today."""
    return _in_force(product.producer_id, product.id)


def _in_force(producer_id: int, product_id: int) -> list[Certificate]:
    values = {"producer_id": producer_id, "product_id": product_id, "day": today()}
    return list(db.session.scalars(_certificates_in_force(), values))


@cache
def _certificates_in_force() -> sa.Select[Certificate]:
    day = sa.bindparam("day", type_=sa.Date)
    return (
        sa.select(Certificate)
        .where(
            Certificate.producer_id == sa.bindparam("producer_id"),
            sa.or_(Certificate.product_id.is_(None), Certificate.product_id == sa.bindparam("product_id")),
            Certificate.withdrawn_at.is_(None),
            Certificate.valid_from <= day,
            Certificate.valid_until >= day,
        )
        .order_by(Certificate.id)
    )
