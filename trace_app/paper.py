"""What PDF documents share: the label font cut down to a document's characters, symbols as vectors, pages of text."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeVar
from uuid import uuid4
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics, ttfonts
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, LongTable, Paragraph, SimpleDocTemplate, TableStyle
from reportlab.platypus import Table as PlainTable

from qr.fonts import BOLD, REGULAR, LabelFont, MissingGlyph
from qr.symbol import choose_form, mode_for, reference_symbol

QUIET_MODULES = 4
UNKNOWN = "□"
_ALWAYS = " □…·-0123456789"


Drawn = TypeVar("Drawn")


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


class _Heard(Fonts):
    """Fonts that nothing is drawn with: they hear what would be."""

    def __init__(self, *_of: object) -> None:
        self.texts: list[str] = []

    def printable(self, text: str) -> str:
        self.texts.append(text)
        return ""


def drawn(draw: Callable[[Fonts], Drawn]) -> Drawn:
    """What is drawn with a font that has every character of it.

    It is drawn twice: the first time to hear which texts there are, so that nobody has to name them beforehand. All
    texts go through `Fonts.printable`.
    """
    heard = _Heard("Helvetica", "Helvetica-Bold", frozenset())
    draw(heard)
    with fonts_for(heard.texts) as fonts:
        return draw(fonts)


def _to_unicode(font_name: str, characters: Sequence[int]) -> str:
    """Which character each code of a font stands for, for those who copy or search (ISO 32000-1, 9.10.3).

    Characters are written in UTF-16, those beyond U+FFFF in two units: the library writes five digits, which readers
    take for other characters.
    """
    pairs = [f"<{code:02X}> <{chr(c).encode('utf-16-be').hex().upper()}>" for code, c in enumerate(characters)]
    return "\n".join(
        [
            "/CIDInit /ProcSet findresource begin 12 dict begin begincmap",
            f"/CIDSystemInfo << /Registry ({font_name}) /Ordering ({font_name}) /Supplement 0 >> def",
            f"/CMapName /{font_name} def /CMapType 2 def",
            f"1 begincodespacerange <00> <{len(characters) - 1:02X}> endcodespacerange",
            *[
                "\n".join([f"{len(some)} beginbfchar", *some, "endbfchar"])
                for some in (pairs[at : at + 100] for at in range(0, len(pairs), 100))
            ],
            "endcmap CMapName currentdict /CMap defineresource pop end end",
        ]
    )


# The library looks it up by this name whenever it writes a font.
vars(ttfonts)["makeToUnicodeCMap"] = _to_unicode


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
            vars(pdfmetrics)["_fonts"].pop(font.fontName, None)
            vars(pdfmetrics)["_dynFaceNames"].pop(font.face.name, None)


def draw_symbol(canvas: Canvas, text: str, x_mm: float, y_mm: float, size_mm: float) -> None:
    """A QR code with its quiet zone.

    :param x_mm: of the left edge, and ``y_mm`` of the lower one, from the page's lower left corner.
    """
    modules = _modules(text)
    count = len(modules)
    module = size_mm * mm / (count + 2 * QUIET_MODULES)
    path = canvas.beginPath()
    for row, column in zip(*modules.nonzero(), strict=True):
        left = x_mm * mm + (QUIET_MODULES + int(column)) * module
        top = y_mm * mm + (QUIET_MODULES + count - 1 - int(row)) * module
        path.rect(left, top, module, module)
    canvas.setFillColorRGB(0, 0, 0)
    canvas.drawPath(path, stroke=0, fill=1)


def dark_modules(text: str) -> tuple[int, str]:
    """A QR code for a page: how many modules it is wide with its quiet zone, and the path of the dark ones, in SVG."""
    modules = _modules(text)
    dark = "".join(
        f"M{QUIET_MODULES + int(column)} {QUIET_MODULES + int(row)}h1v1h-1z"
        for row, column in zip(*modules.nonzero(), strict=True)
    )
    return len(modules) + 2 * QUIET_MODULES, dark


def _modules(text: str) -> NDArray[np.bool_]:
    return reference_symbol(text, choose_form(len(text), mode_for(text)))


MARGIN_MM = 15
WIDTH_MM = 210 - 2 * MARGIN_MM
GREEN = colors.HexColor("#1b5a43")
LINE = colors.HexColor("#c9c2b2")
SOFT = colors.HexColor("#5d665f")
SYMBOL_MM = 32
LABEL_MM = 38


class Styles:
    """The paragraph styles of a document."""

    def __init__(self, fonts: Fonts) -> None:
        self.fonts = fonts
        self.title = ParagraphStyle(
            "title", fontName=fonts.bold, fontSize=16, leading=21, textColor=GREEN, wordWrap="CJK"
        )
        self.heading = ParagraphStyle(
            "heading",
            fontName=fonts.bold,
            fontSize=12,
            leading=15,
            textColor=GREEN,
            wordWrap="CJK",
            spaceBefore=6 * mm,
            spaceAfter=2 * mm,
        )
        self.body = ParagraphStyle("body", fontName=fonts.regular, fontSize=11, leading=17, wordWrap="CJK")
        self.cell = ParagraphStyle("cell", fontName=fonts.regular, fontSize=8, leading=10.5, wordWrap="CJK")
        self.head = ParagraphStyle("head", parent=self.cell, fontName=fonts.bold, textColor=colors.white)
        self.label = ParagraphStyle("label", parent=self.cell, fontName=fonts.bold, fontSize=9, leading=12)
        self.fact = ParagraphStyle("fact", parent=self.cell, fontSize=9, leading=12)

    def clean(self, text: str) -> str:
        return escape(self.fonts.printable(text))

    def paragraph(self, text: str, style: ParagraphStyle | None = None) -> Paragraph:
        """Text with its line breaks."""
        return Paragraph(self.clean(text).replace("\n", "<br/>"), style or self.body)

    def facts(self, pairs: Iterable[tuple[str, str]], beside_mm: float = 0) -> Flowable:
        """Labels with their texts, those without text left out.

        :param beside_mm: room to leave on the right.
        """
        rows = [[self.paragraph(label, self.label), self.paragraph(text, self.fact)] for label, text in pairs if text]
        table = PlainTable(rows, colWidths=[LABEL_MM * mm, (WIDTH_MM - beside_mm - LABEL_MM) * mm], hAlign="LEFT")
        table.setStyle(
            TableStyle(
                [
                    ("VALIGN", (0, 0), (-1, -1), "TOP"),
                    ("LINEBELOW", (0, 0), (-1, -1), 0.3, LINE),
                    ("TOPPADDING", (0, 0), (-1, -1), 2),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
                ]
            )
        )
        return table

    def grid(self, head: Sequence[str], rows: Iterable[Sequence[str]], widths: Sequence[float]) -> Flowable:
        """A table that goes over pages.

        :param widths: of the columns, in proportion to one another.
        """
        unit = WIDTH_MM * mm / sum(widths)
        cells = [[self.paragraph(text, self.head) for text in head]]
        cells += [[self.paragraph(text, self.cell) for text in row] for row in rows]
        made = LongTable(cells, colWidths=[width * unit for width in widths], repeatRows=1)
        made.setStyle(
            TableStyle(
                [
                    ("BACKGROUND", (0, 0), (-1, 0), GREEN),
                    ("GRID", (0, 0), (-1, -1), 0.3, LINE),
                    ("VALIGN", (0, 0), (-1, -1), "TOP"),
                    ("LEFTPADDING", (0, 0), (-1, -1), 3),
                    ("RIGHTPADDING", (0, 0), (-1, -1), 3),
                    ("TOPPADDING", (0, 0), (-1, -1), 2),
                    ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
                ]
            )
        )
        return made


def document(
    title: str,
    story: Callable[[Styles], list[Flowable]],
    *,
    foot: str,
    url: str | None = None,
    across: str = "",
) -> bytes:
    """A4 pages of text as a PDF.

    :param foot: at the foot of each page.
    :param url: printed as a QR code in the upper right corner of the first page.
    :param across: in large grey letters over each page.
    """
    out = io.BytesIO()
    heard = _Heard("Helvetica", "Helvetica-Bold", frozenset())
    story(Styles(heard))
    with fonts_for([title, foot, across, *heard.texts]) as fonts:
        styles = Styles(fonts)

        def decorate(canvas: Canvas, page: SimpleDocTemplate) -> None:
            if across:
                canvas.saveState()
                canvas.translate(105 * mm, 150 * mm)
                canvas.rotate(50)
                canvas.setFillColor(colors.Color(0.6, 0.1, 0.1, alpha=0.12))
                canvas.setFont(fonts.bold, 70)
                canvas.drawCentredString(0, 0, fonts.printable(across))
                canvas.restoreState()
            canvas.setFont(fonts.regular, 8)
            canvas.setFillColor(SOFT)
            canvas.drawString(MARGIN_MM * mm, 9 * mm, fonts.printable(foot))
            canvas.drawRightString((210 - MARGIN_MM) * mm, 9 * mm, str(page.page))
            if page.page == 1 and url:
                draw_symbol(canvas, url, 210 - MARGIN_MM - SYMBOL_MM, 297 - MARGIN_MM - 10 - SYMBOL_MM, SYMBOL_MM)

        made = SimpleDocTemplate(
            out,
            pagesize=A4,
            leftMargin=MARGIN_MM * mm,
            rightMargin=MARGIN_MM * mm,
            topMargin=MARGIN_MM * mm,
            bottomMargin=16 * mm,
            title=title,
        )
        made.build([styles.paragraph(title, styles.title), *story(styles)], onFirstPage=decorate, onLaterPages=decorate)
    return out.getvalue()
