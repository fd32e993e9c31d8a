"""Asks the layer in front of Flask as a server would, so that a test sees the bytes that go over the wire."""

from __future__ import annotations

import time
from typing import Any

from werkzeug.test import EnvironBuilder

from trace_app.scanning.layer import ScanLayer
from trace_app.scanning.lease import StopLease

PHONE = {"User-Agent": "Mozilla/5.0 (Linux; Android 14) MicroMessenger/8.0"}


def ask(application: Any, code: str, method: str = "GET", **headers: str) -> tuple[str, dict[str, str], bytes]:
    """Status, headers and body."""
    environ = EnvironBuilder(path=f"/{code}", headers=PHONE | headers, method=method).get_environ()
    started: list[Any] = []
    chunks = application(environ, lambda status, head, _exc_info=None: started.append((status, head)))
    body = b"".join(chunks)
    if hasattr(chunks, "close"):
        chunks.close()
    return started[-1][0], dict(started[-1][1]), body


def layer_of(world: Any) -> ScanLayer:
    layer = world.app.wsgi_app
    assert isinstance(layer, ScanLayer)
    return layer


def until_leased(lease: StopLease) -> None:
    while lease.epoch(time.monotonic()) is None:
        time.sleep(0.005)
