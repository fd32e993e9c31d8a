"""Sessions of signed-in people, kept in the database: listed with their devices, and ended one by one.

A browser holds a random word in Flask's signed cookie; only its SHA-256 is kept. A cookie whose session has ended, or
was not used for too long, is worth nothing, whoever has a copy of it. The library's own cookie for staying signed in is
not used: who wants to stay has a session that lasts.
"""

from __future__ import annotations

import re
import secrets
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from flask import Flask, has_request_context, request, session
from flask_babel import lazy_gettext as _
from flask_login import user_logged_out  # type: ignore[import-untyped]
from flask_security import user_authenticated

from trace_app.accounts import audit
from trace_app.accounts.access import SUPERVISORS, NotFound
from trace_app.accounts.digests import digest_of
from trace_app.accounts.models import User, UserSession
from trace_app.db.base import utc_now
from trace_app.extensions import db
from trace_app.settings import settings

WORD = "sid"
"""The name in the cookie of what a session is known by."""
OFFICERS_IDLE = timedelta(minutes=30)
"""How long an authority's session may go unused."""
IDLE = timedelta(hours=12)
LASTING = timedelta(days=30)
"""How long a session may go unused where its user stays signed in, such as on a phone in the field."""
NOTED_EVERY = timedelta(minutes=1)
LISTED = 50

log = structlog.get_logger()

_SYSTEMS = (
    (r"HarmonyOS|OpenHarmony", "HarmonyOS"),
    (r"Android", "Android"),
    (r"iPhone", "iPhone"),
    (r"iPad", "iPad"),
    (r"Windows", "Windows"),
    (r"Mac OS X|Macintosh", "macOS"),
    (r"Linux", "Linux"),
)
_PROGRAMS = (
    (r"MicroMessenger", _("微信")),
    (r"Edg", "Edge"),
    (r"Firefox", "Firefox"),
    (r"Chrom", "Chrome"),
    (r"Safari", "Safari"),
)


def init_app(app: Flask) -> None:
    """Have sessions begin and end with the library's signing in and out, and be asked for with each request."""
    app.config["PERMANENT_SESSION_LIFETIME"] = LASTING
    # A cookie is sent anew when what it says changes, not with every answer.
    app.config["SESSION_REFRESH_EACH_REQUEST"] = False
    app.login_manager.user_loader(_user_of_session)  # type: ignore[attr-defined]
    user_authenticated.connect(_begin, app)
    user_logged_out.connect(_end_this, app)


def _user_of_session(uniquifier: str) -> User | None:
    """The user of the request's cookie, as long as its session goes on."""
    user: User | None = db.session.scalar(db.select(User).filter_by(fs_uniquifier=uniquifier, active=True))
    row = this_session()
    if user is None or row is None or row.user_id != user.id:
        return None
    now = utc_now()
    if now - row.seen_at > allowed_idle(user, lasting=row.lasting):
        return None
    if now - row.seen_at > NOTED_EVERY:
        _note_seen(row.id)
    return user


def _note_seen(session_id: int) -> None:
    """Note that a session is in use. On a connection of its own: what the request has read so far may be out of date by
    now, and SQLite lets nobody write who has read before others wrote. Nobody's page waits for the note."""
    seen = sa.update(UserSession).where(UserSession.id == session_id).values(seen_at=utc_now())
    try:
        with db.engine.begin() as connection:
            connection.execute(seen)
    except sa.exc.OperationalError as error:
        log.warning("a session's use was not noted", error=type(error).__name__)


def allowed_idle(user: User, *, lasting: bool) -> timedelta:
    """How long a user's session may go unused."""
    if user.role in SUPERVISORS:
        return OFFICERS_IDLE
    return LASTING if lasting else IDLE


def this_session() -> UserSession | None:
    """The session that the request's cookie names, if it goes on."""
    word = session.get(WORD) if has_request_context() else None
    if not isinstance(word, str):
        return None
    found: UserSession | None = db.session.scalar(
        db.select(UserSession).filter_by(digest=digest_of(word), ended_at=None)
    )
    return found


def _begin(_app: Flask, user: User, **_named: Any) -> None:
    # The library's word for its own cookie, which is not to be sent.
    lasting = session.pop("_remember", None) == "set"
    session.pop("_remember_seconds", None)
    word = secrets.token_urlsafe(32)
    session[WORD], session.permanent = word, lasting and user.role not in SUPERVISORS
    row = UserSession(
        user_id=user.id, digest=digest_of(word), device=_device(), lasting=session.permanent, began_at=utc_now()
    )
    row.seen_at = row.began_at
    if user.tf_primary_method is not None:
        # Whoever has a second factor is let in by it alone.
        row.factor_at = row.began_at
    elif user.factor_due_at is None:
        user.factor_due_at = row.began_at + timedelta(hours=settings().factor_grace_h)
    db.session.add(row)
    db.session.flush()
    audit.note(user, "sign-in", row, device=row.device)


def _end_this(_app: Flask, **_named: Any) -> None:
    if (row := this_session()) is not None:
        row.ended_at = utc_now()
        db.session.commit()
    session.pop(WORD, None)


def sessions_of(user: User) -> list[UserSession]:
    """The sessions of a user that go on, the latest first."""
    query = db.select(UserSession).filter_by(user_id=user.id, ended_at=None).order_by(UserSession.seen_at.desc())
    now = utc_now()
    rows = db.session.scalars(query.limit(LISTED))
    return [row for row in rows if now - row.seen_at <= allowed_idle(user, lasting=row.lasting)]


def end_session(user: User, session_id: int) -> None:
    """:raises NotFound: where the user has no such session that goes on."""
    row = db.session.scalar(db.select(UserSession).filter_by(id=session_id, user_id=user.id, ended_at=None))
    if row is None:
        raise NotFound
    row.ended_at = utc_now()
    audit.note(user, "end", row, device=row.device)


def end_sessions(user: User, *, but: UserSession | None = None) -> None:
    """End all sessions of a user, or all but one."""
    ended = sa.update(UserSession).where(UserSession.user_id == user.id, UserSession.ended_at.is_(None))
    if but is not None:
        ended = ended.where(UserSession.id != but.id)
    db.session.execute(ended.values(ended_at=utc_now()))


def _device() -> str:
    """What the program says that it is, in two words: a name for the list, no more."""
    agent = request.headers.get("User-Agent", "") if has_request_context() else ""
    system = next((name for pattern, name in _SYSTEMS if re.search(pattern, agent)), "")
    program = next((str(name) for pattern, name in _PROGRAMS if re.search(pattern, agent)), "")
    return " · ".join(filter(None, (system, program)))
