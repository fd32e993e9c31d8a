"""A small TSPL printer: carries out the commands of a label file and gives the labels as pictures."""

from __future__ import annotations

import io
import re

import numpy as np
from PIL import Image

COMMAND = re.compile(rb"([A-Z]+)(?: ([^\r\n]*?))?\r\n")
BITMAP = re.compile(rb"BITMAP (\d+),(\d+),(\d+),(\d+),(\d+),")
DOWNLOAD = re.compile(rb'DOWNLOAD "([^"]+)",(\d+),')
DOTS_PER_MM = {203: 8.0, 300: 300 / 25.4}


def print_labels(file: bytes, dpi: int) -> list[np.ndarray]:
    """Labels in the order of printing: grey, a pixel for each dot."""
    printed: list[np.ndarray] = []
    stored: dict[bytes, np.ndarray] = {}
    paper = np.full((1, 1), 255, dtype=np.uint8)
    at = 0
    while at < len(file):
        if found := DOWNLOAD.match(file, at):
            start, size = found.end(), int(found[2])
            stored[found[1]] = np.asarray(Image.open(io.BytesIO(file[start : start + size])).convert("L"))
            at = start + size
            assert file[at : at + 2] == b"\r\n"
            at += 2
        elif found := BITMAP.match(file, at):
            x, y, width, height, mode = map(int, found.groups())
            assert mode == 0, "overwrite"
            start, size = found.end(), width * height
            bits = np.unpackbits(np.frombuffer(file[start : start + size], np.uint8).reshape(height, width), axis=1)
            _put(paper, x, y, np.where(bits == 1, 255, 0).astype(np.uint8))
            at = start + size
            assert file[at : at + 2] == b"\r\n"
            at += 2
        else:
            command = COMMAND.match(file, at)
            assert command, f"no command at {at}: {file[at : at + 40]!r}"
            name, rest = command[1], command[2] or b""
            if name == b"SIZE":
                width_mm, height_mm = (float(part.removesuffix(b" mm")) for part in rest.split(b","))
                scale = DOTS_PER_MM[dpi]
                paper = np.full((round(height_mm * scale) + 8, round(width_mm * scale) + 8), 255, dtype=np.uint8)
            elif name == b"CLS":
                paper[:] = 255
            elif name == b"PUTBMP":
                x, y, picture = rest.split(b",")
                _put(paper, int(x), int(y), stored[picture.strip(b'"')])
            elif name == b"PRINT":
                printed.append(paper.copy())
            else:
                assert name in {b"GAP", b"DIRECTION", b"REFERENCE", b"KILL"}, name
            at = command.end()
    return printed


def _put(paper: np.ndarray, x: int, y: int, picture: np.ndarray) -> None:
    """As printers do in overwriting mode; a bitmap ends on a whole byte, its last bits are paper."""
    height, width = min(picture.shape[0], paper.shape[0] - y), min(picture.shape[1], paper.shape[1] - x)
    paper[y : y + height, x : x + width] = picture[:height, :width]
