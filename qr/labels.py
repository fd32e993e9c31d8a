"""The labels of a run, in chunks: codes, symbols and what else differs from label to label.

Every writer takes its labels from here, so all formats say the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from qr.codes import CodeBook, printed_codes
from qr.layout import VARIABLE_FIELDS
from qr.pins import decimal_digits
from qr.symbol import SymbolFamily

CHUNK = 4096
"""Labels made at a time."""

Progress = Callable[[int], None]
"""Is told how many labels are written. May raise to stop the writing."""


@dataclass(frozen=True, slots=True)
class SsccRange:
    """The Serial Shipping Container Codes of a run (GS1 General Specifications, 3.2).

    :param stem: extension digit and company prefix.
    :param first: serial reference of index 0.
    """

    stem: str
    first: int

    def digits(self, start: int, count: int) -> NDArray[np.uint8]:
        """The 18 digits of ``count`` containers from an index on: ASCII, shape ``(count, 18)``."""
        width = VARIABLE_FIELDS["sscc"] - 1 - len(self.stem)
        out = np.empty((count, VARIABLE_FIELDS["sscc"]), dtype=np.uint8)
        out[:, : len(self.stem)] = np.frombuffer(self.stem.encode(), dtype=np.uint8)
        serials = np.arange(self.first + start, self.first + start + count, dtype=np.uint64)
        out[:, len(self.stem) : -1] = decimal_digits(serials, width)
        # Check digit: weights 3 and 1 from the right (7.9.1).
        weights = np.array([3 if place % 2 == 0 else 1 for place in range(17)])
        total = ((out[:, :-1] - 48) * weights).sum(axis=1)
        out[:, -1] = (10 - total % 10) % 10 + 48
        return out


@dataclass(frozen=True, slots=True)
class Chunk:
    """Labels that follow one another. ``codes`` have shape ``(count, 13)``, ``symbols`` are those of the family."""

    start: int
    codes: NDArray[np.uint8]
    symbols: NDArray[np.uint8]
    fields: dict[str, NDArray[np.uint8]]
    """ASCII characters of each variable field that was asked for: shape ``(count, length)``."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels ``start`` to ``start + count`` of a run.

    :param copies: all labels are that of index ``start``.
    :param sscc: the run's container numbers, where it has any.
    :param symbol_is_sscc: the symbols carry these in place of the code.
    """

    family: SymbolFamily
    book: CodeBook
    key_number: int
    run: int
    start: int
    count: int
    copies: bool = False
    sscc: SsccRange | None = None
    symbol_is_sscc: bool = False

    def chunks(self, fields: frozenset[str], size: int = CHUNK, *, symbols: bool = True) -> Iterator[Chunk]:
        """All labels in order.

        :param fields: the variable fields that the layout shows.
        :param symbols: whether they are made; where not, the chunks have none.
        """
        if self.copies:
            one = self._chunk(self.start, 1, fields, symbols)
            for done in range(0, self.count, size):
                yield _repeated(one, min(size, self.count - done))
            return
        for done in range(0, self.count, size):
            yield self._chunk(self.start + done, min(size, self.count - done), fields, symbols)

    def url(self, index: int) -> str:
        """What the symbol of an index says."""
        codes = self.book.codes(self.run, index, 1, key_number=self.key_number)
        return self.family.prefix + self._suffixes(codes, index, 1).tobytes().decode()

    def one(self, index: int) -> Labels:
        """The label of one index alone."""
        return replace(self, start=index, count=1, copies=False)

    def _suffixes(self, codes: NDArray[np.uint8], start: int, count: int) -> NDArray[np.uint8]:
        """What follows the prefix in the symbols: ASCII, shape ``(count, suffix length)``."""
        return self._sscc(start, count) if self.symbol_is_sscc else codes

    def _chunk(self, start: int, count: int, fields: frozenset[str], with_symbols: bool) -> Chunk:
        codes = self.book.codes(self.run, start, count, key_number=self.key_number)
        makers: dict[str, Callable[[], NDArray[np.uint8]]] = {
            "code": lambda: printed_codes(codes),
            "serial": lambda: decimal_digits(np.arange(start + 1, start + 1 + count, dtype=np.uint64), 7),
            "pin": lambda: self.book.pins(self.run, start, count, key_number=self.key_number),
            "sscc": lambda: self._sscc(start, count),
        }
        symbols = np.empty((0, 0, 0), dtype=np.uint8)
        if with_symbols:
            symbols = self.family.symbols(self._suffixes(codes, start, count))
        return Chunk(start, codes, symbols, {name: makers[name]() for name in fields if name in makers})

    def _sscc(self, start: int, count: int) -> NDArray[np.uint8]:
        if self.sscc is None:
            return np.full((count, VARIABLE_FIELDS["sscc"]), ord(" "), dtype=np.uint8)
        return self.sscc.digits(start, count)


def for_each(count: int, text: bytes) -> NDArray[np.uint8]:
    """The same text for each of many labels, to be set beside what differs: shape ``(count, length)``."""
    return np.broadcast_to(np.frombuffer(text, dtype=np.uint8), (count, len(text)))


def _repeated(one: Chunk, count: int) -> Chunk:
    def many(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.repeat(array, count, axis=0)

    return Chunk(one.start, many(one.codes), many(one.symbols), {name: many(v) for name, v in one.fields.items()})
