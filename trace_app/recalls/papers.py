"""Recalls on paper: the notice to be sealed, the poster for shops, the final report. A4, in the reader's language."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from flask_babel import lazy_gettext as _
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Paragraph, Spacer

from trace_app.batches.models import Batch
from trace_app.clock import local
from trace_app.forms import plain_decimal
from trace_app.language import language, named
from trace_app.paper import Styles, document, draw_symbol, fonts_for
from trace_app.recalls.forms import LEVELS, NOTICE_TYPES
from trace_app.recalls.models import Recall, RecallKind, RecallNotice
from trace_app.units import unit_name

RED = (0.64, 0.13, 0.11)


POSTER_LOTS = 12
"""Lot numbers that a poster has room for."""


POSTER_SYMBOL_MM = 70


def _day(value: datetime | None) -> str:
    return f"{local(value):%Y-%m-%d %H:%M}" if value is not None else ""


def _amount(quantity: Decimal, batch: Batch) -> str:
    return f"{plain_decimal(quantity)} {unit_name(batch.unit)}"


def _of(row: object, name: str) -> str:
    """A text in the reader's language where there is one."""
    return named(row, name)


def _drill(recall: Recall) -> str:
    return str(_("演练 · 不是真的召回")) if recall.kind is RecallKind.DRILL else ""


def notice_pdf(
    recall: Recall, notice: RecallNotice, lots: Sequence[Batch], url: str, taken_out: Sequence[str] = ()
) -> bytes:
    """A notice with room for the seal.

    :param url: of the recall's page, as a QR code.
    :param taken_out: numbers of the lots that it narrows the recall down by.
    """
    title = str(_("产品召回公告")) + f"　{NOTICE_TYPES[notice.type]}"
    facts = [
        (str(_("编号")), notice.number),
        (str(_("级别")), str(LEVELS[notice.level])),
        (str(_("方式")), str(_("生产者主动召回") if recall.voluntary else _("责令召回"))),
        (str(_("发布机关")), named(recall.authority)),
        (str(_("电话")), recall.authority.phone),
        (str(_("时间")), _day(notice.issued_at)),
        (str(_("关联公告")), recall.number if notice.sequence > 1 else ""),
        (str(_("完成期限")), str(recall.finish_due_on or "")),
    ]
    parts = [
        (str(_("为什么召回")), _of(notice, "reason")),
        (str(_("请消费者怎样做")), _of(notice, "advice")),
        (str(_("说明")), notice.note),
        (str(_("排除的批次")), "、".join(taken_out)),
    ]
    head = [str(part) for part in (_("产品"), _("批次号"), _("数量"), _("生产日期"), _("生产者"), _("产地"))]
    rows = [
        [
            named(lot.product),
            lot.lot_number,
            _amount(lot.quantity, lot),
            str(lot.produced_on or ""),
            named(lot.producer),
            named(lot.division),
        ]
        for lot in lots
    ]
    which = str(_("召回哪些"))
    more = str(_("共 %(count)d 批，这里列出前 %(shown)d 批。", count=notice.lot_count, shown=len(rows)))
    seal = str(_("（印章）"))
    signed = f"{named(recall.authority)}\n{local(notice.issued_at):%Y-%m-%d}"
    texts = [
        which,
        more,
        seal,
        signed,
        *head,
        *(text for row in rows for text in row),
        *(t for pair in [*facts, *parts] for t in pair),
    ]

    def story(styles: Styles) -> list[Flowable]:
        made: list[Flowable] = [Spacer(1, 4 * mm), styles.facts(facts, 40)]
        for label, text in parts:
            if text:
                made += [styles.paragraph(label, styles.heading), styles.paragraph(text)]
        made += [styles.paragraph(which, styles.heading), styles.grid(head, rows, [3, 3, 2, 2, 4, 2])]
        if notice.lot_count > len(rows):
            made.append(styles.paragraph(more, styles.fact))
        signature = styles.body.clone("signature", alignment=2)
        made += [
            Spacer(1, 16 * mm),
            styles.paragraph(signed, signature),
            styles.paragraph(seal, signature),
            Spacer(1, 24 * mm),
        ]
        return made

    return document(title, texts, story, foot=str(_("曲靖市农产品质量安全追溯平台")), url=url, across=_drill(recall))


def poster_pdf(recall: Recall, lots: Sequence[Batch], url: str) -> bytes:
    """A sheet to hang in a shop: what is recalled, what to do, a large QR code of the recall's page."""
    names = list(dict.fromkeys(named(lot.product) for lot in lots))
    numbers = [lot.lot_number for lot in lots[:POSTER_LOTS]]
    producers = list(dict.fromkeys(named(lot.producer) for lot in lots))
    lines = [
        (
            str(_("批次号")),
            "、".join(numbers)
            + (str(_(" 等 %(count)d 批", count=recall.lot_count)) if recall.lot_count > len(numbers) else ""),
        ),
        (str(_("生产者")), "、".join(producers[:3])),
        (str(_("原因")), _of(recall, "reason")),
    ]
    colon = "：" if language() == "zh" else ": "
    head, product = str(_("产品召回")), "、".join(names[:2])
    advice, scan = _of(recall, "advice"), str(_("扫码看公告，或核对您手上的产品"))
    foot = f"{named(recall.authority)}　{recall.authority.phone}　{recall.number}　12315"
    out = io.BytesIO()
    with fonts_for(
        [head, product, advice, scan, foot, str(LEVELS[recall.level]), *(t for line in lines for t in line)]
    ) as fonts:
        styles = Styles(fonts)
        canvas = Canvas(out, pagesize=A4, invariant=1)
        canvas.setTitle(f"{head} {recall.number}")
        canvas.setFillColorRGB(*RED)
        canvas.rect(0, 240 * mm, 210 * mm, 57 * mm, stroke=0, fill=1)
        canvas.setFillColorRGB(1, 1, 1)
        canvas.setFont(fonts.bold, 60)
        canvas.drawCentredString(105 * mm, 258 * mm, fonts.printable(head))
        canvas.setFont(fonts.regular, 18)
        canvas.drawCentredString(105 * mm, 246 * mm, fonts.printable(str(LEVELS[recall.level])))
        big = styles.title.clone("big", fontSize=34, leading=42, alignment=1, textColor="#202622")
        y = _flow(canvas, styles.paragraph(product, big), 232)
        y = _flow(
            canvas,
            styles.paragraph(
                advice, styles.body.clone("advice", fontSize=24, leading=33, alignment=1, fontName=fonts.bold)
            ),
            y - 4,
        )
        small = styles.body.clone("small", fontSize=13, leading=19)
        for label, text in lines:
            y = _flow(canvas, styles.paragraph(f"{label}{colon}{text}", small), y - 3)
        draw_symbol(canvas, url, 105 - POSTER_SYMBOL_MM / 2, 30, POSTER_SYMBOL_MM)
        canvas.setFont(fonts.bold, 16)
        canvas.drawCentredString(105 * mm, 24 * mm, fonts.printable(scan))
        canvas.setFont(fonts.regular, 11)
        canvas.drawCentredString(105 * mm, 13 * mm, fonts.printable(foot))
        canvas.save()
    return out.getvalue()


def _flow(canvas: Canvas, paragraph: Paragraph, top_mm: float) -> float:
    """Set a paragraph below a height; returns where it ends."""
    _width, height = paragraph.wrap(180 * mm, 200 * mm)
    paragraph.drawOn(canvas, 15 * mm, top_mm * mm - height)
    return top_mm - height / mm
