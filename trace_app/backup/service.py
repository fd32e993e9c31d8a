"""Backups: made at one moment of the database, checked by hashes, restored into an empty place alone.

A folder of backups holds a folder for each, named by its moment, ``media`` with the files of all of them, and the keys
under ``keys`` where nothing else is said: they belong elsewhere.
"""

from __future__ import annotations

import fcntl
import hmac
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from alembic.script import ScriptDirectory
from alembic.util import CommandError

from trace_app.backup import database, files, sealed
from trace_app.backup.about import ABOUT, STAMP, About, read_about
from trace_app.backup.faults import BackupFault
from trace_app.db.base import utc_now
from trace_app.extensions import db
from trace_app.labels.keys import key_file
from trace_app.media.check import FileState, checked_files
from trace_app.settings import settings

_LABEL_KEYS = "label-keys.json"
_BACKUPS = re.compile(rf"\.?[0-9]{{8}}T[0-9]{{6}}Z|{files.FOLDER}|keys|\.lock|lost\+found")
"""What a folder of backups has in it."""
_OWN_KEYS = {"secret-key": "SECRET_KEY", "factor-key": "FACTOR_KEY", "identity-key": "IDENTITY_KEY"}
"""The keys beside those of labels, with the settings that may hold them."""


class Made(NamedTuple):
    """A backup that was made."""

    name: str
    rows: int
    files: int
    new_files: int
    missing: list[str]
    """The keys of files that the database names and the store has not."""


class Restored(NamedTuple):
    """What a restored backup brought."""

    name: str
    rows: int
    files: int
    notes: list[str]
    """What has to be looked after by hand."""


def make(folder: Path, *, passphrase: str | None, keys_folder: Path | None = None, keep: int | None = None) -> Made:
    """Make a backup.

    :param passphrase: seals the keys; None leaves them out.
    :param keys_folder: where the sealed keys go; ``keys`` within the folder where not given.
    :param keep: how many backups stay, this one among them; all where not given.
    :raises BackupFault, StoreUnavailable, OSError: nothing that looks like a backup is left then.
    """
    if passphrase is not None:
        sealed.must_be_long(passphrase)
    _must_be_for_backups(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / files.FOLDER).mkdir(exist_ok=True, mode=0o700)
    with _alone(folder):
        name = utc_now().strftime(STAMP)
        unfinished = folder / f".{name}"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        sealed_file = (keys_folder or folder / "keys") / f"{name}.sealed"
        try:
            made = _fill(folder, unfinished, name)
            if passphrase is not None:
                sealed_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                sealed.seal(sealed_file, passphrase, _keys_here())
            # It is a backup from here on.
            unfinished.rename(folder / name)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            sealed_file.unlink(missing_ok=True)
            raise
        if keep is not None:
            _drop_old(folder, sealed_file.parent, keep)
        return made


def _fill(folder: Path, unfinished: Path, name: str) -> Made:
    kind = db.engine.dialect.name
    dumped = unfinished / database.FILES[kind]
    rows, revision = database.dump(dumped)
    # What is put into the store is there before its row is: all that the file names can be read now, and more.
    earlier = names(folder)
    known = files.read_list(folder / earlier[-1] / files.LIST) if earlier else {}
    listed: dict[str, str] = {}
    missing, new = [], 0
    for key in files.keys_named():
        path = folder / files.FOLDER / key
        if not path.exists():
            if not files.copy_from_store(key, folder / files.FOLDER):
                missing.append(key)
                continue
            new += 1
            known.pop(key, None)
        listed[key] = known.get(key) or files.sha256_of_file(path)
    files.write_list(unfinished / files.LIST, listed)
    about = About(
        format=1,
        made_at=name,
        database="postgresql" if kind == "postgresql" else "sqlite",
        revision=revision,
        rows=rows,
        sha256={each.name: files.sha256_of_file(each) for each in (dumped, unfinished / files.LIST)},
        missing=missing,
        label_keys={str(number): mark for number, mark in key_file().fingerprints().items()},
    )
    with (unfinished / ABOUT).open("x", encoding="ascii") as file:
        file.write(about.model_dump_json(indent=1, ensure_ascii=True))
        file.flush()
        os.fsync(file.fileno())
    return Made(name, sum(rows.values()), len(listed), new, missing)


def names(folder: Path) -> list[str]:
    """The backups in a folder, the oldest first."""
    return sorted(path.parent.name for path in folder.glob(f"[0-9]*T*Z/{ABOUT}"))


def check(folder: Path, name: str | None = None) -> About:
    """Read all of a backup, and compare it with the hashes that it was made with. Returns what is said about it.

    :param name: the newest where not given.
    :raises BackupFault: where anything is missing or altered.
    """
    # A backup that has lost what it says of itself is told of, not passed over.
    found = sorted(path.name for path in folder.glob("[0-9]*T*Z"))
    if not found or (name or found[-1]) not in found:
        raise BackupFault(f"There is no such backup in {folder}; there are: {', '.join(found) or 'none'}.")
    place = folder / (name or found[-1])
    about = read_about(place)
    for file, sha256 in about.sha256.items():
        _must_be(place / file, sha256)
    for key, sha256 in files.read_list(place / files.LIST).items():
        _must_be(folder / files.FOLDER / key, sha256)
    return about


