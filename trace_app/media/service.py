"""Photos, documents and clips in and out of the media store."""

from __future__ import annotations

import contextlib
import hashlib
import io
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePath
from typing import BinaryIO

from flask import current_app
from flask_babel import lazy_gettext as _

from config import Settings
from media_store import BoundedStore, LocalStore, MediaNotFound, MediaStore, StoreUnavailable
from media_store.confined import NoTurn, TookTooMuch
from media_store.pdfs import UnreadablePdf, pages_of
from media_store.photos import CONTENT_TYPE, CleanedPhoto, NotAPhoto, PhotoTooLarge, photo_from
from trace_app.accounts.models import Author, User
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db
from trace_app.media.models import Clip, ClipKind, Document, Photo

MAX_PHOTOS = 12
"""Photos that one record or product may have."""


class PhotoRefused(Unprocessable):
    """An upload is no picture that can be kept."""

    title = _("“%(name)s”不是能打开的照片。请上传 JPEG、HEIC、PNG、WebP 或 AVIF 图片。")


class PhotoOversized(Unprocessable):
    code = "photo-too-large"
    title = _(
        "“%(name)s”太大。每张照片不超过 20 MB；JPEG 不超过 2.5 亿像素，HEIC 不超过 2500 万，"
        "PNG 和 AVIF 不超过 1250 万，WebP 不超过 750 万。"
    )


class TooManyPhotos(Unprocessable):
    title = _("照片太多：最多 %(most)s 张。请少选几张，或先删除旧的。")


def open_store(settings: Settings) -> MediaStore:
    """The store that the settings name: a bucket, or a folder where none is named."""
    if not settings.s3_bucket:
        return LocalStore(settings.folder / "media")
    # boto3 is large: loaded only where there is a bucket.
    from media_store.s3 import S3Store

    bucket = S3Store(
        settings.s3_bucket,
        endpoint_url=settings.s3_endpoint_url,
        region=settings.s3_region,
        access_key=settings.s3_access_key.get_secret_value() if settings.s3_access_key else None,
        secret_key=settings.s3_secret_key.get_secret_value() if settings.s3_secret_key else None,
    )
    return BoundedStore(bucket)


def must_have_a_store() -> None:
    """See whether the store answers at all; it need not have anything.

    :raises StoreUnavailable:
    """
    with contextlib.suppress(MediaNotFound):
        media_store().size("probe/none")


def media_store() -> MediaStore:
    store: MediaStore = current_app.extensions["media_store"]
    return store


class TooManyAtOnce(Problem):
    """So many files are being opened that one had no turn."""

    status = 503
    title = _("现在处理的照片和文件太多，“%(name)s”还没有轮到。请过一会儿再提交一次。")


def cleaned_photo(name: str, data: bytes) -> CleanedPhoto:
    """An uploaded picture made fit to keep, in a process of its own. It takes a moment: not inside a transaction.

    :param name: the file's.
    :raises PhotoRefused, PhotoOversized, TooManyAtOnce:
    """
    try:
        return photo_from(data)
    except NotAPhoto as error:
        raise PhotoRefused(name=name) from error
    except (PhotoTooLarge, TookTooMuch) as error:
        raise PhotoOversized(name=name) from error
    except NoTurn as error:
        raise TooManyAtOnce(name=name) from error


@dataclass(frozen=True, slots=True)
class StoredPhoto:
    """A photo that lies in the store under a name, and that no row names yet."""

    name: str
    photo: CleanedPhoto


@contextmanager
def stored_photos(photos: Sequence[CleanedPhoto]) -> Iterator[list[StoredPhoto]]:
    """Put photos into the store, before the transaction that keeps them begins: a store may be slow.

    Those go again that no row names in the end: where what follows fails, or was done before.

    :raises StoreUnavailable:
    """
    stored: list[StoredPhoto] = []
    try:
        for photo in photos:
            one = StoredPhoto(secrets.token_hex(16), photo)
            stored.append(one)
            row = Photo(name=one.name)
            media_store().put(row.key, io.BytesIO(photo.data), CONTENT_TYPE)
            media_store().put(row.thumbnail_key, io.BytesIO(photo.thumbnail), CONTENT_TYPE)
            if photo.middle is not None:
                media_store().put(row.middle_key, io.BytesIO(photo.middle), CONTENT_TYPE)
        yield stored
    except BaseException:
        let_go(stored)
        raise
    let_go([one for one in stored if photo_by_name(one.name) is None])


