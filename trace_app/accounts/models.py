from __future__ import annotations

import enum
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from flask_security.core import RoleMixin, UserMixin
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped, mapped_column, relationship

from trace_app.db.base import MANY, UtcDateTime, one_of, utc_now
from trace_app.extensions import Model, db
from trace_app.values import StoredJson


class OrganisationKind(enum.StrEnum):
    PRODUCER = "producer"
    REGULATOR = "regulator"
    LABORATORY = "laboratory"
    BUYER = "buyer"


class Branch(enum.StrEnum):
    """What an authority watches over: farming and its fresh produce, or food that is processed and sold."""

    AGRICULTURE = "agriculture"
    MARKET = "market"


class RoleName(enum.StrEnum):
    """What a user may do. One role each; an administrator belongs to a regulator."""

    ADMINISTRATOR = "administrator"
    REGULATOR = "regulator"
    PRODUCER = "producer"
    LABORATORY = "laboratory"
    BUYER = "buyer"


class Division(Model):
    """A province, city, county or township of the statistics bureau's list (GB/T 2260 and nine-digit codes)."""

    __tablename__ = "divisions"
    __table_args__ = (sa.CheckConstraint("length(code) IN (6, 9) AND ltrim(code, '0123456789') = ''", "code"),)

    code: Mapped[str] = mapped_column(sa.String(9), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(60))
    name_en: Mapped[str] = mapped_column(sa.String(80))
    parent_code: Mapped[str | None] = mapped_column(sa.String(9), index=True)
    level: Mapped[str] = mapped_column(sa.String(10))

    parent: Mapped[Division | None] = relationship(
        primaryjoin="foreign(Division.parent_code) == remote(Division.code)", viewonly=True
    )


