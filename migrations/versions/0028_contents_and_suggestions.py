"""The labels of cases and pallets say how much is in them; counties send suggestions for the shared catalogues"""

import sqlalchemy as sa
from alembic import op

from trace_app.db.append_only import AppendOnly, keep, let_go

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

SUGGESTIONS = (
    AppendOnly(
        "suggestions",
        fixed=("organisation_id", "catalogue", "content", "basis", "document_id", "created_at", "created_by_id"),
        once=("accepted", "answer", "answered_at", "answered_by_id"),
    ),
)


def upgrade() -> None:
    with op.batch_alter_table("print_jobs") as batch_op:
        batch_op.add_column(sa.Column("items_each", sa.Integer(), nullable=True))
        batch_op.create_check_constraint(op.f("ck_print_jobs_items_each"), "items_each > 0")
    op.create_table(
        "suggestions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("catalogue", sa.String(10), nullable=False),
        sa.Column("content", sa.String(1000), nullable=False),
        sa.Column("basis", sa.String(300), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=True),
        sa.Column("answer", sa.String(500), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "catalogue IN ('inputs', 'kinds', 'prohibited', 'limits', 'gi_areas', 'holidays')",
            name=op.f("ck_suggestions_catalogue"),
        ),
        sa.CheckConstraint(
            "(answered_at IS NULL) = (accepted IS NULL) AND (answered_at IS NULL) = (answered_by_id IS NULL)"
            " AND (answered_at IS NULL) = (answer IS NULL)",
            name=op.f("ck_suggestions_answer_whole"),
        ),
        sa.CheckConstraint(
            "accepted IS NULL OR accepted OR answer != ''", name=op.f("ck_suggestions_refusal_has_reason")
        ),
        sa.CheckConstraint("content != '' AND basis != ''", name=op.f("ck_suggestions_says_what_and_why")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_suggestions_organisation_id")),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_suggestions_document_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_suggestions_created_by_id")),
        sa.ForeignKeyConstraint(["answered_by_id"], ["users.id"], name=op.f("fk_suggestions_answered_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suggestions")),
    )
    op.create_index(op.f("ix_suggestions_organisation_id"), "suggestions", ["organisation_id"])
    keep(op.get_bind(), SUGGESTIONS)


def downgrade() -> None:
    let_go(op.get_bind(), SUGGESTIONS)
    op.drop_table("suggestions")
    with op.batch_alter_table("print_jobs") as batch_op:
        batch_op.drop_constraint(op.f("ck_print_jobs_items_each"), type_="check")
        batch_op.drop_column("items_each")
