"""Forms of links between lots."""

from __future__ import annotations

from collections.abc import Sequence

from flask_babel import lazy_gettext as _
from wtforms import Field
from wtforms.validators import ValidationError

from trace_app.batches.models import Batch
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
    number_or_none,
    optional,
    required,
)
from trace_app.language import bracketed, named
from trace_app.units import unit_name


class LinkForm(Form):
    """What a lot was made of: one of the producer's own lots, or another's by the code on its label."""

    source_id = SelectField(_("来源批次"), coerce=number_or_none)
    code = StringField(_("或别家批次的追溯码"), [optional(), at_most(200)], description=_("扫进货的标签，13 位字符"))
    quantity = DecimalField(_("用去数量"), [required(), between(0.001, 100_000_000)], description=_("按来源批次的单位"))
    happened_on = DateField(_("日期"), [required(), not_future])
    note = StringField(_("备注"), [optional(), at_most(200)])

    def __init__(self, *args: object, lots: Sequence[Batch], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        pairs = [(lot.id, f"{lot.lot_number} {named(lot.product)}{bracketed(unit_name(lot.unit))}") for lot in lots]
        self.source_id.choices = choices(pairs, blank=_("请选择"))

    def validate_source_id(self, field: Field) -> None:
        if field.data is None and not (self.code.data or "").strip():
            raise ValidationError(_("请选择来源批次，或填写追溯码。"))
