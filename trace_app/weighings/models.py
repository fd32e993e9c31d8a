from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Site
from trace_app.db.base import UtcDateTime, utc_now
from trace_app.extensions import Model
from trace_app.households.models import Household


class Weighing(Model):
    """What a household delivered to a lot in one go, in the lot's unit. Rows are only ever added; a correction is a row
    of its own, of nothing where the weighing should not have been. The database takes one for a draft alone, and only
    of the producer's own household and plot."""

    __tablename__ = "weighings"
    __table_args__ = (
        sa.UniqueConstraint("producer_id", "entry_key"),
        sa.UniqueConstraint("replaces_id"),
        sa.CheckConstraint("quantity >= 0 AND (quantity > 0 OR replaces_id IS NOT NULL)", "quantity"),
        sa.CheckConstraint("(replaces_id IS NULL) = (reason = '')", "correction_has_reason"),
        sa.Index("ix_weighings_household_id_batch_id", "household_id", "batch_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    producer_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"), index=True)
    household_id: Mapped[int] = mapped_column(sa.ForeignKey("households.id"))
    site_id: Mapped[int | None] = mapped_column(sa.ForeignKey("sites.id"), index=True)
    """The plot that it grew on, where the household said so."""
    quantity: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3))
    happened_on: Mapped[date]
    entry_key: Mapped[str | None] = mapped_column(sa.String(40))
    """The phone's own key of the entry: sent twice, it is written once."""
    replaces_id: Mapped[int | None] = mapped_column(sa.ForeignKey("weighings.id"))
    reason: Mapped[str] = mapped_column(sa.String(300), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    batch: Mapped[Batch] = relationship()
    household: Mapped[Household] = relationship()
    site: Mapped[Site | None] = relationship()
    created_by: Mapped[User | None] = relationship()
    replaces: Mapped[Weighing | None] = relationship(remote_side=[id], back_populates="replaced_by")
    replaced_by: Mapped[Weighing | None] = relationship(back_populates="replaces", uselist=False)
