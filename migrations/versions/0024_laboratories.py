"""Laboratories' own names and numbers on their reports, their word on reports under their name, and orders of tests"""

import re
import unicodedata

import sqlalchemy as sa
from alembic import op

from trace_app.db.append_only import AppendOnly, keep, let_go

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

KINDS = "'supervision', 'commissioned', 'own'"
REPORTS = (AppendOnly("test_reports"),)
NEW = (AppendOnly("laboratory_answers"), AppendOnly("test_orders"))
DASHES = re.compile("[‐-―−－~—]")


def upgrade() -> None:
    with op.batch_alter_table("organisations") as batch_op:
        batch_op.add_column(sa.Column("cma_number", sa.String(20), server_default="", nullable=False))
        batch_op.create_check_constraint(
            op.f("ck_organisations_laboratory_has_cma_number"), "cma_number = '' OR kind = 'laboratory'"
        )
    let_go(op.get_bind(), REPORTS)
    with op.batch_alter_table("test_reports") as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(12), nullable=True))
        batch_op.add_column(sa.Column("sample_number", sa.String(40), server_default="", nullable=False))
        batch_op.add_column(sa.Column("laboratory_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("report_key", sa.String(220), nullable=True))
    _say_whose_reports_are()
    with op.batch_alter_table("test_reports") as batch_op:
        batch_op.create_check_constraint(op.f("ck_test_reports_kind"), f"kind IN ({KINDS})")
        batch_op.create_foreign_key(op.f("fk_test_reports_laboratory_id"), "organisations", ["laboratory_id"], ["id"])
        batch_op.create_index(op.f("ix_test_reports_laboratory_id"), ["laboratory_id"])
        batch_op.create_unique_constraint(op.f("uq_test_reports_report_key"), ["report_key"])
    keep(op.get_bind(), REPORTS)
    op.create_table(
        "laboratory_answers",
        sa.Column("report_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("confirmed", sa.Boolean(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_by_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["test_reports.id"], name=op.f("fk_laboratory_answers_report_id")),
        sa.ForeignKeyConstraint(["answered_by_id"], ["users.id"], name=op.f("fk_laboratory_answers_answered_by_id")),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_laboratory_answers")),
    )
    op.create_table(
        "test_orders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("laboratory_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("sample_number", sa.String(40), nullable=False),
        sa.Column("items", sa.String(300), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.CheckConstraint(f"kind IN ({KINDS})", name=op.f("ck_test_orders_kind")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_test_orders_batch_id")),
        sa.ForeignKeyConstraint(["laboratory_id"], ["organisations.id"], name=op.f("fk_test_orders_laboratory_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_test_orders_created_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_test_orders")),
        sa.UniqueConstraint("laboratory_id", "sample_number", name=op.f("uq_test_orders_laboratory_id_sample_number")),
    )
    op.create_index(op.f("ix_test_orders_batch_id"), "test_orders", ["batch_id"])
    keep(op.get_bind(), NEW)


def _say_whose_reports_are() -> None:
    """What a laboratory entered is its own. The first report of a laboratory and number has that to itself.

    What producers entered keeps the name that it bears, also that of a laboratory on the platform: nobody was asked.
    """
    connection = op.get_bind()
    connection.execute(
        sa.text(
            "UPDATE test_reports SET laboratory_id = entered_for_id WHERE entered_for_id IN"
            " (SELECT id FROM organisations WHERE kind = 'laboratory')"
        )
    )
    known: set[str] = set()
    query = "SELECT id, laboratory, report_number FROM test_reports WHERE replaces_id IS NULL ORDER BY id"
    for report_id, laboratory, number in connection.execute(sa.text(query)).all():
        key = f"{_letters(laboratory)}|{_without_spaces(number)}"
        if key not in known:
            known.add(key)
            connection.execute(
                sa.text("UPDATE test_reports SET report_key = :key WHERE id = :id"), {"key": key, "id": report_id}
            )


def _letters(name: str) -> str:
    """As the application compared names when this was written."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", name)).casefold()


def _without_spaces(number: str) -> str:
    return DASHES.sub("-", "".join(unicodedata.normalize("NFKC", number).upper().split()))


def downgrade() -> None:
    let_go(op.get_bind(), NEW)
    op.drop_table("test_orders")
    op.drop_table("laboratory_answers")
    let_go(op.get_bind(), REPORTS)
    with op.batch_alter_table("test_reports") as batch_op:
        batch_op.drop_constraint(op.f("uq_test_reports_report_key"), type_="unique")
        batch_op.drop_index(op.f("ix_test_reports_laboratory_id"))
        batch_op.drop_constraint(op.f("fk_test_reports_laboratory_id"), type_="foreignkey")
        batch_op.drop_constraint(op.f("ck_test_reports_kind"), type_="check")
        batch_op.drop_column("report_key")
        batch_op.drop_column("laboratory_id")
        batch_op.drop_column("sample_number")
        batch_op.drop_column("kind")
    keep(op.get_bind(), REPORTS)
    with op.batch_alter_table("organisations") as batch_op:
        batch_op.drop_constraint(op.f("ck_organisations_laboratory_has_cma_number"), type_="check")
        batch_op.drop_column("cma_number")
