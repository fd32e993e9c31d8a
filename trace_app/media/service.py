"""Photos in and out of the media store."""

from __future__ import annotations

import hashlib
import io
import secrets
from pathlib import PurePath
from typing import BinaryIO

from flask import current_app
from flask_babel import lazy_gettext as _

from config import Settings
from media_store import LocalStore, MediaStore
from media_store.photos import CONTENT_TYPE, NotAPhoto, PhotoTooLarge, clean_photo
from trace_app.accounts.models import Author, User
from trace_app.errors import Unprocessable
from trace_app.extensions import db
from trace_app.media.models import Document, Photo

MAX_PHOTOS = 12
"""Photos that one record or product may have."""


class PhotoRefused(Unprocessable):
    """An upload is no picture that can be kept."""

    title = _("“%(name)s”不是能打开的照片。请上传 JPEG、PNG 或 WebP 图片。")


class PhotoOversized(Unprocessable):
    code = "photo-too-large"
    title = _("“%(name)s”太大。每张照片不超过 20 MB、8000 万像素。")


class TooManyPhotos(Unprocessable):
    title = _("照片太多：最多 %(most)s 张。请少选几张，或先删除旧的。")


def open_store(settings: Settings) -> MediaStore:
    """The store that the settings name: a bucket, or a folder where none is named."""
    if not settings.s3_bucket:
        return LocalStore(settings.folder / "media")
    # boto3 is large: loaded only where there is a bucket.
    from media_store.s3 import S3Store

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


def keep_photos(user: User | Author, uploads: list[tuple[str, bytes]], already: int = 0) -> list[Photo]:
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


DOCUMENT_TYPES = {
    "pdf": "application/pdf",
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
MAX_DOCUMENT_MB = 20


class NotAPdf(Unprocessable):
    """An upload is no PDF that can be opened."""

    title = _("“%(name)s”不是能打开的 PDF。请上传没有密码的 PDF 文件。")


class DocumentTooLarge(Unprocessable):
    title = _("“%(name)s”太大：最多 %(most)s MB。请压缩后再上传。")


def keep_pdf(user: User, file_name: str, data: bytes) -> Document:
    """Store a PDF after opening it: what can't be opened, or only with a password, is refused.

    :raises NotAPdf, DocumentTooLarge:
    """
    if len(data) > MAX_DOCUMENT_MB * 1024 * 1024:
        raise DocumentTooLarge(name=file_name, most=MAX_DOCUMENT_MB)
    import pypdfium2

    try:
        if not data.startswith(b"%PDF-"):
            raise NotAPdf(name=file_name)
        with pypdfium2.PdfDocument(data) as document:
            if not len(document):
                raise NotAPdf(name=file_name)
    except pypdfium2.PdfiumError as error:
        raise NotAPdf(name=file_name) from error
    return keep_document(user, file_name, data, "pdf")


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


def open_photo(photo: Photo, *, thumbnail: bool) -> BinaryIO:
    return media_store().open(photo.thumbnail_key if thumbnail else photo.key)
