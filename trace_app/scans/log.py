"""The scan log's beginning: what a worker answers is noted in memory, and each second put into the spool.

Nothing of it is ever in a page's way: rows of the database are written from there (`intake`). A worker that is killed
loses one second of scans; a normal stop loses none.
"""

from __future__ import annotations

import atexit
import multiprocessing.util
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import structlog
from flask import Flask

from config import Settings
from trace_app.clock import local
from trace_app.scans.clients import client_of, key_of_day, source_of
from trace_app.scans.intake import Intake, spool_folder
from trace_app.scans.regions import Regions
from trace_app.scans.spool import Writer

EVERY_S = 1.0
"""Seconds between blocks: what a worker that is killed can lose."""
BLOCK = 5_000
"""Scans of a block."""
MOST = 60_000
"""Scans that wait in memory; while none can be put into the spool, further ones are not kept."""

log = structlog.get_logger()


class ScanLog:
    """Scans of a worker on their way into the database. Its thread begins with the first scan, in the worker itself."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._secret = settings.signing_key
        self._hops = settings.proxy_hops
        self._regions = Regions.read(settings.ip_regions) if settings.ip_regions else Regions([])
        self._place_of: Callable[[str, str], tuple[int, str]] = lru_cache(maxsize=16384)(self._place)
        self._waiting: deque[tuple[Any, ...]] = deque()
        self._spool = Writer(spool_folder(settings))
        self._intake = Intake(app, settings)
        self._writing = threading.Lock()
        self._beginning = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def note(
        self,
        environ: dict[str, Any],
        language: str,
        outcome: str,
        run_id: int | None = None,
        index: int | None = None,
        batch_id: int | None = None,
    ) -> None:
        """Put down a scan, unless it is of a program that is no person's.

        Neither address nor the program's name is kept, not even until the row is written.
        """
        self.note_of(*self.visitor(environ), language, outcome, run_id, index, batch_id)

    def visitor(self, environ: dict[str, Any]) -> tuple[str | None, str]:
        """What kind of client it is, None for a program that is no person's; and the address it comes from."""
        address = self._forwarded(environ) if self._hops else environ.get("REMOTE_ADDR", "")
        return client_of(environ.get("HTTP_USER_AGENT", "")), address

    def note_of(
        self,
        client: str | None,
        address: str,
        language: str,
        outcome: str,
        run_id: int | None,
        index: int | None,
        batch_id: int | None,
    ) -> None:
        """`note` for a `visitor` who is known already."""
        if client is None or len(self._waiting) >= MOST:
            return
        at, day = _moment(int(time.time()))
        source, region = self._place_of(address, day)
        # As a plain tuple, made in a fifth of the time of an `intake.Row`.
        self._waiting.append((at, outcome, run_id, index, batch_id, region, client, language, source))
        if self._thread is None:
            self._begin()

    def _forwarded(self, environ: dict[str, Any]) -> str:
        """Whom the outermost proxy of our own saw."""
        if environ.get("HTTP_X_FORWARDED_FOR"):
            forwarded = environ["HTTP_X_FORWARDED_FOR"].split(",")
            if len(forwarded) >= self._hops:
                return str(forwarded[-self._hops]).strip()
        return str(environ.get("REMOTE_ADDR", ""))

    def _begin(self) -> None:
        with self._beginning:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="scan-log", daemon=True)
            self._thread.start()
            # Nothing is lost on a normal stop: of a plain process, or of one of a server's.
            atexit.register(self.close)
            multiprocessing.util.Finalize(self, self.close, exitpriority=100)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self.write()

    def close(self) -> None:
        """Put down what waits, and no more by itself."""
        self._stop.set()
        with self._writing:
            self._put_down()
            self._spool.close()
            self._intake.take_turn()

    def write(self) -> None:
        """Put what waits into the spool, and have it taken in where nobody else does that."""
        with self._writing:
            self._put_down()
            self._intake.take_turn()

    def _put_down(self) -> None:
        try:
            # What has come meanwhile goes next time.
            for _ in range(-(-len(self._waiting) // BLOCK)):
                self._put_block()
            self._spool.tidy()
        except OSError as error:
            log.warning("scans not put down", error=str(error))

    def _put_block(self) -> None:
        """Put the first that wait into the spool; where that fails they wait on."""
        rows = [self._waiting.popleft() for _ in range(min(BLOCK, len(self._waiting)))]
        try:
            self._spool.put(rows)
        except BaseException:
            self._waiting.extendleft(reversed(rows))
            raise

    def _place(self, address: str, day: str) -> tuple[int, str]:
        return source_of(address, _day_key(self._secret, day)), self._regions.of(address)


_day_key = lru_cache(maxsize=8)(key_of_day)


@lru_cache(maxsize=64)
def _moment(unix: int) -> tuple[str, str]:
    """The moment as both databases take it, and the day in Qujing."""
    moment = datetime.fromtimestamp(unix, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.000000", local(moment).date().isoformat()
