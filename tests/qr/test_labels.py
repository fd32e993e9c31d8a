"""Label files, rendered and read back."""

import io
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image, ImageDraw

from qr.codes import CodeBook
from qr.fonts import MissingGlyph
from qr.layout import STOCKS, LabelText, LabelTextTooLong, compose
from qr.pdf import write_pdf
from qr.picture import render_png, render_svg
from qr.reading import UnreadablePicture, open_picture, read_symbols
from qr.symbol import QUIET_ZONE_MODULES, symbol_family

PREFIX = "HTTPS://T.QJ.CN/"
TEXT = LabelText(
    product="罗平小黄姜", net_content="净重 500 克", lot="批次 LP-J-2026-0417", date="2026-11-06 采收",
    origin="产地 云南罗平县板桥镇", producer="示例·板桥姜业专业合作社", call="扫码溯源",
)  # fmt: skip
BOOK = CodeBook({1: bytes(range(32))})
FAMILY = symbol_family(PREFIX, 13)


def _pdf(stock: str, count: int) -> bytes:
    out = io.BytesIO()
    write_pdf(out, compose(TEXT, STOCKS[stock], FAMILY.form), STOCKS[stock], FAMILY, BOOK, 7, 0, count)
    return out.getvalue()


def _pages(pdf: bytes, scale: float) -> list[np.ndarray]:
    with pypdfium2.PdfDocument(pdf) as document:
        return [np.asarray(page.render(scale=scale).to_pil().convert("L")) for page in document]


@pytest.mark.parametrize(
    ("stock", "count", "pages"), [("a4-3x8", 50, 3), *((name, 3, 3) for name in STOCKS if name.startswith("roll"))]
)
def test_every_symbol_in_the_file_decodes_to_its_url(stock: str, count: int, pages: int) -> None:
    rendered = _pages(_pdf(stock, count), 3.0)
    assert len(rendered) == pages
    found = [text for page in rendered for text in read_symbols(page)]
    assert sorted(found) == sorted(PREFIX + BOOK.code(7, index) for index in range(count))


def test_the_texts_can_be_selected_and_the_font_is_embedded() -> None:
    pdf = _pdf("roll-60x40", 1)
    with pypdfium2.PdfDocument(pdf) as document:
        text = document[0].get_textpage().get_text_bounded()
    code = BOOK.code(7, 0)
    assert "罗平小黄姜" in text
    assert "批次 LP-J-2026-0417" in text
    assert code in re.sub(r"\s", "", text)
    assert b"/FontFile2" in pdf


def test_a_page_of_a_roll_is_one_label_in_size() -> None:
    with pypdfium2.PdfDocument(_pdf("roll-60x40", 2)) as document:
        assert [round(length * 25.4 / 72) for length in document[0].get_size()] == [60, 40]


@pytest.mark.parametrize("stock", STOCKS)
def test_modules_are_whole_printer_dots_and_large_enough_with_a_full_quiet_zone(stock: str) -> None:
    paper = STOCKS[stock]
    art = compose(TEXT, paper, FAMILY.form)
    assert (art.module_mm * 8).is_integer()
    assert art.module_mm >= 0.33
    quiet = QUIET_ZONE_MODULES * art.module_mm
    assert min(art.symbol_x, art.symbol_y) >= quiet
    right = art.symbol_x + art.symbol_modules * art.module_mm + quiet
    assert all(line.x >= right - 0.001 or line.y > art.height_mm - 8 for line in art.lines)


@pytest.mark.parametrize("dpi", [203, 300])
def test_a_single_png_decodes(dpi: int) -> None:
    code = BOOK.code(9, 3)
    png = render_png(compose(TEXT, STOCKS["roll-60x40"], FAMILY.form), FAMILY, code, dpi)
    assert read_symbols(open_picture(png)) == [PREFIX + code]


def test_a_single_svg_says_code_and_symbol_without_needing_a_font() -> None:
    code = BOOK.code(9, 3)
    svg = render_svg(compose(TEXT, STOCKS["roll-60x40"], FAMILY.form), FAMILY, code)
    root = ElementTree.fromstring(svg)
    assert root.attrib["width"] == "60.0mm"
    assert "<text" not in svg
    # Draw the symbol's path again and read it.
    path = root.findall("{http://www.w3.org/2000/svg}path")[-1].attrib["d"]
    picture = Image.new("L", (400, 400), 255)
    pen = ImageDraw.Draw(picture)
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)", path):
        left, top = 60 + int(x) * 10, 60 + int(y) * 10
        pen.rectangle((left, top, left + int(width) * 10 - 1, top + 9), fill=0)
    assert read_symbols(np.asarray(picture)) == [PREFIX + code]


def test_a_name_that_fits_no_label_is_refused_by_its_field() -> None:
    with pytest.raises(LabelTextTooLong) as refused:
        compose(LabelText(**{**_fields(), "producer": "很长的名称" * 40}), STOCKS["roll-60x40"], FAMILY.form)
    assert refused.value.field == "producer"


def test_a_character_that_the_font_lacks_is_named() -> None:
    with pytest.raises(MissingGlyph) as refused:
        compose(LabelText(**{**_fields(), "product": "姜\U0001f600"}), STOCKS["roll-60x40"], FAMILY.form)
    assert refused.value.character == "\U0001f600"


def _fields() -> dict[str, str]:
    return {name: getattr(TEXT, name) for name in LabelText.__slots__}


def test_a_photo_of_a_label_on_its_side_is_read() -> None:
    code = BOOK.code(9, 4)
    png = render_png(compose(TEXT, STOCKS["roll-60x40"], FAMILY.form), FAMILY, code)
    turned = Image.open(io.BytesIO(png)).convert("L").rotate(83, expand=True, fillcolor=200)
    out = io.BytesIO()
    turned.save(out, "JPEG", quality=70)
    assert read_symbols(open_picture(out.getvalue())) == [PREFIX + code]


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\nbroken", Path(__file__).read_bytes()])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadablePicture):
        open_picture(data)


def test_a_picture_without_a_symbol_has_none() -> None:
    assert read_symbols(np.full((300, 300), 255, dtype=np.uint8)) == []
