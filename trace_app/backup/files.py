"""Photos, documents and label files of backups: each is there once for all backups of a folder, under its key.

A file of the store is never changed under its key, so what a backup has already is not read again. What belongs to a
backup says its list, in the format of ``sha256sum``.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from media_store import InvalidKey, MediaNotFound
from media_store.photos import CONTENT_TYPE
from media_store.store import checked_key
from trace_app.backup.faults import BackupFault
from trace_app.extensions import db
from trace_app.labels.models import PrintVolume
from trace_app.media.check import PIECE, files_kept, sha256_of
from trace_app.media.service import CLIP_TYPES, DOCUMENT_TYPES, media_store

FOLDER = "media"
LIST = "media.sha256"
ROWS = 500
_LINE = re.compile(rf"(?P<sha256>[0-9a-f]{{64}})  {FOLDER}/(?P<key>[^\n]+)\n?")
_TYPES = {"webp": CONTENT_TYPE, **DOCUMENT_TYPES, **{kind.value: type_ for kind, type_ in CLIP_TYPES.items()}}


def keys_named() -> Iterator[str]:
    """The keys of all files that the database names."""
    for key, _sha256 in files_kept():
        yield key
    last = 0
    volumes = db.select(PrintVolume.id, PrintVolume.file_key).order_by(PrintVolume.id).limit(ROWS)
    while rows := db.session.execute(volumes.where(PrintVolume.id > last)).all():
        last = rows[-1].id
        db.session.rollback()
        yield from (row.file_key for row in rows)


def copy_from_store(key: str, folder: Path) -> bool:
    """Put a file of the store into the folder of a backup. Returns whether the store has it.

    :raises StoreUnavailable: where the store does not answer.
    """
    path = folder / key
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with media_store().open(key) as content:
            descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    while piece := content.read(PIECE):
                        file.write(piece)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, path)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
    except MediaNotFound:
        return False
    return True


def put_into_store(key: str, path: Path, sha256: str) -> None:
    """Put a file of a backup into the store, unless it is there, and read back what is there then.

    :raises BackupFault: where it is another than the list says.
    :raises StoreUnavailable:
    """
    if _in_store(key) == sha256:
        return
    with path.open("rb") as content:
        media_store().put(key, content, _TYPES.get(path.suffix.removeprefix("."), "application/octet-stream"))
    if _in_store(key) != sha256:
        raise BackupFault(f"The store gives back another content than was put into it: {key}")


def _in_store(key: str) -> str | None:
    try:
        with media_store().open(key) as content:
            return sha256_of(content)
    except MediaNotFound:
        return None


def sha256_of_file(path: Path) -> str:
    """:raises BackupFault: where there is no such file, or it can't be read."""
    try:
        with path.open("rb") as content:
            return sha256_of(content)
    except OSError as error:
        raise BackupFault(f"{path} can't be read: {error.strerror}.") from error


def read_list(path: Path) -> dict[str, str]:
    """Hashes by key.

    :raises BackupFault: for a line that is none, or names a file elsewhere.
    """
    listed = {}
    with path.open(encoding="ascii", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            found = _LINE.fullmatch(line)
            if found is None or not _is_key(found["key"]):
                raise BackupFault(f"{path}, line {number}: no hash and file of this platform's media.")
            listed[found["key"]] = found["sha256"]
    return listed


def _is_key(text: str) -> bool:
    try:
        checked_key(text)
    except InvalidKey:
        return False
    return True


def write_list(path: Path, listed: dict[str, str]) -> None:
    with path.open("x", encoding="ascii") as file:
        for key, sha256 in sorted(listed.items()):
            file.write(f"{sha256}  {FOLDER}/{key}\n")
        file.flush()
        os.fsync(file.fileno())
