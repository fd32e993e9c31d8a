from __future__ import annotations

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import Organisation
from trace_app.db.base import MANY, UtcDateTime, one_of, utc_now
from trace_app.extensions import Model
from trace_app.values import StoredJson


class Severity(enum.StrEnum):
    """How much a finding weighs: a blocking one stops the lot's release."""

    BLOCK = "block"
    WARN = "warn"
    INFO = "info"


class ChannelType(enum.StrEnum):
    EMAIL = "email"
    WEBHOOK = "webhook"


class Channel(Model):
    """Where an organisation wants to be told of findings."""

    __tablename__ = "channels"
    __table_args__ = (sa.CheckConstraint("target != ''", "target"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    type: Mapped[ChannelType] = mapped_column(one_of(ChannelType, "type"))
    target: Mapped[str] = mapped_column(sa.String(300))
    """An address, or a URL."""
    secret: Mapped[str] = mapped_column(sa.String(64), default="")
    """The secret that signs what a webhook is sent (HMAC-SHA256)."""
    least_severity: Mapped[Severity] = mapped_column(one_of(Severity, "least_severity"), default=Severity.WARN)
    active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    organisation: Mapped[Organisation] = relationship()


class DeliveryStatus(enum.StrEnum):
    WAITING = "waiting"
    SENT = "sent"
    FAILED = "failed"


class Delivery(Model):
    """A message on its way through a channel or to an e-mail address."""

    __tablename__ = "deliveries"
    __table_args__ = (
        sa.UniqueConstraint("finding_id", "channel_id"),
        sa.CheckConstraint("channel_id IS NOT NULL OR address != ''", "one_way"),
        sa.Index("ix_deliveries_status_due_at", "status", "due_at"),
    )

    id: Mapped[int] = mapped_column(MANY, primary_key=True)
    finding_id: Mapped[int | None] = mapped_column(sa.ForeignKey("findings.id"))
    """The finding that it tells of, where it tells of one: a channel is told once of each."""
    message: Mapped[StoredJson] = mapped_column(sa.JSON)
    """``subject``, ``lines`` and ``link`` for people; ``type`` and ``facts`` for machines, or ``webhook``, the whole
    body that a webhook gets in their place.
    """
    channel_id: Mapped[int | None] = mapped_column(sa.ForeignKey("channels.id", ondelete="CASCADE"), index=True)
    address: Mapped[str] = mapped_column(sa.String(255), default="")
    """An e-mail address, for those who have no channel."""
    status: Mapped[DeliveryStatus] = mapped_column(one_of(DeliveryStatus, "status"), default=DeliveryStatus.WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failure: Mapped[str] = mapped_column(sa.String(300), default="")

    channel: Mapped[Channel | None] = relationship()
