"""Cameras look at sites"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trace_app.db.base import UtcDateTime

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

PICTURES = "there are pictures of cameras, which the version before has no place for"
OPEN, OF_DAY = sa.text("until IS NULL"), sa.text("is_of_day")


def upgrade() -> None:
    op.create_table(
        "cameras",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("producer_id", sa.Integer(), nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("sealed_address", sa.String(2000), nullable=False),
        sa.Column("every_minutes", sa.Integer(), nullable=False),
        sa.Column("on_trace_page", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=True),
        sa.Column("misses", sa.Integer(), nullable=False),
        sa.Column("failure", sa.String(11), nullable=True),
        sa.Column("sorted_until", sa.Date(), nullable=True),
        sa.CheckConstraint("every_minutes BETWEEN 5 AND 120", name=op.f("ck_cameras_every_minutes")),
        sa.CheckConstraint("misses >= 0", name=op.f("ck_cameras_misses")),
        sa.CheckConstraint("source IN ('snapshot', 'hls', 'rtsp')", name=op.f("ck_cameras_source")),
        sa.CheckConstraint(
            "failure IN ('no_answer', 'refused', 'redirected', 'not_allowed', 'no_picture')",
            name=op.f("ck_cameras_failure"),
        ),
        sa.ForeignKeyConstraint(["producer_id"], ["organisations.id"], name=op.f("fk_cameras_producer_id")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("fk_cameras_site_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_cameras_created_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cameras")),
        sa.UniqueConstraint("site_id", "name", name=op.f("uq_cameras_site_id_name")),
    )
    op.create_index(op.f("ix_cameras_producer_id"), "cameras", ["producer_id"])
    op.create_index(op.f("ix_cameras_due_at"), "cameras", ["due_at"])
    op.create_table(
        "camera_alarms",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("camera_id", sa.Integer(), nullable=False),
        sa.Column("trouble", sa.String(7), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.CheckConstraint("until IS NULL OR until >= since", name=op.f("ck_camera_alarms_until")),
        sa.CheckConstraint(
            "trouble IN ('silent', 'black', 'frozen', 'covered', 'blurred', 'moved')",
            name=op.f("ck_camera_alarms_trouble"),
        ),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name=op.f("fk_camera_alarms_camera_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_camera_alarms")),
    )
    op.create_index(op.f("ix_camera_alarms_camera_id"), "camera_alarms", ["camera_id"])
    op.create_index(
        "uq_camera_alarms_open",
        "camera_alarms",
        ["camera_id", "trouble"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_table(
        "camera_pictures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("camera_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("taken_at", UtcDateTime(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("is_of_day", sa.Boolean(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("brightness", sa.Double(), nullable=False),
        sa.Column("contrast", sa.Double(), nullable=False),
        sa.Column("sharpness", sa.Double(), nullable=False),
        sa.Column("one_colour", sa.Double(), nullable=False),
        sa.Column("grey", sa.LargeBinary(2304), nullable=False),
        sa.CheckConstraint("width > 0 AND height > 0 AND bytes > 0", name=op.f("ck_camera_pictures_size")),
        sa.ForeignKeyConstraint(["camera_id"], ["cameras.id"], name=op.f("fk_camera_pictures_camera_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_camera_pictures")),
        sa.UniqueConstraint("name", name=op.f("uq_camera_pictures_name")),
        sa.UniqueConstraint("camera_id", "taken_at", name=op.f("uq_camera_pictures_camera_id_taken_at")),
    )
    op.create_index("ix_camera_pictures_camera_id_day", "camera_pictures", ["camera_id", "day"])
    op.create_index(
        "uq_camera_pictures_of_day",
        "camera_pictures",
        ["camera_id", "day"],
        unique=True,
        sqlite_where=OF_DAY,
        postgresql_where=OF_DAY,
    )


def downgrade() -> None:
    """Refuses where there are pictures: they are evidence."""
    if op.get_bind().execute(sa.text("SELECT count(*) FROM camera_pictures")).scalar():
        raise RuntimeError(PICTURES)
    for table in ("camera_pictures", "camera_alarms", "cameras"):
        op.drop_table(table)
