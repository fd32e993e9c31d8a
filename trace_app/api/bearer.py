"""Who calls the API, and for what: the user of the bearer token (RFC 6750), within the token's scopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from flask import abort, current_app, g, request
from flask_babel import lazy_gettext as _

from trace_app.accounts.models import TokenScope
from trace_app.accounts.tokens import valid_token
from trace_app.errors import Problem

View = TypeVar("View", bound=Callable[..., object])


class OutOfScope(Problem):
    """The token is not for this."""

    status = 403
    title = _("这个令牌没有“%(scope)s”的权限。请在“我的账号”另建一个有此权限的令牌。")


def scope(needed: TokenScope) -> Callable[[View], View]:
    """What a token has to be for, to be taken by the view; reading needs no word where GET asks for it."""

    def mark(view: View) -> View:
        view.token_scope = needed  # type: ignore[attr-defined]
        return view

    return mark


def read_bearer() -> None:
    """Know the user by its token, before every request. A token that is none of ours is refused at once.

    :raises OutOfScope:
    """
    if not request.path.startswith("/api/"):
        return
    scheme, _space, text = request.headers.get("Authorization", "").partition(" ")
    if not scheme:
        return
    token = valid_token(text.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        abort(401)
    view = current_app.view_functions.get(request.endpoint or "")
    if request.endpoint and getattr(view, "allowed_roles", None):
        needed = getattr(view, "token_scope", TokenScope.READ if request.method in {"GET", "HEAD"} else None)
        if needed not in token.scopes:
            raise OutOfScope(scope=needed.value if needed else request.method)
    g.token_user = token.user
