"""Label files, rendered by what printers and viewers use, and read back."""

import csv
import io
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from biip.sscc import Sscc
from PIL import Image, ImageDraw

from qr.art import LabelArt
from qr.layout import VARIABLE_FIELDS
from qr.picture import render_png, render_svg
from qr.reading import UnreadablePicture, open_picture, read_symbols
from qr.stock import STOCKS
from tests.node.install import HERE as NODE_FOLDER
from tests.node.install import NODE
from tests.qr.samples import BOOK, PREFIX, RUN, art_of, containers, file_of, grey, labels_of, urls
from tests.qr.tspl_printer import print_labels

ROLLS = [name for name in STOCKS if name.startswith("roll")]


def _by_poppler(pdf: bytes, folder: Path, dpi: int = 203) -> list[np.ndarray]:
    (folder / "labels.pdf").write_bytes(pdf)
    command = ["pdftoppm", "-r", str(dpi), "-gray", "labels.pdf", "page"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [grey(Image.open(path)) for path in sorted(folder.glob("page*.pgm"))]


def _by_zpl_renderer(zpl: bytes, folder: Path, art: LabelArt) -> list[np.ndarray]:
    (folder / "labels.zpl").write_bytes(zpl)
    dots = {203: 8, 300: 12}[art.layout.dpi]
    command = [
        NODE,
        NODE_FOLDER / "render_zpl.mjs",
        "labels.zpl",
        ".",
        str(art.width_mm),
        str(art.height_mm),
        str(dots),
    ]
    command[2] = str((folder / "labels.zpl").resolve())
    command[3] = str(folder.resolve())
    subprocess.run(command, cwd=NODE_FOLDER, check=True, capture_output=True)
    return [grey(Image.open(path)) for path in sorted(folder.glob("*.png"), key=lambda path: int(path.stem))]


def _read_all(pictures: list[np.ndarray]) -> list[str]:
    return [text for picture in pictures for text in read_symbols(picture)]


class TestPdf:
    @pytest.mark.parametrize("stock", STOCKS)
    def test_every_symbol_decodes_to_its_url_as_poppler_draws_it(self, stock: str, tmp_path: Path) -> None:
        count = STOCKS[stock].labels_per_page + 2
        pages = _by_poppler(file_of("pdf", art_of(stock), labels_of(count)), tmp_path, 300)
        assert len(pages) == (count if STOCKS[stock].is_roll else 2)
        assert sorted(_read_all(pages)) == sorted(urls(count))

    def test_pdfium_reads_the_same(self) -> None:
        pdf = file_of("pdf", art_of("a4-3x8"), labels_of(50, first=3))
        with pypdfium2.PdfDocument(pdf) as document:
            pages = [grey(page.render(scale=3.0).to_pil()) for page in document]
        assert sorted(_read_all(pages)) == sorted(urls(50, first=3))

    def test_the_texts_can_be_selected_and_the_font_is_embedded(self) -> None:
        pdf = file_of("pdf", art_of("roll-60x40", pin=True), labels_of(1))
        with pypdfium2.PdfDocument(pdf) as document:
            text = document[0].get_textpage().get_text_bounded()
        assert "罗平小黄姜" in text
        assert "批次 LP-J-0417" in text
        assert BOOK.code(RUN, 0) in re.sub(r"\s", "", text)
        assert BOOK.pins(RUN, 0, 1, key_number=1).tobytes().decode() in text

    def test_poppler_finds_the_fonts_embedded(self, tmp_path: Path) -> None:
        (tmp_path / "labels.pdf").write_bytes(file_of("pdf", art_of("roll-60x40"), labels_of(2)))
        command = ["pdffonts", "labels.pdf"]
        rows = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.splitlines()[2:]
        assert len(rows) == 3
        assert all(re.search(r"yes yes yes", row) for row in rows), rows

    def test_thousands_of_pages_stand_in_a_tree_that_viewers_walk(self) -> None:
        pdf = file_of("pdf", art_of("roll-60x40"), labels_of(1203))
        with pypdfium2.PdfDocument(pdf) as document:
            assert len(document) == 1203
            last = grey(document[1202].render(scale=3.0).to_pil())
        assert read_symbols(last) == urls(1, first=1202)

    def test_a_coloured_ink_is_the_ink_of_texts_and_symbol(self, tmp_path: Path) -> None:
        from dataclasses import replace

        art = art_of("roll-60x40")
        green = replace(art, layout=replace(art.layout, ink="#0b3d2a"))
        with pypdfium2.PdfDocument(file_of("pdf", green, labels_of(1))) as document:
            colours = {tuple(c) for c in np.asarray(document[0].render(scale=2).to_pil()).reshape(-1, 3)}
        assert (11, 61, 42) in colours


class TestThermalPrinters:
    @pytest.mark.parametrize("dpi", [203, 300])
    @pytest.mark.parametrize("stock", ROLLS)
    def test_tspl_prints_the_very_dots_of_the_picture(self, stock: str, dpi: int) -> None:
        art = art_of(stock, dpi=dpi)
        printed = print_labels(file_of("tspl", art, labels_of(4)), dpi)
        assert _read_all(printed) == urls(4)
        for index, label in enumerate(printed):
            expected = grey(Image.open(io.BytesIO(render_png(art, labels_of(4), index))))
            height, width = expected.shape
            assert np.array_equal(label[:height, :width], expected)

    @pytest.mark.parametrize(("stock", "dpi"), [("roll-60x40", 203), ("roll-40x30", 300), ("roll-100x100", 203)])
    def test_zpl_prints_the_very_dots_of_the_picture(self, stock: str, dpi: int, tmp_path: Path) -> None:
        art = art_of(stock, dpi=dpi)
        printed = _by_zpl_renderer(file_of("zpl", art, labels_of(3)), tmp_path, art)
        assert len(printed) >= 3
        assert _read_all(printed[:3]) == urls(3)
        for index, label in enumerate(printed[:3]):
            expected = grey(Image.open(io.BytesIO(render_png(art, labels_of(3), index))))
            # The renderer has 12 dots a millimetre for 300 dpi, and puts what is narrower in the middle.
            height, width = expected.shape
            left = (label.shape[1] - width) // 2
            assert np.array_equal(label[:height, left : left + width] < 128, expected < 128)

    def test_chinese_goes_to_the_printer_as_graphics(self) -> None:
        for name in ("zpl", "tspl"):
            file = file_of(name, art_of("roll-60x40"), labels_of(2))
            assert "罗".encode() not in file
            assert "罗".encode("gbk") not in file

    def test_the_constant_part_is_sent_once(self) -> None:
        for name, stored in (("zpl", b"~DG"), ("tspl", b"DOWNLOAD ")):
            assert file_of(name, art_of("roll-60x40"), labels_of(30)).count(stored) == 1


class TestPictures:
    @pytest.mark.parametrize("dpi", [203, 300])
    def test_a_single_png_decodes(self, dpi: int) -> None:
        png = render_png(art_of("roll-60x40", dpi=dpi), labels_of(9), 3)
        assert read_symbols(open_picture(png)) == urls(1, first=3)

    def test_a_single_svg_says_code_and_symbol_without_needing_a_font(self) -> None:
        svg = render_svg(art_of("roll-60x40"), labels_of(9), 3)
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
        assert read_symbols(np.asarray(picture)) == urls(1, first=3)

    def test_a_photo_of_a_label_on_its_side_is_read(self) -> None:
        png = render_png(art_of("roll-60x40"), labels_of(9), 4)
        turned = Image.open(io.BytesIO(png)).convert("L").rotate(83, expand=True, fillcolor=200)
        out = io.BytesIO()
        turned.save(out, "JPEG", quality=70)
        assert read_symbols(open_picture(out.getvalue())) == urls(1, first=4)

    @pytest.mark.parametrize("data", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\nbroken", Path(__file__).read_bytes()])
    def test_what_is_no_picture_is_refused(self, data: bytes) -> None:
        with pytest.raises(UnreadablePicture):
            open_picture(data)

    def test_a_picture_without_a_symbol_has_none(self) -> None:
        assert read_symbols(np.full((300, 300), 255, dtype=np.uint8)) == []


class TestTable:
    def test_a_row_for_each_label_as_excel_reads_it(self) -> None:
        text = file_of("csv", art_of("roll-60x40", pin=True), labels_of(5, first=2)).decode("utf-8-sig")
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [row["url"] for row in rows] == urls(5, first=2)
        assert [row["serial"] for row in rows] == ["0000003", "0000004", "0000005", "0000006", "0000007"]
        pins = [pin.tobytes().decode() for pin in BOOK.pins(RUN, 2, 5, key_number=1)]
        assert [row["pin"] for row in rows] == pins


class TestContainers:
    def test_a_container_shows_its_sscc_with_the_right_check_digit(self) -> None:
        rows = file_of("csv", art_of("roll-100x100", sscc=True), containers(30)).decode("utf-8-sig").splitlines()
        numbers = [row.split(",")[3] for row in rows[1:]]
        assert all(Sscc.parse(number).company_prefix.value == "6901234" for number in numbers)  # type: ignore[union-attr]
        assert [number[8:-1] for number in numbers[:2]] == ["000000041", "000000042"]
        assert len(numbers[0]) == VARIABLE_FIELDS["sscc"]

    def test_its_symbol_can_be_the_gs1_digital_link(self) -> None:
        labels = containers(3, in_symbol=True)
        png = render_png(art_of("roll-100x100", sscc=True), labels, 2)
        assert read_symbols(open_picture(png)) == [PREFIX + "00/" + labels.url(2).rsplit("/", 1)[1]]
        Sscc.parse(labels.url(2).rsplit("/", 1)[1])


def test_copies_of_a_batch_label_are_all_the_same() -> None:
    rows = file_of("csv", art_of("roll-60x40"), labels_of(5000, copies=True)).splitlines()[1:]
    assert len(rows) == 5000
    assert len(set(rows)) == 1
