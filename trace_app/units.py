"""Units by code, as people read them. A kind file may use others; these are shown as they stand."""

from __future__ import annotations

from decimal import Decimal

from flask_babel import lazy_gettext as _

UNITS = {
    "kg": _("公斤"),
    "g": _("克"),
    "t": _("吨"),
    "L": _("升"),
    "mL": _("毫升"),
    "bottle": _("瓶"),
    "leg": _("只（腿）"),
    "piece": _("枚"),
    "box": _("盒"),
    "colony": _("群"),
    "head": _("头"),
    "mesh": _("目"),
    "cm": _("厘米"),
    "h": _("小时"),
    "min": _("分钟"),
    "day": _("天"),
    "celsius": "℃",
    "percent": "%",
    "kg_per_mu": _("公斤/亩"),
    "g_per_mu": _("克/亩"),
    "mL_per_mu": _("毫升/亩"),
    "m3_per_mu": _("方/亩"),
    "times_dilution": _("倍液"),
    "g_per_kg": _("克/公斤"),
    "mg_per_kg": _("毫克/公斤"),
    "strip_per_colony": _("片/群"),
}
"""1 mu is 666.67 square metres."""
_ONLY_TYPED = {"mu": _("亩"), "m": _("米"), "mm": _("毫米")}
"""Units of fields that say so in their name."""


SIGNS = {
    "g_per_mu": "g/亩", "kg_per_mu": "kg/亩", "mL_per_mu": "mL/亩", "times_dilution": "×", "g_per_kg": "g/kg",
    "mg_per_kg": "mg/kg", "m3_per_mu": "m³/亩", "strip_per_colony": "/群",
}  # fmt: skip
"""How units are written in the facts of findings, which stay as they are: a waiver is for the facts that it was given
for."""
_OF_SIGN = {sign: code for code, sign in SIGNS.items()}


def amount_read(text: str) -> str:
    """An amount in the reader's language that was written with one of the `SIGNS`; any other text as it is."""
    amount, space, sign = text.partition(" ")
    return f"{amount} {unit_name(_OF_SIGN[sign])}" if space and sign in _OF_SIGN else text


def unit_name(code: str | None) -> str:
    """The unit in the reader's language."""
    return str(UNITS.get(code or "") or _ONLY_TYPED.get(code or "", code or ""))


_MASS, _VOLUME, _PER_MU, _VOLUME_PER_MU, _TIME = "mass", "volume", "mass per mu", "volume per mu", "time"
_MEASURES: dict[str, tuple[str, Decimal, tuple[str, ...]]] = {
    "t": (_MASS, Decimal(1000), ("吨", "t")),
    "kg": (_MASS, Decimal(1), ("公斤", "千克", "kg")),
    "jin": (_MASS, Decimal("0.5"), ("斤", "市斤")),
    "liang": (_MASS, Decimal("0.05"), ("两", "市两")),
    "g": (_MASS, Decimal("0.001"), ("克", "g")),
    "mg": (_MASS, Decimal("0.000001"), ("毫克", "mg")),
    "L": (_VOLUME, Decimal(1), ("升", "公升", "l")),
    "mL": (_VOLUME, Decimal("0.001"), ("毫升", "ml")),
    "kg_per_mu": (_PER_MU, Decimal(1), ("公斤/亩", "千克/亩", "kg/亩")),
    "jin_per_mu": (_PER_MU, Decimal("0.5"), ("斤/亩", "市斤/亩")),
    "liang_per_mu": (_PER_MU, Decimal("0.05"), ("两/亩",)),
    "g_per_mu": (_PER_MU, Decimal("0.001"), ("克/亩", "g/亩")),
    "m3_per_mu": (_VOLUME_PER_MU, Decimal(1000), ("方/亩", "立方米/亩", "立方/亩", "m3/亩")),
    "L_per_mu": (_VOLUME_PER_MU, Decimal(1), ("升/亩", "l/亩")),
    "mL_per_mu": (_VOLUME_PER_MU, Decimal("0.001"), ("毫升/亩", "ml/亩")),
    "g_per_kg": ("mass per mass", Decimal(1000), ("克/公斤", "克/千克", "g/kg")),
    "mg_per_kg": ("mass per mass", Decimal(1), ("毫克/公斤", "毫克/千克", "mg/kg")),
    "ha": ("area", Decimal(15), ("公顷", "ha")),
    "mu": ("area", Decimal(1), ("亩", "市亩")),
    "m2": ("area", Decimal("0.0015"), ("平方米", "m2")),
    "day": (_TIME, Decimal(1440), ("天", "日")),
    "h": (_TIME, Decimal(60), ("小时", "时", "h")),
    "min": (_TIME, Decimal(1), ("分钟", "分", "min")),
    "m": ("length", Decimal(1000), ("米", "m")),
    "cm": ("length", Decimal(10), ("厘米", "cm")),
    "mm": ("length", Decimal(1), ("毫米", "mm")),
    "celsius": ("temperature", Decimal(1), ("℃", "°c", "摄氏度", "度")),
    "percent": ("share", Decimal(1), ("%",)),
    "times_dilution": ("dilution", Decimal(1), ("倍液", "倍")),
    "bottle": ("bottle", Decimal(1), ("瓶",)),
    "leg": ("leg", Decimal(1), ("只", "腿", "条")),
    "piece": ("piece", Decimal(1), ("枚", "个")),
    "box": ("box", Decimal(1), ("盒",)),
    "colony": ("colony", Decimal(1), ("群",)),
    "head": ("head", Decimal(1), ("头",)),
    "mesh": ("mesh", Decimal(1), ("目",)),
    "strip_per_colony": ("strip per colony", Decimal(1), ("片/群",)),
}
"""What each unit measures, how much it is of the measure's first, and how people write it. 15 mu are a hectare."""
WORDS = {word: code for code, (_measure, _size, words) in _MEASURES.items() for word in words}
"""The unit that a word means, in small letters."""


def converted(value: Decimal, code: str, wanted: str) -> Decimal | None:
    """A value in another unit; None where the two can't be compared."""
    if code == wanted:
        return value
    if code not in _MEASURES or wanted not in _MEASURES:
        return None
    measure, size, _words = _MEASURES[code]
    other, wanted_size, _others = _MEASURES[wanted]
    return value * size / wanted_size if measure == other else None
