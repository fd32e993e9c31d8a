from __future__ import annotations

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.db.base import UtcDateTime, one_of, utc_now
from trace_app.extensions import Model
from trace_app.media.models import Photo


class FeedbackKind(enum.StrEnum):
    FAKE = "fake"
    SAFETY = "safety"
    QUALITY = "quality"
    """Complaints of anything that is no danger."""
    PRAISE = "praise"


TO_REGULATOR = frozenset({FeedbackKind.FAKE, FeedbackKind.SAFETY})
"""What goes to the regulators of the lot's place, too."""

feedback_photos = sa.Table(
    "feedback_photos",
    Model.metadata,
    sa.Column("feedback_id", sa.ForeignKey("feedback.id"), primary_key=True),
    sa.Column("photo_id", sa.ForeignKey("photos.id"), primary_key=True),
)


class Feedback(Model):
    """What a consumer says of a label's goods. Its ticket is all that leads back to it: there is no account."""

    __tablename__ = "feedback"
    __table_args__ = (sa.Index("ix_feedback_batch_id_created_at", "batch_id", "created_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    ticket: Mapped[str] = mapped_column(sa.String(20), unique=True)
    """Random."""
    kind: Mapped[FeedbackKind] = mapped_column(one_of(FeedbackKind, "kind"))
    code: Mapped[str] = mapped_column(sa.String(13))
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"))
    text: Mapped[str] = mapped_column(sa.String(1000))
    bought_at: Mapped[str] = mapped_column(sa.String(100), default="")
    """Where, in the consumer's words."""
    contact: Mapped[str] = mapped_column(sa.String(100), default="")
    """Telephone or e-mail, if the consumer wants to be called."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    batch: Mapped[Batch] = relationship()
    photos: Mapped[list[Photo]] = relationship(secondary=feedback_photos, order_by=Photo.id)
    replies: Mapped[list[FeedbackReply]] = relationship(back_populates="feedback", order_by="FeedbackReply.id")

    @property
    def closed(self) -> bool:
        """Whether the last who replied said that it is settled."""
        return bool(self.replies) and self.replies[-1].closes


class FeedbackReply(Model):
    """What a producer or regulator answers; the consumer reads it under the ticket. Never changed."""

    __tablename__ = "feedback_replies"

    id: Mapped[int] = mapped_column(primary_key=True)
    feedback_id: Mapped[int] = mapped_column(sa.ForeignKey("feedback.id"), index=True)
    text: Mapped[str] = mapped_column(sa.String(1000))
    closes: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))

    feedback: Mapped[Feedback] = relationship(back_populates="replies")
    created_by: Mapped[User] = relationship()
