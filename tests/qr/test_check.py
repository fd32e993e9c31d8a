"""A file is read back before it is offered."""

import io

import pytest

from qr.check import CannotBeRead, _records, check_file, positions_to_check
from qr.labels import Labels
from tests.qr.samples import BOOK, FAMILY, art_of, file_of, labels_of

CASES = [("pdf", "a4-3x8"), ("pdf", "roll-60x40"), ("tspl", "roll-60x40"), ("zpl", "roll-60x40"), ("csv", "roll-60x40")]


@pytest.mark.parametrize(("name", "stock"), CASES)
@pytest.mark.parametrize("count", [1, 30, 130])
def test_a_good_file_passes(name: str, stock: str, count: int) -> None:
    art, labels = art_of(stock), labels_of(count, first=5)
    expected = count if count <= 100 else 48
    assert check_file(io.BytesIO(file_of(name, art, labels)), name, art, labels) == expected


@pytest.mark.parametrize(("name", "stock"), CASES)
def test_a_file_of_other_labels_does_not(name: str, stock: str) -> None:
    art, file = art_of(stock), io.BytesIO(file_of(name, art_of(stock), labels_of(30)))
    with pytest.raises(CannotBeRead):
        check_file(file, name, art, Labels(FAMILY, BOOK, 1, 8, 0, 30))


@pytest.mark.parametrize(("name", "stock"), [case for case in CASES if case[0] != "csv"])
def test_a_file_whose_symbols_are_blotted_does_not(name: str, stock: str, monkeypatch: pytest.MonkeyPatch) -> None:
    art, labels = art_of(stock), labels_of(30)
    whole = FAMILY.symbols

    def blotted(suffixes):  # the last label's symbol is a black square
        symbols = whole(suffixes).copy()
        symbols[-1] = 255
        return symbols

    monkeypatch.setattr(FAMILY, "symbols", blotted)
    file = io.BytesIO(file_of(name, art, labels))
    monkeypatch.undo()
    with pytest.raises(CannotBeRead) as refused:
        check_file(file, name, art, labels)
    assert refused.value.position == 29


def test_all_of_a_small_run_and_a_sample_from_end_to_end_of_a_large_one() -> None:
    assert positions_to_check(100) == list(range(100))
    large = positions_to_check(1_000_000)
    assert len(large) == 48
    assert (large[0], large[-1]) == (0, 999_999)


@pytest.mark.parametrize("before", [0, 100, (1 << 20) - 5, 1 << 20, 3_000_000])
def test_labels_are_found_however_much_stands_before_them(before: int) -> None:
    records = [b"CLS\r\nPUTBMP %d KILL " % number for number in range(3)]
    file = io.BytesIO(b"x" * before + b"".join(records) + b"KILL the end")
    assert list(_records(file, b"CLS\r\nPUTBMP", b"KILL the", 3, [0, 2])) == [(0, records[0]), (2, records[2])]
