from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import Organisation
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product
from trace_app.certificates.samples import Sample
from trace_app.db.base import UtcDateTime, one_of, utc_now
from trace_app.extensions import Model
from trace_app.folding import folded
from trace_app.labels.models import LabelRun
from trace_app.media.models import Document, Photo
from trace_app.values import StoredJson


class CertificateType(enum.StrEnum):
    GREEN_FOOD = "green_food"
    ORGANIC = "organic"
    GI = "gi"
    FAMOUS = "famous"
    GAP = "gap"
    HACCP = "haccp"
    ISO22000 = "iso22000"
    FOOD_LICENCE = "food_licence"
    OTHER = "other"


class Certificate(Model):
    """A certificate that a producer holds, for all of its products or for one."""

    __tablename__ = "certificates"
    __table_args__ = (
        sa.UniqueConstraint("producer_id", "type", "number"),
        sa.Index("ix_certificates_producer_id_valid_until", "producer_id", "valid_until"),
        sa.Index("ix_certificates_producer_id_number", "producer_id", "number"),
        sa.CheckConstraint("valid_until >= valid_from", "valid"),
        sa.CheckConstraint("number != '' AND issuer != ''", "numbered"),
        sa.UniqueConstraint("producer_id", "id"),
        sa.ForeignKeyConstraint(
            ["producer_id", "product_id"], ["products.producer_id", "products.id"], name="fk_certificates_own_product"
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    producer_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    product_id: Mapped[int | None] = mapped_column(sa.ForeignKey("products.id"))
    type: Mapped[CertificateType] = mapped_column(one_of(CertificateType, "type"))
    number: Mapped[str] = mapped_column(sa.String(60))
    issuer: Mapped[str] = mapped_column(sa.String(100))
    valid_from: Mapped[date]
    valid_until: Mapped[date] = mapped_column(index=True)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Taken back by its holder, after a mistake or a revocation."""
    checked_on: Mapped[date | None] = mapped_column(index=True)
    """The day of the latest look at its expiry; None from a change until the next."""
    document_id: Mapped[int | None] = mapped_column(sa.ForeignKey("documents.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    producer: Mapped[Organisation] = relationship()
    product: Mapped[Product | None] = relationship(foreign_keys=[product_id])
    document: Mapped[Document | None] = relationship(lazy="joined")

    def valid_on(self, day: date) -> bool:
        return self.withdrawn_at is None and self.valid_from <= day <= self.valid_until


class CommitmentCertificate(Model):
    """A commitment certificate of compliance (承诺达标合格证) that goes with a lot or a part of it. Kept for good.

    Agricultural Product Quality and Safety Law (2022), article 39. What it says, and in which words, stays as it was on
    the day of its issue: nothing of it changes but that it is withdrawn, once.
    """

    __tablename__ = "commitment_certificates"
    __table_args__ = (
        sa.CheckConstraint("quantity > 0", "quantity"),
        sa.CheckConstraint('"index" >= 0', "index"),
        sa.UniqueConstraint("run_id", "index"),
        sa.Index(
            "uq_commitment_certificates_whole_lot",
            "batch_id",
            "issuer_id",
            unique=True,
            sqlite_where=sa.text("per_batch AND withdrawn_at IS NULL"),
            postgresql_where=sa.text("per_batch AND withdrawn_at IS NULL"),
        ),
        sa.Index(
            "ix_commitment_certificates_number_fold", "number_fold", postgresql_ops={"number_fold": "text_pattern_ops"}
        ),
        sa.CheckConstraint("withdrawn_at IS NULL OR withdrawn_reason != ''", "withdrawn"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(sa.String(30), unique=True)
    number_fold: Mapped[str] = mapped_column(sa.String(30), folded("number"), deferred=True)
    """The number as it is looked for, see `trace_app.folding.fold`."""
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"), index=True)
    issuer_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    """Who commits itself: the lot's producer, or a buyer of some of it."""
    per_batch: Mapped[bool]
    """Whether it is the one of a whole production batch, of which one is in force."""
    quantity: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3))
    unit: Mapped[str] = mapped_column(sa.String(10))
    consignee: Mapped[str] = mapped_column(sa.String(100), default="")
    bases: Mapped[list[str]] = mapped_column(sa.JSON)
    """What the commitment rests on: some of the bases of its sample."""
    issued_on: Mapped[date]
    sample: Mapped[StoredJson] = mapped_column(sa.JSON)
    """A copy of the sample of the day, see `wording`."""
    facts: Mapped[StoredJson] = mapped_column(sa.JSON)
    """What is printed, as it stood on the day."""
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("label_runs.id"))
    """The label run that the printed code belongs to."""
    index: Mapped[int]
    """The printed code's index in it: 0 where a certificate had a run of its own."""
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_reason: Mapped[str] = mapped_column(sa.String(300), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))

    batch: Mapped[Batch] = relationship()
    issuer: Mapped[Organisation] = relationship()
    run: Mapped[LabelRun] = relationship()

    @property
    def wording(self) -> Sample:
        """The words that it was issued with."""
        return Sample.model_validate(self.sample)

    @property
    def bases_read(self) -> list[str]:
        """What it rests on, in its own words and the reader's language."""
        return list(map(self.wording.base_words, self.bases))


class CommitmentRun(Model):
    """The label run whose codes an issuer's commitment certificates of a year have: one, and a further one after a new
    key or a million certificates.
    """

    __tablename__ = "commitment_runs"

    producer_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    key_number: Mapped[int] = mapped_column(sa.ForeignKey("label_keys.number"), primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("label_runs.id"), unique=True)

    run: Mapped[LabelRun] = relationship()


class CollectedCommitment(Model):
    """That who was sent goods keeps the commitment certificate that came with them. Rows are only ever added."""

    __tablename__ = "collected_commitments"
    __table_args__ = (
        sa.UniqueConstraint("line_id", "number"),
        sa.CheckConstraint("number != '' AND issuer != ''", "named"),
        sa.CheckConstraint("(commitment_id IS NULL) = (photo_id IS NOT NULL)", "seen"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    line_id: Mapped[int] = mapped_column(sa.ForeignKey("shipment_lines.id"))
    commitment_id: Mapped[int | None] = mapped_column(sa.ForeignKey("commitment_certificates.id"), index=True)
    """The certificate, where it was issued on the platform."""
    number: Mapped[str] = mapped_column(sa.String(60))
    issuer: Mapped[str] = mapped_column(sa.String(100))
    issued_on: Mapped[date]
    photo_id: Mapped[int | None] = mapped_column(sa.ForeignKey("photos.id"))
    """A picture of one that was made elsewhere."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))

    commitment: Mapped[CommitmentCertificate | None] = relationship()
    photo: Mapped[Photo | None] = relationship()

    @property
    def withdrawn(self) -> bool:
        """Whether who issued it on the platform took it back."""
        return self.commitment is not None and self.commitment.withdrawn_at is not None
