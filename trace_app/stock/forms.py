"""Forms of farm inputs and their stock."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _

from trace_app.folding import written_plainly
from trace_app.forms import (
    DateField,
    DecimalField,
    Form,
    SelectField,
    StringField,
    at_most,
    between,
    choices,
    not_future,
    optional,
    required,
)
from trace_app.inputs.models import InputProduct, StockOutReason
from trace_app.units import UNITS

STOCK_UNITS = ("kg", "g", "t", "L", "mL", "bottle", "piece")


OUT_REASONS = {
    StockOutReason.RETURNED: _("退回供应商"),
    StockOutReason.DISPOSED: _("销毁或处置"),
    StockOutReason.LOST: _("损耗"),
}


class StockForm(Form):
    product_id = SelectField(_("投入品"), [required()], coerce=int)
    lot_number = StringField(
        _("批号"), [required(), at_most(40)], description=_("包装上的生产批号"), filters=[written_plainly]
    )
    supplier = StringField(_("购自"), [required(), at_most(80)])
    received_on = DateField(_("入库日期"), [required(), not_future])
    expires_on = DateField(_("有效期至"), [optional()])
    quantity = DecimalField(_("数量"), [required(), between(0.001, 10_000_000)], unit_of="unit")
    unit = SelectField(_("单位"), [required()], choices=choices((code, UNITS[code]) for code in STOCK_UNITS))

    def __init__(self, *args: object, products: Sequence[InputProduct], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        pairs = [(row.id, f"{row.name} {row.registration_number}".strip()) for row in products]
        self.product_id.choices = choices(pairs)


class StockOutForm(Form):
    happened_on = DateField(_("日期"), [required(), not_future])
    quantity = DecimalField(_("数量"), [required(), between(0.001, 10_000_000)])
    reason = SelectField(_("去向"), [required()], choices=choices((r.value, n) for r, n in OUT_REASONS.items()))
    note = StringField(_("备注"), [optional(), at_most(200)])
