"""What PDF documents share: the label font cut down to a document's characters, symbols as vectors."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from uuid import uuid4

from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from qr.fonts import BOLD, REGULAR, LabelFont, MissingGlyph
from qr.symbol import choose_form, mode_for, reference_symbol

QUIET_MODULES = 4
UNKNOWN = "□"
_ALWAYS = " □…·-0123456789"


class Fonts(NamedTuple):
    """Names that reportlab knows the two weights by."""

    regular: str
    bold: str
    characters: frozenset[str]

    def printable(self, text: str) -> str:
        """A text with plain spaces and digits, and a box for each other character that the font lacks."""
        return "".join(c if c in self.characters or c == "\n" else self._instead_of(c) for c in text)

    def _instead_of(self, character: str) -> str:
        plain = " " if character.isspace() else unicodedata.normalize("NFKC", character)
        return plain if set(plain) <= self.characters else UNKNOWN


@contextmanager
def fonts_for(texts: Iterable[str]) -> Iterator[Fonts]:
    """Both weights of the font with the characters of a document, for as long as it is being made."""
    wanted = {c for text in texts for c in text if c.isprintable()} | set(_ALWAYS)
    made: list[LabelFont] = []
    while len(made) < 2:
        try:
            made = [LabelFont(wanted, weight) for weight in (REGULAR, BOLD)]
        except MissingGlyph as missing:
            wanted.discard(missing.character)
    mark = uuid4().hex
    fonts = [TTFont(f"{mark}-{font.weight}", io.BytesIO(font.data)) for font in made]
    for font in fonts:
        # reportlab takes fonts of one face for the same; each cut is a face of its own.
        font.face.name = font.fontName.encode()
        pdfmetrics.registerFont(font)
    try:
        yield Fonts(fonts[0].fontName, fonts[1].fontName, frozenset(wanted))
    finally:
        for font in fonts:
            # It keeps fonts for ever, too; those of one document are of no use to the next.
            pdfmetrics._fonts.pop(font.fontName, None)
            pdfmetrics._dynFaceNames.pop(font.face.name, None)


def draw_symbol(canvas: Any, text: str, x_mm: float, y_mm: float, size_mm: float) -> None:
    """A QR code with its quiet zone.

    :param x_mm: of the left edge, and ``y_mm`` of the lower one, from the page's lower left corner.
    """
    modules = reference_symbol(text, choose_form(len(text), mode_for(text)))
    count = len(modules)
    module = size_mm * mm / (count + 2 * QUIET_MODULES)
    path = canvas.beginPath()
    for row, column in zip(*modules.nonzero(), strict=True):
        left = x_mm * mm + (QUIET_MODULES + int(column)) * module
        top = y_mm * mm + (QUIET_MODULES + count - 1 - int(row)) * module
        path.rect(left, top, module, module)
    canvas.setFillColorRGB(0, 0, 0)
    canvas.drawPath(path, stroke=0, fill=1)
