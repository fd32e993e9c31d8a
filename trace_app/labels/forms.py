"""Asking for labels."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from trace_app.forms import Form, IntegerField, SelectField, between, choices, required
from trace_app.labels.service import MAX_LABELS

STOCK_NAMES = {
    "a4-3x8": _("A4 不干胶，每页 24 张（70×37 毫米）"),
    "roll-40x30": _("卷筒 40×30 毫米"),
    "roll-50x30": _("卷筒 50×30 毫米"),
    "roll-60x40": _("卷筒 60×40 毫米"),
    "roll-70x50": _("卷筒 70×50 毫米"),
    "roll-100x100": _("卷筒 100×100 毫米"),
}


class RunForm(Form):
    count = IntegerField(_("张数"), [required(), between(1, MAX_LABELS)], default=24)
    stock = SelectField(_("标签规格"), [required()], choices=choices(STOCK_NAMES.items()))
