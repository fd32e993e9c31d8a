"""Photos told of, and what comes of them. Who knows a photo's name, which its browser made up, may send it."""

from __future__ import annotations

import io
import re
import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from typing import IO, BinaryIO

import sqlalchemy as sa
from flask_babel import lazy_gettext as _

from media_store.capture import Capture
from media_store.photos import MAX_BYTES
from trace_app.accounts.access import NotFound
from trace_app.accounts.models import Author, User
from trace_app.arrivals.models import PhotoArrival, PhotoPart
from trace_app.db.base import utc_now
from trace_app.db.session import transaction
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db, jobs
from trace_app.media.models import Photo
from trace_app.media.service import (
    MAX_PHOTOS,
    PhotoRefused,
    StoredPhoto,
    TooManyPhotos,
    cleaned_photo,
    exactly,
    keep_photos,
    media_store,
    stored_photos,
)
from trace_app.tus import OffsetDiffers, PartDiffers, anything, as_it_comes

PART_MB = 1
"""The most that one request may bring."""
DAYS_KEPT = 30
"""Days that a photo is waited for after its last part came."""
NAME = re.compile(r"[0-9a-f]{32}")

_attach: dict[str, Callable[[int, Photo], None]] = {}


class PhotoNameTaken(Unprocessable):
    """A photo that was told of before, with something else."""

    title = _("这些照片已经随另一条内容发送过。请重新选择照片。")


class EmptyPhoto(Unprocessable):
    title = _("照片是空文件，里面没有内容。请重新选择。")


class PhotoFileTooLarge(Problem):
    status = 413
    title = _("照片太大：每张不超过 %(most)d MB。")


def photos_go_to(owner: str, attach: Callable[[int, Photo], None]) -> None:
    """Say what becomes of a photo that has come for something: `attach` gets the id of that, inside a transaction."""
    _attach[owner] = attach


def expect(author: User | Author, names: Sequence[str], already: int = 0, **owner: int) -> None:
    """Note that photos will come for something. Those that were told of with it before are not told of twice.

    :param already: how many photos it has.
    :param owner: one of `OWNERS`, with its id.
    :raises TooManyPhotos, PhotoNameTaken:
    """
    if not names:
        return
    if already + len(names) > MAX_PHOTOS:
        raise TooManyPhotos(most=MAX_PHOTOS)
    known = list(db.session.scalars(sa.select(PhotoArrival).where(PhotoArrival.name.in_(names))))
    if any(row.owner not in owner.items() for row in known):
        raise PhotoNameTaken
    for name in dict.fromkeys(names):
        if name not in {row.name for row in known}:
            db.session.add(
                PhotoArrival(name=name, organisation_id=author.organisation_id, created_by_id=author.id, **owner)
            )
    db.session.flush()


def moved(old_id: int, new_id: int) -> int:
    """Have the photos that are still to come for a record come for the one that takes its place; how many they are."""
    waiting = sa.update(PhotoArrival).where(PhotoArrival.record_id == old_id, PhotoArrival.photo_id.is_(None))
    return db.session.execute(waiting.values(record_id=new_id)).rowcount  # type: ignore[attr-defined,no-any-return]


def waiting_for(owner: str, ids: Collection[int]) -> dict[int, int]:
    """How many photos are still to come, by the id of what they belong to; those with none are not in it."""
    column = getattr(PhotoArrival, owner)
    query = (
        sa.select(column, sa.func.count())
        .where(column.in_(ids), PhotoArrival.photo_id.is_(None), PhotoArrival.refused_at.is_(None))
        .group_by(column)
    )
    return {row[0]: row[1] for row in db.session.execute(query)}


def arrival_named(name: str) -> PhotoArrival:
    """A photo that was told of, and is not refused.

    :raises NotFound, PhotoRefused:
    """
    row = db.session.scalar(sa.select(PhotoArrival).filter_by(name=name))
    if row is None:
        raise NotFound
    if row.refused_at is not None:
        raise PhotoRefused(name=_("照片"))
    return row


def begin(name: str, length: int, capture: Capture) -> None:
    """Note how long a photo's file is, and when and where it was taken. Said once more, it changes nothing.

    What can be no photo by its length is waited for no longer. It opens its own transactions.

    :raises NotFound, PhotoRefused, EmptyPhoto, PhotoFileTooLarge, PhotoNameTaken:
    """
    if not 1 <= length <= MAX_BYTES:
        row = arrival_named(name)
        arrival_id, is_begun = row.id, row.bytes is not None
        db.session.rollback()
        if not is_begun:
            _refuse(arrival_id)
        raise EmptyPhoto if length < 1 else PhotoFileTooLarge(most=MAX_BYTES >> 20)
    with transaction():
        _begin(arrival_named(name), length, capture)


def _begin(row: PhotoArrival, length: int, capture: Capture) -> None:
    if row.bytes is None:
        row.bytes, row.taken_at = length, capture.taken_at
        row.latitude, row.longitude = exactly(capture.latitude), exactly(capture.longitude)
        row.touched_at = utc_now()
        db.session.flush()
    elif row.bytes != length:
        raise PhotoNameTaken


