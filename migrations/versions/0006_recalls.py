"""Shipments, receipts and losses; recalls with notices, holds, drills and follow-up"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "holidays",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("type", sa.String(length=4), nullable=False),
        sa.Column("name", sa.String(length=30), nullable=False),
        sa.Column("source", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holidays")),
        sa.UniqueConstraint("day", name=op.f("uq_holidays_day")),
    )
    op.create_table(
        "consignees",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("sender_id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=True),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("phone", sa.String(length=30), nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("division_code", sa.String(length=9), nullable=True),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["division_code"], ["divisions.code"], name=op.f("fk_consignees_division_code")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=op.f("fk_consignees_organisation_id")),
        sa.ForeignKeyConstraint(["sender_id"], ["organisations.id"], name=op.f("fk_consignees_sender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consignees")),
        sa.UniqueConstraint("sender_id", "name", name=op.f("uq_consignees_sender_id_name")),
    )
    with op.batch_alter_table("consignees", schema=None) as batch_op:
        batch_op.create_index("ix_consignees_name", ["name"], unique=False)
        batch_op.create_index(batch_op.f("ix_consignees_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "shipments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.String(length=24), nullable=False),
        sa.Column("receipt_code", sa.String(length=13), nullable=False),
        sa.Column("sender_id", sa.Integer(), nullable=False),
        sa.Column("consignee_id", sa.Integer(), nullable=False),
        sa.Column("departed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("carrier", sa.String(length=60), nullable=False),
        sa.Column("vehicle", sa.String(length=20), nullable=False),
        sa.Column("driver", sa.String(length=30), nullable=False),
        sa.Column("driver_phone", sa.String(length=30), nullable=False),
        sa.Column("least_celsius", sa.Double(), nullable=True),
        sa.Column("most_celsius", sa.Double(), nullable=True),
        sa.Column("platform", sa.String(length=30), nullable=False),
        sa.Column("order_number", sa.String(length=60), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_reason", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(["consignee_id"], ["consignees.id"], name=op.f("fk_shipments_consignee_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_shipments_created_by_id")),
        sa.ForeignKeyConstraint(["sender_id"], ["organisations.id"], name=op.f("fk_shipments_sender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipments")),
        sa.UniqueConstraint("number", name=op.f("uq_shipments_number")),
        sa.UniqueConstraint("receipt_code", name=op.f("uq_shipments_receipt_code")),
    )
    with op.batch_alter_table("shipments", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_shipments_consignee_id"), ["consignee_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_shipments_departed_at"), ["departed_at"], unique=False)
        batch_op.create_index("ix_shipments_order", ["sender_id", "platform", "order_number"], unique=False)
        batch_op.create_index("ix_shipments_sender_id_departed_at", ["sender_id", "departed_at"], unique=False)
        batch_op.create_index(
            "ix_shipments_vehicle", ["vehicle"], unique=False, postgresql_ops={"vehicle": "text_pattern_ops"}
        )

    op.create_table(
        "lot_losses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("holder_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=14, scale=3), nullable=False),
        sa.Column("reason", sa.String(length=100), nullable=False),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by_id", sa.Integer(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_reason", sa.String(length=300), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_lot_losses_quantity")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_lot_losses_batch_id")),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name=op.f("fk_lot_losses_created_by_id")),
        sa.ForeignKeyConstraint(["holder_id"], ["organisations.id"], name=op.f("fk_lot_losses_holder_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lot_losses")),
    )
    with op.batch_alter_table("lot_losses", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lot_losses_batch_id"), ["batch_id"], unique=False)

    op.create_table(
        "recall_notices",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("recall_id", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column(
            "type",
            sa.Enum(
                "issue",
                "approve",
                "reject",
                "extend",
                "narrow",
                "correct",
                "end",
                name="type",
                native_enum=False,
                create_constraint=True,
            ),
            nullable=False,
        ),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("reason_en", sa.String(length=800), nullable=False),
        sa.Column("advice", sa.String(length=500), nullable=False),
        sa.Column("advice_en", sa.String(length=800), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("scope", sa.JSON(), nullable=False),
        sa.Column("lots_added", sa.Integer(), nullable=False),
        sa.Column("lots_removed", sa.Integer(), nullable=False),
        sa.Column("lot_count", sa.Integer(), nullable=False),
        sa.Column("issued_by_id", sa.Integer(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("level BETWEEN 1 AND 3", name=op.f("ck_recall_notices_level")),
        sa.ForeignKeyConstraint(["issued_by_id"], ["users.id"], name=op.f("fk_recall_notices_issued_by_id")),
        sa.ForeignKeyConstraint(["recall_id"], ["recalls.id"], name=op.f("fk_recall_notices_recall_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recall_notices")),
        sa.UniqueConstraint("recall_id", "sequence", name=op.f("uq_recall_notices_recall_id_sequence")),
    )
    op.create_table(
        "recall_tasks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("recall_id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=True),
        sa.Column("consignee_id", sa.Integer(), nullable=True),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("start_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finish_due_on", sa.Date(), nullable=False),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=60), nullable=False),
        sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(organisation_id IS NULL) != (consignee_id IS NULL)", name=op.f("ck_recall_tasks_one_party")
        ),
        sa.ForeignKeyConstraint(["consignee_id"], ["consignees.id"], name=op.f("fk_recall_tasks_consignee_id")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name=op.f("fk_recall_tasks_organisation_id")
        ),
        sa.ForeignKeyConstraint(["recall_id"], ["recalls.id"], name=op.f("fk_recall_tasks_recall_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recall_tasks")),
        sa.UniqueConstraint("recall_id", "consignee_id", name=op.f("uq_recall_tasks_recall_id_consignee_id")),
        sa.UniqueConstraint("recall_id", "organisation_id", name=op.f("uq_recall_tasks_recall_id_organisation_id")),
        sa.UniqueConstraint("token", name=op.f("uq_recall_tasks_token")),
    )
    with op.batch_alter_table("recall_tasks", schema=None) as batch_op:
        batch_op.create_index(
            "ix_recall_tasks_due",
            ["start_due_at"],
            unique=False,
            sqlite_where=sa.text("acknowledged_at IS NULL"),
            postgresql_where=sa.text("acknowledged_at IS NULL"),
        )
        batch_op.create_index(batch_op.f("ix_recall_tasks_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "receipts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("shipment_id", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_by", sa.String(length=60), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(length=300), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["shipment_id"], ["shipments.id"], name=op.f("fk_receipts_shipment_id")),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_receipts_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_receipts")),
        sa.UniqueConstraint("shipment_id", name=op.f("uq_receipts_shipment_id")),
    )
    op.create_table(
        "shipment_lines",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("shipment_id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=14, scale=3), nullable=False),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_shipment_lines_quantity")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_shipment_lines_batch_id")),
        sa.ForeignKeyConstraint(["shipment_id"], ["shipments.id"], name=op.f("fk_shipment_lines_shipment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipment_lines")),
        sa.UniqueConstraint("shipment_id", "batch_id", name=op.f("uq_shipment_lines_shipment_id_batch_id")),
    )
    with op.batch_alter_table("shipment_lines", schema=None) as batch_op:
        batch_op.create_index("ix_shipment_lines_batch_id", ["batch_id", "shipment_id"], unique=False)

    op.create_table(
        "shipment_photos",
        sa.Column("shipment_id", sa.Integer(), nullable=False),
        sa.Column("photo_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name=op.f("fk_shipment_photos_photo_id")),
        sa.ForeignKeyConstraint(["shipment_id"], ["shipments.id"], name=op.f("fk_shipment_photos_shipment_id")),
        sa.PrimaryKeyConstraint("shipment_id", "photo_id", name=op.f("pk_shipment_photos")),
    )
    op.create_table(
        "shipment_temperatures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("shipment_id", sa.Integer(), nullable=False),
        sa.Column(
            "source",
            sa.Enum("manual", "logger", name="source", native_enum=False, create_constraint=True),
            nullable=False,
        ),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("least", sa.Double(), nullable=False),
        sa.Column("most", sa.Double(), nullable=False),
        sa.Column("outside_minutes", sa.Double(), nullable=True),
        sa.Column("points", sa.JSON(), nullable=False),
        sa.Column("document_id", sa.Integer(), nullable=True),
        sa.Column("noted_by", sa.String(length=60), nullable=False),
        sa.CheckConstraint("most >= least", name=op.f("ck_shipment_temperatures_range")),
        sa.ForeignKeyConstraint(["document_id"], ["documents.id"], name=op.f("fk_shipment_temperatures_document_id")),
        sa.ForeignKeyConstraint(["shipment_id"], ["shipments.id"], name=op.f("fk_shipment_temperatures_shipment_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipment_temperatures")),
    )
    with op.batch_alter_table("shipment_temperatures", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_shipment_temperatures_shipment_id"), ["shipment_id"], unique=False)

    op.create_table(
        "recall_reports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.Numeric(precision=14, scale=3), nullable=False),
        sa.Column("returned", sa.Numeric(precision=14, scale=3), nullable=False),
        sa.Column("destroyed", sa.Numeric(precision=14, scale=3), nullable=False),
        sa.Column("gone", sa.Numeric(precision=14, scale=3), nullable=False),
        sa.Column("note", sa.String(length=300), nullable=False),
        sa.Column("reported_by", sa.String(length=60), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "sealed >= 0 AND returned >= 0 AND destroyed >= 0 AND gone >= 0", name=op.f("ck_recall_reports_quantities")
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_recall_reports_batch_id")),
        sa.ForeignKeyConstraint(["task_id"], ["recall_tasks.id"], name=op.f("fk_recall_reports_task_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recall_reports")),
    )
    with op.batch_alter_table("recall_reports", schema=None) as batch_op:
        batch_op.create_index("ix_recall_reports_task_id", ["task_id", "batch_id"], unique=False)

    op.create_table(
        "receipt_lines",
        sa.Column("receipt_id", sa.Integer(), nullable=False),
        sa.Column("line_id", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Numeric(precision=14, scale=3), nullable=False),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_receipt_lines_quantity")),
        sa.ForeignKeyConstraint(["line_id"], ["shipment_lines.id"], name=op.f("fk_receipt_lines_line_id")),
        sa.ForeignKeyConstraint(["receipt_id"], ["receipts.id"], name=op.f("fk_receipt_lines_receipt_id")),
        sa.PrimaryKeyConstraint("receipt_id", "line_id", name=op.f("pk_receipt_lines")),
    )
    op.create_table(
        "shipped_codes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("line_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("index", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["line_id"], ["shipment_lines.id"], name=op.f("fk_shipped_codes_line_id")),
        sa.ForeignKeyConstraint(["run_id"], ["label_runs.id"], name=op.f("fk_shipped_codes_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipped_codes")),
    )
    with op.batch_alter_table("shipped_codes", schema=None) as batch_op:
        batch_op.create_index("ix_shipped_codes_label", ["run_id", "index"], unique=False)
        batch_op.create_index(batch_op.f("ix_shipped_codes_line_id"), ["line_id"], unique=False)

    op.create_table(
        "recall_report_photos",
        sa.Column("report_id", sa.Integer(), nullable=False),
        sa.Column("photo_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["photo_id"], ["photos.id"], name=op.f("fk_recall_report_photos_photo_id")),
        sa.ForeignKeyConstraint(["report_id"], ["recall_reports.id"], name=op.f("fk_recall_report_photos_report_id")),
        sa.PrimaryKeyConstraint("report_id", "photo_id", name=op.f("pk_recall_report_photos")),
    )
    with op.batch_alter_table("label_runs", schema=None) as batch_op:
        batch_op.drop_index("ix_label_runs_batch_id")
        batch_op.create_index("ix_label_runs_batch_id", ["batch_id", "count"], unique=False)
    with op.batch_alter_table("records", schema=None) as batch_op:
        batch_op.drop_index("ix_records_input_lot")
        batch_op.create_index(
            "ix_records_input_lot", ["input_lot"], unique=False, postgresql_ops={"input_lot": "text_pattern_ops"}
        )
    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.add_column(sa.Column("recall_level", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("held_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(
            "ix_batches_lot_number", ["lot_number"], unique=False, postgresql_ops={"lot_number": "text_pattern_ops"}
        )

    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.add_column(sa.Column("message", sa.JSON(), nullable=True))
        batch_op.add_column(sa.Column("address", sa.String(length=255), nullable=False, server_default=""))
        batch_op.alter_column("finding_id", existing_type=sa.INTEGER(), nullable=True)
        batch_op.alter_column("channel_id", existing_type=sa.INTEGER(), nullable=True)
        batch_op.create_check_constraint(op.f("ck_deliveries_one_content"), "(finding_id IS NULL) != (message IS NULL)")
        batch_op.create_check_constraint(op.f("ck_deliveries_one_way"), "channel_id IS NOT NULL OR address != ''")

    with op.batch_alter_table("recall_batches", schema=None) as batch_op:
        batch_op.add_column(sa.Column("added_in", sa.Integer(), server_default="1", nullable=False))
        batch_op.add_column(sa.Column("removed_in", sa.Integer(), nullable=True))
        batch_op.drop_index(batch_op.f("ix_recall_batches_batch_id"))
        batch_op.create_index("ix_recall_batches_batch_id", ["batch_id", "recall_id"], unique=False)

    if op.get_bind().dialect.name == "postgresql":
        # Room on each page for the new row versions of a large recall: without it they go into every index, too.
        op.execute("ALTER TABLE batches SET (fillfactor = 70)")
    op.execute(
        "INSERT INTO recall_notices (recall_id, sequence, type, level, reason, reason_en, advice, advice_en, note, scope,"
        " lots_added, lots_removed, lot_count, issued_by_id, issued_at)"
        " SELECT id, 1, 'issue', level, reason, reason_en, advice, advice_en, '', scope, lot_count, 0, lot_count,"
        " issued_by_id, issued_at FROM recalls"
    )
    op.execute(
        "UPDATE batches SET recall_level = (SELECT min(r.level) FROM recalls r JOIN recall_batches m"
        " ON m.recall_id = r.id WHERE m.batch_id = batches.id) WHERE recalled_at IS NOT NULL"
    )
    with op.batch_alter_table("recalls", schema=None) as batch_op:
        batch_op.add_column(sa.Column("kind", sa.String(length=6), nullable=False, server_default="recall"))
        batch_op.add_column(sa.Column("status", sa.String(length=8), nullable=False, server_default="active"))
        batch_op.add_column(sa.Column("voluntary", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("in_force_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("start_due_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("finish_due_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("tasks_made_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.alter_column(
            "number", existing_type=sa.VARCHAR(length=20), type_=sa.String(length=24), existing_nullable=False
        )
        batch_op.create_check_constraint(op.f("ck_recalls_kind"), "kind IN ('recall', 'hold', 'drill')")
        batch_op.create_check_constraint(
            op.f("ck_recalls_status"), "status IN ('pending', 'active', 'ended', 'rejected')"
        )
        batch_op.create_index("ix_recalls_status_kind", ["status", "kind"], unique=False)
        batch_op.drop_column("reason")
        batch_op.drop_column("advice")
        batch_op.drop_column("reason_en")
        batch_op.drop_column("advice_en")
    # Recalls of before were followed up by other means.
    op.execute("UPDATE recalls SET in_force_at = issued_at, tasks_made_at = issued_at")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE batches RESET (fillfactor)")
    texts = {"reason": 500, "reason_en": 800, "advice": 500, "advice_en": 800}
    with op.batch_alter_table("recalls", schema=None) as batch_op:
        for name, length in texts.items():
            batch_op.add_column(sa.Column(name, sa.VARCHAR(length=length), nullable=False, server_default=""))
    for name in texts:
        op.execute(
            f"UPDATE recalls SET {name} = coalesce((SELECT n.{name} FROM recall_notices n WHERE n.recall_id = recalls.id"
            " AND n.sequence = 1), '')"
        )
    with op.batch_alter_table("recalls", schema=None) as batch_op:
        batch_op.drop_index("ix_recalls_status_kind")
        batch_op.drop_constraint(op.f("ck_recalls_kind"), type_="check")
        batch_op.drop_constraint(op.f("ck_recalls_status"), type_="check")
        batch_op.alter_column(
            "number", existing_type=sa.String(length=24), type_=sa.VARCHAR(length=20), existing_nullable=False
        )
        for name in (
            "tasks_made_at",
            "ended_at",
            "finish_due_on",
            "start_due_at",
            "in_force_at",
            "voluntary",
            "status",
            "kind",
        ):
            batch_op.drop_column(name)

    with op.batch_alter_table("recall_batches", schema=None) as batch_op:
        batch_op.drop_index("ix_recall_batches_batch_id")
        batch_op.create_index(batch_op.f("ix_recall_batches_batch_id"), ["batch_id"], unique=False)
        batch_op.drop_column("removed_in")
        batch_op.drop_column("added_in")

    op.execute("DELETE FROM deliveries WHERE finding_id IS NULL OR channel_id IS NULL")
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_constraint(op.f("ck_deliveries_one_content"), type_="check")
        batch_op.drop_constraint(op.f("ck_deliveries_one_way"), type_="check")
        batch_op.alter_column("channel_id", existing_type=sa.INTEGER(), nullable=False)
        batch_op.alter_column("finding_id", existing_type=sa.INTEGER(), nullable=False)
        batch_op.drop_column("address")
        batch_op.drop_column("message")

    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.drop_index("ix_batches_lot_number", postgresql_ops={"lot_number": "text_pattern_ops"})
        batch_op.drop_column("held_at")
        batch_op.drop_column("recall_level")

    with op.batch_alter_table("label_runs", schema=None) as batch_op:
        batch_op.drop_index("ix_label_runs_batch_id")
        batch_op.create_index("ix_label_runs_batch_id", ["batch_id"], unique=False)
    with op.batch_alter_table("records", schema=None) as batch_op:
        batch_op.drop_index("ix_records_input_lot")
        batch_op.create_index("ix_records_input_lot", ["input_lot"], unique=False)
    op.drop_table("recall_report_photos")
    with op.batch_alter_table("shipped_codes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_shipped_codes_line_id"))
        batch_op.drop_index("ix_shipped_codes_label")

    op.drop_table("shipped_codes")
    op.drop_table("receipt_lines")
    with op.batch_alter_table("recall_reports", schema=None) as batch_op:
        batch_op.drop_index("ix_recall_reports_task_id")

    op.drop_table("recall_reports")
    with op.batch_alter_table("shipment_temperatures", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_shipment_temperatures_shipment_id"))

    op.drop_table("shipment_temperatures")
    op.drop_table("shipment_photos")
    with op.batch_alter_table("shipment_lines", schema=None) as batch_op:
        batch_op.drop_index("ix_shipment_lines_batch_id")

    op.drop_table("shipment_lines")
    op.drop_table("receipts")
    with op.batch_alter_table("recall_tasks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_recall_tasks_organisation_id"))
        batch_op.drop_index(
            "ix_recall_tasks_due",
            sqlite_where=sa.text("acknowledged_at IS NULL"),
            postgresql_where=sa.text("acknowledged_at IS NULL"),
        )

    op.drop_table("recall_tasks")
    op.drop_table("recall_notices")
    with op.batch_alter_table("lot_losses", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_lot_losses_batch_id"))

    op.drop_table("lot_losses")
    with op.batch_alter_table("shipments", schema=None) as batch_op:
        batch_op.drop_index("ix_shipments_vehicle", postgresql_ops={"vehicle": "text_pattern_ops"})
        batch_op.drop_index("ix_shipments_sender_id_departed_at")
        batch_op.drop_index("ix_shipments_order")
        batch_op.drop_index(batch_op.f("ix_shipments_departed_at"))
        batch_op.drop_index(batch_op.f("ix_shipments_consignee_id"))

    op.drop_table("shipments")
    with op.batch_alter_table("consignees", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_consignees_organisation_id"))
        batch_op.drop_index("ix_consignees_name")

    op.drop_table("consignees")
    op.drop_table("holidays")
