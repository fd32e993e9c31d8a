"""Records carry clips, which come in parts"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trace_app.db.append_only import AppendOnly, keep, let_go
from trace_app.db.base import UtcDateTime

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

KEPT = (
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
    AppendOnly("record_clips"),
)
MOST_BYTES = 524_288_000
SEEN = ("ending", "plays", "hidden", "codec", "width", "height", "milliseconds")
CLIPS = "there are clips, which the version before has no place for"


def upgrade() -> None:
    op.create_table(
        "clips",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("file_name", sa.String(120), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("verdict", sa.String(10), nullable=True),
        sa.Column("judged_at", UtcDateTime(), nullable=True),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.Column("ending", sa.String(4), nullable=True),
        sa.Column("plays", sa.Boolean(), nullable=True),
        sa.Column("hidden", sa.String(2000), nullable=True),
        sa.Column("codec", sa.String(8), nullable=True),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("milliseconds", sa.Integer(), nullable=True),
        sa.CheckConstraint(f"bytes BETWEEN 1 AND {MOST_BYTES}", name=op.f("ck_clips_bytes")),
        sa.CheckConstraint("milliseconds BETWEEN 0 AND 605000", name=op.f("ck_clips_milliseconds")),
        sa.CheckConstraint("width > 0 AND height > 0", name=op.f("ck_clips_size")),
        sa.CheckConstraint(
            "(verdict IS NULL) = (judged_at IS NULL) AND (verdict IS NULL) = (sha256 IS NULL)",
            name=op.f("ck_clips_judged"),
        ),
        sa.CheckConstraint(
            " AND ".join(f"(verdict IS NOT NULL AND verdict = 'ready') = ({name} IS NOT NULL)" for name in SEEN),
            name=op.f("ck_clips_seen"),
        ),
        sa.CheckConstraint("ending IN ('mp4', 'webm')", name=op.f("ck_clips_ending")),
        sa.CheckConstraint(
            "verdict IN ('ready', 'no_clip', 'cut_off', 'no_picture', 'too_long', 'too_large')",
            name=op.f("ck_clips_verdict"),
        ),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_clips_organisation_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_clips_created_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clips")),
        sa.UniqueConstraint("name", name=op.f("uq_clips_name")),
    )
    op.create_index(op.f("ix_clips_organisation_id"), "clips", ["organisation_id"])
    waiting = sa.text("verdict IS NULL")
    op.create_index("ix_clips_waiting", "clips", ["id"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_table(
        "record_clips",
        sa.Column("record_id", sa.Integer(), nullable=False),
        sa.Column("clip_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["record_id"], ["records.id"], name=op.f("fk_record_clips_record_id"), ondelete="RESTRICT"
        ),
        sa.ForeignKeyConstraint(["clip_id"], ["clips.id"], name=op.f("fk_record_clips_clip_id"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("record_id", "clip_id", name=op.f("pk_record_clips")),
    )
    op.create_index(op.f("ix_record_clips_clip_id"), "record_clips", ["clip_id"])
    op.create_table(
        "clip_uploads",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("record_id", sa.Integer(), nullable=False),
        sa.Column("file_name", sa.String(120), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=False),
        sa.Column("touched_at", UtcDateTime(), nullable=False),
        sa.Column("clip_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(f"bytes BETWEEN 1 AND {MOST_BYTES}", name=op.f("ck_clip_uploads_bytes")),
        sa.CheckConstraint("received BETWEEN 0 AND bytes", name=op.f("ck_clip_uploads_received")),
        sa.CheckConstraint("(received = bytes) = (clip_id IS NOT NULL)", name=op.f("ck_clip_uploads_finished")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_clip_uploads_organisation_id")
        ),
        sa.ForeignKeyConstraint(["record_id"], ["records.id"], name=op.f("fk_clip_uploads_record_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_clip_uploads_created_by_id")),
        sa.ForeignKeyConstraint(["clip_id"], ["clips.id"], name=op.f("fk_clip_uploads_clip_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clip_uploads")),
        sa.UniqueConstraint("name", name=op.f("uq_clip_uploads_name")),
        sa.UniqueConstraint("clip_id", name=op.f("uq_clip_uploads_clip_id")),
    )
    for column in ("organisation_id", "record_id", "touched_at"):
        op.create_index(op.f(f"ix_clip_uploads_{column}"), "clip_uploads", [column])
    op.create_table(
        "clip_parts",
        sa.Column("upload_id", sa.Integer(), nullable=False),
        sa.Column("start", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.CheckConstraint("start >= 0 AND bytes > 0", name=op.f("ck_clip_parts_place")),
        sa.ForeignKeyConstraint(
            ["upload_id"], ["clip_uploads.id"], name=op.f("fk_clip_parts_upload_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("upload_id", "start", name=op.f("pk_clip_parts")),
        sa.UniqueConstraint("name", name=op.f("uq_clip_parts_name")),
    )
    keep(op.get_bind(), KEPT)


def downgrade() -> None:
    """Refuses where there are clips; what was still on its way has to be sent anew."""
    connection = op.get_bind()
    if connection.execute(sa.text("SELECT count(*) FROM clips")).scalar():
        raise RuntimeError(CLIPS)
    let_go(connection, KEPT)
    for table in ("clip_parts", "clip_uploads", "record_clips", "clips"):
        op.drop_table(table)
