"""Checks by those who answer for a lot: they open its labels too, and are nobody's scans."""

from __future__ import annotations

import sqlalchemy as sa

from trace_app.accounts.access import SUPERVISORS
from trace_app.accounts.models import RoleName, User
from trace_app.batches.models import Batch
from trace_app.extensions import db


def is_a_check(user: User | None, batch_id: int) -> bool:
    """Whether a label is opened by its own producer or by an authority, who are signed in."""
    if user is None:
        return False
    if user.role in SUPERVISORS:
        return True
    if user.role is not RoleName.PRODUCER:
        return False
    return db.session.scalar(sa.select(Batch.producer_id).where(Batch.id == batch_id)) == user.organisation_id
