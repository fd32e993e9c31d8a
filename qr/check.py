"""Reading labels back from a file that was just made, before anyone prints it.

The pictures come from the file itself: a page of the PDF is rendered, a symbol's dots are taken out of the
printer commands. A file whose labels can't be read is not offered.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from qr.art import LabelArt
from qr.labels import Labels
from qr.raster import Raster
from qr.reading import read_symbols
from qr.symbol import QUIET_ZONE_MODULES

ALL_UP_TO = 100
"""The largest run of which all labels are read."""
SAMPLE = 48
"""How many labels of a larger run are read, evenly from the first to the last."""
RENDERED_DOTS_PER_MM = 8
PIXELS_PER_DOT = 2

Picture = NDArray[np.uint8]


class CannotBeRead(RuntimeError):
    """A label of the file does not read, or says something else than it should."""

    def __init__(self, position: int) -> None:
        super().__init__(f"label {position + 1} of the file can't be read back")
        self.position = position


def positions_to_check(count: int) -> list[int]:
    if count <= ALL_UP_TO:
        return list(range(count))
    return sorted({round(look * (count - 1) / (SAMPLE - 1)) for look in range(SAMPLE)})


def check_file(file: BinaryIO, format_name: str, art: LabelArt, labels: Labels) -> int:
    """Read labels of a finished file and compare them with what they should say.

    :returns: how many were read.
    :raises CannotBeRead:
    """
    positions = positions_to_check(labels.count)
    if format_name == "csv":
        return _check_rows(file, labels, positions)
    reader = {"pdf": _pdf_pictures, "zpl": _zpl_pictures, "tspl": _tspl_pictures}[format_name]
    for position, picture in reader(file, art, labels.count, positions):
        index = labels.start if labels.copies else labels.start + position
        if read_symbols(picture) != [labels.url(index)]:
            raise CannotBeRead(position)
    return len(positions)


def _check_rows(file: BinaryIO, labels: Labels, positions: list[int]) -> int:
    file.seek(0)
    head = len(file.readline())
    size = (file.seek(0, os.SEEK_END) - head) // labels.count
    for position in positions:
        file.seek(head + position * size)
        index = labels.start if labels.copies else labels.start + position
        if labels.url(index).encode() not in file.readline():
            raise CannotBeRead(position)
    return len(positions)


def _pdf_pictures(file: BinaryIO, art: LabelArt, count: int, positions: list[int]) -> Iterator[tuple[int, Picture]]:
    stock = art.layout.paper_stock
    import pypdfium2

    scale = RENDERED_DOTS_PER_MM
    file.seek(0)
    with pypdfium2.PdfDocument(file) as document:
        if len(document) != -(-count // stock.labels_per_page):
            raise CannotBeRead(0)
        shown, page = -1, np.empty((0, 0), dtype=np.uint8)
        for position in positions:
            number, place = divmod(position, stock.labels_per_page)
            if number != shown:
                drawn = document[number].render(scale=scale * 25.4 / 72, grayscale=True)
                page, shown = np.asarray(drawn.to_pil().convert("L")), number
            left, top = stock.place(place)
            rows = slice(round(top * scale), round((top + art.height_mm) * scale))
            yield position, page[rows, round(left * scale) : round((left + art.width_mm) * scale)]


def _zpl_pictures(file: BinaryIO, art: LabelArt, count: int, positions: list[int]) -> Iterator[tuple[int, Picture]]:
    raster = Raster(art)
    graphic = re.compile(rb"\^FO%d,%d\^GFA,\d+,\d+,(\d+),([0-9A-F:]+)" % (raster.symbol_x, raster.symbol_y))
    for position, record in _records(file, b"^XA^PW", b"^XA^ID", count, positions):
        found = graphic.search(record)
        if found is None:
            raise CannotBeRead(position)
        width, rows = int(found[1]) * 2, list[bytes]()
        for piece in re.finditer(rb":|[0-9A-F]{%d}" % width, found[2]):
            rows.append(rows[-1] if piece[0] == b":" else bytes.fromhex(piece[0].decode()))
        dots = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(len(rows), -1)
        yield position, _picture(np.unpackbits(dots, axis=1), raster)


def _tspl_pictures(file: BinaryIO, art: LabelArt, count: int, positions: list[int]) -> Iterator[tuple[int, Picture]]:
    raster = Raster(art)
    command = re.compile(rb"BITMAP %d,%d,(\d+),(\d+),0," % (raster.symbol_x, raster.symbol_y))
    for position, record in _records(file, b"CLS\r\nPUTBMP", b"KILL ", count, positions):
        found = command.search(record)
        if found is None:
            raise CannotBeRead(position)
        width, height = int(found[1]), int(found[2])
        dots = np.frombuffer(record[found.end() : found.end() + width * height], dtype=np.uint8)
        yield position, _picture(1 - np.unpackbits(dots.reshape(height, width), axis=1), raster)


def _records(file: BinaryIO, begin: bytes, end: bytes, count: int, positions: list[int]) -> Iterator[tuple[int, bytes]]:
    """The commands of single labels: all have the same length, between what stands before and after them."""
    head = _place_of(file, begin)
    total = file.seek(0, os.SEEK_END)
    file.seek(max(0, total - 64))
    tail = file.read()
    size, rest = divmod(total - (len(tail) - tail.rfind(end)) - head, count)
    if rest:
        raise CannotBeRead(0)
    for position in positions:
        file.seek(head + position * size)
        yield position, file.read(size)


def _place_of(file: BinaryIO, mark: bytes) -> int:
    """Where a mark first stands in a file; it may lie across the blocks that are read.

    :raises CannotBeRead: where it stands nowhere.
    """
    file.seek(0)
    place, kept = 0, b""
    while block := file.read(1 << 20):
        window = kept + block
        if (found := window.find(mark)) >= 0:
            return place + found
        kept = window[-len(mark) + 1 :]
        place += len(window) - len(kept)
    raise CannotBeRead(0)


def _picture(dots: NDArray[np.uint8], raster: Raster) -> Picture:
    """Dots of a symbol as a picture with its quiet zone."""
    edge = QUIET_ZONE_MODULES * raster.module_dots
    grey = np.where(dots[:, : raster.symbol_side] == 1, 0, 255).astype(np.uint8)
    return np.pad(grey, edge, constant_values=255).repeat(PIXELS_PER_DOT, axis=0).repeat(PIXELS_PER_DOT, axis=1)
