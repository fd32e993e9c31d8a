"""Rules on what a lot claims: marks on its label, certificates behind them, tests."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from flask_babel import lazy_gettext as _

from trace_app.accounts.access import division_prefix
from trace_app.certificates.models import CertificateType
from trace_app.findings.rules import Found, Rule, both, name_of, register
from trace_app.forms import plain_decimal
from trace_app.laboratory.models import TestResult, TestSubject, Verdict
from trace_app.messages.models import Severity
from trace_app.release.lot import Lot

MARKS = {
    "绿色食品": CertificateType.GREEN_FOOD,
    "有机": CertificateType.ORGANIC,
    "地理标志": CertificateType.GI,
    "名特优新": CertificateType.FAMOUS,
    "HACCP": CertificateType.HACCP,
    "ISO22000": CertificateType.ISO22000,
    "GAP": CertificateType.GAP,
    "良好农业规范": CertificateType.GAP,
}
"""Words on a label, and the certificate that they need."""

register(
    [
        Rule(
            "gi_area",
            _("地理标志：产地不符"),
            _("标签使用“%(mark)s”，但基地所在的%(place)s不在保护范围内。"),
            _("请去掉标签上的地理标志，或更正基地的乡镇。"),
            "《农产品地理标志管理办法》；GB/T 18357；《商标法》第十六条",
        ),
        Rule(
            "mark_without_certificate",
            _("标志没有有效证书"),
            _("标签使用“%(mark)s”，没有在 %(day)s 有效的证书。"),
            _("请在“证书”里登记有效证书，或去掉标签上的标志。"),
            "《农产品质量安全法》（2022）第四十条；《绿色食品标志管理办法》；《有机产品认证管理办法》",
        ),
        Rule(
            "failed_test",
            _("检测不合格"),
            _("检测报告 %(report)s：%(analyte)s %(result)s，标准 %(limit)s。"),
            _("请停止销售本批，查找原因；报告录错的请更正；已销售的请联系主管部门召回。"),
            "《农产品质量安全法》（2022）第三十六条",
        ),
        Rule(
            "report_denied",
            _("检测机构不承认的报告"),
            _("报告 %(report)s 以“%(laboratory)s”的名义录入，该机构否认。"),
            _("请联系该机构核实；录错了机构名称的，请更正报告。"),
            "《农产品质量安全法》（2022）第五十条",
        ),
        Rule(
            "no_test",
            _("没有检测报告"),
            _("本批还没有产品检测报告。"),
            _("建议自检或委托检测，结果会显示在追溯页上。"),
            "《农产品质量安全法》（2022）第三十九条",
        ),
        Rule(
            "certificate_expired",
            _("证书已过期"),
            _("%(type)s证书 %(number)s 已于 %(until)s 到期。"),
            _("请换证后登记新证书；标签上不能再用这个标志。"),
            "《绿色食品标志管理办法》；《有机产品认证管理办法》",
        ),
        Rule(
            "certificate_expiring",
            _("证书快到期"),
            _("%(type)s证书 %(number)s 将于 %(until)s 到期。"),
            _("请尽早申请续展，拿到新证书后登记。"),
            "《绿色食品标志管理办法》；《有机产品认证管理办法》",
        ),
    ]
)


def marks_of(text: str) -> dict[CertificateType, str]:
    """The marks that a label's words mean, as far as they are known."""
    plain = text.replace(" ", "").upper()
    return {certificate: word for word, certificate in MARKS.items() if word.upper() in plain}


def geographical_indication(lot: Lot) -> Iterator[Found]:
    """A geographical indication on the label of what was not made in its area (list of divisions by period)."""
    mark = marks_of(lot.batch.product.marks).get(CertificateType.GI)
    if mark is None:
        return
    day = lot.judged_on
    inside = any(
        lot.batch.division_code.startswith(division_prefix(area.division_code))
        for area in lot.gi_areas
        if area.valid_from <= day and (area.valid_until is None or day <= area.valid_until)
    )
    if not inside:
        yield Found("gi_area", Severity.BLOCK, "mark", {"mark": mark, "place": name_of(lot.batch.division)})


def marks_with_certificates(lot: Lot) -> Iterator[Found]:
    """A mark on the label without a certificate in force when the lot became goods."""
    for certificate_type, mark in marks_of(lot.batch.product.marks).items():
        fitting = [
            one
            for one in lot.certificates
            if one.type is certificate_type and one.product_id in (None, lot.batch.product_id)
        ]
        if not any(one.valid_on(lot.judged_on) for one in fitting):
            facts = {"mark": mark, "day": lot.judged_on}
            yield Found("mark_without_certificate", Severity.BLOCK, f"mark:{certificate_type.value}", facts)


def tests_passed(lot: Lot) -> Iterator[Found]:
    """Test results over the limits in force on the day of sampling."""
    for report in lot.tests:
        if report.denied:
            facts = {"report": report.report_number, "report_id": report.id, "laboratory": report.laboratory}
            yield Found("report_denied", Severity.WARN, f"report:{report.id}", facts)
            continue
        for result in report.results:
            if result.verdict is Verdict.FAIL:
                facts = {
                    "report": report.report_number,
                    "report_id": report.id,
                    "analyte": both(result.analyte, result.analyte_en),
                    "result": _result(result),
                    "limit": _limit(result.limit_op, result.limit_value, result.limit_unit, result.limit_standard),
                }
                severity = Severity.BLOCK if report.subject is TestSubject.PRODUCT else Severity.WARN
                yield Found("failed_test", severity, f"result:{result.id}", facts)
    if not any(report.subject is TestSubject.PRODUCT and not report.denied for report in lot.tests):
        yield Found("no_test", Severity.INFO)


def _result(result: TestResult) -> dict[str, str] | str:
    if not result.detected:
        return both("未检出", "not detected")
    if result.value is None:
        return both("检出", "detected")
    return f"{plain_decimal(result.value)} {result.unit}"


def _limit(op: str, value: Decimal | None, unit: str, standard: str) -> dict[str, str]:
    if op == "not_detected" or value is None:
        return both(f"不得检出（{standard}）", f"must not be detected ({standard})")
    limit = f"{'≤' if op == '<=' else '≥'} {plain_decimal(value)} {unit}"
    return both(f"{limit}（{standard}）", f"{limit} ({standard})")
