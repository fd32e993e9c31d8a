"""The print room: runs hold codes, print jobs make files of them; layouts, voided labels, PINs, packing, GS1"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "label_layouts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("producer_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("plain", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_label_layouts_created_by_id")),
        sa.ForeignKeyConstraint(["producer_id"], ["organisations.id"], name=op.f("fk_label_layouts_producer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_layouts")),
        sa.UniqueConstraint("producer_id", "name", name=op.f("uq_label_layouts_producer_id_name")),
    )
    op.create_table(
        "packings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("container_run_id", sa.Integer(), nullable=False),
        sa.Column("container_index", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.Column("packed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("packed_by_id", sa.Integer(), nullable=True),
        sa.Column("unpacked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unpacked_by_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["container_run_id"], ["label_runs.id"], name=op.f("fk_packings_container_run_id")),
        sa.ForeignKeyConstraint(["packed_by_id"], ["users.id"], name=op.f("fk_packings_packed_by_id")),
        sa.ForeignKeyConstraint(["run_id"], ["label_runs.id"], name=op.f("fk_packings_run_id")),
        sa.ForeignKeyConstraint(["unpacked_by_id"], ["users.id"], name=op.f("fk_packings_unpacked_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_packings")),
    )
    with op.batch_alter_table("packings", schema=None) as batch_op:
        batch_op.create_index("ix_packings_container", ["container_run_id", "container_index"], unique=False)
        batch_op.create_index(
            "uq_packings_content",
            ["run_id", "index"],
            unique=True,
            sqlite_where=sa.text("unpacked_at IS NULL"),
            postgresql_where=sa.text("unpacked_at IS NULL"),
        )

    op.create_table(
        "pin_checks",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_right_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("right", sa.Integer(), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("wrong_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["label_runs.id"], name=op.f("fk_pin_checks_run_id")),
        sa.PrimaryKeyConstraint("run_id", "index", name=op.f("pk_pin_checks")),
    )
    op.create_table(
        "print_jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("format", sa.String(length=10), nullable=False),
        sa.Column("layout_name", sa.String(length=60), nullable=False),
        sa.Column("layout", sa.JSON(), nullable=False),
        sa.Column("per_volume", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column(
            "status",
            sa.Enum(
                "waiting",
                "working",
                "ready",
                "failed",
                "cancelled",
                name="status",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column("failure", sa.String(length=300), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=16), nullable=False),
        sa.Column("alive_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_with", sa.Integer(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("first >= 0 AND count > 0", name=op.f("ck_print_jobs_range")),
        sa.CheckConstraint("per_volume > 0", name=op.f("ck_print_jobs_per_volume")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_print_jobs_created_by_id")),
        sa.ForeignKeyConstraint(["run_id"], ["label_runs.id"], name=op.f("fk_print_jobs_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_print_jobs")),
    )
    with op.batch_alter_table("print_jobs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_print_jobs_run_id"), ["run_id"], unique=False)
        batch_op.create_index("ix_print_jobs_status", ["status", "alive_at"], unique=False)

    op.create_table(
        "voided_labels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("first >= 0 AND last >= first", name=op.f("ck_voided_labels_range")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_voided_labels_created_by_id")),
        sa.ForeignKeyConstraint(["run_id"], ["label_runs.id"], name=op.f("fk_voided_labels_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voided_labels")),
    )
    with op.batch_alter_table("voided_labels", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_voided_labels_run_id"), ["run_id"], unique=False)

    op.create_table(
        "print_volumes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("file_key", sa.String(length=200), nullable=False),
        sa.Column("file_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["print_jobs.id"], name=op.f("fk_print_volumes_job_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_print_volumes")),
        sa.UniqueConstraint("job_id", "number", name=op.f("uq_print_volumes_job_id_number")),
    )
    op.execute(
        "INSERT INTO print_jobs (run_id, first, count, format, layout_name, layout, per_volume, reason, status, failure,"
        " done, worker, alive_at, started_with, finished_at, created_at, created_by_id)"
        " SELECT id, 0, count, 'pdf', stock, '{}', count, '', CASE status WHEN 'ready' THEN 'ready' ELSE 'failed' END,"
        " failure, count, '', created_at, 0, finished_at, created_at, created_by_id FROM label_runs"
    )
    op.execute(
        "INSERT INTO print_volumes (job_id, number, first, count, file_key, file_bytes)"
        " SELECT j.id, 1, 0, r.count, r.file_key, coalesce(r.file_bytes, 0) FROM label_runs r"
        " JOIN print_jobs j ON j.run_id = r.id WHERE r.file_key IS NOT NULL"
    )
    with op.batch_alter_table("label_runs") as batch_op:
        batch_op.add_column(
            sa.Column(
                "level",
                sa.Enum("batch", "item", "case", "pallet", name="level", native_enum=False, create_constraint=True),
                nullable=False,
                server_default="item",
            )
        )
        batch_op.add_column(sa.Column("has_pin", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("link", sa.String(length=120), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("sscc_stem", sa.String(length=13), nullable=True))
        batch_op.add_column(sa.Column("sscc_first", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("voided", sa.Text(), nullable=False, server_default=""))
        batch_op.create_index("ix_label_runs_sscc", ["sscc_stem", "sscc_first"], unique=False)
        batch_op.create_check_constraint(op.f("ck_label_runs_one_code_for_a_batch"), "level != 'batch' OR count = 1")
        batch_op.drop_constraint(op.f("ck_label_runs_status"), type_="check")
        for column in ("stock", "status", "finished_at", "failure", "file_bytes", "file_key"):
            batch_op.drop_column(column)

    with op.batch_alter_table("organisations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("gs1_prefix", sa.String(length=12), nullable=True))
        batch_op.add_column(sa.Column("next_sscc", sa.BigInteger(), server_default="0", nullable=False))
        batch_op.create_unique_constraint(batch_op.f("uq_organisations_gs1_prefix"), ["gs1_prefix"])

    with op.batch_alter_table("products", schema=None) as batch_op:
        batch_op.add_column(sa.Column("gtin", sa.String(length=14), nullable=True))
        batch_op.add_column(sa.Column("marks", sa.String(length=40), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("products", schema=None) as batch_op:
        batch_op.drop_column("marks")
        batch_op.drop_column("gtin")

    with op.batch_alter_table("organisations", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_organisations_gs1_prefix"), type_="unique")
        batch_op.drop_column("next_sscc")
        batch_op.drop_column("gs1_prefix")

    with op.batch_alter_table("label_runs") as batch_op:
        batch_op.add_column(sa.Column("file_key", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("file_bytes", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("failure", sa.String(length=300), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(
            sa.Column(
                "status",
                sa.Enum(
                    "waiting", "working", "ready", "failed", name="status", native_enum=False, create_constraint=True
                ),
                nullable=False,
                server_default="failed",
            )
        )
        batch_op.add_column(sa.Column("stock", sa.String(length=30), nullable=False, server_default="roll-60x40"))
        batch_op.drop_index("ix_label_runs_sscc")
        batch_op.drop_constraint(op.f("ck_label_runs_one_code_for_a_batch"), type_="check")
        batch_op.drop_constraint(op.f("ck_label_runs_level"), type_="check")
        for column in ("voided", "sscc_first", "sscc_stem", "link", "has_pin", "level"):
            batch_op.drop_column(column)
    op.execute(
        "UPDATE label_runs SET status = 'ready', stock = substr(j.layout_name, 1, 30), file_key = v.file_key,"
        " file_bytes = v.file_bytes, finished_at = j.finished_at FROM print_jobs j"
        " JOIN print_volumes v ON v.job_id = j.id AND v.number = 1 WHERE j.run_id = label_runs.id AND j.status = 'ready'"
        " AND j.format = 'pdf'"
    )

    op.drop_table("print_volumes")
    with op.batch_alter_table("voided_labels", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_voided_labels_run_id"))

    op.drop_table("voided_labels")
    with op.batch_alter_table("print_jobs", schema=None) as batch_op:
        batch_op.drop_index("ix_print_jobs_status")
        batch_op.drop_index(batch_op.f("ix_print_jobs_run_id"))

    op.drop_table("print_jobs")
    op.drop_table("pin_checks")
    with op.batch_alter_table("packings", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_packings_content",
            sqlite_where=sa.text("unpacked_at IS NULL"),
            postgresql_where=sa.text("unpacked_at IS NULL"),
        )
        batch_op.drop_index("ix_packings_container")

    op.drop_table("packings")
    op.drop_table("label_layouts")
