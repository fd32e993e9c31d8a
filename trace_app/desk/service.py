"""What lies on a regulator's desk."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from trace_app.accounts.access import visible_to
from trace_app.accounts.models import Organisation, User
from trace_app.batches.models import Batch
from trace_app.clock import today
from trace_app.db.base import utc_now
from trace_app.extensions import db
from trace_app.recall_tasks.models import RecallTask
from trace_app.recall_tasks.service import phones_of, still_concerned
from trace_app.recalls.models import Recall, RecallKind, RecallMember, RecallStatus
from trace_app.recalls.service import may_manage

MOST_LATE = 50


@dataclass(frozen=True, slots=True)
class Desk:
    """Open matters in a regulator's jurisdiction. ``managed`` are the ids of those it decides on."""

    pending: list[Recall]
    """What waits for a second officer: recalls of level I, and turnings of recalls."""
    recalls: list[Recall]
    holds: list[Recall]
    drills: list[Recall]
    late: list[RecallTask]
    phones: dict[int, str]
    """How those who are late are reached, by their tasks."""
    managed: set[int]


def desk_of(user: User) -> Desk:
    """Everything open that was issued in the user's jurisdiction, or has lots from there."""
    # Far fewer recalls are open than there are lots.
    open_ids = sa.select(Recall.id).where(Recall.status.in_([RecallStatus.PENDING, RecallStatus.ACTIVE]))
    lots_here = (
        sa.select(RecallMember.recall_id)
        .join(Batch, Batch.id == RecallMember.batch_id)
        .where(
            RecallMember.recall_id.in_(open_ids),
            RecallMember.removed_in.is_(None),
            visible_to(user, Batch.producer_id, Batch.division_code),
        )
        .distinct()
    )
    place = sa.func.coalesce(Organisation.jurisdiction_code, Organisation.division_code)
    issued_here = sa.select(Organisation.id).where(visible_to(user, Organisation.id, place))
    query = (
        db.select(Recall)
        .where(Recall.id.in_(open_ids), sa.or_(Recall.authority_id.in_(issued_here), Recall.id.in_(lots_here)))
        .options(
            joinedload(Recall.authority),
            joinedload(Recall.issued_by),
            selectinload(Recall.notices),
            selectinload(Recall.proposals),
        )
        .order_by(Recall.finish_due_on.nulls_last(), Recall.id)
    )
    rows = list(db.session.scalars(query))
    late = _late([row.id for row in rows])
    return Desk(
        pending=[row for row in rows if _waits(row)],
        recalls=[row for row in rows if row.kind is RecallKind.RECALL and row.status is RecallStatus.ACTIVE],
        holds=[row for row in rows if row.kind is RecallKind.HOLD],
        drills=[row for row in rows if row.kind is RecallKind.DRILL],
        late=late,
        phones=phones_of(late),
        managed={row.id for row in rows if may_manage(user, row)},
    )


def _waits(recall: Recall) -> bool:
    """Whether a recall, or a turning of it, waits for the second officer."""
    if any(proposal.decided_at is None for proposal in recall.proposals):
        return True
    return recall.kind is RecallKind.RECALL and recall.status is RecallStatus.PENDING


def _late(recall_ids: list[int]) -> list[RecallTask]:
    """Those who have not begun in time, or reported nothing by the end."""
    query = (
        db.select(RecallTask)
        .where(
            RecallTask.recall_id.in_(recall_ids),
            still_concerned(),
            sa.or_(
                sa.and_(RecallTask.acknowledged_at.is_(None), RecallTask.start_due_at < utc_now()),
                sa.and_(RecallTask.finish_due_on < today(), ~RecallTask.reports.any()),
            ),
        )
        .options(joinedload(RecallTask.recall), joinedload(RecallTask.organisation), joinedload(RecallTask.consignee))
        .order_by(RecallTask.start_due_at)
        .limit(MOST_LATE)
    )
    return list(db.session.scalars(query))
