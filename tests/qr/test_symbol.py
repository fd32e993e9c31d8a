import numpy as np
import pytest

from qr.codes import ALPHABET, CODE_LENGTH
from qr.symbol import SymbolFamily, SymbolForm, TextTooLong, choose_form, reference_symbol, unpack

PREFIXES = ["HTTPS://T.QJ.CN/", "HTTP://127.0.0.1:8000/", "HTTPS://TRACE.QUJING.EXAMPLE/"]


def _codes(count: int, seed: int = 1) -> np.ndarray:
    letters = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)
    return letters[np.random.default_rng(seed).integers(0, 32, (count, CODE_LENGTH))]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("mask", range(8))
def test_bulk_symbols_equal_the_librarys_bit_for_bit(prefix: str, mask: int) -> None:
    chosen = choose_form(len(prefix) + CODE_LENGTH)
    form = SymbolForm(chosen.version, chosen.level, mask)
    codes = _codes(12, mask)
    made = SymbolFamily(prefix, CODE_LENGTH, form).symbols(codes)
    for code, symbol in zip(codes, made, strict=True):
        expected = reference_symbol(prefix + code.tobytes().decode(), form)
        assert (unpack(symbol, form.size) == expected).all()


def test_a_short_host_leaves_version_2_with_level_q() -> None:
    form = choose_form(len("HTTPS://T.QJ.CN/") + CODE_LENGTH)
    assert (form.version, form.level) == (2, "Q")


def test_a_text_too_long_for_a_label_is_refused() -> None:
    with pytest.raises(TextTooLong):
        choose_form(155)


def test_a_prefix_outside_the_alphanumeric_set_is_refused() -> None:
    with pytest.raises(ValueError, match="alphanumeric"):
        SymbolFamily("https://t.qj.cn/", CODE_LENGTH, SymbolForm(2, "Q"))
