"""Forms of reference tables: their files, and checks of them."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField, FileRequired

from trace_app.forms import Form, SelectField, StringField, at_most, choices, optional, required
from trace_app.reference.checks import CHECKED_AGAINST


class TableForm(Form):
    file = FileField(_("CSV 或 Excel 文件"), [FileRequired(_("请选择文件。"))])


class ReferenceCheckForm(Form):
    source = StringField(_("对照的原件"), [required(), at_most(200)], description=_("写明文号、版本和在哪里看到的"))
    against = SelectField(_("核对到什么程度"), [required()], choices=choices(CHECKED_AGAINST.items()))
    note = StringField(_("说明"), [optional(), at_most(300)], description=_("可不填"))
