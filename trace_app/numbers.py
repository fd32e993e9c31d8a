"""The one reader of numbers as people write them, for forms, tables and the API.

What may be read in two ways is refused with both: a wrong number that is accepted is worse than a right one refused.
Which spellings are which is a table in decision 48.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from flask_babel import LazyString
from flask_babel import lazy_gettext as _

from trace_app.plain_text import half_width
from trace_app.units import WORDS, converted, unit_name

_PLAIN = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)")
_PARTED = re.compile(
    r"[+-]?[1-9][0-9]{0,2}(?:(?:,[0-9]{3}){2,}(?:\.[0-9]+)?|,[0-9]{3}\.[0-9]+|(?: [0-9]{3})+(?:\.[0-9]+)?)"
)
_ONE_COMMA = re.compile(r"([+-]?[0-9]+),([0-9]+)")
_DIGITS = re.compile(r"[+-]?[0-9][0-9,. ]*|\.[0-9]+|[+-]\.[0-9]+")
_TIMES = {"百": Decimal(100), "千": Decimal(1000), "万": Decimal(10_000), "亿": Decimal(100_000_000)}
_HALF = "半"
_SHOWN = 30
"""Characters of what was typed that a refusal repeats."""


class NotANumber(ValueError):
    """What was typed is no number, or not one alone. The message says what to write instead."""

    def __init__(self, message: LazyString) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Amount:
    """A number that was read.

    :ivar unit: the code of the unit that stood behind it; None where none did.
    :ivar spelled: whether words had to be counted in, such as 万 and 半.
    """

    typed: str
    value: Decimal
    unit: str | None = None
    spelled: bool = False

    def in_unit(self, wanted: str | None) -> Decimal:
        """The number in the unit that is asked for.

        :param wanted: None where no unit may stand behind the number.
        :raises NotANumber: where it can't be had in that unit.
        """
        if self.unit is None:
            return self.value
        if wanted is None:
            raise NotANumber(_("“%(typed)s”：这里只填数字，不带单位。", typed=self.typed))
        value = converted(self.value, self.unit, wanted)
        if value is None:
            raise NotANumber(
                _("“%(typed)s”不能换算成%(unit)s。请按%(unit)s填写数字。", typed=self.typed, unit=unit_name(wanted))
            )
        return value

    def became(self, wanted: str | None) -> str:
        """What the number became, to be shown; empty where it stands as it was typed."""
        if not self.spelled and self.unit in {None, wanted}:
            return ""
        return f"{plain_decimal(self.in_unit(wanted))} {unit_name(wanted)}".strip()


def read_amount(text: str) -> Amount:
    """A number with or without a unit: ``12.5``, ``1.2万``, ``300斤``, ``半斤``, ``2斤半``, ``40 克/亩``, ``15%``.

    :raises NotANumber:
    """
    plain = half_width(text).strip()
    typed = text.strip()[:_SHOWN]
    if plain.startswith(_HALF) and plain[1:].strip() in WORDS:
        return Amount(typed, Decimal("0.5"), WORDS[plain[1:].strip()], True)
    found = _DIGITS.match(plain)
    if found is None:
        raise NotANumber(_("“%(typed)s”不是数字。请填写数字，例如 12.5。", typed=typed))
    value, rest = _number(found[0].strip(), typed), plain[found.end() :].strip().lower()
    if not rest:
        return Amount(typed, value)
    if rest in WORDS:
        return Amount(typed, value, WORDS[rest])
    whole = value == value.to_integral_value() and "." not in found[0]
    if rest.endswith(_HALF) and rest[:-1] in WORDS and whole and value >= 0:
        return Amount(typed, value + Decimal("0.5"), WORDS[rest[:-1]], True)
    if rest[0] in _TIMES and (rest[1:] == "" or rest[1:].strip() in WORDS):
        return Amount(typed, value * _TIMES[rest[0]], WORDS.get(rest[1:].strip()), True)
    raise NotANumber(_("“%(typed)s”读不懂。请只填一个数字，例如 12.5。", typed=typed))


def read_number(text: str, unit: str | None = None) -> Decimal:
    """A number in the unit that is asked for.

    :raises NotANumber:
    """
    return read_amount(text).in_unit(unit)


def _number(digits: str, typed: str) -> Decimal:
    if _PLAIN.fullmatch(digits):
        return Decimal(digits)
    if _PARTED.fullmatch(digits):
        return Decimal(re.sub("[, ]", "", digits))
    if two := _ONE_COMMA.fullmatch(digits):
        one, other = (plain_decimal(Decimal(sign.join(two.groups()))) for sign in (".", ""))
        raise NotANumber(
            _(
                "“%(typed)s”是 %(one)s 还是 %(other)s？请写成 %(one)s 或 %(other)s，不用逗号。",
                typed=typed, one=one, other=other,
            )
        )  # fmt: skip
    raise NotANumber(_("“%(typed)s”读不懂。请只填一个数字，例如 12.5，不用逗号和空格。", typed=typed))


def plain_decimal(number: Decimal) -> str:
    """A number without trailing zeros and never in scientific notation: 40, 0.5, 1200."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
