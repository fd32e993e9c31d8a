"""Taking in what consumers say, telling those whom it concerns, and answering."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import timedelta

import sqlalchemy as sa
from flask_babel import force_locale
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import aliased, joinedload, selectinload

from qr.codes import format_code
from trace_app.accounts.access import NotFound, may_see, visible_to
from trace_app.accounts.models import Author, RoleName, User
from trace_app.accounts.service import nearest_regulators
from trace_app.arrivals.service import expect, photos_go_to, waiting_for
from trace_app.batches.models import Batch
from trace_app.batches.service import has_number
from trace_app.db.base import utc_now
from trace_app.db.text import has_text
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.feedback.forms import SHORT_KINDS
from trace_app.feedback.models import TO_REGULATOR, Feedback, FeedbackKind, FeedbackReply
from trace_app.labels.service import ScannedLabel
from trace_app.media.models import Photo
from trace_app.media.service import StoredPhoto, keep_photos
from trace_app.messages.service import tell
from trace_app.settings import address_of
from trace_app.values import JsonObject

MOST_OF_A_LABEL = 10
"""How often one label may be complained of in a day: more is no news to anyone."""
TICKET_LENGTH = 16


class EnoughForToday(Problem):
    status = 429
    title = _("关于这枚标签今天已收到多条反馈，正在处理。急事请拨打 12315。")


def give(label: ScannedLabel, photos: Sequence[StoredPhoto], to_come: Sequence[str] = (), **facts: object) -> Feedback:
    """Take in a consumer's feedback, and tell the producer; the regulators too, where it is of fakes or safety.

    What was sent twice, by two taps on the button or after going back, is one: the first answers.

    :raises EnoughForToday, PhotoRefused, PhotoOversized, TooManyPhotos:
    """
    since = utc_now() - timedelta(days=1)
    # One after the other, so that the second of two taps sees the first.
    batch = db.session.get_one(Batch, label.batch_id, with_for_update={"of": Batch, "key_share": True})
    same = db.select(Feedback).filter_by(code=label.code, **facts).where(Feedback.created_at > since)
    known: Feedback | None = db.session.scalar(same.order_by(Feedback.id).limit(1))
    if known is not None:
        return known
    recent = sa.select(sa.func.count()).where(Feedback.code == label.code, Feedback.created_at > since)
    if (db.session.scalar(recent) or 0) >= MOST_OF_A_LABEL:
        raise EnoughForToday
    row = Feedback(
        ticket=secrets.token_hex(TICKET_LENGTH // 2), code=label.code, batch_id=batch.id, batch=batch, **facts
    )
    row.photos = keep_photos(Author(None, batch.producer_id), photos)
    db.session.add(row)
    db.session.flush()
    expect(Author(None, batch.producer_id), to_come, len(photos), feedback_id=row.id)
    message = _message(row)
    tell(batch.producer, message)
    if row.kind in TO_REGULATOR:
        for regulator in nearest_regulators(batch.division_code):
            tell(regulator, message)
    return row


def add_photo(feedback_id: int, photo: Photo) -> None:
    """Have a photo that came after a consumer's words stand with them."""
    row = db.session.get_one(Feedback, feedback_id)
    row.photos.append(photo)
    db.session.flush()


photos_go_to("feedback_id", add_photo)


def photos_to_come(row: Feedback) -> int:
    """How many of a consumer's photos have not come yet."""
    return waiting_for("feedback_id", [row.id]).get(row.id, 0)


def _message(row: Feedback) -> JsonObject:
    batch = row.batch
    with force_locale("zh_CN"):
        kind = str(SHORT_KINDS[row.kind])
    return {
        "subject": f"[{kind}] {batch.product.name} {batch.lot_number}",
        "lines": [row.text, f"{format_code(row.code)}　{row.bought_at}".strip()],
        "link": address_of("feedback.show", feedback_id=row.id),
        "type": "feedback",
        "facts": {"kind": row.kind.value, "code": row.code, "lot": batch.lot_number, "text": row.text},
    }


