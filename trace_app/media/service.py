"""Photos in and out of the media store."""

from __future__ import annotations

import hashlib
import io
import secrets
from typing import BinaryIO

from flask import current_app
from flask_babel import lazy_gettext as _

from config import Settings
from media_store import LocalStore, MediaStore, S3Store
from media_store.photos import CONTENT_TYPE, NotAPhoto, PhotoTooLarge, clean_photo
from trace_app.accounts.models import User
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.media.models import Photo

MAX_PHOTOS = 12
"""Photos that one record or product may have."""


class PhotoRefused(Problem):
    """An upload is no picture that can be kept."""

    status = 422
    code = "photo-refused"
    title = _("“%(name)s”不是能打开的照片。请上传 JPEG、PNG 或 WebP 图片。")


class PhotoOversized(Problem):
    status = 422
    code = "photo-too-large"
    title = _("“%(name)s”太大。每张照片不超过 20 MB、8000 万像素。")


class TooManyPhotos(Problem):
    status = 422
    code = "too-many-photos"
    title = _("照片太多：最多 %(most)s 张。请少选几张，或先删除旧的。")


def open_store(settings: Settings) -> MediaStore:
    """The store that the settings name: a bucket, or a folder where none is named."""
    if not settings.s3_bucket:
        return LocalStore(settings.folder / "media")
    return S3Store(
        settings.s3_bucket,
        endpoint_url=settings.s3_endpoint_url,
        region=settings.s3_region,
        access_key=settings.s3_access_key.get_secret_value() if settings.s3_access_key else None,
        secret_key=settings.s3_secret_key.get_secret_value() if settings.s3_secret_key else None,
    )


def media_store() -> MediaStore:
    store: MediaStore = current_app.extensions["media_store"]
    return store


def keep_photos(user: User, uploads: list[tuple[str, bytes]], already: int = 0) -> list[Photo]:
    """Clean and store uploaded pictures, all or none.

    :param uploads: file name and content of each.
    :param already: how many photos the record or product has.
    :raises PhotoRefused, PhotoOversized, TooManyPhotos: with the file's name; nothing is stored then.
    """
    if already + len(uploads) > MAX_PHOTOS:
        raise TooManyPhotos(most=MAX_PHOTOS)
    cleaned = []
    for name, data in uploads:
        try:
            cleaned.append(clean_photo(data))
        except NotAPhoto as error:
            raise PhotoRefused(name=name) from error
        except PhotoTooLarge as error:
            raise PhotoOversized(name=name) from error
    kept = []
    for photo in cleaned:
        row = Photo(
            name=secrets.token_hex(16),
            organisation_id=user.organisation_id,
            width=photo.width,
            height=photo.height,
            sha256=hashlib.sha256(photo.data).hexdigest(),
            created_by_id=user.id,
        )
        media_store().put(row.key, io.BytesIO(photo.data), CONTENT_TYPE)
        media_store().put(row.thumbnail_key, io.BytesIO(photo.thumbnail), CONTENT_TYPE)
        db.session.add(row)
        kept.append(row)
    return kept


def photo_by_name(name: str) -> Photo | None:
    photo: Photo | None = db.session.scalar(db.select(Photo).filter_by(name=name))
    return photo


def open_photo(photo: Photo, *, thumbnail: bool) -> BinaryIO:
    return media_store().open(photo.thumbnail_key if thumbnail else photo.key)
