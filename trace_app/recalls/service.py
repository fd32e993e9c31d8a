"""Issuing recalls and reading them."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload, selectinload

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound, within_jurisdiction
from trace_app.accounts.models import Organisation, User
from trace_app.batches import service as batches
from trace_app.batches.freshness import shown_on_trace_pages
from trace_app.batches.models import Batch
from trace_app.clock import today
from trace_app.db.base import utc_now
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.recalls.models import Recall, recall_batches

shown_on_trace_pages(
    Recall,
    lambda recall: Batch.id.in_(db.select(recall_batches.c.batch_id).where(recall_batches.c.recall_id == recall.id)),
)
shown_on_trace_pages(
    Organisation,
    lambda authority: Batch.id.in_(
        db.select(recall_batches.c.batch_id).join(Recall).where(Recall.authority_id == authority.id)
    ),
)


class AlreadyRecalled(Problem):
    """The batch is under recall already."""

    code = "already-recalled"
    title = _("批次 %(lot)s 已在召回中，不必重复发布。")


class OutsideJurisdiction(Problem):
    """A regulator recalls only what was made in its jurisdiction."""

    status = 403
    code = "outside-jurisdiction"
    title = _("批次 %(lot)s 不在您的辖区内，请联系当地主管部门或上级部门发布召回。")


def issue_recall(
    user: User, batch: Batch, *, level: int, reason: str, advice: str, reason_en: str = "", advice_en: str = ""
) -> Recall:
    """Recall a batch. From the commit on every label of it says so.

    :param level: 1 to 3.
    :raises OutsideJurisdiction, AlreadyRecalled:
    """
    if not within_jurisdiction(user, batch.division_code):
        raise OutsideJurisdiction(lot=batch.lot_number)
    db.session.refresh(batch, with_for_update={"of": Batch})
    if batch.recalled:
        raise AlreadyRecalled(lot=batch.lot_number)
    recall = Recall(
        number=_next_number(user),
        level=level,
        reason=reason,
        reason_en=reason_en,
        advice=advice,
        advice_en=advice_en,
        authority_id=user.organisation_id,
        issued_by_id=user.id,
        issued_at=utc_now(),
        batches=[batch],
    )
    db.session.add(recall)
    batches.mark_recalled([batch])
    db.session.flush()
    audit.note(user, "issue", recall, batch=batch.id, level=level, reason=reason)
    audit.note(user, "recall", batch, recall=recall.number)
    return recall


def _next_number(user: User) -> str:
    """The authority's jurisdiction, the year and a counter, such as 530324-2026-0001."""
    stem = f"{user.organisation.jurisdiction_code}-{today():%Y}-"
    # The authority's row is the counter's lock: two officers may issue at once.
    db.session.refresh(user.organisation, with_for_update=True)
    last = db.session.scalar(
        db.select(Recall.number).where(Recall.number.startswith(stem)).order_by(Recall.number.desc()).limit(1)
    )
    return f"{stem}{int(last.removeprefix(stem)) + 1 if last else 1:04d}"


def published_recalls() -> list[Recall]:
    """All notices, the newest first."""
    query = (
        db.select(Recall)
        .options(
            joinedload(Recall.authority),
            selectinload(Recall.batches).joinedload(Batch.product),
            selectinload(Recall.batches).joinedload(Batch.producer),
        )
        .order_by(Recall.issued_at.desc(), Recall.id.desc())
    )
    return list(db.session.scalars(query))


def recall_by_number(number: str) -> Recall:
    """A notice.

    :raises NotFound: where there is none.
    """
    recall: Recall | None = db.session.scalar(db.select(Recall).filter_by(number=number))
    if recall is None:
        raise NotFound
    return recall


def recall_in_force(batch: Batch) -> Recall | None:
    """The notice under which a batch is recalled."""
    if not batch.recalled:
        return None
    query = (
        db.select(Recall)
        .join(recall_batches)
        .where(recall_batches.c.batch_id == batch.id)
        .options(joinedload(Recall.authority))
        .order_by(Recall.id.desc())
        .limit(1)
    )
    recall: Recall | None = db.session.scalar(query)
    return recall
