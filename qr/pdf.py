"""Label files as PDF, page by page in constant memory.

The constant part of a label (texts and rules) is written once as a form; each label adds its symbol as
a one-bit image mask and its printed code as text. Fonts are embedded subsets.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from qr.codes import CODE_LENGTH, CodeBook
from qr.fonts import LabelFont
from qr.layout import LabelArt, Line, Stock
from qr.symbol import SymbolFamily

POINTS_PER_MM = 72 / 25.4
BATCH = 4096
"""Codes and symbols are made for this many labels at a time."""


def write_pdf(
    out: BinaryIO,
    art: LabelArt,
    stock: Stock,
    family: SymbolFamily,
    book: CodeBook,
    run: int,
    start: int,
    count: int,
    *,
    key_number: int | None = None,
    title: str = "",
) -> None:
    """Write the labels ``start`` to ``start + count`` of a run.

    :param out: a binary file to write to from its present position, which must be 0.
    """
    pdf = _Pdf(out)
    catalog, pages, info, resources, form = (pdf.reserve() for _ in range(5))
    font_ids = {weight: pdf.font(font) for weight, font in art.fonts.items()}
    fonts = " ".join(f"/F{weight} {number} 0 R" for weight, number in font_ids.items())
    width, height = art.width_mm * POINTS_PER_MM, art.height_mm * POINTS_PER_MM
    pdf.stream(
        form,
        f"/Type /XObject /Subtype /Form /BBox [0 0 {width:.3f} {height:.3f}] /Resources << /Font << {fonts} >> >>",
        _constant_part(art),
    )
    pdf.object(resources, f"<< /Font << {fonts} >> /XObject << /L {form} 0 R >> /ProcSet [/PDF /Text /ImageB] >>")
    page_width, page_height = (length * POINTS_PER_MM for length in stock.page_mm)
    page_ids = []
    labels = _labels(family, book, run, start, count, key_number)
    for first in range(0, count, stock.labels_per_page):
        content = bytearray()
        for position in range(min(stock.labels_per_page, count - first)):
            code, symbol = next(labels)
            left, top = stock.place(position)
            x, y = left * POINTS_PER_MM, page_height - (top + art.height_mm) * POINTS_PER_MM
            content += f"q 1 0 0 1 {x:.3f} {y:.3f} cm /L Do\n".encode()
            content += _variable_part(art, code, symbol)
            content += b"Q\n"
        contents, page = pdf.reserve(), pdf.reserve()
        pdf.stream(contents, "", bytes(content))
        pdf.object(
            page,
            f"<< /Type /Page /Parent {pages} 0 R /MediaBox [0 0 {page_width:.3f} {page_height:.3f}]"
            f" /Resources {resources} 0 R /Contents {contents} 0 R >>",
        )
        page_ids.append(page)
    kids = " ".join(f"{page} 0 R" for page in page_ids)
    pdf.object(pages, f"<< /Type /Pages /Count {len(page_ids)} /Kids [{kids}] >>")
    pdf.object(catalog, f"<< /Type /Catalog /Pages {pages} 0 R /ViewerPreferences << /PrintScaling /None >> >>")
    pdf.object(info, f"<< /Title <FEFF{title.encode('utf-16-be', 'replace').hex()}> >>")
    pdf.finish(catalog, info)


def _labels(
    family: SymbolFamily, book: CodeBook, run: int, start: int, count: int, key_number: int | None
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    for first in range(start, start + count, BATCH):
        codes = book.codes(run, first, min(BATCH, start + count - first), key_number=key_number)
        text = codes.tobytes().decode()
        for i, symbol in enumerate(family.symbols(codes)):
            yield text[i * CODE_LENGTH : (i + 1) * CODE_LENGTH], symbol


def _constant_part(art: LabelArt) -> bytes:
    content = "".join(_text(art, line) for line in art.lines)
    for rule in art.rules:
        y = art.height_mm - rule.y - rule.height
        box = (length * POINTS_PER_MM for length in (rule.x, y, rule.width, rule.height))
        content += " ".join(f"{length:.3f}" for length in box) + " re f\n"
    return content.encode()


def _variable_part(art: LabelArt, code: str, symbol: NDArray[np.uint8]) -> bytes:
    size = art.symbol_modules
    side = size * art.module_mm * POINTS_PER_MM
    x = art.symbol_x * POINTS_PER_MM
    y = (art.height_mm - art.symbol_y) * POINTS_PER_MM - side
    place = f"q {side:.3f} 0 0 {side:.3f} {x:.3f} {y:.3f} cm BI /W {size} /H {size} /IM true /BPC 1 /D [1 0] ID "
    return place.encode() + symbol.tobytes() + b"\nEI Q\n" + _text(art, art.code_line(code)).encode()


def _text(art: LabelArt, line: Line) -> str:
    glyphs = "".join(f"{glyph:04X}" for glyph in art.fonts[line.weight].glyph_ids(line.text))
    x, y = line.x * POINTS_PER_MM, (art.height_mm - line.y) * POINTS_PER_MM
    size = line.size_mm * POINTS_PER_MM
    return f"BT /F{line.weight} {size:.3f} Tf {x:.3f} {y:.3f} Td <{glyphs}> Tj ET\n"


class _Pdf:
    """The file's objects in the order of writing (ISO 32000-1, 7.5)."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._offsets: list[int] = []
        self._at = 0
        self._write(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")

    def reserve(self) -> int:
        self._offsets.append(0)
        return len(self._offsets)

    def object(self, number: int, body: str) -> None:
        self._offsets[number - 1] = self._at
        self._write(f"{number} 0 obj\n{body}\nendobj\n".encode())

    def stream(self, number: int, entries: str, content: bytes) -> None:
        packed = zlib.compress(content, 6)
        self._offsets[number - 1] = self._at
        self._write(f"{number} 0 obj\n<< {entries} /Filter /FlateDecode /Length {len(packed)} >>\nstream\n".encode())
        self._write(packed)
        self._write(b"\nendstream\nendobj\n")

    def font(self, font: LabelFont) -> int:
        """Embed a subset as a CID-keyed TrueType font (9.7.4) with a ToUnicode map (9.10.3)."""
        composite, descendant, descriptor, file, to_unicode = (self.reserve() for _ in range(5))
        name = f"{_tag(font)}+NotoSansSC-{font.weight}"
        ascent, descent, box = font.vertical_metrics()
        widths = " ".join(str(width) for width in font.widths_by_glyph())
        self.stream(file, f"/Length1 {len(font.data)}", font.data)
        self.object(
            descriptor,
            f"<< /Type /FontDescriptor /FontName /{name} /Flags 4 /FontBBox [{' '.join(map(str, box))}] /ItalicAngle 0"
            f" /Ascent {ascent} /Descent {descent} /CapHeight 733 /StemV 80 /FontFile2 {file} 0 R >>",
        )
        self.object(
            descendant,
            f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /{name} /CIDToGIDMap /Identity /DW 1000"
            f" /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
            f" /FontDescriptor {descriptor} 0 R /W [0 [{widths}]] >>",
        )
        self.stream(to_unicode, "", _to_unicode(font))
        self.object(
            composite,
            f"<< /Type /Font /Subtype /Type0 /BaseFont /{name} /Encoding /Identity-H"
            f" /DescendantFonts [{descendant} 0 R] /ToUnicode {to_unicode} 0 R >>",
        )
        return composite

    def finish(self, catalog: int, info: int) -> None:
        start = self._at
        self._write(f"xref\n0 {len(self._offsets) + 1}\n0000000000 65535 f \n".encode())
        for offset in self._offsets:
            self._write(b"%010d 00000 n \n" % offset)
        trailer = f"<< /Size {len(self._offsets) + 1} /Root {catalog} 0 R /Info {info} 0 R >>"
        self._write(f"trailer\n{trailer}\nstartxref\n{start}\n%%EOF\n".encode())

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._at += len(data)


def _tag(font: LabelFont) -> str:
    """Six capitals that name the subset (9.6.4)."""
    number = zlib.crc32(font.data)
    return "".join(chr(65 + (number >> shift) % 26) for shift in range(0, 30, 5))


def _to_unicode(font: LabelFont) -> bytes:
    pairs = [
        f"<{glyph:04X}> <{character.encode('utf-16-be').hex()}>" for glyph, character in font.unicode_by_glyph().items()
    ]
    blocks = "".join(
        f"{len(pairs[i : i + 100])} beginbfchar\n" + "\n".join(pairs[i : i + 100]) + "\nendbfchar\n"
        for i in range(0, len(pairs), 100)
    )
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        "1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n" + blocks + "endcmap\n"
        "CMapName currentdict /CMap defineresource pop\nend\nend\n"
    ).encode()
