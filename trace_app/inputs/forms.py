"""Forms of farm inputs and their stock."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from flask_babel import lazy_gettext as _
from wtforms import Field
from wtforms.validators import StopValidation, ValidationError

from trace_app.catalogue.service import kinds
from trace_app.folding import written_plainly
from trace_app.forms import (
    DecimalField,
    Form,
    IntegerField,
    SelectField,
    StringField,
    at_most,
    between,
    choices,
    optional,
    plain_decimal,
    required,
)
from trace_app.inputs.models import InputType
from trace_app.language import named
from trace_app.units import UNITS
from trace_app.values import Facts

INPUT_TYPES = {
    InputType.PESTICIDE: _("农药"),
    InputType.FERTILISER: _("肥料"),
    InputType.VETERINARY: _("兽药"),
    InputType.FEED: _("饲料"),
    InputType.INGREDIENT: _("原料"),
}


REGISTRATION = {
    InputType.PESTICIDE: r"^(PD|LS|WP|EX|WL)\d{4,13}(-\d{1,5})?([FA-Z]\d*)*$",
    InputType.VETERINARY: r"^[（(]?\d{0,4}[）)]?(进口)?兽药[字生添原试]字?[（(]?\d{0,4}[）)]?\s?\d{5,12}.*$",
    InputType.FERTILISER: r"^.*((准|临)字[（(]?\d{2,6}[）)]?号?|XK13-\d{3}-\d{3,6}).*$",
    InputType.FEED: r"^.*饲(证|预|添|审)[字]?[（(]?\d{4}[）)]?.*\d{2,}.*$",
    InputType.INGREDIENT: r"^SC\d{14}$",
}
"""Shapes of registration and licence numbers, by type."""


REGISTRATION_EXAMPLES = {
    InputType.PESTICIDE: "PD20150123",
    InputType.VETERINARY: "兽药字 250012345",
    InputType.FERTILISER: "农肥（2018）准字12345号",
    InputType.FEED: "滇饲证（2019）01001",
    InputType.INGREDIENT: "SC10153038100000",
}


DOSE_UNITS = (
    "g_per_mu", "mL_per_mu", "kg_per_mu", "times_dilution", "g_per_kg", "m3_per_mu", "mg_per_kg", "strip_per_colony",
    "kg",
)  # fmt: skip


_CONTENT = re.compile(
    r"^(?P<name>.+?)[\s:：]*(?P<content>[\d.]+\s*(%|％|克/升|g/L|克/千克|g/kg|亿\S*|IU/?\S*|mg/\S*)?)?$"
)


class NamedIngredient(NamedTuple):
    """An active ingredient as a label names it."""

    name: str
    content: str


def parse_ingredients(text: str) -> list[NamedIngredient]:
    """Active ingredients as they are typed: 苯醚甲环唑 10%、嘧菌酯 20%."""
    found = []
    for part in re.split(r"[、，,+＋;；]", text):
        match = _CONTENT.fullmatch(part.strip())
        if match:
            found.append(NamedIngredient(match["name"].strip(), (match["content"] or "").strip()))
    return found


class IngredientsField(StringField):
    """Names and contents, in one line."""

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = parse_ingredients(valuelist[0]) if valuelist else self.data or []

    def _value(self) -> str:
        if self.raw_data:
            return str(self.raw_data[0])
        return "、".join(f"{one.name} {one.content}".strip() for one in self.data or [])


def _needed_of_drugs(message: str) -> Callable[[Form, Field], None]:
    """A validator: pesticides and veterinary drugs need the field. It stands before ``optional``."""

    def check(form: Form, field: Field) -> None:
        if form.type.data in {"pesticide", "veterinary"} and not any(text.strip() for text in field.raw_data or []):
            raise StopValidation(message)

    return check


class InputProductForm(Form):
    """What a product's label says of the product itself."""

    type = SelectField(_("类型"), [required()], choices=choices(INPUT_TYPES.items()))
    name = StringField(_("名称"), [required(), at_most(80)], description=_("按标签填写，如 苯醚甲环唑 10% 水分散粒剂"))
    registration_number = StringField(_("登记证号或许可证号"), [optional(), at_most(40)], filters=[written_plainly])
    maker = StringField(_("生产企业"), [optional(), at_most(80)])
    ingredients = IngredientsField(
        _("有效成分和含量"),
        [_needed_of_drugs(_("农药和兽药须填写有效成分。")), optional()],
        description=_("如 苯醚甲环唑 10%；几种用顿号隔开"),
    )
    n_percent = DecimalField("N %", [optional(), between(0, 100)], unit="percent")
    p_percent = DecimalField("P₂O₅ %", [optional(), between(0, 100)], unit="percent")
    k_percent = DecimalField("K₂O %", [optional(), between(0, 100)], unit="percent")

    def validate_registration_number(self, field: Field) -> None:
        kind = self.type.data
        if field.data and kind in set(InputType) and not re.match(REGISTRATION[InputType(kind)], field.data):
            example = REGISTRATION_EXAMPLES[InputType(kind)]
            raise ValidationError(_("号码的样子不对，应如 %(example)s。请按标签抄写。", example=example))

    def validate_ingredients(self, field: Field) -> None:
        if any(max(len(one.name), len(one.content)) > 60 for one in field.data or []):
            raise ValidationError(_("有效成分的名称太长，请用顿号隔开几种成分。"))

    @property
    def product_facts(self) -> Facts:
        nutrients = {name: self[name].data for name in ("n_percent", "p_percent", "k_percent")}
        return {
            "type": InputType(self.type.data),
            "name": self.name.data,
            "registration_number": self.registration_number.data or "",
            "maker": self.maker.data or "",
            "ingredients": self.ingredients.data,
            "nutrients": {name: plain_decimal(value) for name, value in nutrients.items() if value is not None},
        }


