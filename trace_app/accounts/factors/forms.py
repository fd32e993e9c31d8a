"""Forms of second factors, the library's among them as this platform says them."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _
from flask_security import MfRecoveryForm, TwoFactorRescueForm, TwoFactorVerifyCodeForm
from wtforms import HiddenField, PasswordField, RadioField
from wtforms import StringField as PlainField
from wtforms.validators import InputRequired, Length

from trace_app.accounts import audit
from trace_app.accounts.factors import service
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.forms import Form, StringField, required

CODE = {"autocomplete": "one-time-code", "inputmode": "numeric", "maxlength": 20}
_FILLED = _("请填写此项。")


def _without_spaces(text: str | None) -> str | None:
    return "".join(text.split()) if text else text


class BeginForm(Form):
    current = PasswordField(_("现在的密码"), [required()], render_kw={"autocomplete": "current-password"})


class FirstCodeForm(Form):
    state = HiddenField(validators=[required()])
    code = StringField(_("验证器显示的 6 位数字"), [required()], render_kw=CODE)


class AgainForm(Form):
    """A code that is asked for before something grave; what was to be done stands beside it on the page."""

    factor_code = StringField(
        _("验证码"), [required()], description=_("验证器里的 6 位数字，或一个备用码"), render_kw=CODE
    )


class PasskeyNameForm(Form):
    name = StringField(
        _("名称"),
        [required(), Length(max=60)],
        description=_("以后凭它认出是哪一个，例如“办公室电脑”“我的手机”"),
        render_kw={"maxlength": 60},
    )


class NewPasskeyForm(Form):
    """What the browser answers when it has made a key."""

    name = HiddenField(validators=[required(), Length(max=60)])
    answer = HiddenField(validators=[required(), Length(max=20_000)])


class PasskeyForm(Form):
    """What the browser answers when it shows a key."""

    answer = HiddenField(validators=[required(), Length(max=20_000)])


class _Counted:
    """A form of the library whose failures are counted and told of in our words."""

    code: Any
    user: Any

    def validate(self, **kwargs: object) -> bool:
        try:
            service.refuse_guessing(self.user)
            if super().validate(**kwargs):  # type: ignore[misc]  # of the form that stands behind it
                return True
            if not self.code.data:
                return False
            service.note_failure(self.user)
            db.session.commit()
            raise service.WrongCode
        except Problem as problem:
            self.code.errors = [problem.message]
        return False


class SignInCodeForm(_Counted, TwoFactorVerifyCodeForm):
    code = PlainField(_("验证器显示的 6 位数字"), [InputRequired(_FILLED)], filters=[_without_spaces], render_kw=CODE)


class NoRescueForm(TwoFactorRescueForm):
    """The library makes its form of further ways in with each page; here the page has a link to the one there is."""

    help_setup = RadioField(choices=[])


class RecoveryForm(_Counted, MfRecoveryForm):
    code = PlainField(_("备用码"), [InputRequired(_FILLED)], filters=[_without_spaces])

    def validate(self, **kwargs: object) -> bool:
        if not super().validate(**kwargs):
            return False
        audit.note(self.user, "use-recovery-code", self.user)
        return True
