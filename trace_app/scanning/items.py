"""Single labels as the scan log knows them."""

from __future__ import annotations

from trace_app.extensions import db
from trace_app.scanning.models import ScanItem


def scanned_item(run_id: int, index: int) -> ScanItem | None:
    """First and last scan of a label and how often it was scanned, None before the first."""
    return db.session.get(ScanItem, (run_id, index))
