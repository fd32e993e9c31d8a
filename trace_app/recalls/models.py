from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import Organisation, User
from trace_app.batches.models import Batch
from trace_app.db.base import UtcDateTime, one_of, utc_now
from trace_app.extensions import Model
from trace_app.findings.models import Finding
from trace_app.values import StoredJson


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
    COMPLETED = "completed"
    """A recall that was carried out. Its lots stay withdrawn for ever."""
    WITHDRAWN = "withdrawn"
    """A recall that was wrong. Its lots are free, unless something else stops them."""
    LIFTED = "lifted"
    """A hold that is over."""
    ENDED = "ended"
    """A drill that is over."""
    REJECTED = "rejected"


PUBLISHED = (RecallStatus.ACTIVE, RecallStatus.COMPLETED, RecallStatus.WITHDRAWN)
"""The states of a recall whose notices are for everyone."""


class NoticeType(enum.StrEnum):
    ISSUE = "issue"
    APPROVE = "approve"
    REJECT = "reject"
    EXTEND = "extend"
    NARROW = "narrow"
    CORRECT = "correct"
    COMPLETE = "complete"
    WITHDRAW = "withdraw"
    LIFT = "lift"
    END = "end"


class Turning(enum.StrEnum):
    """What can become of a recall after its issue."""

    EXTEND = "extend"
    CORRECT = "correct"
    NARROW = "narrow"
    COMPLETE = "complete"
    WITHDRAW = "withdraw"


