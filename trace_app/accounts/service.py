"""Organisations, users and tokens."""

from __future__ import annotations

import uuid
from typing import TypeVar

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from flask_babel import lazy_gettext as _
from flask_security import hash_password, verify_password

from trace_app.accounts import audit
from trace_app.accounts.access import HOME, NotFound, administered_by, division_prefix, may_administer
from trace_app.accounts.identity_number import fingerprint, is_identity_number, masked, seal, unseal
from trace_app.accounts.models import (
    AuditEvent,
    Branch,
    Division,
    Organisation,
    OrganisationKind,
    Role,
    RoleName,
    User,
)
from trace_app.accounts.sessions import end_sessions
from trace_app.errors import Problem, Unprocessable
from trace_app.extensions import db
from trace_app.phones import sign_in_name

ROLES_OF_KIND = {
    OrganisationKind.PRODUCER: (RoleName.PRODUCER,),
    OrganisationKind.REGULATOR: (RoleName.REGULATOR, RoleName.ADMINISTRATOR),
    OrganisationKind.LABORATORY: (RoleName.LABORATORY,),
    OrganisationKind.BUYER: (RoleName.BUYER,),
}
Row = TypeVar("Row")
AUDIT_ACTIONS = {
    "register": _("登记了"),
    "edit": _("修改了"),
    "release": _("放行了"),
    "correct": _("更正了"),
    "add-clip": _("给一条记录加了视频"),
    "refuse-clip": _("给一条记录传的视频没有收下"),
    "correct-record": _("更正了一条记录"),
    "withdraw-record": _("撤回了一条记录"),
    "harvest": _("按采收记录填了采收日期"),
    "close": _("结束了"),
    "recall": _("召回了"),
    "hold": _("暂停了销售"),
    "lose": _("记了损耗"),
}
"""What happened to a batch, as its page tells it."""


class AlreadyTaken(Problem):
    """A name, code or address that must be unique is in use."""

    title = _("“%(value)s”已被使用，请换一个。")


class BeyondJurisdiction(Problem):
    """An administrator acts within its own jurisdiction, and upon no level above."""

    status = 403
    title = _("超出了您的管辖范围：只能管理本辖区内的单位，上级和其他县的由市级管理员办理。")


class OwnAccount(Problem):
    """An administrator can't lock itself out."""

    title = _("不能停用自己的账号，请由另一位管理员操作。")


class OwnMeans(Problem):
    """An administrator helps others to sign in; its own means it changes as everyone does, knowing the present ones."""

    title = _("自己的密码和两步验证请在“我的账号”里更改，或由另一位管理员重设。")


class RoleDoesNotFit(Unprocessable):
    """A user's role must be one that its organisation's kind has."""

    title = _("“%(organisation)s”的用户不能是这个角色，请选择与单位类型相符的角色。")


class PersonKnown(Problem):
    title = _("这个身份证号已经登记过一个生产者，不能再登记。")


def create_organisation(actor: User | None, *, identity_number: str | None = None, **facts: object) -> Organisation:
    """Add an organisation.

    :param actor: the administrator; None at the command line.
    :param identity_number: of a person or the head of a family; it is written nowhere but sealed.
    :param facts: columns of `Organisation`.
    :raises AlreadyTaken: where its name or credit code is known.
    :raises PersonKnown:
    :raises BeyondJurisdiction:
    """
    for column in ("name", "credit_code", "gs1_prefix"):
        value = facts.get(column)
        if value and db.session.scalar(db.select(Organisation.id).filter_by(**{column: value})):
            raise AlreadyTaken(value=value)
    organisation = Organisation(**facts)
    must_administer(actor, organisation)
    _take_identity(organisation, identity_number)
    db.session.add(organisation)
    db.session.flush()
    audit.note(actor, "create", organisation, name=organisation.name, kind=organisation.kind.value)
    return organisation


def _take_identity(organisation: Organisation, number: str | None) -> None:
    """Keep an identity number, sealed; without one, that of before stays."""
    if not number:
        return
    mark = fingerprint(number)
    with db.session.no_autoflush:
        known = db.session.scalar(db.select(Organisation.id).filter_by(identity_fingerprint=mark))
    if known not in (None, organisation.id):
        raise PersonKnown
    organisation.identity_sealed, organisation.identity_fingerprint = seal(number), mark


def person_known(user: User, number: str | None, *, but: int | None = None) -> Organisation | None:
    """Who is registered by an identity number; None where nobody is, or nobody whom a user administers.

    :param but: an organisation that is not meant.
    """
    if not number or not is_identity_number(number):
        return None
    query = db.select(Organisation).filter_by(identity_fingerprint=fingerprint(number)).where(administered_by(user))
    found: Organisation | None = db.session.scalar(query)
    return found if found is not None and found.id != but else None


