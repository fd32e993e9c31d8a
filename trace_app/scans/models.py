from __future__ import annotations

import enum
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.batches.models import Batch
from trace_app.db.base import UtcDateTime, one_of, utc_now
from trace_app.extensions import Model
from trace_app.values import StoredJson


class SuspicionKind(enum.StrEnum):
    FAR_APART = "far_apart"
    """One label in two places that nobody can travel between in that time."""
    BURST = "burst"
    """One label from many sources in a short time."""
    VOID = "void"
    UNPRINTED = "unprinted"
    GUESSING = "guessing"
    """Many unknown codes from one source."""


class Suspicion(Model):
    """Scans of a day that look like copied labels or guessed codes."""

    __tablename__ = "suspicions"
    __table_args__ = (
        sa.UniqueConstraint("kind", "day", "run_id", "index", "source"),
        sa.CheckConstraint("score BETWEEN 1 AND 100", "score"),
        sa.Index("ix_suspicions_batch_id_day", "batch_id", "day"),
        sa.CheckConstraint("last_at >= first_at AND scans > 0", "times"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[SuspicionKind] = mapped_column(one_of(SuspicionKind, "kind"))
    day: Mapped[date] = mapped_column(index=True)
    run_id: Mapped[int] = mapped_column(default=0)
    """0 of guessed codes."""
    index: Mapped[int] = mapped_column(default=0)
    source: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    """The source of guessed codes."""
    batch_id: Mapped[int | None] = mapped_column(sa.ForeignKey("batches.id"))
    score: Mapped[int]
    """How sure: 1 to 100. From `watch.WARN_FROM` on producer and regulator are told."""
    scans: Mapped[int]
    regions: Mapped[dict[str, int]] = mapped_column(sa.JSON)
    """Scans by region."""
    facts: Mapped[StoredJson] = mapped_column(sa.JSON, default=dict)
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    batch: Mapped[Batch | None] = relationship()


class ScanMark(Model):
    """The moment up to which the scans have been looked through."""

    __tablename__ = "scan_marks"

    name: Mapped[str] = mapped_column(sa.String(20), primary_key=True)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
