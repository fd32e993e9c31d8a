"""Where clips are put together and looked at, by one consumer each; and how many died of one.

A consumer that takes a clip up holds the lock of a small file, which it lengthens by a byte, and takes that back when
it is done. A system lets go of the locks of who dies; so what nobody holds is what a dead one has left.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MOST_DEATHS = 2
"""Consumers that may die of a clip before it is refused unseen."""
_FORGOTTEN_S = 86_400
"""Seconds after which nobody asks any more how many died of a clip: one that waits is taken up every minute."""


@dataclass(frozen=True, slots=True)
class Work:
    """A clip that is taken up.

    :ivar path: where it is put together: the one file of its folder, for there are clips that have a decoder read
        those beside them.
    :ivar deaths: how many consumers died of it.
    """

    path: Path
    deaths: int


@contextmanager
def at_work(folder: Path, clip_id: int) -> Iterator[Work | None]:
    """Take a clip up; None where another consumer has it.

    :param folder: of all clips at work.
    """
    clear_away(folder)
    count = _count_of(folder, clip_id)
    with count.open("ab") as held:
        if not _lock(held):
            yield None
            return
        deaths = os.fstat(held.fileno()).st_size
        held.write(b".")
        held.flush()
        try:
            with tempfile.TemporaryDirectory(dir=folder, prefix=f"{clip_id}-") as own:
                yield Work(Path(own) / "clip", deaths)
        except MemoryError:
            # What takes all memory would have ended others.
            raise
        except BaseException:
            held.truncate(deaths)
            raise
        count.unlink(missing_ok=True)


def clear_away(folder: Path) -> None:
    """Let go what consumers have left that died."""
    for left in folder.iterdir():
        if left.is_dir():
            if _is_nobodys(_count_of(folder, left.name.partition("-")[0])):
                shutil.rmtree(left, ignore_errors=True)
        elif _is_old(left):
            left.unlink(missing_ok=True)


def _count_of(folder: Path, clip: int | str) -> Path:
    return folder / f"{clip}.deaths"


def _is_nobodys(count: Path) -> bool:
    try:
        with count.open("rb") as file:
            return _lock(file)
    except FileNotFoundError:
        return True


def _is_old(count: Path) -> bool:
    try:
        return time.time() - count.stat().st_mtime > _FORGOTTEN_S
    except FileNotFoundError:
        return False


def _lock(file: BinaryIO) -> bool:
    """Whether the file's lock was had, for as long as the file is open."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
