"""``python -m qr``, as one types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from qr.__main__ import main
from qr.keys import KeyFile
from qr.reading import open_picture, read_symbols

ROOT = Path(__file__).parents[2]
URL = "https://t.qj.cn/"


def _run(folder: Path, *arguments: str, fails: bool = False) -> str:
    command = [sys.executable, "-m", "qr", *arguments]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == (1 if fails else 0), done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if fails else done.stdout


def test_from_a_new_key_to_a_verified_label(tmp_path: Path) -> None:
    assert "Back it up" in _run(tmp_path, "key", "keys.json")
    rows = _run(tmp_path, "codes", "--keys", "keys.json", "--url", URL, "--run", "3", "--first", "2", "--count", "3")
    code, address = rows.splitlines()[0].split(",")
    assert code == KeyFile(tmp_path / "keys.json").code_book().code(3, 2)
    assert address == "HTTPS://T.QJ.CN/" + code
    assert "run 3, index 2" in _run(tmp_path, "read", "--keys", "keys.json", code)
    layout = _run(tmp_path, "layout", "roll-60x40", "--url", URL, "--text", "product=小黄姜")
    (tmp_path / "layout.json").write_text(layout)
    common = (
        "labels",
        "--keys",
        "keys.json",
        "--url",
        URL,
        "--run",
        "3",
        "--first",
        "2",
        "--count",
        "3",
        "--layout",
        "layout.json",
        "--text",
        "product=小黄姜",
    )
    for name in ("pdf", "zpl", "tspl", "csv", "svg", "png"):
        _run(tmp_path, *common, "--format", name, "--out", f"labels.{name}")
        assert (tmp_path / f"labels.{name}").stat().st_size > 100
    assert read_symbols(open_picture((tmp_path / "labels.png").read_bytes())) == [address]
    verified = _run(tmp_path, "verify", "labels.png")
    assert verified.startswith(f"labels.png: A  {address}")


def test_a_layout_file_may_be_toml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["layout", "roll-60x40", "--url", URL]) == 0
    plain = json.loads(capsys.readouterr().out)
    lines = [f"{name} = {json.dumps(plain[name])}" for name in ("stock", "dpi", "ink", "paper")]
    for table in ("boxes", "rules"):
        for row in plain[table]:
            lines += [f"[[{table}]]", *(f"{name} = {json.dumps(value)}" for name, value in row.items())]
    lines += ["[symbol]", *(f"{name} = {json.dumps(value)}" for name, value in plain["symbol"].items())]
    (tmp_path / "layout.toml").write_text("\n".join(lines))
    keys = str(tmp_path / "keys.json")
    assert main(["key", keys]) == 0
    out = tmp_path / "labels.pdf"
    arguments = ["--keys", keys, "--url", URL, "--run", "1", "--count", "2", "--layout", str(tmp_path / "layout.toml")]
    assert main(["labels", *arguments, "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"%PDF")


class TestWhatCannotBeDone:
    def test_each_is_told_in_one_line_and_leaves_nothing_behind(self, tmp_path: Path) -> None:
        _run(tmp_path, "key", "keys.json")
        assert "never overwritten" in _run(tmp_path, "key", "keys.json", fails=True)
        layout = json.loads(_run(tmp_path, "layout", "roll-60x40", "--url", URL))
        layout["symbol"]["module_mm"] = 0.3
        (tmp_path / "thin.json").write_text(json.dumps(layout))
        (tmp_path / "broken.json").write_text("{")
        base = ("labels", "--keys", "keys.json", "--url", URL, "--run", "1", "--out", "out.pdf")
        for arguments, said in (
            ((*base, "--count", "2", "--layout", "thin.json"), "module-too-small"),
            ((*base, "--count", "2", "--layout", "broken.json"), "JSON"),
            ((*base, "--count", "2", "--layout", "none.json"), "none.json"),
            ((*base, "--count", "0", "--layout", "thin.json"), "1,048,576"),
            ((*base, "--count", "2000000", "--layout", "thin.json"), "1,048,576"),
            ((*base, "--count", "1", "--layout", "thin.json", "--key-number", "9"), "no key 9"),
            (("verify", "keys.json"), "not a picture"),
            (("read", "--keys", "keys.json", "1000000000000"), "InvalidCode"),
            (("layout", "roll-60x40", "--url", URL, "--text", "price=3"), "FIELD=TEXT"),
            (("layout", "roll-40x30", "--url", URL, "--text", f"product={'长' * 300}"), "product"),
        ):
            assert said in _run(tmp_path, *arguments, fails=True)
        assert {path.name for path in tmp_path.iterdir()} == {"keys.json", "thin.json", "broken.json"}


def test_what_food_law_wants_and_the_labels_leave_off_is_told_of(tmp_path: Path) -> None:
    _run(tmp_path, "key", "keys.json")
    layout = _run(tmp_path, "layout", "roll-60x40", "--url", URL, "--text", "product=小黄姜")
    (tmp_path / "layout.json").write_text(layout)
    values = json.loads(layout)
    values["boxes"] = [box for box in values["boxes"] if "net_content" not in box["fields"]]
    (tmp_path / "bare.json").write_text(json.dumps(values))
    common = ("--keys", "keys.json", "--url", URL, "--run", "3", "--count", "1", "--text", "product=小黄姜")
    given = ("--text", "net_content=净重 500 克", "--text", "best_before=保质期至 2027-01-01")

    def warned(layout: str, *texts: str) -> str:
        out = ("--layout", layout, "--format", "svg", "--out", "labels.svg")
        command = [sys.executable, "-m", "qr", "labels", *common, *texts, *out]
        done = subprocess.run(
            command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
        )
        return done.stderr

    assert warned("layout.json", *given) == ""
    assert "the labels don't say net_content, produced or best_before, which" in warned("layout.json")
    assert "the labels don't say net_content, best_before, which" in warned("bare.json", *given)
