"""The pages by which people set up, replace and remove a second factor."""

from __future__ import annotations

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_security.utils import validate_redirect_url

from trace_app.accounts.access import public, signed_in, the_user
from trace_app.accounts.factors import passkeys, service
from trace_app.accounts.factors.forms import BeginForm, FirstCodeForm, NewPasskeyForm, PasskeyForm, PasskeyNameForm
from trace_app.accounts.factors.freshness import fresh_factor
from trace_app.accounts.service import WrongPassword, check_password
from trace_app.db.session import transaction
from trace_app.errors import Unprocessable
from trace_app.extensions import limiter
from trace_app.paper import dark_modules
from trace_app.templating import status_of

views = Blueprint("factors", __name__)


@views.app_context_processor
def _passkey_question() -> dict[str, object]:
    """The question for the page of the library that asks for a code in the middle of signing in."""
    return {"passkey_question": _ask_who_signs_in}


def _ask_who_signs_in() -> str | None:
    user = passkeys.in_the_middle()
    return passkeys.ask(user) if user is not None else None


@views.get("/factors")
@signed_in
def show() -> ResponseReturnValue:
    return _page(BeginForm(formdata=None))


def _page(form: BeginForm, passkey_form: PasskeyNameForm | None = None) -> ResponseReturnValue:
    user = the_user()
    page = render_template(
        "accounts/factors.html",
        form=form,
        passkey_form=passkey_form or PasskeyNameForm(formdata=None),
        passkeys=passkeys.passkeys_of(user),
        passkeys_are_possible=passkeys.are_possible(),
        is_set=service.has_factor(user),
        must=service.must_have_factor(user),
        codes_left=len(user.mf_recovery_codes or []),
    )
    return page, status_of(passkey_form or form)


@views.post("/factors")
@signed_in
@fresh_factor
@limiter.limit("10/minute")
def begin() -> ResponseReturnValue:
    """Show a new secret to an app. The password is asked for, so that nobody does it on a phone left lying about."""
    form = BeginForm()
    if form.validate():
        with form.refusals(current=WrongPassword):
            check_password(the_user(), form.current.data or "")
    if form.errors:
        return _page(form)
    first = FirstCodeForm(formdata=None)
    first.state.data = service.begin_setup()
    return _setup(first)


def _setup(form: FirstCodeForm) -> ResponseReturnValue:
    values = service.setup_values(the_user(), form.state.data or "")
    page = render_template(
        "accounts/factor_setup.html", form=form, key=values["key"], symbol=dark_modules(values["uri"])
    )
    return _unkept(page, status_of(form))


@views.post("/factors/confirm")
@signed_in
@fresh_factor
def confirm() -> ResponseReturnValue:
    """Set the app up by its first code."""
    form = FirstCodeForm()
    if form.validate():
        with form.refusals(code=service.WrongCode), transaction():
            codes = service.set_up(the_user(), form.state.data or "", form.code.data)
        if not form.errors:
            return _unkept(render_template("accounts/recovery_codes.html", codes=codes), 200)
    if not form.state.data or form.form_errors:
        flash(_("设置已超时，请重新开始。"), "warning")
        return redirect(url_for("factors.show"))
    return _setup(form)


@views.post("/factors/codes")
@signed_in
@fresh_factor
def make_codes() -> ResponseReturnValue:
    if not service.has_factor(the_user()):
        return redirect(url_for("factors.show"))
    with transaction():
        codes = service.new_recovery_codes(the_user())
    return _unkept(render_template("accounts/recovery_codes.html", codes=codes), 200)


@views.post("/factors/remove")
@signed_in
@fresh_factor
def remove() -> ResponseReturnValue:
    with transaction():
        service.remove(the_user())
    flash(_("两步验证已关闭。"))
    return redirect(url_for("factors.show"))


@views.post("/factors/passkeys")
@signed_in
@fresh_factor
def name_passkey() -> ResponseReturnValue:
    """Have the browser make a key of the name that its owner gives it."""
    form = PasskeyNameForm()
    if form.validate():
        with form.refusals(name=(passkeys.PasskeyNameTaken, passkeys.NoCodesYet, passkeys.TooManyPasskeys)):
            passkeys.must_be_addable(the_user(), form.name.data)
    if form.errors:
        return _page(BeginForm(formdata=None), form)
    new = NewPasskeyForm(formdata=None)
    new.name.data = form.name.data
    question = passkeys.ask_for_new(the_user())
    return _unkept(render_template("accounts/passkey_new.html", form=new, question=question), 200)


@views.post("/factors/passkeys/confirm")
@signed_in
@fresh_factor
def add_passkey() -> ResponseReturnValue:
    form = NewPasskeyForm()
    if not form.validate():
        flash(str(passkeys.WrongPasskey().message), "warning")
        return redirect(url_for("factors.show"))
    try:
        with transaction():
            passkeys.add(the_user(), form.name.data or "", form.answer.data or "")
    except Unprocessable as problem:
        flash(problem.message, "warning")
    else:
        flash(_("通行密钥“%(name)s”已添加。下次登录可以用它代替验证码。", name=form.name.data))
    return redirect(url_for("factors.show"))


@views.post("/factors/passkeys/<int:passkey_id>/remove")
@signed_in
@fresh_factor
def remove_passkey(passkey_id: int) -> ResponseReturnValue:
    with transaction():
        name = passkeys.remove(the_user(), passkey_id)
    flash(_("通行密钥“%(name)s”已移除。", name=name))
    return redirect(url_for("factors.show"))


@views.post("/factors/passkey")
@public
@limiter.limit("20/minute")
def sign_in() -> ResponseReturnValue:
    """The second step of signing in, by a passkey in place of a code."""
    user = passkeys.in_the_middle()
    if user is None:
        return redirect(url_for("security.login"))
    form = PasskeyForm()
    to = request.args.get("next")
    try:
        if not form.validate():
            raise passkeys.WrongPasskey
        with transaction():
            passkeys.show(user, form.answer.data or "")
            passkeys.let_in(user)
    except (passkeys.WrongPasskey, service.TooManyCodes) as problem:
        if isinstance(problem, passkeys.WrongPasskey):
            with transaction():
                service.note_failure(user)
        flash(problem.message, "warning")
        return redirect(url_for("security.two_factor_token_validation", next=to))
    return redirect(to if to and validate_redirect_url(to) else "/start")


def _unkept(page: str, status: int) -> ResponseReturnValue:
    answer = make_response(page, status)
    answer.headers["Cache-Control"] = "no-store"
    return answer
