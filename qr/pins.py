"""The six-digit PIN under a label's scratch film, derived from the label's key.

Whoever copies a label's symbol without lifting the film does not know it; no PIN is stored anywhere.
"""

from __future__ import annotations

import hashlib

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

PIN_DIGITS = 6


def pins(key: bytes, run: int, start: int, count: int) -> NDArray[np.uint8]:
    """The PINs of the labels ``start`` to ``start + count`` of a run: ASCII digits, shape ``(count, 6)``.

    AES under a key of its own (SHA-256 of the label key) of run and index, its last 64 bits modulo a million.
    """
    blocks = np.zeros((count, 2), dtype=">u8")
    blocks[:, 0] = run
    blocks[:, 1] = np.arange(start, start + count)
    secret = hashlib.sha256(b"label pin" + key).digest()
    # Single blocks of the bare cipher, a pseudo-random function: ECB as a mode for data is not meant.
    encrypted = Cipher(algorithms.AES(secret), modes.ECB()).encryptor().update(blocks.tobytes())  # noqa: S305
    values = np.frombuffer(encrypted, dtype=">u8")[1::2].astype(np.uint64) % np.uint64(10**PIN_DIGITS)
    return decimal_digits(values, PIN_DIGITS)


def decimal_digits(values: NDArray[np.uint64], width: int) -> NDArray[np.uint8]:
    """Numbers as ASCII digits with leading zeros: shape ``(count, width)``."""
    powers = np.array([10**place for place in range(width - 1, -1, -1)], dtype=np.uint64)
    return (values[:, None] // powers % np.uint64(10) + np.uint64(48)).astype(np.uint8)
