"""Clips on their way in, part by part, as the line allows."""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import PurePath
from typing import IO, BinaryIO

import sqlalchemy as sa
from flask_babel import lazy_gettext as _

from media_store.clips import MAX_BYTES
from media_store.containers import HEAD, may_be_clip
from trace_app.accounts.access import NotFound
from trace_app.accounts.models import Organisation, User
from trace_app.batches import service as batches
from trace_app.catalogue.models import Site
from trace_app.clips.at_work import clear_away
from trace_app.clips.judging import QUEUE, drop, judge_clip, work_folder
from trace_app.clips.models import ClipPart, ClipUpload
from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db, jobs
from trace_app.media.models import Clip
from trace_app.media.service import media_store
from trace_app.plain_text import without_unseen
from trace_app.records.models import Record
from trace_app.records.service import batches_of, latest, own_record
from trace_app.tus import OffsetDiffers, PartDiffers, anything, as_it_comes

MAX_CLIPS = 5
"""Clips that one record may have."""
MOST_UNFINISHED = 6
"""Uploads that an organisation may have under way."""
DAYS_KEPT = 7
"""Days that an upload waits for its next part."""
PART_MB = 8
"""The most that one request may bring."""
OVERDUE = timedelta(minutes=1)
"""How old a clip is that was not looked at because its job was lost, or failed."""


class NoClip(Unprocessable):
    """The file begins as no film does: told with its first part."""

    title = _("“%(name)s”不是能识别的视频。请选择手机拍的视频（MP4、MOV 或 WebM）。")


class EmptyClip(Unprocessable):
    title = _("“%(name)s”是空文件，里面没有内容。请重新选择。")


class ClipTooLarge(Problem):
    status = 413
    title = _("“%(name)s”太大：一段视频最多 %(most)d MB、10 分钟。请剪短后再传。")


class TooManyClips(Unprocessable):
    title = _("这条记录的视频已经有 %(most)d 段，不能再加。")


class TooManyUnfinished(Problem):
    """The organisation has as many uploads under way as it may have."""

    title = _("有 %(most)d 段视频还没有传完。请先接着传完，或放弃其中几段，再传新的。")


def begin_upload(user: User, record_id: int, file_name: str, length: int) -> ClipUpload:
    """Make room for a clip of a record.

    :param length: in bytes.
    :raises NotFound, EmptyClip, ClipTooLarge, TooManyClips, TooManyUnfinished, UnderRecall, AlreadyClosed:
    """
    name = shown_name(file_name)
    if length < 1:
        raise EmptyClip(name=name)
    if length > MAX_BYTES:
        raise ClipTooLarge(name=name, most=MAX_BYTES >> 20)
    # Two of one organisation at a time would both find room.
    organisation = db.session.get_one(Organisation, user.organisation_id)
    db.session.refresh(organisation, with_for_update={"of": Organisation, "key_share": True})
    record = _held(own_record(user, record_id))
    unfinished = unfinished_uploads(user)
    if len(unfinished) >= MOST_UNFINISHED:
        raise TooManyUnfinished(most=MOST_UNFINISHED)
    _must_have_room(record, sum(upload.record_id == record.id for upload in unfinished))
    upload = ClipUpload(
        name=secrets.token_hex(16),
        organisation_id=user.organisation_id,
        record_id=record.id,
        file_name=name,
        bytes=length,
        created_by_id=user.id,
    )
    db.session.add(upload)
    db.session.flush()
    return upload


def shown_name(file_name: str) -> str:
    """A file's name as it is kept and shown: without a path, and without what nobody sees."""
    plain = "".join(without_unseen(file_name).split("\n"))
    return PurePath(plain.replace("\\", "/")).name[-120:] or str(_("视频"))


def unfinished_uploads(user: User) -> list[ClipUpload]:
    """What a producer has under way, the oldest first."""
    query = (
        sa.select(ClipUpload)
        .where(ClipUpload.organisation_id == user.organisation_id, ClipUpload.clip_id.is_(None))
        .order_by(ClipUpload.id)
    )
    return list(db.session.scalars(query))


def own_upload(user: User, name: str) -> ClipUpload:
    """:raises NotFound: where the user's organisation has none of that name."""
    upload = db.session.scalar(sa.select(ClipUpload).filter_by(name=name, organisation_id=user.organisation_id))
    if upload is None:
        raise NotFound
    return upload


def receive_part(
    user: User, name: str, offset: int, body: BinaryIO | IO[bytes], is_right: Callable[[bytes], bool] = anything
) -> int:
    """Keep what comes of the next part, also where its sender goes away in its middle, and return how much there is.

    The part goes to the store first and belongs to the upload with the row alone, so that of two who send the same
    only one counts. It opens its own transaction.

    :param is_right: whether what has come is what was sent.
    :raises NotFound, OffsetDiffers, PartDiffers, NoClip, ClipTooLarge, TooManyClips, UnderRecall, AlreadyClosed:
    :raises StoreUnavailable:
    """
    upload = own_upload(user, name)
    upload_id, room, file_name = upload.id, upload.bytes - upload.received, upload.file_name
    if offset != upload.received:
        raise OffsetDiffers
    # Nothing of the database is held while the line is slow.
    db.session.rollback()
    data = as_it_comes(body, min(room, PART_MB << 20) + 1)
    if len(data) > room:
        raise ClipTooLarge(name=file_name, most=MAX_BYTES >> 20)
    if not is_right(data):
        raise PartDiffers
    if offset == 0 and len(data) >= min(HEAD, room) and not may_be_clip(data[:HEAD]):
        give_up(user, name)
        raise NoClip(name=file_name)
    if not data:
        return offset
    part = ClipPart(upload_id=upload_id, start=offset, bytes=len(data), name=secrets.token_hex(16))
    key = part.key
    media_store().put(key, io.BytesIO(data), "application/octet-stream")
    try:
        with transaction():
            clip = _add(user, part)
            clip_id = clip.id if clip is not None else None
    except BaseException:
        media_store().delete(key)
        raise
    if clip_id is not None:
        jobs.enqueue(judge_clip, clip_id)
    return offset + len(data)


