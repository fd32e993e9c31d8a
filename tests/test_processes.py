"""The processes of ``flask serve``: what is killed comes again, what stops stops whole and loses no scan."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.conftest import app_for, settings_for
from tests.served import ROOT, Platform, prepared
from tests.world import World
from trace_app.extensions import db, jobs
from trace_app.scanning.intake import QUEUE
from trace_app.scanning.models import ScanDay

SERVE = [sys.executable, "-m", "flask", "--app", "wsgi", "serve"]


def _children(parent: int) -> dict[int, str]:
    """Process numbers and what they are."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            command = (status.parent / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found[int(status.parent.name)] = "jobs" if "jobs" in command else "worker"
    return found


def _until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_processes_that_are_killed_come_again_and_end_with_the_platform(tmp_path: Path) -> None:
    platform = prepared(tmp_path, None, workers=2)
    server = subprocess.Popen(SERVE, cwd=ROOT, env=platform.environment, stderr=subprocess.DEVNULL)
    all_of_them = ["jobs", "worker", "worker"]
    try:
        _until(lambda: _answers(platform.url), "it never answered")
        _until(lambda: sorted(_children(server.pid).values()) == all_of_them, "not all were started")
        for kind in ("worker", "jobs"):
            before = _children(server.pid)
            os.kill(next(number for number, name in before.items() if name == kind), signal.SIGKILL)
            _until(lambda before=before: bool(set(_children(server.pid)) - set(before)), f"no {kind} came again")
            _until(lambda: sorted(_children(server.pid).values()) == all_of_them, "one too many or too few")
        for _ in range(8):
            _until(lambda: _answers(platform.url), "half of the connections are lost")
        second = subprocess.run(SERVE, cwd=ROOT, env=platform.environment, capture_output=True, text=True, check=False)
        assert second.returncode == 1
        assert "Can't listen on" in second.stderr
        assert "Traceback" not in second.stderr
        children = set(_children(server.pid))
        server.kill()
        server.wait()
        _until(lambda: not any(Path(f"/proc/{child}").exists() for child in children), "children outlived the server")
    finally:
        server.kill()
        server.wait()


def _scan(platform: Platform, code: str, times: int) -> None:
    request = urllib.request.Request(f"{platform.url}/{code}", headers={"User-Agent": "Mozilla/5.0 MicroMessenger"})
    for _ in range(times):
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 200


def test_a_stop_is_clean_and_loses_no_scan_and_a_killed_worker_at_most_its_last_second(tmp_path: Path) -> None:
    platform = prepared(tmp_path, None, workers=1)
    app = app_for(settings_for(tmp_path, secret_key=None), JOBS_IMMEDIATE=False)
    world = World(app)
    lot, code = world.labelled(world.producer())

    def counted() -> int:
        jobs.work_off(app, QUEUE)
        with app.app_context():
            return db.session.scalar(db.select(db.func.sum(ScanDay.scans)).filter_by(batch_id=lot)) or 0

    server = subprocess.Popen(SERVE, cwd=ROOT, env=platform.environment, stderr=subprocess.PIPE, text=True)
    _until(lambda: _answers(platform.url), "it never answered")
    _scan(platform, code, 20)
    children = _children(server.pid)
    server.terminate()
    _out, errors = server.communicate()
    assert server.returncode == 0
    assert "Traceback" not in errors
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    assert counted() == 20
    server = subprocess.Popen(SERVE, cwd=ROOT, env=platform.environment, stderr=subprocess.DEVNULL)
    _until(lambda: _answers(platform.url), "it never answered")
    _scan(platform, code, 10)
    _until(lambda: counted() == 30, "they were not handed over")
    _scan(platform, code, 5)
    worker = next(number for number, name in _children(server.pid).items() if name == "worker")
    os.kill(worker, signal.SIGKILL)
    _until(lambda: worker not in _children(server.pid) and _answers(platform.url), "no worker came again")
    _scan(platform, code, 3)
    server.terminate()
    server.wait()
    assert 33 <= counted() <= 38
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
