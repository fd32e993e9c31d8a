"""Whether the media store still has what was put into it, unchanged."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from media_store import MediaNotFound, MediaStore
from trace_app.extensions import db
from trace_app.media.models import CameraPicture, Clip, Document, Photo
from trace_app.media.service import media_store

ROWS = 500
"""How many rows are read at a time: no transaction stays open while their files are."""
PIECE = 1 << 20


class FileState(enum.StrEnum):
    WHOLE = "whole"
    MISSING = "missing"
    ALTERED = "altered"


class CheckedFile(NamedTuple):
    """A file of the store, by its key, and what has become of it."""

    key: str
    state: FileState


def checked_files() -> Iterator[CheckedFile]:
    """Read all that `files_kept` names and compare it with the hashes that were taken on receipt.

    Of a smaller size or poster, which is made of its photo or clip, it is only told whether it is there.

    :raises StoreUnavailable: where the store does not answer; that says nothing of the files.
    """
    store = media_store()
    for key, sha256 in files_kept():
        yield CheckedFile(key, _state_of(store, key, sha256))


def files_kept() -> Iterator[tuple[str, str | None]]:
    """The keys of all photos, documents, clips and pictures of cameras, with their hashes where they have any."""
    for model in (Photo, Document, Clip, CameraPicture):
        last = 0
        while rows := list(db.session.scalars(db.select(model).where(model.id > last).order_by(model.id).limit(ROWS))):
            last = rows[-1].id
            # Of a clip that was refused, or still waits, nothing is kept.
            rows = [row for row in rows if not isinstance(row, Clip) or row.is_ready]
            files: list[tuple[str, str | None]] = [(row.key, row.sha256) for row in rows]
            files += [(row.thumbnail_key, None) for row in rows if isinstance(row, Photo)]
            files += [(row.middle_key, None) for row in rows if isinstance(row, Photo) and row.middle_width]
            files += [(key, None) for row in rows if isinstance(row, Clip) for key in (row.poster_key, row.sheet_key)]
            files += [(row.strip_key, None) for row in rows if isinstance(row, CameraPicture)]
            db.session.rollback()
            yield from files


def _state_of(store: MediaStore, key: str, sha256: str | None) -> FileState:
    try:
        if sha256 is None:
            return FileState.WHOLE if store.size(key) else FileState.ALTERED
        with store.open(key) as file:
            found = sha256_of(file)
    except MediaNotFound:
        return FileState.MISSING
    return FileState.WHOLE if found == sha256 else FileState.ALTERED


def sha256_of(content: BinaryIO) -> str:
    """The SHA-256 of a content of any length, in hexadecimal digits."""
    found = hashlib.sha256()
    while piece := content.read(PIECE):
        found.update(piece)
    return found.hexdigest()
