"""Labels in ZPL II for Zebra printers and their like.

All is graphics, so a printer needs no Chinese font: the constant part is stored in the printer once (``~DG``)
and recalled for each label (``^XG``); symbol and variable lines follow as ``^GF`` in hexadecimal, a repeated row
written as a colon.
"""

from __future__ import annotations

from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from qr.art import LabelArt
from qr.labels import Labels, Progress, for_each
from qr.raster import Raster, pack_dots

CONSTANT_PART = "R:LABEL.GRF"
CHUNK = 512
_HEX = np.frombuffer(b"0123456789ABCDEF", dtype=np.uint8)


def write_zpl(out: BinaryIO, art: LabelArt, labels: Labels, *, progress: Progress = lambda done: None) -> None:
    """Write labels as one ZPL file, ready to be sent to the printer."""
    raster = Raster(art)
    constant = pack_dots(raster.constant)
    size = constant.size
    out.write(
        f"~DG{CONSTANT_PART},{size},{constant.shape[1]},".encode() + _hexadecimal(constant[None])[0].tobytes() + b"\n"
    )
    head = f"^XA^PW{raster.width}^LL{raster.height}^LH0,0^FO0,0^XG{CONSTANT_PART},1,1^FS\n".encode()
    done = 0
    for chunk in labels.chunks(frozenset(line.field for line in art.variables), CHUNK):
        modules = _symbol_rows(chunk.symbols, raster)
        row_bytes = -(-raster.symbol_side // 8)
        parts = [
            for_each(
                len(chunk.codes), head + _graphic(raster.symbol_x, raster.symbol_y, row_bytes, raster.symbol_side)
            ),
            modules,
        ]
        for number, strip in enumerate(raster.strips):
            packed = pack_dots(raster.strip_dots(number, chunk))
            before = b"^FS\n" + _graphic(strip.x, strip.y, packed.shape[2], strip.height)
            parts += [for_each(len(chunk.codes), before), _hexadecimal(packed)]
        parts.append(for_each(len(chunk.codes), b"^FS\n^XZ\n"))
        out.write(np.concatenate(parts, axis=1).tobytes())
        done += len(chunk.codes)
        progress(done)
    out.write(f"^XA^ID{CONSTANT_PART}^FS^XZ\n".encode())


def _graphic(x: int, y: int, row_bytes: int, height: int) -> bytes:
    size = row_bytes * height
    return f"^FO{x},{y}^GFA,{size},{size},{row_bytes},".encode()


def _symbol_rows(symbols: NDArray[np.uint8], raster: Raster) -> NDArray[np.uint8]:
    """Each row of modules once in hexadecimal, then a colon for each further row of dots."""
    modules = np.unpackbits(symbols, axis=2)[:, :, : raster.art.symbol_modules]
    rows = np.packbits(modules.repeat(raster.module_dots, axis=2), axis=2)
    count, height, width = rows.shape
    out = np.full((count, height, width * 2 + raster.module_dots - 1), ord(":"), dtype=np.uint8)
    out[:, :, : width * 2] = _hexadecimal(rows).reshape(count, height, width * 2)
    return out.reshape(count, -1)


def _hexadecimal(content: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bytes as hexadecimal digits: shape ``(count, ...)`` to ``(count, digits)``."""
    flat = content.reshape(len(content), -1)
    out = np.empty((len(flat), flat.shape[1] * 2), dtype=np.uint8)
    out[:, 0::2] = _HEX[flat >> 4]
    out[:, 1::2] = _HEX[flat & 15]
    return out
