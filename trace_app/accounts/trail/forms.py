"""What the audit trail is looked through for."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask_babel import lazy_gettext as _
from wtforms import Field
from wtforms.validators import ValidationError

from trace_app.accounts.trail.texts import SUBJECTS
from trace_app.forms import DateField, Form, SelectField, StringField, at_most, choices, optional


class TrailForm(Form):
    class Meta(Form.Meta):
        csrf = False

    who = StringField(_("用户名"), [optional(), at_most(40)])
    what = SelectField(_("对象"), [optional()])
    since = DateField(_("从"), [optional()])
    until = DateField(_("到"), [optional()])

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.what.choices = choices(SUBJECTS.items(), blank=_("全部对象"))

    def validate_until(self, field: Field) -> None:
        for day in (self.since.data, field.data):
            if isinstance(day, date) and not 2000 <= day.year <= 2100:
                raise ValidationError(_("请填写日期，例如 2026-09-15。"))

    @property
    def wished(self) -> dict[str, Any]:
        """What to look for; nothing where what was typed can't be read."""
        if not self.validate():
            return {}
        return {"who": self.who.data or "", "what": self.what.data or "", "since": self.since.data} | {
            "until": self.until.data
        }
