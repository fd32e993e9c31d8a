"""What a decoder may do, well or badly."""

from __future__ import annotations

import os
import time


def double(number: int) -> int:
    return number * 2


def whose_process() -> int:
    return os.getpid()


def fail(word: str) -> None:
    raise KeyError(word)


def fill_memory(megabytes: int) -> int:
    return len(bytearray(megabytes * 1024 * 1024))


def never_end() -> None:
    while True:
        pass


def sleep_on(seconds: float) -> None:
    time.sleep(seconds)


def be_killed() -> None:
    os.abort()


def talk() -> str:
    os.write(1, b"a library's chatter")
    print("and more of it")
    return "the answer"


def write_a_file(path: str) -> None:
    with open(path, "wb") as out:
        out.write(b"x")


def what_is_here() -> list[str]:
    return os.listdir()
