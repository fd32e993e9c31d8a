"""What was typed outlives its session: a form that can't be taken comes back on a page, to be sent again by a click.

A form names for whom it was shown (``form_for``, signed, in the macro of all forms). So what is kept was typed on a
page of the platform, and comes back to nobody else. Nothing is saved before the form is sent with a good token.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, current_app, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from itsdangerous import BadSignature, URLSafeSerializer

from trace_app.accounts.access import acting_user
from trace_app.error_pages import TOO_OLD, answer
from trace_app.plain_text import SECRETS

FIELD = "form_for"
OURS = {"csrf_token", FIELD, "factor_code", "factor_passkey", *SECRETS}
"""What isn't kept: tokens, passwords and codes."""
WITHOUT_KEEPING = {"accounts.change_password"}
WITHOUT_KEEPING_ROOMS = {"security", "factors", "slips"}
MOST = 2 * 1024 * 1024
"""Bytes that are read from someone who is signed out where files may come; 64 KB elsewhere. Nothing is kept of more."""


def init_app(app: Flask) -> None:
    """Set it up: behind the look for a token. `keep_of_signed_out` stands in front of the guard."""
    app.before_request(_keep_of_another)
    app.register_error_handler(CSRFError, _bad_token)
    app.jinja_env.globals[FIELD] = _form_for


def keep_of_signed_out() -> ResponseReturnValue | None:
    """Answer a form of someone who is signed out by now; where there is nothing to keep, the guard answers."""
    view = current_app.view_functions.get(request.endpoint or "")
    if not getattr(view, "allowed_roles", None) or not _is_ours() or acting_user() is not None:
        return None
    if getattr(view, "takes_uploads", False):
        request.max_content_length = MOST
    length = request.content_length
    if length is None or length > (request.max_content_length or 0) or not request.form.get(FIELD):
        return None
    return _page("out", 401) if _owner() else None


def _keep_of_another() -> ResponseReturnValue | None:
    """A page that was opened by one account isn't sent by another."""
    if not _is_ours() or (user := acting_user()) is None:
        return None
    owner = _owner()
    return _page("other", 409) if owner and owner != user.id else None


def _bad_token(_error: CSRFError) -> ResponseReturnValue:
    if _is_ours():
        user, owner = acting_user(), _owner()
        if user is not None and owner == user.id:
            return _page("again", 400)
        if owner:
            return _page("other" if user is not None else "out", 400)
    return answer(400, str(TOO_OLD))


def _is_ours() -> bool:
    """Whether a page of the platform's own is sent, by the browser itself. Scripts look after what they send."""
    if request.method != "POST" or request.endpoint is None or request.path.startswith("/api/"):
        return False
    if request.endpoint in WITHOUT_KEEPING or request.blueprint in WITHOUT_KEEPING_ROOMS:
        return False
    headers = request.headers
    if headers.get("Sec-Fetch-Mode", "navigate") != "navigate" or "Tus-Resumable" in headers:
        return False
    if headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return False
    origin = headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.host


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt=FIELD)


def _form_for() -> str:
    """The user for whom a form is shown, signed; empty for a visitor."""
    user = acting_user()
    return str(_signer().dumps(user.id)) if user is not None else ""


def _owner() -> int | None:
    """The user for whom the form that came was shown."""
    try:
        owner: int = _signer().loads(request.form.get(FIELD, ""))
    except BadSignature:
        return None
    return owner


def _page(why: str, status: int) -> ResponseReturnValue:
    kept = [(name, value) for name, values in request.form.lists() for value in values if name not in OURS]
    files = [file.filename for file in request.files.values() if file.filename]
    page = render_template("accounts/unsent.html", why=why, kept=kept, files=files, whose=request.form[FIELD])
    return page, status
