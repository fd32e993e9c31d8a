"""The form of who has forgotten a password."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from trace_app.forms import Form, StringField, at_most, required


class ForgottenForm(Form):
    identity = StringField(
        _("用户名、手机号或邮箱"),
        [required(), at_most(255)],
        render_kw={"autocomplete": "username", "autocapitalize": "none"},
    )
