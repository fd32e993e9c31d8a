import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qr.codes import ALPHABET, MAX_INDEX, MAX_RUN, CodeBook, InvalidCode, LabelCode, format_code, normalise_code

BOOK = CodeBook({1: bytes(range(32)), 7: bytes(range(32, 64))})


@given(st.integers(0, MAX_RUN), st.integers(0, MAX_INDEX), st.sampled_from([1, 7]))
def test_a_code_tells_its_run_and_index(run: int, index: int, key_number: int) -> None:
    assert BOOK.read(BOOK.code(run, index, key_number=key_number)) == LabelCode(key_number, run, index)


def test_new_codes_use_the_newest_key_and_old_ones_stay_readable() -> None:
    assert BOOK.code(5, 6)[0] == "7"
    assert BOOK.read(CodeBook({1: bytes(range(32))}).code(5, 6)) == LabelCode(1, 5, 6)


def test_many_codes_are_all_different_and_in_no_visible_order() -> None:
    codes = BOOK.codes(3, 0, 100_000)
    assert codes.shape == (100_000, 13)
    text = [row.tobytes().decode() for row in codes]
    assert len(set(text)) == 100_000
    assert set("".join(text)) <= set(ALPHABET)
    assert text != sorted(text)
    assert text[777] == BOOK.code(3, 777)


def test_a_changed_character_is_noticed() -> None:
    code = BOOK.code(12, 34)
    wrong = [code[:i] + c + code[i + 1 :] for i in range(1, 13) for c in ALPHABET if c != code[i]]
    for text in wrong:
        with pytest.raises(InvalidCode):
            BOOK.read(text)


def test_random_codes_are_not_ours() -> None:
    rng = np.random.default_rng(1)
    hits = 0
    for row in rng.integers(0, 32, (20_000, 12)):
        try:
            BOOK.read("7" + "".join(ALPHABET[x] for x in row))
            hits += 1
        except InvalidCode:
            pass
    assert hits <= 2


def test_codes_are_read_as_people_type_them() -> None:
    code = "7KQ2M0XR9T4V1"
    typed = [
        "7 KQ2M 0XR9 T4V1",
        "7-kq2m-0xr9-t4v1",
        "  7kq2mOxr9t4vI ",
        "7KQ2M OXR9 T4Vl",
        "７ＫＱ２Ｍ０ＸＲ９Ｔ４Ｖ１",
        "7 KQ2M·0XR9—T4V1",
        "https://T.QJ.CN/7KQ2M0XR9T4V1",
        "追溯码：7KQ2M0XR9T4V1。",
        "码7KQ2M 0XR9 T4V1",
        "（7KQ2M0XR9T4V1）",
        "Trace code: 7kq2m0xr9t4v1.",
        "HTTPS://T.QJ.CN/01/06900000000007/10/L1/21/7KQ2M0XR9T4V1?x=1",
    ]
    assert [normalise_code(text) for text in typed] == [code] * len(typed)
    assert normalise_code(format_code(code)) == code


@pytest.mark.parametrize(
    "text", ["", "7KQ2M0XR9T4V", "7KQ2M0XR9T4V11", "7KQ2M0XR9T4VU", "溯源", "http://[", "\x00" * 13]
)
def test_other_text_is_not_a_code(text: str) -> None:
    with pytest.raises(InvalidCode):
        normalise_code(text)


def test_an_index_beyond_the_run_space_is_refused() -> None:
    with pytest.raises(ValueError, match="range"):
        BOOK.codes(1, MAX_INDEX, 2)
    with pytest.raises(ValueError, match="range"):
        BOOK.codes(MAX_RUN + 1, 0, 1)
