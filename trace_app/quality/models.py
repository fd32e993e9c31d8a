from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import Organisation, User
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product, Site
from trace_app.db.base import UtcDateTime, one_of, utc_now
from trace_app.extensions import Model
from trace_app.labels.models import LabelRun
from trace_app.media.models import Document


class ProhibitedSubstance(Model):
    """An active ingredient whose use is prohibited, or restricted to other crops, from a day on."""

    __tablename__ = "prohibited_substances"
    __table_args__ = (sa.UniqueConstraint("input_type", "name", "scope", "effective_from"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    input_type: Mapped[str] = mapped_column(sa.String(20))
    """``pesticide`` or ``veterinary``."""
    name: Mapped[str] = mapped_column(sa.String(60))
    name_en: Mapped[str] = mapped_column(sa.String(80), default="")
    cas: Mapped[str] = mapped_column(sa.String(12), default="")
    scope: Mapped[str] = mapped_column(sa.String(100), default="")
    """Groups of crops, apart by semicolons; empty for all."""
    except_method: Mapped[str] = mapped_column(sa.String(30), default="")
    """A way of application that stays allowed."""
    effective_from: Mapped[date]
    notice: Mapped[str] = mapped_column(sa.String(80))


class Limit(Model):
    """How much of an analyte a kind may, or must, have, for as long as its standard is in force."""

    __tablename__ = "limits"
    __table_args__ = (
        sa.UniqueConstraint("kind_code", "analyte", "valid_from"),
        sa.CheckConstraint("valid_until IS NULL OR valid_until >= valid_from", "valid"),
        sa.CheckConstraint("(op = 'not_detected') = (value IS NULL)", "value"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind_code: Mapped[str] = mapped_column(sa.ForeignKey("product_kinds.code"))
    analyte: Mapped[str] = mapped_column(sa.String(60))
    analyte_en: Mapped[str] = mapped_column(sa.String(80), default="")
    op: Mapped[str] = mapped_column(sa.String(12))
    """``<=``, ``>=`` or ``not_detected``."""
    value: Mapped[Decimal | None] = mapped_column(sa.Numeric(14, 6))
    unit: Mapped[str] = mapped_column(sa.String(20))
    standard: Mapped[str] = mapped_column(sa.String(80))
    confidence: Mapped[str] = mapped_column(sa.String(10), default="")
    """How sure it is that the row says what the standard says: high, medium, low."""
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]


class GiArea(Model):
    """A division of which a kind may carry the geographical indication, for a period."""

    __tablename__ = "gi_areas"
    __table_args__ = (sa.UniqueConstraint("kind_code", "division_code", "valid_from"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind_code: Mapped[str] = mapped_column(sa.ForeignKey("product_kinds.code"))
    division_code: Mapped[str] = mapped_column(sa.String(9))
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    source: Mapped[str] = mapped_column(sa.String(80), default="")


class TestSubject(enum.StrEnum):
    PRODUCT = "product"
    SOIL = "soil"
    WATER = "water"

    __test__ = False


class Verdict(enum.StrEnum):
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    OPEN = "open"
    """No limit in force, or the result can't be compared with it."""


class TestReport(Model):
    """A laboratory's report on a lot, or on a site's soil or water. A correction is a new report that names the old."""

    __tablename__ = "test_reports"
    __table_args__ = (sa.CheckConstraint("(batch_id IS NULL) = (site_id IS NOT NULL)", "place"),)
    __test__ = False

    id: Mapped[int] = mapped_column(primary_key=True)
    subject: Mapped[TestSubject] = mapped_column(one_of(TestSubject, "subject"))
    batch_id: Mapped[int | None] = mapped_column(sa.ForeignKey("batches.id"), index=True)
    site_id: Mapped[int | None] = mapped_column(sa.ForeignKey("sites.id"), index=True)
    report_number: Mapped[str] = mapped_column(sa.String(60))
    laboratory: Mapped[str] = mapped_column(sa.String(100))
    cma_number: Mapped[str] = mapped_column(sa.String(20), default="")
    """China Metrology Accreditation (检验检测机构资质认定) number, on the report's head."""
    sample: Mapped[str] = mapped_column(sa.String(100), default="")
    """The sample's number and state."""
    sampled_on: Mapped[date]
    issued_on: Mapped[date]
    verdict: Mapped[Verdict] = mapped_column(one_of(Verdict, "verdict"))
    """Ours, from the results and the limits in force on the day of sampling."""
    document_id: Mapped[int | None] = mapped_column(sa.ForeignKey("documents.id"))
    replaces_id: Mapped[int | None] = mapped_column(sa.ForeignKey("test_reports.id"), unique=True)
    correction_reason: Mapped[str] = mapped_column(sa.String(300), default="")
    entered_by_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    entered_for_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    """The producer, or the laboratory itself."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    batch: Mapped[Batch | None] = relationship()
    site: Mapped[Site | None] = relationship()
    document: Mapped[Document | None] = relationship(lazy="joined")
    entered_by: Mapped[User] = relationship()
    entered_for: Mapped[Organisation] = relationship(lazy="joined")
    replaces: Mapped[TestReport | None] = relationship(remote_side=[id], back_populates="replaced_by")
    replaced_by: Mapped[TestReport | None] = relationship(back_populates="replaces", uselist=False)
    results: Mapped[list[TestResult]] = relationship(
        back_populates="report", order_by="TestResult.id", lazy="selectin", cascade="all, delete-orphan"
    )


class TestResult(Model):
    """What was found of one analyte, and the limit it was held against."""

    __tablename__ = "test_results"
    __test__ = False

    id: Mapped[int] = mapped_column(primary_key=True)
    report_id: Mapped[int] = mapped_column(sa.ForeignKey("test_reports.id", ondelete="CASCADE"), index=True)
    analyte: Mapped[str] = mapped_column(sa.String(60))
    analyte_en: Mapped[str] = mapped_column(sa.String(80), default="")
    method: Mapped[str] = mapped_column(sa.String(60), default="")
    detected: Mapped[bool]
    value: Mapped[Decimal | None] = mapped_column(sa.Numeric(18, 6))
    """What was measured; where nothing was detected, the limit of detection if it is known."""
    unit: Mapped[str] = mapped_column(sa.String(20))
    limit_op: Mapped[str] = mapped_column(sa.String(12), default="")
    limit_value: Mapped[Decimal | None] = mapped_column(sa.Numeric(14, 6))
    limit_unit: Mapped[str] = mapped_column(sa.String(20), default="")
    limit_standard: Mapped[str] = mapped_column(sa.String(80), default="")
    verdict: Mapped[Verdict] = mapped_column(one_of(Verdict, "verdict"))

    report: Mapped[TestReport] = relationship(back_populates="results")


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
        sa.CheckConstraint("valid_until >= valid_from", "valid"),
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
    product: Mapped[Product | None] = relationship()
    document: Mapped[Document | None] = relationship(lazy="joined")

    def valid_on(self, day: date) -> bool:
        return self.withdrawn_at is None and self.valid_from <= day <= self.valid_until


class CommitmentCertificate(Model):
    """A commitment certificate of compliance (承诺达标合格证) that goes with a lot or a part of it. Kept for good.

    Agricultural Product Quality and Safety Law (2022), article 39.
    """

    __tablename__ = "commitment_certificates"
    __table_args__ = (sa.CheckConstraint("quantity > 0", "quantity"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(sa.String(30), unique=True)
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"), index=True)
    quantity: Mapped[Decimal] = mapped_column(sa.Numeric(14, 3))
    unit: Mapped[str] = mapped_column(sa.String(10))
    consignee: Mapped[str] = mapped_column(sa.String(100), default="")
    bases: Mapped[list[str]] = mapped_column(sa.JSON)
    """On what the commitment rests: commissioned_test, own_test, own_control, own_word."""
    issued_on: Mapped[date]
    facts: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    """What is printed, as it stood on the day."""
    run_id: Mapped[int] = mapped_column(sa.ForeignKey("label_runs.id"))
    """Of which the printed code is."""
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_reason: Mapped[str] = mapped_column(sa.String(300), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))

    batch: Mapped[Batch] = relationship()
    run: Mapped[LabelRun] = relationship()
