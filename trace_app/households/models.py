from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import Organisation, User
from trace_app.catalogue.models import Site
from trace_app.db.base import UtcDateTime, utc_now
from trace_app.extensions import Model


class Household(Model):
    """A household that delivers to a cooperative. Its name and telephone are for that and its authorities alone."""

    __tablename__ = "households"
    __table_args__ = (
        sa.UniqueConstraint("producer_id", "name", "village", "number"),
        sa.Index(
            "uq_households_number",
            "producer_id",
            "number",
            unique=True,
            sqlite_where=sa.text("number != ''"),
            postgresql_where=sa.text("number != ''"),
        ),
        sa.CheckConstraint("name != '' AND village != ''", "named"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    producer_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    number: Mapped[str] = mapped_column(sa.String(20), default="")
    """The cooperative's own number of it."""
    name: Mapped[str] = mapped_column(sa.String(40))
    """The name of its head."""
    village: Mapped[str] = mapped_column(sa.String(60))
    phone: Mapped[str] = mapped_column(sa.String(20), default="")
    note: Mapped[str] = mapped_column(sa.String(200), default="")
    left_on: Mapped[date | None]
    """The day from which it delivers no more."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    producer: Mapped[Organisation] = relationship()


class HouseholdConsent(Model):
    """A household's word on whether trace pages may name it; the latest one holds. Rows are only ever added."""

    __tablename__ = "household_consents"

    id: Mapped[int] = mapped_column(primary_key=True)
    household_id: Mapped[int] = mapped_column(sa.ForeignKey("households.id"), index=True)
    agreed: Mapped[bool]
    told_on: Mapped[date]
    """The day on which the household said so."""
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    noted_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    noted_by: Mapped[User | None] = relationship()


class SiteTenure(Model):
    """The day from which a household tills a plot, or the cooperative itself again; until the next such day. Rows are
    only ever added: of several for one day the latest holds."""

    __tablename__ = "site_tenures"
    __table_args__ = (sa.Index("ix_site_tenures_site_id_begins_on", "site_id", "begins_on"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[int] = mapped_column(sa.ForeignKey("sites.id"))
    household_id: Mapped[int | None] = mapped_column(sa.ForeignKey("households.id"), index=True)
    """None where it came back to the cooperative."""
    begins_on: Mapped[date]
    noted_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    noted_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    site: Mapped[Site] = relationship()
    household: Mapped[Household | None] = relationship()
