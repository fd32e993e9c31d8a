"""The rule of the page that a scan opens: from a recall's commit on no request gets a page without the notice, and none
with it after the recall has ended. Several web workers, under load, on both databases."""

from __future__ import annotations

import multiprocessing
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import brotli
import pytest
from flask import Flask

from tests.conftest import app_for, settings_for
from tests.served import Platform, prepared, serving
from tests.world import RECALL, World
from trace_app.accounts.models import User
from trace_app.batches.models import Batch
from trace_app.extensions import db, jobs
from trace_app.recalls.further_notices import withdraw
from trace_app.recalls.models import NoticeText, Recall
from trace_app.recalls.service import issue_recall
from trace_app.scanning.intake import QUEUE
from trace_app.scanning.models import ScanDay

RECALLS = 50
REQUESTS = 100_000
LOTS = 10
WORKERS = 3
CLIENTS, CONNECTIONS = 2, 4
"""Processes that ask, and connections of each."""
TOGETHER = 4
"""Requests that a connection sends before it reads the answers."""
_LENGTH = re.compile(rb"content-length: (\d+)")
SHOWN = "正在召回，请勿食用".encode()


@dataclass(frozen=True)
class Seen:
    """One request: the number of its lot, when it began and when the answer was there, whether the notice was on it."""

    lot: int
    begun: float
    done: float
    shown: bool


@dataclass(frozen=True)
class Must:
    """From when until when a lot's page must show the notice, or must not."""

    lot: int
    since: float
    until: float
    show: bool


def _ask(address: tuple[str, int], codes: list[str], first: int, count: Any, stop: Any, out: list[Seen]) -> None:
    """Ask for pages over one connection as fast as answers come, a few at a time."""
    connection = socket.create_connection(address)
    # Kept pages are compressed; who takes no Brotli gets them unpacked.
    encoding = "br" if first % 2 else "identity"
    head = f"Host: localhost\r\nAccept-Language: zh\r\nUser-Agent: Mozilla/5.0\r\nAccept-Encoding: {encoding}\r\n"
    requests = [f"GET /{code} HTTP/1.1\r\n{head}\r\n".encode() for code in codes]
    turn, data = first, b""

    def more() -> bytes:
        got = connection.recv(262_144)
        assert got, "the server has gone"
        return got

    while not stop.is_set():
        lots = [(turn + n) % len(codes) for n in range(TOGETHER)]
        turn += TOGETHER
        begun = time.monotonic()
        connection.sendall(b"".join(requests[lot] for lot in lots))
        for lot in lots:
            while (end_of_head := data.find(b"\r\n\r\n")) < 0:
                data += more()
            head = data[:end_of_head].lower()
            assert head.startswith(b"http/1.1 200"), head[:100]
            whole = end_of_head + 4 + int(_LENGTH.search(head)[1])  # type: ignore[index]
            while len(data) < whole:
                data += more()
            done, page = time.monotonic(), data[end_of_head + 4 : whole]
            shown = SHOWN in (brotli.decompress(page) if b"content-encoding: br" in head else page)
            out.append(Seen(lot, begun, done, shown))
            data = data[whole:]
        count.value += TOGETHER
    connection.close()


