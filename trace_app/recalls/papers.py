"""The notice of a recall on paper, to be sealed (食品召回管理办法, article 17). A4, in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from flask_babel import lazy_gettext as _
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Spacer

from trace_app.batches.models import Batch
from trace_app.clock import local
from trace_app.forms import plain_decimal
from trace_app.language import named
from trace_app.paper import Styles, document
from trace_app.recalls.forms import LEVELS, NOTICE_TYPES
from trace_app.recalls.models import Recall, RecallKind, RecallNotice
from trace_app.recalls.statements import DUTIES, area_stated, name_of, producers_stated
from trace_app.units import unit_name


def _day(value: datetime | None) -> str:
    return f"{local(value):%Y-%m-%d %H:%M}" if value is not None else ""


def _amount(quantity: Decimal, batch: Batch) -> str:
    return f"{plain_decimal(quantity)} {unit_name(batch.unit)}"


def _of(row: object, name: str) -> str:
    """A text in the reader's language where there is one."""
    return named(row, name)


def _drill(recall: Recall) -> str:
    return str(_("演练 · 不是真的召回")) if recall.kind is RecallKind.DRILL else ""


def product_named(lot: Batch) -> str:
    """A product's name with its brand."""
    return " ".join(filter(None, (lot.product.brand, named(lot.product))))


def notice_pdf(
    recall: Recall,
    notice: RecallNotice,
    lots: Sequence[Batch],
    url: str,
    taken_out: Sequence[str] = (),
    still_open: str = "",
) -> bytes:
    """A notice with room for the seal.

    :param url: of the recall's page, as a QR code.
    :param taken_out: numbers of the lots that it narrows the recall down by.
    :param still_open: what was open when it ended the recall, in a sentence.
    """
    title = str(_("产品召回公告")) + f"　{NOTICE_TYPES[notice.type]}"
    facts = [
        (str(_("编号")), notice.number),
        (str(_("级别")), str(LEVELS[notice.level]) if notice.level else ""),
        (str(_("方式")), str(_("生产者主动召回") if recall.voluntary else _("责令召回"))),
        (str(_("发布机关")), named(recall.authority)),
        (str(_("电话")), recall.authority.phone),
        (str(_("时间")), _day(notice.issued_at)),
        (str(_("关联公告")), recall.number if notice.sequence > 1 else ""),
        (str(_("依据")), notice.basis),
        (str(_("召回开始")), _day(recall.in_force_at)),
        (str(_("召回结束")), _day(recall.ended_at)),
        (str(_("完成期限")), str(recall.finish_due_on or "")),
        (str(_("区域范围")), area_stated(notice).said()),
    ]
    parts = [
        (str(_("为什么召回")), _of(notice, "reason")),
        (str(_("请消费者怎样做")), _of(notice, "advice")),
        (str(_("退货和赔偿")), _of(notice, "remedy")),
        (str(_("生产者和经营者的义务")), str(DUTIES)),
        (str(_("说明")), notice.note),
        (str(_("排除的批次")), "、".join(taken_out)),
        (str(_("未了结的")), still_open),
    ]
    producers = producers_stated(notice)
    head = [
        str(part)
        for part in (_("产品"), _("规格"), _("批次号"), _("生产日期"), _("保质期至"), _("数量"), _("产地"), _("生产者"))
    ]
    rows = [
        [
            product_named(lot),
            lot.product.net_content,
            lot.lot_number,
            str(lot.produced_on or ""),
            str(lot.best_before or ""),
            _amount(lot.quantity, lot),
            named(lot.division),
            named(lot.producer),
        ]
        for lot in lots
    ]
    which = str(_("召回哪些"))
    more = str(_("共 %(count)d 批，这里列出前 %(shown)d 批。", count=notice.lot_count, shown=len(rows)))
    signed = f"{named(recall.authority)}\n{local(notice.issued_at):%Y-%m-%d}"

    def story(styles: Styles) -> list[Flowable]:
        made: list[Flowable] = [Spacer(1, 4 * mm), styles.facts(facts, 40)]
        made += [styles.paragraph(which, styles.heading), styles.grid(head, rows, [3, 2, 2.6, 2, 2, 1.8, 2, 3.6])]
        if notice.lot_count > len(rows):
            made.append(styles.paragraph(more, styles.fact))
        for producer in producers:
            lines = [(str(_("生产者")), name_of(producer)), *((str(label), text) for label, text in producer.lines())]
            made += [Spacer(1, 4 * mm), styles.facts(lines)]
        for label, text in parts:
            if text:
                made += [styles.paragraph(label, styles.heading), styles.paragraph(text)]
        signature = styles.body.clone("signature", alignment=2)
        made += [
            Spacer(1, 10 * mm),
            styles.paragraph(signed, signature),
            styles.paragraph(str(_("（印章）")), signature),
            Spacer(1, 16 * mm),
        ]
        return made

    return document(title, story, foot=str(_("曲靖市农产品质量安全追溯平台")), url=url, across=_drill(recall))
