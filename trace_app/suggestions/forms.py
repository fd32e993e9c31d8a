from __future__ import annotations

from flask_babel import lazy_gettext as _
from wtforms import Field
from wtforms.validators import ValidationError

from trace_app.forms import Form, SelectField, TextField, at_most, choices, optional, required
from trace_app.media.forms import PdfField
from trace_app.suggestions.models import SharedCatalogue

CATALOGUES = {
    SharedCatalogue.INPUTS: _("投入品目录"),
    SharedCatalogue.KINDS: _("品类"),
    SharedCatalogue.PROHIBITED: _("禁用和限用药物"),
    SharedCatalogue.LIMITS: _("检测限量"),
    SharedCatalogue.GI_AREAS: _("地理标志保护范围"),
    SharedCatalogue.HOLIDAYS: _("节假日"),
    SharedCatalogue.COMMITMENT_RULES: _("合格证规定"),
}
ANSWERS = {"done": _("已照办"), "refused": _("不采纳")}


class SuggestionForm(Form):
    catalogue = SelectField(_("改哪个目录"), [required()], choices=choices(CATALOGUES.items()))
    content = TextField(
        _("请改什么"), [required(), at_most(1000)], description=_("写清楚是哪一条、改成什么，或要加什么")
    )
    basis = TextField(_("依据"), [required(), at_most(300)], description=_("标准、公告的编号和条款，或产品标签"))
    pdf = PdfField(_("依据文件（PDF，可不传）"))


class AnswerForm(Form):
    outcome = SelectField(_("处理结果"), [required()], choices=choices(ANSWERS.items(), blank=_("请选择")))
    answer = TextField(_("说明"), [optional(), at_most(500)], description=_("不采纳的，请写明理由"))

    def validate_outcome(self, field: Field) -> None:
        if field.data == "refused" and not (self.answer.data or "").strip():
            self.answer.errors = [*self.answer.errors, _("不采纳的，请写明理由。")]
            raise ValidationError(_("不采纳要写理由。"))