def ticket_called(typed: str) -> str | None:
    """The ticket that was typed, in any case and with spaces; None where there is none."""
    plain = "".join(typed.split()).casefold()
    if len(plain) != TICKET_LENGTH:
        return None
    found: str | None = db.session.scalar(db.select(Feedback.ticket).filter_by(ticket=plain))
    return found


def by_ticket(ticket: str) -> Feedback:
    """:raises NotFound:"""
    row: Feedback | None = db.session.scalar(_whole(db.select(Feedback).filter_by(ticket=ticket)))
    if row is None:
        raise NotFound
    return row


SHOWN = (
    joinedload(Feedback.batch).joinedload(Batch.product),
    selectinload(Feedback.photos),
    selectinload(Feedback.replies).joinedload(FeedbackReply.created_by),
)
"""What a list and a page show of feedback."""


def _whole(query: sa.Select[Feedback]) -> sa.Select[Feedback]:
    return query.options(*SHOWN)


def _seen_by(user: User) -> sa.ColumnElement[bool]:
    seen = visible_to(user, Batch.producer_id, Batch.division_code)
    return seen if user.role is RoleName.PRODUCER else sa.and_(seen, Feedback.kind.in_(TO_REGULATOR))


def feedback_seen(user: User, *, search: str = "", kind: str = "", open_only: bool = False) -> sa.Select[Feedback]:
    """What concerns a user: a producer's own, a regulator's of fakes and safety, in no order.

    :param search: part of the text or of a lot number.
    """
    query = sa.select(Feedback).join(Feedback.batch).where(_seen_by(user))
    if search:
        query = query.where(sa.or_(has_text(Feedback.text, search), has_number(search)))
    if kind:
        query = query.where(Feedback.kind == FeedbackKind(kind))
    if open_only:
        query = query.where(_is_open())
    return query


def _is_open() -> sa.ColumnElement[bool]:
    """Whether the last reply, if there is one, leaves it open."""
    later = aliased(FeedbackReply)
    is_last = ~sa.exists().where(later.feedback_id == Feedback.id, later.id > FeedbackReply.id)
    return ~sa.exists().where(FeedbackReply.feedback_id == Feedback.id, FeedbackReply.closes, is_last)


def open_feedback(user: User) -> int:
    """How much that concerns a user waits for an answer. Praise waits for none."""
    query = sa.select(sa.func.count()).select_from(Feedback).join(Feedback.batch)
    return db.session.scalar(query.where(_seen_by(user), _is_open(), Feedback.kind != FeedbackKind.PRAISE)) or 0


def waiting_feedback(user: User, most: int) -> list[Feedback]:
    """What concerns a user and waits for an answer, the longest waiting first."""
    query = (
        db.select(Feedback)
        .join(Feedback.batch)
        .where(_seen_by(user), _is_open(), Feedback.kind != FeedbackKind.PRAISE)
        .options(joinedload(Feedback.batch).joinedload(Batch.product))
        .order_by(Feedback.id)
        .limit(most)
    )
    return list(db.session.scalars(query))


def feedback_for(user: User, feedback_id: int) -> Feedback:
    """Feedback that concerns a user.

    :raises NotFound:
    """
    row: Feedback | None = db.session.scalar(_whole(db.select(Feedback).filter_by(id=feedback_id)))
    if row is None or not may_see(user, row.batch.producer_id, row.batch.division_code):
        raise NotFound
    if user.role is not RoleName.PRODUCER and row.kind not in TO_REGULATOR:
        raise NotFound
    return row


def contact_shown_to(user: User, row: Feedback) -> str:
    """How to reach a consumer. Of fakes and safety that is for the authority alone: the producer may be the accused."""
    return "" if user.role is RoleName.PRODUCER and row.kind in TO_REGULATOR else row.contact


def reply(user: User, row: Feedback, text: str, *, closes: bool) -> FeedbackReply:
    """Answer a consumer."""
    answer = FeedbackReply(feedback_id=row.id, text=text, closes=closes, created_by_id=user.id)
    db.session.add(answer)
    return answer
