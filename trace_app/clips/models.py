from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from media_store.clips import MAX_BYTES
from trace_app.db.base import UtcDateTime, utc_now
from trace_app.extensions import Model
from trace_app.media.models import Clip
from trace_app.records.models import Record


class ClipUpload(Model):
    """A clip on its way in. It goes some days after its last part came, whether it was finished or not."""

    __tablename__ = "clip_uploads"
    __table_args__ = (
        sa.CheckConstraint(f"bytes BETWEEN 1 AND {MAX_BYTES}", "bytes"),
        sa.CheckConstraint("received BETWEEN 0 AND bytes", "received"),
        sa.CheckConstraint("(received = bytes) = (clip_id IS NOT NULL)", "finished"),
        sa.ForeignKeyConstraint(
            ["organisation_id", "record_id"], ["records.producer_id", "records.id"], name="fk_clip_uploads_own_record"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(32), unique=True)
    """Random: the upload's part in its address."""
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    record_id: Mapped[int] = mapped_column(sa.ForeignKey("records.id"), index=True)
    file_name: Mapped[str] = mapped_column(sa.String(120))
    bytes: Mapped[int]
    received: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    touched_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    """When its last part came."""
    clip_id: Mapped[int | None] = mapped_column(sa.ForeignKey("clips.id"), unique=True)
    """What was made of it, once all of it had come."""

    record: Mapped[Record] = relationship(foreign_keys=[record_id])
    clip: Mapped[Clip | None] = relationship()
    parts: Mapped[list[ClipPart]] = relationship(order_by="ClipPart.start", passive_deletes=True)

    @property
    def percent(self) -> int:
        return self.received * 100 // self.bytes


class ClipPart(Model):
    """A piece of an upload, kept in the media store until the clip is whole."""

    __tablename__ = "clip_parts"
    __table_args__ = (sa.CheckConstraint("start >= 0 AND bytes > 0", "place"),)

    upload_id: Mapped[int] = mapped_column(sa.ForeignKey("clip_uploads.id", ondelete="CASCADE"), primary_key=True)
    start: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """How much of the clip lies before it."""
    bytes: Mapped[int]
    name: Mapped[str] = mapped_column(sa.String(32), unique=True)

    @property
    def key(self) -> str:
        return f"uploads/{self.name[:2]}/{self.name}"
