"""The processes of the platform: web workers on one port, and the job consumer beside them."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import socket
import subprocess
import sys
import time
from typing import Any

import structlog
import uvicorn
from flask import Flask

from config import Settings
from trace_app.serving.connection import Platform, ScanConnection

THREADS = 8
"""Of each web worker, for what Flask answers."""
PATIENCE_S = 25
"""Seconds that requests may take to end when the platform stops."""
BACKLOG = 1024
_AGAIN_S = 1.0
"""Seconds before a process that has ended is started again."""
_PR_SET_PDEATHSIG = 1
"""Of Linux's prctl.h."""

log = structlog.get_logger()


def serve(settings: Settings) -> None:
    """Run web workers and job consumer until interrupted; whichever ends is started again."""
    host, _, port = settings.bind.rpartition(":")
    sockets = _listen(host.strip("[]"), int(port), settings.web_workers)
    commands = [("worker", str(listener.fileno())) for listener in sockets] + [("jobs",)]
    running = [_start(command) for command in commands]
    stopping = False

    def stop(*_: Any) -> None:
        nonlocal stopping
        stopping = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    while not stopping:
        time.sleep(0.2)
        for place, process in enumerate(running):
            if process.poll() is not None and not stopping:
                log.error("process ended", command=commands[place][0], code=process.returncode)
                time.sleep(_AGAIN_S)
                running[place] = _start(commands[place])
    # The consumer last: it takes in the scans that the workers put down at their end.
    for some in (running[:-1], running[-1:]):
        for process in some:
            process.terminate()
        for process in some:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE_S + 5)
            process.kill()
            process.wait()


def _listen(host: str, port: int, count: int) -> list[socket.socket]:
    """Sockets on one address, one for each worker, between whom the system spreads connections.

    They stay open here, so that connections wait for a worker that is started again.

    :raises OSError: where something else listens there.
    """
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    with socket.socket(family) as alone:
        # Without this look, another platform on the same port would get half of the connections.
        alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind(address)
    sockets = []
    for _ in range(count):
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
        listener.set_inheritable(True)
        sockets.append(listener)
    return sockets


def _start(command: tuple[str, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", *command],
        start_new_session=True,
        pass_fds=[int(number) for number in command[1:]],
        preexec_fn=_end_with_parent,
    )


def work(app: Flask, settings: Settings, listener: int) -> None:
    """Be a web worker until told to stop.

    :param listener: file descriptor of its listening socket.
    """
    # Uvicorn raises the signal that stopped it once more when it has done: end as processes do that end by themselves.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    config = uvicorn.Config(
        # Some bytes more than Flask takes, so that it is Flask that refuses.
        Platform(app, threads=THREADS, most=settings.max_upload_mb * 1024 * 1024 + 1),
        interface="asgi3",
        http=ScanConnection,
        ws="none",
        loop="uvloop",
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=PATIENCE_S,
    )
    uvicorn.Server(config).run([socket.socket(fileno=listener)])


def _end_with_parent() -> None:
    """In a new process: have the system end it when the one that started it is killed."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
