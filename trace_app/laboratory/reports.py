"""Which test reports count for a lot: what pages, rules and exports read."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import aliased, lazyload

from trace_app.batches.models import Batch
from trace_app.extensions import db
from trace_app.laboratory.models import TestReport


def not_corrected() -> sa.ColumnElement[bool]:
    """Test reports that no other takes the place of."""
    newer = aliased(TestReport)
    return ~sa.exists().where(newer.replaces_id == TestReport.id)


def tests_of(batch: Batch) -> list[TestReport]:
    """The test reports of a lot and of its site's soil and water that no other replaces, the latest first."""
    query = (
        sa.select(TestReport)
        .where(sa.or_(TestReport.batch_id == batch.id, TestReport.site_id == batch.site_id), not_corrected())
        .options(lazyload(TestReport.entered_for))
        .order_by(TestReport.sampled_on.desc(), TestReport.id.desc())
    )
    return list(db.session.scalars(query))
