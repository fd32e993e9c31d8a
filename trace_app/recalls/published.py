"""Reading recalls: what is public, and what stops a lot."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

import sqlalchemy as sa
from flask_sqlalchemy.pagination import Pagination
from sqlalchemy.orm import aliased, joinedload, selectinload

from trace_app.accounts.access import NotFound
from trace_app.accounts.models import Organisation
from trace_app.batches.models import Batch
from trace_app.batches.service import tells_who_stopped
from trace_app.catalogue.models import Product
from trace_app.clock import SHANGHAI
from trace_app.extensions import db
from trace_app.folding import fold, near
from trace_app.language import named
from trace_app.recalls.models import PUBLISHED, Recall, RecallKind, RecallMember, RecallNotice, RecallStatus

LISTED = 500
"""Lots that a notice lists by name."""
PER_PAGE = 20
MOST_COMPARED = 5_000
"""Recalled lots, those of the newest recalls, whose numbers are compared with what was typed."""
LEAST_NEAR = 5
"""Characters of a number that others can be near to."""

_PUBLIC = sa.and_(Recall.kind == RecallKind.RECALL, Recall.status.in_(PUBLISHED))
_NEWEST_FIRST = (Recall.issued_at.desc(), Recall.id.desc())


def _with_notices(query: sa.Select[Recall]) -> sa.Select[Recall]:
    return query.options(joinedload(Recall.authority), selectinload(Recall.notices))


def published_recalls(*, search: str = "", state: str = "", level: int | None = None, page: int = 1) -> Pagination:
    """The recalls that everyone may read, the newest first.

    :param search: part of a number, reason, lot number, product's or producer's name.
    :param state: ``active``, ``completed`` or ``withdrawn``; empty for all.
    """
    query = _with_notices(db.select(Recall).where(_PUBLIC)).order_by(*_NEWEST_FIRST)
    if search:
        query = query.where(sa.or_(_says(search), Recall.id.in_(_with_lots_like(search))))
    if state:
        query = query.where(Recall.status == RecallStatus(state))
    if level:
        query = query.where(Recall.level == level)
    return db.paginate(query, page=page, per_page=PER_PAGE, error_out=False)


def _says(text: str) -> sa.ColumnElement[bool]:
    told = (
        RecallNotice.reason.icontains(text, autoescape=True),
        RecallNotice.reason_en.icontains(text, autoescape=True),
    )
    return sa.or_(Recall.number.icontains(text, autoescape=True), Recall.notices.any(sa.or_(*told)))


def _with_lots_like(text: str) -> sa.Select[int]:
    names = (Batch.lot_number, Product.name, Product.name_en, Organisation.name, Organisation.name_en)
    return (
        sa.select(RecallMember.recall_id)
        .join(Batch, Batch.id == RecallMember.batch_id)
        .join(Product, Product.id == Batch.product_id)
        .join(Organisation, Organisation.id == Batch.producer_id)
        .where(sa.or_(*(name.icontains(text, autoescape=True) for name in names)))
    )


def newest_recalls(most: int) -> list[Recall]:
    """The newest recalls, for feeds."""
    return list(
        db.session.scalars(_with_notices(db.select(Recall).where(_PUBLIC)).order_by(*_NEWEST_FIRST).limit(most))
    )


def public_recall(number: str) -> Recall:
    """A recall that everyone may read.

    :raises NotFound: where there is none, or it is a hold, a drill, or not in force yet.
    """
    recall: Recall | None = db.session.scalar(_with_notices(db.select(Recall).where(_PUBLIC, Recall.number == number)))
    if recall is None:
        raise NotFound
    return recall


def lots_listed(recalls: Sequence[Recall], most: int = LISTED) -> dict[int, list[Batch]]:
    """The first lots that are in each recall now, by its id."""
    place = sa.func.row_number().over(partition_by=RecallMember.recall_id, order_by=RecallMember.batch_id)
    members = (
        sa.select(RecallMember.recall_id, RecallMember.batch_id, place.label("place"))
        .where(RecallMember.recall_id.in_([recall.id for recall in recalls]), RecallMember.removed_in.is_(None))
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


def lots_taken_out(recalls: Sequence[Recall]) -> dict[tuple[int, int], list[str]]:
    """The numbers of the lots that notices narrowed recalls down by, by the recall's id and the notice's sequence."""
    narrowed = [recall.id for recall in recalls if any(notice.lots_removed for notice in recall.notices)]
    query = (
        sa.select(RecallMember.recall_id, RecallMember.removed_in, Batch.lot_number)
        .join(Batch, Batch.id == RecallMember.batch_id)
        .where(RecallMember.recall_id.in_(narrowed), RecallMember.removed_in.is_not(None))
        .order_by(RecallMember.recall_id, RecallMember.removed_in, Batch.id)
    )
    found: dict[tuple[int, int], list[str]] = {}
    for recall_id, sequence, number in db.session.execute(query):
        found.setdefault((recall_id, sequence or 0), []).append(number)
    return found


def lots_with_number(number: str) -> list[Batch]:
    """Lots that ever left their producer and have this number, whoever made them; at most twenty.

    It may be typed in any case, with other dashes or spaces, with a caption, or with O for 0: nobody who holds recalled
    goods reads that there are none.
    """
    query = (
        db.select(Batch)
        .where(sa.or_(Batch.released_at.is_not(None), Batch.recalled))
        .options(joinedload(Batch.product), joinedload(Batch.producer), joinedload(Batch.division))
        .order_by(Batch.id)
        .limit(20)
    )
    exact = list(db.session.scalars(query.where(Batch.lot_number == number)))
    if exact or not fold(number):
        return exact
    return list(db.session.scalars(query.where(Batch.lot_fold == fold(number))))


def recalled_lots_near(number: str) -> list[str]:
    """The numbers of recalled lots that are nearly the one typed, to be asked about."""
    if len(fold(number)) < LEAST_NEAR:
        return []
    query = (
        sa.select(Batch.lot_number)
        .join(RecallMember, RecallMember.batch_id == Batch.id)
        .join(Recall)
        .where(_PUBLIC)
        .order_by(Recall.id.desc(), Batch.id)
        .limit(MOST_COMPARED)
    )
    return near(number, db.session.scalars(query))


def recalls_of(batch: Batch) -> list[Recall]:
    """Every public recall that a lot is or was in: what takes it back first, and of that what is still going on, the
    gravest first."""
    stands = sa.exists().where(
        RecallMember.recall_id == Recall.id, RecallMember.batch_id == batch.id, RecallMember.removed_in.is_(None)
    )
    query = (
        db.select(Recall)
        .where(_with_lot(batch.id), _PUBLIC)
        .order_by(
            Recall.status == RecallStatus.WITHDRAWN,
            ~stands,
            Recall.status == RecallStatus.COMPLETED,
            Recall.level,
            Recall.id,
        )
    )
    return list(db.session.scalars(_with_notices(query)))


def stops_of(batch_id: int) -> list[Recall]:
    """Every recall and hold that a lot is or was in, the latest first: for its producer and regulators."""
    query = db.select(Recall).where(_with_lot(batch_id), Recall.kind != RecallKind.DRILL).order_by(Recall.id.desc())
    return list(db.session.scalars(_with_notices(query)))


def _with_lot(batch_id: int) -> sa.ColumnElement[bool]:
    """The recalls that a lot is or was in, however often it came in."""
    return Recall.id.in_(sa.select(RecallMember.recall_id).where(RecallMember.batch_id == batch_id))


def recalls_on(batch: Batch, day: date) -> list[Recall]:
    """The recalls that took a lot back at any moment of a day, as its notices and those of today tell. One that was
    carried out does so from then on; one that was withdrawn did until then."""
    begins = datetime.combine(day, time(), SHANGHAI)
    ends = begins + timedelta(days=1)
    came, went = aliased(RecallNotice), aliased(RecallNotice)
    was_in = (
        sa.select(RecallMember.recall_id)
        .join(came, sa.and_(came.recall_id == RecallMember.recall_id, came.sequence == RecallMember.added_in))
        .outerjoin(went, sa.and_(went.recall_id == RecallMember.recall_id, went.sequence == RecallMember.removed_in))
        .where(
            RecallMember.batch_id == batch.id,
            came.issued_at < ends,
            sa.or_(RecallMember.removed_in.is_(None), went.issued_at >= begins),
        )
    )
    query = db.select(Recall).where(
        Recall.id.in_(was_in),
        Recall.kind == RecallKind.RECALL,
        Recall.in_force_at < ends,
        sa.or_(Recall.status == RecallStatus.COMPLETED, Recall.ended_at.is_(None), Recall.ended_at >= begins),
    )
    return list(db.session.scalars(query.order_by(Recall.in_force_at, Recall.id)))


def recall_in_force(batch: Batch) -> Recall | None:
    """The recall that takes a batch back: the gravest that is going on, else the gravest that was carried out."""
    return recalls_of(batch)[0] if batch.recalled else None


def hold_on(batch: Batch) -> Recall | None:
    """What stops the sale of a lot for the time being: a hold, or a recall that waits for approval."""
    if not batch.held:
        return None
    waiting = sa.and_(Recall.kind == RecallKind.RECALL, Recall.status == RecallStatus.PENDING)
    holding = sa.and_(Recall.kind == RecallKind.HOLD, Recall.status == RecallStatus.ACTIVE)
    query = (
        db.select(Recall)
        .join(RecallMember, RecallMember.recall_id == Recall.id)
        .where(RecallMember.batch_id == batch.id, RecallMember.removed_in.is_(None), sa.or_(waiting, holding))
        .order_by(Recall.id)
        .limit(1)
    )
    return db.session.scalar(_with_notices(query))


def _whom_to_call(batch: Batch) -> str:
    """Name and telephone number of who stopped a lot."""
    stop = recall_in_force(batch) or hold_on(batch)
    return "　".join(filter(None, (named(stop.authority), stop.authority.phone))) if stop is not None else ""


tells_who_stopped(_whom_to_call)
