"""Flask-Security, set to what this platform needs: a name or e-mail, a password, a session."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Flask, Response, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_limiter.util import get_remote_address
from flask_security import SQLAlchemyUserDatastore
from flask_security.forms import LoginForm
from flask_security.utils import validate_redirect_url
from wtforms import BooleanField, PasswordField, StringField
from wtforms.validators import InputRequired

from trace_app.accounts import audit, sessions
from trace_app.accounts.factors.forms import NoRescueForm, RecoveryForm, SignInCodeForm
from trace_app.accounts.factors.service import METHOD, WINDOW_S
from trace_app.accounts.models import Role, User
from trace_app.accounts.passwords import LEAST
from trace_app.accounts.service import user_by_identity
from trace_app.db.session import begin_writing
from trace_app.extensions import db, limiter, security
from trace_app.phones import sign_in_name

FAILURES = "10/15 minutes"
"""How often one source may fail to sign in as one account."""

OPTIONS: dict[str, object] = {
    "SECURITY_PASSWORD_HASH": "argon2",
    "SECURITY_PASSWORD_SCHEMES": ["argon2"],
    "SECURITY_PASSWORD_SINGLE_HASH": ["argon2"],
    "SECURITY_PASSWORD_LENGTH_MIN": LEAST,
    "SECURITY_LOGIN_URL": "/login",
    "SECURITY_LOGOUT_URL": "/logout",
    "SECURITY_LOGOUT_METHODS": ["POST"],
    "SECURITY_LOGIN_USER_TEMPLATE": "accounts/login.html",
    "SECURITY_POST_LOGIN_VIEW": "/start",
    "SECURITY_POST_LOGOUT_VIEW": "/",
    "SECURITY_UNAUTHORIZED_VIEW": None,
    "SECURITY_FLASH_MESSAGES": False,
    # The form says itself what gives nothing away, in words of the platform.
    "SECURITY_RETURN_GENERIC_RESPONSES": False,
    "SECURITY_DEFAULT_REMEMBER_ME": False,
    "SECURITY_STATIC_FOLDER": None,
    "SECURITY_CACHE_CONTROL": None,
    "SECURITY_TWO_FACTOR": True,
    "SECURITY_TWO_FACTOR_ENABLED_METHODS": [METHOD],
    "SECURITY_TWO_FACTOR_AUTHENTICATOR_VALIDITY": WINDOW_S,
    "SECURITY_TWO_FACTOR_RESCUE_EMAIL": False,
    "SECURITY_TWO_FACTOR_TOKEN_VALIDATION_URL": "/factors/check",
    "SECURITY_TWO_FACTOR_VERIFY_CODE_TEMPLATE": "accounts/factor_check.html",
    "SECURITY_TOTP_ISSUER": "曲靖农产品追溯",
    "SECURITY_MULTI_FACTOR_RECOVERY_CODES": True,
    "SECURITY_MULTI_FACTOR_RECOVERY_CODES_N": 8,
    "SECURITY_MULTI_FACTOR_RECOVERY_URL": "/factors/recovery",
    "SECURITY_MULTI_FACTOR_RECOVERY_TEMPLATE": "accounts/factor_recovery.html",
}


class SignInForm(LoginForm):
    """A name, mobile number or e-mail with a password; one message for all that may be wrong."""

    email = StringField(  # type: ignore[assignment]  # a name or number will do as well
        _("用户名、手机号或邮箱"), [InputRequired(_("请填写此项。"))]
    )
    password = PasswordField(_("密码"), [InputRequired(_("请填写此项。"))])
    remember = BooleanField(_("在这台设备上保持登录"))

    def validate(self, **kwargs: object) -> bool:
        self.ifield = self.email
        if self.next.data and not validate_redirect_url(self.next.data):
            # Nobody mistyped a password because a link led here from elsewhere: it is left out.
            self.next.data = ""
        self.user = user_by_identity(self.email.data or "")
        if super().validate(**kwargs):
            return True
        if self.email.data and self.password.data:
            if self.user is not None:
                audit.note(None, "sign-in-failed", self.user)
                db.session.commit()
            self.email.errors = []
            self.password.errors = []
            self.form_errors = [_("用户名或密码不对，或账号已停用。请重新输入；忘记了可点“忘记密码”。")]
        return False


def _begin_writing() -> None:
    """The library's own views read, take their time over passwords, and then write what may be out of date by then:
    SQLite would refuse where anyone else has written meanwhile."""
    if request.blueprint == "security" and request.method == "POST":
        begin_writing()


SECOND_STEPS = {"security.two_factor_token_validation", "security.mf_recovery"}


def _only_in_the_middle() -> ResponseReturnValue | None:
    """The second step of signing in is for those who have done the first; the library would sign all others out."""
    if request.endpoint in SECOND_STEPS and "tf_user_id" not in session:
        return redirect(url_for("security.login"))
    return None


def init_app(app: Flask) -> None:
    key = app.config["SETTINGS"].factor_cipher_key
    app.config.update(SECURITY_TOTP_SECRETS={"1": key}, SECURITY_MULTI_FACTOR_RECOVERY_CODES_KEYS=[key])
    security.init_app(
        app,
        SQLAlchemyUserDatastore(db, User, Role),
        login_form=SignInForm,
        two_factor_verify_code_form=SignInCodeForm,
        two_factor_rescue_form=NoRescueForm,
        mf_recovery_form=RecoveryForm,
    )
    sessions.init_app(app)
    app.before_request(_only_in_the_middle)
    app.before_request(_begin_writing)
    # The view is the library's, so the limits are put on from outside.
    limited: Any = app.view_functions["security.login"]
    for allowed in (
        limiter.limit("20/minute;200/hour", methods=["POST"]),
        limiter.limit(FAILURES, methods=["POST"], key_func=_account_and_source, deduct_when=_failed),
    ):
        limited = allowed(limited)
    app.view_functions["security.login"] = limited
    for endpoint in SECOND_STEPS:
        checked: Any = app.view_functions[endpoint]
        app.view_functions[endpoint] = limiter.limit("20/minute", methods=["POST"])(checked)


def _account_and_source() -> str:
    """Whom someone tries to be, and from where. Not the account alone: else anyone could lock its owner out."""
    identity = sign_in_name(request.form.get("email", ""))
    return f"{hashlib.sha256(identity.encode()).hexdigest()}|{get_remote_address()}"


def _failed(response: Response) -> bool:
    """Whether a name and a password were tried in vain: who is let in is led on."""
    return response.status_code == 200 and bool(request.form.get("email") and request.form.get("password"))
