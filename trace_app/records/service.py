"""Adding and correcting records."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound
from trace_app.accounts.models import User
from trace_app.batches import service as batches
from trace_app.batches.freshness import shown_on_trace_pages
from trace_app.batches.models import Batch
from trace_app.catalogue.models import Product, Stage
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.media.service import keep_photos
from trace_app.records.intervals import intervals
from trace_app.records.models import INPUT_TYPES, Record, RecordType

shown_on_trace_pages(Record, lambda record: Batch.id == record.batch_id)


class RecordTypeDoesNotApply(Problem):
    """The product's kind has no such records or stage."""

    status = 422
    code = "record-type-does-not-apply"
    title = _("“%(kind)s”没有这类记录或工序，请重新选择。")


class AlreadyCorrected(Problem):
    """A record is corrected once; then its correction is corrected."""

    code = "already-corrected"
    title = _("这条记录已被更正过，请更正最新的那一条。")


class IntervalNotKept(Problem):
    """The lot was harvested or slaughtered inside the interval of an input."""

    code = "interval-not-kept"
    title = _("不能放行：%(input)s 施用后 %(days)s 天即采收，未满 %(required)s 天。请核对日期；若属实，本批不得销售。")


def stage_of(batch: Batch, code: str | None) -> Stage | None:
    """The stage of the batch's kind with a code."""
    return next((stage for stage in batch.product.kind.stages if stage.code == code), None)


def check_applies(batch: Batch, record_type: RecordType, stage_code: str | None) -> Stage | None:
    """The stage that is meant, after checking that the batch's kind takes such a record.

    :raises RecordTypeDoesNotApply:
    """
    kind = batch.product.kind
    stage = stage_of(batch, stage_code)
    if (record_type in INPUT_TYPES and record_type not in kind.inputs) or (
        (record_type is RecordType.STAGE) != (stage is not None)
    ):
        raise RecordTypeDoesNotApply(kind=kind.name)
    return stage


def add_record(
    user: User,
    batch: Batch,
    record_type: RecordType,
    facts: dict[str, Any],
    *,
    stage_code: str | None = None,
    photos: list[tuple[str, bytes]] | None = None,
) -> Record:
    """Keep what was done to a batch.

    :param facts: columns of `Record`, parsed by the record's form.
    :raises RecordTypeDoesNotApply, UnderRecall, AlreadyClosed, PhotoRefused, TooManyPhotos:
    """
    check_applies(batch, record_type, stage_code)
    batches.must_take_records(batch)
    record = Record(batch_id=batch.id, type=record_type, stage_code=stage_code, created_by_id=user.id, **facts)
    record.photos = keep_photos(user, photos or [])
    db.session.add(record)
    db.session.flush()
    audit.note(user, "add", record, batch=batch.id, type=record_type.value)
    return record


def correct_record(
    user: User, old: Record, facts: dict[str, Any], reason: str, photos: list[tuple[str, bytes]] | None = None
) -> Record:
    """Add a record that takes another's place. The old one stays and names its successor; photos carry over.

    :raises AlreadyCorrected, UnderRecall, AlreadyClosed, PhotoRefused, TooManyPhotos:
    """
    batches.must_take_records(old.batch)
    if db.session.scalar(db.select(Record.id).filter_by(replaces_id=old.id)):
        raise AlreadyCorrected
    record = Record(
        batch_id=old.batch_id,
        type=old.type,
        stage_code=old.stage_code,
        replaces_id=old.id,
        correction_reason=reason,
        created_by_id=user.id,
        **facts,
    )
    record.photos = [*old.photos, *keep_photos(user, photos or [], already=len(old.photos))]
    db.session.add(record)
    db.session.flush()
    audit.note(user, "correct", record, replaces=old.id, reason=reason)
    return record


def records_of(batch: Batch) -> list[Record]:
    """All records of a batch, the latest day first, with those that were replaced."""
    query = (
        db.select(Record)
        .filter_by(batch_id=batch.id)
        .options(joinedload(Record.created_by), joinedload(Record.replaced_by))
        .order_by(Record.happened_on.desc(), Record.id.desc())
    )
    return list(db.session.scalars(query))


def in_force(records: list[Record]) -> list[Record]:
    """Without the records that others replace."""
    replaced = {record.replaces_id for record in records}
    return [record for record in records if record.id not in replaced]


def record_for(user: User, record_id: int) -> Record:
    """A record of a batch that the user may see.

    :raises NotFound: where there is none.
    """
    record = db.session.get(Record, record_id)
    if record is None:
        raise NotFound
    batches.batch_for(user, record.batch_id)
    return record


def own_record(user: User, record_id: int) -> Record:
    """A record of the user's own batch.

    :raises NotFound: where there is none.
    """
    record = record_for(user, record_id)
    batches.own_batch(user, record.batch_id)
    return record


def last_like(user: User, batch: Batch, record_type: RecordType, stage_code: str | None) -> Record | None:
    """The latest record of the same sort that the producer made for the same kind: its values are offered again."""
    query = (
        db.select(Record)
        .join(Record.batch)
        .join(Batch.product)
        .where(
            Batch.producer_id == user.organisation_id,
            Record.type == record_type,
            Record.stage_code == stage_code if stage_code else Record.stage_code.is_(None),
            Product.kind_code == batch.product.kind_code,
        )
        .order_by(Record.batch_id != batch.id, Record.id.desc())
        .limit(1)
    )
    record: Record | None = db.session.scalar(query)
    return record


def release_batch(user: User, batch: Batch) -> None:
    """Release a batch on the strength of its records.

    :raises IntervalNotKept: where it was harvested too early; what is sold then would break the law.
    :raises NotReadyForRelease, NotADraft, UnderRecall: see `trace_app.batches.service.release_batch`.
    """
    records = in_force(records_of(batch))
    for interval in intervals(batch, records).values():
        if not interval.kept:
            raise IntervalNotKept(
                input=interval.record.product_name, days=interval.days, required=interval.required_days
            )
    batches.release_batch(user, batch, len(records))
