"""The pages by which people set a password of their own."""

from __future__ import annotations

from flask import Blueprint, flash, make_response, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _

from trace_app.accounts import tokens
from trace_app.accounts.access import public
from trace_app.accounts.forms import FirstPasswordForm
from trace_app.accounts.slips import service
from trace_app.accounts.slips.forms import ForgottenForm
from trace_app.db.session import transaction
from trace_app.extensions import limiter
from trace_app.messages.delivery import mail_is_set
from trace_app.messages.slip_letters import answer_forgotten, is_on_its_way
from trace_app.templating import status_of

views = Blueprint("slips", __name__)


@views.get("/slips")
@public
def forgotten() -> ResponseReturnValue:
    return render_template("accounts/forgotten.html", form=ForgottenForm(), mail=mail_is_set(), asked=False)


@views.post("/slips")
@public
@limiter.limit("5/minute;20/hour")
def ask() -> ResponseReturnValue:
    """The answer is the same whoever is named. Looked up is the name by a job, so that it takes as long, too."""
    form = ForgottenForm()
    asked = form.validate()
    if asked and mail_is_set() and not is_on_its_way(answer_forgotten, form.identity.data):
        asked = False
        form.form_errors = [str(_("现在寄不出邮件，还没有提交。请过一会儿再试，或请县里的平台管理员重设。"))]
    page = render_template("accounts/forgotten.html", form=form, mail=mail_is_set(), asked=asked)
    return page, status_of(form)


@views.route("/slips/<word>", methods=["GET", "POST"])
@public
@limiter.limit("30/minute", methods=["POST"])
@limiter.limit("60/minute")
def use(word: str) -> ResponseReturnValue:
    """Looking at it uses nothing up: programs that read mail look at what it links to."""
    user = service.slip_of(word).user
    form = FirstPasswordForm(owner=user)
    if form.validate_on_submit():
        with transaction():
            owner = service.use(word, form.new.data or "")
            if form.void_tokens.data:
                tokens.revoke_all(owner)
        flash(_("密码已设好，请用它登录。"))
        return redirect(url_for("security.login"))
    page = render_template("accounts/first_password.html", form=form, user=user, tokens=tokens.tokens_of(user))
    answer = make_response(page, status_of(form))
    answer.headers["Cache-Control"] = "no-store"
    return answer
