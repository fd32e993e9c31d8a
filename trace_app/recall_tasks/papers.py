"""Recalls on paper: the notice to be sealed, the poster for shops, the final report. A4, in the reader's language."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from reportlab.lib.units import mm
from reportlab.platypus import Flowable, Spacer

from trace_app.clock import local
from trace_app.db.base import utc_now
from trace_app.forms import plain_decimal
from trace_app.language import named
from trace_app.paper import Styles, document
from trace_app.recall_tasks.filings import FILINGS, filings_of
from trace_app.recall_tasks.progress import RecallProgress
from trace_app.recall_tasks.service import party_name
from trace_app.recall_tasks.turnings import is_open, open_text
from trace_app.recalls.forms import KINDS, NOTICE_TYPES, STATUSES, case_word
from trace_app.recalls.models import Recall, RecallKind
from trace_app.recalls.papers import _amount, _day, _drill, _of
from trace_app.units import unit_name


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{value:.0f}%"


def report_pdf(recall: Recall, progress: RecallProgress) -> bytes:
    """What was done: notices, those concerned with their times, quantities by lot, effectiveness."""
    title = str(_("%(kind)s报告 %(number)s", kind=KINDS[recall.kind], number=recall.number))
    hours = progress.hours_to_contact
    facts = [
        (str(_("发布机关")), named(recall.authority)),
        (str(_("级别")), case_word(recall) if recall.kind is RecallKind.RECALL else ""),
        (str(_("状态")), str(STATUSES[recall.status])),
        (str(_("开始")), _day(recall.issued_at)),
        (str(_("范围确定")) if recall.kind is RecallKind.DRILL else str(_("生效")), _day(recall.in_force_at)),
        (str(_("确定范围用时")), _seconds(recall) if recall.kind is RecallKind.DRILL else ""),
        (str(STATUSES[recall.status]) if recall.ended_at else "", _day(recall.ended_at)),
        (str(_("批次")), str(recall.lot_count)),
        (
            str(_("有关各方")),
            str(_("%(all)d 家，%(confirmed)d 家已确认", all=len(progress.concerned), confirmed=progress.confirmed)),
        ),
        (str(_("最后一家确认用时")), "" if hours is None else str(_("%(hours)s 小时", hours=f"{hours:.1f}"))),
        (str(_("已控制")), _percent(progress.secured)),
        (str(_("已核清")), _percent(progress.known)),
    ]
    tables = [_notices(recall), *_still_open(recall), _parties(progress), _lots(progress), _reports(progress)]
    tables += _filings(recall)
    nothing = str(_("没有记录。"))
    foot = str(_("由曲靖市农产品质量安全追溯平台生成于 %(moment)s", moment=f"{local(utc_now()):%Y-%m-%d %H:%M}"))

    def story(styles: Styles) -> list[Flowable]:
        made: list[Flowable] = [Spacer(1, 4 * mm), styles.facts(facts)]
        for name, head, rows, widths in tables:
            made.append(styles.paragraph(name, styles.heading))
            made.append(styles.grid(head, rows, widths) if rows else styles.paragraph(nothing, styles.cell))
        return made

    return document(title, story, foot=foot, across=_drill(recall))


def _seconds(recall: Recall) -> str:
    if recall.in_force_at is None:
        return ""
    return str(_("%(seconds)d 秒", seconds=round((recall.in_force_at - recall.issued_at).total_seconds())))


Table = tuple[str, list[str], list[list[str]], list[float]]
"""A table on paper: its name, heads, rows, and the widths of its columns to one another."""


def _notices(recall: Recall) -> Table:
    heads = [str(text) for text in (_("编号"), _("类型"), _("时间"), _("批次"), _("内容"))]
    rows = [
        [
            one.number,
            str(NOTICE_TYPES[one.type]),
            _day(one.issued_at),
            str(one.lot_count),
            (one.note or _of(one, "reason")) + open_text(one.still_open),
        ]
        for one in recall.notices
    ]
    return str(_("通知")), heads, rows, [3, 1.6, 2.2, 1, 6]


def _still_open(recall: Recall) -> list[Table]:
    """What was open when it ended, by party and lot; no table where nothing was."""
    found = recall.notice.still_open
    if not found or not is_open(found):
        return []
    rows = [[party, str(_("没有确认")), "", ""] for party in found["unconfirmed"]]
    rows += [[party, str(_("没有证据")), "", ""] for party in found["unproven"]]
    rows += [
        [one["party"], str(_("没有控制的数量")), one["lot"], f"{one['quantity']} {unit_name(one['unit'])}"]
        for one in found["uncontrolled"]
    ]
    heads = [str(text) for text in (_("单位"), _("未了结的"), _("批次号"), _("数量"))]
    return [(str(_("结束时未了结的")), heads, rows, [5, 3, 3, 2])]


def _filings(recall: Recall) -> list[Table]:
    """Plans, closing reports and conclusions; no table where there are none."""
    rows = [
        [
            _day(row.filed_at),
            str(FILINGS[row.kind]),
            party_name(row.task) if row.task is not None else named(recall.authority),
            row.filed_by_name,
            row.text or (row.document.file_name if row.document is not None else ""),
        ]
        for row in filings_of(recall)
    ]
    heads = [str(text) for text in (_("时间"), _("文书"), _("单位"), _("提交人"), _("内容"))]
    return [(str(_("召回计划、总结报告和结论")), heads, rows, [2.2, 2, 3, 1.6, 6])] if rows else []


def _parties(progress: RecallProgress) -> Table:
    heads = [str(text) for text in (_("单位"), _("确认"), _("确认人"), _("批次"), _("已控制"), _("已核清"))]
    rows = []
    for party in progress.parties:
        confirmed = _day(party.task.acknowledged_at) or str(_("未确认") if party.concerned else _("已排除"))
        shares = [_percent(party.secured), _percent(party.known)]
        rows.append([party_name(party.task), confirmed, party.task.acknowledged_by, str(len(party.counted)), *shares])
    return str(_("有关各方")), heads, rows, [5, 2.4, 2, 1, 1.3, 1.3]


def _lots(progress: RecallProgress) -> Table:
    names = (
        _("批次号"),
        _("产品"),
        _("涉及数量"),
        _("已封存"),
        _("已退回"),
        _("已销毁"),
        _("已售出或食用"),
        _("已控制"),
    )
    rows = []
    for lot in progress.lots:
        amounts = [plain_decimal(amount) for amount in (lot.sealed, lot.returned, lot.destroyed, lot.gone)]
        number = lot.batch.lot_number
        if lot.left_out:
            number += str(_("（已排除）"))
        about = [number, named(lot.batch.product), _amount(lot.supplied, lot.batch)]
        rows.append([*about, *amounts, _percent(lot.secured)])
    return str(_("各批次的去向")), [str(name) for name in names], rows, [3, 3, 2, 1.4, 1.4, 1.4, 1.8, 1.3]


def _reports(progress: RecallProgress) -> Table:
    heads = [str(text) for text in (_("时间"), _("单位"), _("批次号"), _("报告人"), _("说明"), _("照片"))]
    rows = [
        [
            _day(one.reported_at),
            party_name(party.task),
            one.batch.lot_number,
            one.reported_by,
            one.note,
            str(len(one.photos)),
        ]
        for party in progress.parties
        for one in party.task.reports
    ]
    return str(_("处置记录")), heads, rows, [2.2, 3.4, 2.6, 1.8, 4, 0.9]
