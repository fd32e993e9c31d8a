"""FF1 as NIST SP 800-38G (section 5.1) writes it down, for any radix and length: what `qr.ff1` is held against."""

from __future__ import annotations

from collections.abc import Sequence

from qr.ff1 import ROUNDS, _ecb


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
