"""GS1 Digital Link URIs: their keys and qualifiers, checked, and the compressed form (Digital Link 1.1, section 5)."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from urllib.parse import quote

from trace_app.gs1 import NotGs1, read_gln, read_gtin, read_sscc

_VALUE = re.compile(r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]+")
"""Characters of GS1's set 82 (General Specifications, 7.11)."""
_QUALIFIERS: dict[str, dict[str, int]] = {
    "01": {"22": 20, "10": 20, "21": 20, "235": 28},
    "414": {"254": 20},
    "00": {},
}
"""Each primary key's qualifiers in the order in which they follow it, with the most characters each may have."""
_SAFE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_COMPRESSED = re.compile(r"[A-Za-z0-9_-]{8,120}")
_NUMERIC = {"00": 18, "01": 14, "414": 13, "11": 6, "12": 6, "13": 6, "15": 6, "16": 6, "17": 6}
"""Application identifiers of digits alone, with their length."""
_TEXT = {"10": 20, "21": 20, "22": 20}
"""Those of characters, with the most of them."""
_TOGETHER = {
    "0A": ("01", "22"), "0B": ("01", "10"), "0C": ("01", "21"), "0D": ("01", "17"), "1A": ("01", "10", "21", "17"),
    "1B": ("01", "15"), "1C": ("01", "11"), "1D": ("01", "16"), "1F": ("01", "10", "15"),
}  # fmt: skip
"""Frequent sequences that have one code in the compressed form."""


class BadLink(NotGs1):
    """A key or qualifier of a GS1 Digital Link is malformed."""


@dataclass(frozen=True, slots=True)
class DigitalLink:
    """What a link identifies: one primary key, with qualifiers."""

    gtin: str = ""
    lot: str = ""
    serial: str = ""
    sscc: str = ""
    gln: str = ""

    @property
    def path(self) -> str:
        """The canonical path."""
        if self.sscc or self.gln:
            return f"/00/{self.sscc}" if self.sscc else f"/414/{self.gln}"
        parts = [("01", self.gtin), ("10", self.lot), ("21", self.serial)]
        return "".join(f"/{key}/{quote(value, safe='')}" for key, value in parts if value)


def read_path(path: str) -> DigitalLink:
    """A link from its path, a slash at its end or not: a primary key, then its qualifiers in their order.

    :raises BadLink: as `read_link`, and for what stands in the wrong place, twice, or without a value.
    """
    parts = path.removesuffix("/").removeprefix("/").split("/")
    keys = dict(zip(parts[::2], parts[1::2], strict=False))
    qualifiers = _QUALIFIERS.get(parts[0])
    if len(parts) != 2 * len(keys) or qualifiers is None:
        raise BadLink(path)
    if list(keys)[1:] != [key for key in qualifiers if key in keys]:
        raise BadLink(path)
    return read_link(keys)


def read_link(keys: dict[str, str]) -> DigitalLink:
    """A link from its application identifiers. A variant (22), a third party's number (235) and an extension (254) are
    checked and left out: nothing here is told apart by them.

    :raises BadLink: for a wrong check digit, length or character, and for no key or more than one.
    """
    found = [key for key in _QUALIFIERS if key in keys]
    if len(found) != 1 or not all(value.isascii() for value in keys.values()):
        raise BadLink(str(keys))
    for key, most in _QUALIFIERS[found[0]].items():
        if key in keys and not (len(keys[key]) <= most and _VALUE.fullmatch(keys[key])):
            raise BadLink(keys[key])
    try:
        if "00" in keys:
            return DigitalLink(sscc=read_sscc(keys["00"]))
        if "414" in keys:
            return DigitalLink(gln=read_gln(keys["414"]))
        return DigitalLink(read_gtin(keys["01"]), keys.get("10", ""), keys.get("21", ""))
    except NotGs1 as error:
        raise BadLink(str(error)) from error


def decompress(text: str) -> DigitalLink:
    """A link from its compressed form: one path segment of base 64.

    :raises BadLink: where it is none.
    """
    if not _COMPRESSED.fullmatch(text):
        raise BadLink(text)
    bits = _Bits(text)
    keys: dict[str, str] = {}
    while bits.left >= 8:
        head = f"{bits.number(4):X}{bits.number(4):X}"
        for key in _TOGETHER.get(head) or (_key(head, bits),):
            keys[key] = _value(key, bits)
    return read_link(keys)


def _key(head: str, bits: _Bits) -> str:
    if head in _NUMERIC or head in _TEXT:
        return head
    longer = f"{head}{bits.number(4):X}"
    if longer not in _NUMERIC:
        raise BadLink(longer)
    return longer


def _value(key: str, bits: _Bits) -> str:
    if key in _NUMERIC:
        return bits.digits(_NUMERIC[key])
    if key not in _TEXT:
        raise BadLink(key)
    encoding = bits.number(3)
    count = bits.number(math.ceil(math.log2(_TEXT[key]) + 0.01))
    if encoding == 0:
        return bits.digits(count)
    if encoding in (1, 2):
        text = "".join(f"{bits.number(4):X}" for _ in range(count))
        return text.lower() if encoding == 1 else text
    if encoding == 3:
        return "".join(_SAFE64[bits.number(6)] for _ in range(count))
    if encoding == 4:
        return "".join(chr(bits.number(7)) for _ in range(count))
    raise BadLink(key)


class _Bits:
    """Reads numbers of so many bits out of base 64."""

    def __init__(self, text: str) -> None:
        self._value = 0
        for character in text:
            self._value = self._value << 6 | _SAFE64.index(character)
        self.left = 6 * len(text)

    def number(self, bits: int) -> int:
        if bits > self.left:
            raise BadLink("too short")
        self.left -= bits
        return self._value >> self.left & (1 << bits) - 1

    def digits(self, count: int) -> str:
        """A decimal number of so many digits."""
        text = str(self.number(math.ceil(count * math.log2(10) + 0.01))).zfill(count)
        if len(text) > count:
            raise BadLink(text)
        return text
