"""Files of strangers, decoded in a process of their own that may take only so much memory and time.

A decoder in C or Rust that comes upon a bad file may ask for all of the memory, never end, or be ended by the system:
here that costs the sender of the file an error, and nobody else their answer. A process takes some 0.1 s to begin.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

AT_ONCE = 2
"""How many files are decoded at a time by all threads of a process."""
PATIENCE_S = 30.0
"""Seconds that a file waits for its turn."""
MEMORY_MB = 256
"""What a decoder may take beyond what it has after its modules were loaded."""
SECONDS = 20
GRACE_S = 5
"""Seconds of the clock that a decoder has beyond those of the processor."""
_ENVIRONMENT = {
    "PYTHONPATH": str(Path(__file__).parents[1]),
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    # Each thread would reserve 64 MB of addresses, of which memory is counted.
    "MALLOC_ARENA_MAX": "2",
}
_turns = threading.BoundedSemaphore(AT_ONCE)


class TookTooMuch(ValueError):
    """A decoder was ended: it ran out of its memory or time, or fell over what it read."""


class NoTurn(RuntimeError):
    """So many files wait to be decoded that this one had no turn in time."""


def confined(
    decode: Callable[P, R],
    *,
    memory_mb: int = MEMORY_MB,
    seconds: int = SECONDS,
    turns: threading.BoundedSemaphore | None = None,
) -> Callable[P, R]:
    """The same function, run in a process of its own each time.

    Its arguments, its value and what it raises are pickled. Its module should load little. The process stands in an
    empty folder.

    :param decode: a function that stands in a module.
    :param memory_mb: what it may take, beside its modules.
    :param seconds: of processor time, and of the clock.
    :param turns: of what waits on others more than it decodes, so that nobody's files wait for it.
    """

    def run(*arguments: P.args, **named: P.kwargs) -> R:
        task = pickle.dumps((decode, arguments, named, memory_mb, seconds))
        waits = turns or _turns
        if not waits.acquire(timeout=PATIENCE_S):
            raise NoTurn
        try:
            with tempfile.TemporaryDirectory(prefix="confined-") as nothing:
                done = subprocess.run(
                    [sys.executable, "-m", "media_store.confined"],
                    input=task,
                    capture_output=True,
                    cwd=nothing,
                    env=_ENVIRONMENT | {"PATH": os.environ.get("PATH", "")},
                    timeout=seconds + GRACE_S,
                    check=False,
                )
        except subprocess.TimeoutExpired as error:
            raise TookTooMuch(f"not decoded after {seconds} s") from error
        finally:
            waits.release()
        if done.returncode:
            raise TookTooMuch(f"the decoder ended with {done.returncode}")
        raised, value = pickle.loads(done.stdout)  # noqa: S301 - written by the process that was just begun
        if raised:
            raise value
        return value  # type: ignore[no-any-return]

    return run


def _main() -> None:
    """What the process does: one task from its standard input, the answer to its standard output."""
    answers = os.dup(1)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Loads the decoder's module, before memory is counted.
    decode, arguments, named, memory_mb, seconds = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - written by `run`
    _limit(memory_mb, seconds)
    answer: tuple[bool, Any]
    try:
        answer = (False, decode(*arguments, **named))
    except MemoryError:
        os._exit(1)
    except Exception as error:
        answer = (True, error.with_traceback(None))
    with os.fdopen(answers, "wb") as out:
        pickle.dump(answer, out)


def _limit(memory_mb: int, seconds: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Nothing is written to a disk.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


if __name__ == "__main__":
    _main()
