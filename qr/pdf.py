"""Label files as PDF (ISO 32000-1), page by page in constant memory.

The constant part of a label (texts and rules) is written once as a form; each label adds its symbol as
a one-bit image mask and its variable lines as text. All labels have the same length in the page's content,
so the pages of a chunk are one array into whose gaps symbols and characters are written at once. Fonts are
embedded subsets; pages and other small objects go into compressed object streams (7.5.7).
"""

from __future__ import annotations

import zlib
from array import array
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from qr.art import LabelArt, Line, VariableLine
from qr.fonts import CODE, LabelFont
from qr.labels import CHUNK, Chunk, Labels, Progress

POINTS_PER_MM = 72 / 25.4
COMPRESSION = 3
PAGES_PER_NODE = 200
"""Pages under one node of the page tree: viewers find a page among a million without reading all."""


def write_pdf(out: BinaryIO, art: LabelArt, labels: Labels, *, progress: Progress = lambda done: None) -> None:
    """Write labels as PDF.

    :param out: a binary file to write to from its present position, which must be 0.
    """
    stock = art.layout.paper_stock
    pdf = _Pdf(out)
    catalog, root, info, resources, form = (pdf.reserve() for _ in range(5))
    font_ids = {weight: pdf.font(font) for weight, font in art.fonts.items()}
    fonts = " ".join(f"/F{weight} {number} 0 R" for weight, number in font_ids.items())
    width, height = art.width_mm * POINTS_PER_MM, art.height_mm * POINTS_PER_MM
    pdf.stream(
        form,
        f"/Type /XObject /Subtype /Form /BBox [0 0 {width:.3f} {height:.3f}] /Resources << /Font << {fonts} >> >>",
        _constant_part(art),
    )
    pdf.small_object(resources, f"<< /Font << {fonts} >> /XObject << /L {form} 0 R >> >>")
    pages = _PageTree(pdf, root, [length * POINTS_PER_MM for length in stock.page_mm], resources)
    template = _PageTemplate(art, stock.labels_per_page)
    # Whole pages in each chunk, so that a page never lies in two.
    size = max(1, CHUNK // stock.labels_per_page) * stock.labels_per_page
    done = 0
    for chunk in labels.chunks(frozenset(line.field for line in art.variables), size):
        for content in template.pages(chunk):
            pages.add(content)
        done += len(chunk.codes)
        progress(done)
    pages.finish()
    pdf.small_object(catalog, f"<< /Type /Catalog /Pages {root} 0 R /ViewerPreferences << /PrintScaling /None >> >>")
    pdf.small_object(info, f"<< /Title <FEFF{art.title.encode('utf-16-be', 'replace').hex()}> >>")
    pdf.finish(catalog, info)


class _PageTemplate:
    """The content of a page with gaps for what differs."""

    def __init__(self, art: LabelArt, labels_per_page: int) -> None:
        self._stock = art.layout.paper_stock
        self._labels_per_page = labels_per_page
        size = art.symbol_modules
        side = size * art.layout.symbol.module_mm * POINTS_PER_MM
        x = art.layout.symbol.x * POINTS_PER_MM
        y = (art.height_mm - art.layout.symbol.y) * POINTS_PER_MM - side
        image = f"q {side:.3f} 0 0 {side:.3f} {x:.3f} {y:.3f} cm BI /W {size} /H {size} /IM true /BPC 1 /D [1 0] ID "
        self._pieces: list[tuple[bytes, str, int]] = [(image.encode(), "", size * -(-size // 8))]
        for line in art.variables:
            before = b"\nEI Q\n" if len(self._pieces) == 1 else b") Tj ET\n"
            self._pieces.append((before + _variable_head(art, line), line.field, line.length))
        self._tail = (b") Tj ET\n" if art.variables else b"\nEI Q\n") + b"Q\n"
        self._height_mm = art.height_mm
        self._page, self._gaps, self._ends = self._build()

    def _build(self) -> tuple[NDArray[np.uint8], list[list[tuple[str, int, int]]], list[int]]:
        """The page's bytes, for each label its gaps (field, start, length), and where the page ends after it."""
        page, gaps, ends = bytearray(), [], []
        page_height = self._stock.page_mm[1] * POINTS_PER_MM
        for position in range(self._labels_per_page):
            left, top = self._stock.place(position)
            x, y = left * POINTS_PER_MM, page_height - (top + self._height_mm) * POINTS_PER_MM
            page += f"q 1 0 0 1 {x:.3f} {y:.3f} cm /L Do\n".encode()
            places = []
            for before, field, length in self._pieces:
                page += before
                places.append((field, len(page), length))
                page += bytes(length)
            page += self._tail
            gaps.append(places)
            ends.append(len(page))
        return np.frombuffer(bytes(page), dtype=np.uint8), gaps, ends

    def pages(self, chunk: Chunk) -> list[bytes]:
        """The contents of the pages that a chunk's labels fill."""
        count, per_page = len(chunk.codes), self._labels_per_page
        page_count = -(-count // per_page)
        pages = np.tile(self._page, (page_count, 1))
        symbols = chunk.symbols.reshape(count, -1)
        for position, places in enumerate(self._gaps):
            for field, start, length in places:
                content = chunk.fields[field] if field else symbols
                here = content[position::per_page]
                pages[: len(here), start : start + length] = here
        contents = [row.tobytes() for row in pages]
        left_over = count % per_page
        if left_over:
            contents[-1] = contents[-1][: self._ends[left_over - 1]]
        return contents


class _PageTree:
    """Pages, gathered under nodes of `PAGES_PER_NODE` (7.7.3)."""

    def __init__(self, pdf: _Pdf, root: int, page_points: list[float], resources: int) -> None:
        self._pdf = pdf
        self._root = root
        width, height = page_points
        self._shared = f"/MediaBox [0 0 {width:.3f} {height:.3f}] /Resources {resources} 0 R"
        self._nodes: list[tuple[int, int]] = []
        self._node = 0
        self._kids: list[int] = []

    def add(self, content: bytes) -> None:
        if not self._kids:
            self._node = self._pdf.reserve()
        contents, page = self._pdf.reserve(), self._pdf.reserve()
        self._pdf.stream(contents, "", content)
        self._pdf.small_object(page, f"<< /Type /Page /Parent {self._node} 0 R /Contents {contents} 0 R >>")
        self._kids.append(page)
        if len(self._kids) == PAGES_PER_NODE:
            self._close_node()

    def _close_node(self) -> None:
        kids = " ".join(f"{kid} 0 R" for kid in self._kids)
        self._pdf.small_object(
            self._node, f"<< /Type /Pages /Parent {self._root} 0 R /Count {len(self._kids)} /Kids [{kids}] >>"
        )
        self._nodes.append((self._node, len(self._kids)))
        self._kids = []

    def finish(self) -> None:
        if self._kids:
            self._close_node()
        kids = " ".join(f"{node} 0 R" for node, _ in self._nodes)
        count = sum(count for _, count in self._nodes)
        self._pdf.small_object(self._root, f"<< /Type /Pages /Count {count} /Kids [{kids}] {self._shared} >>")


def _constant_part(art: LabelArt) -> bytes:
    content = _ink(art) + "".join(_text(art, line) for line in art.lines)
    for rule in art.rules:
        y = art.height_mm - rule.y - rule.height
        box = (length * POINTS_PER_MM for length in (rule.x, y, rule.width, rule.height))
        content += " ".join(f"{length:.3f}" for length in box) + " re f\n"
    return content.encode()


def _ink(art: LabelArt) -> str:
    red, green, blue = (int(art.layout.ink[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return "0 g\n" if red == green == blue == 0 else f"{red:.3f} {green:.3f} {blue:.3f} rg\n"


def _text(art: LabelArt, line: Line) -> str:
    glyphs = "".join(f"{glyph:04X}" for glyph in art.fonts[line.weight].glyph_ids(line.text))
    return f"{_text_head(art, line.weight, line.size_mm, line.x, line.y)}<{glyphs}> Tj ET\n"


def _text_head(art: LabelArt, weight: int, size_mm: float, x: float, y: float) -> str:
    place = f"{x * POINTS_PER_MM:.3f} {(art.height_mm - y) * POINTS_PER_MM:.3f}"
    return f"BT /F{weight} {size_mm * POINTS_PER_MM:.3f} Tf {place} Td "


def _variable_head(art: LabelArt, line: VariableLine) -> bytes:
    return f"{_text_head(art, CODE, line.size_mm, line.x, line.y)}(".encode()


class _Pdf:
    """The file's objects in the order of writing (7.5), with a cross-reference stream (7.5.8)."""

    SMALL_OBJECTS_TOGETHER = 200

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        # Of each object: its place in the file, or minus the number of the object stream that it is in.
        self._places = array("q")
        self._indices = array("H")
        self._small: list[tuple[int, str]] = []
        self._at = 0
        self._write(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")

    def reserve(self) -> int:
        self._places.append(0)
        self._indices.append(0)
        return len(self._places)

    def small_object(self, number: int, body: str) -> None:
        self._small.append((number, body))
        if len(self._small) == self.SMALL_OBJECTS_TOGETHER:
            self._write_small_objects()

    def _write_small_objects(self) -> None:
        if not self._small:
            return
        stream = self.reserve()
        head, bodies = [], ""
        for index, (number, body) in enumerate(self._small):
            head.append(f"{number} {len(bodies)}")
            bodies += body + "\n"
            self._places[number - 1], self._indices[number - 1] = -stream, index
        first = " ".join(head) + "\n"
        self.stream(stream, f"/Type /ObjStm /N {len(head)} /First {len(first)}", (first + bodies).encode())
        self._small = []

    def stream(self, number: int, entries: str, content: bytes) -> None:
        packed = zlib.compress(content, COMPRESSION)
        self._places[number - 1] = self._at
        self._write(
            b"%d 0 obj\n<<%s/Filter/FlateDecode/Length %d>>stream\n%s\nendstream\nendobj\n"
            % (number, entries.encode(), len(packed), packed)
        )

    def font(self, font: LabelFont) -> int:
        """Embed a subset: a simple TrueType font for codes (9.6.3), else a CID-keyed one (9.7.4).

        Both with a ToUnicode map (9.10.3), so that text can be searched and copied.
        """
        top, descriptor, file, to_unicode = (self.reserve() for _ in range(4))
        name = f"{_tag(font)}+NotoSansSC-{font.weight}"
        ascent, descent, box = font.vertical_metrics()
        self.stream(file, f"/Length1 {len(font.data)}", font.data)
        simple = font.weight == CODE
        self.small_object(
            descriptor,
            f"<< /Type /FontDescriptor /FontName /{name} /Flags {32 if simple else 4}"
            f" /FontBBox [{' '.join(map(str, box))}] /ItalicAngle 0"
            f" /Ascent {ascent} /Descent {descent} /CapHeight 733 /StemV 80 /FontFile2 {file} 0 R >>",
        )
        if simple:
            first, last = 32, 90
            widths = " ".join([str(font.widths_by_glyph()[0])] * (last - first + 1))
            self.stream(to_unicode, "", _to_unicode({code: chr(code) for code in range(first, last + 1)}, 2))
            self.small_object(
                top,
                f"<< /Type /Font /Subtype /TrueType /BaseFont /{name} /Encoding /WinAnsiEncoding /FirstChar {first}"
                f" /LastChar {last} /Widths [{widths}] /FontDescriptor {descriptor} 0 R /ToUnicode {to_unicode} 0 R >>",
            )
            return top
        descendant = self.reserve()
        widths = " ".join(str(width) for width in font.widths_by_glyph())
        self.small_object(
            descendant,
            f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /{name} /CIDToGIDMap /Identity /DW 1000"
            f" /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
            f" /FontDescriptor {descriptor} 0 R /W [0 [{widths}]] >>",
        )
        self.stream(to_unicode, "", _to_unicode(font.unicode_by_glyph(), 4))
        self.small_object(
            top,
            f"<< /Type /Font /Subtype /Type0 /BaseFont /{name} /Encoding /Identity-H"
            f" /DescendantFonts [{descendant} 0 R] /ToUnicode {to_unicode} 0 R >>",
        )
        return top

    def finish(self, catalog: int, info: int) -> None:
        self._write_small_objects()
        number = self.reserve()
        self._places[number - 1] = start = self._at
        entries = np.zeros(len(self._places) + 1, dtype=[("kind", "u1"), ("place", ">u8"), ("index", ">u2")])
        places = np.frombuffer(self._places, dtype=np.int64)
        entries["kind"][1:] = np.where(places < 0, 2, 1)
        entries["place"][1:] = np.abs(places)
        entries["index"][1:] = np.frombuffer(self._indices, dtype=np.uint16)
        entries["index"][0] = 65535
        self.stream(
            number,
            f"/Type /XRef /Size {len(entries)} /W [1 8 2] /Root {catalog} 0 R /Info {info} 0 R",
            entries.tobytes(),
        )
        self._write(b"startxref\n%d\n%%%%EOF\n" % start)

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._at += len(data)


def _tag(font: LabelFont) -> str:
    """Six capitals that name the subset (9.6.4)."""
    number = zlib.crc32(font.data)
    return "".join(chr(65 + (number >> shift) % 26) for shift in range(0, 30, 5))


def _to_unicode(characters: dict[int, str], digits: int) -> bytes:
    pairs = [f"<{code:0{digits}X}> <{character.encode('utf-16-be').hex()}>" for code, character in characters.items()]
    blocks = "".join(
        f"{len(pairs[i : i + 100])} beginbfchar\n" + "\n".join(pairs[i : i + 100]) + "\nendbfchar\n"
        for i in range(0, len(pairs), 100)
    )
    return (
        "/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n"
        "/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
        f"1 begincodespacerange\n<{'0' * digits}> <{'F' * digits}>\nendcodespacerange\n" + blocks + "endcmap\n"
        "CMapName currentdict /CMap defineresource pop\nend\nend\n"
    ).encode()
