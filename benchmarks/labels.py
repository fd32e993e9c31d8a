"""Labels a second against the usual way: qrcode and ReportLab, one drawing call at a time.

Needs nothing but requirements-dev.txt. Both sides make the same A4 sheets of the same texts, font and URLs.
"""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import timing  # isort: skip  (finds the project)
import numpy as np
import qrcode
import qrcode.util
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from qr.art import LabelArt, LabelText, arrange_for, compose
from qr.codes import CODE_LENGTH, CodeBook, format_code
from qr.fonts import BOLD, CODE, REGULAR
from qr.labels import Labels
from qr.pdf import write_pdf
from qr.stock import STOCKS
from qr.symbol import SymbolFamily, symbol_family

PREFIX = "HTTPS://T.QJ.CN/"
# Two Chinese lines and the printed code.
TEXT = LabelText(product="罗平小黄姜", producer="示例·板桥姜业专业合作社")
STOCK = STOCKS["a4-3x8"]
KEY = bytes(range(32))
BOOK = CodeBook({1: KEY})
LABELS = 100_000


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
        for line in (*art.lines, *(art.variable_line(v, format_code(code)) for v in art.variables)):
            canvas.setFont(f"label-{line.weight}", line.size_mm * mm)
            canvas.drawString((left + line.x) * mm, (top - above - line.y) * mm, line.text)
        symbol = qrcode.QRCode(version=2, error_correction=qrcode.constants.ERROR_CORRECT_Q, border=0)
        symbol.add_data(PREFIX + code)
        symbol.make(fit=True)
        for y, row in enumerate(symbol.get_matrix()):
            for x, dark in enumerate(row):
                if dark:
                    side = art.layout.symbol.module_mm * mm
                    canvas.rect(
                        (left + art.layout.symbol.x) * mm + x * side,
                        (top - above - art.layout.symbol.y) * mm - (y + 1) * side,
                        side,
                        side,
                        stroke=0,
                        fill=1,
                    )
    canvas.save()
    return out.getvalue()


def labels_of(family: SymbolFamily, count: int) -> Labels:
    return Labels(family, BOOK, 1, 1, 0, count)


def peak_rss_mb(count: int) -> float:
    """The highest memory of a process of its own that writes so many labels to a file."""
    program = f"""
import resource, tempfile, sys
sys.path[:0] = {[str(Path(__file__).parent), str(Path(__file__).parents[1])]!r}
import labels as bench
family = bench.symbol_family(bench.PREFIX, bench.CODE_LENGTH, "best")
art = bench.compose(bench.TEXT, bench.arrange_for(bench.TEXT, bench.STOCK, family.form), family.form)
with tempfile.TemporaryFile() as out:
    bench.write_pdf(out, art, bench.labels_of(family, {count}))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    quick = timing.arguments(__doc__ or "").quick
    rounds = 3 if quick else 5
    family, fixed = symbol_family(PREFIX, CODE_LENGTH, "best"), symbol_family(PREFIX, CODE_LENGTH, 0)
    layout = arrange_for(TEXT, STOCK, family.form)
    art = compose(TEXT, layout, family.form)
    for weight in (REGULAR, BOLD, CODE):
        pdfmetrics.registerFont(TTFont(f"label-{weight}", io.BytesIO(art.fonts[weight].data)))
    few, many = (240, LABELS // 4) if quick else (480, LABELS)
    sizes: dict[str, float] = {}

    def ours(name: str, of: SymbolFamily) -> Callable[[], float]:
        def measure() -> float:
            out = io.BytesIO()
            taken = timing.seconds(lambda: write_pdf(out, art, labels_of(of, many)))
            sizes[name] = out.tell() / many
            return many / taken

        return measure

    def usual() -> float:
        pages: list[bytes] = []
        taken = timing.seconds(lambda: pages.append(usual_pdf(art, few)))
        sizes["usual"] = len(pages[0]) / few
        return few / taken

    print("Label files, A4 3×8: each symbol at its best mask, as qrcode chooses too; and at one fixed mask")
    files = timing.rates(
        rounds, qrcode_and_reportlab=usual, ours=ours("best", family), ours_fixed_mask=ours("fixed", fixed)
    )

    codes = BOOK.codes(1, 0, 200_000)
    texts = [PREFIX + code.tobytes().decode() for code in codes[: 60 if quick else 300]]

    def by_qrcode(mask: int | None) -> Callable[[], float]:
        def make() -> None:
            for text in texts:
                level = qrcode.constants.ERROR_CORRECT_Q
                symbol = qrcode.QRCode(version=2, error_correction=level, border=0, mask_pattern=mask)
                symbol.add_data(qrcode.util.QRData(text, mode=qrcode.util.MODE_ALPHA_NUM), optimize=0)
                symbol.make(fit=False)

        return lambda: len(texts) / timing.seconds(make)

    def in_bulk(of: SymbolFamily, count: int) -> Callable[[], float]:
        return lambda: count / timing.seconds(lambda: of.symbols(codes[:count]))

    print("Symbols alone, version 2-Q")
    symbols = timing.rates(
        rounds,
        qrcode_best_mask=by_qrcode(None),
        qrcode_fixed_mask=by_qrcode(0),
        ours_fixed_mask=in_bulk(fixed, len(codes)),
        ours_best_mask=in_bulk(family, 40_000),
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
    print("Peak memory, each in a process of its own")
    small, large = (peak_rss_mb(n) for n in ((LABELS // 4, LABELS) if quick else (LABELS, 10 * LABELS)))
    print(f"{small:.0f} MB and {large:.0f} MB for {4 if quick else 10} times as many labels")
    timing.finish(
        pdf_labels_per_s=files["ours"],
        pdf_ratio=files["ours"] / files["qrcode_and_reportlab"],
        pdf_fixed_mask_ratio=files["ours_fixed_mask"] / files["qrcode_and_reportlab"],
        pdf_bytes_per_label=sizes["best"],
        pdf_bytes_ratio=sizes["usual"] / sizes["best"],
        symbols_per_s=symbols["ours_fixed_mask"],
        symbols_best_ratio=symbols["ours_fixed_mask"] / symbols["qrcode_best_mask"],
        symbols_fixed_ratio=symbols["ours_fixed_mask"] / symbols["qrcode_fixed_mask"],
        mask_best_ratio=symbols["ours_best_mask"] / symbols["qrcode_best_mask"],
        rss_mb_100k=small,
        rss_ratio_1m_100k=large / small,
        ff1_codes_per_s=made["codes"],
        ff1_decrypt_us=1e6 / read["read"],
    )


if __name__ == "__main__":
    main()
