"""Whose a clip is: the record that carries it, and the lots on whose pages it stands."""

from __future__ import annotations

import sqlalchemy as sa

from trace_app.accounts.access import NotFound
from trace_app.batches.freshness import shown_on_trace_pages
from trace_app.batches.models import Batch
from trace_app.extensions import db
from trace_app.media.models import Clip
from trace_app.records.coverage import covered_lots
from trace_app.records.models import Record, record_clips


def lots_of_clip(clip_id: int) -> sa.ColumnElement[bool]:
    """The condition on `Batch` that a record which counts for it carries a clip."""
    return covered_lots(Record.id.in_(sa.select(record_clips.c.record_id).where(record_clips.c.clip_id == clip_id)))


def is_public(clip: Clip) -> bool:
    """Whether a clip's record counts for a lot that was released, so that it is on a page which anyone may open."""
    released = sa.select(Batch.id).where(lots_of_clip(clip.id), Batch.released_at.is_not(None))
    return bool(db.session.scalar(sa.select(released.exists())))


def record_of_clip(clip: Clip) -> int:
    """The id of the first record that carries a clip.

    :raises NotFound: where there is none.
    """
    carried = sa.select(record_clips.c.record_id).filter_by(clip_id=clip.id).order_by(record_clips.c.record_id).limit(1)
    record_id: int | None = db.session.scalar(carried)
    if record_id is None:
        raise NotFound
    return record_id


shown_on_trace_pages(Clip, lambda clip: lots_of_clip(clip.id))