class Organisation(Model):
    """A producer, regulator, laboratory or buyer that users act for."""

    __tablename__ = "organisations"
    __table_args__ = (
        sa.CheckConstraint(
            "kind != 'producer' OR credit_code IS NOT NULL OR identity_fingerprint IS NOT NULL", "producer_has_number"
        ),
        sa.CheckConstraint("(identity_sealed IS NULL) = (identity_fingerprint IS NULL)", "identity"),
        sa.CheckConstraint("identity_fingerprint IS NULL OR kind = 'producer'", "person_produces"),
        sa.CheckConstraint("branch = 'agriculture' OR kind = 'regulator'", "branch_of_regulator"),
        sa.CheckConstraint("kind != 'regulator' OR jurisdiction_code IS NOT NULL", "regulator_has_jurisdiction"),
        sa.CheckConstraint("cma_number = '' OR kind = 'laboratory'", "laboratory_has_cma_number"),
        sa.CheckConstraint(
            "length(credit_code) = 18 AND ltrim(credit_code, '0123456789ABCDEFGHJKLMNPQRTUWXY') = ''",
            "credit_code_form",
        ),
        sa.CheckConstraint(
            "length(gs1_prefix) BETWEEN 4 AND 12 AND ltrim(gs1_prefix, '0123456789') = ''", "gs1_prefix"
        ),
        sa.CheckConstraint("name != ''", "named"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[OrganisationKind] = mapped_column(one_of(OrganisationKind, "kind"))
    name: Mapped[str] = mapped_column(sa.String(100), unique=True)
    name_en: Mapped[str] = mapped_column(sa.String(150), default="")
    credit_code: Mapped[str | None] = mapped_column(sa.String(18), unique=True)
    """Unified social credit code (GB 32100)."""
    identity_sealed: Mapped[bytes | None] = mapped_column(sa.LargeBinary, deferred=True)
    """The identity number of a person or the head of a family, encrypted (`accounts.identity_number`)."""
    identity_fingerprint: Mapped[str | None] = mapped_column(sa.String(64), unique=True, deferred=True)
    """Its keyed hash: nobody is registered twice."""
    division_code: Mapped[str] = mapped_column(sa.ForeignKey("divisions.code"), index=True)
    jurisdiction_code: Mapped[str | None] = mapped_column(sa.ForeignKey("divisions.code"))
    """The division that a regulator watches over, with all below it."""
    branch: Mapped[Branch] = mapped_column(
        one_of(Branch, "branch"), default=Branch.AGRICULTURE, server_default=Branch.AGRICULTURE.value
    )
    """What a regulator is an authority of; without meaning for others."""
    gs1_prefix: Mapped[str | None] = mapped_column(sa.String(12), unique=True)
    """GS1 company prefix, for the SSCCs of its cases and pallets."""
    cma_number: Mapped[str] = mapped_column(sa.String(20), default="", server_default="")
    """A laboratory's China Metrology Accreditation (检验检测机构资质认定) number."""
    address: Mapped[str] = mapped_column(sa.String(200), default="")
    phone: Mapped[str] = mapped_column(sa.String(30), default="")
    legal_representative: Mapped[str] = mapped_column(sa.String(60), default="", server_default="")
    responsible_person: Mapped[str] = mapped_column(sa.String(60), default="", server_default="")
    """Who answers for its products to those who call."""
    contact_email: Mapped[str] = mapped_column(sa.String(255), default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    division: Mapped[Division] = relationship(foreign_keys=[division_code])
    jurisdiction: Mapped[Division | None] = relationship(foreign_keys=[jurisdiction_code])
    users: Mapped[list[User]] = relationship(back_populates="organisation")


user_roles = sa.Table(
    "user_roles",
    db.metadata,
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("role_id", sa.ForeignKey("roles.id"), primary_key=True),
    sa.UniqueConstraint("user_id"),
)


class Role(Model, RoleMixin):
    """A named set of rights; the names are those of `RoleName`."""

    __tablename__ = "roles"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(30), unique=True)


class Author(NamedTuple):
    """A user by its numbers: who writes something, and for whom. Unlike a row it outlives the transaction."""

    id: int | None
    organisation_id: int

    @classmethod
    def of(cls, user: User) -> Author:
        return cls(user.id, user.organisation_id)


class User(Model, UserMixin):
    """A person who signs in."""

    __tablename__ = "users"
    __table_args__ = (
        sa.CheckConstraint("(tf_primary_method IS NULL) = (tf_totp_secret IS NULL)", "factor_has_secret"),
        sa.CheckConstraint("username != ''", "named"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str | None] = mapped_column(  # type: ignore[assignment]  # the library's users all have one
        sa.String(255), unique=True
    )
    """None where its owner has none: slips are then printed."""
    username: Mapped[str] = mapped_column(sa.String(40), unique=True)
    """A short name or mobile number to sign in with."""
    full_name: Mapped[str] = mapped_column(sa.String(60))
    password: Mapped[str | None] = mapped_column(sa.String(255))
    """None until its owner has set one."""
    password_change_due: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """Whether someone else once set it, so that its owner has to set one of its own."""
    tf_primary_method: Mapped[str | None] = mapped_column(sa.String(20))
    """How its second factor is shown, in the library's word; None where it has none."""
    tf_totp_secret: Mapped[str | None] = mapped_column(sa.String(500))
    """Encrypted."""
    tf_last_counter: Mapped[int | None]
    """The period of the last code that was taken: none is taken twice."""
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(MutableList.as_mutable(sa.JSON(none_as_null=True)))
    """Encrypted."""
    factor_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """The moment from which an officer has to have a second factor."""
    active: Mapped[bool] = mapped_column(default=True)
    fs_uniquifier: Mapped[str] = mapped_column(sa.String(64), unique=True)
    organisation_id: Mapped[int] = mapped_column(sa.ForeignKey("organisations.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)

    organisation: Mapped[Organisation] = relationship(back_populates="users", lazy="joined")
    roles: Mapped[list[Role]] = relationship(  # type: ignore[assignment]  # of this platform's own class
        secondary=user_roles, lazy="selectin"
    )

    @property
    def role(self) -> RoleName:
        return RoleName(self.roles[0].name)

    def calc_username(self) -> str:
        """The name beside which an app shows its codes."""
        return self.username


class SlipPurpose(enum.StrEnum):
    INVITATION = "invitation"
    RESET = "reset"


class PasswordSlip(Model):
    """An address by which the owner of an account sets its password, once. What it ends with is kept as SHA-256 alone.

    Rows are only ever added; a slip is used or voided, once.
    """

    __tablename__ = "password_slips"
    __table_args__ = (
        sa.CheckConstraint("expires_at > created_at", "expires_later"),
        sa.CheckConstraint("(ended_at IS NULL) = (used IS NULL)", "ended_somehow"),
        sa.CheckConstraint("NOT used OR ended_at <= expires_at", "used_in_time"),
        sa.Index(
            "uq_password_slips_open",
            "user_id",
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"), index=True)
    purpose: Mapped[SlipPurpose] = mapped_column(one_of(SlipPurpose, "purpose"))
    digest: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    created_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    """The administrator; None at the command line, and where its owner asked for it by mail."""
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    used: Mapped[bool | None]
    """Whether it ended by being used, or voided by a later one."""

    user: Mapped[User] = relationship(foreign_keys=[user_id], lazy="joined")


class UserSession(Model):
    """A person who is signed in on one device. What its cookie holds is kept as SHA-256 alone."""

    __tablename__ = "user_sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    digest: Mapped[str] = mapped_column(sa.String(64), unique=True)
    device: Mapped[str] = mapped_column(sa.String(80))
    lasting: Mapped[bool]
    """Whether it outlives the browser's being closed."""
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """When it was last used, to the minute."""
    factor_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a second factor was last shown."""
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class Passkey(Model):
    """A key in a phone, a computer or a stick as a second factor (W3C Web Authentication): its public part."""

    __tablename__ = "passkeys"
    __table_args__ = (
        sa.CheckConstraint("sign_count >= 0", "sign_count"),
        sa.UniqueConstraint("user_id", "name"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(60))
    """What its owner calls it."""
    credential_id: Mapped[bytes] = mapped_column(sa.LargeBinary(1023), unique=True)
    public_key: Mapped[bytes] = mapped_column(sa.LargeBinary(2000))
    """Its form is that of COSE (RFC 9052)."""
    sign_count: Mapped[int] = mapped_column(sa.BigInteger)
    """How often it was used, where it counts; a smaller number than before tells of a copy."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class TokenScope(enum.StrEnum):
    """What a token may be used for, of what its user may do."""

    READ = "read"
    RECORDS = "records"
    LABELS = "labels"
    RECALLS = "recalls"


class ApiToken(Model):
    """A bearer token for the API. Only its SHA-256 is kept."""

    __tablename__ = "api_tokens"
    __table_args__ = (
        sa.CheckConstraint("for_read OR for_records OR for_labels OR for_recalls", "for_something"),
        sa.CheckConstraint("expires_at > created_at", "expires_later"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(sa.String(60))
    prefix: Mapped[str] = mapped_column(sa.String(12))
    digest: Mapped[str] = mapped_column(sa.String(64), unique=True)
    for_read: Mapped[bool]
    for_records: Mapped[bool]
    for_labels: Mapped[bool]
    for_recalls: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship(lazy="joined")

    @property
    def scopes(self) -> list[TokenScope]:
        return [scope for scope in TokenScope if getattr(self, f"for_{scope.value}")]

    @property
    def has_expired(self) -> bool:
        return self.expires_at <= utc_now()


class AuditEvent(Model):
    """Who did what to what, and when. Rows are only ever added."""

    __tablename__ = "audit_events"
    __table_args__ = (
        sa.Index("ix_audit_events_subject", "subject_type", "subject_id"),
        sa.Index("ix_audit_events_actor", "actor_id"),
        sa.CheckConstraint("action != ''", "action"),
    )

    id: Mapped[int] = mapped_column(MANY, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utc_now)
    actor_id: Mapped[int | None] = mapped_column(sa.ForeignKey("users.id"))
    action: Mapped[str] = mapped_column(sa.String(40))
    subject_type: Mapped[str] = mapped_column(sa.String(30))
    subject_id: Mapped[int] = mapped_column(sa.BigInteger)
    facts: Mapped[StoredJson] = mapped_column(sa.JSON, default=dict)

    actor: Mapped[User | None] = relationship()
