from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import Organisation, User
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Site
from trace_app.db.base import MANY, UtcDateTime, one_of, utc_now
from trace_app.extensions import Model
from trace_app.media.models import Document


class TestSubject(enum.StrEnum):
    PRODUCT = "product"
    SOIL = "soil"
    WATER = "water"

    __test__ = False


class TestKind(enum.StrEnum):
    SUPERVISION = "supervision"
    """Sampled by an authority (监督抽检)."""
    COMMISSIONED = "commissioned"
    OWN = "own"

    __test__ = False


class Verdict(enum.StrEnum):
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    OPEN = "open"
    """No limit in force, or the result can't be compared with it."""


class TestReport(Model):
    """A laboratory's report on a lot, or on a site's soil or water. A correction is a new report that names the old."""

    __tablename__ = "test_reports"
    __table_args__ = (
        sa.CheckConstraint("(batch_id IS NULL) = (site_id IS NOT NULL)", "place"),
        sa.Index(
            "ix_test_reports_report_number", "report_number", postgresql_ops={"report_number": "text_pattern_ops"}
        ),
        sa.CheckConstraint("issued_on >= sampled_on", "days"),
        sa.CheckConstraint("report_number != '' AND laboratory != ''", "named"),
        sa.CheckConstraint(
            "replaces_id IS NULL OR (correction_reason != '' AND replaces_id != id)",
            "correction",
        ),
    )
    __test__ = False

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[TestKind | None] = mapped_column(one_of(TestKind, "kind"))
    """None of old reports, which don't say."""
    subject: Mapped[TestSubject] = mapped_column(one_of(TestSubject, "subject"))
    batch_id: Mapped[int | None] = mapped_column(sa.ForeignKey("batches.id"), index=True)
    site_id: Mapped[int | None] = mapped_column(sa.ForeignKey("sites.id"), index=True)
    report_number: Mapped[str] = mapped_column(sa.String(60))
    laboratory: Mapped[str] = mapped_column(sa.String(100))
    """Its name: of a laboratory on the platform the one that it has there, else as the producer typed it."""
    laboratory_id: Mapped[int | None] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    """The laboratory on the platform that the report is from, or is said to be from."""
    report_key: Mapped[str | None] = mapped_column(sa.String(220), unique=True)
    """Laboratory and number, folded: a laboratory's report is entered once. None of a correction that keeps both, and
    of old reports that had been entered twice.
    """
    cma_number: Mapped[str] = mapped_column(sa.String(20), default="")
    """China Metrology Accreditation (检验检测机构资质认定) number, on the report's head."""
    sample_number: Mapped[str] = mapped_column(sa.String(40), default="", server_default="")
    sample: Mapped[str] = mapped_column(sa.String(100), default="")
    """The sample's state; of old reports its number too."""
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
    entered_for: Mapped[Organisation] = relationship(foreign_keys=[entered_for_id], lazy="joined")
    answer: Mapped[LaboratoryAnswer | None] = relationship(back_populates="report", uselist=False, lazy="joined")
    replaces: Mapped[TestReport | None] = relationship(remote_side=[id], back_populates="replaced_by")
    replaced_by: Mapped[TestReport | None] = relationship(back_populates="replaces", uselist=False)
    results: Mapped[list[TestResult]] = relationship(
        back_populates="report", order_by="TestResult.id", lazy="selectin", cascade="all, delete-orphan"
    )

    @property
    def by_laboratory(self) -> bool:
        """Whether the laboratory itself entered it."""
        return self.laboratory_id == self.entered_for_id

    @property
    def unanswered(self) -> bool:
        """Whether a laboratory on the platform has yet to say that a report under its name is its own."""
        return self.laboratory_id is not None and not self.by_laboratory and self.answer is None

    @property
    def denied(self) -> bool:
        """Whether the laboratory under whose name it was entered says that it is not its own."""
        return self.answer is not None and not self.answer.confirmed

    @property
    def vouched_for(self) -> bool:
        """Whether it may carry its laboratory's name: none on the platform has denied it, or has yet to say."""
        return not (self.unanswered or self.denied)


class LaboratoryAnswer(Model):
    """A laboratory's word on a report that a producer entered under its name: that it is its own, or is not."""

    __tablename__ = "laboratory_answers"

    report_id: Mapped[int] = mapped_column(sa.ForeignKey("test_reports.id"), primary_key=True, autoincrement=False)
    confirmed: Mapped[bool]
    answered_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    answered_by_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))

    report: Mapped[TestReport] = relationship(back_populates="answer")


class TestOrder(Model):
    """A producer's order of a test: by it the laboratory gets at the lot."""

    __tablename__ = "test_orders"
    __table_args__ = (sa.UniqueConstraint("laboratory_id", "sample_number"),)
    __test__ = False

    id: Mapped[int] = mapped_column(primary_key=True)
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"), index=True)
    laboratory_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    kind: Mapped[TestKind] = mapped_column(one_of(TestKind, "kind"))
    sample_number: Mapped[str] = mapped_column(sa.String(40))
    items: Mapped[str] = mapped_column(sa.String(300), default="")
    """What is to be tested, in the producer's words."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))

    batch: Mapped[Batch] = relationship()
    laboratory: Mapped[Organisation] = relationship()


class TestResult(Model):
    """What was found of one analyte, and the limit it was held against."""

    __tablename__ = "test_results"
    __table_args__ = (
        sa.CheckConstraint("NOT detected OR value IS NOT NULL", "detected"),
        sa.CheckConstraint("analyte != '' AND unit != ''", "named"),
    )
    __test__ = False

    id: Mapped[int] = mapped_column(MANY, primary_key=True)
    report_id: Mapped[int] = mapped_column(sa.ForeignKey("test_reports.id", ondelete="RESTRICT"), index=True)
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

    @property
    def undecided(self) -> bool:
        """Whether there is a limit that the result can't be held against: the method is too coarse, or the units can't
        be compared. Then it shows nothing of the lot."""
        return self.verdict is Verdict.OPEN and bool(self.limit_op)
