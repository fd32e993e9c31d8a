"""The question for advisories says what it learned, and fails only where something is known to be weak."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOUND = {"name": "flask", "version": "3.1.3", "vulns": []}
WEAK = {"name": "pillow", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "own", "skip_reason": "not found"}


def _asked(answer: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The script's run beside an auditor that answers in its own way."""
    (folder / "pip_audit.py").write_text(f"print({answer!r})")
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, str(ROOT / "bin" / "audit.py")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_nothing_known_is_fine(tmp_path: Path) -> None:
    run = _asked(json.dumps({"dependencies": [SOUND, UNKNOWN]}), tmp_path)
    assert (run.returncode, "1 of 2 pinned packages looked up, 0 known" in run.stdout) == (0, True)


def test_what_is_known_to_be_weak_fails_and_is_named(tmp_path: Path) -> None:
    run = _asked(json.dumps({"dependencies": [SOUND, WEAK]}), tmp_path)
    assert run.returncode == 1
    assert "pillow 1.0: PYSEC-1, mended in 1.1" in run.stdout


def test_no_answer_is_said_and_no_failure(tmp_path: Path) -> None:
    run = _asked("no network", tmp_path)
    assert (run.returncode, "nobody answered" in run.stdout) == (0, True)
