from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trace_app.db.base import UtcDateTime, utc_now
from trace_app.extensions import Model


class Document(Model):
    """A file that was handed in as it is: a test report, a certificate, a logger's readings. Never changed."""

    __tablename__ = "documents"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(32), unique=True)
    """Random, so that only who was given the address finds it."""
    file_name: Mapped[str] = mapped_column(sa.String(120))
    """The file's name where it came from."""
    kind: Mapped[str] = mapped_column(sa.String(10))
    """Its ending: pdf, csv, xlsx."""
    bytes: Mapped[int]
    sha256: Mapped[str] = mapped_column(sa.String(64))
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    @property
    def key(self) -> str:
        return f"documents/{self.name[:2]}/{self.name}.{self.kind}"


class Photo(Model):
    """A cleaned picture and its thumbnail in the media store."""

    __tablename__ = "photos"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(32), unique=True)
    """Random: the photo's part in its web address and its keys in the store."""
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    width: Mapped[int]
    height: Mapped[int]
    sha256: Mapped[str] = mapped_column(sa.String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))

    @property
    def key(self) -> str:
        return f"photos/{self.name[:2]}/{self.name}.webp"

    @property
    def thumbnail_key(self) -> str:
        return f"photos/{self.name[:2]}/{self.name}-small.webp"