def identity_shown(organisation: Organisation) -> str:
    """The identity number of a producer that is a person, in part; empty where there is none."""
    if organisation.identity_sealed is None:
        return ""
    try:
        return masked(unseal(organisation.identity_sealed))
    except InvalidTag:
        return str(_("已登记，现在读不出来：IDENTITY_KEY 不是原来的那一个"))


def change_organisation(
    actor: User | None, organisation: Organisation, *, identity_number: str | None = None, **facts: object
) -> None:
    """Change an organisation's facts; its kind stays.

    :param identity_number: a new one; None where it stays.
    :raises PersonKnown:
    :raises AlreadyTaken: where its name or credit code is known.
    :raises BeyondJurisdiction: also where it would be moved out of the administrator's.
    """
    must_administer(actor, organisation)
    for column in ("name", "credit_code", "gs1_prefix"):
        value = facts.get(column)
        known = db.session.scalar(db.select(Organisation.id).filter_by(**{column: value})) if value else None
        if known not in (None, organisation.id):
            raise AlreadyTaken(value=value)
    _take_identity(organisation, identity_number)
    changed: dict[str, object] = {
        name: str(value) for name, value in facts.items() if getattr(organisation, name) != value
    }
    if identity_number:
        changed["identity_number"] = "changed"
    for name, value in facts.items():
        setattr(organisation, name, value)
    must_administer(actor, organisation)
    audit.note(actor, "change", organisation, **changed)


def must_administer(actor: User | None, organisation: Organisation) -> None:
    """:param actor: None at the command line, where all may be done."""
    if actor is not None and not may_administer(actor, organisation):
        raise BeyondJurisdiction


def hold(user: User) -> None:
    """Keep others from changing an account until the transaction ends."""
    db.session.execute(sa.select(User.id).where(User.id == user.id).with_for_update(key_share=True))


def must_be_anothers(actor: User | None, user: User) -> None:
    """:raises OwnMeans:"""
    if actor is not None and actor.id == user.id:
        raise OwnMeans


def create_user(
    actor: User | None,
    organisation: Organisation,
    role: RoleName,
    *,
    username: str,
    full_name: str,
    email: str | None = None,
    password: str | None = None,
) -> User:
    """Add a user.

    :param password: of accounts whose password everyone may know, such as a demonstration's; all others set their own
        by a slip.
    :raises AlreadyTaken: where the user name or e-mail is known.
    :raises RoleDoesNotFit: where the organisation's kind has no such role.
    :raises BeyondJurisdiction:
    """
    must_administer(actor, organisation)
    if role not in ROLES_OF_KIND[organisation.kind]:
        raise RoleDoesNotFit(organisation=organisation.name)
    email, username = email.lower() if email else None, sign_in_name(username)
    for column, value in ((User.username, username), (User.email, email)):
        if value and db.session.scalar(db.select(User.id).where(column == value)):
            raise AlreadyTaken(value=value)
    user = User(
        organisation=organisation,
        username=username,
        email=email,
        full_name=full_name,
        password=hash_password(password) if password else None,
        fs_uniquifier=uuid.uuid4().hex,
        roles=[_role(role)],
    )
    db.session.add(user)
    db.session.flush()
    audit.note(actor, "create", user, username=username, role=role.value)
    return user


def user_by_identity(text: str) -> User | None:
    """The user who signs in with this user name, mobile number or e-mail."""
    identity = sign_in_name(text)
    query = sa.select(User).where(sa.or_(User.username == identity, User.email == identity))
    return db.session.scalar(query)


def user_by_name(username: str) -> User:
    """The user of this name.

    :raises NotFound: where there is none.
    """
    return _found(user_by_identity(username))


def set_password(user: User, password: str) -> None:
    """Set a user's password in its own name and end all of its sessions."""
    user.password, user.password_change_due = hash_password(password), False
    user.fs_uniquifier = uuid.uuid4().hex
    end_sessions(user)
    audit.note(user, "set-password", user)


def take_password(actor: User | None, user: User) -> None:
    """Take a user's password away and end all of its sessions, so that it sets a new one by a slip.

    :raises BeyondJurisdiction, OwnMeans:
    """
    must_administer(actor, user.organisation)
    must_be_anothers(actor, user)
    user.password = None
    user.fs_uniquifier = uuid.uuid4().hex
    end_sessions(user)


class WrongPassword(Unprocessable):
    """The present password must be known to change it."""

    title = _("现在的密码不对，请重新输入。")


def check_password(user: User, password: str) -> None:
    """:raises WrongPassword:"""
    if not user.password or not verify_password(password, user.password):
        raise WrongPassword


def change_password(user: User, current: str, new: str) -> None:
    """Change the user's own password; all other sessions end.

    :raises WrongPassword:
    """
    check_password(user, current)
    set_password(user, new)


