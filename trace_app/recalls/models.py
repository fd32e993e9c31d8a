from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import Organisation, User
from trace_app.batches.models import Batch
from trace_app.db.base import UtcDateTime, utc_now
from trace_app.extensions import Model, db

recall_batches = sa.Table(
    "recall_batches",
    db.metadata,
    sa.Column("recall_id", sa.ForeignKey("recalls.id"), primary_key=True),
    sa.Column("batch_id", sa.ForeignKey("batches.id"), primary_key=True, index=True),
)


class Recall(Model):
    """A recall notice of a level of the food recall measures (食品召回管理办法)."""

    __tablename__ = "recalls"
    __table_args__ = (sa.CheckConstraint("level BETWEEN 1 AND 3", "level"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(sa.String(20), unique=True)
    level: Mapped[int]
    reason: Mapped[str] = mapped_column(sa.String(500))
    reason_en: Mapped[str] = mapped_column(sa.String(800), default="")
    advice: Mapped[str] = mapped_column(sa.String(500))
    """What consumers should do."""
    advice_en: Mapped[str] = mapped_column(sa.String(800), default="")
    authority_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    issued_by_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)

    scope: Mapped[dict[str, str]] = mapped_column(sa.JSON, default=dict)
    """What the cause was known by, see `trace_app.recalls.scope.RecallScope`; empty for a single lot."""
    lot_count: Mapped[int] = mapped_column(default=1)

    authority: Mapped[Organisation] = relationship()
    issued_by: Mapped[User] = relationship()
    batches: Mapped[list[Batch]] = relationship(secondary=recall_batches, order_by=Batch.id)
    exclusions: Mapped[list[RecallExclusion]] = relationship(order_by="RecallExclusion.batch_id")


class RecallExclusion(Model):
    """A lot that a recall's scope reached and that was left out, with the regulator's reason."""

    __tablename__ = "recall_exclusions"

    recall_id: Mapped[int] = mapped_column(sa.ForeignKey("recalls.id"), primary_key=True)
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"), primary_key=True)
    reason: Mapped[str] = mapped_column(sa.String(300))

    batch: Mapped[Batch] = relationship()
