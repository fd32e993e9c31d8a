"""FF1 against the sample vectors of NIST SP 800-38G, and the bulk form against the plain one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qr.ff1 import decrypt_code, encrypt_codes
from tests.qr.ff1_reference import FF1

KEY_128 = "2B7E151628AED2A6ABF7158809CF4F3C"
KEY_192 = KEY_128 + "EF4359D8D580AA4F"
KEY_256 = KEY_192 + "7F036D6F04FC6A94"
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
TWEAK_10 = "39383736353433323130"
TWEAK_11 = "3737373770717273373737"

SAMPLES = [
    (KEY_128, 10, "", "0123456789", "2433477484"),
    (KEY_128, 10, TWEAK_10, "0123456789", "6124200773"),
    (KEY_128, 36, TWEAK_11, "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
    (KEY_192, 10, "", "0123456789", "2830668132"),
    (KEY_192, 10, TWEAK_10, "0123456789", "2496655549"),
    (KEY_192, 36, TWEAK_11, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
    (KEY_256, 10, "", "0123456789", "6657667009"),
    (KEY_256, 10, TWEAK_10, "0123456789", "1001623463"),
    (KEY_256, 36, TWEAK_11, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
]


@pytest.mark.parametrize(("key", "radix", "tweak", "plain", "cipher"), SAMPLES)
def test_nist_sample_vectors(key: str, radix: int, tweak: str, plain: str, cipher: str) -> None:
    ff1 = FF1(bytes.fromhex(key), radix)
    numerals = [DIGITS.index(x) for x in plain]
    encrypted = ff1.encrypt(numerals, bytes.fromhex(tweak))
    assert "".join(DIGITS[x] for x in encrypted) == cipher
    assert ff1.decrypt(encrypted, bytes.fromhex(tweak)) == numerals


def numerals_of(value: int) -> list[int]:
    return [value >> 5 * i & 31 for i in range(11, -1, -1)]


@given(st.lists(st.integers(0, 2**60 - 1), min_size=1, max_size=8), st.integers(0, 31))
def test_bulk_encryption_equals_the_standard_algorithm(values: list[int], tweak: int) -> None:
    key = bytes.fromhex(KEY_256)
    plain = FF1(key, 32)
    bulk = encrypt_codes(key, tweak, np.array(values, dtype=np.uint64))
    for value, encrypted in zip(values, bulk.tolist(), strict=True):
        assert numerals_of(encrypted) == plain.encrypt(numerals_of(value), bytes([tweak]))
        assert decrypt_code(key, tweak, encrypted) == value


@pytest.mark.parametrize("numerals", [[1], [0, 10], [-1, 3, 4]])
def test_strings_outside_the_standard_are_refused(numerals: list[int]) -> None:
    with pytest.raises(ValueError, match="numerals"):
        FF1(bytes(16), 10).encrypt(numerals)
