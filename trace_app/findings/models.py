from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import Division, Organisation, User
from trace_app.batches.models import Batch, BatchStatus
from trace_app.db.base import UtcDateTime, one_of, utc_now
from trace_app.extensions import Model
from trace_app.messages.models import Severity
from trace_app.values import StoredJson


class Finding(Model):
    """What a rule found out about a lot or a producer's certificate. It stays in the history when it is gone."""

    __tablename__ = "findings"
    __table_args__ = (
        sa.Index(
            "uq_findings_standing",
            "batch_id",
            "rule",
            "key",
            unique=True,
            sqlite_where=sa.text("gone_at IS NULL"),
            postgresql_where=sa.text("gone_at IS NULL"),
        ),
        sa.Index(
            "uq_findings_of_certificate",
            "certificate_id",
            "rule",
            "key",
            unique=True,
            sqlite_where=sa.text("gone_at IS NULL AND certificate_id IS NOT NULL"),
            postgresql_where=sa.text("gone_at IS NULL AND certificate_id IS NOT NULL"),
        ),
        sa.Index("ix_findings_division_code_found_at", "division_code", "found_at"),
        sa.Index("ix_findings_producer_id_found_at", "producer_id", "found_at"),
        sa.Index(
            "ix_findings_producer_id_standing",
            "producer_id",
            "found_at",
            sqlite_where=sa.text("gone_at IS NULL"),
            postgresql_where=sa.text("gone_at IS NULL"),
        ),
        sa.CheckConstraint("(batch_id IS NULL) != (certificate_id IS NULL)", "subject"),
        sa.CheckConstraint("gone_at >= found_at", "gone"),
        sa.CheckConstraint(
            "(handled_at IS NULL) = (handled_by_id IS NULL) AND (handled_at IS NULL OR handled_at >= found_at)",
            "handled",
        ),
        sa.ForeignKeyConstraint(
            ["producer_id", "batch_id"], ["batches.producer_id", "batches.id"], name="fk_findings_own_batch"
        ),
        sa.ForeignKeyConstraint(
            ["producer_id", "certificate_id"],
            ["certificates.producer_id", "certificates.id"],
            name="fk_findings_own_certificate",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    rule: Mapped[str] = mapped_column(sa.String(40))
    key: Mapped[str] = mapped_column(sa.String(80))
    """What it is about, such as a record: the same evidence is the same finding."""
    severity: Mapped[Severity] = mapped_column(one_of(Severity, "severity"))
    facts: Mapped[StoredJson] = mapped_column(sa.JSON)
    """The facts for the message, in plain values."""
    record_ids: Mapped[list[int]] = mapped_column(sa.JSON, default=list)
    """The evidence, where it is records."""
    producer_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    division_code: Mapped[str] = mapped_column(sa.ForeignKey("divisions.code"))
    batch_id: Mapped[int | None] = mapped_column(sa.ForeignKey("batches.id"))
    certificate_id: Mapped[int | None] = mapped_column(sa.ForeignKey("certificates.id"))
    found_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    gone_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The moment since which it no longer holds."""
    handled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    handled_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    handled_note: Mapped[str] = mapped_column(sa.String(300), default="")
    """What the regulator did about it."""
    stopped_sale_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the sale of its lot was stopped for it, or it was found while the lot was on hold. What the authority lets
    go again is not stopped for it a second time.
    """

    producer: Mapped[Organisation] = relationship()
    division: Mapped[Division] = relationship()
    batch: Mapped[Batch | None] = relationship(foreign_keys=[batch_id])
    handled_by: Mapped[User | None] = relationship()
    waiver: Mapped[Waiver | None] = relationship(back_populates="finding", uselist=False, lazy="joined")

    @property
    def lot_is_out(self) -> bool:
        """Whether it is of a lot that was released: then its sale stops, and not its release."""
        return self.batch is not None and self.batch.status is not BatchStatus.DRAFT

    @property
    def stops_release(self) -> bool:
        return self.severity is Severity.BLOCK and self.gone_at is None and self.waiver is None


class Waiver(Model):
    """A regulator's word that a lot may be released in spite of a finding, as it was found. Shown on the trace page.

    Where the facts change, the finding that was waived is gone and found anew, without the waiver.
    """

    __tablename__ = "waivers"

    id: Mapped[int] = mapped_column(primary_key=True)
    finding_id: Mapped[int] = mapped_column(sa.ForeignKey("findings.id"), unique=True)
    authority_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    facts: Mapped[StoredJson] = mapped_column(sa.JSON)
    """The finding's, as the regulator had them before it."""
    reason: Mapped[str] = mapped_column(sa.String(300))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))

    finding: Mapped[Finding] = relationship(back_populates="waiver")
    authority: Mapped[Organisation] = relationship()
    created_by: Mapped[User] = relationship()
