"""Rows that stay as they were written: triggers by which the database itself refuses to change or delete them.

The services only add such rows and say why a correction is a row of its own; this holds for whoever else writes SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class AppendOnly:
    """A table whose rows are added and then neither deleted nor, but for what is named here, changed.

    :ivar fixed: the columns that stay; where neither these nor ``once`` are named, all do.
    :ivar once: columns that are filled in once: from NULL, and then stay.
    """

    table: str
    fixed: tuple[str, ...] = ()
    once: tuple[str, ...] = ()

    def changes(self) -> str:
        """The condition, in SQL of both databases, that an UPDATE changes what stays; empty where all does."""
        # As texts: JSON has no equality of its own on PostgreSQL.
        differs = "CAST(OLD.{0} AS TEXT) IS DISTINCT FROM CAST(NEW.{0} AS TEXT)".format
        fixed = [differs(column) for column in self.fixed]
        once = [f"(OLD.{column} IS NOT NULL AND {differs(column)})" for column in self.once]
        return " OR ".join(fixed + once)


APPEND_ONLY = (
    AppendOnly("audit_events"),
    AppendOnly("batch_revisions"),
    AppendOnly(
        "clips",
        fixed=("name", "organisation_id", "file_name", "bytes", "created_at", "created_by_id"),
        once=(
            "verdict",
            "judged_at",
            "sha256",
            "ending",
            "plays",
            "hidden",
            "codec",
            "width",
            "height",
            "milliseconds",
        ),
    ),
    AppendOnly("collected_commitments"),
    AppendOnly(
        "commitment_certificates",
        fixed=(
            "number",
            "batch_id",
            "issuer_id",
            "per_batch",
            "quantity",
            "unit",
            "consignee",
            "bases",
            "issued_on",
            "sample",
            "facts",
        ),
        once=("withdrawn_at",),
    ),
    AppendOnly("feedback_replies"),
    AppendOnly("household_consents"),
    AppendOnly("laboratory_answers"),
    AppendOnly("lot_moves"),
    AppendOnly(
        "password_slips",
        fixed=("user_id", "purpose", "digest", "created_at", "created_by_id", "expires_at"),
        once=("ended_at", "used"),
    ),
    AppendOnly("recall_batches", fixed=("recall_id", "batch_id", "added_in"), once=("removed_in",)),
    AppendOnly("recall_exclusions"),
    AppendOnly("recall_notices"),
    AppendOnly(
        "recall_proposals",
        fixed=("recall_id", "turning", "content", "note", "hold_id", "proposed_by_id", "proposed_at"),
        once=("decided_by_id", "decided_at", "approved", "decision_note", "reminded_at", "raised_at"),
    ),
    AppendOnly("recall_filings"),
    AppendOnly("recall_reports"),
    AppendOnly("recall_task_lots"),
    AppendOnly("receipt_lines"),
    AppendOnly("reference_checks"),
    AppendOnly("receipts"),
    AppendOnly("record_batches"),
    AppendOnly("record_clips"),
    AppendOnly("record_ingredients"),
    AppendOnly("record_photos"),
    AppendOnly("record_series"),
    AppendOnly("record_withdrawals"),
    AppendOnly("records"),
    AppendOnly(
        "suggestions",
        fixed=("organisation_id", "catalogue", "content", "basis", "document_id", "created_at", "created_by_id"),
        once=("accepted", "answer", "answered_at", "answered_by_id"),
    ),
    AppendOnly(
        "shipments",
        fixed=(
            "sender_id",
            "consignee_id",
            "consignee_name",
            "consignee_phone",
            "consignee_address",
            "consignee_division_code",
            "consignee_organisation_id",
            "returns_id",
            "report_id",
        ),
    ),
    AppendOnly("site_tenures"),
    AppendOnly("test_orders"),
    AppendOnly("test_reports"),
    AppendOnly("test_results"),
    AppendOnly("voided_labels"),
    AppendOnly("waivers"),
    AppendOnly("weighings"),
)
"""All of them, as the latest migration leaves them."""

_FUNCTION = "refuse_change"
_REFUSAL = "is append-only: its rows are never changed or deleted"


def keep(connection: sa.Connection, tables: Iterable[AppendOnly]) -> None:
    """Have the database refuse what would change rows of these tables, from now on.

    On SQLite a table that is made anew loses its triggers: a migration that does so calls this again.
    """
    postgresql = connection.dialect.name == "postgresql"
    if postgresql:
        connection.exec_driver_sql(
            f"CREATE OR REPLACE FUNCTION {_FUNCTION}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
            f" USING MESSAGE = TG_TABLE_NAME || ' {_REFUSAL}', ERRCODE = 'restrict_violation'; END $$"
        )
    for one in tables:
        when = f" WHEN ({one.changes()})" if one.changes() else ""
        for event, condition in (("UPDATE", when), ("DELETE", "")):
            head = f"CREATE TRIGGER {_name(one, event)} BEFORE {event} ON {one.table} FOR EACH ROW{condition}"
            refuse = f"EXECUTE FUNCTION {_FUNCTION}()"
            if not postgresql:
                refuse = f"BEGIN SELECT RAISE(ABORT, '{one.table} {_REFUSAL}'); END"
            connection.exec_driver_sql(f"{head} {refuse}")
        if postgresql:
            connection.exec_driver_sql(
                f"CREATE TRIGGER {_name(one, 'TRUNCATE')} BEFORE TRUNCATE ON {one.table}"
                f" FOR EACH STATEMENT EXECUTE FUNCTION {_FUNCTION}()"
            )


def let_go(connection: sa.Connection, tables: Iterable[AppendOnly]) -> None:
    """Take back what `keep` did."""
    for one in tables:
        if connection.dialect.name == "postgresql":
            for event in ("UPDATE", "DELETE", "TRUNCATE"):
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {_name(one, event)} ON {one.table}")
        else:
            for event in ("UPDATE", "DELETE"):
                connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {_name(one, event)}")


def forget(connection: sa.Connection) -> None:
    """Take away what the triggers call, once none is left."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"DROP FUNCTION {_FUNCTION}()")


@contextmanager
def lifted(connection: sa.Connection) -> Iterator[None]:
    """Let all rows go, for who empties the database and begins anew, or moves it by a migration.

    Only who owns the tables can. It holds within the connection's transaction: nobody else ever sees the tables
    without their triggers, and a transaction that is rolled back leaves them as they were.
    """
    if connection.dialect.name == "postgresql":
        _alter(connection, "DISABLE")
        yield
        _alter(connection, "ENABLE")
    else:
        let_go(connection, APPEND_ONLY)
        yield
        keep(connection, APPEND_ONLY)


def _alter(connection: sa.Connection, what: str) -> None:
    # In one statement: tests do this after each test.
    each = " ".join(f"ALTER TABLE {one.table} {what} TRIGGER USER;" for one in APPEND_ONLY)
    connection.exec_driver_sql(f"DO $$ BEGIN {each} END $$")


def _name(one: AppendOnly, event: str) -> str:
    return f"append_only_{one.table}_{event.lower()}"
