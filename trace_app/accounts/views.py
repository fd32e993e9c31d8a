"""The user's own page, and an administrator's pages of organisations and users."""

from __future__ import annotations

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_security import login_user

from trace_app.accounts import service, sessions, tokens
from trace_app.accounts.access import SUPERVISORS, allow, keeps_shared_tables, signed_in, the_user
from trace_app.accounts.factors import service as factors
from trace_app.accounts.factors.freshness import fresh_factor
from trace_app.accounts.forms import (
    BRANCHES,
    ORGANISATION_KINDS,
    ROLES,
    SCOPES,
    OrganisationForm,
    PasswordForm,
    TokenForm,
    UserForm,
)
from trace_app.accounts.models import RoleName, TokenScope
from trace_app.accounts.service import AUDIT_ACTIONS
from trace_app.accounts.slips import service as slips
from trace_app.db.session import transaction
from trace_app.messages.delivery import mail_is_set
from trace_app.messages.slip_letters import is_on_its_way, post_slip
from trace_app.paper import dark_modules
from trace_app.settings import address_of
from trace_app.templating import register_words, status_of

views = Blueprint("accounts", __name__)
register_words(views, organisation_kind=ORGANISATION_KINDS, role=ROLES, branch=BRANCHES, token_scope=SCOPES)
views.add_app_template_test(keeps_shared_tables, "of_the_city")
views.add_app_template_filter(lambda action: AUDIT_ACTIONS.get(action, action), "audit_action")


@views.get("/start")
@signed_in
def start() -> ResponseReturnValue:
    """Where a user lands after signing in."""
    if the_user().role is RoleName.LABORATORY:
        return redirect(url_for("laboratory.start"))
    if the_user().role is RoleName.BUYER:
        return redirect(url_for("shipments.index"))
    if the_user().role in SUPERVISORS:
        return redirect(url_for("desk.show"))
    return redirect(url_for("today.show"))


@views.get("/account")
@signed_in
def account() -> ResponseReturnValue:
    return _account(TokenForm(formdata=None, role=the_user().role))


@views.post("/account/tokens")
@signed_in
@fresh_factor
def create_token() -> ResponseReturnValue:
    form = TokenForm(role=the_user().role)
    if not form.validate():
        return _account(form)
    with transaction():
        scopes = [TokenScope(scope) for scope in form.scopes.data or []]
        _token, text = tokens.create_token(the_user(), form.name.data, scopes, int(form.days.data))
    return _account(TokenForm(formdata=None, role=the_user().role), fresh_token=text)


def _account(form: TokenForm, fresh_token: str | None = None) -> ResponseReturnValue:
    user = the_user()
    page = render_template(
        "accounts/account.html",
        user=user,
        role=ROLES[user.role],
        form=form,
        tokens=tokens.tokens_of(user),
        fresh_token=fresh_token,
        sessions=sessions.sessions_of(user),
        this_session=sessions.this_session(),
    )
    return page, status_of(form)


@views.post("/account/tokens/<int:token_id>/revoke")
@signed_in
def revoke_token(token_id: int) -> ResponseReturnValue:
    with transaction():
        tokens.revoke_token(the_user(), tokens.token_of(the_user(), token_id))
    flash(_("令牌已作废。"))
    return redirect(url_for("accounts.account"))


@views.post("/account/sessions/<int:session_id>/end")
@signed_in
def end_session(session_id: int) -> ResponseReturnValue:
    with transaction():
        sessions.end_session(the_user(), session_id)
    flash(_("那台设备上的登录已退出。"))
    return redirect(url_for("accounts.account"))


@views.post("/account/sessions/end")
@signed_in
def end_other_sessions() -> ResponseReturnValue:
    with transaction():
        sessions.end_sessions(the_user(), but=sessions.this_session())
    flash(_("其他设备上的登录都已退出。"))
    return redirect(url_for("accounts.account"))


@views.route("/account/password", methods=["GET", "POST"])
@signed_in
def change_password() -> ResponseReturnValue:
    form = PasswordForm(owner=the_user())
    before = sessions.this_session()
    factor_at = before.factor_at if before else None
    if form.validate_on_submit():
        with form.refusals(current=service.WrongPassword), transaction():
            service.change_password(the_user(), form.current.data or "", form.new.data or "")
            if form.void_tokens.data:
                tokens.revoke_all(the_user())
        if not form.errors:
            with transaction():
                login_user(the_user())
                if (row := sessions.this_session()) is not None:
                    # The second factor was shown when it was shown.
                    row.factor_at = factor_at
            flash(_("密码已更改，其他设备上的登录已退出。"))
            if tokens.tokens_of(the_user()):
                flash(_("您的接口令牌仍然有效；如果密码可能泄露过，请把令牌也作废。"))
            return redirect(url_for("accounts.account"))
    page = render_template(
        "accounts/password.html", form=form, due=the_user().password_change_due, tokens=tokens.tokens_of(the_user())
    )
    return page, status_of(form)


@views.get("/admin")
@allow(RoleName.ADMINISTRATOR)
def organisations() -> ResponseReturnValue:
    search = request.args.get("q", "").strip()
    return render_template(
        "accounts/organisations.html",
        organisations=service.organisations(the_user(), search),
        search=search,
    )


