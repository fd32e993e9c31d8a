"""Format-preserving encryption FF1 (NIST SP 800-38G, section 5.1) with AES.

`FF1` is the standard's algorithm for any radix and length, one value at a time.
`encrypt_codes` and `decrypt_code` are the one case that labels need (radix 32, 12 numerals,
one tweak byte); the former works on a million values at once.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from numpy.typing import NDArray

ROUNDS = 10
HALF_BITS = 30
"""Bits in one half of a code: 6 numerals of radix 32."""
HALF_MASK = (1 << HALF_BITS) - 1


def _ecb(key: bytes) -> Cipher[modes.ECB]:
    # FF1 is built on the bare block cipher; ECB of single blocks is that cipher, not a mode for data.
    return Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305


class FF1:
    """FF1 for numeral strings of one radix.

    :param key: AES key of 16, 24 or 32 bytes.
    :param radix: 2 to 65536.
    :raises ValueError: for a radix out of range, or a string outside ``radix ** n >= 100``.
    """

    def __init__(self, key: bytes, radix: int) -> None:
        if not 2 <= radix <= 1 << 16:
            raise ValueError("radix must be 2 to 65536")
        self.radix = radix
        self._cipher = _ecb(key)

    def encrypt(self, numerals: Sequence[int], tweak: bytes = b"") -> list[int]:
        """Algorithm 7, FF1.Encrypt. Takes and returns numerals, each in ``range(radix)``."""
        return self._feistel(numerals, tweak, decrypt=False)

    def decrypt(self, numerals: Sequence[int], tweak: bytes = b"") -> list[int]:
        """Algorithm 8, FF1.Decrypt."""
        return self._feistel(numerals, tweak, decrypt=True)

    def _feistel(self, numerals: Sequence[int], tweak: bytes, *, decrypt: bool) -> list[int]:
        radix, n, t = self.radix, len(numerals), len(tweak)
        if n < 2 or radix**n < 100 or any(not 0 <= x < radix for x in numerals):
            raise ValueError("numerals must lie in range(radix) and radix ** n must be at least 100")
        u = n // 2
        v = n - u
        a, b = self._num(numerals[:u]), self._num(numerals[u:])
        byte_len = -(-((radix**v - 1).bit_length()) // 8)
        d = 4 * -(-byte_len // 4) + 4
        p = (
            bytes([1, 2, 1])
            + radix.to_bytes(3, "big")
            + bytes([10, u % 256])
            + n.to_bytes(4, "big")
            + t.to_bytes(4, "big")
        )
        padding = bytes(-(t + byte_len + 1) % 16)
        order = range(ROUNDS - 1, -1, -1) if decrypt else range(ROUNDS)
        for i in order:
            m = u if i % 2 == 0 else v
            source = a if decrypt else b
            q = tweak + padding + bytes([i]) + source.to_bytes(byte_len, "big")
            y = int.from_bytes(self._expand(p + q, d), "big")
            if decrypt:
                a, b = (b - y) % radix**m, a
            else:
                a, b = b, (a + y) % radix**m
        return self._str(a, u) + self._str(b, v)

    def _expand(self, message: bytes, length: int) -> bytes:
        """PRF (Algorithm 6, CBC-MAC) widened to ``length`` bytes (step 6.iii)."""
        encryptor = self._cipher.encryptor()
        block = bytes(16)
        for start in range(0, len(message), 16):
            chunk = message[start : start + 16]
            block = encryptor.update(bytes(x ^ y for x, y in zip(block, chunk, strict=True)))
        out = block
        for j in range(1, -(-length // 16)):
            counter = j.to_bytes(16, "big")
            out += encryptor.update(bytes(x ^ y for x, y in zip(block, counter, strict=True)))
        return out[:length]

    def _num(self, numerals: Sequence[int]) -> int:
        value = 0
        for x in numerals:
            value = value * self.radix + x
        return value

    def _str(self, value: int, length: int) -> list[int]:
        out = [0] * length
        for i in range(length - 1, -1, -1):
            value, out[i] = divmod(value, self.radix)
        return out


@lru_cache(maxsize=64)
def _first_block(key: bytes) -> bytes:
    """AES of the block P for radix 32, n = 12, a tweak of one byte: the same for every code."""
    p = bytes([1, 2, 1, 0, 0, 32, 10, 6]) + (12).to_bytes(4, "big") + (1).to_bytes(4, "big")
    return _ecb(key).encryptor().update(p)


class _OfThread(threading.local):
    def __init__(self) -> None:
        self.encryptors: dict[bytes, CipherContext] = {}


_of_thread = _OfThread()


def _block_encryptor(key: bytes) -> CipherContext:
    """An encryptor of whole blocks, made once for each key and thread."""
    encryptor = _of_thread.encryptors.get(key)
    if encryptor is None:
        encryptor = _of_thread.encryptors[key] = _ecb(key).encryptor()
    return encryptor


def encrypt_codes(key: bytes, tweak: int, values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """FF1 of many 60-bit values at once, equal to `FF1` with radix 32 and 12 numerals.

    :param values: 60-bit integers, shape ``(count,)``.
    :param tweak: one byte.
    """
    first = np.frombuffer(_first_block(key), dtype=np.uint8)
    encryptor = _ecb(key).encryptor()
    a = (values >> np.uint64(HALF_BITS)).astype(np.uint32)
    b = (values & np.uint64(HALF_MASK)).astype(np.uint32)
    blocks = np.empty((len(values), 16), dtype=np.uint8)
    blocks[:] = first
    blocks[:, 0] ^= np.uint8(tweak)
    numeral_words = blocks[:, 12:]
    last_word = first[12:].view(">u4")[0]
    out = bytearray(len(values) * 16 + 15)
    for i in range(ROUNDS):
        blocks[:, 11] = first[11] ^ np.uint8(i)
        numeral_words[:] = (b ^ np.uint32(last_word)).astype(">u4")[:, None].view(np.uint8)
        encryptor.update_into(blocks.data, out)
        # y modulo 2**30 needs only bytes 4..8 of the expanded 8-byte block.
        y = np.frombuffer(out, dtype=">u4", count=len(values) * 4)[1::4]
        a, b = b, (a + y.astype(np.uint32)) & np.uint32(HALF_MASK)
    return (a.astype(np.uint64) << np.uint64(HALF_BITS)) | b.astype(np.uint64)


def decrypt_code(key: bytes, tweak: int, value: int) -> int:
    """Invert `encrypt_codes` for one 60-bit value."""
    first = bytearray(_first_block(key))
    first[0] ^= tweak
    base = int.from_bytes(first, "big")
    encrypt = _block_encryptor(key).update
    a, b = value >> HALF_BITS, value & HALF_MASK
    for i in range(ROUNDS - 1, -1, -1):
        block = base ^ (i << 32) ^ a
        y = int.from_bytes(encrypt(block.to_bytes(16, "big"))[4:8], "big")
        a, b = (b - y) & HALF_MASK, a
    return (a << HALF_BITS) | b
