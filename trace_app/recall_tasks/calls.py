"""Whom a recall calls: parties that have to confirm or to keep goods off sale, and officers who may approve it."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from flask_babel import force_locale
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload, selectinload

from trace_app.accounts.access import division_prefix
from trace_app.accounts.models import Organisation, User
from trace_app.batches.models import Batch
from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.extensions import db, jobs
from trace_app.flow.shipments.models import Consignee, Shipment, ShipmentLine
from trace_app.messages.service import tell, tell_address
from trace_app.recall_tasks.models import RecallTask
from trace_app.recall_tasks.service import message_of, parties_of, regulators_of
from trace_app.recalls.models import Recall, RecallKind, RecallMember, RecallStatus
from trace_app.settings import settings
from trace_app.values import JsonObject


@dataclass(frozen=True, slots=True)
class Concerned:
    """Who made or was sent lots of a recall, and how to reach them."""

    name: str
    phone: str


def concerned_by(recall: Recall) -> list[Concerned]:
    """Everyone whom a recall will reach, as it stands."""
    parties = parties_of(recall)
    found = []
    for model, place in ((Organisation, 0), (Consignee, 1)):
        ids = [party[place] for party in parties if party[place] is not None]
        rows = db.session.scalars(db.select(model).where(model.id.in_(ids)).order_by(model.id))
        found += [Concerned(row.name, row.phone) for row in rows]
    return found


@dataclass(frozen=True, slots=True)
class Call:
    """Something that waits for an organisation's confirmation; or a recall that waits for approval, which stops its
    sale."""

    drill: bool
    waiting: bool = False


def calls_for(user: User) -> list[Call]:
    """What a user is called to do: at most one call for what is real, and one for drills."""
    query = (
        sa.select(Recall.kind)
        .join(RecallTask, RecallTask.recall_id == Recall.id)
        .where(
            RecallTask.organisation_id == user.organisation_id,
            RecallTask.acknowledged_at.is_(None),
            Recall.status == RecallStatus.ACTIVE,
        )
        .distinct()
    )
    drills = {kind is RecallKind.DRILL for kind in db.session.scalars(query)}
    waiting = [Call(drill=False, waiting=True)] if waiting_for(user) else []
    return waiting + [Call(drill) for drill in sorted(drills)]


def waiting_for(user: User) -> list[Recall]:
    """The recalls of level I that wait for approval and have lots which a user's organisation made or was sent."""
    waiting = sa.and_(Recall.kind == RecallKind.RECALL, Recall.status == RecallStatus.PENDING)
    made = sa.select(Batch.id).where(Batch.id == RecallMember.batch_id, Batch.producer_id == user.organisation_id)
    sent = (
        sa.select(ShipmentLine.id)
        .join(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .where(
            ShipmentLine.batch_id == RecallMember.batch_id,
            Shipment.consignee_organisation_id == user.organisation_id,
            Shipment.withdrawn_at.is_(None),
        )
    )
    members = (
        sa.select(RecallMember.recall_id)
        .join(Recall, Recall.id == RecallMember.recall_id)
        .where(waiting, RecallMember.removed_in.is_(None), sa.or_(made.exists(), sent.exists()))
    )
    query = db.select(Recall).where(Recall.id.in_(members)).options(joinedload(Recall.authority)).order_by(Recall.id)
    return list(db.session.scalars(query))


@jobs.every_minute
def remind_of_approval() -> None:
    """Remind those who may approve a recall of level I that it waits: the authority's other officers, then the next
    office up. Each once."""
    with transaction():
        waiting = (
            db.select(Recall)
            .where(Recall.kind == RecallKind.RECALL, Recall.status == RecallStatus.PENDING, Recall.notices.any())
            .options(selectinload(Recall.notices), joinedload(Recall.authority))
            .with_for_update(of=Recall, key_share=True)
        )
        for recall in db.session.scalars(waiting).all():
            hours = (utc_now() - recall.issued_at).total_seconds() / 3600
            if recall.reminded_at is None and hours >= settings().approval_reminder_h:
                _remind(recall, "reminded_at")
                for officer in recall.authority.users:
                    if officer.active and officer.id != recall.issued_by_id:
                        tell_address(officer.email, _reminder(recall, hours))
            if recall.raised_at is None and hours >= settings().approval_raised_h:
                _remind(recall, "raised_at")
                for regulator in _next_up(recall):
                    tell(regulator, _reminder(recall, hours))


def _remind(recall: Recall, moment: str) -> None:
    """Note that it was done, past the session: the lots' pages show nothing of it."""
    statement = sa.update(Recall).where(Recall.id == recall.id).values({moment: utc_now()})
    db.session.execute(statement, execution_options={"synchronize_session": False})


def _reminder(recall: Recall, hours: float) -> JsonObject:
    message = message_of(recall, None)
    with force_locale("zh_CN"):
        message["subject"] = f"[{_('待批准，已等 %(hours)d 小时', hours=int(hours))}] {recall.number}"
    return message


def _next_up(recall: Recall) -> list[Organisation]:
    """The regulators with the narrowest jurisdiction around that of who issued a recall."""
    above = [one for one in regulators_of(recall) if one.jurisdiction_code != recall.authority.jurisdiction_code]
    reach = {one.id: len(division_prefix(one.jurisdiction_code or "")) for one in above}
    return [one for one in above if reach[one.id] == max(reach.values())]
