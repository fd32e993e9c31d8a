"""The processes of ``flask serve``: what is killed comes again, what stops stops whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tests.served import ROOT, prepared


def _children(parent: int) -> dict[int, str]:
    """Process numbers and what they were told to be."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            command = (status.parent / "cmdline").read_text().split("\0")
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found[int(status.parent.name)] = next((word for word in ("worker", "jobs") if word in command), "")
    return found


def _until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 40
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
    platform = prepared(tmp_path, "", workers=2)
    serve = [sys.executable, "-m", "flask", "--app", "wsgi", "serve"]
    server = subprocess.Popen(serve, cwd=ROOT, env=platform.environment, stderr=subprocess.DEVNULL)
    try:
        _until(lambda: _answers(platform.url), "it never answered")
        _until(lambda: sorted(_children(server.pid).values()) == ["jobs", "worker", "worker"], "not all were started")
        before = _children(server.pid)
        killed = [number for number, name in before.items() if name == "worker"][0]
        os.kill(killed, signal.SIGKILL)
        _until(lambda: len(set(_children(server.pid)) - set(before)) == 1, "no worker came again")
        assert sorted(_children(server.pid).values()) == ["jobs", "worker", "worker"]
        for _ in range(8):
            # Connections that came to the killed one's socket wait for the new one.
            _until(lambda: _answers(platform.url), "half of the connections are lost")
        second = subprocess.run(serve, cwd=ROOT, env=platform.environment, capture_output=True, text=True, check=False)
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


def test_a_stop_is_clean(tmp_path: Path) -> None:
    platform = prepared(tmp_path, "", workers=1)
    server = subprocess.Popen(
        [sys.executable, "-m", "flask", "--app", "wsgi", "serve"],
        cwd=ROOT,
        env=platform.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    _until(lambda: _answers(platform.url), "it never answered")
    children = set(_children(server.pid))
    server.terminate()
    _out, errors = server.communicate(timeout=30)
    assert server.returncode == 0
    assert "Traceback" not in errors
    assert not any(Path(f"/proc/{child}").exists() for child in children)
