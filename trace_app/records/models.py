from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.db.base import UtcDateTime, one_of, utc_now
from trace_app.extensions import Model, db
from trace_app.media.models import Photo


class RecordType(enum.StrEnum):
    PESTICIDE = "pesticide"
    FERTILISER = "fertiliser"
    FEED = "feed"
    VETERINARY = "veterinary"
    INGREDIENT = "ingredient"
    STAGE = "stage"
    CARE = "care"
    VIDEO = "video"


INPUT_TYPES = frozenset(
    {RecordType.PESTICIDE, RecordType.FERTILISER, RecordType.FEED, RecordType.VETERINARY, RecordType.INGREDIENT}
)

record_photos = sa.Table(
    "record_photos",
    db.metadata,
    sa.Column("record_id", sa.ForeignKey("records.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("photo_id", sa.ForeignKey("photos.id", ondelete="CASCADE"), primary_key=True),
)


class Record(Model):
    """One thing done to a lot on one day. Never changed: a correction is a new record that names the old.

    What all records of an input share stands in columns, because recalls and rules search by it; what
    only a kind's own stage asks for stands in ``values``.
    """

    __tablename__ = "records"
    __table_args__ = (
        sa.Index("ix_records_batch_id_happened_on", "batch_id", "happened_on"),
        sa.CheckConstraint("(type = 'stage') = (stage_code IS NOT NULL)", "stage_code"),
        sa.CheckConstraint("dose > 0", "dose"),
        sa.CheckConstraint("area_mu > 0", "area_mu"),
        sa.CheckConstraint("interval_days >= 0", "interval_days"),
        sa.CheckConstraint("type != 'pesticide' OR interval_days IS NOT NULL", "pesticide_has_interval"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"))
    type: Mapped[RecordType] = mapped_column(one_of(RecordType, "type"))
    stage_code: Mapped[str | None] = mapped_column(sa.String(30))
    happened_on: Mapped[date]
    operator: Mapped[str] = mapped_column(sa.String(40), default="")
    note: Mapped[str] = mapped_column(sa.String(500), default="")
    product_name: Mapped[str | None] = mapped_column(sa.String(80), index=True)
    """Of an input: the name it is sold under."""
    registration_number: Mapped[str | None] = mapped_column(sa.String(40))
    active_ingredient: Mapped[str | None] = mapped_column(sa.String(80), index=True)
    source: Mapped[str | None] = mapped_column(sa.String(80))
    """Of an input: who supplied it."""
    input_lot: Mapped[str | None] = mapped_column(sa.String(40), index=True)
    dose: Mapped[Decimal | None] = mapped_column(sa.Numeric(12, 3))
    dose_unit: Mapped[str | None] = mapped_column(sa.String(20))
    area_mu: Mapped[Decimal | None] = mapped_column(sa.Numeric(9, 2))
    method: Mapped[str | None] = mapped_column(sa.String(30))
    target: Mapped[str | None] = mapped_column(sa.String(60))
    """The pest, disease or purpose."""
    interval_days: Mapped[int | None]
    """Pre-harvest interval of a pesticide, withdrawal period of a veterinary drug."""
    video_url: Mapped[str | None] = mapped_column(sa.String(500))
    values: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    replaces_id: Mapped[int | None] = mapped_column(sa.ForeignKey("records.id"), unique=True)
    correction_reason: Mapped[str | None] = mapped_column(sa.String(300))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    batch: Mapped[Batch] = relationship()
    replaces: Mapped[Record | None] = relationship(remote_side=[id], back_populates="replaced_by")
    replaced_by: Mapped[Record | None] = relationship(back_populates="replaces", uselist=False)
    photos: Mapped[list[Photo]] = relationship(secondary=record_photos, order_by=Photo.id, lazy="selectin")
    created_by: Mapped[User | None] = relationship()
