"""What was corrected after it had stopped a lot: nothing wrong in itself, but the authority looks at it."""

from __future__ import annotations

from collections.abc import Iterator

from flask_babel import lazy_gettext as _

from trace_app.findings.rules import Found, Rule, register
from trace_app.laboratory.models import TestReport
from trace_app.messages.models import Severity
from trace_app.records.models import Record
from trace_app.release.lot import Lot

register(
    [
        Rule(
            "corrected_record",
            _("被拦后更正了记录"),
            _("%(day)s 的记录曾使本批不能放行或销售，之后被更正，理由是“%(reason)s”。"),
            _("更正属实的，请备好原始记录待查。"),
            "《农产品质量安全法》（2022）第二十七条：禁止伪造、变造农产品生产记录",
            tell_always=True,
        ),
        Rule(
            "corrected_report",
            _("不合格后更正了检测报告"),
            _("报告 %(report)s 曾判定不合格，之后被更正，理由是“%(reason)s”。"),
            _("请备好报告原件待查。"),
            "《农产品质量安全法》（2022）第五十条",
            tell_always=True,
        ),
    ]
)


def corrected_after_block(lot: Lot) -> Iterator[Found]:
    """A record or report in force whose former version stopped the lot."""
    records = {record_id for finding in lot.once_blocking for record_id in finding.record_ids}
    reports = {finding.facts.get("report_id") for finding in lot.once_blocking}
    for record in lot.records:
        if any(old.id in records for old in _before(record)):
            facts = {"day": record.happened_on, "reason": record.correction_reason or ""}
            yield Found("corrected_record", Severity.WARN, f"record:{record.id}", facts, (record.id,))
    for report in lot.tests:
        if any(old.id in reports for old in _before(report)):
            facts = {"report": report.report_number, "report_id": report.id, "reason": report.correction_reason}
            yield Found("corrected_report", Severity.WARN, f"corrected:{report.id}", facts)


def _before(row: Record | TestReport) -> Iterator[Record | TestReport]:
    """The versions that a row took the place of, the latest first."""
    while (earlier := row.replaces) is not None:
        yield earlier
        row = earlier
