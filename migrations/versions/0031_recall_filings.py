"""Plans, closing reports and conclusions are part of a recall; a document may show what became of the goods"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trace_app.db.append_only import AppendOnly, keep, let_go

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

FILINGS = (AppendOnly("recall_filings"),)
REPORTS = (AppendOnly("recall_reports"),)
PAPERS = "there are papers in recalls, which the version before has no place for"


def upgrade() -> None:
    let_go(op.get_bind(), REPORTS)
    with op.batch_alter_table("recall_reports") as batch_op:
        batch_op.add_column(sa.Column("document_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(op.f("fk_recall_reports_document_id"), "documents", ["document_id"], ["id"])
    keep(op.get_bind(), REPORTS)
    op.create_table(
        "recall_filings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("recall_id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(14), nullable=False),
        sa.Column("text", sa.String(3000), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=True),
        sa.Column("filed_by_name", sa.String(60), nullable=False),
        sa.Column("filed_by_id", sa.Integer(), nullable=True),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('plan', 'closing_report', 'conclusion')", name=op.f("ck_recall_filings_kind")),
        sa.CheckConstraint("text != '' OR document_id IS NOT NULL", name=op.f("ck_recall_filings_content")),
        sa.CheckConstraint("(kind = 'conclusion') = (task_id IS NULL)", name=op.f("ck_recall_filings_party")),
        sa.CheckConstraint("(kind = 'conclusion') = (filed_by_id IS NOT NULL)", name=op.f("ck_recall_filings_officer")),
        sa.ForeignKeyConstraint(["recall_id"], ["recalls.id"], name=op.f("fk_recall_filings_recall_id")),
        sa.ForeignKeyConstraint(["task_id"], ["recall_tasks.id"], name=op.f("fk_recall_filings_task_id")),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_recall_filings_document_id")),
        sa.ForeignKeyConstraint(["filed_by_id"], ["users.id"], name=op.f("fk_recall_filings_filed_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recall_filings")),
    )
    op.create_index(op.f("ix_recall_filings_recall_id"), "recall_filings", ["recall_id"])
    keep(op.get_bind(), FILINGS)


def downgrade() -> None:
    """Refuses where something was handed in."""
    connection = op.get_bind()
    for query in (
        "SELECT count(*) FROM recall_filings",
        "SELECT count(*) FROM recall_reports WHERE document_id IS NOT NULL",
    ):
        if connection.execute(sa.text(query)).scalar():
            raise RuntimeError(PAPERS)
    let_go(connection, FILINGS)
    op.drop_table("recall_filings")
    let_go(connection, REPORTS)
    with op.batch_alter_table("recall_reports") as batch_op:
        batch_op.drop_constraint(op.f("fk_recall_reports_document_id"), type_="foreignkey")
        batch_op.drop_column("document_id")
    keep(connection, REPORTS)
