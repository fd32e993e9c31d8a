"""Forms that made something: what is sent a second time is known, and led to what the first made."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trace_app.db.base import UtcDateTime, utc_now
from trace_app.db.session import count_written, insert_into
from trace_app.extensions import Model, db

KEPT = timedelta(days=7)
"""How long a page may be left open, or gone back to, and its form still be known as sent."""


class SentForm(Model):
    """A form that was sent, written in the transaction that did what it asks for."""

    __tablename__ = "sent_forms"
    __table_args__ = (sa.Index("ix_sent_forms_sent_at", "sent_at"),)

    digest: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    """The hash of the key that the form was given, who sent it, and all that was typed."""
    request: Mapped[str] = mapped_column(sa.String(36))
    """Tells the request that sent it from one that sends it again."""
    answer: Mapped[str] = mapped_column(sa.String(500), default="")
    """Where the request was led to; empty as long as it has not been answered."""
    sent_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


def claim(digest: str, request: str) -> bool:
    """Note that a request sends a form, in the transaction that has begun. Whoever sends the same one meanwhile waits
    until it is clear what became of this.

    :return: False where another request has sent it.
    """
    connection = db.session.connection()
    row = insert_into(SentForm, connection.dialect.name).values(
        digest=digest, request=request, answer="", sent_at=utc_now()
    )
    connection.execute(row.on_conflict_do_nothing(index_elements=["digest"]))
    first: str = db.session.scalars(sa.select(SentForm.request).filter_by(digest=digest)).one()
    return first == request


def answer_to(digest: str) -> str | None:
    """Where who sent a form was led to; None where nobody has sent it."""
    found: str | None = db.session.scalar(sa.select(SentForm.answer).filter_by(digest=digest))
    return found


def keep_answer(digest: str, request: str, answer: str) -> None:
    count_written(sa.update(SentForm).filter_by(digest=digest, request=request).values(answer=answer[:500]))


def forget_old() -> int:
    """Let go what nobody sends again any more; how many."""
    return count_written(sa.delete(SentForm).where(SentForm.sent_at < utc_now() - KEPT))