def check_keys(folder: Path, name: str, passphrase: str, keys_folder: Path | None = None) -> None:
    """See whether a backup's keys are there, and whether the passphrase opens them.

    :raises BackupFault:
    """
    sealed.unseal((keys_folder or folder / "keys") / f"{name}.sealed", passphrase)


def restore(
    folder: Path, name: str | None = None, *, passphrase: str | None, keys_folder: Path | None = None
) -> Restored:
    """Restore a backup into an empty place: no table in the database, no label keys but the same.

    The database comes last, in one piece: where anything fails before, all can be done again.

    :param passphrase: opens the keys; None leaves them as they are.
    :raises BackupFault, StoreUnavailable, OSError:
    """
    about = check(folder, name)
    name = about.made_at
    if about.database != db.engine.dialect.name:
        raise BackupFault(f"The backup is of {about.database}: set DATABASE_URL accordingly.")
    try:
        schemas = ScriptDirectory(settings().migrations)
        schemas.get_revision(about.revision)
    except CommandError as error:
        newer = f"The backup is of a newer release (schema {about.revision}): install that one."
        raise BackupFault(newer) from error
    if not database.is_empty():
        raise BackupFault("The database is not empty. A backup is restored into an empty one: nothing is overwritten.")
    notes = []
    if passphrase is not None:
        texts = sealed.unseal((keys_folder or folder / "keys") / f"{name}.sealed", passphrase)
        notes += _put_keys(texts)
    if {str(number): mark for number, mark in _label_marks().items()} != about.label_keys:
        raise BackupFault(f"{settings().label_keys} holds other label keys than the backup was made with.")
    listed = files.read_list(folder / name / files.LIST)
    for key, sha256 in listed.items():
        files.put_into_store(key, folder / files.FOLDER / key, sha256)
    database.restore(folder / name / database.FILES[about.database])
    if (rows := database.rows_now(about.rows)) != about.rows:
        differing = sorted(table for table, count in about.rows.items() if rows.get(table) != count)
        raise BackupFault(f"These tables have other numbers of rows than in the backup: {', '.join(differing)}.")
    if about.revision == schemas.get_current_head():
        lost = [key for key, state in checked_files() if state is not FileState.WHOLE]
        notes += [f"missing or altered when the backup was made: {key}" for key in lost]
    else:
        notes.append(f"the schema is {about.revision} as it was: flask setup brings it up to this release")
    return Restored(name, sum(rows.values()), len(listed), notes)


def _must_be_for_backups(folder: Path) -> None:
    """:raises BackupFault: where the folder is the platform's own, or another's who keeps other things there."""
    if folder.resolve().is_relative_to(settings().folder.resolve()):
        raise BackupFault(f"{folder} lies in DATA_DIR: what befalls the data would befall their backup.")
    if folder.is_dir() and (others := [path for path in folder.iterdir() if not _BACKUPS.fullmatch(path.name)]):
        raise BackupFault(f"{folder} has other things in it ({others[0].name}): give backups a folder of their own.")


def _must_be(path: Path, sha256: str) -> None:
    if files.sha256_of_file(path) != sha256:
        raise BackupFault(f"{path} was altered since the backup was made.")


def _keys_here() -> dict[str, str]:
    kept = settings()
    return {
        _LABEL_KEYS: key_file().path.read_text("ascii"),
        "secret-key": kept.signing_key,
        "factor-key": kept.factor_secret,
        "identity-key": kept.identity_secret,
    }


def _label_marks() -> dict[int, str]:
    return key_file().fingerprints() if key_file().exists() else {}


def _put_keys(texts: dict[str, str]) -> list[str]:
    """Put the keys where they belong. Returns what the settings say otherwise."""
    kept, notes = settings(), []
    if key_file().exists():
        if key_file().path.read_text("ascii") != texts[_LABEL_KEYS]:
            raise BackupFault(f"{key_file().path} is there and another: move it away first.")
    else:
        kept.label_keys.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_secret(kept.label_keys, texts[_LABEL_KEYS])
    set_here = {"secret-key": kept.secret_key, "factor-key": kept.factor_key, "identity-key": kept.identity_key}
    for name, setting in _OWN_KEYS.items():
        # A backup of before persons could be producers has no key for their numbers.
        if name not in texts:
            continue
        given = set_here[name]
        if given is None:
            _write_secret(kept.folder / "keys" / name, texts[name])
        elif not hmac.compare_digest(given.get_secret_value(), texts[name]):
            notes.append(f"{setting} is another than that of the backup")
    return notes


def _write_secret(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


def _drop_old(folder: Path, keys_folder: Path, keep: int) -> None:
    """Delete all but the newest backups, and the files that no list names any more."""
    found = names(folder)
    for name in found[:-keep]:
        shutil.rmtree(folder / name)
        (keys_folder / f"{name}.sealed").unlink(missing_ok=True)
    if len(found) <= keep:
        return
    named: set[str] = set()
    for name in found[-keep:]:
        named |= files.read_list(folder / name / files.LIST).keys()
    media = folder / files.FOLDER
    for path in [path for path in media.rglob("*") if path.is_file()]:
        if path.relative_to(media).as_posix() not in named:
            path.unlink()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """:raises BackupFault: where another backup is being made there."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BackupFault(f"Another backup is being made in {folder}.") from error
        yield
