from __future__ import annotations

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.db.base import UtcDateTime, one_of, utc_now
from trace_app.extensions import Model
from trace_app.media.models import Document
from trace_app.values import StoredJson


class ImportStatus(enum.StrEnum):
    CHECKED = "checked"
    WAITING = "waiting"
    """Confirmed, and not taken in yet."""
    DONE = "done"


class Import(Model):
    """An uploaded table that was looked through, and perhaps taken in."""

    __tablename__ = "imports"
    __table_args__ = (
        sa.Index("ix_imports_organisation_id_created_at", "organisation_id", "created_at"),
        sa.CheckConstraint(
            "rows >= 0 AND good BETWEEN 0 AND rows AND taken BETWEEN 0 AND rows AND problem_count >= 0", "counts"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id", "document_id"],
            ["documents.organisation_id", "documents.id"],
            name="fk_imports_own_document",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    what: Mapped[str] = mapped_column(sa.String(30))
    """The code of a kind, for its records; ``inputs``, ``orders`` or ``households``."""
    document_id: Mapped[int] = mapped_column(sa.ForeignKey("documents.id"))
    status: Mapped[ImportStatus] = mapped_column(one_of(ImportStatus, "status"), default=ImportStatus.CHECKED)
    rows: Mapped[int]
    """How many rows have something in them, examples left out."""
    good: Mapped[int]
    """Rows that can be taken in."""
    problems: Mapped[list[StoredJson]] = mapped_column(sa.JSON)
    """Sheet, row, column, content and message of each; the first thousand. Those with ``became`` tell what a
    number became that was written in another unit: they are no problems, and not counted."""
    problem_count: Mapped[int]
    taken: Mapped[int] = mapped_column(default=0)
    """Rows that were taken in."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    claimed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a worker took it up."""
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    document: Mapped[Document] = relationship(foreign_keys=[document_id])

    @property
    def faults(self) -> list[StoredJson]:
        return [told for told in self.problems if not told.get("became")]

    @property
    def became(self) -> list[StoredJson]:
        return [told for told in self.problems if told.get("became")]
