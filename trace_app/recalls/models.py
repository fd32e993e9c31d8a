from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import Organisation, User
from trace_app.batches.models import Batch
from trace_app.db.base import UtcDateTime, one_of, utc_now
from trace_app.extensions import Model
from trace_app.findings.models import Finding


class RecallKind(enum.StrEnum):
    RECALL = "recall"
    HOLD = "hold"
    """A provisional stop of sale while something is looked into."""
    DRILL = "drill"
    """A mock recall: labels, public pages and feeds know nothing of it."""


class RecallStatus(enum.StrEnum):
    PENDING = "pending"
    """A recall of level I that waits for the second officer, its lots on hold meanwhile; a drill just begun."""
    ACTIVE = "active"
    ENDED = "ended"
    REJECTED = "rejected"


class NoticeType(enum.StrEnum):
    ISSUE = "issue"
    APPROVE = "approve"
    REJECT = "reject"
    EXTEND = "extend"
    NARROW = "narrow"
    CORRECT = "correct"
    END = "end"


@dataclass(frozen=True, slots=True)
class NoticeText:
    """What a notice says.

    :ivar level: 1 to 3.
    """

    level: int
    reason: str
    advice: str
    reason_en: str = ""
    advice_en: str = ""


class RecallMember(Model):
    """A lot's place in a recall, from which notice on and until which. A lot that comes in again has a further one."""

    __tablename__ = "recall_batches"
    __table_args__ = (
        sa.PrimaryKeyConstraint("batch_id", "recall_id", "added_in"),
        sa.CheckConstraint("removed_in > added_in", "order"),
        sa.Index(
            "uq_recall_batches_standing",
            "recall_id",
            "batch_id",
            unique=True,
            sqlite_where=sa.text("removed_in IS NULL"),
            postgresql_where=sa.text("removed_in IS NULL"),
        ),
    )

    recall_id: Mapped[int] = mapped_column(sa.ForeignKey("recalls.id"))
    batch_id: Mapped[int] = mapped_column(autoincrement=False)
    """No foreign key stands here: for each, PostgreSQL would lock the lot's row, which writes to the lot's page. Lots
    are never deleted, and whoever adds members takes them from rows that refer to lots.
    """
    added_in: Mapped[int] = mapped_column(default=1, server_default="1")
    """Sequence of the notice that took it in."""
    removed_in: Mapped[int | None]
    """Sequence of the notice that narrowed the recall down by it. Filled in once."""


