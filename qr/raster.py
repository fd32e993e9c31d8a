"""Labels as printer dots: what PNG, ZPL and TSPL send, equal to the dot.

The constant part is drawn once; symbols and variable lines are made for thousands of labels at a time.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from qr.art import LabelArt, Line, VariableLine
from qr.fonts import CELL_EM, CODE, CODE_CHARACTERS
from qr.labels import Chunk
from qr.stock import dots_per_mm
from qr.symbol import unpack

OVERSAMPLING = 4
INK_SHARE = 0.42
"""A dot is black from this share of ink on: a little less than half, so that thin strokes of small type stay."""


@dataclass(frozen=True, slots=True)
class Strip:
    """Where the dots of a variable line stand, and how wide and high they are."""

    field: str
    x: int
    y: int
    width: int
    height: int


class Raster:
    """A composed label in the dots of its layout's printer."""

    def __init__(self, art: LabelArt) -> None:
        self.art = art
        self._scale = dots_per_mm(art.layout.dpi)
        self.width = round(art.width_mm * self._scale)
        self.height = round(art.height_mm * self._scale)
        symbol = art.layout.symbol
        self.module_dots = max(1, round(symbol.module_mm * self._scale))
        self.symbol_x, self.symbol_y = round(symbol.x * self._scale), round(symbol.y * self._scale)
        self.symbol_side = art.symbol_modules * self.module_dots
        self.constant = self._constant()
        """Dots of texts and rules: shape ``(height, width)``, True is black."""
        self.strips = [self._strip(line) for line in art.variables]
        self._glyphs = [self._glyphs_of(line, strip) for line, strip in zip(art.variables, self.strips, strict=True)]

    def symbols(self, chunk: Chunk) -> NDArray[np.bool_]:
        """Dots of the symbols: shape ``(count, side, side)``."""
        modules = unpack(chunk.symbols, self.art.symbol_modules)
        return modules.repeat(self.module_dots, axis=1).repeat(self.module_dots, axis=2)

    def strip_dots(self, number: int, chunk: Chunk) -> NDArray[np.bool_]:
        """Dots of a variable line, the strip's number: shape ``(count, height, width)``."""
        characters = chunk.fields[self.strips[number].field]
        cells = self._glyphs[number][characters]
        count, length, height, width = cells.shape
        dots: NDArray[np.bool_] = cells.transpose(0, 2, 1, 3).reshape(count, height, length * width)
        return dots

    def labels(self, chunk: Chunk) -> NDArray[np.bool_]:
        """Whole labels: shape ``(count, height, width)``."""
        dots = np.repeat(self.constant[None], len(chunk.codes), axis=0)
        side = self.symbol_side
        dots[:, self.symbol_y : self.symbol_y + side, self.symbol_x : self.symbol_x + side] |= self.symbols(chunk)
        for number, strip in enumerate(self.strips):
            place = (slice(None), slice(strip.y, strip.y + strip.height), slice(strip.x, strip.x + strip.width))
            dots[place] |= self.strip_dots(number, chunk)[:, : self.height - strip.y, : self.width - strip.x]
        return dots

    def _constant(self) -> NDArray[np.bool_]:
        big = self._scale * OVERSAMPLING
        image = Image.new("L", (self.width * OVERSAMPLING, self.height * OVERSAMPLING), 0)
        draw = ImageDraw.Draw(image)
        for line in self.art.lines:
            self._draw(draw, line, big)
        dots = _covered(image)
        for rule in self.art.rules:
            left, top = round(rule.x * self._scale), round(rule.y * self._scale)
            right, bottom = round((rule.x + rule.width) * self._scale), round((rule.y + rule.height) * self._scale)
            dots[top : max(bottom, top + 1), left : max(right, left + 1)] = True
        return dots

    def _draw(self, draw: ImageDraw.ImageDraw, line: Line, scale: float) -> None:
        font = ImageFont.truetype(io.BytesIO(self.art.fonts[line.weight].data), line.size_mm * scale)
        draw.text((line.x * scale, line.y * scale), line.text, fill=255, font=font, anchor="ls")

    def _strip(self, line: VariableLine) -> Strip:
        cell = round(line.size_mm * CELL_EM * self._scale)
        above, below = self._reach(line)
        baseline = round(line.y * self._scale)
        return Strip(line.field, round(line.x * self._scale), baseline - above, cell * line.length, above + below)

    def _reach(self, line: VariableLine) -> tuple[int, int]:
        """Dots above and below the baseline that capitals and figures take."""
        return math.ceil(line.size_mm * 0.76 * self._scale), math.ceil(line.size_mm * 0.02 * self._scale)

    def _glyphs_of(self, line: VariableLine, strip: Strip) -> NDArray[np.bool_]:
        """Dots of each ASCII character in its cell: shape ``(128, height, cell width)``."""
        cell, above = strip.width // line.length, self._reach(line)[0]
        font = ImageFont.truetype(io.BytesIO(self.art.fonts[CODE].data), line.size_mm * self._scale * OVERSAMPLING)
        glyphs = np.zeros((128, strip.height, cell), dtype=np.bool_)
        for character in CODE_CHARACTERS:
            image = Image.new("L", (cell * OVERSAMPLING, strip.height * OVERSAMPLING), 0)
            ImageDraw.Draw(image).text((0, above * OVERSAMPLING), character, fill=255, font=font, anchor="ls")
            glyphs[ord(character)] = _covered(image)
        return glyphs


def _covered(image: Image.Image) -> NDArray[np.bool_]:
    """Dots that are black, from a drawing `OVERSAMPLING` times as fine."""
    fine = np.asarray(image)
    height, width = fine.shape[0] // OVERSAMPLING, fine.shape[1] // OVERSAMPLING
    dots: NDArray[np.bool_] = (
        fine.reshape(height, OVERSAMPLING, width, OVERSAMPLING).mean(axis=(1, 3)) >= INK_SHARE * 255
    )
    return dots


def pack_dots(dots: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Rows of dots as whole bytes, most significant bit first, 1 is black: shape ``(..., height, bytes)``."""
    return np.packbits(dots, axis=-1)
