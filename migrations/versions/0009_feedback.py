"""Consumers' feedback, and location numbers of sites"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("sites") as sites:
        sites.add_column(sa.Column("gln", sa.String(length=13), nullable=True))
        sites.create_unique_constraint("uq_sites_gln", ["gln"])
    op.create_table(
        "feedback",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ticket", sa.String(length=20), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "fake", "safety", "quality", "praise", name="kind", native_enum=False, create_constraint=True, length=7
            ),
            nullable=False,
        ),
        sa.Column("code", sa.String(length=13), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(length=1000), nullable=False),
        sa.Column("bought_at", sa.String(length=100), nullable=False),
        sa.Column("contact", sa.String(length=100), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_feedback_batch_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
        sa.UniqueConstraint("ticket", name=op.f("uq_feedback_ticket")),
    )
    op.create_index("ix_feedback_batch_id_created_at", "feedback", ["batch_id", "created_at"])
    op.create_table(
        "feedback_replies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("feedback_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.String(length=1000), nullable=False),
        sa.Column("closes", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_feedback_replies_created_by_id")),
        sa.ForeignKeyConstraint(["feedback_id"], ["feedback.id"], name=op.f("fk_feedback_replies_feedback_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_replies")),
    )
    op.create_index(op.f("ix_feedback_replies_feedback_id"), "feedback_replies", ["feedback_id"])
    op.create_table(
        "feedback_photos",
        sa.Column("feedback_id", sa.Integer(), nullable=False),
        sa.Column("photo_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["feedback_id"], ["feedback.id"], name=op.f("fk_feedback_photos_feedback_id")),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name=op.f("fk_feedback_photos_photo_id")),
        sa.PrimaryKeyConstraint("feedback_id", "photo_id", name=op.f("pk_feedback_photos")),
    )


def downgrade() -> None:
    op.drop_table("feedback_photos")
    op.drop_table("feedback_replies")
    op.drop_table("feedback")
    with op.batch_alter_table("sites") as sites:
        sites.drop_constraint("uq_sites_gln", type_="unique")
        sites.drop_column("gln")