class LabelUseForm(Form):
    """What a product's label allows on one kind of product."""

    kind_code = SelectField(_("适用产品"))
    interval_days = IntegerField(
        _("安全间隔期或休药期（天）"), [optional(), between(0, 365)], unit="day", description=_("农药、兽药须填")
    )
    dose_min = DecimalField(_("最小用量"), [optional(), between(0.001, 1_000_000)], unit_of="dose_unit")
    dose_max = DecimalField(_("最大用量"), [optional(), between(0.001, 1_000_000)], unit_of="dose_unit")
    dose_unit = SelectField(
        _("用量单位"), choices=choices([(code, UNITS[code]) for code in DOSE_UNITS], blank=_("不填"))
    )
    max_applications = IntegerField(_("每季最多次数"), [optional(), between(1, 100)])

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.kind_code.choices = choices([(kind.code, named(kind)) for kind in kinds()], blank=_("所有产品"))

    def validate_dose_max(self, field: Field) -> None:
        if field.data is not None and self.dose_min.data is not None and field.data < self.dose_min.data:
            raise ValidationError(_("不能小于最小用量。"))

    def validate_dose_unit(self, field: Field) -> None:
        if field.data is None and (self.dose_min.data is not None or self.dose_max.data is not None):
            raise ValidationError(_("请选择用量单位。"))

    @property
    def use_facts(self) -> Facts:
        names = ("kind_code", "interval_days", "dose_min", "dose_max", "dose_unit", "max_applications")
        return {name: self[name].data for name in names}


class InputRowForm(InputProductForm, LabelUseForm):
    """A product with what its label says for one kind: a line of an import, and the form of a new product."""

    interval_days = IntegerField(
        _("安全间隔期或休药期（天）"),
        [_needed_of_drugs(_("请按标签填写安全间隔期或休药期。")), optional(), between(0, 365)],
        unit="day",
        description=_("农药、兽药须填"),
    )


class InputSearchForm(Form):
    class Meta:
        csrf = False

    q = StringField(_("名称、登记证号或有效成分"), [optional(), at_most(60)])
