"""The records of a lot as its trace page shows them: rows that are only read, for two thirds of what objects cost."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from trace_app.batches.models import Batch
from trace_app.catalogue.models import ProductKind
from trace_app.extensions import db
from trace_app.inputs.models import LabelUse, StockLot
from trace_app.media.models import Photo
from trace_app.records.coverage import records_covering
from trace_app.records.models import Record, RecordType, record_photos


class ShownPhoto(NamedTuple):
    name: str


class ShownRecord(NamedTuple):
    """Of a `Record`, what a trace page shows."""

    kind: ProductKind
    photos: list[ShownPhoto]
    id: int
    type: RecordType
    stage_code: str | None
    happened_on: date
    note: str
    product_name: str | None
    registration_number: str | None
    active_ingredient: str | None
    source: str | None
    dose: Decimal | None
    dose_unit: str | None
    target: str | None
    interval_days: int | None
    video_url: str | None
    values: dict[str, Any]
    label_days: int | None


AnyRecord = Record | ShownRecord
_FROM_RECORD = ShownRecord._fields[2:-1]


def records_shown(batch: Batch) -> list[ShownRecord]:
    """The records of a batch that no other replaces, the latest day first."""
    rows = db.session.execute(_shown(), {"batch_id": batch.id})
    kind = batch.product.kind
    shown = []
    for _id, group in groupby(rows, lambda row: row[0]):
        same = list(group)
        photos = [ShownPhoto(row[-1]) for row in same if row[-1] is not None]
        shown.append(ShownRecord(kind, photos, *same[0][:-1]))
    return shown


@cache
def _shown() -> Any:
    """Made once; a row for each photo of a record, which stands last."""
    newer = aliased(Record)
    return (
        sa.select(*(getattr(Record, name) for name in _FROM_RECORD), _label_days(), Photo.name)
        .join_from(Record, record_photos, record_photos.c.record_id == Record.id, isouter=True)
        .outerjoin(Photo, Photo.id == record_photos.c.photo_id)
        .where(records_covering(sa.bindparam("batch_id")), ~sa.exists().where(newer.replaces_id == Record.id))
        .order_by(Record.happened_on.desc(), Record.id.desc(), Photo.id)
    )


def _label_days() -> sa.ScalarSelect[int | None]:
    """`Record.label_days` in SQL."""
    return (
        sa.select(LabelUse.interval_days)
        .join(StockLot, StockLot.product_id == LabelUse.product_id)
        .where(
            StockLot.id == Record.stock_id,
            sa.or_(LabelUse.kind_code == Record.kind_code, LabelUse.kind_code.is_(None)),
        )
        .order_by(LabelUse.kind_code.is_(None))
        .limit(1)
        .correlate(Record)
        .scalar_subquery()
    )
