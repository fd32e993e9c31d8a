"""Labels a second against the usual way: qrcode and ReportLab, one drawing call at a time.

Needs nothing but requirements-dev.txt. Both sides make the same A4 sheets of the same texts, font and URLs.
"""

from __future__ import annotations

import io

import timing  # isort: skip  (finds the project)
import numpy as np
import qrcode
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from qr.codes import CODE_LENGTH, CodeBook
from qr.fonts import BOLD, REGULAR
from qr.layout import STOCKS, LabelArt, LabelText, compose
from qr.pdf import write_pdf
from qr.symbol import reference_symbol, symbol_family

PREFIX = "HTTPS://T.QJ.CN/"
TEXT = LabelText(
    product="罗平小黄姜", net_content="净重 500 克", lot="批次 LP-J-2026-0417", date="2026-11-06 采收",
    origin="产地 云南罗平县板桥镇", producer="示例·板桥姜业专业合作社", call="扫码溯源",
)  # fmt: skip
STOCK = STOCKS["a4-3x8"]
KEY = bytes(range(32))
BOOK = CodeBook({1: KEY})


def usual_pdf(art: LabelArt, count: int) -> bytes:
    """qrcode makes each symbol (its best mask), ReportLab draws each module row and text."""
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(STOCK.page_mm[0] * mm, STOCK.page_mm[1] * mm))
    top = STOCK.page_mm[1]
    for index in range(count):
        if index and index % STOCK.labels_per_page == 0:
            canvas.showPage()
        left, above = STOCK.place(index % STOCK.labels_per_page)
        code = BOOK.code(1, index)
        for line in (*art.lines, art.code_line(code)):
            canvas.setFont(f"label-{line.weight}", line.size_mm * mm)
            canvas.drawString((left + line.x) * mm, (top - above - line.y) * mm, line.text)
        symbol = qrcode.QRCode(version=2, error_correction=qrcode.constants.ERROR_CORRECT_Q, border=0)
        symbol.add_data(PREFIX + code)
        symbol.make(fit=True)
        for y, row in enumerate(symbol.get_matrix()):
            for x, dark in enumerate(row):
                if dark:
                    side = art.module_mm * mm
                    canvas.rect(
                        (left + art.symbol_x) * mm + x * side,
                        (top - above - art.symbol_y) * mm - (y + 1) * side,
                        side, side, stroke=0, fill=1,
                    )  # fmt: skip
    canvas.save()
    return out.getvalue()


def main() -> None:
    quick = timing.arguments(__doc__ or "").quick
    rounds = 3 if quick else 5
    family = symbol_family(PREFIX, CODE_LENGTH)
    art = compose(TEXT, STOCK, family.form)
    for weight in (REGULAR, BOLD):
        pdfmetrics.registerFont(TTFont(f"label-{weight}", io.BytesIO(art.fonts[weight].data)))
    few, many = (240, 24_000) if quick else (480, 96_000)
    sizes: dict[str, float] = {}

    def ours() -> float:
        out = io.BytesIO()
        taken = timing.seconds(lambda: write_pdf(out, art, STOCK, family, BOOK, 1, 0, many))
        sizes["ours"] = out.tell() / many
        return many / taken

    def usual() -> float:
        pages: list[bytes] = []
        taken = timing.seconds(lambda: pages.append(usual_pdf(art, few)))
        sizes["usual"] = len(pages[0]) / few
        return few / taken

    print("Label files, A4 3×8")
    files = timing.rates(rounds, qrcode_and_reportlab=usual, ours=ours)

    codes = BOOK.codes(1, 0, 200_000)
    texts = [PREFIX + code.tobytes().decode() for code in codes[:300]]

    def best_mask() -> float:
        def make() -> None:
            for text in texts[: 60 if quick else 300]:
                symbol = qrcode.QRCode(version=2, error_correction=qrcode.constants.ERROR_CORRECT_Q, border=0)
                symbol.add_data(text)
                symbol.make(fit=False)

        return (60 if quick else 300) / timing.seconds(make)

    def fixed_mask() -> float:
        def make() -> None:
            for text in texts:
                reference_symbol(text, family.form)

        return len(texts) / timing.seconds(make)

    print("Symbols alone")
    symbols = timing.rates(
        rounds,
        qrcode_best_mask=best_mask,
        qrcode_fixed_mask=fixed_mask,
        ours=lambda: len(codes) / timing.seconds(lambda: family.symbols(codes)),
    )
    print("Codes (FF1)")
    count = 200_000 if quick else 1_000_000
    made = timing.rates(rounds, codes=lambda: count / timing.seconds(lambda: BOOK.codes(1, 0, count)))
    sample = [code.tobytes().decode() for code in codes[:: len(codes) // 2000]]

    def reading() -> float:
        book = CodeBook({1: KEY})  # a book that remembers none of them yet
        return len(sample) / timing.seconds(lambda: [book.read(code) for code in sample])

    read = timing.rates(rounds, read=reading)
    assert np.array_equal(codes[0], BOOK.codes(1, 0, 1)[0])
    timing.finish(
        pdf_labels_per_s=files["ours"],
        pdf_ratio=files["ours"] / files["qrcode_and_reportlab"],
        pdf_bytes_per_label=sizes["ours"],
        pdf_bytes_ratio=sizes["usual"] / sizes["ours"],
        symbols_per_s=symbols["ours"],
        symbols_best_ratio=symbols["ours"] / symbols["qrcode_best_mask"],
        symbols_fixed_ratio=symbols["ours"] / symbols["qrcode_fixed_mask"],
        ff1_codes_per_s=made["codes"],
        ff1_decrypt_us=1e6 / read["read"],
    )


if __name__ == "__main__":
    main()
