"""A store over a network, kept from holding whoever asks: few at a time, and for a while nobody where it is silent."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from media_store.store import MediaStore, StoreRefused, StoreUnavailable

AT_A_TIME = 4
"""Threads of a process that may be within the store."""
STUCK_S = 0.5
"""Seconds without anyone going in after which those within are taken to be stuck, and nobody waits behind them."""
LONGEST_WAIT_S = 5.0
"""Seconds that one waits for its turn at most, however briskly it goes."""
FAILURES = 3
"""Failures in a row after which the store is taken to be away."""
AWAY_S = 10.0
"""Seconds that a store which is away is asked by nobody; then by one alone."""


class BoundedStore:
    """A `MediaStore` that asks another, as long as that one answers.

    What waits is always told of: whoever finds no place, or finds the store away, gets `StoreUnavailable` at once. A
    place is held while the store is waited for, and not while a slow reader takes in what has come.
    """

    def __init__(self, store: MediaStore, clock: Callable[[], float] = time.monotonic) -> None:
        self.store = store
        self._clock = clock
        self._changed = threading.Condition()
        self._within = 0
        self._last_in = -STUCK_S
        self._failures = 0
        self._again_at = 0.0

    def put(self, key: str, content: BinaryIO, content_type: str) -> None:
        with self._place():
            self.store.put(key, content, content_type)

    def open(self, key: str) -> BinaryIO:
        with self._place():
            return cast(BinaryIO, _BoundedBody(self, self.store.open(key)))

    def open_range(self, key: str, start: int, length: int) -> BinaryIO:
        with self._place():
            return cast(BinaryIO, _BoundedBody(self, self.store.open_range(key, start, length)))

    def size(self, key: str) -> int:
        with self._place():
            return self.store.size(key)

    def delete(self, key: str) -> None:
        with self._place():
            self.store.delete(key)

    def read(self, body: BinaryIO, size: int) -> bytes:
        with self._place():
            return body.read(size)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """A place within the store, and word of whether it answered."""
        self._go_in()
        answered = True
        try:
            yield
        except StoreRefused:
            raise
        except StoreUnavailable:
            answered = False
            raise
        finally:
            self._go_out(answered)

    def _go_in(self) -> None:
        with self._changed:
            self._must_not_be_away()
            end = self._clock() + LONGEST_WAIT_S
            while self._within >= AT_A_TIME:
                left = min(end, self._last_in + STUCK_S) - self._clock()
                if left <= 0:
                    raise StoreUnavailable("too many wait for the store")
                self._changed.wait(left)
                self._must_not_be_away()
            self._within += 1
            self._last_in = self._clock()

    def _must_not_be_away(self) -> None:
        if self._failures < FAILURES:
            return
        now = self._clock()
        if now < self._again_at:
            raise StoreUnavailable("the store did not answer lately")
        # This one tries; the others wait for what it finds.
        self._again_at = now + AWAY_S

    def _go_out(self, answered: bool) -> None:
        with self._changed:
            self._within -= 1
            if answered:
                self._failures = 0
            else:
                self._failures += 1
                self._again_at = self._clock() + AWAY_S
            self._changed.notify()


class _BoundedBody(io.RawIOBase):
    """Content as it comes in; each piece of it needs a place."""

    def __init__(self, store: BoundedStore, body: BinaryIO) -> None:
        self._store, self._body = store, body

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self._store.read(self._body, size)

    def close(self) -> None:
        self._body.close()
        super().close()
