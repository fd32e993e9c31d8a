"""The forms by which people set a password of their own."""

from __future__ import annotations

from flask_babel import lazy_gettext as _
from wtforms import BooleanField, Field, PasswordField
from wtforms.validators import EqualTo

from trace_app.accounts.forms import OwnedForm
from trace_app.forms import Form, StringField, at_most, required


class ForgottenForm(Form):
    identity = StringField(
        _("用户名、手机号或邮箱"),
        [required(), at_most(255)],
        render_kw={"autocomplete": "username", "autocapitalize": "none"},
    )


class FirstPasswordForm(OwnedForm):
    new = PasswordField(
        _("新密码"),
        [required()],
        description=_("至少 8 位，监管人员至少 12 位"),
        render_kw={"autocomplete": "new-password"},
    )
    again = PasswordField(
        _("再输一次新密码"),
        [required(), EqualTo("new", _("两次输入的新密码不一致。"))],
        render_kw={"autocomplete": "new-password"},
    )

    void_tokens = BooleanField(_("同时作废我的接口令牌"))

    def validate_new(self, field: Field) -> None:
        self.check(field)
