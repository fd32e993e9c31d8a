"""Scans on their way from the workers that answer them to the database: blocks of rows in files of a folder.

A worker appends what it has each second, for a tenth of what writing rows into the database takes; whoever takes
them in (`intake`) reads the blocks in order. A file has one writer, who holds a lock on it until it is closed or
killed: who then gets the lock has seen all of it.

A block is its length (4 bytes, little-endian) and rows as `marshal` writes them: in a third of the time of text, read
by every later Python, and without anything in it that could run.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE_S = 60.0
"""Seconds after which a writer begins another file."""
FILE_BYTES = 8 * 1024 * 1024
"""Or when it has this many."""
MOST_BYTES = 256 * 1024 * 1024
"""Of all files that wait: some five million scans. While the database is away, further ones are not kept."""
SUFFIX = ".scans"
DAMAGED = ".damaged"
_HEAD = 4
_VERSION = 4


class SpoolFull(OSError):
    """More waits than may."""


class DamagedSpool(ValueError):
    """A file has bytes that are no rows."""


class Writer:
    """One worker's way into the spool."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None
        self._begun = 0.0
        self._size = 0

    def put(self, rows: list[tuple[Any, ...]]) -> None:
        """Append a block: all of it or nothing.

        :raises OSError: where it can't be written; `SpoolFull` where too much waits.
        """
        data = marshal.dumps(rows, _VERSION)
        block = len(data).to_bytes(_HEAD, "little") + data
        file = self._opened()
        try:
            if os.write(file, block) != len(block):
                raise OSError("part of a block alone was written")
        except OSError:
            os.ftruncate(file, self._size)
            raise
        self._size += len(block)

    def tidy(self) -> None:
        """Let a file go that has been written to for long enough, so that it can be deleted once it is taken in."""
        if time.monotonic() - self._begun > FILE_S or self._size > FILE_BYTES:
            self.close()

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _opened(self) -> int:
        self.tidy()
        if self._file is None:
            self._folder.mkdir(exist_ok=True, mode=0o700)
            if sum(path.stat().st_size for path in waiting(self._folder)) > MOST_BYTES:
                raise SpoolFull("too many scans wait")
            # In the order of time.
            path = self._folder / f"{time.time_ns():020}-{secrets.token_hex(4)}{SUFFIX}"
            new = path.with_suffix(".new")
            self._file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            # Nobody may find it before it is locked, and take it for one that is over.
            fcntl.flock(self._file, fcntl.LOCK_EX)
            new.rename(path)
            self._begun, self._size = time.monotonic(), 0
        return self._file


def waiting(folder: Path) -> list[Path]:
    """The files of a spool, the oldest first."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def blocks(path: Path, begin: int) -> Iterator[tuple[list[tuple[Any, ...]], int]]:
    """Whole blocks of a file from a place on, and the place behind each.

    :raises DamagedSpool:
    """
    with path.open("rb") as file:
        file.seek(begin)
        while len(head := file.read(_HEAD)) == _HEAD:
            data = file.read(length := int.from_bytes(head, "little"))
            if len(data) < length:
                return  # Being written, or cut short by the death of its writer.
            try:
                rows = marshal.loads(data)  # noqa: S302 - the platform's own files; nothing in them is run
            except (ValueError, EOFError, TypeError) as error:
                raise DamagedSpool(f"{path.name}, at {begin}") from error
            begin += _HEAD + length
            yield rows, begin


def is_over(path: Path, begin: int) -> bool:
    """Whether nobody writes to a file any more, and it has no whole block from a place on."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return next(blocks(path, begin), None) is None


def set_aside(path: Path) -> None:
    """Have a damaged file keep nobody from those behind it."""
    path.rename(path.with_suffix(DAMAGED))
