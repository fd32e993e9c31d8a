from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import Organisation, User
from trace_app.db.base import UtcDateTime, one_of, utc_now
from trace_app.extensions import Model


class ProhibitedSubstance(Model):
    """An active ingredient whose use is prohibited, or restricted to other crops, from a day on."""

    __tablename__ = "prohibited_substances"
    __table_args__ = (
        sa.UniqueConstraint("input_type", "name", "scope", "effective_from"),
        sa.CheckConstraint("input_type IN ('pesticide', 'veterinary')", "input_type"),
    )

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
        sa.CheckConstraint("op IN ('<=', '>=', 'not_detected')", "op"),
        sa.CheckConstraint("confidence IN ('', 'high', 'medium', 'low')", "confidence"),
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
    __table_args__ = (
        sa.UniqueConstraint("kind_code", "division_code", "valid_from"),
        sa.CheckConstraint("valid_until IS NULL OR valid_until >= valid_from", "valid"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind_code: Mapped[str] = mapped_column(sa.ForeignKey("product_kinds.code"))
    division_code: Mapped[str] = mapped_column(sa.String(9))
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    source: Mapped[str] = mapped_column(sa.String(80), default="")


class CommitmentSubject(enum.StrEnum):
    """Who issues a commitment certificate, in the words of the rules."""

    ENTERPRISE = "企业"
    COOPERATIVE = "农民专业合作社"
    HOUSEHOLD = "农户"
    BUYER = "收购者"


class CommitmentRule(Model):
    """What the rule of some days has a commitment certificate (承诺达标合格证) say, for one sort of who issues it.

    Words stand here as they are printed; those of several promises are apart by a bar. A basis without words is none.
    """

    __tablename__ = "commitment_rules"
    __table_args__ = (
        sa.UniqueConstraint("sample", "valid_from"),
        sa.CheckConstraint("sample IN ('producer', 'buyer')", "sample"),
        sa.CheckConstraint("valid_until IS NULL OR valid_until >= valid_from", "valid"),
        sa.CheckConstraint("opening != '' AND promises != '' AND source != ''", "words"),
        sa.CheckConstraint("own_control != '' OR own_test != '' OR commissioned_test != '' OR own_word != ''", "bases"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    sample: Mapped[str] = mapped_column(sa.String(10))
    """``producer``, or ``buyer``, who sells what others made."""
    valid_from: Mapped[date]
    valid_until: Mapped[date | None]
    opening: Mapped[str] = mapped_column(sa.String(60))
    opening_en: Mapped[str] = mapped_column(sa.String(120), default="")
    promises: Mapped[str] = mapped_column(sa.String(300))
    promises_en: Mapped[str] = mapped_column(sa.String(500), default="")
    own_control: Mapped[str] = mapped_column(sa.String(30), default="")
    own_control_en: Mapped[str] = mapped_column(sa.String(60), default="")
    own_test: Mapped[str] = mapped_column(sa.String(30), default="")
    own_test_en: Mapped[str] = mapped_column(sa.String(60), default="")
    commissioned_test: Mapped[str] = mapped_column(sa.String(30), default="")
    commissioned_test_en: Mapped[str] = mapped_column(sa.String(60), default="")
    own_word: Mapped[str] = mapped_column(sa.String(30), default="")
    own_word_en: Mapped[str] = mapped_column(sa.String(60), default="")
    subject_word: Mapped[str] = mapped_column(sa.String(20))
    """What who commits itself is called."""
    code_words: Mapped[str] = mapped_column(sa.String(30))
    """The words beside the code of the paper."""
    label_words: Mapped[str] = mapped_column(sa.String(20), default="")
    """The words beside the code of a label that is the certificate as well; empty where none may be."""
    per_batch: Mapped[str] = mapped_column(sa.String(60), default="")
    """Who has to issue one for each production batch, in the names of `CommitmentSubject`; empty where nobody has."""
    source: Mapped[str] = mapped_column(sa.String(120))
    confidence: Mapped[str] = mapped_column(sa.String(60), default="")
    """How sure it is that the row says what the rule says, in plain words."""


class CheckedAgainst(enum.StrEnum):
    ORIGINAL = "original"
    SUMMARY = "summary"


class ReferenceCheck(Model):
    """That an officer held a reference table against its source, or that its rows were replaced. Never changed."""

    __tablename__ = "reference_checks"
    __table_args__ = (
        sa.CheckConstraint("replaced OR (against IS NOT NULL AND source != '')", "checked"),
        sa.Index("ix_reference_checks_table_name", "table_name", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    table_name: Mapped[str] = mapped_column(sa.String(30))
    replaced: Mapped[bool]
    """Whether the rows were replaced; else they were checked."""
    against: Mapped[CheckedAgainst | None] = mapped_column(one_of(CheckedAgainst, "against"))
    source: Mapped[str] = mapped_column(sa.String(200), default="")
    """What it was held against."""
    note: Mapped[str] = mapped_column(sa.String(300), default="")
    authority_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))

    authority: Mapped[Organisation] = relationship()
    created_by: Mapped[User] = relationship()
