"""Who calls the API: the user of the bearer token (RFC 6750)."""

from __future__ import annotations

from flask import abort, g, request

from trace_app.accounts.service import user_of_token


def read_bearer() -> None:
    """Know the user by its token, before every request. A token that is none of ours is refused at once."""
    if not request.path.startswith("/api/"):
        return
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if not scheme:
        return
    user = user_of_token(text.strip()) if scheme.lower() == "bearer" else None
    if user is None:
        abort(401)
    g.token_user = user
