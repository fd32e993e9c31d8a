"""Who may do what: roles on views, ownership and jurisdiction on rows. The one place for both.

Every view carries one of `public`, `signed_in` or `allow`; the guard in front of all requests refuses
a view that carries none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from flask import Flask, abort, current_app, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext as _
from flask_security import current_user

from trace_app.accounts.models import Organisation, OrganisationKind, RoleName, User
from trace_app.db.base import Id
from trace_app.errors import Problem

View = TypeVar("View", bound=Callable[..., object])

ANYONE: frozenset[RoleName] = frozenset()
EVERY_ROLE = frozenset(RoleName)
SUPERVISORS = frozenset({RoleName.REGULATOR, RoleName.ADMINISTRATOR})
HOME = "5303"
"""What the codes of Qujing's divisions begin with: where the platform works."""
GUESTS = frozenset({OrganisationKind.LABORATORY, OrganisationKind.BUYER})
"""The kinds of organisation that may have their seat elsewhere."""

# Endpoints of libraries, which can't carry our decorators.
LIBRARY_ENDPOINTS = {
    "static": ANYONE,
    "security.login": ANYONE,
    "security.logout": EVERY_ROLE,
    "security.change_password": EVERY_ROLE,
    "security.two_factor_token_validation": ANYONE,
    "security.mf_recovery": ANYONE,
}


FIRST_THINGS = {"accounts.change_password", "security.logout"}
"""What a user may do who first has to set a password of its own."""


class NotFound(Problem):
    """There is no such thing, or none that this user may know of."""

    status = 404
    title = _("没有找到，或者您无权查看。请检查网址，或返回列表重新选择。")


def public(view: View) -> View:
    """Anyone may use the view, without signing in."""
    return _marked(view, ANYONE)


def signed_in(view: View) -> View:
    """Every user may use the view."""
    return _marked(view, EVERY_ROLE)


def allow(*roles: RoleName) -> Callable[[View], View]:
    """Users of these roles may use the view."""
    return lambda view: _marked(view, frozenset(roles))


def _marked(view: View, roles: frozenset[RoleName]) -> View:
    view.allowed_roles = roles  # type: ignore[attr-defined]
    return view


def allowed_roles(app: Flask, endpoint: str) -> frozenset[RoleName] | None:
    """Who may use an endpoint: empty for anyone, None where nobody said."""
    if endpoint in LIBRARY_ENDPOINTS:
        return LIBRARY_ENDPOINTS[endpoint]
    roles: frozenset[RoleName] | None = getattr(app.view_functions[endpoint], "allowed_roles", None)
    return roles


def guard() -> ResponseReturnValue | None:
    """Let a request pass, ask to sign in, or refuse; it runs before each."""
    if request.endpoint is None:
        return None
    roles = allowed_roles(current_app, request.endpoint)
    if roles is None:
        abort(403)
    if not roles:
        return None
    user = acting_user()
    if user is None:
        return _ask_to_sign_in()
    if user.role not in roles:
        abort(403)
    return _first_things_first(user)


def _first_things_first(user: User) -> ResponseReturnValue | None:
    """Lead a user whose password someone else once set to where it sets its own. Programs come with tokens."""
    if user.password_change_due and request.endpoint not in FIRST_THINGS and not request.path.startswith("/api/"):
        return redirect(url_for("accounts.change_password"))
    return None


def _ask_to_sign_in() -> ResponseReturnValue:
    if request.path.startswith("/api/"):
        abort(401)
    unauthenticated: ResponseReturnValue = current_app.login_manager.unauthorized()  # type: ignore[attr-defined]
    return unauthenticated


def acting_user() -> User | None:
    """The user of this request: by bearer token in the API, by session elsewhere.

    None too where the database has failed and can't be asked (``g.user_unknown``).
    """
    if request.path.startswith("/api/"):
        token_user: User | None = g.get("token_user")
        return token_user
    if g.get("user_unknown"):
        return None
    return current_user._get_current_object() if current_user.is_authenticated else None


def the_user() -> User:
    """The user of a view that the guard lets only users into."""
    user = acting_user()
    if user is None:
        abort(401)
    return user


def division_prefix(code: str) -> str:
    """What the codes of a division and all below it begin with: 53 for Yunnan, 5303 for Qujing, 530324 for Luoping."""
    while len(code) in (4, 6) and code.endswith("00"):
        code = code[:-2]
    return code


def within_jurisdiction(user: User, division_code: str) -> bool:
    """Whether a place lies where the user's organisation is the regulator."""
    jurisdiction = user.organisation.jurisdiction_code
    if user.role not in SUPERVISORS or jurisdiction is None:
        return False
    return division_code.startswith(division_prefix(jurisdiction))


def may_administer(user: User, organisation: Organisation) -> bool:
    """Whether an administrator may change an organisation and its users: it lies in the jurisdiction, and watches over
    nothing that lies outside it. So nobody acts upon a level above. Buyers and laboratories of elsewhere are the
    city's."""
    if user.role is not RoleName.ADMINISTRATOR:
        return False
    if keeps_shared_tables(user) and _is_guest(organisation):
        return True
    return all(
        within_jurisdiction(user, code)
        for code in (organisation.division_code, organisation.jurisdiction_code)
        if code is not None
    )


def _is_guest(organisation: Organisation) -> bool:
    return organisation.kind in GUESTS and not organisation.division_code.startswith(HOME)


def administered_by(user: User) -> sa.ColumnElement[bool]:
    """`may_administer` as a condition on `Organisation`."""
    jurisdiction = user.organisation.jurisdiction_code
    if user.role is not RoleName.ADMINISTRATOR or jurisdiction is None:
        return sa.false()
    prefix = division_prefix(jurisdiction)
    watches_over = Organisation.jurisdiction_code
    within = sa.and_(
        Organisation.division_code.startswith(prefix, autoescape=True),
        sa.or_(watches_over.is_(None), watches_over.startswith(prefix, autoescape=True)),
    )
    if keeps_shared_tables(user):
        within = sa.or_(within, sa.and_(Organisation.kind.in_(GUESTS), ~Organisation.division_code.startswith(HOME)))
    return within


def keeps_shared_tables(user: User) -> bool:
    """Whether a user's authority is the city's: what all counties share (inputs, limits, kinds) is changed there."""
    jurisdiction = user.organisation.jurisdiction
    return user.role in SUPERVISORS and jurisdiction is not None and division_prefix(jurisdiction.code) == HOME


class CityAlone(Problem):
    """A county's officers may not change what all counties share."""

    status = 403
    title = _("全市共用的目录由市级维护。需要修改时，请把依据报送市级管理员。")


def must_keep_shared_tables(user: User) -> None:
    """:raises CityAlone:"""
    if not keeps_shared_tables(user):
        raise CityAlone


def may_see(user: User | None, producer_id: int, division_code: str) -> bool:
    """Whether a row of a producer and place is the user's own or in its jurisdiction."""
    if user is None:
        return False
    if user.role is RoleName.PRODUCER:
        return user.organisation_id == producer_id
    return within_jurisdiction(user, division_code)


def visible_to(user: User, producer_id: Id, division_code: sa.SQLColumnExpression[str]) -> sa.ColumnElement[bool]:
    """`may_see` as a condition on columns."""
    if user.role is RoleName.PRODUCER:
        return sa.and_(producer_id == user.organisation_id)
    jurisdiction = user.organisation.jurisdiction_code
    if user.role not in SUPERVISORS or jurisdiction is None:
        return sa.false()
    return sa.and_(division_code.startswith(division_prefix(jurisdiction), autoescape=True))