@views.route("/admin/organisations/new", methods=["GET", "POST"])
@allow(RoleName.ADMINISTRATOR)
@fresh_factor
def new_organisation() -> ResponseReturnValue:
    form = OrganisationForm(administrator=the_user())
    if form.validate_on_submit():
        with form.refusals(name=service.AlreadyTaken, identity_number=service.PersonKnown), transaction():
            organisation = service.create_organisation(the_user(), **form.facts)
        if not form.errors:
            flash(_("单位已登记。现在可以为它添加用户。"))
            return redirect(url_for("accounts.organisation", organisation_id=organisation.id))
    known = service.person_known(the_user(), form.identity_number.data) if form.errors else None
    page = render_template("accounts/organisation_form.html", form=form, organisation=None, identity="", known=known)
    return page, status_of(form)


@views.get("/admin/organisations/<int:organisation_id>")
@allow(RoleName.ADMINISTRATOR)
def organisation(organisation_id: int) -> ResponseReturnValue:
    row = service.administered_organisation(the_user(), organisation_id)
    return render_template("accounts/organisation.html", organisation=row, identity=service.identity_shown(row))


@views.route("/admin/organisations/<int:organisation_id>/edit", methods=["GET", "POST"])
@allow(RoleName.ADMINISTRATOR)
@fresh_factor
def edit_organisation(organisation_id: int) -> ResponseReturnValue:
    row = service.administered_organisation(the_user(), organisation_id)
    has_identity = row.identity_fingerprint is not None
    form = OrganisationForm(obj=row, kind=row.kind, administrator=the_user(), has_identity=has_identity)
    if form.validate_on_submit():
        with form.refusals(name=service.AlreadyTaken, identity_number=service.PersonKnown), transaction():
            service.change_organisation(
                the_user(), service.administered_organisation(the_user(), organisation_id), **form.facts
            )
        if not form.errors:
            flash(_("已保存。"))
            return redirect(url_for("accounts.organisation", organisation_id=organisation_id))
    row = service.administered_organisation(the_user(), organisation_id)
    known = service.person_known(the_user(), form.identity_number.data, but=row.id) if form.errors else None
    page = render_template(
        "accounts/organisation_form.html",
        form=form,
        organisation=row,
        identity=service.identity_shown(row),
        known=known,
    )
    return page, status_of(form)


@views.route("/admin/organisations/<int:organisation_id>/users/new", methods=["GET", "POST"])
@allow(RoleName.ADMINISTRATOR)
@fresh_factor
def new_user(organisation_id: int) -> ResponseReturnValue:
    row = service.administered_organisation(the_user(), organisation_id)
    form = UserForm(roles=service.ROLES_OF_KIND[row.kind])
    if form.validate_on_submit():
        with form.refusals(username=service.AlreadyTaken, role=service.RoleDoesNotFit), transaction():
            facts = form.facts
            role = RoleName(facts.pop("role"))
            handed_out = slips.invite(
                the_user(), service.administered_organisation(the_user(), organisation_id), role, **facts
            )
        if not form.errors:
            return _show_slip(handed_out)
    return render_template("accounts/user_form.html", form=form, organisation=row), status_of(form)


@views.get("/admin/users/<int:user_id>")
@allow(RoleName.ADMINISTRATOR)
def user(user_id: int) -> ResponseReturnValue:
    row = service.administered_user(the_user(), user_id)
    return render_template("accounts/user.html", user=row, role=ROLES[row.role], tokens=tokens.tokens_of(row))


@views.post("/admin/users/<int:user_id>/reset")
@allow(RoleName.ADMINISTRATOR)
@fresh_factor
def reset(user_id: int) -> ResponseReturnValue:
    """Hand out a new slip; the password and all sessions end."""
    with transaction():
        handed_out = slips.reset(the_user(), service.administered_user(the_user(), user_id))
    return _show_slip(handed_out)


@views.post("/admin/users/<int:user_id>/tokens/<int:token_id>/revoke")
@allow(RoleName.ADMINISTRATOR)
@fresh_factor
def revoke_users_token(user_id: int, token_id: int) -> ResponseReturnValue:
    with transaction():
        owner = service.administered_user(the_user(), user_id)
        tokens.revoke_token(the_user(), tokens.token_of(owner, token_id))
    flash(_("令牌已作废。"))
    return redirect(url_for("accounts.user", user_id=user_id))


@views.post("/admin/users/<int:user_id>/remove-factor")
@allow(RoleName.ADMINISTRATOR)
@fresh_factor
def remove_factor(user_id: int) -> ResponseReturnValue:
    with transaction():
        factors.remove_for(the_user(), service.administered_user(the_user(), user_id))
    flash(_("两步验证已解除，本人下次登录后可重新设置。"))
    return redirect(url_for("accounts.user", user_id=user_id))


def _show_slip(handed_out: slips.HandedOut) -> ResponseReturnValue:
    """The page of a slip, this once, for printing; and by mail, where its owner has an address."""
    may_be_mailed = mail_is_set() and bool(handed_out.slip.user.email)
    mailed = may_be_mailed and is_on_its_way(post_slip, handed_out.slip.id, handed_out.word)
    link = address_of("slips.use", word=handed_out.word)
    page = render_template(
        "accounts/slip.html",
        slip=handed_out.slip,
        office=the_user().organisation,
        link=link,
        symbol=dark_modules(link),
        mailed=mailed,
        unsent=may_be_mailed and not mailed,
    )
    answer = make_response(page)
    answer.headers["Cache-Control"] = "no-store"
    return answer


@views.post("/admin/users/<int:user_id>/active")
@allow(RoleName.ADMINISTRATOR)
@fresh_factor
def set_active(user_id: int) -> ResponseReturnValue:
    active = request.form.get("active") == "1"
    with transaction():
        service.set_active(the_user(), service.administered_user(the_user(), user_id), active)
    flash(_("账号已启用。") if active else _("账号已停用。"))
    return redirect(url_for("accounts.user", user_id=user_id))
