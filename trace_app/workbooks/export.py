"""A lot's whole file: records, tests, certificates, findings. As tables for a workbook and for a dossier on paper."""

from __future__ import annotations

import io
from dataclasses import dataclass

import xlsxwriter
from flask_babel import lazy_gettext as _

from trace_app.accounts.service import place_name
from trace_app.batches.forms import STATES
from trace_app.batches.models import Batch
from trace_app.certificates.commitments import commitments_of
from trace_app.certificates.service import certificates_shown
from trace_app.certificates.texts import certificate_label
from trace_app.clips.texts import clip_length
from trace_app.clock import local
from trace_app.findings.forms import SEVERITIES
from trace_app.findings.rules import RULES, message_of
from trace_app.findings.service import gone, standing
from trace_app.forms import plain_decimal
from trace_app.laboratory.models import TestResult
from trace_app.laboratory.reports import tests_of
from trace_app.laboratory.texts import SUBJECTS, VERDICTS, laboratory_name, limit_text, outcome, why_undecided
from trace_app.language import language, named
from trace_app.records.evidence import photo_evidence
from trace_app.records.intervals import intervals
from trace_app.records.models import Record
from trace_app.records.service import in_force, records_of
from trace_app.records.texts import details, place_text, record_title
from trace_app.spreadsheets import PLAIN_TEXTS, without_formula
from trace_app.units import unit_name


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table of texts. ``widths`` are shares of the width that there is."""

    title: str
    head: list[str]
    rows: list[list[str]]
    widths: list[float]


def facts_of(batch: Batch) -> list[tuple[str, str]]:
    """What the lot is, as label and text."""
    words = batch.product.kind.words[language()]
    return [
        (str(_("产品")), named(batch.product)),
        (str(_("批次号")), batch.lot_number),
        (str(_("状态")), str(STATES[batch.state])),
        (str(_("数量")), f"{plain_decimal(batch.quantity)} {unit_name(batch.unit)}"),
        (str(_("生产者")), named(batch.producer)),
        (str(_("统一社会信用代码")), batch.producer.credit_code or ""),
        (str(_("电话")), batch.producer.phone),
        (str(_("产地")), place_name(batch.division, language())),
        (str(_("基地")), named(batch.site)),
        (words["started"], batch.started_on.isoformat()),
        (words["produced"], batch.produced_on.isoformat() if batch.produced_on else ""),
        (str(_("保质期至")), batch.best_before.isoformat() if batch.best_before else ""),
        (str(_("标签上的标志")), batch.product.marks),
    ]


def tables_of(batch: Batch, *, evidence: bool = False) -> list[Table]:
    """All that is on record of a lot, those records too that others replaced.

    :param evidence: whether when and where its photos were taken is told: to the authority, and to nobody else.
    """
    return [
        _records(batch),
        *([_photos(batch)] if evidence else []),
        _clips(batch),
        _tests(batch),
        _certificates(batch),
        _findings(batch),
    ]


def _records(batch: Batch) -> Table:
    records = list(reversed(records_of(batch)))
    kept = intervals(batch, in_force(records))

    def state(record: Record) -> str:
        parts = []
        if record.withdrawal is not None:
            parts.append(str(_("已撤回：%(reason)s", reason=record.withdrawal.reason)))
        elif record.replaced_by is not None:
            parts.append(str(_("已更正")))
        elif record.replaces_id is not None:
            parts.append(str(_("更正：%(reason)s", reason=record.correction_reason or "")))
        interval = kept.get(record.id)
        if interval is not None and interval.days is not None:
            parts.append(
                str(_("间隔 %(days)s 天，须 %(required)s 天", days=interval.days, required=interval.required_days))
            )
        return "；".join(parts)

    rows = [
        [
            record.happened_on.isoformat(),
            record_title(record),
            record.product_name or "",
            "；".join(f"{label} {text}" for label, text in details(record)),
            record.operator,
            record.note + (f" {record.video_url}" if record.video_url else ""),
            state(record),
        ]
        for record in records
    ]
    head = [_("日期"), _("类别"), _("名称"), _("内容"), _("操作人"), _("备注"), _("说明")]
    return Table(str(_("生产记录")), [str(h) for h in head], rows, [1.1, 1, 1.6, 3, 0.9, 1.7, 1.3])


def _photos(batch: Batch) -> Table:
    """The photos of the records in force, with what their files said of their making."""
    rows = [
        [
            record.happened_on.isoformat(),
            record_title(record),
            f"{local(one.photo.taken_at):%Y-%m-%d %H:%M}" if one.photo.taken_at else "",
            place_text(one.photo),
            "" if one.km is None else f"{one.km:.1f}",
            f"{local(one.photo.created_at):%Y-%m-%d %H:%M}",
            one.photo.sha256,
        ]
        for record in reversed(in_force(records_of(batch)))
        for one in photo_evidence(record)
    ]
    head = [_("日期"), _("类别"), _("拍摄时间"), _("拍摄位置"), _("离基地（公里）"), _("收到时间"), "SHA-256"]
    return Table(str(_("照片")), [str(h) for h in head], rows, [1, 0.9, 1.2, 1.3, 0.8, 1.2, 2.6])


def _clips(batch: Batch) -> Table:
    """The clips of the records in force: a record that was corrected shares its clips with what took its place."""
    rows = [
        [
            record.happened_on.isoformat(),
            record_title(record),
            clip.file_name,
            clip_length(clip),
            f"{clip.width}×{clip.height} {clip.codec}",
            f"{local(clip.created_at):%Y-%m-%d %H:%M}",
            clip.sha256 or "",
        ]
        for record in reversed(in_force(records_of(batch)))
        for clip in record.clips_ready
    ]
    head = [_("日期"), _("类别"), _("文件名"), _("时长"), _("画面"), _("收到时间"), "SHA-256"]
    return Table(str(_("视频")), [str(h) for h in head], rows, [1, 0.9, 1.6, 0.6, 1.2, 1.2, 2.6])


def _tests(batch: Batch) -> Table:
    rows = [
        [
            str(SUBJECTS[report.subject]),
            report.report_number,
            laboratory_name(report)
            + (f"（CMA {report.cma_number}）" if report.cma_number and report.vouched_for else ""),
            report.sampled_on.isoformat(),
            named(result, "analyte"),
            outcome(result),
            _limit(result),
            why_undecided(result) or str(VERDICTS[result.verdict]),
        ]
        for report in tests_of(batch)
        for result in report.results
    ]
    head = [_("检测对象"), _("报告编号"), _("检测机构"), _("抽样日期"), _("检测项目"), _("结果"), _("限量"), _("判定")]
    return Table(str(_("检测")), [str(h) for h in head], rows, [0.7, 1.2, 1.8, 1, 1.2, 1.2, 1.6, 0.8])


def _limit(result: TestResult) -> str:
    limit = limit_text(result)
    return f"{limit}（{result.limit_standard}）" if limit else ""


def _certificates(batch: Batch) -> Table:
    rows = [
        [
            certificate_label(row.type),
            row.number,
            row.issuer,
            row.valid_from.isoformat(),
            row.valid_until.isoformat(),
            "",
        ]
        for row in certificates_shown(batch)
    ]
    rows += [
        [
            str(_("承诺达标合格证")),
            row.number,
            row.facts["producer"],
            row.issued_on.isoformat(),
            "",
            f"{plain_decimal(row.quantity)} {unit_name(row.unit)} {row.consignee}"
            + (f"（{_('已作废')}：{row.withdrawn_reason}）" if row.withdrawn_at else ""),
        ]
        for row in commitments_of(batch)
    ]
    head = [_("类型"), _("证书编号"), _("发证机构"), _("有效期自"), _("有效期至"), _("说明")]
    return Table(str(_("证书")), [str(h) for h in head], rows, [1.3, 1.7, 1.7, 1, 1, 1.5])


def _findings(batch: Batch) -> Table:
    rows = []
    for finding in [*standing(batch), *gone(batch)]:
        state = ""
        if finding.gone_at is not None:
            state = str(_("已于 %(moment)s 消除", moment=f"{local(finding.gone_at):%Y-%m-%d %H:%M}"))
        elif finding.waiver is not None:
            state = str(
                _(
                    "准予放行：%(reason)s（%(authority)s）",
                    reason=finding.waiver.reason,
                    authority=named(finding.waiver.authority),
                )
            )
        rule = RULES[finding.rule]
        rows.append(
            [
                str(SEVERITIES[finding.severity]),
                str(rule.title),
                message_of(finding),
                rule.source,
                f"{local(finding.found_at):%Y-%m-%d %H:%M}",
                state,
            ]
        )
    head = [_("程度"), _("问题"), _("情况"), _("依据"), _("发现时间"), _("说明")]
    return Table(str(_("合规检查")), [str(h) for h in head], rows, [0.8, 1.2, 2.6, 2, 1.2, 1.6])


def workbook_of(batch: Batch, *, evidence: bool = False) -> bytes:
    """A lot's file as a workbook. Texts are written as texts, never as formulas or links."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, PLAIN_TEXTS)
    head = book.add_format({"bold": True, "bg_color": "#1B5A43", "font_color": "#FFFFFF", "text_wrap": True})
    wrap = book.add_format({"text_wrap": True, "valign": "top"})
    bold = book.add_format({"bold": True, "valign": "top"})
    sheet = book.add_worksheet(str(_("批次")))
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, 1, 60)
    for row, (label, text) in enumerate(facts_of(batch)):
        sheet.write_string(row, 0, label, bold)
        sheet.write_string(row, 1, without_formula(text), wrap)
    for table in tables_of(batch, evidence=evidence):
        sheet = book.add_worksheet(table.title)
        sheet.freeze_panes(1, 0)
        for column, (text, width) in enumerate(zip(table.head, table.widths, strict=True)):
            sheet.set_column(column, column, 4 + width * 14)
            sheet.write_string(0, column, text, head)
        for number, row_texts in enumerate(table.rows, start=1):
            for column, text in enumerate(row_texts):
                sheet.write_string(number, column, without_formula(text), wrap)
    book.close()
    return out.getvalue()
