"""Forms of test reports, certificates, commitment certificates and reference tables."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField, FileRequired

from trace_app.forms import (
    Form,
)


class TableForm(Form):
    file = FileField(_("CSV 或 Excel 文件"), [FileRequired(_("请选择文件。"))])
