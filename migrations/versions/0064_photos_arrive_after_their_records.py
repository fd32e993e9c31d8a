"""Photos come after what they belong to, part by part; when and where they were taken is kept"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from trace_app.db.base import UtcDateTime
from trace_app.db.constraints import declare, hold_types, let_types_go, retract

revision = "0064"
down_revision = "0060"
branch_labels = None
depends_on = None

MOST_BYTES = 20_971_520
OWNERS = {"record_id": "records", "feedback_id": "feedback", "report_id": "recall_reports"}
CAPTURED = {
    "photos": {
        "ck_photos_latitude": "CHECK (latitude BETWEEN -90 AND 90)",
        "ck_photos_longitude": "CHECK (longitude BETWEEN -180 AND 180)",
        "ck_photos_place": "CHECK ((latitude IS NULL) = (longitude IS NULL))",
    }
}
WAITING = "photos are still on their way, which the version before has no place for"


def upgrade() -> None:
    connection = op.get_bind()
    let_types_go(connection, "photos")
    op.add_column("photos", sa.Column("taken_at", UtcDateTime(), nullable=True))
    op.add_column("photos", sa.Column("latitude", sa.Numeric(8, 5), nullable=True))
    op.add_column("photos", sa.Column("longitude", sa.Numeric(8, 5), nullable=True))
    declare(connection, CAPTURED)
    hold_types(connection, "photos")
    op.create_table(
        "photo_arrivals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        *[sa.Column(owner, sa.Integer(), nullable=True) for owner in OWNERS],
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("touched_at", UtcDateTime(), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=True),
        sa.Column("received", sa.Integer(), nullable=False),
        sa.Column("taken_at", UtcDateTime(), nullable=True),
        sa.Column("latitude", sa.Numeric(8, 5), nullable=True),
        sa.Column("longitude", sa.Numeric(8, 5), nullable=True),
        sa.Column("refused_at", UtcDateTime(), nullable=True),
        sa.Column("photo_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            " + ".join(f"CASE WHEN {owner} IS NULL THEN 0 ELSE 1 END" for owner in OWNERS) + " = 1",
            name=op.f("ck_photo_arrivals_one_owner"),
        ),
        sa.CheckConstraint(f"bytes BETWEEN 1 AND {MOST_BYTES}", name=op.f("ck_photo_arrivals_bytes")),
        sa.CheckConstraint("received >= 0 AND received <= COALESCE(bytes, 0)", name=op.f("ck_photo_arrivals_received")),
        sa.CheckConstraint("photo_id IS NULL OR received = bytes", name=op.f("ck_photo_arrivals_finished")),
        sa.CheckConstraint("refused_at IS NULL OR photo_id IS NULL", name=op.f("ck_photo_arrivals_refused")),
        sa.CheckConstraint("latitude BETWEEN -90 AND 90", name=op.f("ck_photo_arrivals_latitude")),
        sa.CheckConstraint("longitude BETWEEN -180 AND 180", name=op.f("ck_photo_arrivals_longitude")),
        sa.CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name=op.f("ck_photo_arrivals_place")),
        sa.CheckConstraint("length(name) = 32", name=op.f("ck_photo_arrivals_name")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_photo_arrivals_organisation_id")
        ),
        *[
            sa.ForeignKeyConstraint([owner], [f"{table}.id"], name=op.f(f"fk_photo_arrivals_{owner}"))
            for owner, table in OWNERS.items()
        ],
        sa.ForeignKeyConstraint(
            ["organisation_id", "record_id"],
            ["records.producer_id", "records.id"],
            name=op.f("fk_photo_arrivals_own_record"),
        ),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_photo_arrivals_created_by_id")),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name=op.f("fk_photo_arrivals_photo_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photo_arrivals")),
        sa.UniqueConstraint("name", name=op.f("uq_photo_arrivals_name")),
        sa.UniqueConstraint("photo_id", name=op.f("uq_photo_arrivals_photo_id")),
    )
    for column in ("organisation_id", *OWNERS, "touched_at"):
        op.create_index(op.f(f"ix_photo_arrivals_{column}"), "photo_arrivals", [column])
    op.create_table(
        "photo_parts",
        sa.Column("arrival_id", sa.Integer(), nullable=False),
        sa.Column("start", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.CheckConstraint("start >= 0 AND bytes > 0", name=op.f("ck_photo_parts_place")),
        sa.ForeignKeyConstraint(
            ["arrival_id"], ["photo_arrivals.id"], name=op.f("fk_photo_parts_arrival_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("arrival_id", "start", name=op.f("pk_photo_parts")),
        sa.UniqueConstraint("name", name=op.f("uq_photo_parts_name")),
    )
    for table in ("photo_arrivals", "photo_parts"):
        hold_types(connection, table)


def downgrade() -> None:
    """Refuses while photos are on their way; when and where those that came were taken is forgotten."""
    connection = op.get_bind()
    waiting = "SELECT count(*) FROM photo_arrivals WHERE photo_id IS NULL AND refused_at IS NULL"
    if connection.execute(sa.text(waiting)).scalar():
        raise RuntimeError(WAITING)
    op.drop_table("photo_parts")
    op.drop_table("photo_arrivals")
    let_types_go(connection, "photos")
    retract(connection, CAPTURED)
    for column in ("longitude", "latitude", "taken_at"):
        op.drop_column("photos", column)
    hold_types(connection, "photos")
