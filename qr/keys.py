"""The key file: made once, readable by its owner alone, never shown.

The file is JSON: ``{"1": "<64 hexadecimal digits>"}``, key number to AES-256 key. Whoever loses it
can no longer tell which batch a printed label belongs to; whoever leaks it lets others forge codes.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from pathlib import Path

from qr.codes import CodeBook

KEY_BYTES = 32


class KeyFileError(RuntimeError):
    """The key file is missing, unreadable, already there, or open to others."""


class KeyFile:
    """The label keys on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self) -> bool:
        return self.path.exists()

    def create(self) -> None:
        """Make the file with a first key.

        :raises KeyFileError: where there is one already: it is never overwritten.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self._write({1: secrets.token_bytes(KEY_BYTES)}, os.O_EXCL)
        except FileExistsError as error:
            raise KeyFileError(f"{self.path} exists already and is never overwritten") from error

    def rotate(self) -> int:
        """Add a new key for new labels; the old ones stay readable. Returns the new key's number."""
        keys = self.keys()
        number = max(keys) + 1
        if number > 31:
            raise KeyFileError("all 31 key numbers are used")
        keys[number] = secrets.token_bytes(KEY_BYTES)
        fresh = self.path.with_suffix(".new")
        KeyFile(fresh)._write(keys, os.O_EXCL)
        os.replace(fresh, self.path)
        return number

    def keys(self) -> dict[int, bytes]:
        """Keys by number.

        :raises KeyFileError: where the file is missing, broken, or readable by others.
        """
        try:
            mode = self.path.stat().st_mode
            content = json.loads(self.path.read_text("ascii"))
            keys = {int(number): bytes.fromhex(key) for number, key in content.items()}
        except FileNotFoundError as error:
            raise KeyFileError(f"there is no label key at {self.path}; restore it from your backup") from error
        except (OSError, ValueError, AttributeError) as error:
            raise KeyFileError(f"{self.path} cannot be read as a key file") from error
        if mode & 0o077:
            raise KeyFileError(f"{self.path} can be read by others; run: chmod 600 {self.path}")
        return keys

    def fingerprints(self) -> dict[int, str]:
        """What may be shown of the keys: the first 64 bits of their SHA-256, in groups of four."""
        return {number: fingerprint(key) for number, key in self.keys().items()}

    def code_book(self) -> CodeBook:
        return CodeBook(self.keys())

    def _write(self, keys: dict[int, bytes], flags: int) -> None:
        text = json.dumps({str(number): key.hex() for number, key in sorted(keys.items())}, indent=1)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | flags, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())


def fingerprint(key: bytes) -> str:
    digest = hashlib.sha256(b"label key" + key).hexdigest()[:16]
    return " ".join(digest[i : i + 4] for i in range(0, 16, 4))
