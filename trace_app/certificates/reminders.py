"""Reminders before a certificate ends, and its leaving trace pages on the day after."""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa

from trace_app.batches.freshness import raise_versions, shown_on_trace_pages
from trace_app.batches.models import Batch
from trace_app.certificates.models import Certificate
from trace_app.certificates.texts import certificate_name
from trace_app.clock import today
from trace_app.db.session import transaction
from trace_app.extensions import db, jobs
from trace_app.findings.rules import Found
from trace_app.findings.service import reconcile
from trace_app.messages.models import Severity

AT_ONCE = 500
"""How many certificates one sweep looks at."""
REMINDERS = (15, 60)
"""Days before a certificate's end on which its holder is reminded, the last first."""


def _of_holder(certificate: Certificate) -> sa.ColumnElement[bool]:
    if certificate.product_id is not None:
        return Batch.product_id == certificate.product_id
    return Batch.producer_id == certificate.producer_id


shown_on_trace_pages(Certificate, _of_holder)


@jobs.every_minute
def check_due_certificates() -> None:
    """Look at the certificates that were not looked at today."""
    due = (
        sa.select(Certificate.id)
        .where(sa.or_(Certificate.checked_on.is_(None), Certificate.checked_on < today()))
        .order_by(Certificate.id)
        .limit(AT_ONCE)
    )
    for certificate_id in db.session.scalars(due).all():
        with transaction():
            check_certificate(db.session.get_one(Certificate, certificate_id))


def check_certificate(certificate: Certificate) -> None:
    """Remind of a certificate's end 60 and 15 days before, and tell once it has expired.

    One that another of the same type and product outlives needs no reminder.
    """
    db.session.refresh(certificate, with_for_update={"of": Certificate, "key_share": True})
    found = []
    day = today()
    if certificate.withdrawn_at is None and not outlived(certificate):
        facts = {
            "type": certificate_name(certificate.type),
            "number": certificate.number,
            "until": certificate.valid_until,
        }
        if certificate.valid_until < day:
            found.append(Found("certificate_expired", Severity.WARN, "", facts))
        else:
            left = certificate.valid_until - day
            step = next((days for days in REMINDERS if left <= timedelta(days=days)), None)
            if step is not None:
                found.append(Found("certificate_expiring", Severity.WARN, f"days:{step}", facts))
    reconcile(
        found,
        producer_id=certificate.producer_id,
        division_code=certificate.producer.division_code,
        certificate_id=certificate.id,
    )
    _show_change_of_day(certificate, day)
    db.session.execute(
        sa.update(Certificate).where(Certificate.id == certificate.id).values(checked_on=day),
        execution_options={"synchronize_session": False},
    )


def _show_change_of_day(certificate: Certificate, day: date) -> None:
    """Have trace pages drop a certificate that has expired since the latest look, and show one that has begun."""
    turns = (certificate.valid_from, certificate.valid_until + timedelta(days=1))
    if certificate.checked_on is not None and any(certificate.checked_on < turn <= day for turn in turns):
        raise_versions(_of_holder(certificate))


def outlived(certificate: Certificate) -> bool:
    """Whether another certificate of the same type and product is valid for longer."""
    later: date | None = db.session.scalar(
        db.select(sa.func.max(Certificate.valid_until)).where(
            Certificate.producer_id == certificate.producer_id,
            Certificate.type == certificate.type,
            Certificate.product_id.is_(None)
            if certificate.product_id is None
            else sa.or_(Certificate.product_id.is_(None), Certificate.product_id == certificate.product_id),
            Certificate.withdrawn_at.is_(None),
        )
    )
    return later is not None and later > certificate.valid_until
