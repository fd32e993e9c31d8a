"""Households of cooperatives, what they agreed to, the plots that they till, and what was weighed of each"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trace_app.db.append_only import AppendOnly, keep, let_go
from trace_app.db.base import UtcDateTime

revision = "0045"
down_revision = "0042"
branch_labels = None
depends_on = None

STAYS = (AppendOnly("household_consents"), AppendOnly("site_tenures"), AppendOnly("weighings"))
WITH_NUMBER = "number != ''"
DELIVERED = "Households have delivered to lots: without their weighings nobody could tell whose goods these are."
WRONG = {
    # Of another's lot, household, plot or lot's weighing, or into a lot that is released.
    "weighings_agree": (
        "weighings",
        "EXISTS (SELECT 1 FROM batches b WHERE b.id = NEW.batch_id AND (b.producer_id <> NEW.producer_id"
        " OR (b.status <> 'draft' AND NEW.replaces_id IS NULL)))"
        " OR EXISTS (SELECT 1 FROM households h WHERE h.id = NEW.household_id AND h.producer_id <> NEW.producer_id)"
        " OR EXISTS (SELECT 1 FROM sites s WHERE s.id = NEW.site_id AND s.producer_id <> NEW.producer_id)"
        " OR EXISTS (SELECT 1 FROM weighings w WHERE w.id = NEW.replaces_id AND w.batch_id <> NEW.batch_id)",
    ),
    "site_tenures_agree": (
        "site_tenures",
        "EXISTS (SELECT 1 FROM households h JOIN sites s ON s.producer_id <> h.producer_id"
        " WHERE h.id = NEW.household_id AND s.id = NEW.site_id)",
    ),
}


def upgrade() -> None:
    op.create_table(
        "households",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("producer_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(20), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("village", sa.String(60), nullable=False),
        sa.Column("phone", sa.String(20), nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("left_on", sa.Date(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("name != '' AND village != ''", name=op.f("ck_households_named")),
        sa.ForeignKeyConstraint(["producer_id"], ["organisations.id"], name=op.f("fk_households_producer_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_households_created_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_households")),
        sa.UniqueConstraint(
            "producer_id", "name", "village", "number", name=op.f("uq_households_producer_id_name_village_number")
        ),
    )
    op.create_index(
        "uq_households_number",
        "households",
        ["producer_id", "number"],
        unique=True,
        sqlite_where=sa.text(WITH_NUMBER),
        postgresql_where=sa.text(WITH_NUMBER),
    )
    op.create_table(
        "household_consents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.Integer(), nullable=False),
        sa.Column("agreed", sa.Boolean(), nullable=False),
        sa.Column("told_on", sa.Date(), nullable=False),
        sa.Column("noted_at", UtcDateTime(), nullable=False),
        sa.Column("noted_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["household_id"], ["households.id"], name=op.f("fk_household_consents_household_id")),
        sa.ForeignKeyConstraint(["noted_by_id"], ["users.id"], name=op.f("fk_household_consents_noted_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_household_consents")),
    )
    op.create_index("ix_household_consents_household_id", "household_consents", ["household_id"])
    op.create_table(
        "site_tenures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.Integer(), nullable=True),
        sa.Column("begins_on", sa.Date(), nullable=False),
        sa.Column("noted_at", UtcDateTime(), nullable=False),
        sa.Column("noted_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_site_tenures_site_id")),
        sa.ForeignKeyConstraint(["household_id"], ["households.id"], name=op.f("fk_site_tenures_household_id")),
        sa.ForeignKeyConstraint(["noted_by_id"], ["users.id"], name=op.f("fk_site_tenures_noted_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_tenures")),
    )
    op.create_index("ix_site_tenures_household_id", "site_tenures", ["household_id"])
    op.create_index("ix_site_tenures_site_id_begins_on", "site_tenures", ["site_id", "begins_on"])
    op.create_table(
        "weighings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("producer_id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=True),
        sa.Column("quantity", sa.Numeric(14, 3), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("entry_key", sa.String(40), nullable=True),
        sa.Column("replaces_id", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(300), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "quantity >= 0 AND (quantity > 0 OR replaces_id IS NOT NULL)", name=op.f("ck_weighings_quantity")
        ),
        sa.CheckConstraint("(replaces_id IS NULL) = (reason = '')", name=op.f("ck_weighings_correction_has_reason")),
        sa.ForeignKeyConstraint(["producer_id"], ["organisations.id"], name=op.f("fk_weighings_producer_id")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_weighings_batch_id")),
        sa.ForeignKeyConstraint(["household_id"], ["households.id"], name=op.f("fk_weighings_household_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_weighings_site_id")),
        sa.ForeignKeyConstraint(["replaces_id"], ["weighings.id"], name=op.f("fk_weighings_replaces_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_weighings_created_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_weighings")),
        sa.UniqueConstraint("producer_id", "entry_key", name=op.f("uq_weighings_producer_id_entry_key")),
        sa.UniqueConstraint("replaces_id", name=op.f("uq_weighings_replaces_id")),
    )
    op.create_index("ix_weighings_batch_id", "weighings", ["batch_id"])
    op.create_index("ix_weighings_household_id_batch_id", "weighings", ["household_id", "batch_id"])
    op.create_index("ix_weighings_site_id", "weighings", ["site_id"])
    keep(op.get_bind(), STAYS)
    for name, (table, wrong) in WRONG.items():
        _refuse(name, table, wrong)


def _refuse(name: str, table: str, wrong: str) -> None:
    """Have the database refuse rows that contradict what they refer to."""
    message = f"{table} contradicts what it refers to"
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {wrong} THEN"
            f" RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation'; END IF;"
            " RETURN NEW; END $$"
        )
        op.execute(f"CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()")
    else:
        op.execute(
            f"CREATE TRIGGER {name} BEFORE INSERT ON {table} FOR EACH ROW WHEN {wrong}"
            f" BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )


def downgrade() -> None:
    """Refuses where something was weighed: whose goods these are is evidence."""
    if op.get_bind().execute(sa.text("SELECT count(*) FROM weighings")).scalar():
        raise RuntimeError(DELIVERED)
    let_go(op.get_bind(), STAYS)
    for name, (table, _wrong) in WRONG.items():
        if op.get_bind().dialect.name == "postgresql":
            op.execute(f"DROP TRIGGER {name} ON {table}")
            op.execute(f"DROP FUNCTION {name}()")
        else:
            op.execute(f"DROP TRIGGER {name}")
    for table in ("weighings", "site_tenures", "household_consents", "households"):
        op.drop_table(table)
