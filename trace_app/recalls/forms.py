"""Issuing a recall."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from trace_app.forms import Form, SelectField, TextField, at_most, choices, optional, required

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
