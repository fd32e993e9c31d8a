"""The processes of ``flask serve``: granian's web workers on one port, and the job consumer beside them."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from wsgiref.types import WSGIApplication

import structlog
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import Server

from config import Settings, read_settings
from trace_app import metrics

THREADS = 8
"""Requests that a web worker answers at a time."""
PATIENCE_S = 25
"""Seconds that requests, and what the job consumer still has to write, may take to end when the platform stops."""
AGAIN_S = 1.0
"""Seconds before a job consumer that has ended is started again."""
_PR_SET_PDEATHSIG = 1
"""The number of this option in Linux's prctl.h."""

log = structlog.get_logger()


def serve(settings: Settings) -> None:
    """Run web workers and job consumer until interrupted; whichever ends is started again.

    :raises OSError: where something else listens on the address.
    """
    with _shared_figures():
        _serve(settings)


def _serve(settings: Settings) -> None:
    host, _, number = settings.bind.rpartition(":")
    address, port = host.strip("[]"), int(number)
    _look_for_others(address, port)
    server = Server(
        "wsgi:app",
        address=address,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=settings.web_workers,
        blocking_threads=THREADS,
        respawn_failed_workers=True,
        workers_kill_timeout=PATIENCE_S,
        log_level=LogLevels.warning,
    )
    consumer = JobConsumer()
    server.on_startup(consumer.start)
    # The consumer last: it writes down the scans that the workers hand over at their end.
    server.on_shutdown(consumer.stop)
    server.serve(target_loader=_load)


@contextmanager
def _shared_figures() -> Iterator[None]:
    """A folder in which all processes count what they do; in memory, as a full disk must stop none of them."""
    memory = Path("/dev/shm")  # noqa: S108
    with TemporaryDirectory(prefix="trace-figures-", dir=memory if memory.is_dir() else None) as folder:
        os.environ[metrics.FOLDER] = folder
        yield


def _look_for_others(address: str, port: int) -> None:
    """Workers share the port, and would share it with another platform as well: half of the connections each."""
    family, _, _, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    with socket.socket(family) as alone:
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind(place)


def _load(_target: str) -> WSGIApplication:
    """The application, as a new worker loads it."""
    end_with_parent()
    if url := read_settings().web_database_url:
        # The consumer keeps the owner's: it makes and drops the parts of the scan log.
        os.environ["DATABASE_URL"] = url
    from wsgi import app

    return app


class JobConsumer:
    """``flask jobs`` in a process of its own, started again when it ends."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._watch, name="job-consumer", daemon=True)

    def start(self) -> None:
        self._run()
        self._thread.start()

    def _run(self) -> None:
        command = [sys.executable, "-m", "flask", "--app", "wsgi", "jobs"]
        self._process = subprocess.Popen(command, start_new_session=True, preexec_fn=end_with_parent)

    def _watch(self) -> None:
        while self._process is not None:
            code = self._process.wait()
            if self._stopping.wait(AGAIN_S):
                return
            with self._starting:
                if self._stopping.is_set():
                    return
                log.error("the job consumer ended and is started again", code=code)
                self._run()

    def stop(self) -> None:
        with self._starting:
            self._stopping.set()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                log.error("the job consumer did not end and is killed", after_s=PATIENCE_S)
                self._process.kill()
        self._thread.join()


def end_with_parent() -> None:
    """Have the system end this process when the one that started it is killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
