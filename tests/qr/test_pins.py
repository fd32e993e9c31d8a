import hashlib

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from tests.qr.samples import BOOK


def test_a_pin_has_six_digits_and_is_the_same_each_time() -> None:
    pins = BOOK.pins(7, 0, 1000, key_number=1)
    assert pins.shape == (1000, 6)
    assert set(pins.ravel()) <= set(b"0123456789")
    assert np.array_equal(pins[400:410], BOOK.pins(7, 400, 10, key_number=1))


def test_it_is_the_cipher_of_run_and_index() -> None:
    block = (7).to_bytes(8, "big") + (123).to_bytes(8, "big")
    secret = hashlib.sha256(b"label pin" + bytes(range(32))).digest()
    number = int.from_bytes(Cipher(algorithms.AES(secret), modes.ECB()).encryptor().update(block)[8:], "big") % 10**6
    assert BOOK.pins(7, 123, 1, key_number=1).tobytes().decode() == f"{number:06d}"


def test_pins_are_spread_evenly_and_other_runs_have_others() -> None:
    pins = BOOK.pins(7, 0, 50_000, key_number=1)
    for place in range(6):
        counts = np.bincount(pins[:, place] - 48, minlength=10)
        assert abs(counts - 5000).max() < 400
    assert (pins[:100] != BOOK.pins(8, 0, 100, key_number=1)).any(axis=1).sum() > 95
