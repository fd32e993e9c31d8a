"""Each scan, labels scanned, suspicions"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    _scans()
    op.create_table(
        "scan_items",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("unusual", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "index", name=op.f("pk_scan_items")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "scan_marks",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("until", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_scan_marks")),
    )
    op.create_table(
        "suspicions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "far_apart",
                "burst",
                "void",
                "unprinted",
                "guessing",
                name="kind",
                native_enum=False,
                create_constraint=True,
                length=9,
            ),
            nullable=False,
        ),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("source", sa.BigInteger(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=True),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.Column("regions", sa.JSON(), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("told_at", MOMENT, nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.CheckConstraint("score BETWEEN 1 AND 100", name=op.f("ck_suspicions_score")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_suspicions_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suspicions")),
        sa.UniqueConstraint(
            "kind", "day", "run_id", "index", "source", name=op.f("uq_suspicions_kind_day_run_id_index_source")
        ),
    )
    op.create_index("ix_suspicions_batch_id_day", "suspicions", ["batch_id", "day"])
    op.create_index(op.f("ix_suspicions_day"), "suspicions", ["day"])
    op.create_table(
        "stop_epochs",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("lease_ms", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stop_epochs")),
    )
    _days(
        "client, language",
        "'', ''",
        sa.Column("client", sa.String(length=10), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
    )


def _scans() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            """CREATE TABLE scans ("at" timestamptz NOT NULL, outcome varchar(10) NOT NULL, run_id integer, index integer,
            batch_id integer, region varchar(20) NOT NULL, client varchar(10) NOT NULL, language varchar(2) NOT NULL,
            source bigint NOT NULL) PARTITION BY RANGE ("at")"""
        )
        # Until its month has a partition of its own, a scan is here.
        op.execute("CREATE TABLE scans_default PARTITION OF scans DEFAULT")
    else:
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
    op.create_index(op.f("ix_scans_at"), "scans", ["at"])


def _days(names: str = "", values: str = "", *columns: sa.Column[str]) -> None:
    """Make `scan_days` anew with further columns in its key, and fill it with what was counted."""
    op.rename_table("scan_days", "scan_days_before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX pk_scan_days RENAME TO pk_scan_days_before")
        op.execute(
            "ALTER TABLE scan_days_before RENAME CONSTRAINT fk_scan_days_batch_id TO fk_scan_days_before_batch_id"
        )
    op.create_table(
        "scan_days",
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("region", sa.String(length=20), nullable=False),
        *columns,
        sa.Column("scans", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_scan_days_batch_id")),
        sa.PrimaryKeyConstraint(
            "batch_id", "day", "region", *(column.name for column in columns), name=op.f("pk_scan_days")
        ),
        sqlite_with_rowid=False,
    )
    more, filled = (f", {names}", f", {values}") if names else ("", "")
    op.execute(
        f"INSERT INTO scan_days (batch_id, day, region{more}, scans)"
        f" SELECT batch_id, day, region{filled}, SUM(scans) FROM scan_days_before GROUP BY batch_id, day, region"
    )
    op.drop_table("scan_days_before")


def downgrade() -> None:
    _days()
    op.drop_table("stop_epochs")
    op.drop_table("suspicions")
    op.drop_table("scan_marks")
    op.drop_table("scan_items")
    op.drop_table("scans")
