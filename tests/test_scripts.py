"""The scripts of the pages, tested by Node.js."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.node.install import HERE, NODE

FILES = sorted(HERE.glob("*.test.js"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_scripts_do_what_their_tests_say(path: Path) -> None:
    answer = subprocess.run([NODE, "--test", path], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "# fail 0" in answer.stdout or "ℹ fail 0" in answer.stdout
