"""A lot's file on paper: A4, with the code of its batch label where there is one, page by page."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Spacer

from trace_app.batches.models import Batch
from trace_app.clock import local
from trace_app.db.base import utc_now
from trace_app.labels.service import runs_of, url_of
from trace_app.language import named
from trace_app.paper import SYMBOL_MM, Styles, document
from trace_app.workbooks.export import facts_of, tables_of


def dossier_of(batch: Batch, *, evidence: bool = False) -> bytes:
    """The dossier as a PDF, in the reader's language.

    :param evidence: see `tables_of`.
    """
    facts, tables = facts_of(batch), tables_of(batch, evidence=evidence)
    title = str(_("生产档案：%(product)s %(lot)s", product=named(batch.product), lot=batch.lot_number))
    foot = str(_("由曲靖市农产品质量安全追溯平台生成于 %(moment)s", moment=f"{local(utc_now()):%Y-%m-%d %H:%M}"))
    nothing = str(_("没有记录。"))
    runs = runs_of(batch)
    url = url_of(runs[-1], 0) if runs else None

    def story(styles: Styles) -> list[Flowable]:
        parts: list[Flowable] = [Spacer(1, 4 * mm), styles.facts(facts, SYMBOL_MM + 6 if url else 0)]
        for table in tables:
            parts.append(styles.paragraph(table.title, styles.heading))
            parts.append(
                styles.grid(table.head, table.rows, table.widths)
                if table.rows
                else styles.paragraph(nothing, styles.cell)
            )
        return parts

    return document(title, story, foot=foot, url=url)
