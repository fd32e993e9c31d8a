"""Labels in TSPL for TSC and Gprinter label printers.

All is graphics, so a printer needs no Chinese font: the constant part is stored in the printer once as a
one-bit BMP (``DOWNLOAD``) and put on each label (``PUTBMP``); symbol and variable lines follow as ``BITMAP``.
"""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from qr.art import LabelArt
from qr.labels import Labels, Progress, for_each
from qr.raster import Raster, pack_dots

CONSTANT_PART = "LABEL.BMP"
GAP_MM = 2
CHUNK = 512


def write_tspl(out: BinaryIO, art: LabelArt, labels: Labels, *, progress: Progress = lambda done: None) -> None:
    """Write labels as one TSPL file, ready to be sent to the printer."""
    raster = Raster(art)
    bmp = _bmp(raster.constant)
    size = f"SIZE {art.width_mm:g} mm,{art.height_mm:g} mm\r\nGAP {GAP_MM} mm,0 mm\r\nDIRECTION 1\r\nREFERENCE 0,0\r\n"
    out.write(size.encode() + f'DOWNLOAD "{CONSTANT_PART}",{len(bmp)},'.encode() + bmp + b"\r\n")
    head = f'CLS\r\nPUTBMP 0,0,"{CONSTANT_PART}"\r\n'.encode()
    side = raster.symbol_side
    done = 0
    for chunk in labels.chunks(frozenset(line.field for line in art.variables), CHUNK):
        count = len(chunk.codes)
        parts = [for_each(count, head), *_bitmap(raster.symbol_x, raster.symbol_y, raster.symbols(chunk), side)]
        for number, strip in enumerate(raster.strips):
            parts += _bitmap(strip.x, strip.y, raster.strip_dots(number, chunk), strip.height)
        parts.append(for_each(count, b"PRINT 1,1\r\n"))
        out.write(np.concatenate(parts, axis=1).tobytes())
        done += count
        progress(done)
    out.write(f'KILL "{CONSTANT_PART}"\r\n'.encode())


def _bitmap(x: int, y: int, dots: NDArray[np.bool_], height: int) -> list[NDArray[np.uint8]]:
    """The command and its bytes, in which 0 is black."""
    packed = np.invert(pack_dots(dots))
    count = len(packed)
    command = f"BITMAP {x},{y},{packed.shape[2]},{height},0,".encode()
    return [for_each(count, command), packed.reshape(count, -1), for_each(count, b"\r\n")]


def _bmp(dots: NDArray[np.bool_]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.where(dots, 0, 255).astype(np.uint8)).convert("1").save(out, "BMP")
    return out.getvalue()
