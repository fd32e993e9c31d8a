"""Holding test results against the limits in force: names of analytes, units, what was not detected."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trace_app.laboratory.models import Verdict
from trace_app.plain_text import half_width
from trace_app.reference.models import Limit

_MG_PER_KG = {
    "g/100g": Decimal(10_000), "%": Decimal(10_000), "g/kg": Decimal(1000), "mg/g": Decimal(1000),
    "mg/100g": Decimal(10),
    "mg/kg": Decimal(1), "μg/g": Decimal(1), "μg/kg": Decimal("0.001"), "ng/g": Decimal("0.001"),
    "ng/kg": Decimal("0.000001"),
    "ug/g": Decimal(1), "ug/kg": Decimal("0.001"), "ppm": Decimal(1), "ppb": Decimal("0.001"),
}  # fmt: skip
"""Mass fractions in milligrams for each kilogram."""
TEST_UNITS = ("mg/kg", "µg/kg", "g/100g", "g/kg", "mg/100g", "mg/g", "%", "mL/(g·h)", "CFU/g", "mg/L")
_SIGNS = {"pb": "铅", "cd": "镉", "zn": "锌", "hmf": "羟甲基糠醛", "so2": "二氧化硫", "黄曲霉素b1": "黄曲霉毒素b1"}
_NOT_DETECTED = re.compile(r"^(未检出|不得检出|阴性|nd|n\.d\.?|notdetected|negative|—|-)", re.IGNORECASE)
_DETECTED = re.compile(r"^(检出|阳性|detected|positive)$", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_RESULT = re.compile(r"[<≤=]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_BRACKETS = re.compile(r"[（(][^（）()]*[)）]")


class NotAResult(ValueError):
    """What was typed is no result of a test."""


@dataclass(frozen=True, slots=True)
class MeasuredResult:
    """What a laboratory found. Of what was not detected, ``value`` is the limit of detection where it is given."""

    detected: bool
    value: Decimal | None


def read_result(text: str) -> MeasuredResult:
    """A result as reports write it: ``0.05``, ``<0.01``, ``未检出``, ``未检出（<0.01）``, ``ND``, ``1.2×10^3``.

    A comma is refused: it may stand for the decimal point or part off thousands, and the one is a thousand times the
    other.
    :raises NotAResult:
    """
    plain = re.sub(
        r"(?<=10)[⁻⁰¹²³⁴-⁹]+$", lambda sign: unicodedata.normalize("NFKC", sign[0]), half_width(text).strip()
    )
    plain = plain.replace("−", "-")
    if "," in plain or re.search(r"\d\s+[\d.]", plain):
        raise NotAResult(text)
    plain = plain.replace(" ", "")
    plain = re.sub(r"[×x*]10\^?([+-]?\d+)$", r"e\1", plain)
    if _DETECTED.match(plain):
        return MeasuredResult(True, None)
    if _NOT_DETECTED.match(plain) and not re.match(r"-\d", plain):
        found = _NUMBER.search(plain[1:])
        return MeasuredResult(False, Decimal(found[0]) if found else None)
    below = plain[:1] in {"<", "≤"}
    if not _RESULT.fullmatch(plain):
        raise NotAResult(text)
    value = Decimal(plain.lstrip("<≤="))
    if value >= Decimal("1e12"):
        raise NotAResult(text)
    return MeasuredResult(not below, value)


def analyte_key(name: str) -> str:
    """A name by which analytes are compared: without what stands in brackets, spaces and case; chemical signs read."""
    plain = _BRACKETS.sub("", unicodedata.normalize("NFKC", name)).replace(" ", "").lower()
    return _SIGNS.get(plain, plain)


def unit_key(unit: str) -> str:
    return unicodedata.normalize("NFKC", unit).replace(" ", "").replace("·", "").replace("µ", "μ")


def in_unit(value: Decimal, unit: str, wanted: str) -> Decimal | None:
    """A value in another unit; None where the two can't be compared."""
    given, other = unit_key(unit), unit_key(wanted)
    if given == other:
        return value
    if given in _MG_PER_KG and other in _MG_PER_KG:
        return value * _MG_PER_KG[given] / _MG_PER_KG[other]
    return None


def limit_for(limits: Sequence[Limit], analyte: str, day: date) -> Limit | None:
    """The limit of an analyte that was in force on a day, the latest where several were.

    :param limits: of the product's kind.
    """
    key = analyte_key(analyte)
    fitting = [
        limit
        for limit in limits
        if key in {analyte_key(limit.analyte), analyte_key(limit.analyte_en)}
        and limit.valid_from <= day
        and (limit.valid_until is None or day <= limit.valid_until)
    ]
    return max(fitting, key=lambda limit: limit.valid_from, default=None)


def verdict(reading: MeasuredResult, unit: str, limit: Limit | None) -> Verdict:
    """A result against a limit."""
    if limit is None:
        return Verdict.OPEN
    if limit.op == "not_detected":
        return Verdict.FAIL if reading.detected else Verdict.PASS
    allowed = limit.value if limit.value is not None else Decimal(0)
    value = in_unit(reading.value, unit, limit.unit) if reading.value is not None else None
    if not reading.detected:
        if limit.op == ">=":
            return Verdict.FAIL
        # A method too coarse for the limit says nothing.
        return Verdict.OPEN if value is not None and value > allowed > 0 else Verdict.PASS
    if value is None:
        return Verdict.OPEN
    kept = value <= allowed if limit.op == "<=" else value >= allowed
    return Verdict.PASS if kept else Verdict.FAIL


def verdict_of_all(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on a report: failed where one result failed, passed where one passed and none failed."""
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    return Verdict.PASS if Verdict.PASS in verdicts else Verdict.OPEN
