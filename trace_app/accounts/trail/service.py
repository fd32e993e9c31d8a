"""The audit trail as people may see it: each what concerns its own account, administrators what happened in their
jurisdiction."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

import sqlalchemy as sa
from flask_sqlalchemy.pagination import Pagination
from sqlalchemy.orm import joinedload

from trace_app.accounts.access import administered_by
from trace_app.accounts.models import ApiToken, AuditEvent, Organisation, RoleName, User
from trace_app.clock import SHANGHAI
from trace_app.extensions import db

PER_PAGE = 50
MOST_IN_FILE = 50_000

Events = sa.Select[AuditEvent]


def events_for(
    user: User, *, who: str = "", what: str = "", since: date | None = None, until: date | None = None
) -> Events:
    """The events that a user may see, the latest first.

    :param who: a user name: what it did, and what was done to its account.
    :param what: the table of what something was done to.
    :param since: the first day, and ``until`` the last, in Qujing.
    """
    query = sa.select(AuditEvent).where(_concerns(user)).order_by(AuditEvent.id.desc())
    if who:
        query = query.where(_about(sa.select(User.id).where(User.username == who.lower())))
    if what:
        query = query.where(AuditEvent.subject_type == what)
    if since:
        query = query.where(AuditEvent.at >= _midnight(since))
    if until:
        query = query.where(AuditEvent.at < _midnight(until) + timedelta(days=1))
    return query.options(joinedload(AuditEvent.actor))


def _concerns(user: User) -> sa.ColumnElement[bool]:
    mine = _about(sa.select(User.id).where(User.id == user.id))
    if user.role is not RoleName.ADMINISTRATOR:
        return mine
    people = sa.select(User.id).join(User.organisation).where(administered_by(user))
    organisations = sa.select(Organisation.id).where(administered_by(user))
    return sa.or_(mine, _about(people), _of("organisations", organisations))


def _about(people: sa.Select[int]) -> sa.ColumnElement[bool]:
    """What people did, and what was done to their accounts and tokens."""
    tokens = sa.select(ApiToken.id).where(ApiToken.user_id.in_(people))
    return sa.or_(AuditEvent.actor_id.in_(people), _of("users", people), _of("api_tokens", tokens))


def _of(table: str, ids: sa.Select[int]) -> sa.ColumnElement[bool]:
    return sa.and_(AuditEvent.subject_type == table, AuditEvent.subject_id.in_(ids))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI)


def page_of(events: Events, page: int) -> Pagination:
    return db.paginate(events, page=page, per_page=PER_PAGE, error_out=False)


def file_of(events: Events) -> Iterator[AuditEvent]:
    """The events of a file for download, which holds so many at most."""
    yield from db.session.scalars(events.limit(MOST_IN_FILE))


def names_of(events: list[AuditEvent]) -> dict[int, str]:
    """The user names of the accounts that events are about."""
    ids = {event.subject_id for event in events if event.subject_type == User.__tablename__}
    rows = db.session.execute(sa.select(User.id, User.username).where(User.id.in_(ids)))
    return {row.id: row.username for row in rows}
