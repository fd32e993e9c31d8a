"""What every media store does."""

from __future__ import annotations

import re
from typing import BinaryIO, Protocol

_KEY = re.compile(r"[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)*(\.[a-z0-9]+)?")


class InvalidKey(ValueError):
    """A key is a lower-case path such as ``photos/3f/3fa0.jpg``; this one is not."""


class MediaNotFound(LookupError):
    """Nothing is stored under the key."""


class BeyondTheEnd(ValueError):
    """A range begins where the content has ended, or is of no bytes."""


class StoreUnavailable(RuntimeError):
    """The store did not answer or refused; nothing was stored."""


class StoreRefused(StoreUnavailable):
    """The store answered, and said no: its credentials, its room, its rules."""


class MediaStore(Protocol):
    """A place for files by key. All methods raise `InvalidKey` and `StoreUnavailable`."""

    def put(self, key: str, content: BinaryIO, content_type: str) -> None:
        """Store all of ``content``, replacing what was there. Whole or not at all, and never all of it in memory."""
        ...

    def open(self, key: str) -> BinaryIO:
        """The content from its beginning; the caller closes it. Raises `MediaNotFound`."""
        ...

    def open_range(self, key: str, start: int, length: int) -> BinaryIO:
        """So many bytes of the content from ``start`` on, fewer where it ends before; the caller closes it.

        Raises `MediaNotFound` and `BeyondTheEnd`.
        """
        ...

    def size(self, key: str) -> int:
        """Bytes stored. Raises `MediaNotFound`."""
        ...

    def delete(self, key: str) -> None:
        """Remove the content; not an error where there is none."""
        ...


def checked_key(key: str) -> str:
    if len(key) > 200 or not _KEY.fullmatch(key):
        raise InvalidKey(key)
    return key
