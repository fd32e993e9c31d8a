from __future__ import annotations

from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from trace_app.extensions import Model


class ScanDay(Model):
    """How many scans of a lot's labels there were on a day in Qujing, from one region. Nothing of who scanned is kept."""

    __tablename__ = "scan_days"

    batch_id: Mapped[int] = mapped_column(sa.ForeignKey("batches.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    region: Mapped[str] = mapped_column(sa.String(20), primary_key=True, default="")
    """A province or city; empty where it is not known."""
    scans: Mapped[int]
