"""What is grave wants a second factor that was shown a moment ago: recalls, waivers, keys, other people's accounts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import Flask, current_app, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts.access import acting_user
from trace_app.accounts.factors import passkeys, service
from trace_app.accounts.factors.forms import AgainForm
from trace_app.accounts.models import User
from trace_app.db.session import transaction
from trace_app.errors import Problem
from trace_app.templating import status_of

View = TypeVar("View", bound=Callable[..., object])
OURS = {"csrf_token", "form_for", "factor_code", "factor_passkey"}
WITHOUT_FACTOR = {"security.logout", "accounts.change_password"}
"""What an officer may do whose second factor is overdue, beside setting one up."""


def fresh_factor(view: View) -> View:
    """What is sent to the view wants a fresh second factor, from accounts that have one or must have one."""
    view.wants_fresh_factor = True  # type: ignore[attr-defined]
    return view


def init_app(app: Flask) -> None:
    """Ask before the view is called, and after the form's token was checked."""
    app.before_request(_ask)


def _ask() -> ResponseReturnValue | None:
    view = current_app.view_functions.get(request.endpoint or "")
    # Programs come with tokens; who looks at what is public need not be known.
    if request.path.startswith("/api/") or not getattr(view, "allowed_roles", None):
        return None
    user = acting_user()
    if user is None:
        return None
    grave = getattr(view, "wants_fresh_factor", False)
    if not service.has_factor(user):
        return _lead_to_setup(user, grave=grave)
    if not grave or request.method != "POST" or service.is_fresh():
        return None
    return _ask_again(user)


def _lead_to_setup(user: User, *, grave: bool) -> ResponseReturnValue | None:
    blocked = service.is_overdue(user) or (grave and service.must_have_factor(user))
    if not blocked or request.blueprint == "factors" or request.endpoint in WITHOUT_FACTOR:
        return None
    flash(_("请先设置两步验证，再继续。"))
    return redirect(url_for("factors.show"))


def _ask_again(user: User) -> ResponseReturnValue | None:
    """Ask for a code or a passkey; what was sent stands in the page's form and is sent with it again."""
    form = AgainForm(meta={"csrf": False})
    passkey = request.form.get("factor_passkey", "")
    if passkey or ("factor_code" in request.form and form.validate()):
        try:
            with transaction():
                if passkey:
                    passkeys.show(user, passkey)
                else:
                    service.show(user, form.factor_code.data)
        except Problem as problem:
            if isinstance(problem, service.WrongCode | passkeys.WrongPasskey):
                with transaction():
                    service.note_failure(user)
            form.refuse("factor_code", problem.message)
        else:
            return None
    elif "factor_code" not in request.form:
        form = AgainForm(formdata=None)
    sent = [(name, value) for name, values in request.form.lists() for value in values if name not in OURS]
    page = render_template("accounts/factor_again.html", form=form, sent=sent, question=passkeys.ask(user))
    return page, status_of(form)
