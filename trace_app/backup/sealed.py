"""The keys of an installation in a file that opens with a passphrase alone: scrypt and AES-256-GCM."""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from config import LEAST_PASSPHRASE
from trace_app.backup.faults import BackupFault

_COST, _BLOCK, _LANES = 1 << 16, 8, 1
"""Scrypt's parameters (RFC 7914): 64 MB for each guess."""
_MARK = b"qujing-trace keys 1"


def must_be_long(passphrase: str) -> None:
    """:raises BackupFault: for a passphrase that is guessed too soon."""
    if len(passphrase) < LEAST_PASSPHRASE:
        raise BackupFault(f"The passphrase needs {LEAST_PASSPHRASE} characters or more.")


def seal(path: Path, passphrase: str, texts: dict[str, str]) -> None:
    """Write texts by name into a file that only the passphrase opens.

    :raises BackupFault: for a passphrase that is too short.
    """
    must_be_long(passphrase)
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    data = AESGCM(_key(passphrase, salt)).encrypt(nonce, json.dumps(texts).encode(), _MARK)
    parts = {"format": _MARK.decode(), "salt": _text(salt), "nonce": _text(nonce), "data": _text(data)}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        json.dump(parts, file)
        file.flush()
        os.fsync(file.fileno())


def unseal(path: Path, passphrase: str) -> dict[str, str]:
    """The texts in a sealed file.

    :raises BackupFault: where the file is missing, is no such file, or the passphrase is another.
    """
    try:
        parts = json.loads(path.read_text("ascii"))
        salt, nonce, data = (base64.b64decode(parts[name]) for name in ("salt", "nonce", "data"))
        opened = AESGCM(_key(passphrase, salt)).decrypt(nonce, data, _MARK)
        texts: dict[str, str] = json.loads(opened)
    except FileNotFoundError as error:
        raise BackupFault(f"The keys are not there: {path}. Name their folder by --keys.") from error
    except InvalidTag as error:
        raise BackupFault(f"{path} does not open: the passphrase is another, or the file was altered.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BackupFault(f"{path} can't be read as a file of keys.") from error
    return texts


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=_COST, r=_BLOCK, p=_LANES).derive(passphrase.encode())


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