def let_go(photos: Sequence[StoredPhoto]) -> None:
    """Take photos out of the store that no row names. One that can't be had now stays: nobody knows of it."""
    for one in photos:
        row = Photo(name=one.name)
        with contextlib.suppress(StoreUnavailable):
            media_store().delete(row.key)
            media_store().delete(row.thumbnail_key)
            media_store().delete(row.middle_key)


def keep_photos(user: User | Author, photos: Sequence[StoredPhoto], already: int = 0) -> list[Photo]:
    """Have rows name photos that lie in the store, all or none.

    :param already: how many photos the record or product has.
    :raises TooManyPhotos:
    """
    if already + len(photos) > MAX_PHOTOS:
        raise TooManyPhotos(most=MAX_PHOTOS)
    kept = [
        Photo(
            name=one.name,
            organisation_id=user.organisation_id,
            width=one.photo.width,
            height=one.photo.height,
            middle_width=one.photo.middle_width,
            sha256=hashlib.sha256(one.photo.data).hexdigest(),
            taken_at=one.photo.capture.taken_at,
            latitude=exactly(one.photo.capture.latitude),
            longitude=exactly(one.photo.capture.longitude),
            created_by_id=user.id,
        )
        for one in photos
    ]
    db.session.add_all(kept)
    return kept


def exactly(degrees: float | None) -> Decimal | None:
    """Degrees as the database keeps them."""
    return None if degrees is None else Decimal(str(degrees))


DOCUMENT_TYPES = {
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
MAX_DOCUMENT_MB = 20
CLIP_TYPES = {ClipKind.MP4: "video/mp4", ClipKind.WEBM: "video/webm"}


class NotAPdf(Unprocessable):
    """An upload is no PDF that can be opened."""

    title = _("“%(name)s”不是能打开的 PDF。请上传没有密码的 PDF 文件。")


class DocumentTooLarge(Unprocessable):
    title = _("“%(name)s”太大：最多 %(most)s MB。请压缩后再上传。")


def check_pdf(file_name: str, data: bytes) -> None:
    """Open a PDF, in a process of its own. It takes a moment: not inside a transaction.

    :raises NotAPdf, DocumentTooLarge, TooManyAtOnce: what can't be opened, or only with a password, is refused.
    """
    if len(data) > MAX_DOCUMENT_MB * 1024 * 1024:
        raise DocumentTooLarge(name=file_name, most=MAX_DOCUMENT_MB)
    try:
        pages_of(data)
    except (UnreadablePdf, TookTooMuch) as error:
        raise NotAPdf(name=file_name) from error
    except NoTurn as error:
        raise TooManyAtOnce(name=file_name) from error


def keep_document(user: User | Author, file_name: str, data: bytes, kind: str) -> Document:
    """Store a file whose content was checked.

    :param kind: one of `DOCUMENT_TYPES`.
    """
    row = Document(
        name=secrets.token_hex(16),
        file_name=PurePath(file_name.replace("\\", "/")).name[-120:],
        kind=kind,
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        organisation_id=user.organisation_id,
        created_by_id=user.id,
    )
    media_store().put(row.key, io.BytesIO(data), DOCUMENT_TYPES[kind])
    db.session.add(row)
    db.session.flush()
    return row


def open_document(document: Document) -> BinaryIO:
    """The content of a document.

    :raises MediaNotFound: where the store has lost it.
    """
    return media_store().open(document.key)


def document_by_name(name: str) -> Document | None:
    document: Document | None = db.session.scalar(db.select(Document).filter_by(name=name))
    return document


def own_document(user: User, name: str) -> Document | None:
    """A document that the user's own organisation handed in."""
    document = document_by_name(name) if name else None
    return document if document is not None and document.organisation_id == user.organisation_id else None


def photo_by_name(name: str) -> Photo | None:
    photo: Photo | None = db.session.scalar(db.select(Photo).filter_by(name=name))
    return photo


def clip_by_name(name: str) -> Clip | None:
    clip: Clip | None = db.session.scalar(db.select(Clip).filter_by(name=name))
    return clip


def open_photo(photo: Photo, size: str = "") -> BinaryIO:
    """The picture in one of its sizes.

    :param size: ``small``, ``middle``, or nothing for the whole.
    :raises MediaNotFound: where there is none of that size, or the store has lost it.
    """
    return media_store().open({"": photo.key, "small": photo.thumbnail_key, "middle": photo.middle_key}[size])
