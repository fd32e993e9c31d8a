"""Whom a recall calls: parties that have to confirm or to keep goods off sale, and officers who may approve it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

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
from trace_app.language import named
from trace_app.messages.service import tell, tell_address
from trace_app.recall_tasks.models import RecallTask
from trace_app.recall_tasks.service import message_of, parties_of, phones_on_shipments, regulators_of, still_concerned
from trace_app.recalls.models import Recall, RecallKind, RecallMember, RecallProposal, RecallStatus
from trace_app.settings import settings


@dataclass(frozen=True, slots=True)
class Concerned:
    """Who made or was sent lots of a recall, and how to reach them."""

    name: str
    phone: str


def concerned_by(recall: Recall) -> list[Concerned]:
    """Everyone whom a recall will reach, as it stands."""
    parties = parties_of(recall)
    ids = [organisation_id for organisation_id, _consignee_id in parties if organisation_id is not None]
    organisations = db.session.scalars(
        db.select(Organisation).where(Organisation.id.in_(ids)).order_by(Organisation.id)
    )
    rows = organisations.all()
    sent = phones_on_shipments({recall.id}, {row.id for row in rows if not row.phone})
    ids = [consignee_id for _organisation_id, consignee_id in parties if consignee_id is not None]
    consignees = db.session.scalars(db.select(Consignee).where(Consignee.id.in_(ids)).order_by(Consignee.id))
    return [
        *(Concerned(named(row), row.phone or sent.get((recall.id, row.id), "")) for row in rows),
        *(Concerned(row.name, row.phone) for row in consignees),
    ]


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
            still_concerned(),
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
            Shipment.returns_id.is_(None),
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
    """Remind those who may approve a recall of level I, or a turning of one, that it waits: the other officers of the
    office that began it, then the next office up. Each once."""
    with transaction():
        recalls = (
            db.select(Recall)
            .where(Recall.kind == RecallKind.RECALL, Recall.status == RecallStatus.PENDING, Recall.notices.any())
            .options(selectinload(Recall.notices), joinedload(Recall.authority))
            .with_for_update(of=Recall, key_share=True)
        )
        for recall in db.session.scalars(recalls).all():
            _remind(recall, recall, recall.authority, recall.issued_by_id, recall.issued_at)
        proposals = (
            db.select(RecallProposal)
            .where(RecallProposal.decided_at.is_(None))
            .with_for_update(of=RecallProposal, key_share=True)
        )
        for proposal in db.session.scalars(proposals).all():
            first = proposal.proposed_by
            _remind(proposal, proposal.recall, first.organisation, first.id, proposal.proposed_at)


def _remind(
    waiting: Recall | RecallProposal, recall: Recall, office: Organisation, first_id: int | None, begun: datetime
) -> None:
    """Tell of what waits those whose turn it is.

    :param office: where it was begun, and ``first_id`` by whom.
    """
    hours = (utc_now() - begun).total_seconds() / 3600
    reminds = waiting.reminded_at is None and hours >= settings().approval_reminder_h
    raises = waiting.raised_at is None and hours >= settings().approval_raised_h
    if not (reminds or raises):
        return
    message = message_of(recall, None, waiting if isinstance(waiting, RecallProposal) else None)
    with force_locale("zh_CN"):
        message["subject"] = f"[{_('待批准，已等 %(hours)d 小时', hours=int(hours))}] {recall.number}"
    if reminds:
        _note_moment(waiting, "reminded_at")
        for officer in office.users:
            if officer.active and officer.id != first_id:
                tell_address(officer.email, message)
    if raises:
        _note_moment(waiting, "raised_at")
        for regulator in _next_up(recall, office):
            tell(regulator, message)


def _note_moment(waiting: Recall | RecallProposal, moment: str) -> None:
    """Note that it was done, past the session: the lots' pages show nothing of it."""
    model = type(waiting)
    statement = sa.update(model).where(model.id == waiting.id).values({moment: utc_now()})
    db.session.execute(statement, execution_options={"synchronize_session": False})


def _next_up(recall: Recall, office: Organisation) -> list[Organisation]:
    """The regulators of a recall's place with the narrowest jurisdiction that is wider than an office's."""
    own = len(division_prefix(office.jurisdiction_code or office.division_code))
    reach = {one.id: len(division_prefix(one.jurisdiction_code or "")) for one in regulators_of(recall)}
    wider = {number: length for number, length in reach.items() if length < own}
    return [one for one in regulators_of(recall) if wider and reach[one.id] == max(wider.values())]
