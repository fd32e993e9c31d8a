"""QR symbols in bulk (ISO/IEC 18004).

For a fixed version, level, mode and mask a symbol is an affine function over GF(2) of its data
bits: padding, Reed-Solomon check words and placement are linear, function patterns and mask are
constant. With a fixed prefix and a suffix of fixed length, a symbol is therefore the exclusive or of a
base and one table entry for each group of characters: a pair in alphanumeric mode, which packs two in
11 bits (clause 7.4.4), one in byte mode (7.4.5). Base and tables are made with the `qrcode` library, one
call per data bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import qrcode
import qrcode.base
import qrcode.constants
import qrcode.util
from numpy.typing import NDArray

from qr.masks import MASKS, MaskChooser

ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
QUIET_ZONE_MODULES = 4
"""ISO/IEC 18004 clause 5.3.8."""
LEVELS = "LMQH"
SAMPLE_CHARACTER = "Z"
SMALLEST_VERSION = 2
"""Version 1 has no alignment pattern: measured, it reads worse than version 2 when damaged or curved."""
LARGEST_VERSION = 10


Mode = Literal["alphanumeric", "byte"]
Mask = int | Literal["best"]

ERROR_CORRECTION = {
    "L": qrcode.constants.ERROR_CORRECT_L,
    "M": qrcode.constants.ERROR_CORRECT_M,
    "Q": qrcode.constants.ERROR_CORRECT_Q,
    "H": qrcode.constants.ERROR_CORRECT_H,
}
_MODE: dict[str, Any] = {"alphanumeric": qrcode.util.MODE_ALPHA_NUM, "byte": qrcode.util.MODE_8BIT_BYTE}
_VALUE = {character: value for value, character in enumerate(ALPHANUMERIC)}
_VALUE_OF_BYTE = np.array([max(0, ALPHANUMERIC.find(chr(byte))) for byte in range(256)], dtype=np.uint16)


class TextTooLong(ValueError):
    """The text does not fit a symbol that could be read from a label."""


@dataclass(frozen=True, slots=True)
class SymbolForm:
    """What is fixed for all symbols of a run. ``mask`` is the data mask pattern reference, 0 to 7, or ``best``."""

    version: int
    level: str
    mask: Mask = 0
    mode: Mode = "alphanumeric"

    @property
    def size(self) -> int:
        """Modules on a side, without the quiet zone."""
        return 17 + 4 * self.version


def mode_for(text: str) -> Mode:
    """Alphanumeric where every character is of that set (ISO/IEC 18004 table 5), byte otherwise."""
    return "byte" if set(text) - set(ALPHANUMERIC) else "alphanumeric"


def capacity(version: int, level: str, mode: Mode) -> int:
    """Characters that a symbol holds (ISO/IEC 18004 table 7)."""
    words: int = sum(block.data_count for block in qrcode.base.rs_blocks(version, ERROR_CORRECTION[level]))
    bits: int = words * 8 - 4 - qrcode.util.length_in_bits(_MODE[mode], version)
    if mode == "byte":
        return bits // 8
    return bits // 11 * 2 + (bits % 11 >= 6)


def choose_form(
    length: int, mode: Mode = "alphanumeric", *, least_level: str = "M", mask: Mask = 0, largest: int = LARGEST_VERSION
) -> SymbolForm:
    """The smallest version of 2 and up that holds a text at the least level, at the highest level that is free there.

    At a given printed size the size of a module decides, so a larger version is never taken for a higher level.

    :raises TextTooLong: where not even the largest version holds it.
    """
    for version in range(SMALLEST_VERSION, largest + 1):
        fitting = [level for level in LEVELS[LEVELS.index(least_level) :] if capacity(version, level, mode) >= length]
        if fitting:
            return SymbolForm(version, fitting[-1], mask, mode)
    raise TextTooLong(
        f"{length} characters do not fit a label's symbol ({capacity(largest, least_level, mode)} at most)"
    )


def reference_symbol(text: str, form: SymbolForm) -> NDArray[np.bool_]:
    """The symbol as the `qrcode` library makes it: shape ``(size, size)``, True is dark."""
    symbol = _qrcode(text, form)
    symbol.make(fit=False)
    return np.array(symbol.get_matrix(), dtype=np.bool_)


def blank_reference(text: str, form: SymbolForm, mask: int) -> NDArray[np.bool_]:
    """The symbol before format and version information are put in: what masks are judged by (clauses 7.1, 7.8)."""
    symbol = _qrcode(text, form)
    symbol.makeImpl(True, mask)
    return np.array(symbol.modules, dtype=np.bool_)


def _qrcode(text: str, form: SymbolForm) -> qrcode.QRCode[Any]:
    mask = None if form.mask == "best" else form.mask
    symbol = qrcode.QRCode(
        version=form.version, error_correction=ERROR_CORRECTION[form.level], mask_pattern=mask, border=0
    )
    symbol.add_data(qrcode.util.QRData(text, mode=_MODE[form.mode]), optimize=0)
    return symbol


class SymbolFamily:
    """All symbols of one fixed prefix and a suffix of fixed length.

    :raises ValueError: for a prefix with characters outside the form's mode.
    :raises TextTooLong: where the form does not hold prefix and suffix.
    """

    def __init__(self, prefix: str, suffix_length: int, form: SymbolForm) -> None:
        if form.mode == "alphanumeric" and mode_for(prefix) == "byte":
            raise ValueError(f"{prefix!r} has characters outside the alphanumeric set of a QR code")
        if len(prefix.encode()) + suffix_length > capacity(form.version, form.level, form.mode):
            raise TextTooLong(f"{prefix!r} and {suffix_length} more do not fit version {form.version}-{form.level}")
        self.prefix = prefix
        self.form = form
        self.suffix_length = suffix_length
        fixed = SymbolForm(form.version, form.level, 0 if form.mask == "best" else form.mask, form.mode)
        self._linear = _LinearSymbols(prefix, suffix_length, fixed)
        self._chooser: MaskChooser | None = None
        if form.mask == "best":
            sample = sample_text(prefix, suffix_length)
            finished = [reference_symbol(sample, SymbolForm(form.version, form.level, m, form.mode)) for m in MASKS]
            self._chooser = MaskChooser(finished, [blank_reference(sample, form, mask) for mask in MASKS])

    def symbols(self, suffixes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Symbols of many suffixes.

        :param suffixes: ASCII characters of the form's mode, shape ``(count, suffix_length)``.
        :returns: rows of modules, most significant bit first, 1 is dark, each row padded to whole bytes:
            shape ``(count, size, ceil(size / 8))``.
        """
        symbols = self._linear.symbols(suffixes)
        if self._chooser is not None:
            self._chooser.choose(symbols)
        return symbols


