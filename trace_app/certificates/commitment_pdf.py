"""The commitment certificate on paper, in the words of the sample that it was issued by."""

from __future__ import annotations

import io

from flask_babel import force_locale
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from qr.codes import format_code
from trace_app.certificates.models import CommitmentCertificate
from trace_app.certificates.samples import Sample
from trace_app.forms import plain_decimal
from trace_app.labels.service import code_of
from trace_app.paper import Fonts, draw_symbol, drawn
from trace_app.units import unit_name

WIDTH_MM, HEIGHT_MM = 148, 105
"""A6, landscape: four to a sheet of A4, or one on a wide label."""
TITLE = "承诺达标合格证"
BASIS = "承诺依据："
VOID, RECALLED = "作废", "已召回"
TEXT_SIZE, READABLE, SMALLEST = 9.0, 7.0, 4.0
"""Points: of facts; of those that would be too long for a line, before they take several; of those that take many."""
ROOM_MM = 70
"""How wide a fact may be: from 30 mm on, and clear of the code's quiet zone, which begins at 104."""
LEADING = 1.15
LOWEST_MM = 7.5
"""Where the last line of the facts may stand."""


def commitment_pdf(row: CommitmentCertificate) -> bytes:
    """The certificate as a PDF of one page with the QR code of its lot. Chinese: the law gives its words."""
    with force_locale("zh_CN"):
        return drawn(lambda fonts: _drawn(row, fonts))


def _drawn(row: CommitmentCertificate, fonts: Fonts) -> bytes:
    sample = row.wording
    names = row.facts.get("not_tested")
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=(WIDTH_MM * mm, HEIGHT_MM * mm), invariant=1)
    canvas.setTitle(f"{TITLE} {row.number}")
    _stamp(canvas, fonts, row)
    canvas.setFont(fonts.bold, 17)
    canvas.drawCentredString(WIDTH_MM * mm / 2, 91 * mm, fonts.printable(TITLE))
    canvas.setLineWidth(0.8)
    canvas.rect(4 * mm, 4 * mm, (WIDTH_MM - 8) * mm, (HEIGHT_MM - 8) * mm)
    y = _promises(canvas, fonts, sample, row.bases)
    _facts(canvas, fonts, _rows(row, sample), y - 2)
    draw_symbol(canvas, row.facts["url"], 104, 20, 38)
    canvas.setFont(fonts.bold, 8.5)
    canvas.drawCentredString(123 * mm, 17 * mm, fonts.printable(format_code(code_of(row.run, row.index))))
    canvas.setFont(fonts.bold, 9)
    canvas.drawCentredString(123 * mm, 12.6 * mm, fonts.printable(sample.code_words))
    canvas.setFont(fonts.regular, 7.5)
    canvas.drawRightString((WIDTH_MM - 7) * mm, 98 * mm - 1, fonts.printable(f"编号 {row.number}"))
    if names:
        # Certificates of before said so; now what was used has to be tested for.
        _in_small(canvas, fonts, fonts.printable(f"用过未检测：{names}"))
    canvas.save()
    return out.getvalue()


def _stamp(canvas: Canvas, fonts: Fonts, row: CommitmentCertificate) -> None:
    """That it does not count any more, light and behind the words: they have to be read all the same."""
    words = VOID if row.withdrawn_at is not None else RECALLED if row.batch.recalled else None
    if words is not None:
        canvas.setFillGray(0.82)
        canvas.setFont(fonts.bold, 60)
        canvas.drawCentredString(54 * mm, 30 * mm, fonts.printable(words))
        canvas.setFillGray(0)


def _in_small(canvas: Canvas, fonts: Fonts, text: str) -> None:
    """A line below the code."""
    canvas.setFont(fonts.regular, _size_within(canvas, fonts.regular, text, 46, 7.5, 4.0))
    canvas.drawCentredString(123 * mm, 8.5 * mm, text)


def _size_within(canvas: Canvas, font: str, text: str, room_mm: float, size: float, least: float) -> float:
    """The size in points, from one down to another, at which a text fits into its room; the least where none does."""
    while canvas.stringWidth(text, font, size) > room_mm * mm and size > least:
        size -= 0.5
    return size


def _rows(row: CommitmentCertificate, sample: Sample) -> list[tuple[str, str]]:
    facts = row.facts
    amount = f"{plain_decimal(row.quantity)} {unit_name(row.unit)}"
    pairs = [
        ("产品名称", facts["product"]),
        ("数量（重量）", amount),
        ("批次号", facts["lot_number"]),
        ("产地", facts["origin"]),
        (sample.subject_word, facts["producer"]),
        ("信用代码", facts["credit_code"]),
        ("联系方式", facts["phone"] or facts["address"]),
        ("开具日期", f"{row.issued_on:%Y年%m月%d日}"),
    ]
    if row.consignee:
        pairs.insert(4, ("收货方", row.consignee))
    return [(label, text) for label, text in pairs if text]


