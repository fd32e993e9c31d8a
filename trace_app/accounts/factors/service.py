"""Second factors: codes of an app on a phone (TOTP, RFC 6238), and recovery codes for the day that it is lost.

Flask-Security makes, encrypts and checks them; kept here is when a session last showed one, and who must have one.
"""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from flask_security.utils import check_and_get_token_status

from trace_app.accounts import audit
from trace_app.accounts.access import SUPERVISORS
from trace_app.accounts.models import AuditEvent, Passkey, User
from trace_app.accounts.service import hold, must_administer, must_be_anothers
from trace_app.accounts.sessions import end_sessions, this_session
from trace_app.db.base import utc_now
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db, security
from trace_app.settings import settings

FRESH_FOR = timedelta(minutes=10)
"""How long a second factor that was shown holds for what is grave."""
MOST_FAILURES = 10
FAILURES_WITHIN = timedelta(minutes=15)
WINDOW_S = 30
"""Seconds that a phone's clock may be off."""
METHOD = "authenticator"
"""The library's word for codes of an app."""


class WrongCode(Unprocessable):
    """The code is none of the account's, or was used before."""

    title = _("验证码不对或已用过，请输入验证器里现在显示的 6 位数字。")


class TooManyCodes(Unprocessable):
    """Too many wrong codes of one account. Whoever gets this far knows its password."""

    title = _("错误次数太多，请 15 分钟后再试。")


class SetupIsOver(Unprocessable):
    """The setting up was begun too long ago, or is not this user's."""

    title = _("设置已超时，请重新开始。")


class MustStay(Problem):
    """Officers keep a second factor; it can be replaced."""

    title = _("监管人员和管理员须保留两步验证；换手机时请重新设置。")


def has_factor(user: User) -> bool:
    return user.tf_primary_method is not None


def must_have_factor(user: User) -> bool:
    """Whether an account is an officer's, on a platform where officers have a second factor."""
    return settings().officers_need_factor and user.role in SUPERVISORS


def is_overdue(user: User) -> bool:
    """Whether an officer has had the time to set a second factor up, and has none. It begins with signing in."""
    due = user.factor_due_at
    return must_have_factor(user) and not has_factor(user) and due is not None and due <= utc_now()


def begin_setup() -> str:
    """A new secret, encrypted and signed, to be sent back with the first code."""
    state = {"totp_secret": security.totp_factory.generate_totp_secret()}
    return str(security.tf_setup_serializer.dumps(state))


def setup_values(user: User, state: str) -> dict[str, str]:
    """What an app is told of a secret: as an address, for a QR code, and for typing in.

    :raises SetupIsOver:
    """
    values: dict[str, str] = security.totp_factory.fetch_setup_values(_secret_in(state), user)
    return values


def _secret_in(state: str) -> str:
    expired, invalid, said = check_and_get_token_status(state, "tf_setup", timedelta(minutes=30))
    if expired or invalid or not isinstance(said, dict):
        raise SetupIsOver
    return str(said["totp_secret"])


def set_up(user: User, state: str, code: str) -> list[str]:
    """Have an account ask for an app's codes from now on; its other sessions end. Recovery codes are returned this
    once.

    :raises SetupIsOver, WrongCode:
    """
    secret = _secret_in(state)
    user.tf_last_counter = None
    if not security.totp_factory.verify_totp(code, secret, user, window=WINDOW_S):
        raise WrongCode
    security.datastore.tf_set(user, METHOD, totp_secret=secret)
    audit.note(user, "set-factor", user)
    end_sessions(user, but=this_session())
    note_shown()
    return new_recovery_codes(user)


def new_recovery_codes(user: User) -> list[str]:
    """Recovery codes in the place of all earlier ones, returned this once."""
    audit.note(user, "make-recovery-codes", user)
    codes: list[str] = security.mf_recovery_codes_util.create_recovery_codes(user)
    return codes


def remove(user: User) -> None:
    """Ask for no codes any more.

    :raises MustStay:
    """
    if must_have_factor(user):
        raise MustStay
    _take_away(user)
    audit.note(user, "remove-factor", user)


def remove_for(actor: User, user: User) -> None:
    """Help someone who has lost the phone and the recovery codes: its sessions end, and it sets a factor up anew.

    :raises BeyondJurisdiction, OwnMeans:
    """
    must_administer(actor, user.organisation)
    must_be_anothers(actor, user)
    _take_away(user)
    end_sessions(user)
    audit.note(actor, "remove-factor", user)


def _take_away(user: User) -> None:
    user.tf_primary_method = user.tf_totp_secret = user.tf_last_counter = user.factor_due_at = None
    user.mf_recovery_codes = None
    db.session.execute(sa.delete(Passkey).where(Passkey.user_id == user.id))


def show(user: User, code: str) -> None:
    """Take a code of the app, or a recovery code, for the session.

    :raises WrongCode, TooManyCodes:
    """
    refuse_guessing(user)
    secret = user.tf_totp_secret
    code = "".join(code.split())
    util = security.mf_recovery_codes_util
    if secret and security.totp_factory.verify_totp(code, secret, user, window=WINDOW_S):
        audit.note(user, "show-factor", user)
    elif util.check_recovery_code(user, code):
        util.delete_recovery_code(user, code)
        audit.note(user, "use-recovery-code", user)
    else:
        raise WrongCode
    note_shown()


def refuse_guessing(user: User) -> None:
    """Have the codes of an account looked at one after the other, so that none is taken twice at the same time.

    :raises TooManyCodes:
    """
    hold(user)
    db.session.refresh(user, ["tf_last_counter", "mf_recovery_codes"])
    query = sa.select(sa.func.count()).where(
        AuditEvent.subject_type == User.__tablename__,
        AuditEvent.subject_id == user.id,
        AuditEvent.action == "factor-failed",
        AuditEvent.at > utc_now() - FAILURES_WITHIN,
    )
    if (db.session.scalar(query) or 0) >= MOST_FAILURES:
        raise TooManyCodes


def note_failure(user: User) -> None:
    audit.note(None, "factor-failed", user)


def note_shown() -> None:
    """The session has shown a second factor now."""
    row = this_session()
    if row is not None:
        row.factor_at = utc_now()


def is_fresh() -> bool:
    """Whether the session has shown a second factor a moment ago."""
    row = this_session()
    return row is not None and row.factor_at is not None and utc_now() - row.factor_at <= FRESH_FOR
