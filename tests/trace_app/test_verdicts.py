from datetime import date
from decimal import Decimal

import pytest

from trace_app.laboratory.models import Verdict
from trace_app.laboratory.verdicts import MeasuredResult, NotAResult, limit_for, read_result, verdict, verdict_of_all
from trace_app.reference.models import Limit

pytestmark = pytest.mark.both_databases


@pytest.mark.parametrize(
    ("text", "detected", "value"),
    [
        ("0.05", True, "0.05"),
        ("０．０５", True, "0.05"),
        ("<0.01", False, "0.01"),
        ("＜0.01", False, "0.01"),
        ("≤0.01", False, "0.01"),
        ("未检出", False, None),
        ("未检出（<0.005）", False, "0.005"),
        ("ND", False, None),
        ("nd(<0.02)", False, "0.02"),
        ("检出", True, None),
        ("1.2×10^3", True, "1.2E+3"),
        ("1.2x10^-3", True, "0.0012"),
        ("1200", True, "1200"),
        ("0", True, "0"),
        ("阴性", False, None),
        ("阳性", True, None),
    ],
)
def test_results_are_read_as_reports_write_them(text: str, detected: bool, value: str | None) -> None:
    assert read_result(text) == MeasuredResult(detected, Decimal(value) if value is not None else None)


@pytest.mark.parametrize(
    "text", ["约 0.05", "-0.1", "many", "1e99", "NaN", "0.05 mg/kg", "=1+1", "0,05", "0，05", "1,200", "0 05", "<0,01"]
)
def test_what_is_no_result_is_refused(text: str) -> None:
    with pytest.raises(NotAResult):
        read_result(text)


def _limit(op: str, value: str | None, unit: str = "mg/kg", analyte: str = "镉", **period: date) -> Limit:
    dates = {"valid_from": date(2023, 6, 30), "valid_until": None, **period}
    return Limit(
        analyte=analyte, analyte_en="cadmium", op=op, value=Decimal(value) if value else None, unit=unit, **dates
    )


@pytest.mark.parametrize(
    ("result", "unit", "expected"),
    [
        ("0.1", "mg/kg", Verdict.PASS),
        ("0.1001", "mg/kg", Verdict.FAIL),
        ("100", "µg/kg", Verdict.PASS),
        ("101", "μg/kg", Verdict.FAIL),
        ("0.00001", "g/100g", Verdict.PASS),
        ("0.1", "mg/L", Verdict.OPEN),
        ("未检出", "mg/kg", Verdict.PASS),
        ("<0.1", "mg/kg", Verdict.PASS),
        ("<0.2", "mg/kg", Verdict.OPEN),
        ("检出", "mg/kg", Verdict.OPEN),
    ],
)
def test_at_most(result: str, unit: str, expected: Verdict) -> None:
    assert verdict(read_result(result), unit, _limit("<=", "0.1")) is expected


@pytest.mark.parametrize(
    ("result", "expected"), [("60", Verdict.PASS), ("59.9", Verdict.FAIL), ("未检出", Verdict.FAIL)]
)
def test_at_least(result: str, expected: Verdict) -> None:
    assert verdict(read_result(result), "g/100g", _limit(">=", "60", "g/100g")) is expected


@pytest.mark.parametrize(
    ("result", "expected"), [("未检出（<0.1）", Verdict.PASS), ("0.05", Verdict.FAIL), ("检出", Verdict.FAIL)]
)
def test_not_detected(result: str, expected: Verdict) -> None:
    assert verdict(read_result(result), "µg/kg", _limit("not_detected", None)) is expected


@pytest.mark.parametrize("name", ["镉", "镉（以 Cd 计）", "Cd", "Cadmium", " 镉 (Cd)"])
def test_analytes_are_known_by_their_other_names(name: str) -> None:
    assert limit_for([_limit("<=", "0.1")], name, date(2026, 1, 1)) is not None


@pytest.mark.parametrize(
    ("day", "value"), [("2023-06-29", "0.2"), ("2023-06-30", "0.1"), ("2025-12-31", "0.1"), ("2026-01-01", "0.05")]
)
def test_the_limit_in_force_on_the_day_counts(day: str, value: str) -> None:
    limits = [
        _limit("<=", "0.2", valid_from=date(2017, 9, 17), valid_until=date(2023, 6, 29)),
        _limit("<=", "0.1", valid_until=date(2025, 12, 31)),
        _limit("<=", "0.05", valid_from=date(2026, 1, 1)),
    ]
    found = limit_for(limits, "镉", date.fromisoformat(day))
    assert found is not None
    assert found.value == Decimal(value)


def test_a_report_fails_with_its_worst_result() -> None:
    assert verdict_of_all([Verdict.PASS, Verdict.FAIL]) is Verdict.FAIL
    assert verdict_of_all([Verdict.PASS, Verdict.OPEN]) is Verdict.PASS
    assert verdict_of_all([Verdict.OPEN]) is Verdict.OPEN
