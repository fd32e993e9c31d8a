"""Tests and certificates as people read them, in the reader's language."""

from __future__ import annotations

from decimal import Decimal

from flask_babel import lazy_gettext as _

from trace_app.forms import plain_decimal
from trace_app.laboratory.models import TestResult, TestSubject, Verdict
from trace_app.templating import number

SUBJECTS = {TestSubject.PRODUCT: _("产品"), TestSubject.SOIL: _("土壤"), TestSubject.WATER: _("灌溉水")}


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


def limit_text(result: TestResult) -> str:
    """The limit that a result was held against; empty where there was none."""
    if result.limit_op == "not_detected":
        return str(_("不得检出"))
    if result.limit_value is None:
        return ""
    return f"{SIGNS[result.limit_op]} {number(result.limit_value)} {result.limit_unit}"
