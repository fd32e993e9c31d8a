"""Label codes: 13 characters of Crockford base32 that carry a run and an index, encrypted.

A code is the key's number (one character) followed by FF1 of ``run (22 bits) | index (20 bits) |
18 zero bits`` (twelve characters). So no label needs a row of its own: decrypting a code gives the
run and the index, and the zero bits tell whether the code is ours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from qr.ff1 import decrypt_code, encrypt_codes
from qr.pins import pins

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 13
PRINTED_LENGTH = 16
"""The length of a code with the spaces of `format_code`."""
MAX_RUN = (1 << 22) - 1
MAX_INDEX = (1 << 20) - 1
CHECK_BITS = 18
MOST_MISSING = 3
"""Characters that may be missing, or be too many, in what still looks like a code of ours."""
READ_KEPT = 4_000
"""Codes that a code book remembers; some 1 MB."""

_VALUE = {character: value for value, character in enumerate(ALPHABET)}
_BYTES = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)
CONFUSED = ("OIL", "011")
"""Letters that people take for digits, and the digits."""
_CODE = re.compile(f"[{ALPHABET}]{{{CODE_LENGTH}}}")
_SEPARATORS = re.compile(r"[\s\-_.·・‐-―]+")


class InvalidCode(ValueError):
    """The text is not a code of ours: wrong length or characters, unknown key, or failed check bits."""


@dataclass(frozen=True, slots=True)
class LabelCode:
    """What a code stands for."""

    key_number: int
    run: int
    index: int


def format_code(code: str) -> str:
    """The printed form: ``7KQ2M0XR9T4VH`` becomes ``7 KQ2M 0XR9 T4VH``."""
    return f"{code[0]} {code[1:5]} {code[5:9]} {code[9:]}"


_CAPTION = re.compile("^(?:[^:]*:|[\u4e00-\u9fff]+)")
PUNCTUATION = " \t.,;:!?。、…()[]{}<>《》【】「」“”‘’\"'"
"""What may stand around a code or number that was copied out of a text."""


def normalise_code(text: str) -> str:
    """Read a code as people type it: any case, full-width letters, spaces or dashes, O for 0, I or L for 1, a caption
    before it (追溯码：), punctuation around it.

    A pasted link is read by its last path segment.

    :raises InvalidCode: where what is left is not 13 characters of the alphabet.
    """
    text = unicodedata.normalize("NFKC", text).strip()
    if "://" in text:
        try:
            text = urlsplit(text).path.rstrip("/").rpartition("/")[2]
        except ValueError as error:
            raise InvalidCode(text) from error
    code = characters_of(text)
    if not _CODE.fullmatch(code):
        raise InvalidCode(code)
    return code


def characters_of(text: str) -> str:
    """What is left of a typed code without what may stand in and around it; not yet checked."""
    text = _CAPTION.sub("", unicodedata.normalize("NFKC", text).strip()).strip(PUNCTUATION)
    return _SEPARATORS.sub("", text).upper().translate(str.maketrans(*CONFUSED))


def characters_missing(text: str) -> int:
    """How many characters a typed code lacks, below zero where there are too many; zero where it is no code at all."""
    found = characters_of(text)
    near = abs(len(found) - CODE_LENGTH) <= MOST_MISSING and set(found) <= set(ALPHABET)
    return CODE_LENGTH - len(found) if near else 0


def printed_codes(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`format_code` of many codes: shape ``(count, 13)`` to ``(count, 16)``."""
    out = np.full((len(codes), PRINTED_LENGTH), ord(" "), dtype=np.uint8)
    for place, (start, end) in {0: (0, 1), 2: (1, 5), 7: (5, 9), 12: (9, 13)}.items():
        out[:, place : place + end - start] = codes[:, start:end]
    return out


class CodeBook:
    """Makes and reads codes with a set of keys, the newest of which makes new ones.

    :param keys: AES keys by key number (0 to 31).
    """

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        if not keys or any(not 0 <= number < len(ALPHABET) for number in keys):
            raise ValueError("a code book needs at least one key, numbered 0 to 31")
        self._keys = dict(keys)
        self.newest = max(keys)
        self.read = lru_cache(maxsize=READ_KEPT)(self._read)
        """Decrypt a normalised code. The ones read last are kept.

        :raises InvalidCode: where it is none of ours.
        """

    def codes(self, run: int, start: int, count: int, *, key_number: int | None = None) -> NDArray[np.uint8]:
        """The codes of ``count`` labels of a run from index ``start`` on.

        :returns: ASCII characters, shape ``(count, 13)``.
        :raises ValueError: for a run or an index out of range.
        """
        if not 0 <= run <= MAX_RUN or start < 0 or count < 0 or start + count > MAX_INDEX + 1:
            raise ValueError("run or index out of range")
        number = self.newest if key_number is None else key_number
        values = np.arange(start, start + count, dtype=np.uint64)
        values = (np.uint64(run) << np.uint64(20) | values) << np.uint64(CHECK_BITS)
        encrypted = encrypt_codes(self._keys[number], number, values)
        out = np.empty((count, CODE_LENGTH), dtype=np.uint8)
        out[:, 0] = _BYTES[number]
        for position in range(1, CODE_LENGTH):
            shift = np.uint64(5 * (CODE_LENGTH - 1 - position))
            out[:, position] = _BYTES[(encrypted >> shift & np.uint64(31)).astype(np.uint8)]
        return out

    def code(self, run: int, index: int, *, key_number: int | None = None) -> str:
        """The code of one label."""
        return self.codes(run, index, 1, key_number=key_number).tobytes().decode()

    def pins(self, run: int, start: int, count: int, *, key_number: int) -> NDArray[np.uint8]:
        """The PINs of ``count`` labels of a run from index ``start`` on: ASCII digits, shape ``(count, 6)``."""
        return pins(self._keys[key_number], run, start, count)

    def _read(self, code: str) -> LabelCode:
        if not _CODE.fullmatch(code):
            raise InvalidCode(code)
        number = _VALUE[code[0]]
        key = self._keys.get(number)
        if key is None:
            raise InvalidCode(code)
        value = 0
        for character in code[1:]:
            value = value << 5 | _VALUE[character]
        plain = decrypt_code(key, number, value)
        if plain & ((1 << CHECK_BITS) - 1):
            raise InvalidCode(code)
        return LabelCode(number, plain >> (CHECK_BITS + 20), plain >> CHECK_BITS & MAX_INDEX)
