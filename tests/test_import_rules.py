"""The rules on who may import whom hold by themselves: a forbidden import that is planted breaks the check."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.served import ROOT

LINT = Path(sys.executable).with_name("lint-imports")


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LINT, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the source, to plant imports in."""
    for name in ("qr", "media_store", "trace_app"):
        ignored = shutil.ignore_patterns("node_modules", "static", "templates", "translations", "__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("pyproject.toml", "config.py"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_the_rules_hold(house: Path) -> None:
    result = _lint(house)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("where", "planted"),
    [
        ("trace_app/certificates/forms.py", "from trace_app.certificates import views"),
        ("trace_app/flow/shipments/service.py", "from trace_app.flow.shipments.views import views"),
        ("trace_app/public/json_ld.py", "from trace_app.public.views import views"),
        ("trace_app/batches/service.py", "from trace_app.recalls import service"),
        ("trace_app/catalogue/models.py", "from trace_app.records.models import Record"),
        ("trace_app/messages/service.py", "from trace_app.findings.models import Finding"),
        ("trace_app/desk/views.py", "from trace_app.db.append_only import lifted"),
        ("qr/symbol.py", "import flask"),
        ("media_store/store.py", "from trace_app.errors import Problem"),
    ],
)
def test_a_forbidden_import_breaks_them(house: Path, where: str, planted: str) -> None:
    with (house / where).open("a", encoding="utf-8") as file:
        file.write(f"\n{planted}\n")
    result = _lint(house)
    assert result.returncode == 1
    assert "BROKEN" in result.stdout


def test_views_of_a_new_room_are_watched_without_being_named(house: Path) -> None:
    room = house / "trace_app" / "new_room"
    room.mkdir()
    for name, text in (("__init__", ""), ("views", ""), ("service", "from trace_app.new_room import views\n")):
        (room / f"{name}.py").write_text(text)
    assert "BROKEN" in _lint(house).stdout


def test_every_room_has_its_place_in_the_order() -> None:
    """A room that is not in the list of layers could import whatever it likes."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    rooms = {path.parent.name for path in (ROOT / "trace_app").glob("*/__init__.py")}
    assert {layer.removeprefix("trace_app.") for layer in layers} - {"cli", "server", "doctor"} == rooms