def receive_part(
    name: str, offset: int, body: BinaryIO | IO[bytes], is_right: Callable[[bytes], bool] = anything
) -> int:
    """Keep what comes of the next part, also where its sender goes away in its middle, and return how much there is.

    The last part counts when the photo stands with what it belongs to, and not before: whoever asks how much has come
    is never told of a whole photo that isn't kept. It opens its own transactions.

    :raises NotFound, OffsetDiffers, PartDiffers, PhotoRefused, PhotoOversized, PhotoFileTooLarge:
    :raises TooManyAtOnce, StoreUnavailable:
    """
    row = arrival_named(name)
    if row.bytes is None or offset != row.received:
        raise OffsetDiffers
    if row.photo_id is not None:
        return row.received
    arrival_id, room = row.id, row.bytes - row.received
    # Nothing of the database is held while the line is slow.
    db.session.rollback()
    data = as_it_comes(body, min(room, PART_MB << 20) + 1)
    if len(data) > room:
        raise PhotoFileTooLarge(most=MAX_BYTES >> 20)
    if not is_right(data):
        raise PartDiffers
    if not data:
        return offset
    if len(data) < room:
        _keep_part(arrival_id, offset, data)
    else:
        _finish(arrival_id, offset, data)
    return offset + len(data)


def _keep_part(arrival_id: int, offset: int, data: bytes) -> None:
    part = PhotoPart(arrival_id=arrival_id, start=offset, bytes=len(data), name=secrets.token_hex(16))
    key = part.key
    media_store().put(key, io.BytesIO(data), "application/octet-stream")
    try:
        with transaction():
            _count(arrival_id, offset, received=offset + len(data))
            db.session.add(part)
    except BaseException:
        media_store().delete(key)
        raise


def _finish(arrival_id: int, offset: int, data: bytes) -> None:
    """Put a photo together with its last part, and have it stand where it belongs."""
    row = db.session.get_one(PhotoArrival, arrival_id)
    author = Author(row.created_by_id, row.organisation_id)
    told = Capture(row.taken_at, *(None if at is None else float(at) for at in (row.latitude, row.longitude)))
    keys = [part.key for part in row.parts]
    db.session.rollback()
    whole = b"".join(map(_content, keys)) + data
    try:
        photo = cleaned_photo(str(_("照片")), whole)
    except Unprocessable:
        _refuse(arrival_id)
        _drop(keys)
        raise
    with stored_photos([photo.told(told)]) as stored, transaction():
        kept = _keep(author, arrival_id, stored)
        _count(arrival_id, offset, received=offset + len(data), photo_id=kept.id)
        db.session.execute(sa.delete(PhotoPart).filter_by(arrival_id=arrival_id))
        name, owner_id = db.session.get_one(PhotoArrival, arrival_id, populate_existing=True).owner
        _attach[name](owner_id, kept)
    _drop(keys)


def _content(key: str) -> bytes:
    with media_store().open(key) as part:
        return part.read()


def _keep(author: Author, arrival_id: int, stored: Sequence[StoredPhoto]) -> Photo:
    [kept] = keep_photos(author, stored)
    db.session.flush()
    return kept


def _count(arrival_id: int, offset: int, **values: int) -> None:
    """Move an arrival on by a part that begins where it stands, and by no other.

    :raises OffsetDiffers:
    """
    counted = db.session.execute(
        sa.update(PhotoArrival)
        .where(PhotoArrival.id == arrival_id, PhotoArrival.received == offset, PhotoArrival.refused_at.is_(None))
        .values(touched_at=utc_now(), **values)
        .execution_options(synchronize_session=False)
    )
    if counted.rowcount != 1:  # type: ignore[attr-defined]
        raise OffsetDiffers


def _refuse(arrival_id: int) -> None:
    with transaction():
        refused = sa.update(PhotoArrival).where(PhotoArrival.id == arrival_id, PhotoArrival.photo_id.is_(None))
        db.session.execute(refused.values(refused_at=utc_now()))
        db.session.execute(sa.delete(PhotoPart).filter_by(arrival_id=arrival_id))


def _drop(keys: Collection[str]) -> None:
    """Delete parts that no row names any more."""
    for key in keys:
        media_store().delete(key)


@jobs.every_minute
def let_old_arrivals_go() -> None:
    """Wait no longer for photos of which nothing has come for weeks; of those that came the photo itself stays."""
    old = sa.select(PhotoArrival.id).where(PhotoArrival.touched_at < utc_now() - timedelta(days=DAYS_KEPT)).limit(100)
    for arrival_id in list(db.session.scalars(old)):
        with transaction():
            row = db.session.get(PhotoArrival, arrival_id)
            keys = [part.key for part in row.parts] if row is not None else []
            db.session.execute(sa.delete(PhotoPart).filter_by(arrival_id=arrival_id))
            db.session.execute(sa.delete(PhotoArrival).filter_by(id=arrival_id))
        _drop(keys)
