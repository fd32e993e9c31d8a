"""Scans in one plain table on both databases; messages of the scan log in place of the spool's files; no editions"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
COLUMNS = '"at", outcome, run_id, "index", batch_id, region, client, language, source'


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.rename_table("scans", "scans_by_month")
        op.execute("ALTER INDEX ix_scans_at RENAME TO ix_scans_by_month_at")
        op.create_table(
            "scans",
            sa.Column("at", MOMENT, nullable=False),
            sa.Column("outcome", sa.String(length=10), nullable=False),
            sa.Column("run_id", sa.Integer(), nullable=True),
            sa.Column("index", sa.Integer(), nullable=True),
            sa.Column("batch_id", sa.Integer(), nullable=True),
            sa.Column("region", sa.String(length=20), nullable=False),
            sa.Column("client", sa.String(length=10), nullable=False),
            sa.Column("language", sa.String(length=2), nullable=False),
            sa.Column("source", sa.BigInteger(), nullable=False),
        )
        op.execute(f"INSERT INTO scans ({COLUMNS}) SELECT {COLUMNS} FROM scans_by_month")
        op.execute("DROP TABLE scans_by_month")
        op.create_index(op.f("ix_scans_at"), "scans", ["at"])
    op.drop_table("spool_files")
    op.create_table(
        "scan_messages",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("written_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_scan_messages"),
    )
    op.create_index(op.f("ix_scan_messages_written_at"), "scan_messages", ["written_at"])
    op.drop_column("product_kinds", "edition")


def downgrade() -> None:
    op.add_column("product_kinds", sa.Column("edition", sa.String(32), nullable=False, server_default=""))
    kinds = sa.table("product_kinds", sa.column("code"), sa.column("edition"))
    connection = op.get_bind()
    for code in connection.scalars(sa.select(kinds.c.code)).all():
        connection.execute(sa.update(kinds).where(kinds.c.code == code).values(edition=secrets.token_hex(16)))
    op.drop_table("scan_messages")
    op.create_table(
        "spool_files",
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_spool_files"),
    )
    if connection.dialect.name == "postgresql":
        op.rename_table("scans", "scans_plain")
        op.execute("ALTER INDEX ix_scans_at RENAME TO ix_scans_plain_at")
        op.execute(
            """CREATE TABLE scans ("at" timestamptz NOT NULL, outcome varchar(10) NOT NULL, run_id integer, index integer,
            batch_id integer, region varchar(20) NOT NULL, client varchar(10) NOT NULL, language varchar(2) NOT NULL,
            source bigint NOT NULL) PARTITION BY RANGE ("at")"""
        )
        op.execute("CREATE TABLE scans_default PARTITION OF scans DEFAULT")
        op.execute(f"INSERT INTO scans ({COLUMNS}) SELECT {COLUMNS} FROM scans_plain")
        op.execute("DROP TABLE scans_plain")
        op.create_index(op.f("ix_scans_at"), "scans", ["at"])
