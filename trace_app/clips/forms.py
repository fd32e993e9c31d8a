"""The form of a clip for browsers that run no scripts."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from flask_wtf.file import FileField
from wtforms.validators import ValidationError

from trace_app.forms import Form


class ClipForm(Form):
    clip = FileField(_("视频"))

    def validate_clip(self, field: FileField) -> None:
        if not getattr(field.data, "filename", ""):
            raise ValidationError(str(_("请选择一段视频。")))
