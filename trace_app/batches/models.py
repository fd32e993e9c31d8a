from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from trace_app.accounts.models import Division, Organisation, User
from trace_app.catalogue.models import Product, Site
from trace_app.clock import is_past
from trace_app.db.base import Id, UtcDateTime, one_of, utc_now
from trace_app.extensions import Model
from trace_app.folding import folded
from trace_app.values import StoredJson

BatchState = Literal["draft", "released", "closed", "held", "recalled"]


class BatchStatus(enum.StrEnum):
    DRAFT = "draft"
    RELEASED = "released"
    CLOSED = "closed"


# What stops a lot is said once, by the recalls, holds and drills that it is in (`trace_app.recalls.models`).
RECALLS = sa.table("recalls", *map(sa.column, ("id", "kind", "status", "level")))
_MEMBERS = sa.table("recall_batches", *map(sa.column, ("recall_id", "batch_id", "removed_in")))
_NOTICES = sa.table("recall_notices", sa.column("recall_id"))


def _is(kind: str, status: str) -> sa.ColumnElement[bool]:
    return sa.and_(RECALLS.c.kind == kind, RECALLS.c.status == status)


IN_FORCE = sa.and_(RECALLS.c.kind == "recall", RECALLS.c.status.in_(("active", "completed")))
"""The condition on a row of `recalls` that it takes its lots back from consumers. Who carried a recall out has not made
its lots good: they stay withdrawn. Only a recall that was wrong lets them go.
"""
PENDING = _is("recall", "pending")
"""It waits for the second officer."""
HOLDING = sa.or_(_is("hold", "active"), PENDING)
"""It stops the sale of its lots for the time being."""


def stopped_lots(condition: sa.ColumnElement[bool]) -> sa.Select[int]:
    """The lots in recalls of which a condition holds, as a SELECT of their ids."""
    return (
        sa.select(_MEMBERS.c.batch_id)
        .join(RECALLS, RECALLS.c.id == _MEMBERS.c.recall_id)
        .where(_MEMBERS.c.removed_in.is_(None), condition)
        .correlate_except(_MEMBERS, RECALLS)
    )


