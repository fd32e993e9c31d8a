import os
from pathlib import Path

import pytest

from qr.codes import LabelCode
from qr.keys import KeyFile, KeyFileError


def test_the_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "keys" / "label-keys.json")
    file.create()
    before = file.path.read_bytes()
    assert file.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyFileError, match="never overwritten"):
        file.create()
    assert file.path.read_bytes() == before


def test_only_a_fingerprint_is_shown(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "k.json")
    file.create()
    (shown,) = file.fingerprints().values()
    assert len(shown) == 19
    assert shown.replace(" ", "") not in file.path.read_text()


def test_after_rotation_old_labels_still_read(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "k.json")
    file.create()
    old = file.code_book().code(9, 8)
    assert file.rotate() == 2
    assert file.code_book().read(old) == LabelCode(1, 9, 8)
    assert file.code_book().code(9, 8)[0] == "2"
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_a_missing_broken_or_open_key_file_is_said_so(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "k.json")
    with pytest.raises(KeyFileError, match="backup"):
        file.keys()
    file.create()
    os.chmod(file.path, 0o644)
    with pytest.raises(KeyFileError, match="chmod 600"):
        file.keys()
    file.path.write_text("[]")
    os.chmod(file.path, 0o600)
    with pytest.raises(KeyFileError, match="cannot be read"):
        file.keys()
