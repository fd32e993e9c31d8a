"""Slips: addresses by which people set their own passwords, once, so that nobody else ever knows one.

The address ends with a random word that is signed, so that what was made up is refused without asking the database;
kept is only the SHA-256 of the word.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import NamedTuple

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from itsdangerous import BadSignature, Signer

from trace_app.accounts import audit
from trace_app.accounts.digests import digest_of
from trace_app.accounts.models import Organisation, PasswordSlip, RoleName, SlipPurpose, User
from trace_app.accounts.service import create_user, hold, set_password, take_password, user_by_identity
from trace_app.db.base import utc_now
from trace_app.errors import Problem
from trace_app.extensions import db
from trace_app.settings import settings

GOOD_FOR = {SlipPurpose.INVITATION: timedelta(days=7), SlipPurpose.RESET: timedelta(days=1)}
ASKED_EVERY = timedelta(minutes=15)
"""How often at most a slip is sent to an account whose owner asks for one: others may type its name, too."""


class SlipIsWorthNothing(Problem):
    """A slip that was used, has expired, was voided by a later one, or never was."""

    status = 410
    title = _("这个链接已经用过、过期，或被新的链接取代。请向县里的平台管理员要一张新的，或在登录页点“忘记密码”。")


class HandedOut(NamedTuple):
    """A slip with the end of its address, which is known this once."""

    slip: PasswordSlip
    word: str


def invite(actor: User | None, organisation: Organisation, role: RoleName, **facts: str | None) -> HandedOut:
    """Add a user without a password, and make the slip by which it sets one.

    :param facts: what else `create_user` takes.
    :raises AlreadyTaken, RoleDoesNotFit, BeyondJurisdiction:
    """
    user = create_user(actor, organisation, role, **facts)  # type: ignore[arg-type]  # the form's values by name
    audit.note(actor, "invite", user)
    return _hand_out(actor, user, SlipPurpose.INVITATION)


def reset(actor: User | None, user: User) -> HandedOut:
    """Take a user's password away, end its sessions, and make the slip by which it sets a new one.

    :param actor: an administrator, or None at the command line.
    :raises BeyondJurisdiction, OwnMeans:
    """
    take_password(actor, user)
    audit.note(actor, "reset", user)
    return _hand_out(actor, user, SlipPurpose.RESET)


def ask_by_mail(identity: str) -> HandedOut | None:
    """A slip for who has forgotten a password, to be sent to its address; None where there is no such account, it has
    no address, or was sent one a moment ago. Its password and sessions stay: anyone may ask in another's name."""
    user = user_by_identity(identity)
    if user is None or not user.active or not user.email:
        return None
    lately = sa.select(PasswordSlip.id).where(
        PasswordSlip.user_id == user.id,
        PasswordSlip.created_by_id.is_(None),
        PasswordSlip.created_at > utc_now() - ASKED_EVERY,
    )
    if db.session.scalar(lately.limit(1)) is not None:
        return None
    audit.note(None, "ask-reset", user)
    return _hand_out(None, user, SlipPurpose.RESET)


def _hand_out(actor: User | None, user: User, purpose: SlipPurpose) -> HandedOut:
    # An account has one open slip: two are not made at the same time.
    hold(user)
    _void_slips(user)
    word = secrets.token_urlsafe(16)
    now = utc_now()
    slip = PasswordSlip(
        user=user,
        purpose=purpose,
        digest=digest_of(word),
        created_at=now,
        created_by_id=actor.id if actor else None,
        expires_at=now + GOOD_FOR[purpose],
    )
    db.session.add(slip)
    db.session.flush()
    return HandedOut(slip, _signer().sign(word).decode())


def _void_slips(user: User) -> None:
    still_open = (
        sa.update(PasswordSlip)
        .where(PasswordSlip.user_id == user.id, PasswordSlip.ended_at.is_(None))
        .values(ended_at=utc_now(), used=False)
    )
    db.session.execute(still_open)


def slip_of(word: str) -> PasswordSlip:
    """The slip that an address ends with, as long as it is good.

    :raises SlipIsWorthNothing:
    """
    try:
        known = _signer().unsign(word).decode()
    except (BadSignature, UnicodeError) as error:
        raise SlipIsWorthNothing from error
    query = (
        sa.select(PasswordSlip)
        .join(PasswordSlip.user)
        .where(
            PasswordSlip.digest == digest_of(known),
            PasswordSlip.ended_at.is_(None),
            PasswordSlip.expires_at > utc_now(),
            User.active,
        )
    )
    slip = db.session.scalar(query)
    if slip is None:
        raise SlipIsWorthNothing
    return slip


def use(word: str, password: str) -> User:
    """Set the password of the account that a slip is for.

    :raises SlipIsWorthNothing:
    """
    hold(slip_of(word).user)
    # Looked at anew: someone else may have used or voided it meanwhile.
    slip = slip_of(word)
    slip.ended_at, slip.used = utc_now(), True
    set_password(slip.user, password)
    return slip.user


def is_good(slip_id: int) -> bool:
    """Whether a slip still waits to be used."""
    slip = db.session.get(PasswordSlip, slip_id)
    return slip is not None and slip.ended_at is None and slip.expires_at > utc_now()


def _signer() -> Signer:
    return Signer(settings().signing_key, salt="password slip")
