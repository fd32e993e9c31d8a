"""Bearer tokens, by which programs act for their user: named, for some purposes, for some time.

A token reads ``qjtrace_``, 43 characters, and a checksum of 6: so that whoever searches files for lost secrets knows
one, and a mistyped one is told without asking the database.
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Collection
from datetime import timedelta

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound
from trace_app.accounts.digests import digest_of
from trace_app.accounts.models import ApiToken, RoleName, TokenScope, User
from trace_app.accounts.service import must_administer
from trace_app.db.base import utc_now
from trace_app.extensions import db

PREFIX = "qjtrace_"
_CHECKSUM_CHARACTERS = 6
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
GOOD_FOR_DAYS = (30, 90, 365)
USUAL_DAYS = 90
USE_NOTED_EVERY = timedelta(minutes=10)
SCOPES_OF_ROLE = {
    RoleName.PRODUCER: (TokenScope.READ, TokenScope.RECORDS, TokenScope.LABELS),
    RoleName.REGULATOR: (TokenScope.READ, TokenScope.RECALLS),
    RoleName.ADMINISTRATOR: (TokenScope.READ, TokenScope.RECALLS),
    RoleName.LABORATORY: (TokenScope.READ,),
    RoleName.BUYER: (TokenScope.READ,),
}
"""What the API has for a role to do."""


def create_token(
    user: User, name: str, scopes: Collection[TokenScope] = (TokenScope.READ,), days: int = USUAL_DAYS
) -> tuple[ApiToken, str]:
    """Make a bearer token. Its text is returned this once and never kept."""
    body = PREFIX + secrets.token_urlsafe(32)
    text = body + _checksum(body)
    now = utc_now()
    token = ApiToken(
        user=user,
        name=name,
        prefix=text[:12],
        digest=digest_of(text),
        created_at=now,
        expires_at=now + timedelta(days=days),
        **{f"for_{scope.value}": scope in scopes for scope in TokenScope},
    )
    db.session.add(token)
    db.session.flush()
    audit.note(user, "create", token, name=name, scopes=[scope.value for scope in token.scopes], days=days)
    return token, text


def revoke_token(actor: User, token: ApiToken) -> None:
    """:raises BeyondJurisdiction: where an administrator revokes another's."""
    if actor.id != token.user_id:
        must_administer(actor, token.user.organisation)
    token.revoked_at = utc_now()
    audit.note(actor, "revoke", token, name=token.name)


def revoke_all(user: User) -> None:
    """Revoke all tokens of a user, in its own name."""
    for token in tokens_of(user):
        revoke_token(user, token)


def valid_token(text: str) -> ApiToken | None:
    """The token of this text, as long as it is in force and its user active."""
    if text.startswith(PREFIX) and _checksum(text[:-_CHECKSUM_CHARACTERS]) != text[-_CHECKSUM_CHARACTERS:]:
        return None
    token: ApiToken | None = db.session.scalar(db.select(ApiToken).filter_by(digest=digest_of(text), revoked_at=None))
    if token is None or not token.user.active or token.has_expired:
        return None
    now = utc_now()
    if token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY:
        token.last_used_at = now
        db.session.commit()
    return token


def tokens_of(user: User) -> list[ApiToken]:
    """The tokens of a user that nobody has revoked, those that have expired among them."""
    query = db.select(ApiToken).filter_by(user_id=user.id, revoked_at=None).order_by(ApiToken.id)
    return list(db.session.scalars(query))


def token_of(user: User, token_id: int) -> ApiToken:
    """One of a user's tokens that nobody has revoked.

    :raises NotFound: where there is none.
    """
    query = db.select(ApiToken).filter_by(id=token_id, user_id=user.id, revoked_at=None)
    token: ApiToken | None = db.session.scalar(query)
    if token is None:
        raise NotFound
    return token


def _checksum(text: str) -> str:
    """CRC-32 in six digits of base 62."""
    number = zlib.crc32(text.encode())
    digits = []
    for _place in range(_CHECKSUM_CHARACTERS):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
