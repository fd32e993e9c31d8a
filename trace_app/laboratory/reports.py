"""Which test reports count for a lot: what pages, rules and exports read."""

from __future__ import annotations

from functools import cache

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
    return list(db.session.scalars(_tests_of(), {"batch_id": batch.id, "site_id": batch.site_id}))


@cache
def _tests_of() -> sa.Select[TestReport]:
    of_lot, of_site = TestReport.batch_id == sa.bindparam("batch_id"), TestReport.site_id == sa.bindparam("site_id")
    return (
        sa.select(TestReport)
        .where(sa.or_(of_lot, of_site), not_corrected())
        .options(lazyload(TestReport.entered_for))
        .order_by(TestReport.sampled_on.desc(), TestReport.id.desc())
    )
