"""A lot's file on paper: A4, with the code of its batch label where there is one, page by page."""

from __future__ import annotations

import io
from typing import Any
from xml.sax.saxutils import escape

from flask_babel import lazy_gettext as _
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import LongTable, Paragraph, SimpleDocTemplate, Spacer, TableStyle
from reportlab.platypus import Table as PlainTable

from trace_app.batches.models import Batch
from trace_app.clock import local
from trace_app.db.base import utc_now
from trace_app.labels.service import runs_of, url_of
from trace_app.language import named
from trace_app.paper import Fonts, draw_symbol, fonts_for
from trace_app.workbooks.export import Table, facts_of, tables_of

MARGIN_MM = 15
WIDTH_MM = 210 - 2 * MARGIN_MM
GREEN = colors.HexColor("#1b5a43")
LINE = colors.HexColor("#c9c2b2")
SYMBOL_MM = 32


def dossier_of(batch: Batch) -> bytes:
    """The dossier as a PDF, in the reader's language."""
    facts, tables = facts_of(batch), tables_of(batch)
    title = str(_("生产档案：%(product)s %(lot)s", product=named(batch.product), lot=batch.lot_number))
    foot = str(_("由曲靖市农产品质量安全追溯平台生成于 %(moment)s", moment=f"{local(utc_now()):%Y-%m-%d %H:%M}"))
    nothing = str(_("没有记录。"))
    texts = [title, foot, nothing, *(part for pair in facts for part in pair)]
    for table in tables:
        texts += [table.title, *table.head, *(text for row in table.rows for text in row)]
    runs = runs_of(batch)
    url = url_of(runs[-1], 0) if runs else None
    out = io.BytesIO()
    with fonts_for(texts) as fonts:
        styles = _Styles(fonts)
        story: list[Any] = [
            Paragraph(styles.clean(title), styles.title),
            Spacer(1, 4 * mm),
            _facts(facts, styles, url is not None),
        ]
        for table in tables:
            story += [Spacer(1, 6 * mm), Paragraph(styles.clean(table.title), styles.heading), Spacer(1, 2 * mm)]
            story.append(_table(table, styles) if table.rows else Paragraph(styles.clean(nothing), styles.cell))

        def decorate(canvas: Any, document: Any) -> None:
            canvas.setFont(fonts.regular, 8)
            canvas.setFillColor(colors.HexColor("#5d665f"))
            canvas.drawString(MARGIN_MM * mm, 9 * mm, foot)
            canvas.drawRightString((210 - MARGIN_MM) * mm, 9 * mm, str(document.page))
            if document.page == 1 and url:
                draw_symbol(canvas, url, 210 - MARGIN_MM - SYMBOL_MM, 297 - MARGIN_MM - 10 - SYMBOL_MM, SYMBOL_MM)

        document = SimpleDocTemplate(
            out, pagesize=A4, leftMargin=MARGIN_MM * mm, rightMargin=MARGIN_MM * mm, topMargin=MARGIN_MM * mm,
            bottomMargin=16 * mm, title=title,
        )  # fmt: skip
        document.build(story, onFirstPage=decorate, onLaterPages=decorate)
    return out.getvalue()


class _Styles:
    """The paragraph styles of a document."""

    def __init__(self, fonts: Fonts) -> None:
        self._fonts = fonts
        self.title = ParagraphStyle(
            "title", fontName=fonts.bold, fontSize=16, leading=21, textColor=GREEN, wordWrap="CJK"
        )
        self.heading = ParagraphStyle(
            "heading", fontName=fonts.bold, fontSize=12, leading=15, textColor=GREEN, wordWrap="CJK"
        )
        self.cell = ParagraphStyle("cell", fontName=fonts.regular, fontSize=8, leading=10.5, wordWrap="CJK")
        self.head = ParagraphStyle("head", parent=self.cell, fontName=fonts.bold, textColor=colors.white)
        self.label = ParagraphStyle("label", parent=self.cell, fontName=fonts.bold, fontSize=9, leading=12)
        self.fact = ParagraphStyle("fact", parent=self.cell, fontSize=9, leading=12)

    def clean(self, text: str) -> str:
        return escape(self._fonts.printable(text))


def _facts(facts: list[tuple[str, str]], styles: _Styles, with_symbol: bool) -> Any:
    rows = [
        [Paragraph(styles.clean(label), styles.label), Paragraph(styles.clean(text), styles.fact)]
        for label, text in facts
        if text
    ]
    width = WIDTH_MM - (SYMBOL_MM + 6 if with_symbol else 0)
    table = PlainTable(rows, colWidths=[38 * mm, (width - 38) * mm], hAlign="LEFT")
    table.setStyle(
        TableStyle([("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEBELOW", (0, 0), (-1, -1), 0.3, LINE), ("TOPPADDING", (0, 0), (-1, -1), 2), ("BOTTOMPADDING", (0, 0), (-1, -1), 2)])
    )  # fmt: skip
    return table


def _table(table: Table, styles: _Styles) -> Any:
    unit = WIDTH_MM * mm / sum(table.widths)
    rows = [[Paragraph(styles.clean(text), styles.head) for text in table.head]]
    rows += [[Paragraph(styles.clean(text), styles.cell) for text in row] for row in table.rows]
    made = LongTable(rows, colWidths=[width * unit for width in table.widths], repeatRows=1)
    made.setStyle(
        TableStyle(
            [
                ("BACKGROUND", (0, 0), (-1, 0), GREEN), ("GRID", (0, 0), (-1, -1), 0.3, LINE), ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("LEFTPADDING", (0, 0), (-1, -1), 3), ("RIGHTPADDING", (0, 0), (-1, -1), 3), ("TOPPADDING", (0, 0), (-1, -1), 2),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
            ]
        )
    )  # fmt: skip
    return made
