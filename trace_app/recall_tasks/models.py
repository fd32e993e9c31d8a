from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import Organisation
from trace_app.batches.models import Batch
from trace_app.db.base import UtcDateTime, one_of, utc_now
from trace_app.extensions import Model
from trace_app.flow.shipments.models import Consignee
from trace_app.media.models import Document, Photo
from trace_app.recalls.models import Recall


class RecallTask(Model):
    """What one producer or consignee has to do in a recall: confirm, stop, bring back, report."""

    __tablename__ = "recall_tasks"
    __table_args__ = (
        sa.CheckConstraint("(organisation_id IS NULL) != (consignee_id IS NULL)", "one_party"),
        sa.UniqueConstraint("recall_id", "organisation_id"),
        sa.UniqueConstraint("recall_id", "consignee_id"),
        sa.Index(
            "ix_recall_tasks_due",
            "start_due_at",
            sqlite_where=sa.text("acknowledged_at IS NULL"),
            postgresql_where=sa.text("acknowledged_at IS NULL"),
        ),
        sa.CheckConstraint("(acknowledged_at IS NULL) = (acknowledged_by = '')", "acknowledged"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    recall_id: Mapped[int] = mapped_column(sa.ForeignKey("recalls.id"))
    organisation_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    consignee_id: Mapped[int | None] = mapped_column(sa.ForeignKey("consignees.id"))
    token: Mapped[str] = mapped_column(sa.String(32), unique=True)
    """Random: the address under which those without an account report."""
    sent_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    start_due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finish_due_on: Mapped[date | None]
    """None of a hold, and of nothing else."""
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    acknowledged_by: Mapped[str] = mapped_column(sa.String(60), default="")
    escalated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the regulator was told that it is late."""

    recall: Mapped[Recall] = relationship()
    organisation: Mapped[Organisation | None] = relationship()
    consignee: Mapped[Consignee | None] = relationship()
    reports: Mapped[list[RecallReport]] = relationship(back_populates="task", order_by="RecallReport.id")


class RecallTaskLot(Model):
    """How much of a lot a party had when the recall reached it there, in the lot's unit. What the party reports is held
    against it, whatever becomes of the goods. Only ever added."""

    __tablename__ = "recall_task_lots"
    __table_args__ = (sa.CheckConstraint("supplied >= 0", "supplied"),)

    task_id: Mapped[int] = mapped_column(sa.ForeignKey("recall_tasks.id"), primary_key=True)
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"), primary_key=True)
    supplied: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3))
    counted_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


recall_report_photos = sa.Table(
    "recall_report_photos",
    Model.metadata,
    sa.Column("report_id", sa.ForeignKey("recall_reports.id"), primary_key=True),
    sa.Column("photo_id", sa.ForeignKey("photos.id"), primary_key=True),
)


class RecallReport(Model):
    """What a party says has become of a recalled lot, in the lot's unit. The latest of a lot counts; all stay."""

    __tablename__ = "recall_reports"
    __table_args__ = (
        sa.CheckConstraint("sealed >= 0 AND returned >= 0 AND destroyed >= 0 AND gone >= 0", "quantities"),
        sa.Index("ix_recall_reports_task_id", "task_id", "batch_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(sa.ForeignKey("recall_tasks.id"))
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"))
    sealed: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3))
    """How much is in stock and blocked."""
    returned: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3))
    destroyed: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3))
    gone: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3))
    """Sold to consumers or eaten: known, and not to be had back."""
    note: Mapped[str] = mapped_column(sa.String(300), default="")
    document_id: Mapped[int | None] = mapped_column(sa.ForeignKey("documents.id"))
    """Evidence on paper, such as the receipt of who destroyed the goods."""
    reported_by: Mapped[str] = mapped_column(sa.String(60))
    reported_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    @property
    def total(self) -> Decimal:
        return self.sealed + self.returned + self.destroyed + self.gone

    task: Mapped[RecallTask] = relationship(back_populates="reports")
    batch: Mapped[Batch] = relationship()
    document: Mapped[Document | None] = relationship(lazy="joined")
    photos: Mapped[list[Photo]] = relationship(secondary=recall_report_photos, order_by=Photo.id)


class FilingKind(enum.StrEnum):
    PLAN = "plan"
    """How a party is going to recall."""
    CLOSING_REPORT = "closing_report"
    """What a party did, and what it will do that it does not happen again."""
    CONCLUSION = "conclusion"
    """What the authority makes of both."""


class RecallFiling(Model):
    """A paper in a case. Only ever added: a later one of a kind stands beside those before it."""

    __tablename__ = "recall_filings"
    __table_args__ = (
        sa.CheckConstraint("text != '' OR document_id IS NOT NULL", "content"),
        sa.CheckConstraint("(kind = 'conclusion') = (task_id IS NULL)", "party"),
        sa.CheckConstraint("(kind = 'conclusion') = (filed_by_id IS NOT NULL)", "officer"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    recall_id: Mapped[int] = mapped_column(sa.ForeignKey("recalls.id"), index=True)
    task_id: Mapped[int | None] = mapped_column(sa.ForeignKey("recall_tasks.id"))
    """The party whose it is; None of the authority's conclusion."""
    kind: Mapped[FilingKind] = mapped_column(one_of(FilingKind, "kind"))
    text: Mapped[str] = mapped_column(sa.String(3000), default="")
    document_id: Mapped[int | None] = mapped_column(sa.ForeignKey("documents.id"))
    filed_by_name: Mapped[str] = mapped_column(sa.String(60))
    filed_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    """The officer; parties file by their link, without an account."""
    filed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    task: Mapped[RecallTask | None] = relationship()
    document: Mapped[Document | None] = relationship(lazy="joined")
