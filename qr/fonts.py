"""The label font: Noto Sans SC (OFL), cut down to the characters a label shows.

What differs from label to label (code, PIN, serial number) is set in `code_font`, the bold weight with every
character in a cell of the same width, so that thousands can be set at once and groups stand in columns.
"""

from __future__ import annotations

import importlib.resources
import io
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont
    from uharfbuzz import Face

REGULAR = 400
BOLD = 700
CODE = 1
"""This number, in place of a weight, means the code font."""
CODE_CHARACTERS = " -0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CELL_EM = 0.64
"""Width of a cell of the code font, in em."""
_FILE = importlib.resources.files("justmytype_intl_cjk") / "fonts/ofl/notosanssc/NotoSansSC[wght].ttf"
_DROPPED_TABLES = ["GSUB", "GPOS", "GDEF", "BASE", "vhea", "vmtx", "VORG", "HVAR", "VVAR", "MVAR", "STAT", "gasp"]


class MissingGlyph(ValueError):
    """The label font has no glyph for a character."""

    def __init__(self, character: str) -> None:
        super().__init__(f"the label font has no glyph for {character!r} (U+{ord(character):04X})")
        self.character = character


class LabelFont:
    """A subset of one weight, as a font of its own.

    :raises MissingGlyph: for a character that the font lacks.
    """

    def __init__(self, characters: Iterable[str], weight: int) -> None:
        # Here: a web server has no need of them until someone prints.
        import uharfbuzz as harfbuzz
        from fontTools.ttLib import TTFont

        face = _face()
        self.characters = frozenset(characters)
        codes = {ord(character) for character in self.characters}
        if lacking := codes - set(face.unicodes):
            raise MissingGlyph(chr(min(lacking)))
        asked = harfbuzz.SubsetInput()
        asked.sets(harfbuzz.SubsetInputSets.UNICODE).set(codes)
        asked.sets(harfbuzz.SubsetInputSets.DROP_TABLE_TAG).update(map(_tag, _DROPPED_TABLES))
        asked.flags = harfbuzz.SubsetFlags.NO_HINTING | harfbuzz.SubsetFlags.NOTDEF_OUTLINE
        asked.pin_axis_location(face, "wght", BOLD if weight == CODE else weight)
        self._font = TTFont(io.BytesIO(harfbuzz.subset(face, asked).blob.data))
        if weight == CODE:
            _set_in_cells(self._font)
        out = io.BytesIO()
        self._font.save(out)
        self.data = out.getvalue()
        """The subset as a TrueType file."""
        self.units_per_em: int = self._font["head"].unitsPerEm
        self.weight = weight
        self._cmap: dict[int, str] = self._font.getBestCmap()
        self._metrics: dict[str, tuple[int, int]] = self._font["hmtx"].metrics

    def glyph_ids(self, text: str) -> list[int]:
        return [self._font.getGlyphID(self._cmap[ord(character)]) for character in text]

    def width(self, text: str) -> float:
        """Advance width in em."""
        return sum(self._metrics[self._cmap[ord(character)]][0] for character in text) / self.units_per_em

    def widths_by_glyph(self) -> list[int]:
        """Advance widths of all glyphs by glyph id, in thousandths of an em."""
        return [round(self._metrics[name][0] * 1000 / self.units_per_em) for name in self._font.getGlyphOrder()]

    def unicode_by_glyph(self) -> dict[int, str]:
        return {self._font.getGlyphID(name): chr(code) for code, name in self._cmap.items()}

    def vertical_metrics(self) -> tuple[int, int, list[int]]:
        """Ascent, descent and bounding box in thousandths of an em."""
        head, hhea = self._font["head"], self._font["hhea"]
        box = [head.xMin, head.yMin, head.xMax, head.yMax]
        scale = 1000 / self.units_per_em
        return round(hhea.ascent * scale), round(hhea.descent * scale), [round(x * scale) for x in box]

    def outline(self, text: str, x: float, y: float, size: float) -> str:
        """The text as an SVG path (y down) with its baseline's left end at (x, y)."""
        from fontTools.pens.svgPathPen import SVGPathPen
        from fontTools.pens.transformPen import TransformPen

        glyphs = self._font.getGlyphSet()
        scale = size / self.units_per_em
        pen = SVGPathPen(glyphs, ntos=lambda number: f"{number:.3f}".rstrip("0").rstrip("."))
        for character in text:
            name = self._cmap[ord(character)]
            glyphs[name].draw(TransformPen(pen, (scale, 0, 0, -scale, x, y)))
            x += self._metrics[name][0] * scale
        return str(pen.getCommands())


@cache
def _face() -> Face:
    """The whole font, which the system reads from its file where it is needed."""
    import uharfbuzz as harfbuzz

    return harfbuzz.Face(harfbuzz.Blob.from_file_path(str(_FILE)))


def _tag(name: str) -> int:
    """A table's name as the number that OpenType takes it for."""
    return int.from_bytes(name.encode(), "big")


def _set_in_cells(font: TTFont) -> None:
    """Centre each glyph in a cell of `CELL_EM`; what is wider is made narrower."""
    cell = round(CELL_EM * font["head"].unitsPerEm)
    room = round(cell * 0.92)
    for name in font.getGlyphOrder():
        glyph = font["glyf"][name]
        if glyph.numberOfContours > 0:
            scale = min(1.0, room / (glyph.xMax - glyph.xMin))
            width = (glyph.xMax - glyph.xMin) * scale
            glyph.coordinates.translate((-glyph.xMin, 0))
            glyph.coordinates.scale((scale, 1.0))
            glyph.coordinates.translate(((cell - width) / 2, 0))
            glyph.coordinates.toInt()
            glyph.recalcBounds(font["glyf"])
        font["hmtx"].metrics[name] = (cell, getattr(glyph, "xMin", 0))


def code_font() -> LabelFont:
    """The font of codes, PINs and numbers."""
    return label_font(frozenset(CODE_CHARACTERS), CODE)


@lru_cache(maxsize=32)
def label_font(characters: frozenset[str], weight: int) -> LabelFont:
    """The subset for a set of characters, kept for the next label that needs the same."""
    return LabelFont(characters, weight)