def in_recall(batch_id: Id, condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Whether a lot is in a recall of which a condition holds."""
    return stopped_lots(condition).where(_MEMBERS.c.batch_id == batch_id).exists()


def _is_in_recall(batch_id: Id, condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """The same of one lot, to be looked up by itself: for an EXISTS among the columns of a query PostgreSQL may read
    all recalled lots first."""
    first = stopped_lots(condition).where(_MEMBERS.c.batch_id == batch_id).with_only_columns(sa.true()).limit(1)
    return sa.func.coalesce(first.scalar_subquery(), sa.false(), type_=sa.Boolean)


def notices_on(batch_id: Id) -> sa.ScalarSelect[int]:
    """How many notices there are of the recalls and holds that a lot is or was in, for each time that it came in: more
    with each, never fewer."""
    return (
        sa.select(sa.func.count())
        .select_from(_MEMBERS)
        .join(RECALLS, sa.and_(RECALLS.c.id == _MEMBERS.c.recall_id, RECALLS.c.kind != "drill"))
        .join(_NOTICES, _NOTICES.c.recall_id == _MEMBERS.c.recall_id)
        .where(_MEMBERS.c.batch_id == batch_id)
        .correlate_except(_MEMBERS, RECALLS, _NOTICES)
        .scalar_subquery()
    )


class Batch(Model):
    """A lot: what was made of one product at one site in one go, and is recalled as one."""

    __tablename__ = "batches"
    __table_args__ = (
        sa.UniqueConstraint("producer_id", "lot_number"),
        sa.CheckConstraint("quantity > 0", "quantity"),
        sa.CheckConstraint("(status = 'draft') = (released_at IS NULL)", "released_at"),
        sa.Index("ix_batches_division_code_created_at", "division_code", "created_at"),
        sa.Index("ix_batches_lot_number", "lot_number", postgresql_ops={"lot_number": "text_pattern_ops"}),
        sa.Index("ix_batches_lot_fold", "lot_fold", postgresql_ops={"lot_fold": "text_pattern_ops"}),
        sa.Index("ix_batches_producer_id_created_at", "producer_id", "created_at"),
        sa.Index("ix_batches_producer_id_started_on", "producer_id", "started_on"),
        sa.CheckConstraint("(status = 'closed') = (closed_at IS NOT NULL)", "closed_at"),
        sa.CheckConstraint("status = 'draft' OR produced_on IS NOT NULL", "released_goods"),
        sa.CheckConstraint(
            "started_on <= produced_on AND produced_on <= best_before AND started_on <= best_before", "days"
        ),
        sa.CheckConstraint("lot_number != '' AND lot_number = trim(lot_number)", "lot_number"),
        sa.CheckConstraint("version > 0", "version"),
        sa.UniqueConstraint("producer_id", "id"),
        sa.ForeignKeyConstraint(
            ["producer_id", "product_id"], ["products.producer_id", "products.id"], name="fk_batches_own_product"
        ),
        sa.ForeignKeyConstraint(
            ["producer_id", "site_id"], ["sites.producer_id", "sites.id"], name="fk_batches_own_site"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    producer_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    product_id: Mapped[int] = mapped_column(sa.ForeignKey("products.id"), index=True)
    site_id: Mapped[int] = mapped_column(sa.ForeignKey("sites.id"), index=True)
    division_code: Mapped[str] = mapped_column(sa.ForeignKey("divisions.code"))
    """The site's, kept here because every list of a regulator asks for it."""
    lot_number: Mapped[str] = mapped_column(sa.String(40))
    lot_fold: Mapped[str] = mapped_column(sa.String(40), folded("lot_number"), deferred=True)
    """The number as it is looked for, however it is typed."""
    quantity: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3))
    unit: Mapped[str] = mapped_column(sa.String(10))
    started_on: Mapped[date]
    """Planting, slaughter, bloom or receipt: when the lot began."""
    produced_on: Mapped[date | None]
    """Harvest, extraction or packing: when it became goods. Needed to release it."""
    best_before: Mapped[date | None]
    status: Mapped[BatchStatus] = mapped_column(one_of(BatchStatus, "status"), default=BatchStatus.DRAFT)
    version: Mapped[int] = mapped_column(sa.BigInteger, default=1)
    """Goes up in the transaction of every change that the trace page shows, but for what stops it and its sources."""
    checked_on: Mapped[date | None] = mapped_column(index=True)
    """The day of the latest compliance check; None from a change that the rules look at until the next check."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    producer: Mapped[Organisation] = relationship()
    product: Mapped[Product] = relationship(foreign_keys=[product_id])
    site: Mapped[Site] = relationship(foreign_keys=[site_id])
    division: Mapped[Division] = relationship()
    revisions: Mapped[list[BatchRevision]] = relationship(back_populates="batch", order_by="BatchRevision.number")

    _recalled: Mapped[bool] = column_property(_is_in_recall(id, IN_FORCE))
    _held: Mapped[bool] = column_property(_is_in_recall(id, HOLDING))
    notices: Mapped[int] = column_property(notices_on(id), deferred=True)

    @hybrid_property
    def recalled(self) -> bool:
        """Whether a recall takes it back: one in force, or one that was carried out."""
        return self._recalled

    @recalled.inplace.expression
    @classmethod
    def _recalled_condition(cls) -> sa.ColumnElement[bool]:
        return in_recall(cls.id, IN_FORCE)

    @hybrid_property
    def held(self) -> bool:
        """Whether its sale is stopped for the time being."""
        return self._held

    @held.inplace.expression
    @classmethod
    def _held_condition(cls) -> sa.ColumnElement[bool]:
        return in_recall(cls.id, HOLDING)

    @property
    def stopped(self) -> bool:
        """Whether nothing of it may be sold, sent or used."""
        return self.recalled or self.held

    @property
    def is_over(self) -> bool:
        """Whether its best-before date is over."""
        return is_past(self.best_before)

    @property
    def state(self) -> BatchState:
        """The life cycle's state as people see it: a recall stands over a hold, and both over all others."""
        return "recalled" if self.recalled else "held" if self.held else self.status.value


class BatchRevision(Model):
    """The facts of a released batch as they stood from a moment on. Rows are only ever added."""

    __tablename__ = "batch_revisions"
    __table_args__ = (sa.UniqueConstraint("batch_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id", ondelete="RESTRICT"))
    number: Mapped[int]
    facts: Mapped[StoredJson] = mapped_column(sa.JSON)
    reason: Mapped[str] = mapped_column(sa.String(300))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    batch: Mapped[Batch] = relationship(back_populates="revisions")
    created_by: Mapped[User | None] = relationship()
