"""The poster of a recall, for shops to hang up: what it is, what to do, a large QR code. A4, the reader's language."""

from __future__ import annotations

import io
from collections.abc import Sequence

from flask_babel import lazy_gettext as _
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Image, Spacer, Table, TableStyle

from trace_app.batches.models import Batch
from trace_app.language import language, named
from trace_app.paper import Fonts, Styles, draw_symbol, drawn
from trace_app.recalls.area_of_sale import AreaOfSale
from trace_app.recalls.forms import case_word
from trace_app.recalls.models import Recall
from trace_app.recalls.papers import product_named

POSTER_LOTS = 12
"""Lot numbers that a poster has room for."""
RED = HexColor("#a3211b")
SYMBOL_MM = 62
PHOTO_MM = 52
_TOP_MM, _BOTTOM_MM = 243, 82
"""Where the text lies between the head and the foot."""
_WIDTH_MM = 180
_SIZES = (1.7, 1.55, 1.4, 1.25, 1.1, 1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
"""How large the text may be, the largest that fits."""


def poster_pdf(recall: Recall, lots: Sequence[Batch], area: AreaOfSale, url: str, photo: bytes | None = None) -> bytes:
    """A sheet to hang in a shop.

    :param lots: the first of the recall's.
    :param url: of the recall's page.
    :param photo: of the product, as a picture's bytes.
    """
    return drawn(lambda fonts: _sheet(fonts, recall, lots, area, url, photo))


def _sheet(
    fonts: Fonts, recall: Recall, lots: Sequence[Batch], area: AreaOfSale, url: str, photo: bytes | None
) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, invariant=1)
    canvas.setTitle(f"{_('产品召回')} {recall.number}")
    canvas.setFillColor(RED)
    canvas.rect(0, 250 * mm, 210 * mm, 47 * mm, stroke=0, fill=1)
    canvas.setFillColorRGB(1, 1, 1)
    canvas.setFont(fonts.bold, 58)
    canvas.drawCentredString(105 * mm, 268 * mm, fonts.printable(str(_("产品召回"))))
    canvas.setFont(fonts.regular, 17)
    canvas.drawCentredString(105 * mm, 256 * mm, fonts.printable(f"{case_word(recall)}　{recall.number}"))
    made, room = [], (_TOP_MM - _BOTTOM_MM) * mm
    left = 0.0
    for size in _SIZES:
        made = _content(Styles(fonts), size, recall, lots, area, photo)
        left = room - sum(one.wrap(_WIDTH_MM * mm, room)[1] for one in made)
        if left >= 0:
            break
    y = _TOP_MM * mm - max(left, 0) / 2
    for one in made:
        _width, height = one.wrap(_WIDTH_MM * mm, room)
        y -= height
        one.drawOn(canvas, 15 * mm, y)
    _foot(canvas, fonts, recall, url)
    canvas.save()
    return out.getvalue()


def _content(
    styles: Styles, size: float, recall: Recall, lots: Sequence[Batch], area: AreaOfSale, photo: bytes | None
) -> list[Flowable]:
    big = styles.title.clone("big", fontSize=32 * size, leading=40 * size, alignment=1, textColor="#202622")
    bold = styles.body.clone(
        "advice", fontName=styles.fonts.bold, fontSize=22 * size, leading=31 * size, alignment=1, textColor=RED
    )
    plain = styles.body.clone("plain", fontSize=14 * size, leading=20 * size)
    cell = styles.body.clone("lot", fontSize=13 * size, leading=17 * size)
    gap = 3 * mm * size
    names = list(dict.fromkeys(product_named(lot) for lot in lots))
    sizes = list(dict.fromkeys(lot.product.net_content for lot in lots if lot.product.net_content))
    producers = list(dict.fromkeys(named(lot.producer) for lot in lots))
    facts = [
        (str(_("规格")), _joined(sizes[:3])),
        (str(_("生产者")), _joined(producers[:3])),
        (str(_("原因")), named(recall, "reason")),
        (str(_("区域范围")), area.said()),
        (str(_("退货和赔偿")), named(recall, "remedy")),
    ]
    several = len(names) > 1
    head = [*([_("产品")] if several else []), _("批次号"), _("生产日期"), _("保质期至")]
    rows = [[styles.paragraph(str(text), cell) for text in head]]
    for lot in lots[:POSTER_LOTS]:
        days = [f"{day:%Y-%m-%d}" if day else "—" for day in (lot.produced_on, lot.best_before)]
        texts = [*([product_named(lot)] if several else []), lot.lot_number, *days]
        rows.append([styles.paragraph(text, cell) for text in texts])
    wide = _WIDTH_MM - (PHOTO_MM + 6 if photo else 0)
    # The lot's number is what a shopper compares: it stands on one line.
    parts = [*([1.0] if several else []), 1.5, 1.0, 1.0]
    table = Table(rows, colWidths=[wide * mm * part / sum(parts) for part in parts])
    table.setStyle(
        TableStyle(
            [
                ("LINEBELOW", (0, 0), (-1, -1), 0.6, HexColor("#b9b19f")),
                ("BACKGROUND", (0, 0), (-1, 0), HexColor("#f3efe6")),
                ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
            ]
        )
    )
    listed: list[Flowable] = [table]
    if recall.lot_count > len(rows) - 1:
        more = _("共 %(count)d 批，其余的请扫码核对。", count=recall.lot_count)
        listed.append(styles.paragraph(str(more), plain))
    colon = "：" if language() == "zh" else ": "
    told = [styles.paragraph(f"{label}{colon}{text}", plain) for label, text in facts if text]
    which: list[Flowable] = listed
    if photo:
        # The lots are few beside a picture; who made them stands there too.
        listed += [Spacer(1, gap), *told[:2]]
        told = told[2:]
        picture = ImageReader(io.BytesIO(photo))
        width, height = picture.getSize()
        scale = PHOTO_MM * mm / max(width, height)
        shown = Image(io.BytesIO(photo), width * scale, height * scale)
        beside = Table([[shown, listed]], colWidths=[(PHOTO_MM + 6) * mm, wide * mm])
        beside.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]))
        which = [beside]
    made: list[Flowable] = [
        styles.paragraph("、".join(names[:2]), big),
        Spacer(1, gap),
        styles.paragraph(named(recall, "advice"), bold),
        Spacer(1, gap),
        *which,
        Spacer(1, gap),
    ]
    return made + told


def _joined(texts: Sequence[str]) -> str:
    return ("、" if language() == "zh" else ", ").join(texts)


def _foot(canvas: Canvas, fonts: Fonts, recall: Recall, url: str) -> None:
    canvas.setStrokeColor(RED)
    canvas.setLineWidth(2)
    canvas.line(15 * mm, 78 * mm, 195 * mm, 78 * mm)
    draw_symbol(canvas, url, 195 - SYMBOL_MM, 12, SYMBOL_MM)
    canvas.setFillColorRGB(0.12, 0.15, 0.13)
    styles = Styles(fonts)
    large = styles.title.clone("scan", fontSize=20, leading=27, textColor="#202622")
    plain = styles.body.clone("authority", fontSize=14, leading=21)
    y = 74 * mm
    for text, style in (
        (str(_("扫码看公告，或核对您手上的产品")), large),
        (named(recall.authority), plain),
        (recall.authority.phone, large),
        (str(_("投诉举报 12315")), plain),
    ):
        paragraph = styles.paragraph(text, style)
        _width, height = paragraph.wrap((_WIDTH_MM - SYMBOL_MM - 6) * mm, 60 * mm)
        y -= height
        paragraph.drawOn(canvas, 15 * mm, y)
        y -= 2 * mm