class Recall(Model):
    """A recall under the food recall measures (食品召回管理办法), with all its notices; or a hold, or a drill.

    What is stated here is the state after the latest notice; the notices themselves are never changed.
    """

    __tablename__ = "recalls"
    __table_args__ = (
        sa.CheckConstraint("level BETWEEN 1 AND 3", "level"),
        sa.CheckConstraint("(issued_by_id IS NULL) = (cause_id IS NOT NULL)", "issuer"),
        sa.CheckConstraint("cause_id IS NULL OR kind = 'hold'", "automatic"),
        sa.Index("ix_recalls_status_kind", "status", "kind"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(sa.String(24), unique=True)
    kind: Mapped[RecallKind] = mapped_column(one_of(RecallKind, "kind"), default=RecallKind.RECALL)
    status: Mapped[RecallStatus] = mapped_column(one_of(RecallStatus, "status"), default=RecallStatus.ACTIVE)
    level: Mapped[int]
    voluntary: Mapped[bool] = mapped_column(default=False)
    """Whether the producer itself recalls."""
    authority_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    """Who issued it: the regulator, or the producer of a voluntary one."""
    issued_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    """None where the platform itself held a lot, on behalf of the authority."""
    cause_id: Mapped[int | None] = mapped_column(sa.ForeignKey("findings.id"), unique=True)
    """The finding for which the platform itself held a lot; a finding holds it once."""
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now, index=True)
    """The moment of the first notice; of a drill, when it was begun."""
    in_force_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The moment since which its lots are stopped by it as it stands: issued, or approved; of a drill, when its scope
    was known.
    """
    start_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The moment by which everyone concerned must have begun: after 24, 48 or 72 hours."""
    finish_due_on: Mapped[date | None]
    """The day by which it must be carried out: after 10, 20 or 30 working days."""
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tasks_made_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When those concerned were last given their tasks; None from a notice on until then."""

    scope: Mapped[dict[str, str]] = mapped_column(sa.JSON, default=dict)
    """What the cause was known by, see `trace_app.recalls.scope.RecallScope`; empty for a single lot."""
    lot_count: Mapped[int] = mapped_column(default=1)
    """Lots in it now."""

    authority: Mapped[Organisation] = relationship()
    issued_by: Mapped[User | None] = relationship()
    cause: Mapped[Finding | None] = relationship()
    notices: Mapped[list[RecallNotice]] = relationship(back_populates="recall", order_by="RecallNotice.sequence")
    exclusions: Mapped[list[RecallExclusion]] = relationship(
        order_by="RecallExclusion.batch_id, RecallExclusion.left_out_in"
    )

    @property
    def notice(self) -> RecallNotice:
        """The latest notice: what holds now."""
        return self.notices[-1]

    @property
    def reason(self) -> str:
        return self.notice.reason

    @property
    def reason_en(self) -> str:
        return self.notice.reason_en

    @property
    def advice(self) -> str:
        return self.notice.advice

    @property
    def advice_en(self) -> str:
        return self.notice.advice_en

    @property
    def is_open(self) -> bool:
        return self.status in (RecallStatus.PENDING, RecallStatus.ACTIVE)

    @property
    def is_public(self) -> bool:
        """Whether its notices are for everyone: recalls that came into force, and nothing else."""
        return self.kind is RecallKind.RECALL and self.status in (RecallStatus.ACTIVE, RecallStatus.ENDED)


class RecallNotice(Model):
    """What was made known of a recall at one moment: issued, extended, narrowed, corrected, ended. Never changed."""

    __tablename__ = "recall_notices"
    __table_args__ = (
        sa.UniqueConstraint("recall_id", "sequence"),
        sa.CheckConstraint("level BETWEEN 1 AND 3", "level"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    recall_id: Mapped[int] = mapped_column(sa.ForeignKey("recalls.id"))
    sequence: Mapped[int]
    """1 for the first notice of a recall."""
    type: Mapped[NoticeType] = mapped_column(one_of(NoticeType, "type"))
    level: Mapped[int]
    reason: Mapped[str] = mapped_column(sa.String(500))
    reason_en: Mapped[str] = mapped_column(sa.String(800), default="")
    advice: Mapped[str] = mapped_column(sa.String(500))
    """What consumers should do."""
    advice_en: Mapped[str] = mapped_column(sa.String(800), default="")
    note: Mapped[str] = mapped_column(sa.String(500), default="")
    """Why there is a further notice."""
    scope: Mapped[dict[str, str]] = mapped_column(sa.JSON, default=dict)
    lots_added: Mapped[int] = mapped_column(default=0)
    lots_removed: Mapped[int] = mapped_column(default=0)
    lot_count: Mapped[int]
    """Lots in the recall after it."""
    issued_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    """None of the notice by which the platform itself held a lot."""
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    recall: Mapped[Recall] = relationship(back_populates="notices")
    issued_by: Mapped[User | None] = relationship()

    @property
    def number(self) -> str:
        """The recall's number for the first, with the sequence behind it for those linked to it."""
        return self.recall.number if self.sequence == 1 else f"{self.recall.number}-{self.sequence}"


class RecallExclusion(Model):
    """That a notice left a lot out, which its scope reached, or took it out; with the reason. Only ever added."""

    __tablename__ = "recall_exclusions"

    recall_id: Mapped[int] = mapped_column(sa.ForeignKey("recalls.id"), primary_key=True)
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"), primary_key=True)
    left_out_in: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Sequence of the notice."""
    reason: Mapped[str] = mapped_column(sa.String(300))

    batch: Mapped[Batch] = relationship()


class Holiday(Model):
    """A day on which the nation rests, or works in exchange (国务院办公厅 notices on each year's arrangement)."""

    __tablename__ = "holidays"

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(unique=True)
    type: Mapped[str] = mapped_column(sa.String(4))
    """``off`` or ``work``."""
    name: Mapped[str] = mapped_column(sa.String(30))
    source: Mapped[str] = mapped_column(sa.String(80), default="")