def _client(number: int, address: tuple[str, int], codes: list[str], counts: list[Any], stop: Any, pipe: Any) -> None:
    seen: list[Seen] = []
    threads = [
        threading.Thread(target=_ask, args=(address, codes, number * 7 + n * 3, counts[n], stop, seen))
        for n in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipe.send(seen)


class Officer:
    """Recalls lots and ends the recalls, and keeps what must be seen from when until when."""

    def __init__(self, world: World, user_id: int, lots: list[int]) -> None:
        self._world, self._user_id, self._lots = world, user_id, lots
        self._since = [time.monotonic()] * len(lots)
        self._recalled = [0] * len(lots)
        self.musts: list[Must] = []

    def recall(self, lot: int) -> None:
        self.musts.append(Must(lot, self._since[lot], time.monotonic(), show=False))
        with self._world.writing():
            user = db.session.get_one(User, self._user_id)
            self._recalled[lot] = issue_recall(
                user, db.session.get_one(Batch, self._lots[lot]), NoticeText(**RECALL)
            ).id
        self._since[lot] = time.monotonic()

    def end(self, lot: int) -> None:
        self.musts.append(Must(lot, self._since[lot], time.monotonic(), show=True))
        with self._world.writing():
            recall = db.session.get_one(Recall, self._recalled[lot])
            withdraw(db.session.get_one(User, self._user_id), recall, "误报")
        self._since[lot] = time.monotonic()


@pytest.fixture
def app(platform: Platform) -> Iterator[Flask]:
    """The application beside the served one: its jobs wait for the served one's consumer."""
    folder, url = Path(platform.environment["DATA_DIR"]), platform.environment["DATABASE_URL"]
    app = app_for(settings_for(folder, database_url=url), JOBS_IMMEDIATE=False)
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def platform(request: pytest.FixtureRequest, tmp_path: Path) -> Platform:
    server = (request.getfixturevalue("postgresql_url"), "fresh") if request.param == "postgresql" else None
    return prepared(tmp_path, server, workers=WORKERS)


def test_no_page_is_stale_around_a_hundred_thousand_requests(platform: Platform, app: Flask) -> None:
    world = World(app)
    actor, officer = world.producer(), world.regulator()
    made = [world.labelled(actor) for _ in range(LOTS)]
    lots, codes = [lot for lot, _code in made], [code for _lot, code in made]
    address = (urlsplit(platform.url).hostname or "", urlsplit(platform.url).port or 0)
    processes = multiprocessing.get_context("spawn")
    decides = Officer(world, officer.user_id, lots)
    with serving(platform):
        counts = [[processes.Value("q", 0, lock=False) for _ in range(CONNECTIONS)] for _ in range(CLIENTS)]
        stop = processes.Event()
        pipes = [processes.Pipe(duplex=False) for _ in range(CLIENTS)]
        clients = [
            processes.Process(target=_client, args=(n, address, codes, counts[n], stop, pipes[n][1]))
            for n in range(CLIENTS)
        ]
        for client in clients:
            client.start()

        def after(requests: int) -> None:
            wanted = _done(counts) + requests
            while _done(counts) < wanted:
                assert all(client.is_alive() for client in clients)
                time.sleep(0.002)

        after(REQUESTS // RECALLS // 2)
        for turn in range(RECALLS):
            decides.recall(turn % LOTS)
            after(REQUESTS // RECALLS // 2)
            decides.end(turn % LOTS)
            after(REQUESTS // RECALLS // 2)
        stop.set()
        seen = [one for receiver, _sender in pipes for one in receiver.recv()]
        for client in clients:
            client.join()
    assert len(seen) >= REQUESTS
    asked, stale = _judged(seen, decides.musts)
    assert stale == []
    # The load fell upon what was decided: each state of each lot was asked about.
    assert all(asked)
    # The server was stopped in the usual way: no scan is lost. What a slow machine had not written yet is in the queue.
    jobs.work_off(app, QUEUE)
    with app.app_context():
        assert db.session.scalar(db.select(db.func.sum(ScanDay.scans))) == len(seen)


def _done(counts: list[list[Any]]) -> int:
    return sum(count.value for client in counts for count in client)


def _judged(seen: list[Seen], musts: list[Must]) -> tuple[list[int], list[Seen]]:
    """How many requests fell wholly into each time, and those that got the wrong page."""
    by_lot: dict[int, list[tuple[int, Must]]] = {}
    for number, must in enumerate(musts):
        by_lot.setdefault(must.lot, []).append((number, must))
    asked, stale = [0] * len(musts), []
    for one in seen:
        for number, must in by_lot.get(one.lot, []):
            if must.since <= one.begun and one.done <= must.until:
                asked[number] += 1
                if one.shown is not must.show:
                    stale.append(one)
    return asked, stale
