from __future__ import annotations

import enum
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.batches.models import Batch
from trace_app.db.base import UnixTime, UtcDateTime, one_of, utc_now
from trace_app.extensions import Model, db


class Outcome(enum.StrEnum):
    """What a scan opened."""

    SHOWN = "shown"
    VOID = "void"
    UNPRINTED = "unprinted"
    """Rightly encrypted, but of a label that was never made."""
    UNKNOWN = "unknown"


class ScanClient(enum.StrEnum):
    """What kind of program opened a page."""

    WECHAT = "wechat"
    ALIPAY = "alipay"
    PHONE = "phone"
    COMPUTER = "computer"


scans = sa.Table(
    "scans",
    db.metadata,
    sa.Column("at", UtcDateTime, nullable=False, index=True),
    sa.Column("outcome", sa.String(10), nullable=False),
    sa.Column("run_id", sa.Integer),
    sa.Column("index", sa.Integer),
    sa.Column("batch_id", sa.Integer),
    sa.Column("region", sa.String(20), nullable=False),
    sa.Column("client", sa.String(10), nullable=False),
    sa.Column("language", sa.String(2), nullable=False),
    sa.Column("source", sa.BigInteger, nullable=False),
)
"""Each scan for itself, until its time of keeping is over; by month on PostgreSQL.

``source`` is where it came from: a keyed digest of day and truncated address, of no meaning on another day.
No foreign keys: a log refers to what was there when it was written.
"""


class ScanItem(Model):
    """When a single label was first and last scanned, and how often."""

    __tablename__ = "scan_items"
    __table_args__ = {"sqlite_with_rowid": False}

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_at: Mapped[datetime] = mapped_column(UnixTime)
    last_at: Mapped[datetime] = mapped_column(UnixTime)
    scans: Mapped[int]
    unusual: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """Whether its page explains that it was scanned in an unusual way."""


class ScanDay(Model):
    """How many scans of a lot's labels there were on a day in Qujing, by region, client and language."""

    __tablename__ = "scan_days"
    __table_args__ = {"sqlite_with_rowid": False}

    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    region: Mapped[str] = mapped_column(sa.String(20), primary_key=True, default="")
    """A province or city; empty where it is not known."""
    client: Mapped[str] = mapped_column(sa.String(10), primary_key=True, default="")
    language: Mapped[str] = mapped_column(sa.String(2), primary_key=True, default="")
    scans: Mapped[int]


class SpoolFile(Model):
    """How far a file of the spool (`trace_app.scans.spool`) has been taken in."""

    __tablename__ = "spool_files"

    name: Mapped[str] = mapped_column(sa.String(60), primary_key=True)
    taken: Mapped[int] = mapped_column(sa.BigInteger)
    """Bytes."""


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
    facts: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
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
