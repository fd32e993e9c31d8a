"""Scans go through files into the database: each once, whatever happens to who writes and who reads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from config import Settings
from tests.world import World
from trace_app.extensions import db
from trace_app.scans import intake, spool
from trace_app.scans.intake import Intake, spool_folder
from trace_app.scans.log import BLOCK, ScanLog
from trace_app.scans.models import ScanItem, SpoolFile, scans

AT = "2026-11-27 04:00:00.000000"


def _rows(count: int, run: int = 1) -> list[tuple[Any, ...]]:
    return [(AT, "shown", run, number, None, "云南曲靖", "wechat", "zh", 1 << 62) for number in range(count)]


def _settings(world: World) -> Settings:
    found: Settings = world.app.config["SETTINGS"]
    return found


def _folder(world: World) -> Path:
    world.app.extensions["scan_log"].close()
    return spool_folder(_settings(world))


def _count(world: World) -> tuple[int, int]:
    """Rows of the log, and what the labels' sums come to."""
    with world.app.app_context():
        rows = db.session.scalar(sa.select(sa.func.count()).select_from(scans))
        sums = db.session.scalar(sa.select(sa.func.coalesce(sa.func.sum(ScanItem.scans), 0)))
        return rows or 0, sums or 0


def _take(world: World) -> None:
    Intake(world.app, _settings(world)).take_turn()


def test_what_is_put_down_is_taken_in_once(world: World) -> None:
    folder = _folder(world)
    writer = spool.Writer(folder)
    writer.put(_rows(3))
    _take(world)
    _take(world)
    assert _count(world) == (3, 3)
    writer.put(_rows(2))
    assert len(spool.waiting(folder)) == 1
    writer.close()
    _take(world)
    _take(world)
    assert _count(world) == (5, 5)
    assert not spool.waiting(folder)
    with world.app.app_context():
        assert db.session.scalars(db.select(SpoolFile)).all() == []


def test_more_than_goes_into_a_transaction_is_taken_in_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "AT_A_TIME", 10)
    monkeypatch.setattr(intake, "IN_TURN", 2)
    one, other = (spool.Writer(_folder(world)) for _ in range(2))
    for _ in range(4):
        one.put(_rows(7))
        other.put(_rows(7, run=2))
    _take(world)
    before = _count(world)
    assert before[0] == before[1] < 56
    for _ in range(2):
        _take(world)
    assert _count(world) == (56, 56)
    one.close()
    other.close()
    _take(world)


def test_a_writer_that_is_killed_loses_no_whole_block(world: World) -> None:
    folder = _folder(world)
    script = (
        "import sys, time; from pathlib import Path; from trace_app.scans import spool\n"
        f"writer = spool.Writer(Path({str(folder)!r})); rows = {_rows(4)!r}\n"
        "writer.put(rows); print('written', flush=True); time.sleep(60)"
    )
    killed = subprocess.Popen([sys.executable, "-c", script], cwd=Path(__file__).parents[2], stdout=subprocess.PIPE)
    assert killed.stdout is not None
    assert killed.stdout.readline() == b"written\n"
    [path] = spool.waiting(folder)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    killed.stdout.close()
    # As if it had died in the middle of the next one.
    with path.open("ab") as file:
        file.write(path.read_bytes()[:50])
    _take(world)
    assert _count(world) == (4, 4)
    assert not spool.waiting(folder)


def test_a_reader_that_dies_before_it_deletes_a_file_does_not_count_it_twice(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _folder(world)
    writer = spool.Writer(folder)
    writer.put(_rows(3))
    writer.close()

    def dies(_path: Path, _begin: int) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(spool, "is_over", dies)
    with pytest.raises(KeyboardInterrupt):
        _take(world)
    monkeypatch.undo()
    _take(world)
    assert _count(world) == (3, 3)
    assert not spool.waiting(folder)


def test_scans_wait_while_the_database_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _folder(world)
    writer = spool.Writer(folder)
    writer.put(_rows(3))

    def broken(_rows: list[Any]) -> None:
        raise sa.exc.OperationalError("", {}, Exception())

    monkeypatch.setattr(intake, "_add", broken)
    _take(world)
    assert _count(world) == (0, 0)
    monkeypatch.undo()
    writer.close()
    _take(world)
    assert _count(world) == (3, 3)


def test_scans_wait_in_memory_while_the_spool_is_full(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    log = ScanLog(world.app, _settings(world))
    monkeypatch.setattr(spool, "MOST_BYTES", -1)
    for number in range(BLOCK + 5):
        log.note({"HTTP_USER_AGENT": "MicroMessenger", "REMOTE_ADDR": "203.0.113.9"}, "zh", "shown", 1, number)
    log.write()
    assert len(log._waiting) == BLOCK + 5
    monkeypatch.undo()
    log.close()
    assert _count(world) == (BLOCK + 5, BLOCK + 5)


def test_a_damaged_file_keeps_nobody_from_those_behind_it(world: World) -> None:
    folder = _folder(world)
    folder.mkdir(exist_ok=True)
    (folder / f"{0:020}-damaged{spool.SUFFIX}").write_bytes((4).to_bytes(4, "little") + b"\xff\xff\xff\xff")
    writer = spool.Writer(folder)
    writer.put(_rows(2))
    writer.close()
    _take(world)
    assert _count(world) == (2, 2)
    [aside] = folder.glob(f"*{spool.DAMAGED}")
    aside.unlink()


def test_a_file_goes_on_for_a_minute_or_until_it_is_large(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _folder(world)
    writer = spool.Writer(folder)
    writer.put(_rows(1))
    writer.put(_rows(1))
    assert len(spool.waiting(folder)) == 1
    monkeypatch.setattr(spool, "FILE_BYTES", 0)
    writer.put(_rows(1))
    assert len(spool.waiting(folder)) == 2
    writer.close()
    _take(world)
    assert _count(world) == (3, 3)


def test_only_one_takes_in_at_a_time_and_the_last_scans_too(world: World) -> None:
    folder = _folder(world)
    stop = threading.Event()
    consumer = threading.Thread(target=Intake(world.app, _settings(world)).run, args=(stop,))
    consumer.start()
    try:
        for number in range(1, 4):
            writer = spool.Writer(folder)
            writer.put(_rows(2))
            writer.close()
            end = time.monotonic() + 20
            while _count(world) != (2 * number, 2 * number):
                assert time.monotonic() < end
                _take(world)
                time.sleep(0.02)
        writer.put(_rows(1))
        writer.close()
    finally:
        stop.set()
        consumer.join()
    assert _count(world) == (7, 7)
    assert [name for name in os.listdir(folder) if name != "intake.lock"] == []
