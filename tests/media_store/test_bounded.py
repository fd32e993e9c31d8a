"""A store that is slow, silent or away holds few, and for a short time."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest

from media_store import BoundedStore, LocalStore, MediaNotFound, StoreRefused, StoreUnavailable
from media_store.bounded import AT_A_TIME, AWAY_S, FAILURES

KEY = "photos/3f/one.webp"


class Moody(LocalStore):
    """A store that answers, waits or fails as it is told."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked = 0
        self.trouble: type[Exception] | None = None
        self.answering = threading.Event()
        self.answering.set()
        self.within = threading.Semaphore(0)

    def open(self, key: str) -> BinaryIO:
        self.asked += 1
        self.within.release()
        self.answering.wait()
        if self.trouble is not None:
            raise self.trouble("as it was told")
        return super().open(key)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def moody(tmp_path: Path) -> Moody:
    store = Moody(tmp_path)
    store.put(KEY, io.BytesIO(b"a photo"), "image/webp")
    return store


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(30) as pool:
        yield pool


def _read(store: BoundedStore) -> bytes:
    with store.open(KEY) as file:
        return file.read()


def test_a_store_that_answers_is_asked_by_everyone(moody: Moody, threads: ThreadPoolExecutor) -> None:
    bounded = BoundedStore(moody)
    answers = [threads.submit(_read, bounded) for _ in range(200)]
    assert [answer.result() for answer in answers] == [b"a photo"] * 200


def test_few_are_within_a_store_that_is_silent_and_the_others_are_told(
    moody: Moody, threads: ThreadPoolExecutor
) -> None:
    bounded = BoundedStore(moody)
    moody.answering.clear()
    asked: list[Future[bytes]] = [threads.submit(_read, bounded) for _ in range(24)]
    for _ in range(AT_A_TIME):
        moody.within.acquire()
    refused = 0
    # These come back while those within still wait.
    while refused < 24 - AT_A_TIME:
        refused = sum(answer.done() for answer in asked)
    assert moody.asked == AT_A_TIME
    moody.answering.set()
    came = [answer.exception() for answer in asked]
    assert sum(error is None for error in came) == AT_A_TIME
    assert all(error is None or isinstance(error, StoreUnavailable) for error in came)


def test_who_reads_slowly_holds_no_place(moody: Moody) -> None:
    bounded = BoundedStore(moody)
    slow = [bounded.open(KEY) for _ in range(AT_A_TIME * 3)]
    assert _read(bounded) == b"a photo"
    for file in slow:
        assert file.read() == b"a photo"
        file.close()


def test_after_some_failures_the_store_is_left_alone_and_then_asked_by_one(moody: Moody) -> None:
    clock = Clock()
    bounded = BoundedStore(moody, clock)
    moody.trouble = StoreUnavailable
    for _ in range(FAILURES + 5):
        with pytest.raises(StoreUnavailable):
            bounded.open(KEY)
    assert moody.asked == FAILURES
    clock.now += AWAY_S
    for _ in range(5):
        with pytest.raises(StoreUnavailable):
            bounded.open(KEY)
    assert moody.asked == FAILURES + 1
    clock.now += AWAY_S
    moody.trouble = None
    assert [_read(bounded) for _ in range(10)] == [b"a photo"] * 10


@pytest.mark.parametrize("trouble", [MediaNotFound, StoreRefused])
def test_a_store_that_says_no_is_not_away(moody: Moody, trouble: type[Exception]) -> None:
    bounded = BoundedStore(moody)
    moody.trouble = trouble
    for _ in range(FAILURES + 5):
        with pytest.raises(trouble):
            bounded.open(KEY)
    assert moody.asked == FAILURES + 5