@dataclass(frozen=True, slots=True)
class NoticeText:
    """What a notice says.

    :ivar level: 1 to 3; None of a hold.
    :ivar basis: the number of a test report, or a law.
    :ivar remedy: how those who have it return it and are compensated.
    """

    level: int | None
    reason: str
    advice: str
    reason_en: str = ""
    advice_en: str = ""
    basis: str = ""
    remedy: str = ""
    remedy_en: str = ""


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
        sa.CheckConstraint("(level IS NULL) = (kind = 'hold')", "level_of_kind"),
        sa.CheckConstraint("kind != 'hold' OR finish_due_on IS NULL", "hold_without_end"),
        sa.CheckConstraint(
            "(kind = 'recall' AND status IN ('pending', 'active', 'completed', 'withdrawn', 'rejected'))"
            " OR (kind = 'hold' AND status IN ('active', 'lifted'))"
            " OR (kind = 'drill' AND status IN ('pending', 'active', 'ended'))",
            "end",
        ),
        sa.CheckConstraint("(status IN ('pending', 'active')) = (ended_at IS NULL)", "ended_at"),
        sa.CheckConstraint("(issued_by_id IS NULL) = (cause_id IS NOT NULL)", "issuer"),
        sa.CheckConstraint("cause_id IS NULL OR kind = 'hold'", "automatic"),
        sa.Index("ix_recalls_status_kind", "status", "kind"),
        sa.CheckConstraint(
            "status NOT IN ('active', 'completed', 'withdrawn', 'lifted') OR in_force_at IS NOT NULL", "in_force"
        ),
        sa.CheckConstraint("ended_at >= issued_at AND in_force_at >= issued_at", "order"),
        sa.CheckConstraint("lot_count >= 0", "lot_count"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(sa.String(24), unique=True)
    kind: Mapped[RecallKind] = mapped_column(one_of(RecallKind, "kind"), default=RecallKind.RECALL)
    status: Mapped[RecallStatus] = mapped_column(one_of(RecallStatus, "status"), default=RecallStatus.ACTIVE)
    level: Mapped[int | None]
    """How grave a recall is, or would be in a drill; None of a hold, which judges nothing yet."""
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
    """The moment by which everyone concerned must have begun: after 24, 48 or 72 hours; of a hold, 24."""
    finish_due_on: Mapped[date | None]
    """The day by which it must be carried out: after 10, 20 or 30 working days; None of a hold."""
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tasks_made_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When those concerned were last given their tasks; None from a notice on until then."""

    reminded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the authority's other officers were reminded that it waits for one of them."""
    raised_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the next office up was told that it still waits."""

    scope: Mapped[dict[str, str]] = mapped_column(sa.JSON, default=dict)
    """What the cause was known by, see `trace_app.recalls.scope.RecallScope`; empty for a single lot."""
    lot_count: Mapped[int] = mapped_column(default=1)
    """Lots in it now."""

    authority: Mapped[Organisation] = relationship()
    issued_by: Mapped[User | None] = relationship()
    cause: Mapped[Finding | None] = relationship()
    notices: Mapped[list[RecallNotice]] = relationship(back_populates="recall", order_by="RecallNotice.sequence")
    proposals: Mapped[list[RecallProposal]] = relationship(
        foreign_keys="RecallProposal.recall_id", order_by="RecallProposal.id", back_populates="recall"
    )
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
    def remedy(self) -> str:
        return self.notice.remedy

    @property
    def remedy_en(self) -> str:
        return self.notice.remedy_en

    @property
    def is_open(self) -> bool:
        return self.status in (RecallStatus.PENDING, RecallStatus.ACTIVE)

    @property
    def is_public(self) -> bool:
        """Whether its notices are for everyone: recalls that came into force, and nothing else."""
        return self.kind is RecallKind.RECALL and self.status in PUBLISHED

    @property
    def takes_back(self) -> bool:
        """Whether its lots are taken back from consumers: it is in force, or was carried out."""
        return self.is_public and self.status is not RecallStatus.WITHDRAWN


class RecallNotice(Model):
    """What was made known of a recall at one moment: issued, extended, narrowed, corrected, ended. Never changed."""

    __tablename__ = "recall_notices"
    __table_args__ = (
        sa.UniqueConstraint("recall_id", "sequence"),
        sa.CheckConstraint("level BETWEEN 1 AND 3", "level"),
        sa.CheckConstraint("sequence > 0", "sequence"),
        sa.CheckConstraint("lots_added >= 0 AND lots_removed >= 0 AND lot_count >= 0", "lots"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    recall_id: Mapped[int] = mapped_column(sa.ForeignKey("recalls.id"))
    sequence: Mapped[int]
    """1 for the first notice of a recall."""
    type: Mapped[NoticeType] = mapped_column(one_of(NoticeType, "type"))
    level: Mapped[int | None]
    """None of a hold; those of before holds went without name the one by which their clocks went."""
    reason: Mapped[str] = mapped_column(sa.String(500))
    reason_en: Mapped[str] = mapped_column(sa.String(800), default="")
    advice: Mapped[str] = mapped_column(sa.String(500))
    """What consumers should do."""
    advice_en: Mapped[str] = mapped_column(sa.String(800), default="")
    basis: Mapped[str] = mapped_column(sa.String(300), default="", server_default="")
    """What it rests on: the number of a test report, or a law."""
    remedy: Mapped[str] = mapped_column(sa.String(500), default="", server_default="")
    """How those who have it return it and are compensated."""
    remedy_en: Mapped[str] = mapped_column(sa.String(800), default="", server_default="")
    facts: Mapped[StoredJson] = mapped_column(sa.JSON, default=dict, server_default="{}")
    """What it states of producers and the area of sale, as they were, see `trace_app.recalls.statements`."""
    note: Mapped[str] = mapped_column(sa.String(500), default="")
    """Why there is a further notice."""
    scope: Mapped[dict[str, str]] = mapped_column(sa.JSON, default=dict)
    lots_added: Mapped[int] = mapped_column(default=0)
    lots_removed: Mapped[int] = mapped_column(default=0)
    lot_count: Mapped[int]
    """Lots in the recall after it."""
    still_open: Mapped[StoredJson | None] = mapped_column(sa.JSON(none_as_null=True))
    """What was open when the recall was ended by it, see `trace_app.recall_tasks.turnings.still_open`."""
    issued_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    """None of the notice by which the platform itself held a lot."""
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    recall: Mapped[Recall] = relationship(back_populates="notices")
    issued_by: Mapped[User | None] = relationship()

    @property
    def number(self) -> str:
        """The recall's number for the first, with the sequence behind it for those linked to it."""
        return self.recall.number if self.sequence == 1 else f"{self.recall.number}-{self.sequence}"


class RecallProposal(Model):
    """A turning of a recall that waits for the second officer, or what the second officer made of it. Decided once."""

    __tablename__ = "recall_proposals"
    __table_args__ = (
        sa.CheckConstraint(
            "(decided_at IS NULL) = (decided_by_id IS NULL) AND (decided_at IS NULL) = (approved IS NULL)", "decided"
        ),
        sa.CheckConstraint("NOT approved OR decided_by_id != proposed_by_id", "second_officer"),
        sa.CheckConstraint("(turning = 'extend') = (hold_id IS NOT NULL)", "hold"),
        sa.Index(
            "uq_recall_proposals_waiting",
            "recall_id",
            unique=True,
            sqlite_where=sa.text("decided_at IS NULL"),
            postgresql_where=sa.text("decided_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    recall_id: Mapped[int] = mapped_column(sa.ForeignKey("recalls.id"))
    turning: Mapped[Turning] = mapped_column(one_of(Turning, "turning"))
    content: Mapped[str] = mapped_column(sa.Text)
    """What is to be done, as JSON. It is kept as text, so that the database can see whether it stays."""
    note: Mapped[str] = mapped_column(sa.String(500))
    """Why."""
    hold_id: Mapped[int | None] = mapped_column(sa.ForeignKey("recalls.id"))
    """The hold that keeps the lots of an extension off sale while it waits."""
    proposed_by_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    proposed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    decided_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    approved: Mapped[bool | None]
    decision_note: Mapped[str | None] = mapped_column(sa.String(500))
    reminded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When those who may decide were reminded that it waits for one of them."""
    raised_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the next office up was told that it still waits."""

    recall: Mapped[Recall] = relationship(foreign_keys=recall_id, back_populates="proposals")
    hold: Mapped[Recall | None] = relationship(foreign_keys=hold_id)
    proposed_by: Mapped[User] = relationship(foreign_keys=proposed_by_id)
    decided_by: Mapped[User | None] = relationship(foreign_keys=decided_by_id)

    @property
    def facts(self) -> StoredJson:
        """The content, read."""
        found: StoredJson = json.loads(self.content)
        return found


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
    __table_args__ = (sa.CheckConstraint("type IN ('off', 'work')", "type"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(unique=True)
    type: Mapped[str] = mapped_column(sa.String(4))
    """``off`` or ``work``."""
    name: Mapped[str] = mapped_column(sa.String(30))
    source: Mapped[str] = mapped_column(sa.String(80), default="")