def _add(user: User, part: ClipPart) -> Clip | None:
    """Count a part in, and make the clip of it that it completes."""
    upload = db.session.get(ClipUpload, part.upload_id)
    if upload is None:
        raise NotFound
    received = part.start + part.bytes
    if received < upload.bytes:
        _count(part)
        db.session.add(part)
        return None
    record = _held(upload.record)
    _must_have_room(record)
    clip = Clip(
        name=secrets.token_hex(16),
        organisation_id=upload.organisation_id,
        file_name=upload.file_name,
        bytes=upload.bytes,
        created_by_id=user.id,
    )
    db.session.add(clip)
    db.session.flush()
    _count(part, clip.id)
    db.session.add(part)
    record.clips.append(clip)
    db.session.flush()
    return clip


def _count(part: ClipPart, clip_id: int | None = None) -> None:
    """Move the upload on by a part that begins where it stands, and by no other.

    :raises OffsetDiffers:
    """
    moved = db.session.execute(
        sa.update(ClipUpload)
        .where(ClipUpload.id == part.upload_id, ClipUpload.received == part.start)
        .values(received=part.start + part.bytes, touched_at=utc_now(), clip_id=clip_id)
        .execution_options(synchronize_session=False)
    )
    if moved.rowcount != 1:  # type: ignore[attr-defined]
        raise OffsetDiffers


def _held(record: Record) -> Record:
    """The record in force where this one stood, while nobody else corrects it.

    :raises UnderRecall, AlreadyClosed: where its lots take no records any more.
    """
    for batch in sorted(batches_of(record), key=lambda batch: batch.id):
        batches.must_take_records(batch)
    if record.site is not None:
        db.session.refresh(record.site, with_for_update={"of": Site, "key_share": True})
    db.session.expire(record)
    return latest(record)


def why_stopped(record: Record) -> Problem | None:
    """Why a record takes no clips any more, where its lots are recalled or closed."""
    return next(filter(None, map(batches.why_no_records, batches_of(record))), None)


def has_room(record: Record, under_way: int = 0) -> bool:
    """Whether one more clip may be added to a record. One that was sent twice counts twice: both are kept."""
    kept = sum(clip.is_ready or clip.verdict is None for clip in record.clips)
    return kept + under_way < MAX_CLIPS


def _must_have_room(record: Record, under_way: int = 0) -> None:
    """:raises TooManyClips:"""
    if not has_room(record, under_way):
        raise TooManyClips(most=MAX_CLIPS)


def give_up(user: User, name: str) -> None:
    """Let an upload go that isn't finished, with what has come of it. It opens its own transaction.

    :raises NotFound:
    """
    with transaction():
        upload = own_upload(user, name)
        if upload.clip_id is not None:
            raise NotFound
        keys = _let_go(upload)
    drop(keys)


def _let_go(upload: ClipUpload) -> list[str]:
    """Delete an upload's rows, and return the keys of its parts."""
    keys = [part.key for part in upload.parts]
    db.session.execute(sa.delete(ClipPart).filter_by(upload_id=upload.id))
    db.session.execute(sa.delete(ClipUpload).filter_by(id=upload.id))
    return keys


@jobs.every_minute
def look_after_clips() -> None:
    """Look at clips whose jobs were lost or failed, and clear away what was left lying."""
    overdue = sa.select(Clip.id).where(Clip.verdict.is_(None), Clip.created_at < utc_now() - OVERDUE).order_by(Clip.id)
    waiting = list(db.session.scalars(overdue.limit(100)))
    db.session.rollback()
    if waiting and not jobs.waiting(QUEUE):
        for clip_id in waiting:
            jobs.enqueue(judge_clip, clip_id)
    let_old_uploads_go()
    clear_away(work_folder())


def let_old_uploads_go() -> None:
    """Let uploads go to which nothing has come for days. What a finished one was for is a clip by then."""
    old = sa.select(ClipUpload.id).where(ClipUpload.touched_at < utc_now() - timedelta(days=DAYS_KEPT)).limit(100)
    for upload_id in list(db.session.scalars(old)):
        with transaction():
            upload = db.session.get(ClipUpload, upload_id)
            waits = upload is not None and upload.clip is not None and upload.clip.verdict is None
            keys = _let_go(upload) if upload is not None and not waits else []
        drop(keys)


def receive_whole(user: User, record_id: int, file_name: str, length: int, content: BinaryIO | IO[bytes]) -> None:
    """Take in a clip that came with a form, as if it had come in parts. It opens its own transactions.

    :raises NotFound, EmptyClip, ClipTooLarge, NoClip, TooManyClips, TooManyUnfinished, UnderRecall, AlreadyClosed:
    """
    with transaction():
        name = begin_upload(user, record_id, file_name, length).name
    offset = 0
    try:
        while offset < length:
            data = content.read(PART_MB << 20)
            offset = receive_part(user, name, offset, io.BytesIO(data))
    except NoClip:
        raise
    except BaseException:
        give_up(user, name)
        raise
