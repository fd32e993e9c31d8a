"""Quantities that are typed beside the rows of a list: read as a form's are, each told of beside its own field."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from flask import flash
from flask_babel import lazy_gettext as _

from trace_app.numbers import NotANumber, plain_decimal, read_amount

MOST = Decimal(100_000_000)
_PLACES = Decimal("0.001")


def read_amounts(
    typed: Mapping[str, str],
    prefix: str,
    units: Mapping[int, str],
    faults: dict[str, str],
    *,
    least: Decimal = Decimal(0),
) -> dict[int, Decimal]:
    """What was typed beside each row, by its id, in the row's unit. Fields that are empty say nothing.

    :param prefix: what the names of the fields begin with; the row's id follows.
    :param units: by row; what was typed of others is left alone.
    :param faults: what is wrong is added to it, by the name of the field.
    :param least: the least that is taken.
    """
    found: dict[int, Decimal] = {}
    for row, unit in units.items():
        name = f"{prefix}{row}"
        text = typed.get(name, "").strip()
        if not text:
            continue
        try:
            amount = read_amount(text)
            number = amount.in_unit(unit)
        except NotANumber as error:
            faults[name] = str(error.message)
            continue
        if not least <= number <= MOST:
            limits = {"least": plain_decimal(least), "most": plain_decimal(MOST)}
            faults[name] = str(_("请填写 %(least)s 到 %(most)s 之间的数字。", **limits))
        elif number != number.quantize(_PLACES):
            faults[name] = str(_("最多填三位小数。"))
        else:
            found[row] = number
            if became := amount.became(unit):
                flash(str(_("“%(typed)s”记为 %(became)s。", typed=text[:40], became=became)))
    return found
