"""The scan log: what a worker answers is noted in memory, and handed to the job queue each second.

Nothing of it is ever in a page's way: the job consumer writes the rows. A worker that is killed loses one second of
scans, and so does a consumer that is killed while it writes; a stop loses none. While the database is away messages
wait in the queue, and behind a full queue scans wait in memory. What finds no place there is dropped, counted and
said.
"""

from __future__ import annotations

import multiprocessing.util
import threading
import time
import uuid
from collections import deque
from functools import lru_cache
from typing import NamedTuple
from wsgiref.types import WSGIEnvironment

import structlog
from flask import Flask

from config import Settings
from trace_app import metrics
from trace_app.clock import local_day
from trace_app.extensions import jobs
from trace_app.scanning.clients import client_of, key_of_day, source_of
from trace_app.scanning.intake import QUEUE, take_in
from trace_app.scanning.regions import Regions

EVERY_S = 1.0
"""Seconds between messages: what a worker that is killed can lose."""
MOST_IN_MEMORY = 60_000
"""Scans that wait in memory; further ones are dropped."""
MOST_IN_MESSAGE = 10_000
MOST_MESSAGES = 1_000
"""Messages that wait in the queue, for all workers together; behind them scans wait in memory."""

log = structlog.get_logger()


class Scan(NamedTuple):
    """A scan as it is noted. Neither address nor the program's name is kept, not even until it is written."""

    at: int
    """Unix time."""
    outcome: str
    run_id: int | None
    place: int | None
    """The label's index in its run, of an item."""
    batch_id: int | None
    region: str
    client: str
    language: str
    source: int


class ScanLog:
    """A worker's scans on their way into the queue. Its thread begins with the first scan, in the worker itself."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._app = app
        self._secret = settings.signing_key
        self._regions = Regions.read(settings.ip_regions) if settings.ip_regions else Regions([])
        self._origin = lru_cache(maxsize=16_384)(self._find_origin)
        self._waiting: deque[Scan] = deque()
        self._dropped = 0
        self._handing_over = threading.Lock()
        self._beginning = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def note(
        self,
        environ: WSGIEnvironment,
        language: str,
        outcome: str,
        run_id: int | None = None,
        index: int | None = None,
        batch_id: int | None = None,
    ) -> None:
        """Put down a scan, unless it is of a program that is no person's."""
        client = client_of(environ.get("HTTP_USER_AGENT", ""))
        if client is None:
            return
        if len(self._waiting) >= MOST_IN_MEMORY:
            self._dropped += 1
            return
        now = int(time.time())
        source, region = self._origin(environ.get("REMOTE_ADDR", ""), local_day(now))
        self._waiting.append(Scan(now, outcome, run_id, index, batch_id, region, client, language, source))
        if self._thread is None:
            self._begin()

    def _begin(self) -> None:
        with self._beginning:
            if self._thread is not None:
                return
            self._thread = threading.Thread(target=self._run, name="scan-log", daemon=True)
            self._thread.start()
            # At the end of a plain process as well as of one of a server's: the latter know no `atexit`.
            multiprocessing.util.Finalize(self, self.close, exitpriority=100)

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self.hand_over()

    def close(self) -> None:
        """Hand over what waits, and no more by itself."""
        self._stop.set()
        self.hand_over(closing=True)

    def hand_over(self, *, closing: bool = False) -> None:
        """Put what waits into the queue; where that fails, or the queue is full, it waits on.

        :param closing: whether it can wait no longer, and goes into a full queue as well.
        """
        with self._handing_over, self._app.app_context():
            try:
                # What comes meanwhile goes the next time.
                for _ in range(-(-len(self._waiting) // MOST_IN_MESSAGE)):
                    if not closing and jobs.waiting(QUEUE) >= MOST_MESSAGES:
                        log.warning("scans wait: the queue is full", waiting=len(self._waiting))
                        break
                    self._send_some()
            except Exception as error:
                # Of whichever queue: SQLite's, Redis's, the network's.
                log.warning("scans not handed over", error=type(error).__name__, waiting=len(self._waiting))
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                log.error("scans dropped", count=dropped)
                metrics.note_dropped_scans(dropped)

    def _send_some(self) -> None:
        scans = [self._waiting.popleft() for _ in range(min(MOST_IN_MESSAGE, len(self._waiting)))]
        try:
            jobs.hand_over(take_in, uuid.uuid4().hex, [tuple(scan) for scan in scans])
        except BaseException:
            self._waiting.extendleft(reversed(scans))
            raise
        metrics.note_scans(scan.outcome for scan in scans)

    def _find_origin(self, address: str, day: str) -> tuple[int, str]:
        return source_of(address, _day_key(self._secret, day)), self._regions.of(address)


_day_key = lru_cache(maxsize=8)(key_of_day)
