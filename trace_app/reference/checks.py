"""Who looked after a reference table: when it was checked against its sources and by whom, and when it was replaced."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa
from flask_babel import lazy_gettext as _
from sqlalchemy.orm import joinedload

from trace_app.accounts import audit
from trace_app.accounts.access import must_keep_shared_tables
from trace_app.accounts.models import User
from trace_app.clock import local, today
from trace_app.extensions import db
from trace_app.reference.models import CheckedAgainst, ReferenceCheck

GOOD_FOR = timedelta(days=365)
"""How long a check counts."""
CHECKED_AGAINST = {
    CheckedAgainst.ORIGINAL: _("逐条对过原文"),
    CheckedAgainst.SUMMARY: _("只对过摘要，用前请再核对原文"),
}


@dataclass(frozen=True, slots=True)
class TableCare:
    """How a table was looked after.

    :ivar latest: the latest check since its rows were replaced.
    :ivar replaced_on: the day of the latest upload.
    :ivar rows: all checks and replacements, the latest first.
    """

    latest: ReferenceCheck | None
    replaced_on: date | None
    rows: list[ReferenceCheck]

    @property
    def overdue(self) -> bool:
        """Whether the latest check was more than a year ago."""
        return self.latest is not None and today() - local(self.latest.created_at).date() > GOOD_FOR

    @property
    def wanting(self) -> bool:
        """Whether someone ought to check it."""
        return self.latest is None or self.overdue


def care_of(table_name: str) -> TableCare:
    """How a table was looked after."""
    query = (
        db.select(ReferenceCheck)
        .filter_by(table_name=table_name)
        .options(joinedload(ReferenceCheck.authority), joinedload(ReferenceCheck.created_by))
        .order_by(ReferenceCheck.id.desc())
    )
    rows = list(db.session.scalars(query))
    replaced = next((at for at, row in enumerate(rows) if row.replaced), len(rows))
    replaced_on = local(rows[replaced].created_at).date() if replaced < len(rows) else None
    return TableCare(rows[0] if replaced else None, replaced_on, rows)


def wanting_of(table_names: Iterable[str]) -> set[str]:
    """The tables that someone ought to check."""
    newest = (
        sa.select(sa.func.max(ReferenceCheck.id))
        .where(ReferenceCheck.table_name.in_(list(table_names)))
        .group_by(ReferenceCheck.table_name)
    )
    query = sa.select(ReferenceCheck).where(ReferenceCheck.id.in_(newest), ~ReferenceCheck.replaced)
    cared = {row.table_name for row in db.session.scalars(query) if today() - local(row.created_at).date() <= GOOD_FOR}
    return set(table_names) - cared


def check(user: User, table_name: str, against: CheckedAgainst, source: str, note: str) -> ReferenceCheck:
    """Note that an officer of the city held a table against its source.

    :raises CityAlone:
    """
    must_keep_shared_tables(user)
    row = ReferenceCheck(
        table_name=table_name,
        replaced=False,
        against=against,
        source=source,
        note=note,
        authority_id=user.organisation_id,
        created_by_id=user.id,
    )
    db.session.add(row)
    db.session.flush()
    audit.note(user, "check-reference", user.organisation, table=table_name, against=against.value)
    return row


def note_replaced(user: User, table_name: str) -> None:
    """Note that a table's rows were replaced: what was checked before was others."""
    row = ReferenceCheck(
        table_name=table_name,
        replaced=True,
        authority_id=user.organisation_id,
        created_by_id=user.id,
    )
    db.session.add(row)
