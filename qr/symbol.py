"""QR symbols in bulk (ISO/IEC 18004).

For a fixed version, level, mode and mask a symbol is an affine function over GF(2) of its data
bits: padding, Reed-Solomon check words and placement are linear, function patterns and mask are
constant. With a fixed prefix and a suffix of fixed length, a symbol is therefore the exclusive or of a
base and one table entry for each pair of characters (alphanumeric mode packs a pair in 11 bits,
clause 7.4.4). Base and tables are made with the `qrcode` library, one call per data bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import qrcode
import qrcode.constants
import qrcode.util
from numpy.typing import NDArray

ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
QUIET_ZONE_MODULES = 4
"""ISO/IEC 18004 clause 5.3.8."""

_LEVELS = {
    "L": qrcode.constants.ERROR_CORRECT_L,
    "M": qrcode.constants.ERROR_CORRECT_M,
    "Q": qrcode.constants.ERROR_CORRECT_Q,
    "H": qrcode.constants.ERROR_CORRECT_H,
}
# Alphanumeric capacity (ISO/IEC 18004 table 7), in the order of preference: at a given printed size the
# size of a module decides, so the version is the smallest of 2 and up that holds the text, the level
# the highest that it holds it at.
_CHOICES = [
    (29, 2, "Q"),
    (38, 2, "M"),
    (47, 3, "Q"),
    (61, 3, "M"),
    (67, 4, "Q"),
    (90, 4, "M"),
    (122, 5, "M"),
    (154, 6, "M"),
]
_VALUE = {character: value for value, character in enumerate(ALPHANUMERIC)}
_VALUE_OF_BYTE = np.array([max(0, ALPHANUMERIC.find(chr(byte))) for byte in range(256)], dtype=np.uint16)


class TextTooLong(ValueError):
    """The text does not fit a symbol that could be read from a small label."""


@dataclass(frozen=True, slots=True)
class SymbolForm:
    """What is fixed for all symbols of a run. ``mask`` is the data mask pattern reference, 0 to 7."""

    version: int
    level: str
    mask: int = 0

    @property
    def size(self) -> int:
        """Modules on a side, without the quiet zone."""
        return 17 + 4 * self.version


def choose_form(length: int) -> SymbolForm:
    """Version and level for an alphanumeric text of ``length`` characters.

    :raises TextTooLong: for more than 154 characters.
    """
    for capacity, version, level in _CHOICES:
        if length <= capacity:
            return SymbolForm(version, level)
    raise TextTooLong(f"{length} characters do not fit a label's symbol (154 at most)")


def reference_symbol(text: str, form: SymbolForm) -> NDArray[np.bool_]:
    """The symbol as the `qrcode` library makes it: shape ``(size, size)``, True is dark."""
    symbol = qrcode.QRCode(version=form.version, error_correction=_LEVELS[form.level], mask_pattern=form.mask, border=0)
    symbol.add_data(qrcode.util.QRData(text, mode=qrcode.util.MODE_ALPHA_NUM), optimize=0)
    symbol.make(fit=False)
    return np.array(symbol.get_matrix(), dtype=np.bool_)


class SymbolFamily:
    """All symbols of one fixed prefix and a suffix of fixed length.

    :param prefix: characters of the alphanumeric set (ISO/IEC 18004 table 5).
    :raises ValueError: for a prefix with other characters.
    """

    def __init__(self, prefix: str, suffix_length: int, form: SymbolForm) -> None:
        if set(prefix) - set(ALPHANUMERIC):
            raise ValueError(f"{prefix!r} has characters outside the alphanumeric set of a QR code")
        self.form = form
        self.suffix_length = suffix_length
        zeros = prefix + "0" * suffix_length
        base = reference_symbol(zeros, form)
        self._base = self._pack(base)
        self._tables: list[tuple[list[int], NDArray[np.uint64]]] = []
        for start in range(0, len(zeros), 2):
            positions = [i for i in range(start, min(start + 2, len(zeros))) if i >= len(prefix)]
            if positions:
                self._tables.append(([i - len(prefix) for i in positions], self._table(zeros, base, start, positions)))

    def symbols(self, suffixes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Symbols of many suffixes.

        :param suffixes: ASCII characters of the alphanumeric set, shape ``(count, suffix_length)``.
        :returns: rows of modules, most significant bit first, 1 is dark, each row padded to whole bytes:
            shape ``(count, size, ceil(size / 8))``.
        """
        size = self.form.size
        words = np.broadcast_to(self._base, (len(suffixes), len(self._base))).copy()
        values = _VALUE_OF_BYTE[suffixes]
        for positions, table in self._tables:
            keys = values[:, positions[0]]
            for position in positions[1:]:
                keys = keys * np.uint16(45) + values[:, position]
            words ^= table[keys]
        row_bytes = -(-size // 8)
        return words.view(np.uint8)[:, : size * row_bytes].reshape(len(suffixes), size, row_bytes)

    def _table(self, zeros: str, base: NDArray[np.bool_], start: int, positions: list[int]) -> NDArray[np.uint64]:
        """Exclusive-or differences by value of the characters at ``positions`` within the pair from ``start``."""
        pair = zeros[start : start + 2]
        fixed = 45 * _VALUE[pair[0]] if len(pair) == 2 and len(positions) == 1 else 0
        bits = 11 if len(pair) == 2 else 6
        # The prefix's own character may sit in the pair: differences are then between values, not from zero.
        deltas = []
        for bit in range(bits):
            value = 1 << bit
            text = ALPHANUMERIC[value // 45] + ALPHANUMERIC[value % 45] if len(pair) == 2 else ALPHANUMERIC[value]
            zero = "0" * len(pair)
            changed = zeros[:start] + text + zeros[start + 2 :]
            cleared = zeros[:start] + zero + zeros[start + 2 :]
            delta = reference_symbol(changed, self.form) ^ reference_symbol(cleared, self.form)
            deltas.append(self._pack(delta))
        values = np.arange(45 ** len(positions), dtype=np.uint64) + np.uint64(fixed)
        changes = values ^ np.uint64(fixed)
        table = np.zeros((len(values), len(self._base)), dtype=np.uint64)
        for bit, packed in enumerate(deltas):
            table[(changes >> np.uint64(bit) & np.uint64(1)).astype(np.bool_)] ^= packed
        return table

    def _pack(self, modules: NDArray[np.bool_]) -> NDArray[np.uint64]:
        packed = np.packbits(modules, axis=1).ravel()
        padded = np.zeros(-(-len(packed) // 8) * 8, dtype=np.uint8)
        padded[: len(packed)] = packed
        return padded.view(np.uint64)


def unpack(symbol: NDArray[np.uint8], size: int) -> NDArray[np.bool_]:
    """One symbol of `SymbolFamily.symbols` as modules: shape ``(size, size)``, True is dark."""
    return np.unpackbits(symbol, axis=1)[:, :size].astype(np.bool_)


@lru_cache(maxsize=16)
def symbol_family(prefix: str, suffix_length: int) -> SymbolFamily:
    """The family for a prefix with the form that `choose_form` gives it."""
    return SymbolFamily(prefix, suffix_length, choose_form(len(prefix) + suffix_length))
