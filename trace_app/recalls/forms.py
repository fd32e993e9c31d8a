"""Issuing a recall."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _

from trace_app.catalogue.service import kinds
from trace_app.forms import (
    DateField,
    Form,
    IntegerField,
    SelectField,
    StringField,
    TextField,
    at_most,
    choices,
    optional,
    required,
)
from trace_app.language import named
from trace_app.recalls.scope import SCOPE_FIELDS, RecallScope

LEVELS = {
    1: _("一级召回"),
    2: _("二级召回"),
    3: _("三级召回"),
}
LEVEL_MEANINGS = {
    1: _("一级：食用后已经或可能导致严重健康损害甚至死亡；24 小时内启动"),
    2: _("二级：食用后已经或可能导致一般健康损害；48 小时内启动"),
    3: _("三级：标签、标识存在虚假标注等；72 小时内启动"),
}


class RecallForm(Form):
    level = SelectField(_("级别"), [required()], coerce=lambda text: int(text) if text else None)
    reason = TextField(_("原因"), [required(), at_most(500)], description=_("如 镉含量 0.18 mg/kg，超过限量 0.1 mg/kg"))
    advice = TextField(
        _("请消费者怎样做"), [required(), at_most(500)], default=lambda: str(_("停止食用，凭包装到购买处退货退款。"))
    )
    reason_en = TextField(_("原因（英文）"), [optional(), at_most(800)])
    advice_en = TextField(
        _("请消费者怎样做（英文）"),
        [optional(), at_most(800)],
        default="Do not eat it. Return it with its packaging to the shop for a refund.",
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.level.choices = choices(LEVEL_MEANINGS.items(), blank=_("请选择"))


class ScopeForm(Form):
    """By what the cause is known. Names are those of `RecallScope`."""

    class Meta:
        csrf = False

    lots = StringField(_("批次号"), [optional(), at_most(500)], description=_("几个用空格或顿号隔开"))
    input_lot = StringField(_("投入品或原料批号"), [optional(), at_most(40)])
    input_name = StringField(_("投入品名称"), [optional(), at_most(60)])
    ingredient = StringField(_("有效成分"), [optional(), at_most(60)])
    supplier = StringField(_("供应商"), [optional(), at_most(60)])
    failed_analyte = StringField(_("不合格的检测项目"), [optional(), at_most(60)])
    producer = StringField(_("生产者"), [optional(), at_most(60)])
    site = StringField(_("基地"), [optional(), at_most(60)])
    product = StringField(_("产品"), [optional(), at_most(40)])
    kind_code = SelectField(_("品类"))
    division = SelectField(_("地区"))
    begins = DateField(_("从"), [optional()], description=_("投入品按使用日期，其他按采收或生产日期"))
    ends = DateField(_("到"), [optional()])

    def __init__(self, *args: Any, places: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kind_code.choices = choices([(kind.code, named(kind)) for kind in kinds()], blank=_("全部品类"))
        self.division.choices = choices(places, blank=_("全部辖区"))

    @property
    def recall_scope(self) -> RecallScope:
        """What was filled in, once the form is valid."""
        values: dict[str, Any] = {name: self[name].data for name in SCOPE_FIELDS if self[name].data}
        return RecallScope(**values)


class ScopeRecallForm(RecallForm):
    """A notice for all lots of a scope. How many they are must be typed: a slip is not a recall."""

    count = IntegerField(_("再填一次批次数，以确认范围"), [required()])
