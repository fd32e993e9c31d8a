"""Who did what to what, and when: one row in the transaction of the deed itself."""

from __future__ import annotations

from typing import Any

from trace_app.accounts.models import AuditEvent, User
from trace_app.extensions import db


def note(actor: User | None, action: str, subject: Any, **facts: object) -> None:
    """Keep that ``actor`` did ``action`` to ``subject``, a model that has its id already.

    :param facts: plain values of JSON.
    """
    db.session.add(
        AuditEvent(
            actor_id=actor.id if actor else None,
            action=action,
            subject_type=subject.__tablename__,
            subject_id=subject.id,
            facts=facts,
        )
    )


def history(subject: Any) -> list[AuditEvent]:
    """What happened to a subject, newest first."""
    query = (
        db.select(AuditEvent)
        .filter_by(subject_type=subject.__tablename__, subject_id=subject.id)
        .order_by(AuditEvent.id.desc())
    )
    return list(db.session.scalars(query))
