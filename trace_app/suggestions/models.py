from __future__ import annotations

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.accounts.models import Organisation, User
from trace_app.db.base import UtcDateTime, one_of, utc_now
from trace_app.extensions import Model
from trace_app.media.models import Document


class SharedCatalogue(enum.StrEnum):
    """What all counties share and the city keeps. Reference tables have their own names."""

    INPUTS = "inputs"
    KINDS = "kinds"
    PROHIBITED = "prohibited"
    LIMITS = "limits"
    GI_AREAS = "gi_areas"
    HOLIDAYS = "holidays"
    COMMITMENT_RULES = "commitment_rules"


class Suggestion(Model):
    """A change that a county's officer would have the city make. Rows are added, answered once, and stay."""

    __tablename__ = "suggestions"
    __table_args__ = (
        sa.CheckConstraint(
            "(answered_at IS NULL) = (accepted IS NULL) AND (answered_at IS NULL) = (answered_by_id IS NULL)"
            " AND (answered_at IS NULL) = (answer IS NULL)",
            "answer_whole",
        ),
        sa.CheckConstraint("accepted IS NULL OR accepted OR answer != ''", "refusal_has_reason"),
        sa.CheckConstraint("content != '' AND basis != ''", "says_what_and_why"),
        sa.Index("ix_suggestions_organisation_id", "organisation_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"))
    catalogue: Mapped[SharedCatalogue] = mapped_column(one_of(SharedCatalogue, "catalogue"))
    content: Mapped[str] = mapped_column(sa.String(1000))
    basis: Mapped[str] = mapped_column(sa.String(300))
    """The standard, notice or label that it rests on."""
    document_id: Mapped[int | None] = mapped_column(sa.ForeignKey("documents.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    accepted: Mapped[bool | None]
    """Whether the city has done it or refuses it; None while it waits."""
    answer: Mapped[str | None] = mapped_column(sa.String(500))
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answered_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    organisation: Mapped[Organisation] = relationship()
    document: Mapped[Document | None] = relationship()
    created_by: Mapped[User] = relationship(foreign_keys=[created_by_id])
    answered_by: Mapped[User | None] = relationship(foreign_keys=[answered_by_id])
