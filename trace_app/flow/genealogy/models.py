from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.db.base import UtcDateTime, utc_now
from trace_app.extensions import Model

_STANDING = sa.text("withdrawn_at IS NULL")


class LotLink(Model):
    """That some of one lot went into another: split off, merged, processed, worked anew (EPCIS transformation).

    Never changed: what was entered wrongly is withdrawn with a reason and entered again.
    """

    __tablename__ = "lot_links"
    __table_args__ = (
        sa.CheckConstraint("source_id != target_id", "two_lots"),
        sa.CheckConstraint("quantity > 0", "quantity"),
        sa.Index("ix_lot_links_forward", "source_id", "target_id", sqlite_where=_STANDING, postgresql_where=_STANDING),
        sa.Index("ix_lot_links_backward", "target_id", "source_id", sqlite_where=_STANDING, postgresql_where=_STANDING),
        sa.CheckConstraint("withdrawn_at IS NULL OR withdrawn_reason != ''", "withdrawn"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"))
    target_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"))
    quantity: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3))
    """How much of the source went in, in the source's unit."""
    happened_on: Mapped[date]
    note: Mapped[str] = mapped_column(sa.String(200), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_reason: Mapped[str] = mapped_column(sa.String(300), default="")

    source: Mapped[Batch] = relationship(foreign_keys=[source_id])
    target: Mapped[Batch] = relationship(foreign_keys=[target_id])
    created_by: Mapped[User | None] = relationship()
