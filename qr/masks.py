"""The best of the eight data masks, chosen for many symbols at once (ISO/IEC 18004 clause 7.8.3).

A row of modules is one 64-bit word, so each rule is a few shifts and a count of bits for all rows of
thousands of symbols together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

N1, N2, N3, N4 = 3, 3, 40, 10
"""Penalty weights (clause 7.8.3.1, table 11)."""
Words = NDArray[np.uint64]


def penalty(rows: Words, columns: Words, size: int) -> NDArray[np.int64]:
    """Penalty of each symbol.

    :param rows: modules of each row from the most significant bit on, 1 is dark: shape ``(count, size)``.
    :param columns: the same of the transposed symbols.
    :returns: shape ``(count,)``.
    """
    equal = [_equal_neighbours(lines, size) for lines in (rows, columns)]
    points = np.zeros(len(rows), dtype=np.int64)
    for lines, pairs in zip((rows, columns), equal, strict=True):
        points += _runs(pairs) + _finder_like(lines, size)
    points += N2 * _bits(equal[0][:, 1:] & equal[0][:, :-1] & ~(rows[:, 1:] ^ rows[:, :-1]))
    share = _bits(rows) / size**2
    imbalance: NDArray[np.int64] = (np.abs(share * 100 - 50) / 5).astype(np.int64)
    return points + N4 * imbalance


def _bits(words: Words) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = np.bitwise_count(words).sum(axis=1, dtype=np.int64)
    return counts


def _top(count: int) -> np.uint64:
    return np.uint64((1 << 64) - (1 << (64 - count)))


def _equal_neighbours(lines: Words, size: int) -> Words:
    """Bit j is set where modules j and j + 1 of a line are alike."""
    return ~(lines ^ lines << np.uint64(1)) & _top(size - 1)


def _runs(pairs: Words) -> NDArray[np.int64]:
    """N1 + i for a run of 5 + i: one for each place where five follow alike, two more for each run."""
    two = pairs & pairs << np.uint64(1)
    five = two & two << np.uint64(2)
    return _bits(five) + (N1 - 1) * _bits(five & ~(five >> np.uint64(1)))


def _finder_like(lines: Words, size: int) -> NDArray[np.int64]:
    """N3 for each 1:1:3:1:1 with four light modules before or behind it."""
    light = ~lines
    two = light & light << np.uint64(1)
    four = two & two << np.uint64(2)
    core = lines & light << np.uint64(1) & lines << np.uint64(2) & lines << np.uint64(3)
    core &= lines << np.uint64(4) & light << np.uint64(5) & lines << np.uint64(6)
    found = _bits(core & four << np.uint64(7) & _top(size - 10))
    return N3 * (found + _bits(four & core << np.uint64(4) & _top(size - 10)))


def line_words(modules: NDArray[np.bool_] | NDArray[np.uint8]) -> Words:
    """Lines of modules as one big-endian 64-bit word each: shape ``(..., size)``."""
    packed = np.packbits(modules, axis=-1)
    padded = np.zeros((*packed.shape[:-1], 8), dtype=np.uint8)
    padded[..., : packed.shape[-1]] = packed
    return padded.view(">u8")[..., 0].astype(np.uint64)
