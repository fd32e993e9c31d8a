"""Units by code, as people read them. A kind file may use others; these are shown as they stand."""

from __future__ import annotations

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


def unit_name(code: str | None) -> str:
    """The unit in the reader's language."""
    return str(UNITS.get(code or "", code or ""))
