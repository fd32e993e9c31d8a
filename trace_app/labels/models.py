from __future__ import annotations

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qr.codes import MAX_INDEX, MAX_RUN
from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.db.base import UtcDateTime, one_of, utc_now
from trace_app.extensions import Model


class RunStatus(enum.StrEnum):
    WAITING = "waiting"
    WORKING = "working"
    READY = "ready"
    FAILED = "failed"


class LabelKey(Model):
    """A label key by number, known by its fingerprint only: notices a lost or exchanged key file."""

    __tablename__ = "label_keys"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    fingerprint: Mapped[str] = mapped_column(sa.String(19))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class LabelRun(Model):
    """Labels made in one go. The row's id is the run in their codes; a label itself has no row."""

    __tablename__ = "label_runs"
    __table_args__ = (
        sa.CheckConstraint(f"count BETWEEN 1 AND {MAX_INDEX + 1}", "count"),
        sa.CheckConstraint(f"id <= {MAX_RUN}", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"), index=True)
    key_number: Mapped[int] = mapped_column(sa.ForeignKey("label_keys.number"))
    stock: Mapped[str] = mapped_column(sa.String(30))
    count: Mapped[int]
    status: Mapped[RunStatus] = mapped_column(one_of(RunStatus, "status"), default=RunStatus.WAITING)
    failure: Mapped[str] = mapped_column(sa.String(300), default="")
    file_key: Mapped[str | None] = mapped_column(sa.String(200))
    file_bytes: Mapped[int | None] = mapped_column(sa.BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    batch: Mapped[Batch] = relationship()
    created_by: Mapped[User | None] = relationship()
