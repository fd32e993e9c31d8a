"""Passkeys as second factors (W3C Web Authentication, by the webauthn library), beside the codes of an app.

An account has codes first, and recovery codes with them: who loses the device that holds the key still comes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
import webauthn
from flask import session
from flask_babel import lazy_gettext as _
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from trace_app.accounts import audit
from trace_app.accounts.access import NotFound
from trace_app.accounts.factors.service import has_factor, note_shown, refuse_guessing
from trace_app.accounts.models import Passkey, User
from trace_app.db.base import utc_now
from trace_app.errors import Unprocessable
from trace_app.extensions import db, security
from trace_app.settings import settings

MOST = 10
"""Passkeys that one account may have."""
PLATFORM = "曲靖农产品追溯"
GOOD_FOR = timedelta(minutes=10)
"""How long a question may be answered."""
_QUESTION, _ASKED_AT = "passkey_question", "passkey_asked_at"


class WrongPasskey(Unprocessable):
    """What the device answered doesn't fit: another key, another page, or a question that was answered before."""

    title = _("通行密钥没有通过。请再试一次，或改用验证码。")


class NoCodesYet(Unprocessable):
    """Passkeys come after the codes of an app."""

    title = _("请先设置验证器，再添加通行密钥。")


class PasskeyNameTaken(Unprocessable):
    """Two passkeys of an account that its owner could not tell apart."""

    title = _("您已有一个叫“%(name)s”的通行密钥。请换个名字。")


class TooManyPasskeys(Unprocessable):
    """The account has as many as one may have."""

    title = _("通行密钥最多 %(most)s 个。请先移除不用的。")


class AlreadyThere(Unprocessable):
    """The device's key is registered."""

    title = _("这台设备的通行密钥已经添加过了。")


def are_possible() -> bool:
    """Whether browsers offer passkeys here: they belong to a name, never to a bare IP address."""
    host = settings().public_url.host or ""
    return not host.replace(".", "").isdigit() and ":" not in host


def passkeys_of(user: User) -> Sequence[Passkey]:
    return db.session.scalars(sa.select(Passkey).filter_by(user_id=user.id).order_by(Passkey.id)).all()


def must_be_addable(user: User, name: str) -> None:
    """:raises NoCodesYet, PasskeyNameTaken, TooManyPasskeys:"""
    if not has_factor(user):
        raise NoCodesYet
    there = passkeys_of(user)
    if len(there) >= MOST:
        raise TooManyPasskeys(most=MOST)
    if any(key.name == name for key in there):
        raise PasskeyNameTaken(name=name)


def ask_for_new(user: User) -> str:
    """What a browser is told to make a key, as JSON. The question is kept in its session, to be answered once."""
    options = webauthn.generate_registration_options(
        rp_id=_our_name(),
        rp_name=PLATFORM,
        user_id=f"user-{user.id}".encode(),
        user_name=user.username,
        user_display_name=user.full_name or user.username,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.DISCOURAGED,
            user_verification=UserVerificationRequirement.PREFERRED,
        ),
        exclude_credentials=_known(user),
    )
    _remember(options.challenge)
    return webauthn.options_to_json(options)


def add(user: User, name: str, answer: str) -> Passkey:
    """Keep the public part of a key that the user's browser has made.

    :param answer: the credential as JSON.
    :raises WrongPasskey, AlreadyThere, NoCodesYet, PasskeyNameTaken, TooManyPasskeys:
    """
    must_be_addable(user, name)
    try:
        made = webauthn.verify_registration_response(
            credential=answer,
            expected_challenge=_the_question()[0],
            expected_rp_id=_our_name(),
            expected_origin=_our_origin(),
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise WrongPasskey from error
    if db.session.scalar(sa.select(Passkey.id).filter_by(credential_id=made.credential_id)) is not None:
        raise AlreadyThere
    key = Passkey(
        user_id=user.id,
        name=name,
        credential_id=made.credential_id,
        public_key=made.credential_public_key,
        sign_count=made.sign_count,
    )
    db.session.add(key)
    db.session.flush()
    audit.note(user, "add-passkey", user, name=name)
    return key


def ask(user: User) -> str | None:
    """What a browser is told to show one of the user's keys, as JSON; none where the user has none.

    The question is kept in the browser's session, to be answered once.
    """
    known = _known(user) if are_possible() else []
    if not known:
        return None
    options = webauthn.generate_authentication_options(
        rp_id=_our_name(), allow_credentials=known, user_verification=UserVerificationRequirement.PREFERRED
    )
    _remember(options.challenge)
    return webauthn.options_to_json(options)


def show(user: User, answer: str) -> None:
    """Take one of the user's keys for the session, as a code is taken.

    :param answer: the credential as JSON.
    :raises WrongPasskey, TooManyCodes:
    """
    refuse_guessing(user)
    question, asked_at = _the_question()
    try:
        shown = parse_authentication_credential_json(answer)
        key = db.session.scalar(sa.select(Passkey).filter_by(user_id=user.id, credential_id=shown.raw_id))
        # A cookie can be copied; an answer to a question from before the key's last use is no new one.
        if key is None or (key.used_at is not None and key.used_at >= asked_at):
            raise WrongPasskey
        verified = webauthn.verify_authentication_response(
            credential=shown,
            expected_challenge=question,
            expected_rp_id=_our_name(),
            expected_origin=_our_origin(),
            credential_public_key=key.public_key,
            credential_current_sign_count=key.sign_count,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError) as error:
        raise WrongPasskey from error
    key.sign_count, key.used_at = verified.new_sign_count, utc_now()
    audit.note(user, "show-passkey", user, name=key.name)
    note_shown()


def in_the_middle() -> User | None:
    """Who has shown a password in this browser and is to show a second factor."""
    word = session.get("tf_user_id")
    if not isinstance(word, str) or session.get("tf_state") != "ready":
        return None
    found: User | None = db.session.scalar(sa.select(User).filter_by(fs_uniquifier=word, active=True))
    return found


def let_in(user: User) -> None:
    """Sign in who has shown both, as the library does after a code."""
    security.two_factor_plugins.tf_complete(user, dologin=True)


def remove(user: User, passkey_id: int) -> str:
    """Take one of the user's own keys no more; its name is returned.

    :raises NotFound: where the user has no such key.
    """
    key = db.session.scalar(sa.select(Passkey).filter_by(id=passkey_id, user_id=user.id))
    if key is None:
        raise NotFound
    audit.note(user, "remove-passkey", user, name=key.name)
    db.session.delete(key)
    return key.name


def _known(user: User) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=key.credential_id) for key in passkeys_of(user)]


def _remember(question: bytes) -> None:
    session[_QUESTION], session[_ASKED_AT] = bytes_to_base64url(question), utc_now().isoformat()


def _the_question() -> tuple[bytes, datetime]:
    """The question of this browser's session and when it was asked; it is forgotten by being answered."""
    question, said = session.pop(_QUESTION, None), session.pop(_ASKED_AT, None)
    if not isinstance(question, str) or not isinstance(said, str):
        raise WrongPasskey
    asked_at = datetime.fromisoformat(said)
    if utc_now() - asked_at > GOOD_FOR:
        raise WrongPasskey
    return base64url_to_bytes(question), asked_at


def _our_name() -> str:
    return settings().public_url.host or ""


def _our_origin() -> str:
    url = settings().public_url
    is_usual = url.port == {"https": 443, "http": 80}.get(url.scheme)
    return f"{url.scheme}://{url.host}" + ("" if is_usual else f":{url.port}")
