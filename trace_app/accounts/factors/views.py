"""The pages by which people set up, replace and remove a second factor."""

from __future__ import annotations

from flask import Blueprint, flash, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import signed_in, the_user
from trace_app.accounts.factors import service
from trace_app.accounts.factors.forms import BeginForm, FirstCodeForm
from trace_app.accounts.factors.freshness import fresh_factor
from trace_app.accounts.service import WrongPassword, check_password
from trace_app.db.session import transaction
from trace_app.extensions import limiter
from trace_app.paper import dark_modules
from trace_app.templating import status_of

views = Blueprint("factors", __name__)


@views.get("/factors")
@signed_in
def show() -> ResponseReturnValue:
    return _page(BeginForm(formdata=None))


def _page(form: BeginForm) -> ResponseReturnValue:
    user = the_user()
    page = render_template(
        "accounts/factors.html",
        form=form,
        is_set=service.has_factor(user),
        must=service.must_have_factor(user),
        codes_left=len(user.mf_recovery_codes or []),
    )
    return page, status_of(form)


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


def _unkept(page: str, status: int) -> ResponseReturnValue:
    answer = make_response(page, status)
    answer.headers["Cache-Control"] = "no-store"
    return answer
