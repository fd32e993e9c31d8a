"""Tables of the way of a scan: the log of scans with its sums, and the epochs of what stops lots."""

from __future__ import annotations

import enum
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trace_app.db.base import UnixTime, UtcDateTime, utc_now
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
"""Each scan for itself, until its time of keeping is over.

``run_id`` is the id of the run's row, here and in the tables below: numbers in codes begin anew with each key.
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


class ScanMessage(Model):
    """A message of the scan log that has been written: one that comes again, as after a commit whose answer was lost,
    is left out. Rows are kept for some days.
    """

    __tablename__ = "scan_messages"

    id: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    written_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)


class StopEpoch(Model):
    """One row: how many transactions have changed what stops lots or labels, and how long to wait before the next."""

    __tablename__ = "stop_epochs"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(sa.BigInteger)
    lease_ms: Mapped[int]
    """The longest lease that any worker has given itself."""
