from __future__ import annotations

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qr.codes import MAX_INDEX, MAX_RUN
from trace_app.accounts.models import Organisation, User
from trace_app.batches.models import Batch
from trace_app.db.base import MANY, UtcDateTime, one_of, utc_now
from trace_app.extensions import Model
from trace_app.values import StoredJson


class LabelLevel(enum.StrEnum):
    """What a label stands on."""

    BATCH = "batch"
    """One code on all labels."""
    ITEM = "item"
    CASE = "case"
    PALLET = "pallet"
    DOCUMENT = "document"
    """A paper, such as a commitment certificate. Which lot it goes with, says the paper's own row."""


class PrintStatus(enum.StrEnum):
    WAITING = "waiting"
    WORKING = "working"
    READY = "ready"
    FAILED = "failed"
    CANCELLED = "cancelled"


class LabelKey(Model):
    """A label key by number, known by its fingerprint only: notices a lost or exchanged key file."""

    __tablename__ = "label_keys"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    fingerprint: Mapped[str] = mapped_column(sa.String(19))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)


class LabelLayout(Model):
    """A layout that a producer has made for its own printer and paper."""

    __tablename__ = "label_layouts"
    __table_args__ = (sa.UniqueConstraint("producer_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    producer_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    name: Mapped[str] = mapped_column(sa.String(40))
    plain: Mapped[StoredJson] = mapped_column(sa.JSON)
    """The layout as `qr.layout.Layout.plain` gives it."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    producer: Mapped[Organisation] = relationship()


class LabelRun(Model):
    """The codes of labels made in one go; a label itself has no row.

    Codes carry key and run number. The row's id is what other tables refer to, the scan log too.
    """

    __tablename__ = "label_runs"
    __table_args__ = (
        sa.CheckConstraint(f"count BETWEEN 1 AND {MAX_INDEX + 1}", "count"),
        sa.CheckConstraint(f"run_number BETWEEN 0 AND {MAX_RUN}", "run_number"),
        sa.CheckConstraint("level != 'batch' OR count = 1", "one_code_for_a_batch"),
        sa.CheckConstraint("(level = 'document') = (batch_id IS NULL)", "lot"),
        sa.UniqueConstraint("key_number", "run_number"),
        sa.Index("ix_label_runs_sscc", "sscc_stem", "sscc_first"),
        sa.Index("ix_label_runs_batch_id", "batch_id", "count"),
        sa.CheckConstraint(
            "(sscc_stem IS NULL) = (sscc_first IS NULL) AND (sscc_first IS NULL OR sscc_first >= 0)", "sscc"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"), nullable=True)
    """None of a run of documents alone, each of which has a lot of its own. Nothing that prints, packs or lists the
    labels of lots is given such a run.
    """
    key_number: Mapped[int] = mapped_column(sa.ForeignKey("label_keys.number"))
    run_number: Mapped[int]
    """The run in its codes: each key has numbers of its own."""
    level: Mapped[LabelLevel] = mapped_column(one_of(LabelLevel, "level"), default=LabelLevel.ITEM)
    count: Mapped[int]
    """Codes, not sheets of paper: one for a run of batch labels."""
    has_pin: Mapped[bool] = mapped_column(default=False)
    """Whether its labels carry a PIN under scratch film, which the trace page then asks for."""
    link: Mapped[str] = mapped_column(sa.String(120), default="")
    """The path before the code or SSCC in GS1 Digital Link symbols; empty for a plain code."""
    sscc_stem: Mapped[str | None] = mapped_column(sa.String(13))
    """Extension digit and company prefix of its containers' SSCCs, where they have any."""
    sscc_first: Mapped[int | None] = mapped_column(sa.BigInteger)
    """The serial reference of index 0."""
    voided: Mapped[str] = mapped_column(sa.Text, default="")
    """Indices that are void, as ``3-7 20-20``: what each scan must know, kept in the row that each scan reads."""
    excess_reason: Mapped[str] = mapped_column(sa.String(300), default="", server_default="")
    """Why there are more labels than the lot has goods for, where there are."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    batch: Mapped[Batch] = relationship()
    created_by: Mapped[User | None] = relationship()
    jobs: Mapped[list[PrintJob]] = relationship(back_populates="run", order_by="PrintJob.id")
    voids: Mapped[list[VoidedLabels]] = relationship(back_populates="run", order_by="VoidedLabels.id")


class VoidedLabels(Model):
    """A range of spoiled labels, taken out of use. Rows are only ever added."""

    __tablename__ = "voided_labels"
    __table_args__ = (sa.CheckConstraint("first >= 0 AND last >= first", "range"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("label_runs.id"), index=True)
    first: Mapped[int]
    last: Mapped[int]
    reason: Mapped[str] = mapped_column(sa.String(300))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    run: Mapped[LabelRun] = relationship(back_populates="voids")
    created_by: Mapped[User | None] = relationship()


class PrintJob(Model):
    """Making the files of a range of a run: at first of all its labels, later of those that are printed again."""

    __tablename__ = "print_jobs"
    __table_args__ = (
        sa.CheckConstraint("first >= 0 AND count > 0", "range"),
        sa.CheckConstraint("per_volume > 0", "per_volume"),
        sa.CheckConstraint("items_each > 0", "items_each"),
        sa.Index("ix_print_jobs_status", "status", "alive_at"),
        sa.CheckConstraint("done BETWEEN 0 AND count", "done"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("label_runs.id"), index=True)
    first: Mapped[int]
    """Index of the first label."""
    count: Mapped[int]
    """Labels to print; of a batch run, copies."""
    format: Mapped[str] = mapped_column(sa.String(10))
    layout_name: Mapped[str] = mapped_column(sa.String(60))
    layout: Mapped[StoredJson] = mapped_column(sa.JSON)
    """The layout as it was when the labels were asked for."""
    per_volume: Mapped[int]
    items_each: Mapped[int | None]
    """Single items in each case or on each pallet, as its labels say; None where nobody said."""
    as_certificate: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """Whether the labels are the lot's commitment certificate as well, and say so."""
    reason: Mapped[str] = mapped_column(sa.String(300), default="")
    """Why labels are printed again."""
    status: Mapped[PrintStatus] = mapped_column(one_of(PrintStatus, "status"), default=PrintStatus.WAITING)
    failure: Mapped[str] = mapped_column(sa.String(300), default="")
    done: Mapped[int] = mapped_column(default=0)
    """Labels written so far."""
    worker: Mapped[str] = mapped_column(sa.String(16), default="")
    """Who writes it. Another one takes it over where the last sign of life is too old."""
    alive_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    started_with: Mapped[int] = mapped_column(default=0)
    """Labels that were there when the present worker began."""
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    run: Mapped[LabelRun] = relationship(back_populates="jobs")
    created_by: Mapped[User | None] = relationship()
    volumes: Mapped[list[PrintVolume]] = relationship(
        back_populates="job", order_by="PrintVolume.number", cascade="all, delete-orphan"
    )

    @property
    def volume_count(self) -> int:
        return -(-self.count // self.per_volume)


class PrintVolume(Model):
    """A finished file of a print job."""

    __tablename__ = "print_volumes"
    __table_args__ = (
        sa.UniqueConstraint("job_id", "number"),
        sa.CheckConstraint("number > 0 AND first >= 0 AND count > 0 AND file_bytes > 0", "range"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(sa.ForeignKey("print_jobs.id", ondelete="CASCADE"))
    number: Mapped[int]
    """The volume's number, from 1 on."""
    first: Mapped[int]
    count: Mapped[int]
    file_key: Mapped[str] = mapped_column(sa.String(200))
    file_bytes: Mapped[int] = mapped_column(sa.BigInteger)

    job: Mapped[PrintJob] = relationship(back_populates="volumes")


class PinCheck(Model):
    """How often the PIN of a label was asked for. There is a row from the first time on."""

    __tablename__ = "pin_checks"
    __table_args__ = (sa.CheckConstraint('"index" >= 0 AND "right" >= 0 AND wrong >= 0', "counts"),)

    run_id: Mapped[int] = mapped_column(sa.ForeignKey("label_runs.id"), primary_key=True)
    index: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    first_right_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    right: Mapped[int] = mapped_column(default=0)
    wrong: Mapped[int] = mapped_column(default=0)
    """How many wrong ones were tried since the last right one."""
    wrong_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Packing(Model):
    """A label's place in a case or on a pallet, from when to when (EPCIS aggregation)."""

    __tablename__ = "packings"
    __table_args__ = (
        sa.Index(
            "uq_packings_content",
            "run_id",
            "index",
            unique=True,
            sqlite_where=sa.text("unpacked_at IS NULL"),
            postgresql_where=sa.text("unpacked_at IS NULL"),
        ),
        sa.Index("ix_packings_container", "container_run_id", "container_index"),
        sa.CheckConstraint('"index" >= 0 AND container_index >= 0', "places"),
        sa.CheckConstraint("unpacked_at >= packed_at", "order"),
    )

    id: Mapped[int] = mapped_column(MANY, primary_key=True)
    container_run_id: Mapped[int] = mapped_column(sa.ForeignKey("label_runs.id"))
    container_index: Mapped[int]
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("label_runs.id"))
    index: Mapped[int]
    packed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    packed_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    unpacked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    unpacked_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    run: Mapped[LabelRun] = relationship(foreign_keys=[run_id])
