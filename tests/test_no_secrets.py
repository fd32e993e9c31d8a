"""No key, password or token of anyone stands in the product's files."""

from __future__ import annotations

from pathlib import Path

import pytest
from detect_secrets.core.scan import scan_file
from detect_secrets.settings import default_settings

ROOT = Path(__file__).parents[1]
PLACES = ("*.md", "*.py", "bin", "deploy", "docs", "media_store", "migrations", "qr", "trace_app")
ENDINGS = {
    ".css",
    ".conf",
    ".html",
    ".js",
    ".json",
    ".md",
    ".py",
    ".sample",
    ".service",
    ".sh",
    ".sql",
    ".toml",
    ".yml",
}
NOT_OURS = {"node_modules", "vendor", "__pycache__"}
KNOWN = {
    # The password of the demonstration, which everyone may know.
    ("trace_app/demo/build.py", "Secret Keyword"),
    # Samples of an address with a name and a password in it.
    ("README.md", "Basic Auth Credentials"),
    ("config.py", "Basic Auth Credentials"),
    ("deploy/env.sample", "Basic Auth Credentials"),
    ("trace_app/cameras/addresses.py", "Basic Auth Credentials"),
    # Alphabets, and the name of an algorithm.
    ("migrations/versions/0050_what_the_database_holds.py", "Base64 High Entropy String"),
    ("qr/codes.py", "Base64 High Entropy String"),
    ("trace_app/accounts/credit_code.py", "Base64 High Entropy String"),
    ("trace_app/accounts/models.py", "Base64 High Entropy String"),
    ("trace_app/public/resolver/digital_link.py", "Base64 High Entropy String"),
    ("trace_app/accounts/sign_in.py", "Secret Keyword"),
}


def _files() -> list[Path]:
    found = [path for place in PLACES for path in ROOT.glob(place)]
    inside = [path for folder in found if folder.is_dir() for path in folder.rglob("*")]
    return [
        path
        for path in [*found, *inside]
        if path.is_file()
        and path.suffix in ENDINGS
        and not NOT_OURS & set(path.parts)
        and path.stat().st_size < 500_000
    ]


def test_none_stands_in_the_product() -> None:
    files = _files()
    assert len(files) > 500
    with default_settings():
        found = {(str(path.relative_to(ROOT)), secret.type) for path in files for secret in scan_file(str(path))}
    assert found - KNOWN == set()
    assert KNOWN - found == set(), "no longer there"


@pytest.mark.parametrize(
    "line", ['aws = "AKIAIOSFODNN7EXAMPLE"', "-----BEGIN RSA PRIVATE KEY-----", 'password = "correct-horse-battery"']
)
def test_one_would_be_found(line: str, tmp_path: Path) -> None:
    (tmp_path / "settings.py").write_text(f"{line}\n")
    with default_settings():
        assert list(scan_file(str(tmp_path / "settings.py")))