def _promises(canvas: Canvas, fonts: Fonts, sample: Sample, bases: list[str]) -> float:
    """The commitment and what it rests on, with boxes ticked; returns where the next line may stand."""
    canvas.setFont(fonts.regular, 9.5)
    canvas.drawString(8 * mm, 84 * mm, fonts.printable(sample.opening_read))
    top = 79.0
    for line in sample.promises_read:
        _box(canvas, 11, top, ticked=True)
        _fitting(canvas, fonts, fonts.printable(line), 16, top, WIDTH_MM - 22)
        top -= 5
    canvas.setFont(fonts.regular, 9.5)
    canvas.drawString(8 * mm, top * mm, fonts.printable(BASIS))
    left = 27.0
    for base in sample.bases:
        name = fonts.printable(sample.base_words(base))
        _box(canvas, left, top, ticked=base in bases)
        canvas.drawString((left + 4.5) * mm, top * mm, name)
        left += 9 + canvas.stringWidth(name, fonts.regular, 9.5) / mm
    return top - 5


def _fitting(canvas: Canvas, fonts: Fonts, text: str, x_mm: float, y_mm: float, room_mm: float) -> None:
    canvas.setFont(fonts.regular, _size_within(canvas, fonts.regular, text, room_mm, 9.5, 5.0))
    canvas.drawString(x_mm * mm, y_mm * mm, text)


def _box(canvas: Canvas, x_mm: float, y_mm: float, *, ticked: bool) -> None:
    """A box of 3 mm to tick, on the line of a text."""
    canvas.setLineWidth(0.7)
    canvas.rect(x_mm * mm, (y_mm - 0.3) * mm, 3 * mm, 3 * mm)
    if ticked:
        canvas.setLineWidth(1.2)
        path = canvas.beginPath()
        path.moveTo((x_mm + 0.6) * mm, (y_mm + 1.3) * mm)
        path.lineTo((x_mm + 1.3) * mm, (y_mm + 0.4) * mm)
        path.lineTo((x_mm + 2.6) * mm, (y_mm + 2.4) * mm)
        canvas.drawPath(path, stroke=1, fill=0)


def _facts(canvas: Canvas, fonts: Fonts, rows: list[tuple[str, str]], top_mm: float) -> None:
    """The facts, a line each where they fit; else in several, all of them within their room and above the frame."""
    texts = [fonts.printable(text) for _label, text in rows]
    blocks = _blocks(canvas, fonts, texts, smallest := READABLE)
    while top_mm - _depth(blocks) < LOWEST_MM and smallest > SMALLEST:
        blocks = _blocks(canvas, fonts, texts, smallest := smallest - 0.5)
    for (label, _text), (size, lines) in zip(rows, blocks, strict=True):
        canvas.setFont(fonts.regular, TEXT_SIZE)
        canvas.drawString(8 * mm, top_mm * mm, fonts.printable(f"{label}："))
        canvas.setFont(fonts.bold, size)
        for at, line in enumerate(lines):
            canvas.drawString(30 * mm, top_mm * mm - at * size * LEADING, line)
        top_mm -= _height(size, lines)


def _blocks(canvas: Canvas, fonts: Fonts, texts: list[str], smallest: float) -> list[tuple[float, list[str]]]:
    """Each text with its size and its lines: it is made smaller first, and broken where that is not enough."""
    found = []
    for text in texts:
        size = _size_within(canvas, fonts.bold, text, ROOM_MM, TEXT_SIZE, smallest)
        found.append((size, _broken(canvas, fonts, text, size)))
    return found


def _broken(canvas: Canvas, fonts: Fonts, text: str, size: float) -> list[str]:
    lines = [""]
    for character in text:
        if canvas.stringWidth(lines[-1] + character, fonts.bold, size) > ROOM_MM * mm:
            lines.append("")
        lines[-1] += character
    return lines


def _height(size: float, lines: list[str]) -> float:
    """How far the next fact stands below, in millimetres."""
    return 5.6 + (len(lines) - 1) * size * LEADING / mm


def _depth(blocks: list[tuple[float, list[str]]]) -> float:
    """How far the last line stands below the first, in millimetres."""
    *before, (size, lines) = blocks
    return sum(_height(*block) for block in before) + _height(size, lines) - 5.6
