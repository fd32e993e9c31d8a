from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from media_store.photos import MAX_BYTES
from trace_app.db.base import UtcDateTime, utc_now
from trace_app.extensions import Model
from trace_app.media.models import Photo

OWNERS = ("record_id", "feedback_id", "report_id")
"""What a photo may belong to: a record, a consumer's feedback, a party's report in a recall."""


class PhotoArrival(Model):
    """A photo that is still to come, or has. It was told of with what it belongs to."""

    __tablename__ = "photo_arrivals"
    __table_args__ = (
        sa.CheckConstraint(
            " + ".join(f"CASE WHEN {owner} IS NULL THEN 0 ELSE 1 END" for owner in OWNERS) + " = 1", "one_owner"
        ),
        sa.CheckConstraint(f"bytes BETWEEN 1 AND {MAX_BYTES}", "bytes"),
        sa.CheckConstraint("received >= 0 AND received <= COALESCE(bytes, 0)", "received"),
        sa.CheckConstraint("photo_id IS NULL OR received = bytes", "finished"),
        sa.CheckConstraint("refused_at IS NULL OR photo_id IS NULL", "refused"),
        sa.CheckConstraint("latitude BETWEEN -90 AND 90", "latitude"),
        sa.CheckConstraint("longitude BETWEEN -180 AND 180", "longitude"),
        sa.CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", "place"),
        sa.CheckConstraint("length(name) = 32", "name"),
        sa.ForeignKeyConstraint(
            ["organisation_id", "record_id"], ["records.producer_id", "records.id"], name="fk_photo_arrivals_own_record"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(32), unique=True)
    """Random, from the browser that has the photo: whoever knows it may send it."""
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    record_id: Mapped[int | None] = mapped_column(sa.ForeignKey("records.id"), index=True)
    feedback_id: Mapped[int | None] = mapped_column(sa.ForeignKey("feedback.id"), index=True)
    report_id: Mapped[int | None] = mapped_column(sa.ForeignKey("recall_reports.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    touched_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    """When its last part came."""
    bytes: Mapped[int | None]
    """How long the file is, once its sender has begun."""
    received: Mapped[int] = mapped_column(default=0)
    taken_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When, and below where, the photo says that it was taken: read by the browser, which makes it small."""
    latitude: Mapped[Decimal | None] = mapped_column(sa.Numeric(8, 5))
    longitude: Mapped[Decimal | None] = mapped_column(sa.Numeric(8, 5))
    refused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was found to be no photo."""
    photo_id: Mapped[int | None] = mapped_column(sa.ForeignKey("photos.id"), unique=True)
    """What was made of it, once all of it had come."""

    photo: Mapped[Photo | None] = relationship()
    parts: Mapped[list[PhotoPart]] = relationship(order_by="PhotoPart.start", passive_deletes=True)

    @property
    def owner(self) -> tuple[str, int]:
        """The column that says what it belongs to, and the id of that."""
        return next((name, value) for name in OWNERS if (value := getattr(self, name)) is not None)


class PhotoPart(Model):
    """A piece of a photo, kept in the media store until the photo is whole."""

    __tablename__ = "photo_parts"
    __table_args__ = (sa.CheckConstraint("start >= 0 AND bytes > 0", "place"),)

    arrival_id: Mapped[int] = mapped_column(sa.ForeignKey("photo_arrivals.id", ondelete="CASCADE"), primary_key=True)
    start: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    bytes: Mapped[int]
    name: Mapped[str] = mapped_column(sa.String(32), unique=True)

    @property
    def key(self) -> str:
        return f"uploads/{self.name[:2]}/{self.name}"
