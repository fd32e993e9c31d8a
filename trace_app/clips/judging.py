"""Clips that are whole: put together, looked at, and kept or refused."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import sqlalchemy as sa

from media_store.clips import seen_in_clip
from media_store.confined import TookTooMuch
from media_store.containers import NotAClip, Refusal, container_of
from media_store.photos import CONTENT_TYPE
from trace_app.accounts import audit
from trace_app.accounts.models import User
from trace_app.batches.freshness import hold_in_order
from trace_app.clips.at_work import MOST_DEATHS, Work, at_work
from trace_app.clips.models import ClipPart, ClipUpload
from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.extensions import db, jobs
from trace_app.media.models import Clip, ClipKind, ClipVerdict
from trace_app.media.service import CLIP_TYPES, media_store
from trace_app.records.filmed import lots_of_clip, record_of_clip
from trace_app.records.models import Record
from trace_app.records.service import batches_of
from trace_app.settings import settings
from trace_app.values import Facts

QUEUE = "clips"
_PIECE = 1 << 20


@jobs.task(queue=QUEUE)
def judge_clip(clip_id: int) -> None:
    """Put a clip together of its parts, look at it, and write down what it is. Done twice, it comes to the same.

    :raises StoreUnavailable, NoTurn: then it waits for the next look.
    """
    with at_work(work_folder(), clip_id) as work:
        if work is not None:
            _judge(clip_id, work)


def _judge(clip_id: int, work: Work) -> None:
    clip = db.session.get(Clip, clip_id)
    if clip is None or clip.verdict is not None:
        return
    name = clip.name
    keys = [part.key for part in db.session.scalars(_parts_of(clip_id))]
    # What follows takes long: nothing of the database is held meanwhile.
    db.session.rollback()
    sha256 = _put_together(keys, work.path)
    try:
        facts = _kept(name, work)
    except NotAClip as error:
        facts = {"verdict": ClipVerdict(error.refusal.value)}
    with transaction():
        # Its verdict is on the pages of these.
        hold_in_order(db.session.connection(), lots_of_clip(clip_id))
        clip = db.session.get_one(Clip, clip_id)
        if clip.verdict is None:
            for column, value in facts.items():
                setattr(clip, column, value)
            clip.sha256, clip.judged_at = sha256, utc_now()
            _note(clip)
        db.session.execute(
            sa.delete(ClipPart).where(
                ClipPart.upload_id.in_(sa.select(ClipUpload.id).where(ClipUpload.clip_id == clip_id))
            )
        )
    drop(keys)


def drop(keys: list[str]) -> None:
    """Delete parts that no row names any more."""
    for key in keys:
        media_store().delete(key)


def _note(clip: Clip) -> None:
    """Have the lots' logs say that a clip was added, or sent and not taken."""
    record = db.session.get_one(Record, record_of_clip(clip))
    sender = db.session.get(User, clip.created_by_id) if clip.created_by_id is not None else None
    for batch in batches_of(record):
        audit.note(sender, "add-clip" if clip.is_ready else "refuse-clip", batch, record=record.id, clip=clip.id)


def work_folder() -> Path:
    """Where clips are put together."""
    folder = settings().folder / "clips-at-work"
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def _parts_of(clip_id: int) -> sa.Select[ClipPart]:
    return (
        sa.select(ClipPart)
        .join(ClipUpload, ClipUpload.id == ClipPart.upload_id)
        .where(ClipUpload.clip_id == clip_id)
        .order_by(ClipPart.start)
    )


def _put_together(keys: list[str], path: Path) -> str:
    """Write the parts into one file, and return its SHA-256."""
    found = hashlib.sha256()
    with path.open("wb") as whole:
        for key in keys:
            with media_store().open(key) as part:
                while piece := part.read(_PIECE):
                    found.update(piece)
                    whole.write(piece)
    return found.hexdigest()


def _kept(name: str, work: Work) -> Facts:
    """Look at a clip, put it into the store with its pictures, and return what is known of it.

    :raises NotAClip:
    """
    if work.deaths >= MOST_DEATHS:
        raise NotAClip(Refusal.NO_PICTURE)
    with work.path.open("rb") as file:
        container = container_of(file, work.path.stat().st_size)
        try:
            seen = seen_in_clip(str(work.path))
        except TookTooMuch as error:
            raise NotAClip(Refusal.TOO_LARGE) from error
        kind = ClipKind(container.ending)
        clip = Clip(name=name, ending=kind)
        file.seek(0)
        media_store().put(clip.key, file, CLIP_TYPES[kind])
    media_store().put(clip.poster_key, io.BytesIO(seen.poster), CONTENT_TYPE)
    media_store().put(clip.sheet_key, io.BytesIO(seen.sheet), CONTENT_TYPE)
    return {
        "verdict": ClipVerdict.READY,
        "ending": kind,
        "plays": container.plays,
        "hidden": " ".join(f"{box.start}:{box.content}:{box.end}" for box in container.hidden),
        "codec": seen.codec,
        "width": seen.width,
        "height": seen.height,
        "milliseconds": seen.milliseconds,
    }
