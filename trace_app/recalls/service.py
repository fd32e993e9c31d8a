"""Issuing recalls and reading them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound, within_jurisdiction
from trace_app.accounts.models import AuditEvent, Organisation, User
from trace_app.batches import service as batches
from trace_app.batches.freshness import raise_versions, shown_on_trace_pages
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product
from trace_app.clock import today
from trace_app.db.base import utc_now
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.recalls.models import Recall, RecallExclusion, recall_batches
from trace_app.recalls.scope import EmptyScope, RecallScope, affected, affected_ids

LISTED = 500
"""Lots that a notice lists by name."""
_LOCK = 5_303_002

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


class NothingLeft(Problem):
    """All that the scope reaches is under recall already, or was left out."""

    code = "nothing-left"
    title = _("范围内的批次都已在召回中，或都被排除了，没有新的批次可召回。")


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
    _one_at_a_time(user)
    db.session.refresh(batch, with_for_update={"of": Batch})
    if batch.recalled:
        raise AlreadyRecalled(lot=batch.lot_number)
    facts = {"level": level, "reason": reason, "reason_en": reason_en, "advice": advice, "advice_en": advice_en}
    recall = _notice(user, batches=[batch], **facts)
    batches.mark_recalled([batch])
    db.session.flush()
    audit.note(user, "issue", recall, batch=batch.id, level=level, reason=reason)
    audit.note(user, "recall", batch, recall=recall.number)
    return recall


def _one_at_a_time(user: User) -> None:
    """Hold the issuing of recalls until the commit: two officers who see one cause must not make two of it."""
    # The authority's row is its counter's lock, too.
    db.session.refresh(user.organisation, with_for_update=True)
    if db.engine.dialect.name == "postgresql":
        db.session.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _notice(user: User, **facts: Any) -> Recall:
    """The next notice of the user's authority.

    :param facts: columns and lots of `Recall`.
    """
    recall = Recall(
        number=_next_number(user), authority_id=user.organisation_id, issued_by_id=user.id, issued_at=utc_now(), **facts
    )
    db.session.add(recall)
    db.session.flush()
    return recall


def issue_by_scope(
    user: User, scope: RecallScope, left_out: dict[int, str], *, level: int, reason: str, advice: str, reason_en: str = "",
    advice_en: str = "",
) -> Recall:  # fmt: skip
    """Recall all lots that a scope reaches, but those left out with a reason. All or none, in one transaction.

    A regulator recalls what comes from a cause in its jurisdiction, wherever that has gone.

    :param left_out: reasons by lot.
    :raises ScopeTooWide, EmptyScope, NothingLeft:
    """
    _one_at_a_time(user)
    facts = {"level": level, "reason": reason, "reason_en": reason_en, "advice": advice, "advice_en": advice_en}
    recall = _notice(user, scope=scope.plain(), **facts)
    chosen = sa.select(sa.literal(recall.id), Batch.id).where(
        Batch.id.in_(sa.select(affected(user, scope).c.id)),
        Batch.recalled_at.is_(None),
        Batch.id.not_in(list(left_out)),
    )
    db.session.execute(sa.insert(recall_batches).from_select(["recall_id", "batch_id"], chosen))
    members = sa.select(recall_batches.c.batch_id).where(recall_batches.c.recall_id == recall.id)
    marked: Any = db.session.execute(
        sa.update(Batch).where(Batch.id.in_(members)).values(recalled_at=recall.issued_at, version=Batch.version + 1),
        execution_options={"synchronize_session": False},
    )
    count = marked.rowcount
    if not count:
        raise NothingLeft if affected_ids(user, scope) else EmptyScope
    if left_out:
        _leave_out(user, scope, recall, left_out)
    # Past the session, which would raise all versions once more for a change of the notice.
    db.session.execute(
        sa.update(Recall).where(Recall.id == recall.id).values(lot_count=count),
        execution_options={"synchronize_session": False},
    )
    db.session.flush()
    audit.note(user, "issue", recall, level=level, reason=reason, lots=count, scope=scope.plain())
    columns_of = AuditEvent.__table__.c
    events = sa.select(
        sa.literal(user.id), sa.literal("recall"), sa.literal("batches"), recall_batches.c.batch_id,
        sa.literal({"recall": recall.number}, columns_of.facts.type), sa.literal(recall.issued_at, columns_of.at.type),
    ).where(recall_batches.c.recall_id == recall.id)  # fmt: skip
    columns = ["actor_id", "action", "subject_type", "subject_id", "facts", "at"]
    db.session.execute(sa.insert(AuditEvent).from_select(columns, events))
    db.session.expire_all()
    return recall


def _leave_out(user: User, scope: RecallScope, recall: Recall, left_out: dict[int, str]) -> None:
    """Keep the reasons; the pages of what was left out say of its sources that they are recalled."""
    reached = affected(user, scope)
    known = sa.select(Batch.id).where(Batch.id.in_(list(left_out)), Batch.id.in_(sa.select(reached.c.id)))
    ids = list(db.session.scalars(known))
    db.session.add_all(RecallExclusion(recall_id=recall.id, batch_id=lot_id, reason=left_out[lot_id]) for lot_id in ids)
    raise_versions(Batch.id.in_(ids))


def lots_listed(recalls: Sequence[Recall], most: int = LISTED) -> dict[int, list[Batch]]:
    """The first lots of each notice, by its id."""
    place = sa.func.row_number().over(partition_by=recall_batches.c.recall_id, order_by=recall_batches.c.batch_id)
    members = (
        sa.select(recall_batches.c.recall_id, recall_batches.c.batch_id, place.label("place"))
        .where(recall_batches.c.recall_id.in_([recall.id for recall in recalls]))
        .subquery()
    )
    query = (
        sa.select(members.c.recall_id, Batch)
        .join(Batch, Batch.id == members.c.batch_id)
        .where(members.c.place <= most)
        .options(
            joinedload(Batch.product).joinedload(Product.kind), joinedload(Batch.producer), joinedload(Batch.division)
        )
        .order_by(members.c.recall_id, Batch.id)
    )
    found: dict[int, list[Batch]] = {recall.id: [] for recall in recalls}
    for recall_id, batch in db.session.execute(query):
        found[recall_id].append(batch)
    return found


def _next_number(user: User) -> str:
    """The authority's jurisdiction, the year and a counter, such as 530324-2026-0001."""
    stem = f"{user.organisation.jurisdiction_code}-{today():%Y}-"
    last = db.session.scalar(
        db.select(Recall.number).where(Recall.number.startswith(stem)).order_by(Recall.number.desc()).limit(1)
    )
    return f"{stem}{int(last.removeprefix(stem)) + 1 if last else 1:04d}"


def published_recalls() -> list[Recall]:
    """All notices, the newest first."""
    query = db.select(Recall).options(joinedload(Recall.authority)).order_by(Recall.issued_at.desc(), Recall.id.desc())
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