class _LinearSymbols:
    """The affine map from suffixes to symbols at one mask."""

    def __init__(self, prefix: str, suffix_length: int, form: SymbolForm) -> None:
        self.form = form
        sample = sample_text(prefix, suffix_length)
        self._base = _pack(reference_symbol(sample, form))
        self._tables: list[tuple[list[int], NDArray[np.uint64]]] = []
        step = 2 if form.mode == "alphanumeric" else 1
        for start in range(0, len(sample), step):
            positions = [i for i in range(start, min(start + step, len(sample))) if i >= len(prefix)]
            if positions:
                table = self._pair_table(sample, start, positions) if step == 2 else self._byte_table(sample, start)
                self._tables.append(([i - len(prefix) for i in positions], table))

    def symbols(self, suffixes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        size = self.form.size
        words = np.broadcast_to(self._base, (len(suffixes), len(self._base))).copy()
        values = _VALUE_OF_BYTE[suffixes] if self.form.mode == "alphanumeric" else suffixes
        for positions, table in self._tables:
            keys = values[:, positions[0]]
            for position in positions[1:]:
                keys = keys * np.uint16(45) + values[:, position]
            words ^= table[keys]
        row_bytes = -(-size // 8)
        return words.view(np.uint8)[:, : size * row_bytes].reshape(len(suffixes), size, row_bytes)

    def _byte_table(self, sample: str, position: int) -> NDArray[np.uint64]:
        before, here, after = sample[:position], ord(sample[position]), sample[position + 1 :]
        deltas = [self._difference(before + chr(here ^ 1 << bit) + after, sample) for bit in range(7)]
        return _linear_table(np.arange(128) ^ here, deltas)

    def _pair_table(self, sample: str, start: int, positions: list[int]) -> NDArray[np.uint64]:
        """Differences from the sample by value of the characters at ``positions`` within the pair from ``start``.

        The prefix's last character may sit in the pair.
        """
        pair, before, after = sample[start : start + 2], sample[:start], sample[start + 2 :]
        in_sample = _VALUE[pair[-1]] + (45 * _VALUE[pair[0]] if len(pair) == 2 else 0)
        deltas = []
        for bit in range(11 if len(pair) == 2 else 6):
            value = 1 << bit
            text = ALPHANUMERIC[value // 45] + ALPHANUMERIC[value % 45] if len(pair) == 2 else ALPHANUMERIC[value]
            deltas.append(self._difference(before + text + after, before + "0" * len(pair) + after))
        fixed = 45 * _VALUE[pair[0]] if len(pair) == 2 and len(positions) == 1 else 0
        values = np.arange(45 ** len(positions)) + fixed
        return _linear_table(values ^ in_sample, deltas)

    def _difference(self, one: str, other: str) -> NDArray[np.uint64]:
        return _pack(reference_symbol(one, self.form) ^ reference_symbol(other, self.form))


def sample_text(prefix: str, suffix_length: int) -> str:
    """A text of the family. Not of zeros: the `qrcode` library fails where a whole block of data words is zero."""
    return prefix + SAMPLE_CHARACTER * suffix_length


def _linear_table(changes: NDArray[np.int_], deltas: list[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """The change of the symbol for each change of data bits, from the change that each single bit makes."""
    table = np.zeros((len(changes), len(deltas[0])), dtype=np.uint64)
    for bit, packed in enumerate(deltas):
        table[(changes >> bit & 1).astype(np.bool_)] ^= packed
    return table


def _pack(modules: NDArray[np.bool_]) -> NDArray[np.uint64]:
    packed = np.packbits(modules, axis=1).ravel()
    padded = np.zeros(-(-len(packed) // 8) * 8, dtype=np.uint8)
    padded[: len(packed)] = packed
    return padded.view(np.uint64)


def unpack(symbol: NDArray[np.uint8], size: int) -> NDArray[np.bool_]:
    """One symbol of `SymbolFamily.symbols` as modules: shape ``(size, size)``, True is dark."""
    return np.unpackbits(symbol, axis=-1)[..., :size].astype(np.bool_)


@lru_cache(maxsize=32)
def symbol_family(prefix: str, suffix_length: int, mask: Mask = 0) -> SymbolFamily:
    """The family for a prefix with the form that `choose_form` gives it.

    :raises TextTooLong: where no symbol for labels holds it.
    """
    mode = mode_for(prefix)
    return SymbolFamily(prefix, suffix_length, choose_form(len(prefix.encode()) + suffix_length, mode, mask=mask))
