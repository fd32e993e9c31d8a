import numpy as np
import pytest

from qr.codes import ALPHABET
from qr.symbol import (
    LEVELS,
    SymbolFamily,
    SymbolForm,
    TextTooLong,
    capacity,
    choose_form,
    mode_for,
    reference_symbol,
    symbol_family,
    unpack,
)

CODES, CODES_OF_LARGE = 2000, 200
"""Of versions as labels have them, and of those beyond."""
LARGE = 4
PREFIX = "HTTPS://TRACE.QUJING.EXAMPLE/LONGER/PATHS/FILL/LARGER/SYMBOLS/"
VERSIONS = range(1, 11)


def _codes(count: int, length: int, seed: int) -> np.ndarray:
    letters = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)
    return letters[np.random.default_rng(seed).integers(0, 32, (count, length))]


def _parts(version: int, level: str, mode: str) -> tuple[str, int]:
    """A prefix and a length of suffix that use what a symbol holds, with odd and even prefixes among them."""
    room = capacity(version, level, mode)  # type: ignore[arg-type]
    length = min(13, room - 1)
    prefix = (PREFIX * 5)[: min(room - length, 90 - version % 2)]
    return (prefix.lower() if mode == "byte" else prefix), length


def _assert_equal(family: SymbolFamily, codes: np.ndarray) -> None:
    made = unpack(family.symbols(codes), family.form.size)
    for code, symbol in zip(codes, made, strict=True):
        expected = reference_symbol(family.prefix + code.tobytes().decode(), family.form)
        assert (symbol == expected).all(), code


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("version", VERSIONS)
def test_bulk_symbols_equal_the_librarys_bit_for_bit(version: int, level: str) -> None:
    prefix, length = _parts(version, level, "alphanumeric")
    form = SymbolForm(version, level, (version + LEVELS.index(level)) % 8)
    _assert_equal(
        SymbolFamily(prefix, length, form), _codes(CODES if version < LARGE else CODES_OF_LARGE, length, version)
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("version", VERSIONS)
def test_in_byte_mode_too(version: int, level: str) -> None:
    prefix, length = _parts(version, level, "byte")
    form = SymbolForm(version, level, (version + 3) % 8, "byte")
    _assert_equal(SymbolFamily(prefix, length, form), _codes(CODES_OF_LARGE // 2, length, version))


@pytest.mark.parametrize("mask", range(8))
def test_at_every_mask(mask: int) -> None:
    _assert_equal(SymbolFamily("HTTPS://T.QJ.CN/", 13, SymbolForm(2, "Q", mask)), _codes(50, 13, mask))


@pytest.mark.parametrize("version", VERSIONS)
def test_with_the_best_mask_symbols_are_what_the_library_chooses_by_itself(version: int) -> None:
    for level, mode in (("M", "alphanumeric"), ("Q", "byte")):
        prefix, length = _parts(version, level, mode)
        form = SymbolForm(version, level, "best", mode)  # type: ignore[arg-type]
        _assert_equal(SymbolFamily(prefix, length, form), _codes(40, length, version))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("version", VERSIONS)
def test_capacities_are_the_standards(version: int, level: str) -> None:
    """ISO/IEC 18004 table 7, as segno has it."""
    from segno import consts

    capacities = consts.SYMBOL_CAPACITY[version][getattr(consts, f"ERROR_LEVEL_{level}")]
    expected = {"alphanumeric": consts.MODE_ALPHANUMERIC, "byte": consts.MODE_BYTE}
    for mode, number in expected.items():
        bits = capacities - 4
        if mode == "byte":
            held = (bits - (8 if version < 10 else 16)) // 8
        else:
            bits -= 9 if version < 10 else 11
            held = bits // 11 * 2 + (1 if bits % 11 >= 6 else 0)
        assert capacity(version, level, mode) == held, number  # type: ignore[arg-type]


def test_a_short_host_leaves_version_2_with_level_q() -> None:
    form = choose_form(len("HTTPS://T.QJ.CN/") + 13)
    assert (form.version, form.level) == (2, "Q")


@pytest.mark.parametrize(
    ("length", "version", "level"), [(5, 2, "H"), (20, 2, "H"), (21, 2, "Q"), (29, 2, "Q"), (30, 2, "M"), (39, 3, "Q")]
)
def test_the_level_is_raised_where_the_version_has_room(length: int, version: int, level: str) -> None:
    assert (choose_form(length).version, choose_form(length).level) == (version, level)


def test_a_text_too_long_for_a_label_is_refused() -> None:
    with pytest.raises(TextTooLong, match="311"):
        choose_form(312)
    with pytest.raises(TextTooLong):
        SymbolFamily("HTTPS://T.QJ.CN/", 20, SymbolForm(2, "Q"))


def test_a_prefix_with_small_letters_takes_byte_mode() -> None:
    assert mode_for("https://t.qj.cn/") == "byte"
    assert symbol_family("https://t.qj.cn/", 13).form.mode == "byte"
    with pytest.raises(ValueError, match="alphanumeric"):
        SymbolFamily("https://t.qj.cn/", 13, SymbolForm(2, "Q"))
