"""The penalty rules of ISO/IEC 18004 clause 7.8.3.1, against a plain reading of them and against segno."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qr.masks import line_words, penalty


def _penalty(modules: np.ndarray) -> int:
    return int(penalty(line_words(modules)[None], line_words(modules.T)[None], len(modules))[0])


def _lines(modules: np.ndarray) -> list[str]:
    return ["".join(map(str, line.astype(int))) for line in (*modules, *modules.T)]


def _runs(modules: np.ndarray) -> int:
    import itertools

    lengths = [len(list(group)) for line in _lines(modules) for _, group in itertools.groupby(line)]
    return sum(3 + length - 5 for length in lengths if length >= 5)


def _blocks(modules: np.ndarray) -> int:
    size = len(modules)
    return 3 * sum(
        len(set(modules[y : y + 2, x : x + 2].ravel())) == 1 for y in range(size - 1) for x in range(size - 1)
    )


def _finders(modules: np.ndarray) -> int:
    patterns = ("10111010000", "00001011101")
    return 40 * sum(line[start : start + 11] in patterns for line in _lines(modules) for start in range(len(line) - 10))


def _balance(modules: np.ndarray) -> int:
    return 10 * int(abs(modules.mean() * 100 - 50) / 5)


@given(st.integers(0, 2**32), st.sampled_from([21, 25, 29, 45, 57]), st.floats(0.05, 0.95))
def test_the_penalty_is_that_of_the_rules_read_plainly(seed: int, size: int, share: float) -> None:
    modules = np.random.default_rng(seed).random((size, size)) < share
    expected = _runs(modules) + _blocks(modules) + _finders(modules) + _balance(modules)
    assert _penalty(modules) == expected


@pytest.mark.parametrize("seed", range(40))
def test_segno_counts_runs_blocks_and_balance_alike(seed: int) -> None:
    from segno.encoder import mask_scores

    modules = np.random.default_rng(seed).random((25, 25)) < 0.5
    runs, blocks, _finder, balance = mask_scores([bytearray(row.astype(np.uint8)) for row in modules], 25, 25)
    assert _penalty(modules) - _finders(modules) == runs + blocks + balance


def test_an_empty_symbol_is_the_worst() -> None:
    modules = np.zeros((25, 25), dtype=bool)
    assert _penalty(modules) == 50 * (3 + 20) + 24 * 24 * 3 + 100
