from __future__ import annotations

from datetime import date
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trace_app.extensions import Model


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
