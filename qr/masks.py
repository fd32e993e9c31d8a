"""The best of the eight data masks, chosen for many symbols at once (ISO/IEC 18004 clause 7.8.3).

A row of modules is one word, so each rule is a few shifts and a count of bits for all rows of
thousands of symbols together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

N1, N2, N3, N4 = 3, 3, 40, 10
"""Penalty weights (clause 7.8.3.1, table 11)."""
Words = NDArray[Any]
Counts = NDArray[Any]


MASKS = range(8)
CHUNK = 1024
"""Symbols whose masks are chosen together: their words stay in the processor's cache."""


class MaskChooser:
    """Turns symbols at mask 0 into symbols at the best mask.

    The choice is that of the `qrcode` library: symbols are judged before format and version information are put in,
    and of equals the lower mask is taken. What masks change is the same for all texts of one form, so any will do.

    :param finished: one text's symbol at each mask, shape ``(size, size)``, True is dark.
    :param blank: the same before format and version information.
    """

    def __init__(self, finished: Sequence[NDArray[np.bool_]], blank: Sequence[NDArray[np.bool_]]) -> None:
        self._size = len(finished[0])
        self._changes = np.stack([np.packbits(finished[0] ^ modules, axis=1) for modules in finished])
        self._blank_rows = [line_words(finished[0] ^ modules) for modules in blank]
        self._blank_columns = [line_words((finished[0] ^ modules).T) for modules in blank]

    def choose(self, symbols: NDArray[np.uint8]) -> None:
        """Change symbols at mask 0 in place.

        :param symbols: as those of `qr.symbol.SymbolFamily.symbols`.
        """
        for start in range(0, len(symbols), CHUNK):
            part = symbols[start : start + CHUNK]
            part ^= self._changes[self.best(part)]

    def best(self, symbols: NDArray[np.uint8]) -> NDArray[np.intp]:
        """The best mask for each symbol, given at mask 0: shape ``(count,)``."""
        modules = np.unpackbits(symbols, axis=2)[:, :, : self._size]
        rows = line_words(modules)
        columns = line_words(modules.transpose(0, 2, 1))
        points = [
            penalty(rows ^ self._blank_rows[mask], columns ^ self._blank_columns[mask], self._size) for mask in MASKS
        ]
        best: NDArray[np.intp] = np.argmin(np.stack(points), axis=0)
        return best


def penalty(rows: Words, columns: Words, size: int) -> NDArray[np.int64]:
    """Penalty of each symbol.

    :param rows: `line_words` of the symbols: shape ``(count, size)``.
    :param columns: the same of the transposed symbols.
    :returns: shape ``(count,)``.
    """
    alike, alike_below = _equal_neighbours(rows, size), _equal_neighbours(columns, size)
    points = _runs(alike) + _runs(alike_below) + _finder_like(rows, size) + _finder_like(columns, size)
    points[:, 1:] += N2 * _bits(alike[:, 1:] & alike[:, :-1] & ~(rows[:, 1:] ^ rows[:, :-1]))
    share = _bits(rows).sum(axis=1) / size**2
    imbalance: NDArray[np.int64] = (np.abs(share * 100 - 50) / 5).astype(np.int64)
    total: NDArray[np.int64] = points.sum(axis=1, dtype=np.int64) + N4 * imbalance
    return total


def _bits(words: Words) -> Counts:
    counts: Counts = np.bitwise_count(words).astype(np.uint16)
    return counts


def _first(words: Words, count: int) -> Words:
    """The words without what follows their first bits."""
    bits = words.dtype.itemsize * 8
    kept: Words = words & words.dtype.type((1 << bits) - (1 << (bits - count)))
    return kept


def _equal_neighbours(lines: Words, size: int) -> Words:
    """Bit j is set where modules j and j + 1 of a line are alike."""
    return _first(~(lines ^ lines << 1), size - 1)


def _runs(pairs: Words) -> Counts:
    """N1 + i for a run of 5 + i: one for each place where five follow alike, two more for each run."""
    two = pairs & pairs << 1
    five = two & two << 2
    points: Counts = _bits(five) + (N1 - 1) * _bits(five & ~(five >> 1))
    return points


def _finder_like(lines: Words, size: int) -> Counts:
    """N3 for each 1:1:3:1:1 with four light modules before or behind it."""
    light = ~lines
    two = light & light << 1
    four = two & two << 2
    core = lines & light << 1 & lines << 2 & lines << 3 & lines << 4 & light << 5 & lines << 6
    points: Counts = N3 * (_bits(_first(core & four << 7, size - 10)) + _bits(_first(four & core << 4, size - 10)))
    return points


def line_words(modules: NDArray[np.bool_] | NDArray[np.uint8]) -> Words:
    """Lines of modules as one word each, from the most significant bit on, 1 is dark: shape ``(..., size)``.

    Up to version 3 a word has 32 bits, else 64.
    """
    width = 4 if modules.shape[-1] <= 32 else 8
    packed = np.packbits(modules, axis=-1)
    padded = np.zeros((*packed.shape[:-1], width), dtype=np.uint8)
    padded[..., : packed.shape[-1]] = packed
    words: Words = padded.view(f">u{width}")[..., 0].astype(f"u{width}")
    return words
