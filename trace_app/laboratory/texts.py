"""Tests and certificates as people read them, in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from flask_babel import lazy_gettext as _

from trace_app.clock import today
from trace_app.forms import plain_decimal
from trace_app.laboratory.models import TestKind, TestReport, TestResult, TestSubject, Verdict
from trace_app.laboratory.verdicts import limit_for
from trace_app.reference.models import Limit
from trace_app.templating import number

SUBJECTS = {TestSubject.PRODUCT: _("产品"), TestSubject.SOIL: _("土壤"), TestSubject.WATER: _("灌溉水")}


KINDS = {TestKind.SUPERVISION: _("监督抽检"), TestKind.COMMISSIONED: _("委托检测"), TestKind.OWN: _("自检")}


VERDICTS = {Verdict.PASS: _("合格"), Verdict.FAIL: _("不合格"), Verdict.OPEN: _("无限量可比")}


SIGNS = {"<=": "≤", ">=": "≥"}


def result_text(detected: bool, value: Decimal | None) -> str:
    """A result as reports write it, without its unit: what can be typed into a form again."""
    if value is None:
        return str(_("检出") if detected else _("未检出"))
    plain = plain_decimal(value)
    return plain if detected else str(_("未检出（<%(limit)s）", limit=plain))


def outcome(result: TestResult) -> str:
    """A result with its unit."""
    text = result_text(result.detected, result.value)
    return f"{text} {result.unit}" if result.value is not None else text


def laboratory_name(report: TestReport) -> str:
    """A report's laboratory, and who entered it where it was not the laboratory itself.

    A laboratory on the platform is named by a producer's entry only once it has said that the report is its own.
    """
    if report.by_laboratory:
        return report.laboratory
    if report.denied:
        return str(_("生产者录入，检测机构不承认这份报告"))
    if report.unanswered:
        return str(_("生产者录入，检测机构尚未确认"))
    return str(_("%(laboratory)s（生产者录入）", laboratory=report.laboratory))


def limit_text(result: TestResult) -> str:
    """The limit that a result was held against; empty where there was none."""
    return _limit(result.limit_op, result.limit_value, result.limit_unit)


def limit_in_words(limit: Limit) -> str:
    """A limit as it stands beside what is being typed."""
    return _limit(limit.op, limit.value, limit.unit)


def limit_beside(limits: Sequence[Limit], analyte: str, day: date | None) -> str:
    """The limit of an analyte that counts on a day, or today; empty where there is none."""
    limit = limit_for(limits, analyte, day or today()) if analyte else None
    return limit_in_words(limit) if limit is not None else ""


def why_undecided(result: TestResult) -> str:
    """Why a result can't be held against its limit; empty where it can, or there is none."""
    if not result.undecided:
        return ""
    if result.detected:
        return str(_("单位与限量不同，不能判定"))
    return str(_("检出限高于限量，不能判定"))


def in_one_line(results: Sequence[TestResult]) -> str:
    """Results as one piece of text: who has confirmed them has seen these and no others."""
    return "；".join(f"{result.analyte} {outcome(result)}" for result in results)


def _limit(op: str, value: Decimal | None, unit: str) -> str:
    if op == "not_detected":
        return str(_("不得检出"))
    if value is None:
        return ""
    if op == "<=" and not value:
        return str(_("不得使用（限量 0 %(unit)s）", unit=unit))
    return f"{SIGNS[op]} {number(value)} {unit}"
