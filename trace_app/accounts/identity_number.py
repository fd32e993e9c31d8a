"""The identity number of a citizen (GB 11643-1999): checked when it is typed, kept encrypted, and shown in part."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import date

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from trace_app.clock import today
from trace_app.settings import settings

_WEIGHTS = [pow(2, 17 - position, 11) for position in range(17)]
_CHECKS = "10X98765432"
_NONCE_BYTES = 12
_OLDEST = date(1900, 1, 1)


def is_identity_number(text: str) -> bool:
    """Whether a text is 18 characters with a day of birth that was, and the right check character."""
    return _is_checked(text) and not impossible_birthday(text)


def impossible_birthday(text: str) -> str:
    """The day of birth in a text that is right but for it; empty where it is another matter."""
    if not _is_checked(text):
        return ""
    year, month, day = text[6:10], text[10:12], text[12:14]
    try:
        was = _OLDEST <= date(int(year), int(month), int(day)) <= today()
    except ValueError:
        was = False
    return "" if was else f"{year}-{month}-{day}"


def _is_checked(text: str) -> bool:
    if len(text) != 18 or not (text[:17].isascii() and text[:17].isdigit()):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text, _WEIGHTS, strict=False))
    return _CHECKS[total % 11] == text[17]


def masked(number: str) -> str:
    """A number as it may be shown, such as ``110***********1234``."""
    return f"{number[:3]}{'*' * 11}{number[-4:]}"


def seal(number: str) -> bytes:
    """A number as the database keeps it: AES-256-GCM by ``IDENTITY_KEY``."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(_key("cipher")).encrypt(nonce, number.encode("ascii"), None)


def unseal(sealed: bytes) -> str:
    """:raises cryptography.exceptions.InvalidTag: where ``IDENTITY_KEY`` is another."""
    return AESGCM(_key("cipher")).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], None).decode("ascii")


def fingerprint(number: str) -> str:
    """What two of one number have in common, and nobody finds out without the key."""
    return hmac.new(_key("fingerprint"), number.encode("ascii"), hashlib.sha256).hexdigest()


def _key(purpose: str) -> bytes:
    return hmac.new(settings().identity_secret.encode(), purpose.encode(), hashlib.sha256).digest()