def set_active(actor: User | None, user: User, active: bool) -> None:
    """Let a user sign in, or no longer: its sessions and tokens end at once.

    :raises OwnAccount, BeyondJurisdiction:
    """
    must_administer(actor, user.organisation)
    if actor is not None and actor.id == user.id and not active:
        raise OwnAccount
    user.active = active
    if not active:
        user.fs_uniquifier = uuid.uuid4().hex
        end_sessions(user)
    audit.note(actor, "activate" if active else "deactivate", user)


def _role(name: RoleName) -> Role:
    role: Role | None = db.session.scalar(db.select(Role).filter_by(name=name.value))
    if role is None:
        role = Role(name=name.value)
        db.session.add(role)
    return role


def organisations(user: User | None = None, search: str = "") -> list[Organisation]:
    """Organisations by kind and place.

    :param user: whose jurisdiction they lie in; None for all.
    """
    query = db.select(Organisation).order_by(Organisation.kind, Organisation.division_code, Organisation.id)
    if user is not None:
        query = query.where(administered_by(user))
    if search:
        query = query.where(
            sa.or_(
                Organisation.name.icontains(search, autoescape=True),
                Organisation.credit_code == search.upper(),
            )
        )
    return list(db.session.scalars(query))


def organisation_by_id(organisation_id: int) -> Organisation:
    """An organisation.

    :raises NotFound: where there is none.
    """
    return _found(db.session.get(Organisation, organisation_id))


def administered_organisation(user: User, organisation_id: int) -> Organisation:
    """An organisation that an administrator may change.

    :raises NotFound: where there is none.
    """
    query = db.select(Organisation).filter_by(id=organisation_id).where(administered_by(user))
    found: Organisation | None = db.session.scalar(query)
    return _found(found)


def administered_user(user: User, user_id: int) -> User:
    """A user of an organisation that an administrator may change.

    :raises NotFound: where there is none.
    """
    query = db.select(User).filter_by(id=user_id).join(User.organisation).where(administered_by(user))
    found: User | None = db.session.scalar(query)
    return _found(found)


def _found(row: Row | None) -> Row:
    if row is None:
        raise NotFound
    return row


def divisions() -> list[Division]:
    """The divisions of Qujing: the city, its counties, and each county's townships after it."""
    return list(db.session.scalars(db.select(Division).where(Division.code.startswith(HOME)).order_by(Division.code)))


def made_or_opened_by(user: User, other: User) -> bool:
    """Whether a user's account was made or activated by another, or another has had a slip by which its password could
    be set, or has taken its second factor away: such a one is no independent second officer."""
    query = db.select(AuditEvent.id).filter_by(actor_id=other.id, subject_type=User.__tablename__, subject_id=user.id)
    deeds = AuditEvent.action.in_(("create", "activate", "set-password", "invite", "reset", "remove-factor"))
    return db.session.scalar(query.where(deeds).limit(1)) is not None


def are_independent(user: User, other: User) -> bool:
    """Whether two officers may decide on one case together: neither made or opened the other's account, or administers
    the organisation that the other acts for. Who gives out accounts could else be both of the two."""
    if user.id == other.id:
        return False
    return not any(
        made_or_opened_by(one, another) or may_administer(another, one.organisation)
        for one, another in ((user, other), (other, user))
    )


def divisions_within(organisation: Organisation) -> list[Division]:
    """A regulator's jurisdiction and the counties and townships in it."""
    code = organisation.jurisdiction_code
    if code is None:
        return []
    query = db.select(Division).where(Division.code.startswith(division_prefix(code), autoescape=True))
    return list(db.session.scalars(query.order_by(Division.code)))


def place_name(division: Division, language: str) -> str:
    """A division with those above it up to the city: 曲靖市罗平县板桥镇, or Banqiao Town, Luoping County, Qujing."""
    chain: list[Division] = [division]
    while chain[-1].level != "city" and (parent := chain[-1].parent) is not None:
        chain.append(parent)
    if language == "en":
        return ", ".join(part.name_en for part in chain)
    return "".join(part.name for part in reversed(chain))


def nearest_regulators(division_code: str, branch: Branch | None = None) -> list[Organisation]:
    """The regulators of a county: those whose jurisdiction it is, not those around it.

    :param branch: of one branch alone; None for all.
    """
    query = db.select(Organisation).where(
        Organisation.kind == OrganisationKind.REGULATOR, Organisation.jurisdiction_code.is_not(None)
    )
    found = [
        row
        for row in db.session.scalars(query)
        if division_code.startswith(division_prefix(str(row.jurisdiction_code))) and branch in (None, row.branch)
    ]
    nearest = max((len(division_prefix(str(row.jurisdiction_code))) for row in found), default=0)
    return [row for row in found if len(division_prefix(str(row.jurisdiction_code))) == nearest]
